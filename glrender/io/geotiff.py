"""Terrain layers as one GeoTIFF: a band a layer, north on top, float32 with NaN where nothing is known.

A cell's value stands for the square around its vertex, so pixel centres lie on vertices; the geotransform is float64
and holds positions far from the origin (UTM). Needs rasterio (the extra `dem`).
"""

from pathlib import Path
from typing import Any

import numpy as np

from glrender.checks import check_kind
from glrender.geometry.terrain_layers import UNITS, TerrainLayers
from glrender.io.files import write_bytes
from glrender.io.georeference import projected_system
from glrender.io.optional import require


def write_geotiff(path: str | Path, layers: TerrainLayers, crs: str | None = None) -> None:
    """Write `layers`; `crs` (such as EPSG:32632) is the projected reference system, in metres, of the world's x and y.

    Raises UsageError for a `crs` that is unknown or not in metres, InputError if the file cannot be written or
    rasterio is not installed.
    """
    check_kind("layers", layers, TerrainLayers)
    rasterio = require("rasterio", "dem", path)
    surface = layers.surface
    rows, cols = surface.shape
    half = surface.spacing / 2
    west = surface.origin[0] - half
    north = surface.origin[1] + (rows - 1) * surface.spacing + half
    profile: dict[str, Any] = {
        "driver": "GTiff",
        "width": cols,
        "height": rows,
        "count": len(UNITS),
        "dtype": "float32",
        "nodata": np.nan,
        "transform": rasterio.Affine(surface.spacing, 0, west, 0, -surface.spacing, north),
        "crs": None if crs is None else projected_system(crs),
        "compress": "deflate",
        "predictor": 3,
    }
    with rasterio.MemoryFile() as memory:
        with memory.open(**profile) as raster:
            for band, (name, values) in enumerate(layers.layers.items(), start=1):
                raster.write(values[::-1].astype(np.float32), band)
                raster.set_band_description(band, name)
                raster.set_band_unit(band, UNITS[name])
        write_bytes(path, bytes(memory.getbuffer()))
