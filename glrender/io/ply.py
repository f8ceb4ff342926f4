"""Height maps as coloured meshes (PLY)."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glrender.checks import check_kind
from glrender.geometry import se3
from glrender.geometry.heightmap import HeightMap
from glrender.io.color import linear_to_bytes
from glrender.io.files import write_bytes

UNKNOWN_COLOR = 0.5

HEADER = """\
ply
format binary_little_endian 1.0
comment world coordinates in metres; sigma: standard deviation of the height, metres
element vertex {vertices}
property double x
property double y
property double z
property uchar red
property uchar green
property uchar blue
property float sigma
element face {faces}
property list uchar int vertex_indices
end_header
"""


def write_ply(path: str | Path, surface: HeightMap) -> None:
    """Write the triangles of `surface` in world coordinates, colours as sRGB (grey where unknown), and sigma.

    Cells that nobody has seen are left out; sigma is 0 in a map without uncertainty. Coordinates are
    float64, because float32 would round a map in UTM coordinates to half a metre.
    """
    check_kind("surface", surface, HeightMap)
    seen = ~np.isnan(surface.heights).ravel()
    vertices = np.empty(np.count_nonzero(seen), dtype=[("xyz", "<f8", 3), ("rgb", "u1", 3), ("sigma", "<f4")])
    vertices["xyz"] = se3.transformed(surface.pose, surface.vertices()[seen])
    vertices["rgb"] = _colors(surface)[seen]
    vertices["sigma"] = 0 if surface.sigma is None else surface.sigma.ravel()[seen]

    number = np.cumsum(seen) - 1
    triangles = surface.triangles[seen[surface.triangles].all(axis=1)]
    faces = np.empty(len(triangles), dtype=[("count", "u1"), ("vertices", "<i4", 3)])
    faces["count"] = 3
    faces["vertices"] = number[triangles]
    header = HEADER.format(vertices=len(vertices), faces=len(faces)).encode()
    write_bytes(path, header + vertices.tobytes() + faces.tobytes())


def _colors(surface: HeightMap) -> NDArray[np.uint8]:
    """(rows cols, 3) sRGB."""
    colors = np.full((*surface.shape, 1), np.nan) if surface.colors is None else surface.colors
    known = np.where(np.isnan(colors), UNKNOWN_COLOR, colors)
    return np.broadcast_to(linear_to_bytes(known), (*surface.shape, 3)).reshape(-1, 3)
