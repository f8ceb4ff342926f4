"""The resolutions that a sweep goes through, and how far photographs see things displaced."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from glrender.frontend.photograph import Photograph
from glrender.frontend.search import Bounds
from glrender.frontend.sweep import SweepImages, Warp, make_warp
from glrender.geometry.camera import Camera

Float32 = NDArray[np.float32]

NARROW = 32
"""Hypotheses of a sweep at full resolution at most; twice as many at half of it, and so on."""
WIDEST = 128
"""Hypotheses of any sweep at most."""
SMALLEST = 32
"""Rows or columns, whichever are fewer, of the coarsest level at least."""


@dataclass(frozen=True, eq=False)
class SweepLevel:
    """One resolution of all that is compared."""

    images: SweepImages
    bounds: Bounds
    pixels: float
    """From far to near, along the epipolar lines of the source with the longest baseline."""

    @property
    def step(self) -> Float32:
        """(height, width) inverse depth of about a pixel."""
        return ((self.bounds.near - self.bounds.far) / max(self.pixels, 1e-3)).astype(np.float32)


def parallax(warps: list[Warp], bounds: Bounds) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(sources,) pixels each: from infinity to what is looked for, median; and from far to near, 90 %.

    Only of what a source may see of it: elsewhere, and behind it, perspective has no bounds.
    """
    height, width = bounds.far.shape
    v, u = (axis.ravel() for axis in np.mgrid[4:height:8, 4:width:8])
    far, near = bounds.far[v, u], bounds.near[v, u]
    looked = near > far
    pixels = np.stack([u, v, np.ones_like(u)])[:, None, looked]
    reach = (near - far)[looked]
    w = far[looked] + reach * np.linspace(0, 1, 5)[:, None]
    from_infinity, within = np.zeros(len(warps)), np.zeros(len(warps))
    for k, warp in enumerate(warps):
        infinite = np.tensordot(warp.H, pixels, axes=1)
        x, y, z = infinite + warp.e[:, None, None] * w
        with np.errstate(divide="ignore", invalid="ignore"):
            place = np.stack([x, y]) / z
            moved = np.linalg.norm(place - infinite[:2] / infinite[2], axis=0)
            rate = np.linalg.norm(warp.e[:2, None, None] - warp.e[2] * place, axis=0) / z
            inside = (place > 0).all(axis=0) & (place[0] < width) & (place[1] < height)
        seen = inside & (z > 0) & (infinite[2] > 0)
        if seen.any():
            from_infinity[k] = np.median(moved[seen])
            within[k] = np.percentile((rate * reach)[seen], 90)
    return from_infinity, within


def sweep_levels(
    camera: Camera, reference: Photograph, sources: Sequence[Photograph], bounds: Bounds, pixels: float
) -> list[SweepLevel]:
    """From fine to coarse: as many levels as it takes to sweep the coarsest with few enough hypotheses."""
    images = np.stack([photograph.image for photograph in (reference, *sources)])
    levels: list[SweepLevel] = []
    while True:
        warps = [make_warp(camera, reference, source) for source in sources]
        of_level = SweepImages(np.ascontiguousarray(images[0]), np.ascontiguousarray(images[1:]), warps)
        levels.append(SweepLevel(of_level, bounds, pixels))
        if pixels <= min(NARROW << (len(levels) - 1), WIDEST) or min(camera.shape) < 2 * SMALLEST:
            return levels
        images = _halved(images)
        camera = camera.binned(2)
        bounds = Bounds(*(_halved(bound[None])[0] for bound in bounds))
        pixels /= 2


def _halved(images: Float32) -> Float32:
    """(n, height // 2, width // 2): means of two by two pixels; NaN where one of them is."""
    height, width = images.shape[1] // 2 * 2, images.shape[2] // 2 * 2
    return images[:, :height, :width].reshape(-1, height // 2, 2, width // 2, 2).mean(axis=(2, 4), dtype=np.float32)


def enlarged(w: Float32, shape: tuple[int, int]) -> Float32:
    """Twice as many pixels a side, linear between the centres of those there are; one more repeated where odd."""
    height, width = w.shape
    large = cv2.resize(w, (2 * width, 2 * height), interpolation=cv2.INTER_LINEAR)
    return np.pad(large, ((0, shape[0] - 2 * height), (0, shape[1] - 2 * width)), mode="edge")
