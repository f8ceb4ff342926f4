"""Which frames of a sequence to use: even, odd, first, second or a:b:c, or a few that are spread over it."""

import re

import numpy as np
from numpy.typing import NDArray

from glrender.errors import UsageError

SLICE = re.compile(r"(-?\d*):(-?\d*)(?::(-?\d*))?")

_WANTED = "expected even, odd, first, second or a:b:c (every c-th frame from a up to b, such as 0:60:2)"


def selected_lines(selection: str, count: int) -> range:
    """The selected of `count` frames, which are numbered from 0.

    `first` and `second` are the two halves, the middle one of an odd count in the first; `a:b:c` is
    every c-th frame from a up to b (not included), with the meaning of a Python slice and c > 0.
    UsageError if the selection is none of these or selects nothing.
    """
    if not isinstance(selection, str):
        raise UsageError(f"frames: received {selection!r}, {_WANTED}")
    half = (count + 1) // 2
    named = {
        "even": range(0, count, 2),
        "odd": range(1, count, 2),
        "first": range(half),
        "second": range(half, count),
    }
    lines = named[selection] if selection in named else _sliced(selection, count)
    if not lines:
        raise UsageError(f"frames: {selection!r} selects none of the {count} frames, which are numbered from 0")
    return lines


def spread(count: int, most: int) -> NDArray[np.int64]:
    """Numbers of up to `most` of `count` frames, spread evenly from the first to the last; all where they are fewer."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))


def _sliced(selection: str, count: int) -> range:
    match = SLICE.fullmatch(selection)
    if match is None or "-" in match.groups():
        raise UsageError(f"frames: received {selection!r}, {_WANTED}")
    start, stop, step = (int(part) if part else None for part in match.groups())
    if step is not None and step < 1:
        raise UsageError(f"frames: received {selection!r} with a step of {step}, {_WANTED} with c at least 1")
    return range(count)[start:stop:step]
