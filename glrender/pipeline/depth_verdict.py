"""What depth images say of poses that photographs have refined: whether the images agree by them as by the given ones.

Photographs may be misled where depth images are not: by a picture that is stabilised, a lens that is another one,
things that move, repeat or shine.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from glrender.io.sequence import FrameEntry, Sequence
from glrender.io.trajectory import Trajectory
from glrender.pipeline.depth_points import DepthPoints
from glrender.pipeline.time_offset import estimate_time_offset

Float64 = NDArray[np.float64]

_WORSE = 1.03
"""Times the spread by the given poses: the noise of depths alone moves it by some per cent."""


@dataclass(frozen=True)
class DepthVerdict:
    """How far depth points of a cell of level ground scatter, metres; NaN where nothing could be compared."""

    given: float
    """By the poses that were given."""
    refined: float
    """By those that were refined."""

    @property
    def refined_are_worse(self) -> bool:
        """Whether depth images surely agree better by the poses that were given."""
        return bool(self.refined > _WORSE * self.given)


def compare_by_depth(
    sequence: Sequence,
    entries: tuple[FrameEntry, ...],
    refined: Trajectory,
    T_world_map: Float64,
    time_offset: float | None,
) -> DepthVerdict:
    """The verdict of the depth images among `entries`, by the sequence's trajectory and by the `refined` one.

    Each is compared by the clock by which its depth images agree best, unless that is given by a `time_offset`.
    InputError where none can be read, or has measured anything.
    """
    points = DepthPoints.of(sequence, entries)

    def spread(trajectory: Trajectory) -> float:
        shifted = Trajectory(trajectory.times - (time_offset or 0.0), trajectory.poses)
        found = estimate_time_offset(replace(points, trajectory=shifted), T_world_map)
        return found.spread if time_offset is None else found.spread_at_zero

    return DepthVerdict(spread(points.trajectory), spread(refined))
