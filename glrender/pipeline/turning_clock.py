"""How far the clock of a trajectory is from the clock of photographs, by how the camera turned."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp

from glrender.frontend.camera_rates import camera_rates
from glrender.frontend.estimate import TimeEstimate
from glrender.io.trajectory import Trajectory

Float64 = NDArray[np.float64]

_LEAST = 5
"""Photographs, at least: there are four unknowns, and something is to tell how well they are known."""
_FARTHEST = 0.25
"""Seconds: beyond, what was found is not an offset of this motion."""
_VARIED = 1e-4
"""Least share of the squares of the rates that is not the same in all photographs: else the camera turns steadily."""
_ALIKE = 0.5
"""Least share of how the photographs turn that the trajectory turns as well, at the offset that was found."""
_STEPS, _SETTLED = 20, 1e-6


UNKNOWN = TimeEstimate(0.0, np.inf)


def compare_turns(trajectory: Trajectory, times: Float64, poses: Float64) -> TimeEstimate:
    """The offset at which a trajectory turns as photographs do, taken at `times` (N,) from `poses` (N, 4, 4).

    The camera may sit otherwise on what the trajectory is of: the rotations of the poses are those of the trajectory,
    a constant rotation after them, and an error of their own, by least squares. How fast the camera turns is told by
    the photographs: where the trajectory's poses have noise of their own, so have their differences, and half way
    between two of them both are least. Positions say nothing here: on a steady way an offset in time is one in place.
    Times whose pose the trajectory lacks are left out.
    """
    turning = Slerp(trajectory.times, Rotation.from_matrix(trajectory.poses[:, :3, :3]))
    seen = Rotation.from_matrix(poses[:, :3, :3])
    rates = _turning(seen, times)
    seconds, sigma = 0.0, np.inf
    for _ in range(_STEPS):
        at = times + seconds
        inside = (at >= trajectory.times[0]) & (at <= trajectory.times[-1])
        if np.count_nonzero(inside) < _LEAST:
            return UNKNOWN
        off = (turning(at[inside]).inv() * seen[inside]).as_rotvec()
        rate = rates[inside]
        whole = float(np.square(rate).sum())
        # Beside the mean, which is how the camera sits.
        off, rate = off - off.mean(axis=0), rate - rate.mean(axis=0)
        information = float(np.square(rate).sum())
        if not information > _VARIED * whole:
            return UNKNOWN
        step = float((rate * off).sum()) / information
        left = off - step * rate
        sigma = float(np.sqrt(np.square(left).sum() / (left.size - 4) / information))
        seconds += step
        if abs(seconds) > _FARTHEST:
            return UNKNOWN
        if abs(step) < _SETTLED:
            break
    own = _turning(turning(at[inside]), times[inside])
    alike = float((rate * (own - own.mean(axis=0))).sum()) / information
    return TimeEstimate(seconds, sigma) if alike > _ALIKE else UNKNOWN


def _turning(rotations: Rotation, times: Float64) -> Float64:
    """(N, 3) radians a second, in the camera's axes: points seem to turn the other way."""
    poses = np.tile(np.eye(4), (len(times), 1, 1))
    poses[:, :3, :3] = rotations.as_matrix()
    return -camera_rates(poses, times)[:, 3:]
