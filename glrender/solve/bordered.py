"""A height map's equations bordered by a few unknowns that every measurement feels: Schur complement.

    | Λ   B | | x |   | g |
    |       | |   | = |   |        x: the map, (rows, cols, 1 + C);  t: a few shared unknowns, (p,)
    | Bᵀ  C | | t |   | q |

Eliminating the map leaves S t = q - Bᵀ Λ⁻¹ g with S = C - Bᵀ Λ⁻¹ B, dense and small: p + 1 solutions with Λ. S is what
the measurements say about the shared unknowns while the map is unknown too, and its inverse their covariance.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glrender.checks import check_array
from glrender.solve.multigrid import Multigrid, grid_stencil
from glrender.solve.systems import LinearSystem

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BorderedSystem:
    """The equations of a map and p shared unknowns."""

    interior: LinearSystem
    """Λ x = g, positive definite: a height map's, with priors."""
    border: Array
    """B (p, rows, cols, 1 + C): how each shared unknown is coupled to the map."""
    corner: Array
    """C (p, p)."""
    vector: Array
    """q (p,)."""

    def __post_init__(self) -> None:
        vector = check_array("vector", self.vector, (None,), finite=True)
        shape = (len(vector), *self.interior.rhs.shape)
        object.__setattr__(self, "vector", vector)
        object.__setattr__(self, "border", check_array("border", self.border, shape, finite=True))
        object.__setattr__(self, "corner", check_array("corner", self.corner, (len(vector),) * 2, finite=True))

    def eliminate_map(self, tolerance: float = 1e-8) -> "Reduced":
        """The equations of the shared unknowns alone; `tolerance` is the residual of the solutions with Λ.

        Raises SolverError where Λ is not positive definite.
        """
        right_sides = np.concatenate([self.interior.rhs[None], self.border])
        map_alone, *response = Multigrid(grid_stencil(self.interior)).solve_all(right_sides, tolerance=tolerance)
        responses = np.array(response).reshape(self.border.shape)
        matrix = self.corner - _products(self.border, responses)
        vector = self.vector - np.tensordot(self.border, map_alone, axes=3)
        # Symmetric, but for the tolerance of the solutions.
        return Reduced(0.5 * (matrix + matrix.T), vector, map_alone, responses)


@dataclass(frozen=True, eq=False)
class Reduced:
    """The equations S t = s of the shared unknowns, and what the map follows them by."""

    matrix: Array
    """S (p, p): the information about the shared unknowns."""
    vector: Array
    """s (p,)."""
    map_alone: Array
    """Λ⁻¹ g (rows, cols, 1 + C): the solution for the map if the shared unknowns are 0."""
    responses: Array
    """Λ⁻¹ B (p, rows, cols, 1 + C): by how much the map goes down where one of them goes up by 1."""

    def map_at(self, shared: Array) -> Array:
        """(rows, cols, 1 + C): the solution for the map if the shared unknowns are `shared` (p,)."""
        return self.map_alone - np.tensordot(shared, self.responses, axes=1)

    def scores(self, vectors: Array, map_vectors: Array) -> Array:
        """(m, p): the part of s that each of m groups of measurements contributes.

        `vectors` (m, p) and `map_vectors` (m, rows, cols, 1 + C) are the groups' parts of q and of g.
        """
        return vectors - _products(map_vectors, self.responses)


def _products(first: Array, second: Array) -> Array:
    """(m, p): scalar product of each map of `first` (m, rows, cols, 1 + C) with each of `second` (p, …)."""
    return np.tensordot(first, second, axes=((1, 2, 3), (1, 2, 3)))
