"""Heights between vertices: the surface of the triangles, and nothing of what is unknown."""

import numpy as np
import pytest

from glrender.geometry.heightmap import HeightMap
from glrender.geometry.sampling import sample_heights

RNG = np.random.default_rng(3)
ROUGH = HeightMap(RNG.normal(size=(7, 9)), 0.25, (1.0, -2.0))


def test_points_of_triangles_lie_on_the_surface() -> None:
    corners = ROUGH.vertices()[ROUGH.triangles]
    weights = RNG.dirichlet([1, 1, 1], size=(50, len(corners)))
    x, y, z = np.einsum("ntk,tkc->cnt", weights, corners)
    np.testing.assert_allclose(sample_heights(ROUGH, x, y), z, atol=1e-12)


@pytest.mark.parametrize("origin", [(0.0, 0.0), (500_000.07, 4_100_000.03)])
def test_a_vertex_has_its_own_height_whatever_lies_around_it(origin: tuple[float, float]) -> None:
    heights = np.full((5, 6), np.nan)
    heights[::2, ::2] = RNG.normal(size=(3, 3)) + 1000
    surface = HeightMap(heights, 0.01, origin)
    x, y = np.meshgrid(*surface.axes())
    np.testing.assert_allclose(sample_heights(surface, x, y), heights, rtol=1e-12)


def test_on_a_line_between_two_vertices_only_theirs_count() -> None:
    heights = np.array([[np.nan, 1.0, 2.0], [3.0, np.nan, 5.0], [np.nan, np.nan, 7.0]])
    surface = HeightMap(heights, 1.0)
    on_lines = sample_heights(surface, [1.5, 0.5, 2.0, 2.0], [0.0, 0.5, 0.5, 1.75])
    np.testing.assert_allclose(on_lines, [1.5, 2.0, 3.5, 6.5])
    assert np.isnan(sample_heights(surface, [0.5, 1.5, 1.5], [0.25, 0.25, 0.75])).all()


def test_outside_is_unknown() -> None:
    (x0, *_, x1), (y0, *_, y1) = ROUGH.axes()
    x = [x0 - 0.01, x1 + 0.01, 1.5, 1.5, np.nan, 1.5, np.inf]
    y = [-1.5, -1.5, y0 - 0.01, y1 + 0.01, -1.5, np.nan, -1.5]
    assert np.isnan(sample_heights(ROUGH, x, y)).all()
    corners = sample_heights(ROUGH, [x0, x1, x0, x1], [y0, y0, y1, y1])
    np.testing.assert_allclose(corners, ROUGH.heights[[0, 0, -1, -1], [0, -1, 0, -1]])
