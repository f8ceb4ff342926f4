"""Marginal variances of a height map: the diagonal of the inverse of its information matrix, exactly.

The matrix is eliminated region by region of a nested dissection (a multifrontal Cholesky factorisation). Going back
from the last region to the first, the covariance of a region's unknowns follows from that of its border: these are
Takahashi's recursions on dense blocks, which need no more of the inverse than the pattern of the factor.

SuperLU takes longer for its factor alone, which would still have to be walked entry by entry (bench/NOTES.md, "The
solver", has the figures). On large maps the elimination's memory becomes the limit. But what is measured is held where
it is by what was measured close by, so there the map is cut into tiles, each inverted with its surroundings.

The blocks are too small for the threads of BLAS: on shared cores they make the same work many times slower, so it
runs on one.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import blas, lapack

from glrender.errors import SolverError
from glrender.parallel import blas_on_one_core
from glrender.solve.dissection import Indices, Region, dissect
from glrender.solve.stencil import OFFSETS, BlockStencil, expand_blocks, neighbours

Array = NDArray[np.float64]

_LEAF = 64  # unknowns of a region that is not dissected further
_TILE, _AROUND = 192, 16  # vertices along the side of a tile, and around it
_SMALLEST_PIVOT = 1e-14  # of the diagonal: below this, a variance would have no correct digit


def marginal_variances(stencil: BlockStencil) -> Array:
    """(rows, cols) marginal variance of each height: with all other heights, and colours if any, unknown too.

    A height with zero information is unknown: its variance is inf. The relative error of a variance v is about
    1e-16 v Λ_ii. Raises SolverError where Λ is not finite or not positive definite to working precision.
    """
    matrix = stencil.matrix
    if not np.isfinite(matrix).all():
        raise SolverError("marginal variances: the information matrix is not finite")
    unseen = matrix[:, :, 0, 0] == 0
    matrix = matrix.copy()
    diagonal = matrix[:, :, 0, :2]
    diagonal[diagonal == 0] = 1  # decoupled: its row is zero
    regular = BlockStencil(matrix)
    with blas_on_one_core():
        last, _ = _Elimination(regular).eliminate(dissect(*regular.shape, leaf=max(1, _LEAF // (1 + regular.channels))))
        variances = np.empty((*regular.shape, 1 + regular.channels))
        _invert(last, np.zeros((0, 0)), variances.reshape(-1))
    return np.where(unseen, np.inf, variances[:, :, 0])


def marginal_variances_at(stencil: BlockStencil, wanted: NDArray[np.bool_]) -> Array:
    """(rows, cols): `marginal_variances` where `wanted` (rows, cols), and NaN elsewhere, in memory that does not grow.

    Each tile of 192 x 192 vertices is inverted with 16 vertices around it, what lies beyond taken as known. So it is
    meant for vertices that measurements hold, where that makes next to no difference (bench/NOTES.md, "The solver");
    far from any measurement it comes out too small. Raises SolverError as `marginal_variances` does.
    """
    rows, cols = stencil.shape
    variances = np.full((rows, cols), np.nan)
    for top in range(0, rows, _TILE):
        for left in range(0, cols, _TILE):
            tile = np.s_[top : top + _TILE, left : left + _TILE]
            if wanted[tile].any():
                first, before = max(top - _AROUND, 0), max(left - _AROUND, 0)
                around = _part(stencil, first, top + _TILE + _AROUND, before, left + _TILE + _AROUND)
                inner = marginal_variances(around)[top - first :, left - before :][:_TILE, :_TILE]
                variances[tile] = np.where(wanted[tile], inner, np.nan)
    return variances


def _part(stencil: BlockStencil, top: int, bottom: int, left: int, right: int) -> BlockStencil:
    """The rows and columns of Λ that belong to a rectangle of vertices."""
    matrix = stencil.matrix[top:bottom, left:right].copy()
    for axis, (down, along) in enumerate(OFFSETS):
        if down:
            matrix[-1, :, axis] = 0
        if along > 0:
            matrix[:, -1, axis] = 0
        if along < 0:
            matrix[:, 0, axis] = 0
    return BlockStencil(matrix)


@dataclass(frozen=True, eq=False)
class _Front:
    """The elimination of a region's own unknowns o, which couples those of its border b."""

    own: Indices
    """The unknowns o."""
    lower: Array
    """(o, o): L of Λ_oo = L Lᵀ, its lower triangle, once the region's children are eliminated."""
    gain: Array
    """(o, b): Λ_oo⁻¹ Λ_ob."""
    children: tuple["_Front", ...]
    """The fronts of the region's children."""
    places: tuple[Indices, ...]
    """Where the border of each child lies in (o, b)."""


class _Elimination:
    """Turns regions into fronts, children first."""

    def __init__(self, stencil: BlockStencil) -> None:
        rows, cols = stencil.shape
        self.shape = rows, cols
        self.diagonal = stencil.diagonal().ravel()
        self.width = 1 + stencil.channels
        vertex = np.arange(rows * cols).reshape(rows, cols)
        # The seven neighbours of each vertex, and the couplings to them; rows * cols is no vertex.
        neighbour = np.full((rows, cols, 7), rows * cols)
        coupling = np.zeros((rows, cols, 7, stencil.matrix.shape[3]))
        for axis, offset in enumerate(OFFSETS):
            here, there = neighbours(offset)
            for slot, p, q in ((axis, here, there), (axis + 3, there, here))[: 2 if axis else 1]:
                neighbour[:, :, slot][p] = vertex[q]
                coupling[:, :, slot][p] = stencil.matrix[:, :, axis][here]
        self.neighbour = neighbour.reshape(rows * cols, 7)
        self.coupling = coupling.reshape(rows * cols, 7, -1)
        self.position = np.full(rows * cols + 1, -1)  # of each vertex in the front at hand

    def eliminate(self, region: Region) -> tuple[_Front, Array]:
        """The front of a region, and what its elimination adds to Λ_bb."""
        children = [self.eliminate(child) for child in region.children]
        o = len(region.own) * self.width
        front, places = self._assemble(region)
        for (_, update), place in zip(children, places, strict=True):
            front[place[:, None], place] += update
        own = self._unknowns(region.own)
        lower, failed = lapack.dpotrf(front[:o, :o], lower=1)
        pivots = lower.diagonal() ** 2
        weak = failed - 1 if failed else int(np.argmin(pivots / self.diagonal[own]))
        if failed or pivots[weak] < _SMALLEST_PIVOT * self.diagonal[own[weak]]:
            row, col = divmod(int(region.own[weak // self.width]), self.shape[1])
            raise SolverError(
                f"marginal variances: the information matrix is singular at vertex ({row}, {col}) to working precision;"
                " expected a positive definite matrix: add a prior, however weak"
            )
        if o == len(front):
            return _Front(own, lower, np.zeros((o, 0)), tuple(child for child, _ in children), places), np.zeros((0, 0))
        half = blas.dtrsm(1.0, lower, front[:o, o:], lower=1)
        gain = blas.dtrsm(1.0, lower, half, lower=1, trans_a=1)
        update = front[o:, o:] - half.T @ half
        return _Front(own, lower, gain, tuple(child for child, _ in children), places), update

    def _assemble(self, region: Region) -> tuple[Array, tuple[Indices, ...]]:
        """Λ over a region's own unknowns and border, rows of its own alone; and where the children's borders go."""
        vertices = np.concatenate([region.own, region.border])
        self.position[vertices] = np.arange(len(vertices))
        reached = self.position[self.neighbour[region.own]]  # -1: eliminated with a child, which has that coupling
        own, slot = np.nonzero(reached >= 0)
        front = np.zeros((len(vertices), self.width, len(vertices), self.width))
        front[own, :, reached[own, slot], :] = expand_blocks(self.coupling[region.own[own], slot])
        places = tuple(self._unknowns(self.position[child.border]) for child in region.children)
        self.position[vertices] = -1
        size = len(vertices) * self.width
        return front.reshape(size, size), places

    def _unknowns(self, vertices: Indices) -> Indices:
        return (vertices[:, None] * self.width + np.arange(self.width)).ravel()


def _invert(front: _Front, border: Array, variances: Array) -> None:
    """Fill in the variances of a front's own unknowns and its descendants', from the covariance of its border."""
    inverse, _ = lapack.dpotri(front.lower, lower=1)
    cross = front.gain @ border
    if not front.children:
        variances[front.own] = inverse.diagonal() + np.einsum("ij,ij->i", cross, front.gain)
        return
    o, size = len(front.own), len(front.own) + len(border)
    covariance = np.empty((size, size))
    covariance[:o, :o] = np.tril(inverse) + np.tril(inverse, -1).T + cross @ front.gain.T
    covariance[:o, o:] = -cross
    covariance[o:, :o] = -cross.T
    covariance[o:, o:] = border
    variances[front.own] = covariance.diagonal()[:o]
    for child, place in zip(front.children, front.places, strict=True):
        _invert(child, covariance[place[:, None], place], variances)
