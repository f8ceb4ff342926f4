"""The matrix JᵀWJ of a height map, kept as a 7-point stencil of small blocks.

A triangle couples its three vertices only, so vertex (i, j) meets itself and the neighbours (i, j±1), (i±1, j) and
(i±1, j∓1). The unknowns of a vertex are its height and its colour channels, in arrays of shape (rows, cols, 1 + C).
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array, csr_array

from glrender.checks import check_array
from glrender.errors import InputError

Array = NDArray[np.float64]

OFFSETS = ((0, 0), (0, 1), (1, 0), (1, -1))
"""(row, column) steps from a vertex to itself and to its forward neighbours, in the order of the stencil's axis 2."""


@dataclass(frozen=True, eq=False)
class BlockStencil:
    """A symmetric matrix over the unknowns (height, colour_0 … colour_C-1) of each vertex of a grid.

    Only the couplings to `OFFSETS` are stored, the others follow by symmetry. A block B couples unknown k of one
    vertex to unknown l of the other; it is symmetric in (k, l), and all its colour channels share one entry on the
    diagonal and do not meet each other, because a pixel has one colour weight:

        height   [ hh    hc_0  hc_1 … ]
        colour_0 [ hc_0  cc           ]
        colour_1 [ hc_1        cc     ]
    """

    matrix: Array
    """(rows, cols, 4, 2 + C): for each offset hh, cc, hc_0 … hc_C-1; (rows, cols, 4, 1), hh alone, where C = 0.
    Couplings that point out of the grid have no meaning and are ignored."""

    def __post_init__(self) -> None:
        matrix = check_array("matrix", self.matrix, (None, None, 4, None))
        if matrix.shape[3] in (0, 2):
            raise InputError(
                f"matrix: received shape {matrix.shape}, expected 1 entry (height alone) or 2 + C (with C >= 1 colour "
                "channels) on its last axis"
            )
        object.__setattr__(self, "matrix", matrix)

    @staticmethod
    def zeros(rows: int, cols: int, channels: int) -> "BlockStencil":
        """The zero matrix of a map with `channels` colour channels; 0 for heights alone."""
        return BlockStencil(np.zeros((rows, cols, 4, 2 + channels if channels else 1)))

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, cols) of vertices."""
        return self.matrix.shape[0], self.matrix.shape[1]

    @property
    def channels(self) -> int:
        """Number C of colour channels; a vertex has 1 + C unknowns."""
        return max(self.matrix.shape[3] - 2, 0)

    def __add__(self, other: "BlockStencil") -> "BlockStencil":
        if self.matrix.shape != other.matrix.shape:
            raise InputError(f"sum of stencils: received shapes {self.matrix.shape} and {other.matrix.shape}")
        return BlockStencil(self.matrix + other.matrix)

    def matvec(self, x: ArrayLike) -> Array:
        """The product with x (rows, cols, 1 + C), in the same shape."""
        x = check_array("x", x, (*self.shape, 1 + self.channels))
        product = np.zeros_like(x)
        _matvec(self.matrix, x, product)
        return product

    def diagonal(self) -> Array:
        """(rows, cols, 1 + C): the matrix's diagonal."""
        height, color = self.matrix[:, :, 0, :1], self.matrix[:, :, 0, 1:2]
        return np.concatenate([height, np.repeat(color, self.channels, axis=2)], axis=2)

    def diagonal_blocks(self) -> Array:
        """(rows·cols, 1 + C, 1 + C): the block of each vertex with itself, row by row."""
        return expand_blocks(self.matrix[:, :, 0].reshape(-1, self.matrix.shape[3]))

    def heights_only(self) -> "BlockStencil":
        """The rows and columns of the heights, as if all colours were known."""
        return BlockStencil(self.matrix[..., :1])

    def to_csr(self) -> csr_array:
        """The same matrix over x.ravel(), (n, n) with n = rows · cols · (1 + C); zeros are not stored."""
        rows, cols = self.shape
        vertex = np.arange(rows * cols).reshape(rows, cols)
        first, second, entries = [], [], []
        for axis, offset in enumerate(OFFSETS):
            here, there = neighbours(offset)
            values = self.matrix[:, :, axis][here].reshape(-1, self.matrix.shape[3])
            p, q = vertex[here].ravel(), vertex[there].ravel()
            pairs = ((p, q), (q, p)) if any(offset) else ((p, p),)
            for row, column in pairs:
                first.append(row)
                second.append(column)
                entries.append(values)
        blocks = expand_blocks(np.concatenate(entries))
        block, k, other = np.nonzero(blocks)
        width = 1 + self.channels
        row = np.concatenate(first)[block] * width + k
        column = np.concatenate(second)[block] * width + other
        size = rows * cols * width
        return coo_array((blocks[block, k, other], (row, column)), shape=(size, size)).tocsr()


def neighbours(offset: tuple[int, int]) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Slices of all vertices of a grid that have a neighbour at one of `OFFSETS`, and of those neighbours."""
    down, right = offset
    here = (slice(None, -down or None), slice(max(-right, 0), -right if right > 0 else None))
    there = (slice(down, None), slice(max(right, 0), right if right < 0 else None))
    return here, there


def expand_blocks(entries: Array) -> Array:
    """(…, 1 + C, 1 + C) dense blocks of the (…, 2 + C) or (…, 1) entries of a stencil."""
    if entries.shape[-1] == 1:
        return entries[..., None]
    width = entries.shape[-1] - 1
    blocks = np.zeros((*entries.shape[:-1], width, width))
    blocks[..., 0, 0] = entries[..., 0]
    blocks[..., range(1, width), range(1, width)] = entries[..., 1:2]
    blocks[..., 0, 1:] = blocks[..., 1:, 0] = entries[..., 2:]
    return blocks


@njit(cache=True, nogil=True)
def _matvec(matrix: Array, x: Array, y: Array) -> None:
    # One sweep that reads the matrix once and adds each coupling to both of its vertices.
    rows, cols, channels = x.shape[0], x.shape[1], x.shape[2] - 1
    for i in range(rows):
        for j in range(cols):
            for axis in range(4):
                s = i + (axis >= 2)
                t = j + (axis == 1) - (axis == 3)
                if s == rows or t == cols or t < 0:
                    continue
                hh = matrix[i, j, axis, 0]
                y[i, j, 0] += hh * x[s, t, 0]
                if axis:
                    y[s, t, 0] += hh * x[i, j, 0]
                if channels == 0:
                    continue
                cc = matrix[i, j, axis, 1]
                for k in range(1, 1 + channels):
                    hc = matrix[i, j, axis, 1 + k]
                    y[i, j, 0] += hc * x[s, t, k]
                    y[i, j, k] += hc * x[s, t, 0] + cc * x[s, t, k]
                    if axis:
                        y[s, t, 0] += hc * x[i, j, k]
                        y[s, t, k] += hc * x[i, j, 0] + cc * x[i, j, k]
