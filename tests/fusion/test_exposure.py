"""The exposure of one photograph against another: found where there is one, and none where there is not."""

import numpy as np
import pytest
from numpy.typing import NDArray

from glrender.fusion.exposure import FEWEST, NOMINAL, RelativeExposure, estimate_exposure

Float32 = NDArray[np.float32]


def ground(seed: int = 0, contrast: float = 0.1, count: int = 4000) -> Float32:
    return np.clip(np.random.default_rng(seed).normal(0.5, contrast, count), 0, 1).astype(np.float32)


def seen(exposure: RelativeExposure, noise: float = 0.01, seed: int = 1) -> Float32:
    scatter = noise * np.random.default_rng(seed).normal(size=4000)
    return (exposure.gain * ground() + exposure.bias + scatter).astype(np.float32)


def test_no_change_is_exactly_none() -> None:
    assert estimate_exposure(ground(), seen(NOMINAL)) == NOMINAL
    assert estimate_exposure(ground(), seen(NOMINAL, noise=0.05)) == NOMINAL


@pytest.mark.parametrize("gain", [0.5, 0.9, 1.3, 2.0])
def test_a_gain_is_no_bias(gain: float) -> None:
    found = estimate_exposure(ground(), seen(RelativeExposure(gain)))
    assert found is not None
    assert found.gain == pytest.approx(gain, rel=2e-3)
    assert found.bias == 0


@pytest.mark.parametrize("given", [RelativeExposure(1.3, 0.1), RelativeExposure(0.7, 0.2), RelativeExposure(1.0, -0.2)])
def test_a_bias(given: RelativeExposure) -> None:
    found = estimate_exposure(ground(), seen(given))
    assert found is not None
    assert found.gain == pytest.approx(given.gain, abs=0.02)
    assert found.bias == pytest.approx(given.bias, abs=0.01)
    np.testing.assert_allclose(found.undone(seen(given)), ground(), atol=0.06)


def test_two_fifths_show_something_else() -> None:
    image = seen(RelativeExposure(1.3))
    image[:1600] = np.random.default_rng(3).uniform(0, 1, 1600)
    found = estimate_exposure(ground(), image)
    assert found is not None
    assert found.gain * 0.5 + found.bias == pytest.approx(0.65, abs=0.02)


@pytest.mark.parametrize("alike", [0.9, 0.6, 0.4])
def test_images_out_of_place_have_no_less_contrast(alike: float) -> None:
    """Least squares would find a gain that is the correlation of the two."""
    other = 0.5 + alike * (ground() - 0.5) + np.sqrt(1 - alike**2) * (ground(5) - 0.5)
    assert np.corrcoef(ground(), other)[0, 1] == pytest.approx(alike, abs=0.05)
    assert estimate_exposure(ground(), other.astype(np.float32)) == NOMINAL


@pytest.mark.parametrize("value", [0.0, 1e-3])
def test_a_black_image_has_nothing_to_do_with_it(value: float) -> None:
    assert estimate_exposure(ground(), np.full(4000, value, np.float32)) is None


def test_too_few_points() -> None:
    count = FEWEST - 1
    assert estimate_exposure(ground()[:count], seen(RelativeExposure(2.0))[:count]) == NOMINAL
    assert estimate_exposure(np.zeros(0, np.float32), np.zeros(0, np.float32)) == NOMINAL
