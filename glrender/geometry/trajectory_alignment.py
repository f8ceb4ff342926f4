"""How far an estimated trajectory is from the true one, whatever frame and scale it was estimated in."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glrender.checks import check_array
from glrender.errors import InputError

Float64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TrajectoryAlignment:
    """The motion that lays the estimated positions over the true ones, and what remains."""

    T_true_estimated: Float64
    """(4, 4) rigid: from the estimate's world, after scaling, to the true one."""
    scale: float
    """What estimated lengths were multiplied by; 1 where scale was not free."""
    free_scale: float
    """The scale that fits best, whether it was applied or not: above 1 where the estimate is too small."""
    true: Float64
    """(N, 3) the true positions, metres."""
    errors: Float64
    """(N,) metres between aligned and true positions."""

    @property
    def distances(self) -> Float64:
        """(N,) metres that the camera had truly gone at each position."""
        return np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(self.true, axis=0), axis=1))])

    @property
    def rmse(self) -> float:
        """Root mean square of the errors, metres: the absolute trajectory error."""
        return float(np.sqrt(np.mean(np.square(self.errors))))


def align_trajectories(estimated: ArrayLike, true: ArrayLike, *, scale: bool = False) -> TrajectoryAlignment:
    """Align positions (N, 3), those of the same times in the same rows, by least squares.

    Rigid, or with a common `scale` (Umeyama, *Least-Squares Estimation of Transformation Parameters Between Two Point
    Patterns*, PAMI 1991). InputError for fewer than three positions, or for positions on a straight line, about which
    the rotation could be any.
    """
    p = check_array("estimated positions", estimated, (None, 3), finite=True)
    q = check_array("true positions", true, (len(p), 3), finite=True)
    if len(p) < 3:
        raise InputError(f"trajectories: received {len(p)} positions that both have, expected at least 3 to align them")
    p_middle, q_middle = p.mean(axis=0), q.mean(axis=0)
    covariance = (q - q_middle).T @ (p - p_middle) / len(p)
    U, spread, Vt = np.linalg.svd(covariance)
    if spread[1] <= 1e-9 * spread[0] or spread[0] == 0:
        raise InputError("trajectories: received positions on a straight line, expected ones that tell a rotation")
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(U @ Vt))])
    R = (U * sign) @ Vt
    best = float(spread @ sign / np.mean(np.sum(np.square(p - p_middle), axis=1)))
    used = best if scale else 1.0
    T = np.eye(4)
    T[:3, :3] = R
    T[:3, 3] = q_middle - used * R @ p_middle
    errors = np.linalg.norm(used * p @ R.T + T[:3, 3] - q, axis=1)
    return TrajectoryAlignment(T, used, best, q, errors)
