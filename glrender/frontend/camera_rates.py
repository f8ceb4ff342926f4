"""How fast a camera moves, from its poses at some times."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from glrender.geometry import se3

Float64 = NDArray[np.float64]

_AROUND = 2  # poses on each side that tell how fast a camera moves
_AT_ONCE = 5e-3  # seconds: what two poses differ by then is their noise, not how fast the camera was


def camera_rates(poses: Float64, times: Float64 | None) -> Float64:
    """(N, 6) twists a second by which T_camera_world goes on, of poses (N, 4, 4), T_world_camera; 0 without times.

    They are slopes of the polynomials through up to two photographs before each and two after it: a hand that shakes
    five times a second turns a camera of 30 photographs a second by 17 % faster than the differences of its neighbours
    say.
    """
    rates = np.zeros((len(poses), 6))
    if times is None:
        return rates
    for k, pose in enumerate(poses):
        around = range(max(k - _AROUND, 0), min(k + _AROUND + 1, len(poses)))
        others = _apart(around, k, times)
        if not others:
            continue
        later = times[others] - times[k]
        twists = [se3.log(se3.inverse(poses[j]) @ pose) for j in others]
        rates[k] = np.linalg.solve(later[:, None] ** np.arange(1, len(others) + 1), np.array(twists))[0]
    return rates


def _apart(numbers: Iterable[int], k: int, times: Float64) -> list[int]:
    """Those that were taken at other times than k and than each other; the rest does not tell how fast it was."""
    chosen = [k]
    for j in numbers:
        if np.abs(times[chosen] - times[j]).min() > _AT_ONCE:
            chosen.append(j)
    return chosen[1:]
