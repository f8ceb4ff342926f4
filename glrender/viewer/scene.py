"""What is looked at: a map, and of a sequence its cameras and the frame that is being fused."""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from glrender.geometry.heightmap import HeightMap
from glrender.viewer.hud import Inset, Plot
from glrender.viewer.layers import Comparison
from glrender.viewer.lines import frustum

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Nudge:
    """A vertex that is moved to see what comes of it."""

    vertex: int
    """Index into `HeightMap.vertices`."""
    change: float = 0.0
    """Metres upwards."""


@dataclass(frozen=True, eq=False)
class Scene:
    """All that a picture is made of besides the view."""

    name: str
    """For the window's title."""
    surface: HeightMap
    """Without any nudge or exaggeration."""
    others: tuple[HeightMap, ...] = ()
    """Surfaces around it, which are drawn in their own colours."""
    trajectory: Float64 = field(default_factory=lambda: np.empty((0, 3)))
    """(n, 3) world places of the cameras so far, metres."""
    comparison: Comparison | None = None
    """The frame that was fused last, beside what the map had predicted."""
    insets: tuple[Inset, ...] = ()
    """Small pictures of it."""
    plot: Plot | None = None
    lines: tuple[str, ...] = ()
    """What is told of it."""

    @property
    def surfaces(self) -> tuple[HeightMap, ...]:
        """All surfaces; the one that is looked at comes first."""
        return self.surface, *self.others

    @cached_property
    def frustum(self) -> Float64:
        """(n, 2, 3) lines, in the world, that show the camera of that frame, as far as 0.3 of the median depth that it
        sees; none without a frame."""
        if self.comparison is None:
            return np.empty((0, 2, 3))
        predicted = self.comparison.predicted
        seen = predicted.depth[predicted.depth > 0]
        depth = 0.3 * float(np.median(seen)) if seen.size else 10 * self.surface.spacing
        return frustum(predicted.camera, predicted.T_world_camera, depth)

    @property
    def cameras(self) -> Float64:
        """(n, 3) world places of all that is drawn of cameras."""
        return np.concatenate([self.trajectory, self.frustum.reshape(-1, 3)])


def shown_surface(surface: HeightMap, exaggeration: float, nudge: Nudge | None) -> HeightMap:
    """The surface as it is drawn, its heights exaggerated about their mean; itself where nothing is changed."""
    if exaggeration == 1 and (nudge is None or nudge.change == 0):
        return surface
    heights = surface.heights.copy()
    if nudge is not None:
        heights[np.unravel_index(nudge.vertex, surface.shape)] += nudge.change
    if exaggeration != 1:
        middle = np.nanmean(surface.heights) if np.isfinite(surface.heights).any() else 0.0
        heights = middle + exaggeration * (heights - middle)
    return replace(surface, heights=heights)
