"""A surface model, by a laser scanner or photogrammetry, to judge a map by: a `map.npz`, or a raster such as a GeoTIFF.

A raster's pixel is taken for the height at its centre, which becomes a vertex; the world is the raster's own projected
reference system, in metres. Rasters need rasterio (the extra `dem`).
"""

import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from glrender.errors import InputError
from glrender.geometry.heightmap import HeightMap
from glrender.io.georeference import is_square, placed, projected_system
from glrender.io.optional import require

SUFFIXES = (".tif", ".tiff", ".vrt", ".asc", ".img", ".dem")
"""Rasters that are read; anything else is taken for a `map.npz`."""


def read_surface(path: str | Path, within: HeightMap, crs: str | None = None) -> HeightMap:
    """The surface in `path`; of a raster its first band, and only what lies within the bounds of the map `within`.

    `crs` is the reference system of that map's world, None where nobody said: then the raster's is taken to be the
    same. InputError if the file is missing or broken, if a raster is not north up with square pixels in metres, lies in
    another system, or shares no place with the map.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        return HeightMap.load(path)
    rasterio = require("rasterio", "dem", path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected a surface model, as GeoTIFF or map.npz")
    try:
        with rasterio.open(path) as raster:
            own = None if raster.crs is None else raster.crs.to_string()
            if own is not None:
                _check_system(path, own, crs)
            spacing, row_step = raster.transform.a, -raster.transform.e
            if not is_square(raster.transform):
                turned = ", turned" if raster.transform.b or raster.transform.d else ""
                raise InputError(
                    f"{path}: pixels of {spacing:g} x {row_step:g} m{turned}; expected square "
                    "ones with north on top: resample it (gdalwarp -tr 0.25 0.25)"
                )
            west, north = raster.xy(0, 0)
            low, high = _bounds(within)
            # One pixel more on each side, for what lies between the last one inside and the border.
            first, last = math.floor((low[0] - west) / spacing), math.ceil((high[0] - west) / spacing)
            top, bottom = math.floor((north - high[1]) / spacing), math.ceil((north - low[1]) / spacing)
            first, top = max(first, 0), max(top, 0)
            last, bottom = min(last, raster.width - 1), min(bottom, raster.height - 1)
            if last - first < 1 or bottom - top < 1:
                covered = _rectangle(raster.bounds[:2], raster.bounds[2:])
                raise InputError(
                    f"{path}: covers {covered}, and the map {_rectangle(low, high)} of its world: they share no place. "
                    "The map's poses must be in the surface model's reference system"
                )
            window = rasterio.windows.Window(first, top, last - first + 1, bottom - top + 1)
            heights = raster.read(1, window=window, masked=True).astype(np.float64).filled(np.nan)
            heights[~np.isfinite(heights)] = np.nan
            return placed(raster, heights, top, first)
    except rasterio.errors.RasterioError as error:
        raise InputError(f"{path}: not a readable surface model: {error}") from None


def _check_system(path: Path, own: str, crs: str | None) -> None:
    """InputError unless a raster's system is in metres and, where the map's is known, the same."""
    system = projected_system(own)
    if crs is not None and projected_system(crs) != system:
        raise InputError(
            f"{path}: is in {own}, and the map in {crs}; expected one reference system: reproject it "
            f"(gdalwarp -t_srs {crs})"
        )


def _rectangle(low: Iterable[float], high: Iterable[float]) -> str:
    return ", ".join(f"{axis} {a:.2f} to {b:.2f} m" for axis, a, b in zip("xy", low, high, strict=True))


def _bounds(surface: HeightMap) -> tuple[np.ndarray, np.ndarray]:
    """(2,) smallest and largest x and y of a map in the world."""
    x, y = surface.axes()
    corners = np.array([[a, b, 0.0, 1.0] for a in x[[0, -1]] for b in y[[0, -1]]]) @ surface.pose.T
    return corners[:, :2].min(axis=0), corners[:, :2].max(axis=0)
