"""What a click finds is what the buffers hold, and moving a vertex does what its column says."""

from dataclasses import replace

import numpy as np
import pytest

from glrender.geometry.heightmap import HeightMap
from glrender.render.derivatives import DerivativeRenderer
from glrender.viewer.picking import (
    brightness_or_depth,
    consequence,
    describe,
    footprint,
    footprint_insets,
    pick_pixel,
    picked_outline,
)
from glrender.viewer.rig import Rig
from glrender.viewer.scene import Nudge, shown_surface

SIZE = (120, 90)


@pytest.fixture(scope="module")
def renderer(context, hills):
    renderer = DerivativeRenderer(context, Rig.looking_at(hills).camera(*SIZE))
    yield renderer
    renderer.release()


@pytest.fixture(scope="module")
def buffers(renderer, hills):
    return renderer.render(hills, Rig.looking_at(hills).T_world_camera)


def test_a_pixel_and_its_three_vertices(buffers, hills: HeightMap) -> None:
    pick = pick_pixel(buffers, 60, 45)
    assert pick is not None
    assert pick.depth == buffers.depth[45, 60]
    assert pick.color == pytest.approx(buffers.image[45, 60])
    # The weighted vertices are the point that the pixel's ray meets.
    point = np.array(pick.weights) @ hills.vertices()[list(pick.vertices)]
    T = buffers.T_world_camera
    np.testing.assert_allclose(point, T[:3, :3] @ (pick.depth * buffers.camera.rays()[45, 60]) + T[:3, 3], atol=1e-5)
    row = buffers.jacobian("depth", "height")[[45 * SIZE[0] + 60]].toarray()[0]
    assert pick.depth_wrt_height == pytest.approx(row[list(pick.vertices)])
    assert pick.nearest == pick.vertices[int(np.argmax(pick.weights))]


def test_it_is_told_in_words(buffers, hills: HeightMap) -> None:
    pick = pick_pixel(buffers, 60, 45)
    lines = describe(replace(pick, vertex=pick.nearest), hills)
    assert lines[0] == f"pixel 60, 45: depth {pick.depth:.4f} m"
    i, j = divmod(pick.nearest, hills.shape[1])
    (chosen,) = (line for line in lines if line.startswith("▸"))
    assert f"vertex {i}, {j}:" in chosen
    assert f"height {hills.heights[i, j]:.4f} m" in chosen


def test_nothing_is_picked_where_nothing_is_seen(buffers) -> None:
    assert not buffers.visible[0, 0]
    assert pick_pixel(buffers, 0, 0) is None
    assert pick_pixel(buffers, -1, 40) is None
    assert pick_pixel(buffers, SIZE[0], 40) is None


@pytest.mark.parametrize("of", ["depth", "image"])
def test_a_footprint_is_a_column_of_the_jacobian(buffers, of: str) -> None:
    vertex = pick_pixel(buffers, 60, 45).nearest
    found = footprint(buffers, vertex, of)
    whole = np.zeros(SIZE[::-1])
    whole[found.part] = found.column
    column = buffers.jacobian(of, "height")[:, [vertex]].toarray().reshape(*SIZE[::-1], -1).mean(axis=-1)
    np.testing.assert_allclose(whole, column, atol=1e-6)
    assert np.count_nonzero(column) >= 4
    np.testing.assert_array_equal(found.values, brightness_or_depth(buffers, of)[found.part])


def test_a_vertex_that_is_not_seen_has_no_footprint(buffers) -> None:
    assert footprint(buffers, 0, "depth") is None


@pytest.mark.parametrize("of", ["depth", "image"])
def test_a_small_move_does_what_was_predicted_and_a_large_one_does_not(renderer, buffers, hills, of: str) -> None:
    vertex = pick_pixel(buffers, 60, 45).nearest
    before = footprint(buffers, vertex, of)

    def moved(change: float):
        surface = shown_surface(hills, 1.0, Nudge(vertex, change))
        return consequence(before, renderer.render(surface, buffers.T_world_camera), change, of)

    small, large = moved(1e-4), moved(0.5 * hills.spacing)
    size = np.abs(before.column).max() * 1e-4
    # Pixels beside an edge go over to the neighbour's derivative.
    assert np.nanmedian(np.abs(small.true - small.predicted)[before.column != 0]) < 0.02 * size
    assert np.nanmax(np.abs(small.true)) > 0.3 * size
    assert np.nanmax(np.abs(large.true - large.predicted)) > 100 * np.nanmax(np.abs(small.true - small.predicted))
    assert "predicted" in small.describe("m")
    assert [inset.picture.shape for inset in footprint_insets(before, small, "m")] == [(*before.column.shape, 3)] * 4


def test_an_outline_goes_around_the_triangle_or_the_vertex(buffers, hills: HeightMap) -> None:
    pick = pick_pixel(buffers, 60, 45)
    assert picked_outline(hills, pick).shape == (3, 2, 3)
    around = picked_outline(hills, replace(pick, vertex=pick.nearest))
    assert around.shape == (12, 2, 3)
    # The ring's edges are edges of triangles: one step along an axis, or a quad's diagonal.
    lengths = np.linalg.norm((around[:, 1] - around[:, 0])[:, :2], axis=-1) / hills.spacing
    np.testing.assert_allclose(np.sort(lengths)[[0, -1]], [1, np.sqrt(2)], rtol=1e-6)


def test_an_exaggerated_surface_keeps_its_mean_and_its_gaps(hills: HeightMap) -> None:
    shown = shown_surface(hills, 3.0, Nudge(500, 0.01))
    assert np.nanmean(shown.heights) == pytest.approx(
        np.nanmean(hills.heights) + 3 * 0.01 / np.isfinite(hills.heights).sum()
    )
    np.testing.assert_array_equal(np.isnan(shown.heights), np.isnan(hills.heights))
    assert np.nanstd(shown.heights) == pytest.approx(3 * np.nanstd(hills.heights), rel=0.01)
    assert shown_surface(hills, 1.0, Nudge(500)) is hills
