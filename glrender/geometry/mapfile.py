"""`map.npz`: one height map on file, readable by numpy alone.

Keys: `height` (rows, cols) float32 metres, NaN unobserved; `sigma` (rows, cols) float32 metres, NaN
where height is; `local_sigma` likewise, in maps that know it apart; `color` (rows, cols, 3) float32
linear, NaN where unknown; `origin` (2,) float64; `spacing` () float64; `T_world_map` (4, 4) float64.
"""

import struct
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from glrender.checks import check_array
from glrender.errors import InputError
from glrender.geometry.heightmap import HeightMap

SHAPES: dict[str, tuple[int | None, ...]] = {
    "height": (None, None),
    "sigma": (None, None),
    "color": (None, None, 3),
    "origin": (2,),
    "spacing": (),
    "T_world_map": (4, 4),
}
"""The keys of every map and the shapes of their arrays."""

LOCAL_SIGMA = "local_sigma"
"""The key that only some maps have; its shape is that of the heights."""

DAMAGE = (
    OSError,
    EOFError,
    RuntimeError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    tokenize.TokenError,
)
"""What numpy and zipfile raise where a file is no npz, is cut off or has a flipped bit."""


def npz_damage(path: Path, error: Exception) -> str:
    """What is wrong with a file of which `error`, one of DAMAGE, came; numpy takes what is no archive for a pickle."""
    try:
        with open(path, "rb") as file:
            archive = file.read(2) == b"PK"
    except OSError:
        archive = True
    return str(error) if archive else "it is no .npz archive"


def write_map(path: Path, surface: HeightMap) -> None:
    """Write `surface`; the file appears whole or not at all.

    A map without sigma is one that is known exactly: its sigma is written as 0. A grey map is written
    with three equal channels, a map without colours with NaN.
    """
    heights = surface.heights.astype(np.float32)
    unseen = np.isnan(heights)
    sigma = np.zeros(surface.shape) if surface.sigma is None else surface.sigma
    color = np.full((*surface.shape, 3), np.nan) if surface.colors is None else surface.colors
    arrays: dict[str, Any] = {
        "height": heights,
        "sigma": np.where(unseen, np.nan, sigma).astype(np.float32),
        "color": np.broadcast_to(color, (*surface.shape, 3)).astype(np.float32),
        "origin": np.array(surface.origin, dtype=np.float64),
        "spacing": np.float64(surface.spacing),
        "T_world_map": surface.pose,
    }
    if surface.local_sigma is not None:
        arrays[LOCAL_SIGMA] = np.where(unseen, np.nan, surface.local_sigma).astype(np.float32)
    temporary = path.with_name(path.name + ".part")
    try:
        with open(temporary, "wb") as file:
            np.savez_compressed(file, **arrays)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from None


def read_map(path: Path) -> HeightMap:
    """Read a map; raises InputError if the file is missing, broken or lacks a key."""
    try:
        with np.load(path) as data:
            missing = [key for key in SHAPES if key not in data]
            if missing:
                raise InputError(f"{path}: no key {', '.join(missing)}; a map has {', '.join(SHAPES)}")
            shapes = SHAPES | ({LOCAL_SIGMA: SHAPES["sigma"]} if LOCAL_SIGMA in data else {})
            arrays = {key: check_array(f"{path}: {key}", data[key], shape) for key, shape in shapes.items()}
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; expected a map.npz") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder; expected a map.npz, such as {Path(path) / 'map.npz'}") from None
    except InputError:
        raise
    except DAMAGE as error:
        raise InputError(f"{path}: not a readable map.npz: {npz_damage(path, error)}") from None
    color = arrays["color"]
    return HeightMap(
        arrays["height"],
        float(arrays["spacing"]),
        tuple(arrays["origin"]),
        colors=None if np.isnan(color).all() else color,
        T_world_map=arrays["T_world_map"],
        sigma=arrays["sigma"],
        local_sigma=arrays.get(LOCAL_SIGMA),
    )
