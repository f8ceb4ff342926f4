"""What photographs said so far about the heights of a map, and those that wait to be compared."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from glrender.fusion.photographs import FEWEST, Photograph, PhotographGroup, distance_to
from glrender.fusion.photometry import GroupEquations, PhotographLinearizer
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.solve.patch import LocalEquations

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

_MOST_PASSES = 5
"""From the coarsest images to the finest, and once more there."""


class PhotographMemory:
    """Photographs of one camera over a map; it owns the linearizer."""

    def __init__(self, linearizer: PhotographLinearizer, camera: Camera) -> None:
        self._linearizer, self._camera = linearizer, camera
        self._group = PhotographGroup()

    @property
    def complete(self) -> bool:
        """Whether the photographs that wait are to be compared now."""
        return self._group.complete

    def add(self, T_world_camera: Float64, image: Float32, surface: HeightMap) -> None:
        """Let a linear image (height, width, 3 or 1) wait, unless it is from about where the last one is from."""
        distance = distance_to(surface, self._camera, T_world_camera)
        if distance is not None:
            self._group = self._group.with_photograph(Photograph.of(T_world_camera, image), distance)

    def compared(
        self, heights: Float64, solve: Callable[[LocalEquations | None], tuple[Float64, Float64]]
    ) -> tuple[Float64, GroupEquations] | None:
        """New heights (rows, cols), and what the photographs that wait say there; None while they are too few.

        `solve` takes what they said at the heights before, None at first; it returns heights and how much the
        data say about each, (rows, cols) 1/m².
        """
        group = self._group.members
        if len(group) < FEWEST:
            return None
        said: GroupEquations | None = None
        for _ in range(_MOST_PASSES):
            heights, information = solve(None if said is None else said.heights)
            with np.errstate(divide="ignore"):
                sigma = 1 / np.sqrt(information)
            before, said = said, self._linearizer.linearize(group, heights, sigma)
            if before is not None and before.report.step == said.report.step:
                break
        assert said is not None
        return heights, said

    def forget(self) -> None:
        """Let the photographs that waited go: what they said was taken for good."""
        self._group = PhotographGroup()

    def release(self) -> None:
        """Release what was made in the context; may be called twice."""
        self._linearizer.release()
