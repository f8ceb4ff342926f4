"""Pairing two streams of images by their times."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

TOLERANCE = 0.020
"""Seconds between a depth image and its photograph at most."""

CLOCK_RESOLUTION = 1e-6
"""Seconds: what files write; a float64 of a Unix time resolves 2e-7."""


def associate(times: ArrayLike, others: ArrayLike) -> NDArray[np.intp]:
    """For each of `times` (N,) the index of its partner in `others` (M,), or -1, both in seconds, in any order.

    One to one: the closest pair of all is joined first, then the closest of what is left, up to `TOLERANCE`.
    """
    t = np.asarray(times, dtype=np.float64)
    o = np.asarray(others, dtype=np.float64)
    order = np.argsort(o, kind="stable")
    reach = TOLERANCE + CLOCK_RESOLUTION
    first = np.searchsorted(o[order], t - reach, side="left")
    last = np.searchsorted(o[order], t + reach, side="right")
    left = np.repeat(np.arange(len(t)), last - first)
    right = np.concatenate([order[a:b] for a, b in zip(first, last, strict=True)] or [order[:0]])
    partner = np.full(len(t), -1, dtype=np.intp)
    taken = np.zeros(len(o), dtype=bool)
    for k in np.argsort(np.abs(t[left] - o[right]), kind="stable"):
        if partner[left[k]] < 0 and not taken[right[k]]:
            partner[left[k]] = right[k]
            taken[right[k]] = True
    return partner
