"""How far the clock of a trajectory is from the clock of the depth images."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from glrender.pipeline.depth_points import Cells, DepthPoints

Float64 = NDArray[np.float64]

_STEP, _NEAR, _FAR = 0.01, 10, 50  # seconds; steps to each side that are tried, and as far as it gets better
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


def estimate_time_offset(points: DepthPoints, T_world_map: Float64) -> TimeOffset:
    """The offset at which the depth `points` of some frames agree best on one height a cell.

    With the right offset the points that fall into one cell of the map scatter least, so the mean distance to
    the cell's median is minimised over offsets, by search. Cells that hold something upright scatter by all of its
    height, whatever the offset: none counts for more than six times what a cell of the most level fifth does. It
    needs a motion in which a shift in time moves points across the slope of the ground or up and down; where the
    spread hardly depends on the offset, the offset is left at 0 and the reason says so. Offsets up to 0.1 s are
    tried, and larger ones, up to 0.5 s, as long as the agreement gets better.
    """
    tried = {k: points.cells(k * _STEP, T_world_map) for k in range(-_NEAR, _NEAR + 1)}
    counted = [cells.most for cells in tried.values() if cells is not None]
    if not counted:
        return TimeOffset(0.0, np.nan, np.nan, np.nan, _TOO_FEW)
    most = min(counted)
    steps = {k: _spread(cells, most) for k, cells in tried.items()}
    nearest = _follow(steps, lambda k: _spread(points.cells(k * _STEP, T_world_map), most))
    if abs(nearest) == _FAR:
        reason = f"kept at 0: the depth points agree ever better up to {nearest * _STEP:+g} s, where the search ends"
        return TimeOffset(0.0, nearest * _STEP, steps[0], steps[nearest], reason)
    around = nearest * _STEP + _FINE
    # Compared over the same frames: to lose the first or last one for lack of a pose is no gain.
    inside = points.with_poses(around[0], around[-1])
    fine = np.array([_spread(inside.cells(offset, T_world_map), most) for offset in around])
    if not np.isfinite(fine).all():
        return TimeOffset(0.0, np.nan, np.nan, np.nan, _TOO_FEW)
    a, b, _ = np.polyfit(around, fine, 2)
    best = float(np.clip(-b / (2 * a), around[0], around[-1])) if a > 0 else float(around[int(np.argmin(fine))])
    both = points.with_poses(min(best, 0.0), max(best, 0.0))
    at_zero = _spread(both.cells(0.0, T_world_map), most)
    cells = (both if np.isfinite(at_zero) else inside).cells(best, T_world_map)
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


def _spread(cells: Cells | None, most: float) -> float:
    """`Cells.spread`; NaN without cells."""
    return float("nan") if cells is None else cells.spread(most)
