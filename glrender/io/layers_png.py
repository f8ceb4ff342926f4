"""Terrain layers as grey PNG images, north on top, with YAML files beside them that say what a grey is.

`occupancy.png` is as ROS map servers read it: 254 free, 0 obstacle, 205 unknown, and `occupancy.yaml` beside it gives
resolution and origin (the lower left corner of the lower left pixel). Each other layer is a 16-bit image, whose count
c > 0 means `offset + scale * c` and 0 unknown; `layers.yaml` has scale, offset and unit of each, and where they lie.
"""

from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from glrender.checks import check_kind
from glrender.geometry.terrain_layers import FREE, OBSTACLE, UNITS, TerrainLayers
from glrender.io.files import write_bytes
from glrender.io.images import encode_png

FREE_GREY, OBSTACLE_GREY, UNKNOWN_GREY = 254, 0, 205
MAX_COUNT = 65535
OCCUPANCY = "occupancy"
FILES = (*(f"{name}.png" for name in UNITS), "layers.yaml", f"{OCCUPANCY}.yaml")
"""What `write_layer_images` writes."""


def write_layer_images(folder: str | Path, layers: TerrainLayers) -> None:
    """Write `FILES` into a folder that exists; InputError if one cannot be written."""
    check_kind("layers", layers, TerrainLayers)
    folder, surface = Path(folder), layers.surface
    scales: dict[str, dict[str, Any]] = {}
    for name, values in layers.layers.items():
        if name == OCCUPANCY:
            _write_png(folder / f"{name}.png", _occupancy_greys(values))
            continue
        counts, scale, offset = _counts(values)
        _write_png(folder / f"{name}.png", counts)
        scales[name] = {"image": f"{name}.png", "scale": scale, "offset": offset, "unit": UNITS[name]}
    corner = [float(place - surface.spacing / 2) for place in surface.origin]
    grid = {"resolution": surface.spacing, "origin": [*corner, 0.0]}
    _write_yaml(folder / "layers.yaml", grid | {"unknown": 0, "layers": scales})
    # Any grey between the thresholds is unknown: (255 - 205) / 255 = 0.196.
    server = {"image": f"{OCCUPANCY}.png", "mode": "trinary", "negate": 0, "occupied_thresh": 0.65, "free_thresh": 0.19}
    _write_yaml(folder / f"{OCCUPANCY}.yaml", server | grid)


def _occupancy_greys(occupancy: NDArray[np.float64]) -> NDArray[np.uint8]:
    greys = np.full(occupancy.shape, UNKNOWN_GREY, np.uint8)
    greys[occupancy == FREE] = FREE_GREY
    greys[occupancy == OBSTACLE] = OBSTACLE_GREY
    return greys


def _counts(values: NDArray[np.float64]) -> tuple[NDArray[np.uint16], float, float]:
    """Counts with their scale and offset: 1 is the lowest value, 65535 the highest, 0 unknown."""
    known = np.isfinite(values)
    if not known.any():
        return np.zeros(values.shape, np.uint16), 1.0, 0.0
    low, high = float(values[known].min()), float(values[known].max())
    scale = (high - low) / (MAX_COUNT - 1) or 1.0
    offset = low - scale
    counts = np.where(known, np.rint((np.where(known, values, low) - offset) / scale), 0)
    return counts.astype(np.uint16), scale, offset


def _write_png(path: Path, pixels: NDArray[Any]) -> None:
    """Row 0, in the south, becomes the last."""
    write_bytes(path, encode_png(np.ascontiguousarray(pixels[::-1])))


def _write_yaml(path: Path, content: dict[str, Any]) -> None:
    write_bytes(path, yaml.safe_dump(content, sort_keys=False).encode())
