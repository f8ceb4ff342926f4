"""What a click finds: the values at a pixel and its three vertices; a vertex, and what moving it does to the image."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from glrender.geometry import se3
from glrender.geometry.heightmap import HeightMap
from glrender.render.buffers import DerivativeBuffers
from glrender.viewer.colors import Kind, false_colors, fit_scale
from glrender.viewer.hud import Inset
from glrender.viewer.lines import outline
from glrender.viewer.screen import BACKGROUND

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

Number = TypeVar("Number", int, float)


@dataclass(frozen=True, eq=False)
class Pick:
    """A pixel that sees the map."""

    pixel: tuple[int, int]
    """Column and row."""
    depth: float
    """Metres."""
    color: tuple[float, ...]
    """Linear."""
    vertices: tuple[int, int, int]
    """The vertices of the triangle that is seen, as indices into `HeightMap.vertices`."""
    weights: tuple[float, float, float]
    """Barycentric weights of these vertices."""
    depth_wrt_height: tuple[float, float, float]
    """The derivative of the depth by the height of each vertex, m/m."""
    image_wrt_height: Float32
    """(C, 3): the derivatives of each channel by the height of each vertex, 1/m."""
    vertex: int | None = None
    """The vertex that was chosen, if one was."""

    @property
    def nearest(self) -> int:
        """The vertex of the largest weight."""
        return self.vertices[int(np.argmax(self.weights))]


def pick_pixel(buffers: DerivativeBuffers, column: int, row: int) -> Pick | None:
    """What a pixel sees; None: nothing."""
    height, width = buffers.camera.shape
    if not (0 <= row < height and 0 <= column < width) or buffers.triangle_ids[row, column] < 0:
        return None
    return Pick(
        (column, row),
        float(buffers.depth[row, column]),
        tuple(float(value) for value in buffers.image[row, column]),
        _three(int(v) for v in buffers.vertex_ids[row, column]),
        _three(float(b) for b in buffers.barycentric[row, column]),
        _three(float(d) for d in buffers.depth_wrt_height[row, column]),
        buffers.image_wrt_height[row, column].copy(),
    )


def describe(pick: Pick, surface: HeightMap) -> tuple[str, ...]:
    """A pick in words; heights are those of `surface`."""
    lines = [
        f"pixel {pick.pixel[0]}, {pick.pixel[1]}: depth {pick.depth:.4f} m",
        "linear colour " + " ".join(f"{value:.3f}" for value in pick.color),
    ]
    cols = surface.shape[1]
    places = surface.vertices()
    for k, vertex in enumerate(pick.vertices):
        mark = "▸" if vertex == pick.vertex else " "
        x, y, z = places[vertex]
        lines.append(
            f"{mark} vertex {vertex // cols}, {vertex % cols}: x {x:.3f} y {y:.3f} height {z:.4f} m, "
            f"weight {pick.weights[k]:.2f}, ∂depth/∂height {pick.depth_wrt_height[k]:+.3f}"
        )
    return tuple(lines)


def picked_outline(surface: HeightMap, pick: Pick) -> Float64:
    """(n, 2, 3) edges of the triangle that was picked; of a vertex that was, those of all triangles around it."""
    points = se3.transformed(surface.pose, surface.vertices())
    if pick.vertex is None:
        return outline(points[list(pick.vertices)])
    rows, cols = surface.shape
    i, j = divmod(pick.vertex, cols)
    # Around a vertex lie six: a quad is split from (i, j + 1) to (i + 1, j).
    around = [(0, 1), (1, 0), (1, -1), (0, -1), (-1, 0), (-1, 1)]
    ring = [(i + di) * cols + j + dj for di, dj in around if 0 <= i + di < rows and 0 <= j + dj < cols]
    spokes = np.stack([np.broadcast_to(points[pick.vertex], (len(ring), 3)), points[ring]], axis=1)
    edges = np.concatenate([outline(points[ring]), spokes])
    return edges[np.isfinite(edges).all(axis=(1, 2))]


@dataclass(frozen=True, eq=False)
class Footprint:
    """A vertex's column of the Jacobian, as the part of the image that it fills."""

    top: int
    """First row of the part."""
    left: int
    """First column."""
    column: Float32
    """(h, w): d depth / d height, or d brightness / d height, of the part; 0 beside the vertex's triangles."""
    values: Float32
    """(h, w): depth or brightness there, NaN where nothing is seen."""

    @property
    def part(self) -> tuple[slice, slice]:
        """Rows and columns of the image."""
        height, width = self.column.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)


_AROUND = 0.35
"""How much of the image beside a footprint is looked at as well, as a share of the footprint's size."""


def footprint(buffers: DerivativeBuffers, vertex: int, of: str) -> Footprint | None:
    """What the image says of a vertex; `of` is depth or image. None: it is not seen."""
    touched = buffers.vertex_ids == vertex
    rows, columns = np.nonzero(touched.any(axis=-1))
    if rows.size == 0:
        return None
    margin = 3 + int(_AROUND * max(np.ptp(rows), np.ptp(columns)))
    top, left = max(0, rows.min() - margin), max(0, columns.min() - margin)
    part = np.s_[top : rows.max() + margin + 1, left : columns.max() + margin + 1]
    entries = buffers.depth_wrt_height if of == "depth" else buffers.image_wrt_height.mean(axis=2)
    column = np.where(touched[part], entries[part], 0).sum(axis=-1)
    return Footprint(int(top), int(left), column.astype(np.float32), brightness_or_depth(buffers, of)[part])


def brightness_or_depth(buffers: DerivativeBuffers, of: str) -> Float32:
    """(height, width) depth or mean colour, NaN where nothing is seen."""
    values = buffers.depth if of == "depth" else buffers.image.mean(axis=-1)
    return np.where(buffers.visible, values, np.float32(np.nan))


@dataclass(frozen=True, eq=False)
class Consequence:
    """What moving a vertex changed, beside what the derivative had said."""

    true: Float32
    """(h, w): the difference of the rendered images, within the footprint; NaN where nothing is seen."""
    predicted: Float32
    """(h, w): what the derivative says that it is."""

    def describe(self, unit: str) -> str:
        """Both in words."""
        known = np.isfinite(self.true)
        true, predicted = (
            float(np.sqrt(np.mean(np.square(values[known])))) if known.any() else 0.0
            for values in (self.true, self.predicted)
        )
        error = float(np.abs(self.true - self.predicted)[known].max()) if known.any() else 0.0
        return f"changed by {true:.3g} {unit} rms, predicted {predicted:.3g}, at most {error:.3g} apart"


def consequence(before: Footprint, after: DerivativeBuffers, change: float, of: str) -> Consequence:
    """What moving the vertex by `change` metres does: the rendered difference, and the column times the change."""
    return Consequence(brightness_or_depth(after, of)[before.part] - before.values, before.column * np.float32(change))


def footprint_insets(before: Footprint, moved: Consequence | None, unit: str) -> tuple[Inset, ...]:
    """The column, and the true and the predicted change, in the same colours as each other."""
    column = np.where(np.isfinite(before.values), before.column, np.nan)
    insets = [Inset("column of the Jacobian", _signed(column))]
    if moved is not None:
        difference = moved.true - moved.predicted
        scale = fit_scale(np.stack([moved.true, moved.predicted]), Kind.SIGNED, 0.0, False)
        for title, values in (("true change", moved.true), ("predicted", moved.predicted), ("difference", difference)):
            insets.append(Inset(f"{title} ±{scale.high:.2g} {unit}", false_colors(values, scale, "RdBu_r", BACKGROUND)))
    return tuple(insets)


def _signed(values: Float32) -> NDArray[np.uint8]:
    return false_colors(values, fit_scale(values, Kind.SIGNED, 0.0, False), "RdBu_r", BACKGROUND)


def _three(values: Iterable[Number]) -> tuple[Number, Number, Number]:
    first, second, third = values
    return first, second, third
