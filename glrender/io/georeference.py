"""What rasters and their files say of places: reference systems, and where a raster's pixels lie.

Rasters are rasterio's (the extra `dem`), as it opens them.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from glrender.errors import UsageError
from glrender.geometry.heightmap import HeightMap
from glrender.io.optional import require

_METRES = (None, "", "m", "metre", "metres", "meter", "meters")  # as files call them, or leave out
_SQUARE = 1e-3  # of a pixel's side: by how much the other may be longer, as rounded geotransforms have it


def projected_system(crs: str) -> Any:
    """rasterio's CRS of the name `crs`; UsageError unless that is a projected reference system in metres."""
    rasterio = require("rasterio", "dem", crs)
    try:
        system = rasterio.crs.CRS.from_user_input(crs)
    except ValueError as error:  # CRSError is one, and what stands behind EPSG: need be no number
        raise UsageError(f"crs: received {crs!r}, expected a reference system such as EPSG:32632: {error}") from None
    if not _in_metres(system):
        unit = system.linear_units if system.is_projected else "degrees"
        raise UsageError(
            f"crs: received {crs!r}, whose coordinates are in {unit}; a map's are in metres, so expected a projected "
            "system in metres, such as the UTM zone (EPSG:326xx north, EPSG:327xx south)"
        )
    return system


def is_metric(raster: Any) -> bool:
    """Whether a raster names a reference system in metres, and no other unit of its heights."""
    return raster.crs is not None and _in_metres(raster.crs) and raster.units[0] in _METRES


def is_square(transform: Any) -> bool:
    """Whether a raster's pixels are square, with north on top."""
    side = transform.a
    return not (transform.b or transform.d) and side > 0 and abs(-transform.e / side - 1) <= _SQUARE


def placed(raster: Any, heights: NDArray[np.float64], top: int = 0, left: int = 0) -> HeightMap:
    """The map of `heights` (rows, cols), metres, that were read of a raster from row `top` and column `left` on.

    A pixel is taken for the height at its centre, which becomes a vertex; the world is the raster's system, in metres,
    and the pose holds what float32 would lose far from its origin.
    """
    T = np.eye(4)
    T[:2, 3] = raster.xy(top + len(heights) - 1, left)
    return HeightMap(heights[::-1], raster.transform.a, T_world_map=T)


def _in_metres(system: Any) -> bool:
    return bool(system.is_projected and system.linear_units_factor[1] == 1)
