"""How long what given poses have wrong lasts, and what that makes of all that they are the only ones to tell.

Where all photographs are, how they lie and how large all is, their poses tell by their mean, and of errors that last a
mean knows less: a receiver in the air is metres off for minutes, and a robot's wheels drift all the way. Of N poses
each error e is what is left of the one before, and something new:

    e_k = r A_k e_(k-1) + √(1 - r²) s σ n_k

r = 0 being errors of their own and r next to 1 a drift. What is left is either the same along and about the world's
axes, as of a receiver and a compass, with one r and s for positions and another for rotations; or one motion of all
that follows, as of wheels, by which a way that is off by an angle leads ever farther astray: A_k is the rotation, or
all of the motion, from a pose to the next.

What photographs tell of the errors is all but a few motions of all poses together. So r and s are those of the largest
restricted likelihood, which leaves out what such motions could be (Patterson and Thompson, *Recovery of Inter-Block
Information when Block Sizes Are Unequal*, 1971): what is left of a drift beside its mean is small.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from glrender.frontend.mount import DECISIVE
from glrender.geometry import se3

Float64 = NDArray[np.float64]

_TRIED = 24  # correlations, of positions and of rotations
_LONGEST = 3.0  # times as many as there are poses: what lasts longer, they tell only to be long
_SWEEPS = 2  # over those of positions and those of rotations, each with the other as it is
_STEPS = 6  # to the variances of either, which each depend on the other's
_LEAST = 1e-12  # of squares: poses that are off by nothing
_PARTS = np.s_[:3], np.s_[3:]  # of a twist: positions and rotations


@dataclass(frozen=True, eq=False)
class LastingErrors:
    """How the errors of N given poses last from pose to pose."""

    roots: Float64
    """(N, 6): 1/σ along and about the camera's axes, as the poses are taken to be off."""
    carried: Float64
    """(N, 6, 6): a twist in the camera's axes as what stays the same from pose to pose."""
    correlations: Float64
    """(2,) r, of positions and of rotations."""
    larger: Float64
    """(2,) s²: their variances, over those of errors which do not last."""

    @staticmethod
    def told(information: Float64, off: Float64, poses: Float64, motions: Float64, known: Float64) -> "LastingErrors":
        """Estimated from what N `poses` (N, 4, 4), T_world_camera, came out to be `off` by: twists (N, 6) in the camera
        frames.

        `information` (N, 6, 6) is how well the given poses are taken to be known, the same along, and about, all axes.
        Of `motions` (N, 6, M) the photographs tell nothing; `known` (M, M) is what else tells of them. No errors last
        unless some clearly do.
        """
        roots, of_world = np.sqrt(np.einsum("nii->ni", information)), _of_motions(poses, 0.0)
        own = LastingErrors(roots, of_world, np.zeros(2), np.ones(2))
        count, M = 3 * len(off), motions.shape[2]
        if 2 * count <= M:
            return own
        columns = np.concatenate([motions, off[..., None]], axis=2)
        tried = 1 - 1 / np.geomspace(1, _LONGEST * len(off), _TRIED)
        by_world, by_way = (
            [_both(carried, roots, columns, r) for r in tried] for carried in (of_world, _of_motions(poses, 1.0))
        )

        def fit(squares: list[tuple[_Squares, _Squares]], i: int, j: int) -> _Fit:
            return _fitted(squares[i][0], squares[j][1], known, count)

        def likeliest(fits: list[_Fit]) -> int:
            return int(np.argmax([each.likelihood for each in fits]))

        of_drifts = [fit(by_way, k, k) for k in range(_TRIED)]
        drift = likeliest(of_drifts)
        i = j = likeliest([fit(by_world, k, k) for k in range(_TRIED)])
        for _ in range(_SWEEPS):
            i = likeliest([fit(by_world, k, j) for k in range(_TRIED)])
            j = likeliest([fit(by_world, i, k) for k in range(_TRIED)])
        none, lasting = fit(by_world, 0, 0), fit(by_world, i, j)
        if max(lasting.likelihood, of_drifts[drift].likelihood) - none.likelihood <= 2 * DECISIVE:
            return own
        if of_drifts[drift].likelihood > lasting.likelihood:
            larger = of_drifts[drift].variances / none.variances
            return LastingErrors(roots, _of_motions(poses, 1.0), tried[[drift, drift]], larger)
        return LastingErrors(roots, of_world, tried[[i, j]], lasting.variances / none.variances)

    def excess(self, by: Float64) -> Float64:
        """(c, c): by how much the covariance of c sums of the errors, weighted by `by` (N, 6, c), is larger than if
        none lasted."""
        as_carried = np.linalg.solve(self.carried.mT, by)
        found = -np.einsum("nic,nid,ni->cd", by, by, 1 / np.square(self.roots))
        for part, r, larger in zip(_PARTS, self.correlations, self.larger, strict=True):
            # What is new in each pose counts in all that follow.
            following = lfilter([1.0], [1.0, -r], as_carried[::-1], axis=0)[::-1]
            new = (self.carried.mT @ following)[:, part] / self.roots[:, part, None]
            new[1:] *= np.sqrt(1 - r**2)
            found += larger * np.einsum("nic,nid->cd", new, new)
        return found

    def excess_of_motions(self, motions: Float64, known: Float64) -> Float64:
        """(M, M): the same of M `motions` (N, 6, M) of all poses, which are estimated from what the poses are off by;
        see `told`."""
        weighted = np.square(self.roots)[..., None] * motions
        return self.excess(weighted @ np.linalg.inv(np.einsum("nic,nid->cd", motions, weighted) + known))


def _of_motions(poses: Float64, levers: float) -> Float64:
    """(N, 6, 6): twists in the frames of poses (N, 4, 4) as twists of the world about its axes; with `levers` of 0
    those that turn it move nothing."""
    R, t = poses[:, :3, :3], poses[:, :3, 3] - poses[:, :3, 3].mean(axis=0)
    found = np.zeros((len(poses), 6, 6))
    found[:, :3, :3] = found[:, 3:, 3:] = R
    found[:, :3, 3:] = levers * se3.hats(t) @ R
    return found


class _Squares(NamedTuple):
    """Of what is new in each pose, over its standard deviation."""

    products: Float64
    """(M + 1, M + 1) of the motions and, last, of what the poses are off by."""
    determinant: float
    """Logarithm, of the correlations."""


def _both(carried: Float64, roots: Float64, columns: Float64, r: float) -> tuple[_Squares, _Squares]:
    """What is new in each pose, of positions and of rotations, where a share r of twists, `columns` (N, 6, M + 1), is
    left in the next pose."""
    as_carried = carried @ columns
    new = (as_carried[1:] - r * as_carried[:-1]) / np.sqrt(1 - r**2)
    scaled = roots[..., None] * np.concatenate([columns[:1], np.linalg.solve(carried[1:], new)])
    determinant = 3 * (len(columns) - 1) * float(np.log1p(-(r**2)))
    positions, turns = (np.einsum("nic,nid->cd", scaled[:, part], scaled[:, part]) for part in _PARTS)
    return _Squares(positions, determinant), _Squares(turns, determinant)


class _Fit(NamedTuple):
    variances: Float64
    """(2,) over those of the prior."""
    likelihood: float
    """Twice its logarithm."""


def _fitted(positions: _Squares, turns: _Squares, known: Float64, count: int) -> _Fit:
    """Of `count` errors of positions, and as many of rotations."""
    products, variances = np.stack([positions.products, turns.products]), np.ones(2)
    for _ in range(_STEPS):
        told = np.tensordot(1 / variances, products, 1)
        inverse = np.linalg.inv(told[:-1, :-1] + known)
        left = np.r_[-inverse @ told[:-1, -1], 1.0]
        # As many of each as the motions do not take for themselves.
        free = count - np.einsum("ij,sji->s", inverse, products[:, :-1, :-1]) / variances
        variances = np.maximum(np.einsum("i,sij,j->s", left, products, left), _LEAST) / np.maximum(free, 1.0)
    told = np.tensordot(1 / variances, products, 1)
    matrix = told[:-1, :-1] + known
    misfit = told[-1, -1] - told[:-1, -1] @ np.linalg.solve(matrix, told[:-1, -1])
    determinants = positions.determinant + turns.determinant + np.linalg.slogdet(matrix)[1]
    return _Fit(variances, -float(misfit + count * np.log(variances).sum() + determinants))
