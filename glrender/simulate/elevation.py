"""Where a terrain's heights come from: the built-in elevation model, or a file of elevations."""

import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from glrender.checks import check_array
from glrender.errors import InputError, UsageError
from glrender.geometry.heightmap import HeightMap
from glrender.geometry.mapfile import DAMAGE, npz_damage
from glrender.geometry.mapfile import SHAPES as MAP_KEYS
from glrender.io.georeference import is_metric, is_square, placed
from glrender.io.optional import require

BUILTIN = "builtin"
GEO_SUFFIXES = (".tif", ".tiff", ".hgt", ".asc", ".dem")
SUFFIXES = (".npz", ".npy", ".png", *GEO_SUFFIXES)
"""Endings of the files that `read_elevation` reads."""
HEIGHT_KEYS = ("height", "heights", "elevation")
"""Names by which the heights are found among the arrays of a .npz."""


@dataclass(frozen=True, eq=False)
class Elevation:
    """Samples of a ground's height as a file gives them, before they are given a size in metres."""

    heights: NDArray[np.float64]
    """(rows, cols), in any unit; rows along +y (north), columns along +x (east); NaN where unknown."""
    step: tuple[float, float] = (1.0, 1.0)
    """Distance between neighbouring columns and between neighbouring rows, in one common unit."""
    map: HeightMap | None = None
    """The map, if the file is a `map.npz`, or a raster of square pixels whose reference system is in metres: then
    heights, step and place are known already, and colours if there are any."""

    def __post_init__(self) -> None:
        heights = check_array("elevation", self.heights, (None, None))
        if min(heights.shape) < 2:
            raise InputError(f"elevation: received shape {heights.shape}, expected at least 2 rows and 2 columns")
        if np.isinf(heights).any():
            raise InputError("elevation: infinite heights; use NaN where a height is not known")
        if np.isnan(heights).all():
            raise InputError("elevation: every height is NaN; expected some that are known")
        object.__setattr__(self, "heights", heights)


def read_elevation(source: str | Path) -> Elevation:
    """The elevations of `builtin`, of a .npz (a map or an array), .npy, 16-bit .png, or GeoTIFF and its kin.

    Images and GeoTIFFs have north on top; arrays have row 0 in the south, as maps do. A raster in degrees, or of no
    named system, tells proportions alone.
    Raises InputError if the file is missing or broken, UsageError if its kind is not known.
    """
    if str(source) == BUILTIN:
        return _builtin()
    path = Path(source)
    readers = {".npz": _from_npz, ".npy": _from_npy, ".png": _from_png} | dict.fromkeys(GEO_SUFFIXES, _from_geo)
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise UsageError(
            f"elevations: received {str(source)!r}, expected {BUILTIN!r} or a file that ends in {', '.join(SUFFIXES)}"
        )
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected an elevation file, or the terrain {BUILTIN!r}")
    try:
        return reader(path)
    except InputError as error:
        if str(error).startswith(str(path)):
            raise
        raise InputError(f"{path}: {error}") from None


def _builtin() -> Elevation:
    """The fault near Jacksboro, Tennessee, that comes with matplotlib: 344 x 403 samples, 840 m of relief."""
    from matplotlib.cbook import get_sample_data

    with np.load(get_sample_data("jacksboro_fault_dem.npz", asfileobj=False)) as data:
        heights = data["elevation"].astype(np.float64)
        latitude = (float(data["ymin"]) + float(data["ymax"])) / 2
        step = float(data["dx"]) * math.cos(math.radians(latitude)), float(data["dy"])
    return Elevation(heights[::-1], step)


def _from_npz(path: Path) -> Elevation:
    try:
        with np.load(path) as data:
            keys = tuple(data)
            if all(key in keys for key in MAP_KEYS):
                surface = HeightMap.load(path)
                return Elevation(surface.heights, (surface.spacing, surface.spacing), surface)
            named = [key for key in HEIGHT_KEYS if key in keys] or [key for key in keys if data[key].ndim == 2]
            if len(named) != 1:
                raise InputError(
                    f"{path}: has the arrays {', '.join(keys) or '(none)'}; expected the keys of a map "
                    f"({', '.join(MAP_KEYS)}) or one array named {' or '.join(HEIGHT_KEYS)}"
                )
            return Elevation(_numbers(data[named[0]]))
    except InputError:
        raise
    except DAMAGE as error:
        raise InputError(f"{path}: not a readable .npz file: {npz_damage(path, error)}") from None


def _from_npy(path: Path) -> Elevation:
    try:
        array = np.load(path)
    except DAMAGE as error:
        raise InputError(f"{path}: not a readable .npy file: {error}") from None
    return Elevation(_numbers(array))


def _numbers(array: NDArray[Any]) -> NDArray[np.float64]:
    if array.dtype.kind not in "iuf":
        raise InputError(f"elevation: received an array of {array.dtype}, expected numbers")
    return array.astype(np.float64)


def _from_png(path: Path) -> Elevation:
    image = cv2.imdecode(np.fromfile(path, dtype=np.uint8), cv2.IMREAD_UNCHANGED) if path.stat().st_size else None
    if image is None:
        raise InputError(f"{path}: not a readable PNG image")
    if image.dtype != np.uint16 or image.ndim != 2:
        channels = 1 if image.ndim == 2 else image.shape[2]
        raise InputError(
            f"{path}: received {8 * image.dtype.itemsize} bits in {channels} channel(s); "
            "expected a grey image of 16 bits (8 bits make steps instead of slopes)"
        )
    return Elevation(image[::-1].astype(np.float64))


def _from_geo(path: Path) -> Elevation:
    rasterio = require("rasterio", "dem", path)
    with warnings.catch_warnings():
        # A raster without coordinates is fine: its samples are then taken as equally far apart.
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        try:
            with rasterio.open(path) as raster:
                heights = raster.read(1, masked=True).astype(np.float64).filled(np.nan)
                if is_metric(raster) and is_square(raster.transform):
                    surface = placed(raster, heights)
                    return Elevation(surface.heights, (surface.spacing, surface.spacing), surface)
                dx, dy = abs(raster.transform.a), abs(raster.transform.e)
                north_up = raster.transform.e < 0 or raster.transform.is_identity
                if raster.crs is not None and raster.crs.is_geographic:
                    dx *= math.cos(math.radians((raster.bounds.bottom + raster.bounds.top) / 2))
        except rasterio.errors.RasterioError as error:
            raise InputError(f"{path}: not a readable elevation raster: {error}") from None
    return Elevation(heights[::-1] if north_up else heights, (dx, dy))
