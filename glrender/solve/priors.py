"""Prior knowledge about a height map that fits the stencil of its normal equations.

`x` is (rows, cols, 1 + C): the height, metres, and the linear colour channels of each vertex.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glrender.checks import check_array
from glrender.errors import InputError
from glrender.solve.stencil import OFFSETS, BlockStencil, neighbours
from glrender.solve.systems import NormalEquations

Array = NDArray[np.float64]


class Prior(Protocol):
    """A term of the cost that is not a measurement."""

    def cost(self, x: Array) -> float:
        """Its share of the cost at x."""

    def add_to(self, equations: NormalEquations, x: Array) -> NormalEquations:
        """The equations at x with this prior's matrix, vector and cost; the count of measurements stays."""


@dataclass(frozen=True, eq=False)
class GaussianPrior:
    """Each unknown is near a known value: cost ½ Σ ((x - mean) / sigma)²."""

    mean: Array
    """(rows, cols, 1 + C): the expected heights and colours."""
    height_sigma: float | Array
    """Standard deviation of the heights, metres: one number or (rows, cols); inf where nothing is known."""
    color_sigma: float | Array = np.inf
    """Standard deviation of every colour channel: one number or (rows, cols); inf where nothing is known."""

    def __post_init__(self) -> None:
        mean = check_array("mean", self.mean, (None, None, None), finite=True)
        object.__setattr__(self, "mean", mean)
        for name in ("height_sigma", "color_sigma"):
            sigma = np.broadcast_to(_check_sigma(name, getattr(self, name)), mean.shape[:2])
            object.__setattr__(self, name, sigma)

    def cost(self, x: Array) -> float:
        return 0.5 * float(np.sum(self._information() * np.square(x - self.mean)))

    def add_to(self, equations: NormalEquations, x: Array) -> NormalEquations:
        information = self._information()
        matrix = equations.stencil.matrix.copy()
        entries = min(2, matrix.shape[3])  # height and, where there is one, the entry that all channels share
        matrix[:, :, 0, :entries] += information[..., :entries]
        vector = equations.vector + information * (self.mean - x)
        return NormalEquations(BlockStencil(matrix), vector, equations.cost + self.cost(x), equations.count)

    def _information(self) -> Array:
        information = np.empty_like(self.mean)
        information[..., 0] = np.square(1 / np.asarray(self.height_sigma))
        information[..., 1:] = np.square(1 / np.asarray(self.color_sigma))[..., None]
        return information


@dataclass(frozen=True)
class SmoothnessPrior:
    """Neighbours along rows and columns are alike: cost ½ Σ ((x_q - x_p) / sigma)² over all such pairs p, q."""

    height_sigma: float
    """Standard deviation of the difference of two neighbours' heights, metres; inf for none."""
    color_sigma: float = np.inf
    """Standard deviation of the difference of two neighbours' colours, each channel; inf for none."""

    def __post_init__(self) -> None:
        for name in ("height_sigma", "color_sigma"):
            sigma = check_array(name, getattr(self, name), ())
            object.__setattr__(self, name, float(_check_sigma(name, sigma)))

    def cost(self, x: Array) -> float:
        information = self._information(x.shape[2])
        return 0.5 * sum(float(np.sum(information * np.square(np.diff(x, axis=axis)))) for axis in (0, 1))

    def add_to(self, equations: NormalEquations, x: Array) -> NormalEquations:
        information = self._information(x.shape[2])
        matrix, vector = equations.stencil.matrix.copy(), equations.vector.copy()
        entries = min(2, matrix.shape[3])
        for offset in ((0, 1), (1, 0)):
            here, there = neighbours(offset)
            for end in (here, there):
                matrix[:, :, 0, :entries][end] += information[:entries]
            matrix[:, :, OFFSETS.index(offset), :entries][here] -= information[:entries]
            pull = information * (x[there] - x[here])
            vector[here] += pull
            vector[there] -= pull
        return NormalEquations(BlockStencil(matrix), vector, equations.cost + self.cost(x), equations.count)

    def _information(self, width: int) -> Array:
        return np.array([self.height_sigma**-2] + [self.color_sigma**-2] * (width - 1))


def _check_sigma(name: str, sigma: ArrayLike) -> Array:
    values = np.asarray(sigma, dtype=np.float64)
    if not (values > 0).all():
        raise InputError(f"{name}: received {sigma!r}, expected values greater than 0 (inf where nothing is known)")
    return values
