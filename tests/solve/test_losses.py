"""Each loss against its own differences."""

import numpy as np
import pytest

from glrender.errors import InputError, UsageError
from glrender.solve.losses import Cauchy, Huber, Loss, Squared, Tukey, check_loss, make_loss

LOSSES = [Squared(), Huber(), Huber(0.3), Cauchy(), Cauchy(5.0), Tukey(), Tukey(1.5)]
R = np.linspace(-12, 12, 481)  # without the kinks at ± k
each_loss = pytest.mark.parametrize("loss", LOSSES, ids=str)


@each_loss
def test_weight_is_the_slope_of_rho_over_r(loss: Loss) -> None:
    r, h = R[R != 0], 1e-6
    slope = (loss.rho(r + h) - loss.rho(r - h)) / (2 * h)
    np.testing.assert_allclose(loss.weight(r), slope / r, rtol=1e-6, atol=1e-8)


@each_loss
def test_small_residuals_cost_half_their_square(loss: Loss) -> None:
    r = np.array([1e-8, 1e-5, 1e-3])
    np.testing.assert_allclose(loss.rho(r), r**2 / 2, rtol=1e-5)
    np.testing.assert_allclose(loss.weight(r), 1, rtol=1e-5)
    assert loss.rho(np.zeros(1)) == 0
    assert loss.weight(np.zeros(1)) == 1


@each_loss
def test_loss_is_even_and_grows_while_weight_falls(loss: Loss) -> None:
    np.testing.assert_array_equal(loss.rho(R), loss.rho(-R))
    r = np.abs(R[240:])
    assert (np.diff(loss.rho(r)) >= 0).all()
    assert (np.diff(loss.weight(r)) <= 0).all()
    assert (loss.weight(r) >= 0).all()


@pytest.mark.parametrize("loss", LOSSES[1:], ids=str)
def test_an_outlier_costs_less_than_its_square(loss: Loss) -> None:
    assert loss.rho(np.array([20.0])) < 0.5 * 20**2
    assert loss.weight(np.array([20.0])) < 1


def test_each_loss_has_the_values_of_its_definition() -> None:
    r = np.array([0.5, 3.0])
    np.testing.assert_allclose(Huber(2.0).rho(r), [0.125, 4.0])
    np.testing.assert_allclose(Cauchy(2.0).rho(r), [2 * np.log(1.0625), 2 * np.log(3.25)])
    np.testing.assert_allclose(Tukey(2.0).rho(r), [2 / 3 * (1 - 0.9375**3), 2 / 3])
    np.testing.assert_array_equal(Tukey(2.0).weight(np.array([2.0, 50.0])), 0)


@pytest.mark.parametrize(
    ("name", "kind"), [("squared", Squared), ("huber", Huber), ("cauchy", Cauchy), ("tukey", Tukey)]
)
def test_losses_are_made_by_name(name: str, kind: type) -> None:
    assert make_loss(name) == kind()
    if kind is not Squared:
        assert make_loss(name, 2.5) == kind(2.5)


def test_wrong_losses_are_refused() -> None:
    with pytest.raises(UsageError, match="'squared', 'huber', 'cauchy', 'tukey'"):
        make_loss("hubber")
    with pytest.raises(UsageError, match="no k"):
        make_loss("squared", 2.0)
    for k in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(InputError, match="Tukey k"):
            Tukey(k)


def test_what_only_looks_like_a_loss_is_refused() -> None:
    class Halved(Huber):
        def weight(self, r: np.ndarray) -> np.ndarray:
            return super().weight(r) / 2

    assert check_loss("loss", Huber(2.0)) == Huber(2.0)
    for other in (Halved(), Huber, "huber", None):
        with pytest.raises(UsageError, match=r"depth_loss: received .*, expected Squared\(\), Huber\(k\), Cauchy\(k\)"):
            check_loss("depth_loss", other)  # type: ignore[arg-type]
