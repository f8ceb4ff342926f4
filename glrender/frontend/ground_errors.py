"""By how much what photographs show may be displaced, place for place, once a bundle adjustment has placed them.

A point moves with the pose of its anchor, and on its ray as all poses say that see it. So what a place of the ground is
displaced by, on average over the points that lie there, is linear in the twists of the poses, dX = B ξ, and has the
covariance B Σ Bᵀ. Neighbouring photographs share what is off about both, and drift apart from those far away.

Photographs alone tell no place, no direction and no scale. Poses that were tracked from nothing have them by what they
are: their frame is that in which they lie over the tracked ones as well as may be, and along the seven motions that
change nothing but the frame there is no error (Baarda, *S-Transformations and Criterion Matrices*, 1973):

    B' = B - J (Gᵀ W G)⁻¹ Gᵀ W

with the twists G (6 N, 7) that such motions are to the poses, the displacements J that they are to the ground, and the
weights W of the tracked poses. Where poses were given, what they do not know of these motions is (Gᵀ W G)⁻¹, a part of
Σ, and more where their errors last.

Points of one place err together, in whatever photographs they are found: of ground that rises within their windows each
makes something else than a plane would. By how much more the scores of places scatter than those of independent matches
would, over all the ground, all of Σ is larger than the inverse of the information (the sandwich estimate, White 1980;
of clusters, Liang and Zeger 1986). What one anchor sees, as a cluster, would miss a part of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, eye_array, kron
from scipy.sparse.linalg import SuperLU

from glrender.frontend.point_matches import Matches
from glrender.frontend.point_term import SHARED, PointTerm
from glrender.geometry import se3

Float64 = NDArray[np.float64]

_SIDE = 0.2  # of the distance to the ground: places are as far apart
_FEWEST = 5  # points of a place
_TOLD = 0.05  # of its depth: a point is known to so much at least
_TOGETHER = 32  # places that are solved for together


@dataclass(frozen=True, eq=False)
class GroundErrors:
    """What the poses of photographs leave uncertain, of the ground and of themselves."""

    places: Float64
    """(K, 3) metres, in the world's axes: points of the ground, spread over all that is seen of it."""
    covariances: Float64
    """(K, 3, 3) m², in the world's axes: of what the ground there is displaced by."""
    by_poses: csr_array
    """(3 K, 6 N): by how much the ground there moves with twists of the poses, and all depths with it."""
    poses: Float64
    """(N, 6, 6) covariance of the twists (v, omega) in the camera frames, m² and rad²."""
    inflation: float
    """By how much these are larger than matches that do not err together would make them, at least 1."""

    def moved(self, T: Float64) -> "GroundErrors":
        """The same in a world that is moved by T (4, 4)."""
        turn = T[:3, :3]
        return replace(
            self,
            places=self.places @ turn.T + T[:3, 3],
            covariances=turn @ self.covariances @ turn.T,
            by_poses=csr_array(kron(eye_array(len(self.places)), turn) @ self.by_poses),
        )


def ground_errors(
    matches: Sequence[Matches],
    terms: Sequence[PointTerm],
    poses: Float64,
    inverse_depths: Sequence[Float64],
    factor: SuperLU,
    weights: Float64,
    excess: Float64 | None,
) -> GroundErrors:
    """Of N `poses` (N, 4, 4), T_world_camera, and the points' `terms` there.

    `factor` is of their normal equations, over the twists of the poses and a few unknowns more, with the prior's
    `weights` (N, 6, 6). `excess` (7, 7) is by how much these know less of the `similarities`, since their errors last;
    None: of the frame that the poses are in they tell nothing but what it is.
    """
    ground = _Ground.of(matches, terms, poses, inverse_depths, factor.shape[0])
    of_poses_alone = similarities(poses)
    motions, weighted = np.zeros((2, factor.shape[0], 7))
    motions[: 6 * len(poses)] = of_poses_alone.reshape(-1, 7)
    weighted[: 6 * len(poses)] = (weights @ of_poses_alone).reshape(-1, 7)
    to_frame = np.linalg.solve(weighted.T @ motions, weighted.T)

    def uncertain(rows: Float64, by_motions: Float64) -> tuple[Float64, Float64]:
        """Covariances (k, s, s) of what the unknowns move by `rows` (k, s, U), and by how much scores inflate them."""
        k, s, _ = rows.shape
        held = (rows - by_motions @ to_frame).reshape(k * s, -1)
        solved = factor.solve(held.T)
        inside = _products(held, solved, s)
        pulls = ground.scores @ solved
        inflation = np.maximum(np.einsum("kii->k", np.linalg.solve(inside, _products(pulls.T, pulls, s))) / s, 1.0)
        # What the frame has wrong is no matter of the matches.
        if excess is None:
            return inflation[:, None, None] * inside, inflation
        flat = rows.reshape(k * s, -1)
        all_of_it = _products(flat, factor.solve(flat.T), s) + by_motions @ excess @ by_motions.swapaxes(1, 2)
        return all_of_it + (inflation - 1)[:, None, None] * inside, inflation

    covariances, inflation = np.empty((len(ground.places), 3, 3)), np.ones(len(ground.places))
    for first in range(0, len(ground.places), _TOGETHER):
        some = slice(first, first + _TOGETHER)
        rows = ground.by_poses[3 * first : 3 * (first + _TOGETHER)].toarray().reshape(-1, 3, factor.shape[0])
        covariances[some], inflation[some] = uncertain(rows, ground.by_motions[some])
    of_poses = np.empty((len(poses), 6, 6))
    for k in range(len(poses)):
        rows = np.zeros((1, 6, factor.shape[0]))
        rows[0, :, 6 * k : 6 * k + 6] = np.eye(6)
        of_poses[k] = uncertain(rows, motions[None, 6 * k : 6 * k + 6])[0][0]
    by_twists = ground.by_poses[:, : 6 * len(poses)]
    return GroundErrors(
        ground.places, covariances, by_twists, of_poses, float(np.mean(inflation)) if len(inflation) else 1.0
    )


@dataclass(frozen=True, eq=False)
class _Ground:
    """Places of the ground, each the mean of the points there, weighted as a map would: by what is known of depths."""

    places: Float64
    """(K, 3)."""
    by_poses: csr_array
    """(3 K, U): displacement by the unknowns."""
    by_motions: Float64
    """(K, 3, 7): displacement by a motion of all, see `similarities`."""
    scores: csr_array
    """(places, U): what the points of each place, these and others, pull at the unknowns with."""

    @staticmethod
    def of(
        matches: Sequence[Matches],
        terms: Sequence[PointTerm],
        poses: Float64,
        inverse_depths: Sequence[Float64],
        unknowns: int,
    ) -> "_Ground":
        side = _SIDE / float(np.median(np.concatenate(inverse_depths)))
        numbers: dict[tuple[int, ...], int] = {}
        moved, scores, sums = _Blocks(), _Blocks(), []
        for each, w, term in zip(matches, inverse_depths, terms, strict=True):
            R, t = poses[each.anchor, :3, :3], poses[each.anchor, :3, 3]
            X = each.rays / w[:, None]
            weight = np.where(term.own * w**2 > 1 / _TOLD**2, term.own * w**4, 0.0)
            by = (weight / w**2)[:, None, None] * each.rays[:, :, None] * term.following[:, None, :-SHARED]
            by[:, :, :6] -= weight[:, None, None] * _moved_with(X)
            by = R @ by
            points = X @ R.T + t
            of_points = np.column_stack([weight > 0, weight, weight[:, None] * points])
            cells, place = np.unique(np.floor(points / side).astype(np.int64), axis=0, return_inverse=True)
            member = (place == np.arange(len(cells))[:, None]).astype(np.float64)
            at = np.array([numbers.setdefault(tuple(cell), len(numbers)) for cell in cells.tolist()], np.int64)
            twists = (6 * np.array(term.who)[:, None] + np.arange(6)).ravel()
            moved.add(np.tensordot(member, by, axes=1), 3 * at[:, None] + np.arange(3), twists)
            scores.add(member @ term.scores[:, :-SHARED], at, twists)
            sums.append(np.column_stack([at, member @ of_points]))
        all_sums = np.concatenate(sums)
        totals = np.zeros((len(numbers), 5))
        np.add.at(totals, all_sums[:, 0].astype(np.int64), all_sums[:, 1:])
        known = np.flatnonzero((totals[:, 0] >= _FEWEST) & (totals[:, 1] > 0))
        by_poses = moved.assembled(3 * len(numbers), unknowns)[(3 * known[:, None] + np.arange(3)).ravel()]
        total = totals[known, 1]
        places = totals[known, 2:] / total[:, None]
        by_poses = csr_array(by_poses.multiply(np.repeat(1 / total, 3)[:, None]))
        from_middle = places - poses[:, :3, 3].mean(axis=0)
        by_motions = np.concatenate([_moved_with(from_middle), from_middle[..., None]], axis=2)
        return _Ground(places, by_poses, by_motions, scores.assembled(len(numbers), unknowns))


class _Blocks:
    """Dense blocks of a sparse matrix, which add up where they overlap."""

    def __init__(self) -> None:
        self._values: list[Float64] = []
        self._rows: list[NDArray[np.int64]] = []
        self._columns: list[NDArray[np.int64]] = []

    def add(self, values: Float64, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> None:
        """Values (…, C) in `rows` (…) and `columns` (C,)."""
        self._values.append(values.ravel())
        self._rows.append(np.repeat(rows.ravel(), len(columns)))
        self._columns.append(np.tile(columns, rows.size))

    def assembled(self, rows: int, columns: int) -> csr_array:
        entries = np.concatenate(self._rows), np.concatenate(self._columns)
        return csr_array((np.concatenate(self._values), entries), shape=(rows, columns))


def similarities(poses: Float64) -> Float64:
    """(N, 6, 7): the twists of poses (N, 4, 4) where all is moved along the world's axes, turned about them in the
    middle of the poses, however far that is from the origin, or grows about it."""
    R, t = poses[:, :3, :3], poses[:, :3, 3] - poses[:, :3, 3].mean(axis=0)
    by = np.zeros((len(poses), 6, 7))
    by[:, :3, :6] = -R.swapaxes(1, 2) @ _moved_with(t)
    by[:, :3, 6] = -np.einsum("nji,nj->ni", R, t)
    by[:, 3:, 3:6] = -R.swapaxes(1, 2)
    return by


def _moved_with(points: Float64) -> Float64:
    """(n, 3, 6): by how much a twist moves points (n, 3)."""
    turned = -se3.hats(points)
    return np.concatenate([np.broadcast_to(np.eye(3), turned.shape), turned], axis=2)


def _products(rows: Float64, columns: Float64, size: int) -> Float64:
    """(k, size, size): `rows` (k size, U) with the `columns` (U, k size) of the same number."""
    parts = rows.reshape(-1, size, rows.shape[1]), columns.T.reshape(-1, size, rows.shape[1])
    return np.asarray(parts[0] @ parts[1].swapaxes(1, 2))
