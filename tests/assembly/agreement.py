"""The block stencil of a height map beside the sparse products of its Jacobians."""

import numpy as np

from glrender.solve.systems import NormalEquations, SparseSystem


def assert_agree(system: NormalEquations, reference: SparseSystem, vector_tolerance: float) -> None:
    """The matrix to 1e-6 of the largest entry of its block, the vector to a tolerance of its own; float32 rounds both.

    A block couples one unknown of a vertex to one of another: there are (1 + C)² of them.
    """
    found, expected = system.to_csr(), reference.to_csr()
    assert found.shape == expected.shape
    width = system.vector.shape[2]
    for k in range(width):
        for other in range(width):
            block, truth = found[k::width, other::width], expected[k::width, other::width]
            error = abs(block - truth).max() if (block - truth).nnz else 0.0
            assert error <= 1e-6 * abs(truth).max(), f"block {k}, {other}"
        truth = reference.rhs[k::width]
        atol = vector_tolerance * np.abs(truth).max()
        np.testing.assert_allclose(system.vector[..., k].ravel(), truth, rtol=0, atol=atol)
