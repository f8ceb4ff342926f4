"""What both shaders that score a `sweep` are asked for: `sweep_compute` and `sweep_pass`."""

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from glrender.errors import InputError
from glrender.frontend.sweep import Hypotheses, SweepImages, Warp

Float32 = NDArray[np.float32]

MOST_SOURCES = 16
"""Photographs that a shader compares one with."""


class ShaderSweep(ABC):
    """A `sweep.Sweep` by OpenGL."""

    def mean_scores(self, images: SweepImages, hypotheses: Hypotheses, radius: int) -> Float32:
        """(height, width, number); see `sweep.Sweep`."""
        return self._scores(images, hypotheses, radius, [(0, len(images.sources))], mean=True)[0]

    def all_scores(self, images: SweepImages, hypotheses: Hypotheses, radius: int) -> Float32:
        """(sources, height, width, number); see `sweep.Sweep`."""
        ranges = [(s, s + 1) for s in range(len(images.sources))]
        return self._scores(images, hypotheses, radius, ranges, mean=False)

    @abstractmethod
    def release(self) -> None:
        """Release what this made in its context; may be called twice."""

    @abstractmethod
    def _scores(
        self, images: SweepImages, hypotheses: Hypotheses, radius: int, ranges: list[tuple[int, int]], *, mean: bool
    ) -> Float32:
        """(ranges, height, width, number): of the sources in each range (first, one beyond the last) their mean score,
        or the one source's."""


def stacked(warps: list[Warp]) -> dict[str, Float32]:
    """Uniforms of warps by their names: H (MOST_SOURCES, 3, 3), e (MOST_SOURCES, 3); InputError if there are more."""
    if len(warps) > MOST_SOURCES:
        raise InputError(f"sweep: received {len(warps)} sources, expected at most {MOST_SOURCES}")
    H, e = np.zeros((MOST_SOURCES, 3, 3), np.float32), np.zeros((MOST_SOURCES, 3), np.float32)
    for k, warp in enumerate(warps):
        H[k], e[k] = warp
    return {"H": H, "e": e}
