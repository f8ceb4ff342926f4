"""A height map whose frame is turned against the world, on a grid along the world's axes."""

from dataclasses import replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from glrender.errors import InputError
from glrender.geometry.heightmap import HeightMap

Float64 = NDArray[np.float64]

_ALIGNED = 1e-7
"""What a rotation's entries may differ from the identity's by rounding: a tenth of a millimetre over a kilometre."""

_STEEPEST = 60.0  # degrees
_ON_EDGE = 1e-9
"""How many cells a place may lie outside of a triangle and still count as on its edge."""

_MOST_GROWTH = 16
"""How many cells the new grid may have for each cell of the map. Turning makes up to twice as many; a tilt makes more,
the farther it moves heights sideways."""


def level_map(surface: HeightMap) -> HeightMap:
    """The same ground with heights along the world's z, on a grid along the world's x and y; its pose is the identity.

    A map that is only shifted keeps its grid. One that is turned is seen from straight above: each new vertex gets
    the height, sigma and colour of the triangle there, the highest where a tilt puts several above each other, NaN
    where there is none. Sigma is interpolated like the height, as if a triangle's three vertices shared one error.
    Raises InputError for a map that is tilted by more than 60 degrees: then the world's z is not what is up there.
    """
    R, t = surface.pose[:3, :3], surface.pose[:3, 3]
    tilt = np.degrees(np.arccos(np.clip(R[2, 2], -1, 1)))
    if tilt > _STEEPEST:
        raise InputError(
            f"T_world_map: received a map that is tilted by {tilt:.0f} degrees, expected at most {_STEEPEST:g}: the "
            "world's z must point up, or else the map's own must be taken for up (up: map)"
        )
    if np.allclose(R, np.eye(3), rtol=0, atol=_ALIGNED):
        origin = surface.origin[0] + float(t[0]), surface.origin[1] + float(t[1])
        return replace(surface, heights=surface.heights + t[2], origin=origin, T_world_map=None)
    return _resample(surface, R, t)


def _resample(surface: HeightMap, R: Float64, t: Float64) -> HeightMap:
    # Turned about a vertex in the map's own middle, so that a position far from the origin costs no digits.
    rows, cols = surface.shape
    centre = np.array([*surface.origin, 0.0]) + surface.spacing * np.array([cols // 2, rows // 2, 0.0])
    anchor = R @ centre + t
    points = (surface.vertices() - centre) @ R.T
    seen = np.isfinite(points[:, 2])
    if not seen.any():
        raise InputError("heights: every value is NaN, expected some cell that has been seen")
    spacing = surface.spacing
    first = np.ceil(points[seen, :2].min(axis=0) / spacing - _ON_EDGE)
    last = np.floor(points[seen, :2].max(axis=0) / spacing + _ON_EDGE)
    width, height = np.maximum(last - first + 1, 2)
    if not width * height <= _MOST_GROWTH * rows * cols:
        raise InputError(
            f"heights: once turned, a map of {rows} x {cols} cells would have {height:.3g} x {width:.3g}; "
            "see whether a height is far off, or give the map a T_world_map that is not tilted"
        )
    shape = int(height), int(width)
    sigmas = [each for each in (surface.sigma, surface.local_sigma) if each is not None]
    attributes = [each.reshape(rows * cols, -1) for each in (*sigmas, surface.colors) if each is not None]
    values = np.concatenate(attributes, axis=1) if attributes else np.empty((rows * cols, 0))
    drawn = surface.triangles[seen[surface.triangles].all(axis=1)]
    places = points.copy()
    places[:, :2] = points[:, :2] / spacing - first
    heights = np.full(shape, np.nan)
    found = np.full((*shape, values.shape[1]), np.nan)
    lengthening = np.full(heights.shape, np.nan)
    _draw(places, values, drawn, R[:, 2] / [spacing, spacing, 1], heights, found, lengthening)
    sigma = found[..., 0] * lengthening if sigmas else None
    local_sigma = found[..., 1] * lengthening if len(sigmas) == 2 else None
    origin = anchor[:2] + spacing * first
    return HeightMap(
        heights + anchor[2],
        spacing,
        (float(origin[0]), float(origin[1])),
        colors=None if surface.colors is None else found[..., len(sigmas) :],
        sigma=sigma,
        local_sigma=local_sigma,
    )


@njit(cache=True, nogil=True)
def _draw(points, values, triangles, up, heights, found, lengthening):  # type: ignore[no-untyped-def]
    """Draw triangles onto the grid, where the highest stays; x and y of `points` are in cells.

    `up` is the direction in which a vertex moves when its height in the map grows. `lengthening` gets, for each cell,
    by how many millimetres the ground there rises when the heights in the map grow by a millimetre.
    """
    rows, cols = heights.shape
    for t in range(len(triangles)):
        p, q, r = points[triangles[t, 0]], points[triangles[t, 1]], points[triangles[t, 2]]
        area = (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])
        if area <= 1e-12:  # seen from below, or on edge
            continue
        slope_x = ((q[2] - p[2]) * (r[1] - p[1]) - (r[2] - p[2]) * (q[1] - p[1])) / area
        slope_y = ((r[2] - p[2]) * (q[0] - p[0]) - (q[2] - p[2]) * (r[0] - p[0])) / area
        lift = up[2] - slope_x * up[0] - slope_y * up[1]
        for i in range(max(int(np.ceil(min(p[1], q[1], r[1]) - _ON_EDGE)), 0), rows):
            if i > max(p[1], q[1], r[1]) + _ON_EDGE:
                break
            for j in range(max(int(np.ceil(min(p[0], q[0], r[0]) - _ON_EDGE)), 0), cols):
                if j > max(p[0], q[0], r[0]) + _ON_EDGE:
                    break
                b1 = ((j - p[0]) * (r[1] - p[1]) - (i - p[1]) * (r[0] - p[0])) / area
                b2 = ((q[0] - p[0]) * (i - p[1]) - (q[1] - p[1]) * (j - p[0])) / area
                b0 = 1 - b1 - b2
                if min(b0, b1, b2) < -_ON_EDGE:
                    continue
                height = b0 * p[2] + b1 * q[2] + b2 * r[2]
                if height <= heights[i, j]:
                    continue
                heights[i, j] = height
                lengthening[i, j] = lift
                for k in range(values.shape[1]):
                    a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
                    found[i, j, k] = b0 * values[a, k] + b1 * values[b, k] + b2 * values[c, k]
