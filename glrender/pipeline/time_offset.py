"""How far the clock of a trajectory is from the clock of the depth images."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from glrender.errors import InputError
from glrender.io.images import FrameError
from glrender.io.sequence import FrameEntry, Sequence

Float64 = NDArray[np.float64]

_FRAMES, _PIXELS = 40, 2500  # looked at: in all, and of each frame
_STEP, _NEAR, _FAR = 0.01, 10, 50  # seconds; steps to each side that are tried, and as far as it gets better
_LEVEL = 0.2  # of the cells: those that scatter least
_STEEP = 6.0  # times what these scatter by: as much as any cell counts for
_LEAST_GAIN = 0.03  # of the spread; see below
_FINE = np.arange(-0.012, 0.0121, 0.003)  # seconds about the best of these
_TOO_FEW = "kept at 0: too few frames have a pose, or see the same ground, to compare them"


@dataclass(frozen=True)
class TimeOffset:
    """An estimate of a time offset, and whether the motion determines it."""

    seconds: float
    """To be added to a frame's time before its pose is looked up; 0 where the estimate is not significant."""
    estimate: float
    """What was found, seconds; NaN where nothing could be."""
    spread_at_zero: float
    """Metres: how far the depth points of a cell of level ground scatter about their median (mean distance), at 0."""
    spread: float
    """The same at the estimate."""
    reason: str
    """Why `seconds` is what it is."""


def estimate_time_offset(sequence: Sequence, entries: tuple[FrameEntry, ...], T_world_map: Float64) -> TimeOffset:
    """The offset at which the frames' depth points agree best on one height a cell.

    With the right offset the points that fall into one cell of the map scatter least, so the mean distance to
    the cell's median is minimised over offsets, by search. Cells that hold something upright scatter by all of its
    height, whatever the offset: none counts for more than six times what a cell of the most level fifth does. It
    needs a motion in which a shift in time moves points across the slope of the ground or up and down; where the
    spread hardly depends on the offset, the offset is left at 0 and the reason says so. Offsets up to 0.1 s are
    tried, and larger ones, up to 0.5 s, as long as the agreement gets better.
    """
    sight = _look(sequence, entries)
    tried = {k: _cells(sight, k * _STEP, T_world_map) for k in range(-_NEAR, _NEAR + 1)}
    level = [float(np.quantile(cells.distances, _LEVEL)) for cells in tried.values() if cells is not None]
    if not level:
        return TimeOffset(0.0, np.nan, np.nan, np.nan, _TOO_FEW)
    most = _STEEP * min(level)
    steps = {k: _spread(cells, most) for k, cells in tried.items()}
    nearest = _follow(steps, lambda k: _spread(_cells(sight, k * _STEP, T_world_map), most))
    if abs(nearest) == _FAR:
        reason = f"kept at 0: the depth points agree ever better up to {nearest * _STEP:+g} s, where the search ends"
        return TimeOffset(0.0, nearest * _STEP, steps[0], steps[nearest], reason)
    around = nearest * _STEP + _FINE
    # Compared over the same frames: to lose the first or last one for lack of a pose is no gain.
    inside = _with_poses(sight, around[0], around[-1])
    fine = np.array([_spread(_cells(inside, offset, T_world_map), most) for offset in around])
    if not np.isfinite(fine).all():
        return TimeOffset(0.0, np.nan, np.nan, np.nan, _TOO_FEW)
    a, b, _ = np.polyfit(around, fine, 2)
    best = float(np.clip(-b / (2 * a), around[0], around[-1])) if a > 0 else float(around[int(np.argmin(fine))])
    both = _with_poses(sight, min(best, 0.0), max(best, 0.0))
    at_zero = _spread(_cells(both, 0.0, T_world_map), most)
    cells = _cells(both if np.isfinite(at_zero) else inside, best, T_world_map)
    share = 0.0 if cells is None else cells.share_below(most)
    if not share:
        return TimeOffset(0.0, np.nan, np.nan, np.nan, _TOO_FEW)
    # What cells with something upright count for is the same at both: of the others alone.
    at_zero, at_best = ((spread - (1 - share) * most) / share for spread in (at_zero, _spread(cells, most)))
    found = TimeOffset(best, best, at_zero, at_best, f"the depth points agree best, within {1e3 * at_best:.2f} mm")
    # Independent noise alone moves the minimum about; only a gain that shows is an offset.
    if np.isfinite(at_zero) and at_best > (1 - _LEAST_GAIN) * at_zero:
        gain = 100 * max(0.0, 1 - at_best / at_zero)
        reason = f"kept at 0: {1e3 * best:+.1f} ms would bring only {gain:.1f} % less spread"
        return replace(found, seconds=0.0, reason=reason)
    return found


def _follow(spreads: dict[int, float], spread: Callable[[int], float]) -> int:
    """The step with the least spread; where that is the last one tried, further steps for as long as it gets less."""
    best = min(spreads, key=lambda k: spreads[k] if np.isfinite(spreads[k]) else np.inf)
    while best in (min(spreads), max(spreads)) and abs(best) < _FAR:
        beyond = best + (1 if best > 0 else -1)
        spreads[beyond] = spread(beyond)
        if not spreads[beyond] < spreads[best]:
            break
        best = beyond
    return best


@dataclass(frozen=True, eq=False)
class _Sight:
    """Some depth points of some frames."""

    sequence: Sequence
    times: list[float]
    points: list[Float64]
    """(n, 3) camera coordinates for each time."""
    cell: float
    """Metres: side of the cells in which the points are compared."""


def _look(sequence: Sequence, entries: tuple[FrameEntry, ...]) -> _Sight:
    if sequence.trajectory is None:
        raise InputError(f"{sequence.folder}: no trajectory whose time offset could be estimated")
    deep = [entry for entry in entries if entry.depth_path is not None]
    if not deep:
        raise InputError(f"{sequence.folder}: no depth images to estimate a time offset from; give it in seconds")
    camera = sequence.camera
    step = max(1, round((camera.width * camera.height / _PIXELS) ** 0.5))
    rays = camera.rays()[::step, ::step].reshape(-1, 3)
    times, points = [], []
    damaged: list[FrameError] = []
    for k in np.unique(np.linspace(0, len(deep) - 1, _FRAMES).astype(int)):
        try:
            depth = sequence.read(replace(deep[k], color_path=None)).depth
        except FrameError as error:
            damaged.append(error)
            continue
        assert depth is not None
        z = depth[::step, ::step].astype(np.float64).ravel()
        seen = np.isfinite(z) & (z > 0)
        # Beyond twice the usual distance a depth camera's noise hides everything.
        seen &= z < 2 * np.median(z[seen]) if seen.any() else seen
        times.append(deep[k].time)
        points.append(rays[seen] * z[seen, None])
    if not points:
        raise InputError(f"{sequence.folder}: none of {len(damaged)} depth images can be read: {damaged[0]}")
    if not sum(map(len, points)):
        raise InputError(f"{sequence.folder}: the depth images measured nothing to estimate a time offset from")
    footprint = np.median(np.concatenate(points)[:, 2]) / camera.fx
    return _Sight(sequence, times, points, float(footprint * step))


def _with_poses(sight: _Sight, first: float, last: float) -> _Sight:
    """What is seen of the frames that have a pose at all offsets from `first` to `last` seconds."""
    trajectory = sight.sequence.trajectory
    assert trajectory is not None
    covered = [k for k, t in enumerate(sight.times) if trajectory.covers(t + first) and trajectory.covers(t + last)]
    return replace(sight, times=[sight.times[k] for k in covered], points=[sight.points[k] for k in covered])


@dataclass(frozen=True, eq=False)
class _Cells:
    """How the points of each cell scatter, where there are a few."""

    distances: Float64
    """(n,) metres: mean distance from the cell's median."""
    counts: NDArray[np.int64]
    """(n,): points."""

    def share_below(self, most: float) -> float:
        """Part of the points that are in cells which scatter by less than `most` metres."""
        return float(self.counts[self.distances < most].sum() / self.counts.sum())


def _spread(cells: _Cells | None, most: float) -> float:
    """Mean over the points of how their cells scatter, metres, none by more than `most`; NaN without cells."""
    return float("nan") if cells is None else float(np.average(np.minimum(cells.distances, most), weights=cells.counts))


def _cells(sight: _Sight, offset: float, T_world_map: Float64) -> _Cells | None:
    """The cells of five points or more; None if half of the frames have no pose, or there is none."""
    trajectory = sight.sequence.trajectory
    assert trajectory is not None
    T_map_world = np.linalg.inv(T_world_map)
    world = []
    for time, points in zip(sight.times, sight.points, strict=True):
        if trajectory.covers(time + offset):
            T = T_map_world @ trajectory.at(time + offset)
            world.append(points @ T[:3, :3].T + T[:3, 3])
    if len(world) < max(2, len(sight.times) / 2):
        return None
    x, y, z = np.concatenate(world).T
    cells = np.stack([np.floor(x / sight.cell), np.floor(y / sight.cell)]).astype(np.int64)
    cells -= cells.min(axis=1, keepdims=True)
    cell = cells[0] * (cells[1].max() + 1) + cells[1]
    order = np.lexsort((z, cell))
    cell, z = cell[order], z[order]
    first = np.flatnonzero(np.diff(cell, prepend=-1))
    count = np.diff(first, append=len(cell))
    median = z[first + count // 2]
    enough = count >= 5
    if not enough.any():
        return None
    distance = np.add.reduceat(np.abs(z - np.repeat(median, count)), first) / count
    return _Cells(distance[enough], count[enough])
