"""The colours of a map, estimated beside its heights."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from glrender.solve.linear import ConjugateGradient
from glrender.solve.priors import GaussianPrior
from glrender.solve.systems import NormalEquations, hold_unseen

Float64 = NDArray[np.float64]

MEAN, SIGMA = 0.5, 0.5
"""All that is known of a colour that nobody has seen."""


@dataclass(frozen=True, eq=False)
class ColorMemory:
    """What all frames so far said about the colours, and the estimate that follows from it."""

    data: NormalEquations
    """Information and information vector of absolute colours, 1 + C unknowns a vertex; those of the heights are 0."""
    estimate: Float64
    """(rows, cols, C) linear."""

    @staticmethod
    def empty(shape: tuple[int, int], channels: int) -> "ColorMemory":
        """Nothing seen yet."""
        return ColorMemory(NormalEquations.zeros(*shape, channels), np.full((*shape, channels), MEAN))

    @property
    def channels(self) -> int:
        """1 or 3."""
        return self.estimate.shape[2]

    def seeded(self, seen: Float64) -> "ColorMemory":
        """With the estimate (rows, cols, C) replaced by what is finite of `seen`."""
        return replace(self, estimate=np.where(np.isfinite(seen), seen, self.estimate))

    def with_frame(self, frame: NormalEquations) -> "ColorMemory":
        """With a frame added that was linearised at the estimate; the colours are linear, so any estimate will do."""
        x = np.concatenate([np.zeros((*frame.stencil.shape, 1)), self.estimate], axis=-1)
        return replace(self, data=self.data + replace(frame, vector=frame.vector + frame.matvec(x)))

    def solved(self, solver: ConjugateGradient) -> "ColorMemory":
        """With the estimate moved to, or towards, the solution."""
        x = np.concatenate([np.zeros((*self.data.stencil.shape, 1)), self.estimate], axis=-1)
        zero = np.zeros_like(x)
        total = GaussianPrior(zero + MEAN, np.inf, SIGMA).add_to(self.data, zero)
        increment = replace(total, vector=total.vector - total.matvec(x))
        return replace(self, estimate=self.estimate + solver.solve(hold_unseen(increment)).x[..., 1:])

    def known(self) -> Float64:
        """(rows, cols, C): the colours in [0, 1], NaN where the data say less than the prior."""
        seen = self.data.diagonal()[..., 1] > SIGMA**-2
        return np.where(seen[..., None], np.clip(self.estimate, 0, 1), np.nan)
