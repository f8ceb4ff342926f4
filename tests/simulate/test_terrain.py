"""A terrain has the size, relief, spacing and shape that were asked for; refining it does not change the surface."""

from pathlib import Path

import numpy as np
import pytest

from glrender.errors import InputError
from glrender.geometry.heightmap import HeightMap
from glrender.simulate.elevation import Elevation, read_elevation
from glrender.simulate.terrain import coarse_colors, make_terrain, refine


def bowl(rows: int, cols: int) -> np.ndarray:
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : cols * 1j]
    return x**2 + 0.5 * y


def test_defaults_of_the_builtin_terrain() -> None:
    terrain = make_terrain(read_elevation("builtin"))
    assert terrain.shape == (201, 201)
    assert terrain.spacing == 0.01
    assert (terrain.heights.min(), terrain.heights.max()) == (0, 0.25)
    x, y = terrain.axes()
    assert x[100] == y[100] == 0
    np.testing.assert_array_equal(terrain.heights, terrain.heights.astype(np.float32))


def test_size_relief_spacing_and_origin() -> None:
    terrain = make_terrain(Elevation(bowl(40, 50)), (3.0, 1.5), 0.2, 0.05, (500_000.0, 4e6))
    assert terrain.shape == (31, 61)
    assert np.ptp(terrain.heights) == pytest.approx(0.2, abs=1e-7)
    assert terrain.origin == (500_000.0, 4e6)


def test_the_spline_follows_a_smooth_ground() -> None:
    """Refined ten times, a bowl of 41 samples is the bowl, away from the rim where the spline has no neighbours."""
    terrain = make_terrain(Elevation(bowl(41, 41)), (2.0, 2.0), None, 0.005)
    expected = bowl(401, 401)
    expected = (expected - expected.min()) / np.ptp(expected) * 0.25
    np.testing.assert_allclose(terrain.heights[50:-50, 50:-50], expected[50:-50, 50:-50], atol=1e-4)


def test_proportions_are_kept_by_cutting_out_the_middle() -> None:
    ramp = np.tile(np.arange(101.0), (51, 1))  # 100 x 50 steps
    square = make_terrain(Elevation(ramp), (2.0, 2.0), 1.0, 0.04)
    inner = Elevation(ramp[:, 25:76])
    np.testing.assert_allclose(square.heights, make_terrain(inner, (2.0, 2.0), 1.0, 0.04).heights, atol=1e-6)
    # Columns twice as far apart as rows: 200 x 50, of which the middle 50 x 50 are 25 columns.
    wide = make_terrain(Elevation(ramp**2, (2.0, 1.0)), (2.0, 2.0), 1.0, 2 / 25)
    x = np.linspace(37.5, 62.5, 26) ** 2
    np.testing.assert_allclose(wide.heights[10], (x - x[0]) / np.ptp(x), atol=2e-3)


def test_a_coarse_grid_does_not_alias() -> None:
    """A ripple shorter than the new spacing is gone rather than turned into a long wave."""
    ripple = np.tile(np.sin(2 * np.pi * np.arange(401) / 3.8), (401, 1))
    ground = bowl(401, 401) + 0.3 * ripple
    smooth, rough = (make_terrain(Elevation(g), (2.0, 2.0), 0.25, 0.02).heights for g in (bowl(401, 401), ground))
    difference = (rough - smooth)[5:-5, 5:-5]
    assert np.std(np.diff(difference, n=2, axis=1)) < 0.005 * 0.25


def test_a_map_keeps_what_is_not_asked_for(tmp_path: Path) -> None:
    heights = (5 + bowl(9, 12)).astype(np.float32)
    heights[2, 3] = np.nan
    colors = np.random.default_rng(0).uniform(size=(9, 12, 3)).astype(np.float32)
    HeightMap(heights, 0.125, (7.0, -2.0), colors).save(tmp_path / "map.npz")
    elevation = read_elevation(tmp_path / "map.npz")
    same = make_terrain(elevation)
    assert (same.spacing, same.origin) == (0.125, (7.0, -2.0))
    np.testing.assert_allclose(same.heights, heights, atol=1e-6)
    assert same.colors is not None
    np.testing.assert_allclose(same.colors, colors, atol=1e-6)

    finer = make_terrain(elevation, spacing=0.0625)
    assert finer.shape == (17, 23)
    known = ~np.isnan(finer.heights[::2, ::2])
    np.testing.assert_allclose(finer.heights[::2, ::2][known], heights[known], atol=1e-6)
    flat = make_terrain(elevation, relief=0.5)
    assert np.ptp(flat.heights[~np.isnan(flat.heights)]) == pytest.approx(0.5, abs=1e-6)


def test_unknown_heights_stay_unknown_and_do_not_spread() -> None:
    heights = bowl(41, 41)
    heights[20:23, 20:23] = np.nan
    terrain = make_terrain(Elevation(heights), (2.0, 2.0), None, 0.01)
    whole = make_terrain(Elevation(bowl(41, 41)), (2.0, 2.0), None, 0.01)
    unknown = np.isnan(terrain.heights)
    assert unknown[100:111, 100:111].all()
    assert unknown.sum() == 19 * 19  # every vertex less than one sample from an unknown one
    away = np.s_[150:, 150:]
    np.testing.assert_allclose(terrain.heights[away], whole.heights[away], atol=1e-3)


def test_what_makes_no_terrain() -> None:
    elevation = Elevation(bowl(9, 9))
    with pytest.raises(InputError, match="size along x: received .*-1"):
        make_terrain(elevation, (-1.0, 2.0))
    with pytest.raises(InputError, match="relief: received -1"):
        make_terrain(elevation, relief=-1)
    with pytest.raises(InputError, match="spacing: received 3 m, expected at most the terrain's shorter side, 2 m"):
        make_terrain(elevation, spacing=3)
    with pytest.raises(InputError, match="makes more than 50,000,000 vertices; choose"):
        make_terrain(elevation, spacing=1e-6)
    corner = np.full((9, 99), np.nan)
    corner[0, 0] = 1
    with pytest.raises(InputError, match="no height is known in the part"):
        make_terrain(Elevation(corner))


def test_flat_ground_is_flat_unless_it_is_asked_to_have_relief() -> None:
    flat = Elevation(np.full((5, 6), 3.0))
    assert np.ptp(make_terrain(flat).heights) == 0
    with pytest.raises(InputError, match="a flat terrain cannot be given a relief of 0.5 m"):
        make_terrain(flat, relief=0.5)


def test_refined_ground_has_no_sigma() -> None:
    sigma = np.full((3, 4), 0.01)
    fine = refine(HeightMap(np.zeros((3, 4)), 0.3, sigma=sigma, local_sigma=sigma / 2), 2)
    assert (fine.sigma, fine.local_sigma) == (None, None)


@pytest.mark.parametrize("factor", [1, 2, 3, 7])
def test_refining_does_not_change_the_surface(factor: int) -> None:
    """Each fine vertex lies on the coarse triangle below it, for holes too."""
    rng = np.random.default_rng(factor)
    coarse = HeightMap(rng.normal(size=(6, 5)), 0.3, (1.0, 2.0))
    holed = coarse.heights.copy()
    holed[2, 2] = np.nan
    fine, fine_holed = refine(coarse, factor), refine(HeightMap(holed, 0.3, (1.0, 2.0)), factor)
    assert fine.shape == (5 * factor + 1, 4 * factor + 1)
    np.testing.assert_allclose(fine.axes()[0][::factor], coarse.axes()[0])
    vertices = coarse.vertices()
    for i, j in np.ndindex(fine.shape):
        y, x = i / factor, j / factor
        row, col = min(int(y), 4), min(int(x), 3)
        upper = (y - row) + (x - col) > 1 + 1e-9
        a, b, c = vertices[coarse.triangles[2 * (row * 4 + col) + upper]]
        slope = np.linalg.solve([(b - a)[:2], (c - a)[:2]], [(b - a)[2], (c - a)[2]])
        place = np.array([x, y]) * 0.3 + coarse.origin
        assert fine.heights[i, j] == pytest.approx(a[2] + slope @ (place - a[:2]), abs=1e-9)
        near_hole = max(abs(y - 2), abs(x - 2), abs((y - 2) + (x - 2))) < 1 - 1e-9
        assert np.isnan(fine_holed.heights[i, j]) == near_hole


def test_refining_too_far_is_refused() -> None:
    with pytest.raises(InputError, match="choose less detail"):
        refine(HeightMap(np.zeros((100, 100)), 1.0), 1000)


def test_coarse_colours_are_means_around_each_vertex() -> None:
    fine = np.random.default_rng(1).uniform(size=(9, 13, 3))
    np.testing.assert_allclose(coarse_colors(fine, 1), fine)
    coarse = coarse_colors(fine, 4)
    assert coarse.shape == (3, 4, 3)
    tent = np.array([1, 2, 3, 4, 3, 2, 1]) / 16
    np.testing.assert_allclose(coarse[1, 2], np.einsum("i,j,ijc->c", tent, tent, fine[1:8, 5:12]))
