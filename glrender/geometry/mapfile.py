"""`map.npz`: the arrays of one height map on file, readable by numpy alone; `HeightMap` saves and loads itself by them.

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
from numpy.typing import NDArray

from glrender.checks import check_array
from glrender.errors import InputError

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
    """What is wrong with a file that raised `error`, one of DAMAGE; numpy speaks of pickles where it is no archive."""
    try:
        with open(path, "rb") as file:
            archive = file.read(2) == b"PK"
    except OSError:
        archive = True
    return str(error) if archive else "it is no .npz archive"


def write_map(path: Path, arrays: dict[str, Any]) -> None:
    """Write the arrays by their keys; the file appears whole or not at all. InputError if it cannot be written."""
    temporary = path.with_name(path.name + ".part")
    try:
        with open(temporary, "wb") as file:
            np.savez_compressed(file, **arrays)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from None


def read_map(path: Path) -> dict[str, NDArray[np.float64]]:
    """The arrays by their keys; raises InputError if the file is missing, broken or lacks a key."""
    try:
        with np.load(path) as data:
            missing = [key for key in SHAPES if key not in data]
            if missing:
                raise InputError(f"{path}: no key {', '.join(missing)}; a map has {', '.join(SHAPES)}")
            shapes = SHAPES | ({LOCAL_SIGMA: SHAPES["sigma"]} if LOCAL_SIGMA in data else {})
            return {key: check_array(f"{path}: {key}", data[key], shape) for key, shape in shapes.items()}
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; expected a map.npz") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder; expected a map.npz, such as {path / 'map.npz'}") from None
    except InputError:
        raise
    except DAMAGE as error:
        raise InputError(f"{path}: not a readable map.npz: {npz_damage(path, error)}") from None
