"""An order in which places are visited without going back and forth."""

import numpy as np
from numpy.typing import NDArray

LONGER = 1.5
"""Times the length of the order that is found here: what is longer is no way that a camera went."""


def visiting_order(places: NDArray[np.float64]) -> NDArray[np.int64]:
    """(N,): `places` (N, 3) as they come, if that may be a way; else from one to the nearest that is left.

    The latter begins at the one farthest from the middle. Photographs of a flight, whose names sort otherwise than they
    were taken, come in an order in which neighbours show the same ground.
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
