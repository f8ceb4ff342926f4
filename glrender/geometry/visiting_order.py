"""An order in which places are visited without going back and forth."""

import numpy as np
from numpy.typing import NDArray

LONGER = 1.5
"""How many times as long as the order that is found here the given one may be: no camera went a longer way."""


def visiting_order(places: NDArray[np.float64]) -> NDArray[np.int64]:
    """(N,) indices of `places` (N, 3): in the given order if a camera may have gone that way, else in another one.

    The other order begins at the place farthest from their middle, and goes on from each place to the nearest of those
    that are left. So photographs of a flight whose names do not sort as they were taken come in an order in which
    neighbours show the same ground.
    """
    count = len(places)
    if count < 3:
        return np.arange(count)
    left = np.ones(count, bool)
    order = np.empty(count, np.int64)
    order[0] = np.argmax(np.linalg.norm(places - places.mean(axis=0), axis=1))
    left[order[0]] = False
    for k in range(1, count):
        distances = np.where(left, np.linalg.norm(places - places[order[k - 1]], axis=1), np.inf)
        order[k] = np.argmin(distances)
        left[order[k]] = False
    return order if _length(places) > LONGER * _length(places[order]) else np.arange(count)


def _length(places: NDArray[np.float64]) -> float:
    return float(np.linalg.norm(np.diff(places, axis=0), axis=1).sum())
