"""Normal equations of maps of any size, as frames with pixels in random places make them, in a fraction of a second."""

import numpy as np
from numpy.typing import NDArray

from glrender.geometry.heightmap import triangle_vertices
from glrender.solve.priors import GaussianPrior, SmoothnessPrior
from glrender.solve.stencil import OFFSETS, BlockStencil
from glrender.solve.systems import NormalEquations

SMOOTHNESS = 1.0
"""Information about the difference of two neighbouring heights."""


def measured_map(
    size: int, channels: int = 0, *, per_vertex: float = 5, depth: float = 25.0, part: float = 1.0, seed: int = 0
) -> NormalEquations:
    """Equations of a size x size map with a smoothness prior, and one for each colour, and a random right-hand side.

    There are `per_vertex` pixels a vertex, of information `depth` about depth and 400 about each colour, in a corner
    that is `part` of the map. The right-hand side has the scatter that the matrix says.
    """
    rng = np.random.default_rng(seed)
    side = max(2, round(size * part**0.5))
    count = int(per_vertex * side**2)
    quad = rng.integers(0, side - 1, (2, count))
    triangles = 2 * (quad[0] * (size - 1) + quad[1]) + rng.integers(0, 2, count)
    vertices = triangle_vertices(triangles, size)
    b = rng.dirichlet([1, 1, 1], count)
    slope = rng.normal(0, 0.05, (count, channels))
    entries = np.full((count, 2 + channels if channels else 1), depth)
    if channels:
        entries[:, 0] += 400 * np.sum(slope**2, axis=1)
        entries[:, 1] = 400
        entries[:, 2:] = 400 * slope
    matrix = np.zeros((size * size, 4, entries.shape[1]))
    for k in range(3):
        for other in range(3):
            _add(matrix, size, vertices[:, k], vertices[:, other], (b[:, k] * b[:, other])[:, None] * entries)
    x = np.zeros((size, size, 1 + channels))
    equations = NormalEquations(BlockStencil(matrix.reshape(size, size, 4, -1)), x, 0.0, count)
    equations = SmoothnessPrior(SMOOTHNESS**-0.5).add_to(equations, x)
    if channels:
        equations = GaussianPrior(x, np.inf, 0.5).add_to(equations, x)
    return with_random_vector(equations, rng)


def with_random_vector(equations: NormalEquations, rng: np.random.Generator) -> NormalEquations:
    """The same matrix, and a right-hand side that scatters as its diagonal says."""
    vector = np.sqrt(equations.diagonal()) * rng.normal(size=equations.rhs.shape)
    return NormalEquations(equations.stencil, vector, 0.0, equations.count)


def _add(
    matrix: NDArray[np.float64], size: int, p: NDArray[np.intp], q: NDArray[np.intp], entries: NDArray[np.float64]
) -> None:
    for axis, (down, right) in enumerate(OFFSETS):
        pairs = q - p == down * size + right
        for e in range(entries.shape[1]):
            matrix[:, axis, e] += np.bincount(p[pairs], entries[pairs, e], len(matrix))
