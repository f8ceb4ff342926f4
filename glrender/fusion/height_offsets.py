"""By how much each frame's camera stands higher than its pose says: a column beside the map for every frame.

A camera that stands o higher sees all of the map o lower. So the column of a frame f follows from its equations of the
heights, H_f dx = g_f: it is coupled to the map by -H_f 1, to itself by 1ᵀ H_f 1, to what all frames share by minus the
sum of that border over the map, and its right side is -1ᵀ g_f. Nothing has to be summed up over pixels again.

What raises all cameras raises the map: only a prior says where the mean of the offsets is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glrender.fusion.shared_unknowns import BorderedFrame
from glrender.io.trajectory import Trajectory
from glrender.solve.bordered import Reduced

Float64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class HeightOffsets:
    """Of each of F frames: metres along the map's vertical, to be added to the camera's position."""

    times: Float64
    """(F,) seconds of the trajectory's clock, increasing."""
    metres: Float64
    """(F,)."""
    covariance: Float64
    """(F, F) metres²."""
    prior_sigma: float
    """Metres: standard deviation of each without data, about 0."""
    up: Float64
    """(3,): the map's vertical in the world."""

    @property
    def sigma(self) -> Float64:
        """(F,) metres: of each about the mean of all, which nothing but the prior tells."""
        others = np.eye(len(self.times)) - 1 / len(self.times)
        return np.sqrt(np.diag(others @ self.covariance @ others))

    def applied(self, trajectory: Trajectory) -> Trajectory:
        """The trajectory with all cameras put where they stand; between the frames' times by interpolation."""
        times = np.union1d(trajectory.times, self.times)
        poses = np.stack([trajectory.at(time) for time in times])
        poses[:, :3, 3] += np.interp(times, self.times, self.metres)[:, None] * self.up
        return Trajectory(times, poses)


def bordered(frames: Sequence[BorderedFrame]) -> tuple[Float64, Float64, Float64]:
    """Border (p + F, rows, cols, 1), corner (p + F, p + F) and vector (p + F,) of p shared unknowns and F offsets."""
    ones = np.ones((*frames[0].heights.stencil.shape, 1))
    columns = np.stack([-frame.heights.matvec(ones) for frame in frames])
    shared = np.stack([-frame.border.sum(axis=(1, 2, 3)) for frame in frames], axis=1)
    own = np.diag(-columns.sum(axis=(1, 2, 3)))
    border = np.concatenate([np.sum([frame.border for frame in frames], axis=0), columns])
    corner = np.block([[np.sum([frame.corner for frame in frames], axis=0), shared], [shared.T, own]])
    pulls = [-frame.heights.vector.sum() for frame in frames]
    return border, corner, np.concatenate([np.sum([frame.vector for frame in frames], axis=0), pulls])


def without_offsets(reduced: Reduced, frames: Sequence[BorderedFrame], prior_sigma: float) -> tuple[Float64, Float64]:
    """What the frames say about the p shared unknowns once the offsets are eliminated: scores (F, p), matrix (p, p)."""
    p = len(frames[0].vector)
    vectors = np.zeros((len(frames), len(reduced.vector)))
    for k, frame in enumerate(frames):
        vectors[k, :p], vectors[k, p + k] = frame.vector, -frame.heights.vector.sum()
    scores = reduced.scores(vectors, np.array([frame.heights.vector for frame in frames]))
    own = reduced.matrix[p:, p:] + np.eye(len(frames)) / prior_sigma**2
    explained = np.linalg.solve(own, reduced.matrix[p:, :p])
    return scores[:, :p] - scores[:, p:] @ explained, reduced.matrix[:p, :p] - reduced.matrix[:p, p:] @ explained
