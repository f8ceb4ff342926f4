"""The joint refinement itself: Gauss-Newton over the poses of photographs that are compared in pairs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import bsr_array, csc_array
from scipy.sparse.linalg import SuperLU, splu

from glrender.frontend.focal import FocalError
from glrender.frontend.pose_pairs import PairTerm, choose_pairs, compare
from glrender.frontend.pyramid import Level
from glrender.frontend.reference import Reference
from glrender.frontend.rendered_depth import AFAR
from glrender.geometry import se3

Float64 = NDArray[np.float64]
Pair = tuple[int, int]
Look = Callable[[Float64], list[Reference]]
"""Makes the references of all photographs at poses (N, 4, 4)."""

MOST_ITERATIONS = 15
"""Of each level."""
_SETTLED = 0.05  # pixels: smaller steps of any frame change next to nothing
_MOUNT = (0.02, 0.05)  # metres and radians: how well a camera's place on what carries it is known by hand
_FIRM = (1e-6, 1e-6)  # of a camera whose own poses are refined


@dataclass(frozen=True, eq=False)
class RefinedPoses:
    """What came of refining poses."""

    poses: Float64
    """(N, 4, 4) T_world_camera."""
    covariances: Float64
    """(N, 6, 6) of the twists (v, omega) in the camera frames, m² and rad²."""
    mount: Float64
    """(6,) twist by which all given poses were off alike, in the camera frame."""
    moved_pixels: float
    """By how many pixels of the middle of the image the poses moved against their neighbours, root mean square."""
    sigma_before: float
    """Median over the pairs of the standard deviation of what differs in intensity, with the poses as given."""
    sigma_after: float
    focal_error: FocalError
    """What all of them say of the camera's focal length, given the surface and what was known of the poses."""
    pairs: tuple[Pair, ...]
    """(reference, frame) indices that were compared."""
    alone: tuple[int, ...]
    """Frames that overlap with no other, and stay where they were."""
    converged: bool


class PoseRefiner:
    """The state of one refinement.

    `given` (N, 4, 4) are the poses as they are known, with `information` (N, 6, 6) of each one's own twist. A camera
    that is `mounted` on what the poses are of may also be off by one twist that they share.
    """

    def __init__(
        self,
        look: Look,
        pyramids: Sequence[tuple[Level, ...]],
        given: Float64,
        information: Float64,
        mounted: bool,
    ) -> None:
        self._look = look
        self._pyramids = pyramids
        self._given = given
        self._information = information
        self._mount = np.zeros(6)
        self._mount_information = np.diag(1 / np.square(np.repeat(_MOUNT if mounted else _FIRM, 3)))
        self._poses = given
        self._references = self._look(self._poses)
        self._pairs = choose_pairs(pyramids[0][0].camera, given, [each.levels[0].points for each in self._references])
        self._terms: dict[Pair, PairTerm] = {}

    def run(self, levels: Sequence[int], most_iterations: int = MOST_ITERATIONS) -> RefinedPoses:
        """Refine on one level of the pyramids after the other, by so many steps at most on each."""
        before = _typical_sigma(self._compare(levels[-1]))
        converged = False
        for number in levels:
            self._terms = {}
            converged = self.descend(number, most_iterations)
            self._references = self._look(self._poses)
        terms = self._compare(levels[-1], focal=True)
        factor = _factor(self._matrix(terms))
        compared = {frame for pair in terms for frame in pair}
        return RefinedPoses(
            poses=self._poses,
            covariances=_diagonal_blocks_of_inverse(factor, len(self._poses)),
            mount=self._mount,
            moved_pixels=self._moved_pixels(),
            sigma_before=before,
            sigma_after=_typical_sigma(terms),
            focal_error=self._focal_error(terms, factor),
            pairs=tuple(terms),
            alone=tuple(k for k in range(len(self._poses)) if k not in compared),
            converged=converged,
        )

    @property
    def poses(self) -> Float64:
        """(N, 4, 4) T_world_camera as they are now."""
        return self._poses

    def descend(self, number: int, most_iterations: int = MOST_ITERATIONS) -> bool:
        """Gauss-Newton on one level; whether the steps ended by themselves."""
        for _ in range(most_iterations):
            terms = self._compare(number)
            *steps, mount = _factor(self._matrix(terms)).solve(self._vector(terms)).reshape(-1, 6)
            self._mount = self._mount + mount
            self._poses = np.stack([T @ se3.exp(-xi) for T, xi in zip(self._poses, steps, strict=True)])
            step = float(self._pixels(np.array(steps), number).max())
            if step > AFAR:
                self._references = self._look(self._poses)
            else:
                self._references = [r.seen_from(T) for r, T in zip(self._references, self._poses, strict=True)]
            if step < _SETTLED:
                return True
        return False

    def _compare(self, number: int, focal: bool = False) -> dict[Pair, PairTerm]:
        terms = {}
        T_camera_world = [se3.inverse(T) for T in self._poses]
        for i, j in self._pairs:
            points, level = self._references[i].levels[number], self._pyramids[j][number]
            T = T_camera_world[j] @ self._poses[i]
            term = compare(points, level, T, self._terms.get((i, j)), focal)
            if term is not None:
                terms[i, j] = term
        self._terms = terms
        return terms

    def _off(self) -> Float64:
        """(N, 6): each pose's own error, a twist."""
        mounted = self._given @ se3.exp(-self._mount)
        return np.stack([se3.log(se3.inverse(T) @ G) for T, G in zip(self._poses, mounted, strict=True)])

    def _matrix(self, terms: dict[Pair, PairTerm]) -> csc_array:
        N = len(self._poses)
        blocks = {(k, k): self._information[k].copy() for k in range(N)}
        blocks |= {place: -self._information[k] for k in range(N) for place in ((k, N), (N, k))}
        blocks[N, N] = self._information.sum(axis=0) + self._mount_information
        for (i, j), term in terms.items():
            for a, rows in ((i, slice(0, 6)), (j, slice(6, 12))):
                for b, columns in ((i, slice(0, 6)), (j, slice(6, 12))):
                    blocks[a, b] = blocks.get((a, b), 0) + term.matrix[rows, columns]
        places = sorted(blocks)
        starts = np.searchsorted([a for a, _ in places], np.arange(N + 2))
        data = np.stack([blocks[place] for place in places])
        return csc_array(bsr_array((data, [b for _, b in places], starts), shape=(6 * N + 6, 6 * N + 6)))

    def _vector(self, terms: dict[Pair, PairTerm]) -> Float64:
        pull = np.einsum("nij,nj->ni", self._information, self._off())
        vector = np.vstack([-pull, pull.sum(axis=0) - self._mount_information @ self._mount])
        for (i, j), term in terms.items():
            vector[i] += term.vector[:6]
            vector[j] += term.vector[6:12]
        return vector.ravel()

    def _focal_error(self, terms: dict[Pair, PairTerm], factor: SuperLU) -> FocalError:
        """The focal length as one more unknown, to first order."""
        across, own, pull = np.zeros((len(self._poses) + 1, 6)), 0.0, 0.0
        for (i, j), term in terms.items():
            across[i] += term.matrix[:6, 12]
            across[j] += term.matrix[6:12, 12]
            own += float(term.matrix[12, 12])
            pull += float(term.vector[12])
        explained = factor.solve(across.ravel())
        information = own - float(across.ravel() @ explained)
        if not information > 1e-6 * own:
            return FocalError(0.0, np.inf)
        share = (pull - float(explained @ self._vector(terms))) / information
        return FocalError(float(share), float(1 / np.sqrt(information)))

    def _pixels(self, twists: Float64, number: int) -> Float64:
        """(N,): by how much twists move the middle of the images of a level."""
        depths = np.array([reference.distance for reference in self._references])
        translation = np.linalg.norm(twists[:, :3], axis=1) / depths
        return self._pyramids[0][number].camera.fx * (translation + np.linalg.norm(twists[:, 3:], axis=1))

    def _moved_pixels(self) -> float:
        def relative(poses: Float64) -> list[Float64]:
            return [se3.inverse(b) @ a for a, b in pairwise(poses)]

        pairs = zip(relative(self._poses), relative(self._given), strict=True)
        change = np.stack([se3.log(se3.inverse(now) @ then) for now, then in pairs])
        return float(np.sqrt(np.mean(np.square(self._pixels(np.vstack([change, change[-1:]]), 0)))))


def _typical_sigma(terms: dict[Pair, PairTerm]) -> float:
    return float(np.median([term.sigma for term in terms.values()])) if terms else float("nan")


def _factor(matrix: csc_array) -> SuperLU:
    return splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})


def _diagonal_blocks_of_inverse(factor: SuperLU, count: int) -> Float64:
    """(N, 6, 6)."""
    blocks = np.empty((count, 6, 6))
    for k in range(count):
        unit = np.zeros((6 * count + 6, 6))
        unit[6 * k : 6 * k + 6] = np.eye(6)
        blocks[k] = factor.solve(unit)[6 * k : 6 * k + 6]
    return blocks
