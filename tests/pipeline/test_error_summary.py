"""What errors are summarised to: known numbers, and whether sigmas that are right are found right."""

import numpy as np
import pytest

from glrender.pipeline.error_summary import summarize


def test_known_numbers() -> None:
    errors = np.array([0.001, -0.003, 0.004, 0.2])
    summary = summarize(errors, np.array([0.001, 0.002, 0.001, np.nan]))
    assert summary.count == 4
    assert summary.median_abs_mm == pytest.approx(3.5)
    assert summary.mae_mm == pytest.approx(52)
    assert summary.rmse_mm == pytest.approx(np.sqrt(40026 / 4))
    assert summary.rmse_5cm_band_mm == pytest.approx(np.sqrt(26 / 3))
    assert (summary.within_5cm_band, summary.within_25cm_band) == (0.75, 1)
    assert summary.robust_sigma_mm == pytest.approx(1.4826 * 3.5)  # about 2.5 mm: 1.5, 5.5, 1.5, 197.5
    assert summary.offset_mm == pytest.approx(50.5)
    assert summary.rmse_without_offset_mm == pytest.approx(1000 * np.std(errors))
    assert summary.sigma_median_mm == pytest.approx(1)
    assert summary.within_1_sigma == pytest.approx(1 / 3)
    assert summary.within_2_sigma == pytest.approx(2 / 3)
    assert summary.sigma_quartiles == ()


def test_errors_without_sigma() -> None:
    summary = summarize(np.array([0.001, 0.1]), np.full(2, np.nan))
    assert summary.rmse_5cm_band_mm == pytest.approx(1)
    assert np.isnan([summary.within_1_sigma, summary.within_2_sigma, summary.sigma_median_mm]).all()
    assert np.isnan(summarize(np.array([0.1]), np.array([0.1])).rmse_5cm_band_mm)


@pytest.mark.parametrize("claimed", [0.5, 1.0, 2.0])
def test_right_sigmas_are_told_from_wrong_ones_in_every_quarter(claimed: float) -> None:
    rng = np.random.default_rng(0)
    sigma = rng.uniform(0.001, 0.02, 40_000).astype(np.float32)
    summary = summarize(sigma * rng.standard_normal(sigma.size).astype(np.float32), claimed * sigma)
    expected = {0.5: (0.383, 0.683), 1.0: (0.683, 0.954), 2.0: (0.954, 1.0)}[claimed]
    for part in (summary, *summary.sigma_quartiles):
        assert (part.within_1_sigma, part.within_2_sigma) == pytest.approx(expected, abs=0.015)
    medians = [quartile.sigma_median_mm for quartile in summary.sigma_quartiles]
    np.testing.assert_allclose(medians, claimed * np.array([3.4, 8.1, 12.9, 17.6]), rtol=0.03)
    assert [quartile.count for quartile in summary.sigma_quartiles] == [10_000] * 4
    rms = np.sqrt(np.mean([quartile.rmse_mm**2 for quartile in summary.sigma_quartiles]))
    assert rms == pytest.approx(summary.rmse_mm)


def test_equal_sigmas_are_quartered_too() -> None:
    summary = summarize(np.full(10, 0.001), np.zeros(10))
    assert [quartile.count for quartile in summary.sigma_quartiles] == [3, 3, 2, 2]
    assert summary.within_2_sigma == 0
