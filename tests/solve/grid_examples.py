"""Random measurements of random height maps, with their normal equations from the plain product of sparse matrices."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array

from glrender.geometry.heightmap import triangle_vertices
from glrender.solve.stencil import OFFSETS, BlockStencil
from glrender.solve.systems import NormalEquations


@dataclass(frozen=True)
class GridExample:
    """Linear measurements of a map; every row of J touches the three vertices of one triangle."""

    shape: tuple[int, int, int]
    """(rows, cols, 1 + C)."""
    jacobian: csr_array
    """(measurements, rows·cols·(1 + C)): depth rows, then one row per colour sample."""
    weight: NDArray[np.float64]
    """(measurements,): all channels of a pixel share one."""
    residual: NDArray[np.float64]
    """(measurements,): measured - predicted at x = 0."""

    @property
    def information(self) -> csr_array:
        return csr_array(self.jacobian.T @ diags_array(self.weight) @ self.jacobian)

    @property
    def vector(self) -> NDArray[np.float64]:
        return self.jacobian.T @ (self.weight * self.residual)

    @property
    def equations(self) -> NormalEquations:
        cost = 0.5 * float(np.sum(self.weight * self.residual**2))
        stencil = stencil_of(self.information, self.shape)
        return NormalEquations(stencil, self.vector.reshape(self.shape), cost, len(self.residual))


def stencil_of(matrix: csr_array, shape: tuple[int, int, int]) -> BlockStencil:
    """The entries of a sparse matrix that a stencil stores."""
    rows, cols, width = shape
    vertex = np.arange(rows * cols).reshape(rows, cols) * width
    stencil = BlockStencil.zeros(rows, cols, width - 1)
    for axis, (down, right) in enumerate(OFFSETS):
        here = vertex[: rows - down, max(-right, 0) : cols - max(right, 0)]
        there = here + (down * cols + right) * width
        entries = [(0, 0)] + ([(1, 1)] + [(0, k) for k in range(1, width)] if width > 1 else [])
        for entry, (k, other) in enumerate(entries):
            values = np.asarray(matrix[here.ravel() + k, there.ravel() + other]).reshape(here.shape)
            stencil.matrix[: rows - down, max(-right, 0) : cols - max(right, 0), axis, entry] = values
    return stencil


def grid_example(
    rows: int, cols: int, channels: int, seed: int = 0, per_triangle: int = 4, hidden: int = 0
) -> GridExample:
    """A random example; `hidden` leaves all triangles of a block of cells in the middle unmeasured."""
    rng = np.random.default_rng(seed)
    triangles = triangle_vertices(np.arange(2 * (rows - 1) * (cols - 1)), cols)
    i, j = np.divmod(triangles, cols)
    seen = ~((abs(i - rows // 2) <= hidden // 2) & (abs(j - cols // 2) <= hidden // 2)).any(axis=1) | (hidden == 0)
    pixels = np.repeat(triangles[seen], per_triangle, axis=0)
    count, width = len(pixels), 1 + channels
    b = rng.dirichlet([1, 1, 1], count)
    blocks = [(b * rng.uniform(0.2, 2, (count, 1)), pixels * width)]
    weights = [rng.uniform(0.5, 50, count)]
    color_weight = rng.uniform(0.5, 5, count)
    for k in range(1, width):
        values = np.hstack([b * rng.normal(size=(count, 1)), b])
        blocks.append((values, np.hstack([pixels * width, pixels * width + k])))
        weights.append(color_weight)
    data, columns = (np.concatenate([block[part].ravel() for block in blocks]) for part in (0, 1))
    lengths = np.concatenate([np.full(count, block[0].shape[1]) for block in blocks])
    pointer = np.concatenate([[0], np.cumsum(lengths)])
    jacobian = csr_array((data, columns, pointer), shape=(len(lengths), rows * cols * width))
    residual = jacobian @ rng.normal(size=rows * cols * width) + 0.1 * rng.normal(size=len(lengths))
    return GridExample((rows, cols, width), jacobian, np.concatenate(weights), residual)
