"""What can be looked at: each layer with its name, how it is made, and what its values mean.

There are three sorts. A `SurfaceLayer` lies on the map and is drawn with it: a value for each vertex, or the map's
own colours. A `ViewLayer` is a buffer that the derivative pass makes as the free camera sees the map. A `FrameLayer`
belongs to a frame of a sequence, and is shown as its camera saw it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from glrender.assembly.residuals import Measurements, Residuals
from glrender.geometry import se3
from glrender.geometry.heightmap import HeightMap
from glrender.geometry.terrain_layers import TerrainLayers, terrain_layers
from glrender.render.buffers import CompactBuffers, DerivativeBuffers
from glrender.render.layouts import COLORS
from glrender.viewer.colors import Kind, hues

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

POSE = tuple((f"{part}{axis}", unit) for part, unit in (("v", "m"), ("ω", "rad")) for axis in "xyz")
"""Components of a twist in the camera frame, each with its unit."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """A frame of a sequence beside what the map predicted for it."""

    measured: Measurements
    """What the camera saw; the depth is 0 where nothing was measured."""
    predicted: DerivativeBuffers
    """The map as this camera should have seen it."""
    residuals: Residuals
    """Measured minus predicted, and what robust weighing made of it."""


@dataclass(frozen=True)
class Layer:
    """Something to look at."""

    name: str
    """What it is called in the window and in a copied view."""
    key: str
    """The key that shows it; pressed again, it goes on to the next layer of that key."""
    kind: Kind
    """What its values mean."""
    unit: str = ""
    """The unit of its values."""
    needs: "Needs" = lambda surface, comparison: True
    """Whether there is what the layer shows."""


Needs = Callable[[HeightMap, Comparison | None], bool]


@dataclass(frozen=True)
class SurfaceLayer(Layer):
    """A layer that is drawn on the map."""

    values: Callable[[HeightMap], Float64] | None = None
    """(rows, cols) values at the vertices, NaN where unknown; None: the map's own colours."""


@dataclass(frozen=True)
class ViewLayer(Layer):
    """A layer that is a buffer as the free camera sees the map."""

    make: Callable[[CompactBuffers], Float32] = lambda buffers: buffers.depth
    """(height, width), or (height, width, 3) of the kind COLOR."""
    pose: bool = False
    """Whether it needs the derivatives by the camera pose."""
    of: str = "depth"
    """What it is about: "image" or "depth"."""


@dataclass(frozen=True)
class FrameLayer(Layer):
    """A layer of a frame of a sequence, as its camera saw it."""

    make: Callable[[Comparison], Float32] = lambda comparison: comparison.predicted.depth
    """(height, width), or (height, width, 1 or 3) of the kind COLOR."""

    def values(self, comparison: Comparison) -> Float32:
        """What is shown: as `make` gives it, but NaN where a depth or a weight is 0: there, nothing was measured."""
        values = self.make(comparison)
        return np.where(values > 0, values, np.float32(np.nan)) if self.kind is Kind.SEQUENTIAL else values


def _channels(count: int) -> Needs:
    """Whether the map has so many colour channels with derivatives, to be asked of a layer."""
    return lambda surface, comparison: surface.colors is not None and surface.channels >= count


def _has_sigma(surface: HeightMap, comparison: Comparison | None) -> bool:
    return surface.sigma is not None


def _has_frame(surface: HeightMap, comparison: Comparison | None) -> bool:
    return comparison is not None


def _has_photograph(surface: HeightMap, comparison: Comparison | None) -> bool:
    return comparison is not None and comparison.measured.image is not None


def _sigma(surface: HeightMap) -> Float64:
    return 1e3 * surface.sigma if surface.sigma is not None else np.full(surface.shape, np.nan)


@lru_cache(maxsize=1)
def _terrain(surface: HeightMap) -> TerrainLayers:
    return terrain_layers(surface)


def _terrain_values(name: str, factor: float = 1.0) -> Callable[[HeightMap], Float64]:
    """Values of a terrain layer, for a small rover; of a map that is not level, each vertex takes the nearest value."""

    def values(surface: HeightMap) -> Float64:
        terrain = _terrain(surface)
        level = terrain.surface
        vertices = se3.transformed(surface.pose, np.nan_to_num(surface.vertices()))
        places = np.rint((vertices[:, :2] - level.origin) / level.spacing).astype(np.int64)
        columns, rows = np.clip(places, 0, np.array(level.shape[::-1]) - 1).T
        found = factor * getattr(terrain, name)[rows, columns].reshape(surface.shape)
        return np.where(np.isfinite(surface.heights), found, np.nan)

    return values


def _faces_up(surface: HeightMap, comparison: Comparison | None) -> bool:
    known = surface.heights if surface.sigma is None else surface.heights + surface.sigma
    return bool(surface.pose[2, 2] > 0 and np.isfinite(known).any())


def _normal(buffers: CompactBuffers) -> Float32:
    """Right in red, up in green, towards the camera in blue: linear, so that level is the same everywhere."""
    colors = 0.5 + 0.5 * buffers.normal * np.array([1, -1, -1], np.float32)
    return np.where(buffers.visible[..., None], colors, 0)


def _image_by_height(channel: int) -> Callable[[CompactBuffers], Float32]:
    return lambda buffers: buffers.image_factor[..., channel]


def _depth_by_pose(component: int) -> Callable[[CompactBuffers], Float32]:
    def make(buffers: CompactBuffers) -> Float32:
        assert buffers.pose is not None
        return buffers.pose.depth_wrt_pose[..., component]

    return make


def _image_by_pose(component: int) -> Callable[[CompactBuffers], Float32]:
    def make(buffers: CompactBuffers) -> Float32:
        assert buffers.pose is not None
        return buffers.pose.image_wrt_pose[..., component].mean(axis=-1)

    return make


def _photograph(comparison: Comparison) -> Float32:
    assert comparison.measured.image is not None
    return np.nan_to_num(comparison.measured.image)


def _measured_depth(comparison: Comparison) -> Float32:
    assert comparison.measured.depth is not None
    return comparison.measured.depth


def _residual(comparison: Comparison) -> Float32:
    seen = comparison.residuals.depth_weight > 0
    return np.where(seen, 1e3 * comparison.residuals.depth, np.nan).astype(np.float32)


def _weight(comparison: Comparison) -> Float32:
    """The weight of each depth, relative to that of a residual of zero."""
    weight = comparison.residuals.depth_weight
    return np.where(weight > 0, weight * np.square(comparison.measured.depth_sigma), np.nan).astype(np.float32)


SURFACE_LAYERS = (
    SurfaceLayer("surface", "1", Kind.COLOR),
    SurfaceLayer("height", "1", Kind.HEIGHT, "m", values=lambda surface: surface.heights),
    SurfaceLayer("σ", "9", Kind.SEQUENTIAL, "mm", _has_sigma, _sigma),
    SurfaceLayer("slope", "9", Kind.SEQUENTIAL, "°", _faces_up, _terrain_values("slope")),
    SurfaceLayer("step", "9", Kind.SEQUENTIAL, "mm", _faces_up, _terrain_values("step", 1e3)),
    SurfaceLayer("roughness", "9", Kind.SEQUENTIAL, "mm", _faces_up, _terrain_values("roughness", 1e3)),
    SurfaceLayer("traversability", "9", Kind.SEQUENTIAL, "of 1", _faces_up, _terrain_values("traversability")),
)

VIEW_LAYERS = (
    ViewLayer("image", "2", Kind.COLOR, make=lambda buffers: buffers.image, of="image"),
    ViewLayer("depth", "3", Kind.SEQUENTIAL, "m", make=lambda buffers: buffers.depth),
    ViewLayer("normal", "4", Kind.COLOR, make=_normal),
    ViewLayer("triangle ids", "5", Kind.IDS, make=lambda buffers: hues(buffers.triangle_ids)),
    # Of the point seen: a vertex has its share b_k of it, and the three shares add up to 1.
    ViewLayer("∂depth/∂height", "6", Kind.SIGNED, "m/m", make=lambda buffers: buffers.depth_factor),
    *(
        ViewLayer(f"∂{color}/∂height", "7", Kind.SIGNED, "1/m", _channels(k + 1), _image_by_height(k), of="image")
        for k, color in enumerate(COLORS)
    ),
    *(
        ViewLayer(f"∂depth/∂{name}", "8", Kind.SIGNED, f"m/{unit}", make=_depth_by_pose(k), pose=True)
        for k, (name, unit) in enumerate(POSE)
    ),
    *(
        ViewLayer(
            f"∂brightness/∂{name}",
            "8",
            Kind.SIGNED,
            f"1/{unit}",
            _channels(1),
            _image_by_pose(k),
            pose=True,
            of="image",
        )
        for k, (name, unit) in enumerate(POSE)
    ),
)

FRAME_LAYERS = (
    FrameLayer("photograph", "0", Kind.COLOR, "", _has_photograph, _photograph),
    FrameLayer("prediction", "0", Kind.COLOR, "", _has_frame, lambda comparison: comparison.predicted.image),
    FrameLayer("residual", "0", Kind.SIGNED, "mm", _has_frame, _residual),
    FrameLayer("measured depth", "0", Kind.SEQUENTIAL, "m", _has_frame, _measured_depth),
    FrameLayer("weight", "0", Kind.SEQUENTIAL, "of 1", _has_frame, _weight),
)

LAYERS: tuple[Layer, ...] = (*SURFACE_LAYERS, *VIEW_LAYERS, *FRAME_LAYERS)
"""All layers, in the order in which the help lists them."""


def layers_here(surface: HeightMap, comparison: Comparison | None) -> tuple[Layer, ...]:
    """The layers that can be shown now."""
    return tuple(layer for layer in LAYERS if layer.needs(surface, comparison))


def next_layer(key: str, shown: str, here: tuple[Layer, ...]) -> str | None:
    """The layer that a key leads to: its first, or the one after `shown` if that is its own; None: it has none."""
    names = [layer.name for layer in here if layer.key == key]
    if not names:
        return None
    return names[(names.index(shown) + 1) % len(names)] if shown in names else names[0]
