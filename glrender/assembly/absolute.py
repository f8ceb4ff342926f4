"""A frame's normal equations in heights and colours themselves, not increments, without couplings between the two."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glrender.solve.stencil import BlockStencil
from glrender.solve.systems import NormalEquations

Float64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ColorEquations:
    """Normal equations in the colours themselves, not in increments: they are linear."""

    information: BlockStencil
    """(rows, cols, 4, 1): the matrix of one colour channel; all channels have the same."""
    vector: Float64
    """(rows, cols, C)."""


@dataclass(frozen=True, eq=False)
class AbsoluteEquations:
    """A frame's normal equations in heights and in colours, each as if the others were known; not in increments."""

    heights: NormalEquations
    """Those of the heights, map z; their cost and count are those of depths and colours together."""
    colors: ColorEquations | None
    """Those of the colours; None without any."""
