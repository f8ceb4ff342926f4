"""Linear systems Λ x = g, each hiding how its matrix is stored from the solvers."""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array, diags_array

from glrender.checks import check_array
from glrender.errors import InputError
from glrender.solve.stencil import BlockStencil

Array = NDArray[np.float64]


class LinearSystem(Protocol):
    """Λ x = g with a symmetric, positive semi-definite Λ; this is all that a linear solver sees."""

    @property
    def rhs(self) -> Array:
        """g, in the shape of the unknowns."""

    def matvec(self, x: Array) -> Array:
        """Λ x, in the shape of x."""

    def diagonal(self) -> Array:
        """The diagonal of Λ, in the shape of the unknowns."""

    def diagonal_blocks(self) -> Array:
        """(m, b, b): the blocks on the diagonal of Λ over x.reshape(m, b), for unknowns that belong together."""

    def to_csr(self) -> csr_array:
        """Λ over x.ravel(), (n, n)."""


@dataclass(frozen=True, eq=False)
class NormalEquations:
    """The normal equations JᵀWJ dx = JᵀWr of a height map at some estimate, with r = measured - predicted."""

    stencil: BlockStencil
    """JᵀWJ."""
    vector: Array
    """(rows, cols, 1 + C): JᵀWr, minus the gradient of the cost."""
    cost: float
    """Sum of rho over all measurements and priors, at the estimate."""
    count: int
    """Number of measurements that were used."""

    def __post_init__(self) -> None:
        shape = (*self.stencil.shape, 1 + self.stencil.channels)
        object.__setattr__(self, "vector", check_array("vector", self.vector, shape))

    @staticmethod
    def zeros(rows: int, cols: int, channels: int) -> "NormalEquations":
        """No measurement yet."""
        return NormalEquations(BlockStencil.zeros(rows, cols, channels), np.zeros((rows, cols, 1 + channels)), 0.0, 0)

    def __add__(self, other: "NormalEquations") -> "NormalEquations":
        return NormalEquations(
            self.stencil + other.stencil, self.vector + other.vector, self.cost + other.cost, self.count + other.count
        )

    @cached_property
    def height_information(self) -> Array:
        """(rows, cols): the diagonal of the heights side by side, for whoever asks for it many times."""
        return np.ascontiguousarray(self.stencil.matrix[:, :, 0, 0])

    @property
    def rhs(self) -> Array:
        return self.vector

    def matvec(self, x: Array) -> Array:
        return self.stencil.matvec(x)

    def diagonal(self) -> Array:
        return self.stencil.diagonal()

    def diagonal_blocks(self) -> Array:
        return self.stencil.diagonal_blocks()

    def to_csr(self) -> csr_array:
        return self.stencil.to_csr()


@dataclass(frozen=True, eq=False)
class SparseSystem:
    """A system with any sparse matrix: the readable reference, and what a handful of unknowns needs."""

    matrix: csr_array
    """(n, n) symmetric."""
    rhs: Array
    """(n,)."""

    def __post_init__(self) -> None:
        rhs = check_array("rhs", self.rhs, (None,))
        if self.matrix.shape != (len(rhs), len(rhs)):
            raise InputError(
                f"matrix: received shape {self.matrix.shape}, expected ({len(rhs)}, {len(rhs)}) as for rhs"
            )
        object.__setattr__(self, "rhs", rhs)

    @staticmethod
    def from_jacobian(jacobian: ArrayLike, residual: ArrayLike, weight: ArrayLike) -> "SparseSystem":
        """JᵀWJ x = JᵀWr of a (measurements, n) Jacobian and (measurements,) residuals measured - predicted."""
        J = csr_array(jacobian)
        WJ = diags_array(np.asarray(weight)) @ J
        return SparseSystem(csr_array(J.T @ WJ), WJ.T @ np.asarray(residual))

    def matvec(self, x: Array) -> Array:
        return np.asarray(self.matrix @ x)

    def diagonal(self) -> Array:
        return np.asarray(self.matrix.diagonal())

    def diagonal_blocks(self) -> Array:
        return self.diagonal()[:, None, None]

    def to_csr(self) -> csr_array:
        return self.matrix


@dataclass(frozen=True, eq=False)
class Damped:
    """(Λ + diag(damping)) x = g."""

    system: LinearSystem
    """Λ and g."""
    damping: Array
    """What is added to each entry of the diagonal, in the shape of the unknowns."""

    @cached_property
    def rhs(self) -> Array:
        return self.system.rhs

    def matvec(self, x: Array) -> Array:
        return self.system.matvec(x) + self.damping * x

    def diagonal(self) -> Array:
        return self.system.diagonal() + self.damping

    def diagonal_blocks(self) -> Array:
        blocks = self.system.diagonal_blocks()
        each = np.arange(blocks.shape[1])
        blocks[:, each, each] += self.damping.reshape(-1, len(each))
        return blocks

    def to_csr(self) -> csr_array:
        return csr_array(self.system.to_csr() + diags_array(self.damping.ravel()))


def hold_unseen(system: LinearSystem) -> Damped:
    """The same system with the identity for every unknown that no measurement and no prior touches.

    In a positive semi-definite Λ a zero on the diagonal means a zero row and column, and g is zero there too: such an
    unknown decouples, and its increment becomes 0.
    """
    return Damped(system, np.where(system.diagonal() == 0, 1.0, 0.0))
