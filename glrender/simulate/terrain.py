"""A terrain in metres: elevations rescaled to a size and a relief, on a regular grid of a chosen spacing."""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from glrender.checks import check_array, check_positive
from glrender.errors import InputError
from glrender.geometry.heightmap import HeightMap
from glrender.simulate.elevation import Elevation

DEFAULT_SIZE = (2.0, 2.0)
# What is left out follows the size, so that a terrain of 200 m is the terrain of 2 m seen from further away.
DEFAULT_RELIEF = 1 / 8
DEFAULT_SPACING = 1 / 200
# 5e7 vertices with colours are 1.6 GB of float64, and beyond what one mesh can be drawn with anyway.
MAX_VERTICES = 50_000_000

Grid = NDArray[np.float64]


def make_terrain(
    elevation: Elevation,
    size: tuple[float, float] | None = None,
    relief: float | None = None,
    spacing: float | None = None,
    origin: tuple[float, float] | None = None,
) -> HeightMap:
    """The height map of `elevation` with an extent `size` (x, y), a range of heights `relief` and a `spacing`, metres.

    The largest central part of the elevations that has the proportions of `size` is used; between their
    samples runs a bicubic spline, and where the grid is coarser than they are they are smoothed first.
    The lowest height is 0. `origin` is the map x and y of vertex (0, 0).

    What is left out follows: the size is 2 x 2 m, the relief 1/8 of the shorter side (0 where all is flat), the
    spacing 1/200 of it, and the middle of the terrain is a vertex at (0, 0). But a `map.npz` keeps its own size,
    heights, spacing and origin where they are not given here, and its colours; its frame becomes the world.
    The heights are numbers that float32 holds exactly, as files and renderings do.
    """
    own = elevation.map if size is None else None
    extent = _extent(elevation)
    size = _pair("size", size) if size is not None else extent if own is not None else DEFAULT_SIZE
    short = min(size)
    spacing = check_positive(
        "spacing", spacing if spacing is not None else own.spacing if own else short * DEFAULT_SPACING
    )
    cols, rows = (math.floor(min(length / spacing, MAX_VERTICES) + 1e-6) + 1 for length in size)
    if min(rows, cols) < 2:
        raise InputError(f"spacing: received {spacing:g} m, expected at most the terrain's shorter side, {short:g} m")
    if rows * cols > MAX_VERTICES:
        raise InputError(
            f"spacing: {spacing:g} m on {size[0]:g} x {size[1]:g} m makes more than {MAX_VERTICES:,} vertices; "
            "choose a larger spacing or a smaller size"
        )
    if origin is None:
        origin = own.origin if own else (-spacing * ((cols - 1) // 2), -spacing * ((rows - 1) // 2))

    at_rows, at_cols = _sample_positions(elevation, extent, size, spacing, (rows, cols))
    heights = _resample(elevation.heights, at_rows, at_cols, order=3)
    if np.isnan(heights).all():
        raise InputError("terrain: no height is known in the part of the elevations that is used")
    if own is None or relief is not None:
        usual = 0.0 if _is_flat(heights) else short * DEFAULT_RELIEF
        heights = _with_relief(heights, usual if relief is None else relief)
    colors = None
    if elevation.map is not None and elevation.map.colors is not None:
        channels = np.moveaxis(elevation.map.colors, -1, 0)
        colors = np.stack([fill_unknown(_resample(c, at_rows, at_cols, order=1)) for c in channels], axis=-1)
    return HeightMap(heights.astype(np.float32).astype(np.float64), spacing, origin, colors)


def refine(surface: HeightMap, factor: int) -> HeightMap:
    """The very same surface on a grid `factor` times finer: every triangle is divided, none is bent.

    A texture can then be finer than the heights, and a map estimated on the coarse grid still has this
    surface within its reach. Colours are interpolated as the renderer would.
    """
    if factor < 1:
        raise InputError(f"refine: received the factor {factor}, expected at least 1")
    rows, cols = surface.shape
    if ((rows - 1) * factor + 1) * ((cols - 1) * factor + 1) > MAX_VERTICES:
        raise InputError(
            f"texture detail {factor} on {rows} x {cols} vertices makes a mesh of more than {MAX_VERTICES:,}; "
            "choose less detail or a larger spacing"
        )
    if factor == 1:
        return surface
    heights = _subdivide(surface.heights, factor)
    colors = None
    if surface.colors is not None:
        colors = np.stack([_subdivide(c, factor) for c in np.moveaxis(surface.colors, -1, 0)], axis=-1)
    return replace(
        surface, heights=heights, spacing=surface.spacing / factor, colors=colors, sigma=None, local_sigma=None
    )


def coarse_colors(fine: Grid, factor: int) -> Grid:
    """(rows, cols, C) mean colour around each coarse vertex, from the colours of a grid refined `factor` times.

    The mean is weighted like the vertex's influence on the surface: 1 at the vertex, 0 at its neighbours.
    """
    tent = 1 - np.abs(np.arange(1 - factor, factor)) / factor
    for axis in (0, 1):
        fine = ndimage.correlate1d(fine, tent / tent.sum(), axis=axis, mode="nearest")
    return fine[::factor, ::factor]


def _pair(name: str, value: tuple[float, float]) -> tuple[float, float]:
    x, y = check_array(name, value, (2,), finite=True)
    return check_positive(f"{name} along x", x), check_positive(f"{name} along y", y)


def _extent(elevation: Elevation) -> tuple[float, float]:
    rows, cols = elevation.heights.shape
    return (cols - 1) * elevation.step[0], (rows - 1) * elevation.step[1]


def _sample_positions(
    elevation: Elevation,
    extent: tuple[float, float],
    size: tuple[float, float],
    spacing: float,
    shape: tuple[int, int],
) -> tuple[Grid, Grid]:
    """Where the grid's rows and columns lie among those of the elevations, as fractional indices."""
    metres = max(size[0] / extent[0], size[1] / extent[1])

    def along(axis: int, count: int) -> Grid:
        start = (extent[axis] - size[axis] / metres) / 2
        return (start + np.arange(count, dtype=np.float64) * (spacing / metres)) / elevation.step[axis]

    return along(1, shape[0]), along(0, shape[1])


def _resample(values: Grid, at_rows: Grid, at_cols: Grid, order: int) -> Grid:
    """`values` at the crossings of fractional rows and columns; NaN where a NaN is among the neighbours."""
    steps = at_rows[1] - at_rows[0], at_cols[1] - at_cols[0]
    # Half the new step as the standard deviation leaves little that the coarser grid cannot represent.
    blur = [step / 2 if step > 1 + 1e-6 else 0 for step in steps]
    smoothed = ndimage.gaussian_filter(fill_unknown(values), blur, mode="nearest")
    at = np.meshgrid(at_rows, at_cols, indexing="ij")
    result = ndimage.map_coordinates(smoothed, at, order=order, mode="nearest")
    unknown = np.isnan(values)
    if unknown.any():
        result[ndimage.map_coordinates(unknown.astype(np.float64), at, order=1, mode="nearest") > 1e-6] = np.nan
    return result


def fill_unknown(values: Grid) -> Grid:
    """`values` with each NaN replaced by the nearest number; unchanged if there is none."""
    unknown = np.isnan(values)
    if not unknown.any() or unknown.all():
        return values
    nearest = ndimage.distance_transform_edt(unknown, return_distances=False, return_indices=True)
    return values[tuple(nearest)]


def _with_relief(heights: Grid, relief: float) -> Grid:
    low, high = np.nanmin(heights), np.nanmax(heights)
    if relief == 0:
        return heights * 0
    check_positive("relief", relief)
    if _is_flat(heights):
        raise InputError(f"relief: a flat terrain cannot be given a relief of {relief:g} m; ask for a relief of 0")
    return (heights - low) * (relief / (high - low))


def _is_flat(heights: Grid) -> bool:
    low, high = np.nanmin(heights), np.nanmax(heights)
    return bool(high - low <= 1e-10 * max(abs(high), abs(low)))  # the spline's rounding is no relief


def _subdivide(values: Grid, factor: int) -> Grid:
    """Linear interpolation within the grid's triangles; a NaN vertex spoils only what its triangles cover."""
    rows, cols = values.shape
    (i, t), (j, s) = _cells(rows, factor), _cells(cols, factor)
    i, j, t, s = i[:, None], j[None, :], t[:, None], s[None, :]
    upper = s + t > factor
    corners = (
        (np.where(upper, s + t - factor, factor - s - t), np.where(upper, values[i + 1, j + 1], values[i, j])),
        (np.where(upper, factor - t, s), values[i, j + 1]),
        (np.where(upper, factor - s, t), values[i + 1, j]),
    )
    result = np.zeros(upper.shape)
    for weight, value in corners:
        result += np.where(weight > 0, weight * value, 0.0)
    return result / factor


def _cells(count: int, factor: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """For each fine index the coarse cell it lies in, and how many of `factor` steps into it."""
    fine = np.arange((count - 1) * factor + 1)
    cell = np.minimum(fine // factor, count - 2)
    return cell, fine - cell * factor
