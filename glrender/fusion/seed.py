"""First values of a map's heights and colours, from what the frames see directly."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from glrender.fusion import colors
from glrender.fusion.grid import Grid, fill_from_nearest
from glrender.fusion.posed_frame import PosedFrame
from glrender.geometry.camera import Camera
from glrender.render.forward import ForwardRenderer

Float64 = NDArray[np.float64]

_SAMPLES = 9  # frames whose median is taken at a vertex: enough to outvote flying pixels, few enough to keep


def seed_heights(grid: Grid, camera: Camera, frames: Iterable[PosedFrame]) -> Float64 | None:
    """(rows, cols) metres: the median, over the first nine frames that see a vertex, of the depth points nearest to it.

    Vertices that no point falls on get the height of the nearest that has one; None if there is none at all.
    """
    samples = _Samples((*grid.shape, 1))
    for frame in frames:
        if frame.depth is not None:
            samples.add(grid.means(camera, frame.T_world_camera, frame.depth, depth_sigma=frame.depth_sigma))
    return fill_from_nearest(samples.median()[..., 0], samples.known) if samples.known.any() else None


def seed_colors(
    grid: Grid, renderer: ForwardRenderer, frames: Iterable[PosedFrame], heights: Float64, channels: int
) -> Float64:
    """(rows, cols, channels): the median, over the first nine images that see a vertex, of the colours around it.

    What an image sees follows from `heights` (rows, cols). Other vertices get the colour of the nearest one that is
    known, 0.5 if none is.
    """
    surface = grid.surface(heights)
    samples = _Samples((*grid.shape, channels))
    for frame in frames:
        if frame.image is not None:
            depth = renderer.render(surface, frame.T_world_camera).depth
            samples.add(grid.means(renderer.camera, frame.T_world_camera, depth, frame.image)[..., 1:])
    if not samples.known.any():
        return np.full((*grid.shape, channels), colors.MEAN)
    return fill_from_nearest(samples.median(), samples.known)


class _Samples:
    """The first few values at each vertex."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self._values = np.full((_SAMPLES, *shape), np.nan, np.float32)
        self._counts = np.zeros(shape[:2], np.int64)

    @property
    def known(self) -> NDArray[np.bool_]:
        """(rows, cols): vertices with a value."""
        return self._counts > 0

    def add(self, values: Float64) -> None:
        """Keep `values` (rows, cols, n) of the vertices where all n are finite and there is room."""
        row, column = np.nonzero(np.isfinite(values).all(axis=-1) & (self._counts < _SAMPLES))
        self._values[self._counts[row, column], row, column] = values[row, column]
        self._counts[row, column] += 1

    def median(self) -> Float64:
        """(rows, cols, n), NaN where nothing was added."""
        result = np.full(self._values.shape[1:], np.nan)
        result[self.known] = np.nanmedian(self._values[:, self.known], axis=0)
        return result
