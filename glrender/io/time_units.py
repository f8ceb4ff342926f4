"""Times in files: what they count in."""

from itertools import permutations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glrender.errors import InputError

UNITS = {1e3: "milliseconds", 1e6: "microseconds", 1e9: "nanoseconds"}
"""The units that files count in, by how many of them make a second."""

WHOLE_UNITS = {13: 1e3, 16: 1e6, 19: 1e9}
"""How many units make a second, by the digits of a Unix time that is a whole number of such units."""

SELDOM = 2.0
"""Seconds. Times that overlap with others as they stand, and follow each other more quickly than this, are seconds, as
those of a log of hours beside the images of its first seconds. Times in milliseconds would be farther apart."""


def read_seconds(text: str) -> float:
    """The time that `text` says: seconds, or a Unix time in whole milli-, micro- or nanoseconds.

    Seconds since 1970 have ten digits until 2286. ValueError for what is no number.
    """
    return float(text) / (WHOLE_UNITS.get(len(text), 1) if text.isdecimal() else 1)


def check_same_unit(name: str, times: ArrayLike, other_name: str, others: ArrayLike) -> None:
    """InputError where `times` (N,) or `others` (M,), in any order, look like another unit than the others' seconds.

    They do where, counted in that unit, they share more than half of the whole duration with the others, while as they
    stand they share nothing with them, or are as far apart as `SELDOM` says.
    """
    named = [(who, np.sort(np.asarray(each, np.float64))) for who, each in ((name, times), (other_name, others))]
    if any(len(each) < 2 for _, each in named):
        return
    for (suspect, mine), (beside, theirs) in permutations(named):
        if _common(mine, theirs) > 0 and np.median(np.diff(mine)) < SELDOM:
            continue
        for per_second, unit in UNITS.items():
            if _common(mine / per_second, theirs) > 0.5:
                raise InputError(
                    f"{suspect}: its times, {mine[0]:.6f} to {mine[-1]:.6f}, look like {unit} beside those of "
                    f"{beside}, {theirs[0]:.6f} to {theirs[-1]:.6f} s; expected seconds in both"
                )


def _common(times: NDArray[np.float64], others: NDArray[np.float64]) -> float:
    """The share of the time from the first to the last of both that lies within each; 0 if they do not overlap."""
    inner = min(times[-1], others[-1]) - max(times[0], others[0])
    outer = max(times[-1], others[-1]) - min(times[0], others[0])
    return float(max(inner, 0.0) / outer)
