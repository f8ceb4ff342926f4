"""What depth from motion says of each pixel, and why it says nothing of others."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from glrender.geometry.camera import Camera

Float32 = NDArray[np.float32]


class Verdict(IntEnum):
    """What came of a pixel."""

    CONFIDENT = 0
    NOT_SEARCHED = 1
    """Nothing to look for: the search leaves it out, or the photograph knows nothing of it."""
    NO_BASELINE = 2
    """The cameras are too close to each other."""
    OUT_OF_VIEW = 3
    """No source sees all of its window."""
    NO_TEXTURE = 4
    """Its window does not tell where along the epipolar line it belongs."""
    AMBIGUOUS = 5
    """Another depth matches nearly as well."""
    INCONSISTENT = 6
    """Too few sources agree: hidden there, moved, or nothing matches within the search."""


@dataclass(frozen=True, eq=False)
class MotionDepth:
    """What one photograph's pixels are away, where that can be said."""

    depth: Float32
    """(height, width) camera z in metres; 0 where not confident."""
    sigma: Float32
    """(height, width) standard deviation of each depth by itself, metres; 0 where not confident. Errors of
    neighbouring pixels are alike: see `fusion_sigma`."""
    verdict: NDArray[np.uint8]
    """(height, width) `Verdict` of each pixel."""
    T_world_camera: NDArray[np.float64]
    """(4, 4) where the photograph was taken from."""
    sources: int
    """Photographs that were compared with; those too close by are left out."""
    window: Float32
    """(height, width) pixels over which errors are alike: the area of what was compared."""

    @property
    def shares(self) -> Mapping[str, float]:
        """Share of the pixels with each verdict, by its name in lower case, those that there are."""
        counts = np.bincount(self.verdict.ravel(), minlength=len(Verdict))
        return {Verdict(k).name.lower(): float(n) / self.verdict.size for k, n in enumerate(counts) if n}

    def fusion_sigma(self, camera: Camera, spacing: float) -> Float32:
        """(height, width) metres: sigma to fuse with into cells of `spacing` metres as if pixels were independent.

        The pixels of a window have about the same error, so that all of those in a cell say no more than one of them.
        """
        pixels = np.square(spacing / np.maximum(self.depth, 1e-9)) * (camera.fx * camera.fy)
        return (self.sigma * np.sqrt(np.clip(pixels, 1, self.window))).astype(np.float32)
