"""Whether depth images agree far better by their poses if depths, or poses, are read otherwise than their files say."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from glrender.errors import InputError
from glrender.io.trajectory import Trajectory
from glrender.pipeline.depth_points import DepthPoints
from glrender.pipeline.placement import frame_of

Float64 = NDArray[np.float64]
Reading = TypeVar("Reading")

_SCALES = (1.0, 100.0, 1000.0, 5000.0, 10000.0)
"""Counts per metre that are in use: metres, centimetres, millimetres, a fifth of these, a tenth."""
_BETTER, _FAR_BETTER = 0.7, 0.5
"""Another unit, and poses or depths of another kind, must make points scatter by less than this share of what they
scatter by as they were read. In the right unit they scatter by 0.2 to 0.6 of a cell, in another one by 0.5 to 3; by
wrong poses, by more than a cell in any unit. The right kind makes 0.03 to 0.4 of it, another at least 0.56."""
_TOGETHER, _AGREED = 1.0, 0.5
"""Shares of a cell. Where all is read right, points scatter by the first at most; where they scatter by less than the
second, no other poses are tried."""
_FAR = 0.001
"""Counts a metre: all is so far away that what frames see depends on how the camera turned, and not on where it was."""


def likelier_depth_scale(points: DepthPoints, T_world_map: Float64, time_offset: float) -> float | None:
    """Counts a metre by which depth `points` agree far better with each other than as they were read; None: none does.

    Depths in a wrong unit do not fit the way that the camera has come: what several frames see of one place lies apart.
    As `estimate_time_offset` does it, that is told by how the points of a cell scatter, beside the size of the cell.
    """
    spreads = {
        scale: points.at_scale(scale).scatter(time_offset, T_world_map)
        for scale in _SCALES
        if scale != points.depth_scale
    }
    return _likeliest(spreads, _BETTER * _as_read(points, T_world_map, time_offset))


def likelier_reading(points: DepthPoints, T_world_map: Float64, time_offset: float, clock: float = 0.0) -> str | None:
    """What the poses, or the depths, are, and what is to be done about it, in words, if depth `points` agree far better
    where they are read so; None if there is no such reading.

    If poses have the other direction, other axes or other quaternions, or depths are distances from the camera, points
    lie as wrong as in a wrong unit. `clock` is the time offset that is known, seconds: one that was found by what was
    read says nothing of others.
    """
    if points.scatter(time_offset, T_world_map, fewest=0.0) < _AGREED:
        return None
    times, poses = points.trajectory.times, points.trajectory.poses
    others = {
        f"the poses are taken for {words}": replace(points, trajectory=Trajectory(times, read(poses)))
        for words, read in READINGS.items()
    }
    along_axis = [each * (each[:, 2:] / np.linalg.norm(each, axis=1, keepdims=True)) for each in points.points]
    others[f"the depths are taken for {_DISTANCES}"] = replace(points, points=along_axis)
    spreads: dict[str, float] = {}
    for words, other in others.items():
        try:
            spreads[words] = other.scatter(clock, frame_of(other, clock))
        except InputError:  # there is no plane
            return None
    return _likeliest(spreads, _FAR_BETTER * _as_read(points, T_world_map, time_offset))


def _likeliest(spreads: dict[Reading, float], most: float) -> Reading | None:
    best = min(spreads, key=lambda reading: spreads[reading])
    return best if spreads[best] < min(most, _TOGETHER) else None


def _as_read(points: DepthPoints, T_world_map: Float64, time_offset: float) -> float:
    """How points scatter as they were read, however few of them are together, or if all were far away, where that is
    less: a wrong camera shows less there, and so by all that moves points away."""
    both = points, points.at_scale(_FAR)
    return min(each.scatter(time_offset, T_world_map, fewest=0.0) for each in both)


_DISTANCES = "distances from the camera, along each pixel's ray: write z, the part of them along the camera's axis"


def _inverses(poses: Float64) -> Float64:
    return np.asarray(np.linalg.inv(poses), np.float64)


def _w_first(poses: Float64) -> Float64:
    """Poses (n, 4, 4) with quaternions whose columns are taken for w x y z instead of x y z w."""
    turned = np.array(poses)
    w, x, y, z = Rotation.from_matrix(poses[:, :3, :3]).as_quat().T
    turned[:, :3, :3] = Rotation.from_quat(np.stack([x, y, z, w], axis=1)).as_matrix()
    return turned


def _turned(T_base_camera: Float64) -> str:
    rows = ", ".join(" ".join(f"{number:g}" for number in row) for row in T_base_camera)
    return f"turn them by convert with a --T-base-camera of the rows {rows}"


_OPENGL = np.diag([1.0, -1, -1, 1])
_ROS = np.array([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])

READINGS: dict[str, Callable[[Float64], Float64]] = {
    "world to camera: write their inverses, camera to world": _inverses,
    "quaternions in the order w x y z: write x y z w": _w_first,
    f"those of a camera whose y points up and z backwards: {_turned(_OPENGL)}": lambda poses: poses @ _OPENGL,
    f"those of a body whose x points ahead and z up: {_turned(_ROS)}": lambda poses: poses @ _ROS,
}
"""What poses (n, 4, 4) may be instead of camera to world, and what is to be done, in words: as they were meant."""
