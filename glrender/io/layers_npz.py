"""Terrain layers as one `.npz`, readable by numpy alone.

Keys: each layer by name (rows, cols) float32, NaN where unknown (see `TerrainLayers`), row 0 in the south; `origin`
(2,) float64, the world's x and y of cell (0, 0), and `spacing` () float64, both in metres; `own_share`, `white_share`
() float64; the robot's `max_step`, `max_slope` (degrees), `wheel_diameter` and `footprint_radius` () float64; `crs` ()
text, empty where it is not known.
"""

import io
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from glrender.checks import check_kind
from glrender.geometry.terrain_layers import TerrainLayers
from glrender.io.files import write_bytes


def write_layers_npz(path: str | Path, layers: TerrainLayers, crs: str | None = None) -> None:
    """Write `layers`; the file appears whole or not at all. InputError if it cannot be written."""
    check_kind("layers", layers, TerrainLayers)
    arrays: dict[str, Any] = {name: values.astype(np.float32) for name, values in layers.layers.items()}
    arrays |= {name: np.float64(value) for name, value in asdict(layers.robot).items()}
    arrays |= {
        "origin": np.array(layers.surface.origin, dtype=np.float64),
        "spacing": np.float64(layers.surface.spacing),
        "own_share": np.float64(layers.own_share),
        "white_share": np.float64(layers.white_share),
        "crs": np.array(crs or ""),
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    write_bytes(path, buffer.getvalue())
