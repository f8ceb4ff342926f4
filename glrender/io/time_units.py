"""Times in files: what they count in."""

from itertools import permutations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glrender.errors import InputError

UNITS = {1e3: "milliseconds", 1e6: "microseconds", 1e9: "nanoseconds"}
"""By how many make a second."""

WHOLE_UNITS = {13: 1e3, 16: 1e6, 19: 1e9}
"""By how many make a second: what a Unix time counts in that is a whole number of so many digits."""

SELDOM = 2.0
"""Seconds from one to the next, as they stand, of times in milliseconds, at least, where any lie within the others.
Of a log of hours beside the images of its first seconds they are fewer."""


def read_seconds(text: str) -> float:
    """The time that `text` says: seconds, or a Unix time in whole milli-, micro- or nanoseconds.

    Seconds since 1970 have ten digits until 2286. ValueError for what is no number.
    """
    return float(text) / (WHOLE_UNITS.get(len(text), 1) if text.isdecimal() else 1)


def check_same_unit(name: str, times: ArrayLike, other_name: str, others: ArrayLike) -> None:
    """InputError where `times` (N,) or `others` (M,), in any order, look like another unit than the others' seconds.

    That is where, counted in it, they have more than half of their whole duration in common with the others, and as
    they stand nothing, or are few and far between.
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
