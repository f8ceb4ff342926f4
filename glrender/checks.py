"""Checks on what callers hand in, each raising an error that names the value."""

import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from glrender.errors import InputError, UsageError

LARGEST = 1e12
"""Of lengths, angles, times and counts; its inverse is the smallest that is not 0. Nothing that is measured is beyond,
and there squares and products leave what floats hold."""

ROUNDING = 1e-4
"""What products of a rotation's rows may be off by, as of one that was written with four digits."""

METRES = "metres as float"
"""What depths are."""

LINEAR = "linear colour in [0, 1] as float (glrender.io.color turns sRGB bytes into it)"
"""What images and colours are."""

_BRIGHT = 2.0
"""Of linear colour: brighter than most of an image is. Highlights may be brighter than 1."""
_ENOUGH = 10_000
"""Values that tell that, in no time."""

_LIMITS = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Where a container's limit stands, by version 2 and 1 of Linux's control groups."""


def _memory(limits: Iterable[Path] = _LIMITS) -> int:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in limits:
        try:
            said = path.read_text(encoding="ascii").strip()
        except OSError:  # there is none, or nobody may know
            continue
        if said.isdigit():  # "max" is none
            memory = min(memory, int(said))
    return memory


MEMORY = _memory()
"""Bytes that this process may have at most: those of the machine, or of the container that it is in."""


def check_array(
    name: str,
    array: ArrayLike,
    shape: Sequence[int | None],
    dtype: DTypeLike = np.float64,
    *,
    finite: bool = False,
) -> NDArray[Any]:
    """Return `array` as a C-contiguous array of `dtype`, or say why it cannot be one.

    `shape` has one entry per dimension; None lets that dimension be anything. A mask or an imaginary
    part, which numpy would drop, is refused.
    """
    if isinstance(array, np.ma.MaskedArray):
        raise InputError(f"{name}: received a masked array, expected a plain one; floats.filled(np.nan) makes it one")
    if isinstance(array, np.ndarray) and array.dtype.kind == "c":
        raise InputError(f"{name}: received {array.dtype}, expected real numbers")
    try:
        result = np.asarray(array, dtype=dtype, order="C")  # ascontiguousarray would make a scalar (1,)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name}: cannot be read as an array of {np.dtype(dtype)}: {error}") from None
    if np.ndim(array) != len(shape) or any(
        want is not None and have != want for have, want in zip(result.shape, shape, strict=True)
    ):
        wanted = "(" + ", ".join("any" if n is None else str(n) for n in shape) + ")"
        raise InputError(f"{name}: received shape {np.shape(array)}, expected {wanted}")
    if finite and not np.isfinite(result).all():
        bad = int(result.size - np.isfinite(result).sum())
        raise InputError(f"{name}: {bad} of {result.size} values are NaN or infinite, expected finite values")
    return result


def check_floats(name: str, values: object, expected: str) -> None:
    """Refuse whole numbers, which are bytes or millimetres where `expected` are others; no shape gives them away.

    None, where nothing is given, and lists, which nobody has bytes in, are nothing to refuse.
    """
    if isinstance(values, np.ndarray) and np.issubdtype(values.dtype, np.integer):
        raise InputError(f"{name}: received {values.dtype}, expected {expected}")


def check_linear(name: str, image: ArrayLike, shape: Sequence[int | None]) -> NDArray[np.float32]:
    """An image as float32 of a `shape` as of `check_array`; refuse bytes, and bytes that were made floats."""
    check_floats(name, image, LINEAR)
    values = check_array(name, image, shape, np.float32)
    # By a step that is no multiple of 2 or 3, or it would meet the same channel, or the same few columns, each time.
    few = values.ravel()[:: 1 + values.size // _ENOUGH // 6 * 6]
    known = np.count_nonzero(~np.isnan(few))
    if 2 * np.count_nonzero(few > _BRIGHT) > known:
        raise InputError(f"{name}: most values are above {_BRIGHT:g}, up to {np.nanmax(few):g}; expected {LINEAR}")
    return values


def check_positive(name: str, value: float) -> float:
    """Return `value` as a float if it is finite and greater than zero, and a size that something may have."""
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{name}: received {value!r}, expected a number greater than 0") from None
    if not (math.isfinite(number) and number > 0):
        raise InputError(f"{name}: received {value!r}, expected a finite number greater than 0")
    if not 1 / LARGEST <= number <= LARGEST:
        raise InputError(f"{name}: received {value!r}, expected a number from {1 / LARGEST:g} to {LARGEST:g}")
    return number


def check_choice(name: str, value: str, valid: Iterable[str]) -> str:
    """Return `value` if it is one of `valid`; otherwise name the valid ones."""
    valid = tuple(valid)
    if value not in valid:
        raise UsageError(f"{name}: received {value!r}, expected one of {', '.join(map(repr, valid))}")
    return value


def check_kind(name: str, value: object, kind: type) -> None:
    """InputError unless `value` is a `kind`, for what a caller may well take for one."""
    if not isinstance(value, kind):
        raise InputError(f"{name}: received {type(value).__name__}, expected {kind.__name__}")


def check_pose(name: str, pose: ArrayLike) -> NDArray[np.float64]:
    """A copy of `pose` as a float64 (4, 4) rigid transformation: a rotation, a translation, last row 0 0 0 1."""
    T = check_array(name, pose, (4, 4)).copy()  # whoever gave it may write the next pose into it
    # Many times a frame: in numbers of Python's own this takes a tenth of what arrays of nine do.
    (a, b, c, x), (d, e, f, y), (g, h, i, z), last = T.tolist()
    if not math.isfinite(a + b + c + d + e + f + g + h + i + x + y + z + sum(last)):
        check_array(name, pose, (4, 4), finite=True)
    products = (
        a * a + b * b + c * c - 1, d * d + e * e + f * f - 1, g * g + h * h + i * i - 1,
        a * d + b * e + c * f, a * g + b * h + c * i, d * g + e * h + f * i,
    )  # fmt: skip
    turns = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g) > 0
    off = max(map(abs, (*products, last[0], last[1], last[2], last[3] - 1)))
    if not (turns and off <= ROUNDING):
        why = f"products of its rows are off by {off:.2g}" if off > ROUNDING else "its rotation mirrors"
        raise InputError(
            f"{name}: expected a rigid 4x4 transformation (rotation, translation, last row 0 0 0 1), but {why}"
        )
    return T
