"""The joint refinement itself: Gauss-Newton over the poses of photographs that are compared in pairs."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array

from glrender.frontend.pose_blocks import assembled, factored
from glrender.frontend.pose_pairs import PairTerm, choose_pairs, compare
from glrender.frontend.pyramid import Level
from glrender.frontend.reference import Reference
from glrender.frontend.rendered_depth import AFAR
from glrender.geometry import se3

Float64 = NDArray[np.float64]
Pair = tuple[int, int]
Look = Callable[[Float64], list[Reference]]
"""Makes the references of all photographs at poses (N, 4, 4)."""

_SETTLED = 0.05  # pixels: smaller steps of any frame change next to nothing


class PoseRefiner:
    """The state of one refinement.

    `levels` are the photographs, all of one size, and `given` (N, 4, 4) their poses as they are known, with
    `information` (N, 6, 6) of each one's own twist.
    """

    def __init__(
        self,
        look: Look,
        levels: Sequence[Level],
        given: Float64,
        information: Float64,
    ) -> None:
        self._look = look
        self._levels = levels
        self._given = given
        self._information = information
        self._poses = given
        self._references = self._look(self._poses)
        self._pairs = choose_pairs(levels[0].camera, given, [each.levels[0].points for each in self._references])
        self._terms: dict[Pair, PairTerm] = {}

    @property
    def poses(self) -> Float64:
        """(N, 4, 4) T_world_camera as they are now."""
        return self._poses

    def run(self, most_steps: int) -> None:
        """So many steps of Gauss-Newton, or until they move the images by next to nothing."""
        for _ in range(most_steps):
            terms = self._compare()
            steps = factored(self._matrix(terms)).solve(self._vector(terms)).reshape(-1, 6)
            self._poses = np.stack([T @ se3.exp(-xi) for T, xi in zip(self._poses, steps, strict=True)])
            step = float(self._pixels(steps).max())
            if step > AFAR:
                self._references = self._look(self._poses)
            else:
                self._references = [r.seen_from(T) for r, T in zip(self._references, self._poses, strict=True)]
            if step < _SETTLED:
                return

    def _compare(self) -> dict[Pair, PairTerm]:
        terms = {}
        T_camera_world = [se3.inverse(T) for T in self._poses]
        for i, j in self._pairs:
            T = T_camera_world[j] @ self._poses[i]
            term = compare(self._references[i].levels[0], self._levels[j], T, self._terms.get((i, j)))
            if term is not None:
                terms[i, j] = term
        self._terms = terms
        return terms

    def _off(self) -> Float64:
        """(N, 6): each pose's own error, a twist."""
        return np.stack([se3.log(se3.inverse(T) @ G) for T, G in zip(self._poses, self._given, strict=True)])

    def _matrix(self, terms: dict[Pair, PairTerm]) -> csc_array:
        N = len(self._poses)
        blocks = {(k, k): self._information[k].copy() for k in range(N)}
        for (i, j), term in terms.items():
            for a, rows in ((i, slice(0, 6)), (j, slice(6, 12))):
                for b, columns in ((i, slice(0, 6)), (j, slice(6, 12))):
                    blocks[a, b] = blocks.get((a, b), 0) + term.matrix[rows, columns]
        return assembled(blocks, N)

    def _vector(self, terms: dict[Pair, PairTerm]) -> Float64:
        vector = -np.einsum("nij,nj->ni", self._information, self._off())
        for (i, j), term in terms.items():
            vector[i] += term.vector[:6]
            vector[j] += term.vector[6:12]
        return vector.ravel()

    def _pixels(self, twists: Float64) -> Float64:
        """(N,): by how much twists move the middle of the images."""
        depths = np.array([reference.distance for reference in self._references])
        translation = np.linalg.norm(twists[:, :3], axis=1) / depths
        return self._levels[0].camera.fx * (translation + np.linalg.norm(twists[:, 3:], axis=1))
