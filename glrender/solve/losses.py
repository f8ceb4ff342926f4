"""Robust losses on normalised residuals r (a residual divided by its standard deviation).

Each loss has its value rho(r) and its weight rho'(r) / r side by side, so that the cost which is reported is the
one that a reweighted step descends. All agree with r²/2 for small r, where the weight is 1. A larger `k` trusts
larger residuals; the defaults keep 95 % of the efficiency of least squares on Gaussian noise.

These four are all that there are: compiled loops and shaders have their formulas, and would not hear of another's.
Both methods are elementwise and even in r: `rho` is the loss of each residual, `weight` its weight in the normal
equations, in [0, 1].
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glrender.checks import check_choice, check_positive
from glrender.errors import UsageError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Squared:
    """Least squares: rho = r²/2."""

    def rho(self, r: Array) -> Array:
        return 0.5 * np.square(r)

    def weight(self, r: Array) -> Array:
        return np.ones_like(r)


@dataclass(frozen=True)
class Huber:
    """Quadratic up to k, linear beyond: convex, so it has one minimum, but every outlier pulls a little."""

    k: float = 1.345
    """Where the loss turns linear, in standard deviations."""

    def __post_init__(self) -> None:
        _check_k(self)

    def rho(self, r: Array) -> Array:
        inside = np.minimum(np.abs(r), self.k)
        return inside * (np.abs(r) - 0.5 * inside)

    def weight(self, r: Array) -> Array:
        return self.k / np.maximum(np.abs(r), self.k)


@dataclass(frozen=True)
class Cauchy:
    """Grows with log(r): the negative log-likelihood of a heavy-tailed noise."""

    k: float = 2.3849
    """The residual whose weight is one half, in standard deviations."""

    def __post_init__(self) -> None:
        _check_k(self)

    def rho(self, r: Array) -> Array:
        return 0.5 * self.k**2 * np.log1p(np.square(r / self.k))

    def weight(self, r: Array) -> Array:
        return 1 / (1 + np.square(r / self.k))


@dataclass(frozen=True)
class Tukey:
    """Constant (k²/6) beyond k, so that outliers have no pull at all; needs a good first guess."""

    k: float = 4.6851
    """The residual from which on the weight is zero, in standard deviations."""

    def __post_init__(self) -> None:
        _check_k(self)

    def rho(self, r: Array) -> Array:
        # k²/6 (1 - (1 - u)³) multiplied out: the difference would lose all digits of a small residual.
        u = np.minimum(np.square(r / self.k), 1)
        return self.k**2 / 6 * u * (3 - u * (3 - u))

    def weight(self, r: Array) -> Array:
        return np.square(1 - np.minimum(np.square(r / self.k), 1))


Loss = Squared | Huber | Cauchy | Tukey

_LOSSES: dict[str, Callable[..., Loss]] = {"squared": Squared, "huber": Huber, "cauchy": Cauchy, "tukey": Tukey}


def make_loss(name: str, k: float | None = None) -> Loss:
    """The loss called 'squared', 'huber', 'cauchy' or 'tukey', with its own default where `k` is None."""
    kind = _LOSSES[check_choice("loss", name, _LOSSES)]
    if k is None:
        return kind()
    if kind is Squared:
        raise UsageError(f"loss 'squared': received k = {k}, but least squares has no k; leave it out")
    return kind(k)


def check_loss(name: str, loss: Loss) -> Loss:
    """Return `loss` if it is one; UsageError for what only looks like one, or is made of one."""
    if type(loss) not in _LOSSES.values():
        raise UsageError(
            f"{name}: received {loss!r}, expected Squared(), Huber(k), Cauchy(k) or Tukey(k) of glrender.solve.losses"
        )
    return loss


def _check_k(loss: Huber | Cauchy | Tukey) -> None:
    object.__setattr__(loss, "k", check_positive(f"{type(loss).__name__} k", loss.k))
