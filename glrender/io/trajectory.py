"""Camera poses over time, and the text files that hold them."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glrender.checks import LARGEST, check_array, check_pose
from glrender.errors import InputError
from glrender.geometry import se3
from glrender.io.files import data_lines, write_bytes
from glrender.io.time_units import read_seconds

COLUMNS = "timestamp tx ty tz qx qy qz qw"

GAP, GAP_TIMES = 0.1, 10.0
"""Seconds, and times the usual interval, beyond which nobody knows what was between two poses: a hand may have turned
the camera there and back. Poses that come once a second, or once a photograph, have no gaps."""

UNIT_TOLERANCE = 0.05
"""How far from 1 a quaternion's length may be: two decimals keep it within 0.01, other columns do not."""


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Poses at increasing times; between two of them the pose is interpolated, outside there is none."""

    times: NDArray[np.float64]
    """(N,) seconds, strictly increasing."""
    poses: NDArray[np.float64]
    """(N, 4, 4) T_world_camera."""

    def __post_init__(self) -> None:
        times = check_array("trajectory times", self.times, (None,), finite=True)
        poses = check_array("trajectory poses", self.poses, (len(times), 4, 4), finite=True)
        if len(times) == 0:
            raise InputError("trajectory: received no pose, expected at least one")
        if (np.diff(times) <= 0).any():
            raise InputError("trajectory times: expected strictly increasing seconds")
        for pose in poses:
            check_pose("trajectory pose", pose)
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "poses", poses)

    def covers(self, time: float) -> bool:
        """Whether `time` lies between the first and the last pose."""
        return bool(self.times[0] <= time <= self.times[-1])

    def gap(self, time: float) -> float:
        """Seconds between the poses around `time` where they are farther apart than `GAP` says; else 0."""
        after = int(np.searchsorted(self.times, time))
        if not self.covers(time) or self.times[after] == time:
            return 0.0
        apart = float(self.times[after] - self.times[after - 1])
        return apart if apart > max(GAP, GAP_TIMES * self._interval) else 0.0

    @cached_property
    def _interval(self) -> float:
        """Seconds between two poses, as usual."""
        return float(np.median(np.diff(self.times)))

    def at(self, time: float) -> NDArray[np.float64]:
        """T_world_camera (4, 4) at `time`: position linear, rotation slerp; InputError outside the trajectory."""
        if not self.covers(time):
            raise InputError(
                f"time {time:.6f} s: outside the trajectory, which covers {self.times[0]:.6f} to "
                f"{self.times[-1]:.6f} s; poses are not extrapolated"
            )
        after = int(np.searchsorted(self.times, time))
        if self.times[after] == time:
            return np.array(self.poses[after])
        before = after - 1
        fraction = (time - self.times[before]) / (self.times[after] - self.times[before])
        first, second = self.poses[before], self.poses[after]
        R, turn = first[:3, :3].T @ second[:3, :3], np.eye(4)
        turn[:3, :3] = R @ (3 * np.eye(3) - R.T @ R) / 2  # files round rotations: Newton's step to the nearest one
        T = first @ se3.exp(fraction * se3.log(turn))
        T[:3, 3] = (1 - fraction) * first[:3, 3] + fraction * second[:3, 3]
        return T


def read_trajectory(path: str | Path) -> Trajectory:
    """Read a TUM trajectory: lines of `timestamp tx ty tz qx qy qz qw`, camera to world, # for comments.

    Lines may stand in any order and a pose may be repeated; two different poses of the same time, NaN,
    a quaternion that is not of unit length or a malformed line raise InputError with file and line.
    """
    path = Path(path)
    lines = ((f"{path}:{number}", line) for number, line in data_lines(path))
    trajectory = collect_poses((where, *_parse_pose(where, line)) for where, line in lines)
    if trajectory is None:
        raise InputError(f"{path}: holds no pose; expected lines of {COLUMNS}")
    return trajectory


def collect_poses(entries: Iterable[tuple[str, float, NDArray[np.float64]]]) -> Trajectory | None:
    """The trajectory of entries (where it stands in a file, seconds, T_world_camera), in any order; None without any.

    A pose may be repeated; InputError, which begins with `where`, for two different poses of the same time.
    """
    by_time: dict[float, NDArray[np.float64]] = {}
    for where, time, pose in entries:
        known = by_time.setdefault(time, pose)
        if known is not pose and not np.allclose(known, pose, rtol=0, atol=1e-9):
            raise InputError(f"{where}: time {time:.6f} s has another pose on an earlier line")
    if not by_time:
        return None
    times = sorted(by_time)
    return Trajectory(np.array(times), np.stack([by_time[time] for time in times]))


def write_trajectory(path: str | Path, trajectory: Trajectory) -> None:
    """Write what `read_trajectory` reads, times to the microsecond."""
    from scipy.spatial.transform import Rotation

    lines = [f"# camera to world\n# {COLUMNS}\n"]
    quaternions = Rotation.from_matrix(trajectory.poses[:, :3, :3]).as_quat()
    for time, pose, quaternion in zip(trajectory.times, trajectory.poses, quaternions, strict=True):
        lines.append(" ".join([f"{time:.6f}", *(f"{x:.9f}" for x in (*pose[:3, 3], *quaternion))]) + "\n")
    write_bytes(path, "".join(lines).encode())


def read_pose(path: str | Path) -> NDArray[np.float64]:
    """Read one rigid transformation (4, 4), four lines of four numbers, such as `T_world_map.txt`.

    InputError for other numbers, or a matrix that is none.
    """
    path = Path(path)
    rows = [read_numbers(f"{path}:{number}", line.split(), 4, "four numbers") for number, line in data_lines(path)]
    if len(rows) != 4:
        raise InputError(f"{path}: received {len(rows)} lines of numbers, expected 4 (a 4x4 transformation)")
    return check_pose(str(path), np.array(rows))


def make_pose(where: str, translation: ArrayLike, quaternion: ArrayLike, columns: str) -> NDArray[np.float64]:
    """T_a_b (4, 4) of a translation (3,) and a quaternion (x, y, z, w), both as a file has them.

    A quaternion that is not of unit length, to two decimals, or a place that is nowhere raises InputError with `where`
    it stands and the `columns` that were expected there.
    """
    farthest = float(np.abs(np.asarray(translation, np.float64)).max())
    if farthest > LARGEST:
        raise InputError(f"{where}: {farthest:g} m away, expected at most {LARGEST:g}; the columns are {columns}")
    length = float(np.linalg.norm(np.asarray(quaternion, np.float64)))
    if not abs(length - 1) <= UNIT_TOLERANCE:
        raise InputError(f"{where}: quaternion of length {length:.3g}, expected 1; the columns are {columns}")
    return se3.from_quaternion(translation, quaternion)


def read_numbers(where: str, words: list[str], count: int, expected: str) -> list[float]:
    """The finite numbers of `words`; InputError with `where` they stand if they are not `count` such numbers."""
    try:
        values = [float(word) for word in words]
    except ValueError:
        raise InputError(f"{where}: received {' '.join(words)!r}, expected {expected}") from None
    if len(values) != count:
        raise InputError(f"{where}: received {len(values)} numbers, expected {expected}")
    if not np.isfinite(values).all():
        raise InputError(f"{where}: received {' '.join(words)!r}, expected finite numbers ({expected})")
    return values


def _parse_pose(where: str, line: str) -> tuple[float, NDArray[np.float64]]:
    words = line.split()
    _, *values = read_numbers(where, words, 8, COLUMNS)
    return read_seconds(words[0]), make_pose(where, values[:3], values[3:], COLUMNS)
