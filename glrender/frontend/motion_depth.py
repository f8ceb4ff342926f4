"""What depth from motion says of each pixel, and why it says nothing of others."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from glrender.geometry.camera import Camera

Float32 = NDArray[np.float32]

PHOTOGRAPHS = 5
"""How many photographs typically see a cell of a map."""


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
    """How far away what one photograph's pixels show is, where that can be told."""

    depth: Float32
    """(height, width) camera z in metres; 0 where not confident."""
    sigma: Float32
    """(height, width) standard deviation of each depth by itself, metres; 0 where not confident. Errors of
    neighbouring pixels are alike: see `fusion_sigma`."""
    roughness: Float32
    """(height, width) metres: the part of sigma that comes of matching windows of uneven ground as a whole. Other
    photographs of the same ground have about the same error."""
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
        """(height, width) metres: sigma to fuse with into cells of `spacing` metres as if all errors were independent.

        They are not: the pixels of a window have about the same error, so that all of those in a cell say no more than
        one of them. Two photographs that are compared with each other share the noise of that. And those that see
        a cell, `PHOTOGRAPHS` typically, all have the ground's roughness wrong alike.

        Nor does a window know of all errors: not of poses, of what shines, or of edges that it reaches across. They are
        of so many pixels, so that they grow with the square of the depth, while sigma hardly does: what lies flat, far
        away, is seen foreshortened, and its texture looks finer. So what is farther than half of the photograph counts
        for less by that square, and the map takes it from photographs that see it from nearer, where there are any.
        """
        pixels = np.square(spacing / np.maximum(self.depth, 1e-9)) * (camera.fx * camera.fy)
        noise = np.square(self.sigma) - np.square(self.roughness)
        variance = 2 * noise + PHOTOGRAPHS * np.square(self.roughness)
        known = self.depth[self.depth > 0]
        farther = np.maximum(self.depth / np.median(known), 1) if known.size else np.ones_like(self.depth)
        return np.asarray(np.square(farther) * np.sqrt(np.clip(pixels, 1, self.window) * variance), np.float32)
