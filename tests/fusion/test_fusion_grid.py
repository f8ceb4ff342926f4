"""The grid of a map that is being made: its vertices, and what falls on them."""

import numpy as np
import pytest
from flights import camera_of
from hypothesis import given
from hypothesis import strategies as st

from glrender.errors import InputError
from glrender.fusion.grid import Grid, fill_from_nearest
from glrender.fusion.heightmap import HeightMapFusion
from glrender.fusion.noise import DepthNoise
from glrender.fusion.sightings import disputed
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.gl.context import Context
from glrender.solve.patch import Patch

ABOVE = se3.look_at((0.3, 0.2, 1.0), (0.3, 0.2, 0.0), (0, 1, 0))


class TestExtent:
    @pytest.mark.parametrize(
        ("bounds", "spacing", "shape"),
        [
            ((0, 1, 0, 0.5), 0.1, (6, 11)),  # 1 / 0.1 is not 10 in binary
            ((0, 1, 0, 0.5), 0.3, (3, 5)),
            ((-1, 1, -1, 1), 0.01, (201, 201)),
            ((0.55, 2.05, -0.9, 1.5), 0.01, (241, 151)),
            ((448262.7, 448264.7, 5411932.5, 5411933.5), 0.05, (21, 41)),
            ((0, 0.01, 0, 5), 1.0, (6, 2)),
        ],
    )
    def test_it_covers_the_bounds(self, bounds: tuple, spacing: float, shape: tuple[int, int]) -> None:
        assert Grid.covering(bounds, spacing, None).shape == shape

    @given(
        st.floats(-1e4, 1e4), st.floats(0.01, 10.0), st.floats(0.01, 10.0), st.floats(0.005, 3.0), st.floats(-1e4, 1e4)
    )
    def test_and_little_more(self, x0: float, width: float, height: float, spacing: float, y0: float) -> None:
        grid = Grid.covering((x0, x0 + width, y0, y0 + height), spacing, None)
        x, y = grid.surface(np.zeros(grid.shape)).axes()
        assert (x[0], y[0]) == (x0, y0)
        for axis, last in ((x, x0 + width), (y, y0 + height)):
            assert last - 1e-5 * spacing - 1e-9 <= axis[-1] < max(last + spacing, axis[0] + 1.01 * spacing)

    def test_a_surface_on_it(self) -> None:
        T = se3.exp([1, 2, 3, 0.1, 0.2, 0.3])
        grid = Grid.covering((1.0, 2.0, 3.0, 4.0), 0.5, T)
        surface = grid.surface(np.ones((3, 3)))
        assert (surface.origin, surface.spacing) == ((1.0, 3.0), 0.5)
        np.testing.assert_array_equal(surface.pose, T)


class TestMeans:
    """Level ground 0.02 m high seen from straight above."""

    grid = Grid.covering((0.0, 0.6, 0.0, 0.4), 0.05, None)
    camera = camera_of(64)
    depth = np.full(camera.shape, 0.98, np.float32)

    def test_of_heights_and_colours(self) -> None:
        u = np.arange(64) / 64
        image = np.stack(np.broadcast_arrays(u, 0.2, 1 - u), axis=-1)[None].repeat(48, axis=0).astype(np.float32)
        means = self.grid.means(self.camera, ABOVE, self.depth, image)
        assert means.shape == (9, 13, 4)
        assert np.isfinite(means).all()
        np.testing.assert_allclose(means[..., 0], 0.02, atol=1e-6)
        np.testing.assert_allclose(means[..., 2], 0.2, atol=1e-6)
        np.testing.assert_allclose(means[..., 1] + means[..., 3], 1, atol=1e-6)
        assert (np.diff(means[..., 1], axis=1) > 0).all(), "u goes along x"

    def test_each_pixel_counts_for_the_nearest_vertex(self) -> None:
        depth = np.zeros_like(self.depth)
        depth[30, 20] = 0.98
        x, y = (ABOVE @ [*(self.camera.rays()[30, 20] * 0.98), 1])[:2]
        (row,), (column,) = np.nonzero(np.isfinite(self.grid.means(self.camera, ABOVE, depth)[..., 0]))
        assert abs(column * 0.05 - x) <= 0.025
        assert abs(row * 0.05 - y) <= 0.025

    def test_in_a_map_frame_of_its_own(self) -> None:
        T = se3.exp([5.0, -3.0, 2.0, 0.3, -0.5, 1.0])
        there = Grid.covering((0.0, 0.6, 0.0, 0.4), 0.05, T).means(self.camera, T @ ABOVE, self.depth)
        np.testing.assert_allclose(there, self.grid.means(self.camera, ABOVE, self.depth), atol=1e-6)

    @pytest.mark.parametrize("nothing", [0.0, -1.0, np.nan, np.inf, np.finfo(np.float32).max])
    def test_without_depth(self, nothing: float) -> None:
        assert np.isnan(self.grid.means(self.camera, ABOVE, np.full_like(self.depth, nothing))).all()
        half = self.depth.copy()
        half[:, :32] = nothing
        means = self.grid.means(self.camera, ABOVE, half)[..., 0]
        assert 0.3 < np.isfinite(means).mean() < 0.7
        np.testing.assert_allclose(means[np.isfinite(means)], 0.02, atol=1e-6)

    def test_a_pixel_with_one_channel_missing_has_no_colour(self) -> None:
        image = np.full((*self.camera.shape, 3), 0.5, np.float32)
        image[:, :32, 2] = np.nan
        means = self.grid.means(self.camera, ABOVE, self.depth, image)
        assert np.isfinite(means[..., 0]).all()
        assert not np.isfinite(means[:, :5, 1:]).any()
        np.testing.assert_allclose(means[:, 8:, 1:], 0.5)

    def test_only_where_wanted(self) -> None:
        wanted = np.zeros(self.grid.shape, bool)
        wanted[3, 4] = True
        means = self.grid.means(self.camera, ABOVE, self.depth, wanted=wanted)[..., 0]
        np.testing.assert_array_equal(np.isfinite(means), wanted)

    def test_behind_and_beside_the_grid(self) -> None:
        away = se3.look_at((20.0, 0.0, 1.0), (20.0, 0.0, 0.0), (0, 1, 0))
        assert np.isnan(self.grid.means(self.camera, away, self.depth)).all()


class TestFilling:
    def test_the_nearest_known_value(self) -> None:
        values, known = np.zeros((5, 7, 2)), np.zeros((5, 7), bool)
        known[0, 0] = known[4, 6] = True
        values[0, 0], values[4, 6] = (1, 2), (3, 4)
        filled = fill_from_nearest(values, known)
        np.testing.assert_array_equal(filled[1, 2], (1, 2))
        np.testing.assert_array_equal(filled[4, 3], (3, 4))

    @pytest.mark.parametrize("known", [True, False])
    def test_all_or_nothing_known(self, known: bool) -> None:
        values = np.arange(6.0).reshape(2, 3)
        np.testing.assert_array_equal(fill_from_nearest(values, np.full((2, 3), known)), values)


class TestDisputes:
    """Four cells at height 0, seen by some frames."""

    def said(self, *sightings: list[float], spacing: float = 0.1) -> np.ndarray:
        return disputed(np.zeros(4), np.reshape(sightings, (-1, 4)).T, spacing)

    def test_most_say_otherwise(self) -> None:
        said = self.said([0.0, 0, 0, 0], [0.5, 0, 0.5, np.nan], [0.5, 0, 0.51, np.nan], [0.49, 0, np.nan, 0.5])
        np.testing.assert_allclose(said, [0.495, np.nan, 0.5, np.nan])

    def test_two_say_nothing_together(self) -> None:
        assert np.isnan(self.said([0.5] * 4, [0.5] * 4)).all()
        assert np.isnan(self.said()).all()

    def test_what_is_within_a_cell_is_no_dispute(self) -> None:
        assert np.isnan(self.said([0.09] * 4, [0.08] * 4, [0.09] * 4)).all()
        assert np.isfinite(self.said([0.09] * 4, [0.08] * 4, [0.09] * 4, spacing=0.01)).all()

    def test_what_disagrees_among_itself_settles_nothing(self) -> None:
        assert np.isnan(self.said([0.1] * 4, [0.5] * 4, [0.9] * 4)).all()


class TestNoise:
    def test_it_grows_with_the_square_of_the_distance(self) -> None:
        np.testing.assert_allclose(DepthNoise(0.001, 0.002).sigma([1.0, 2.0, 3.0]), [0.003, 0.009, 0.019], rtol=1e-6)
        assert DepthNoise().sigma(np.float64(1.0)).dtype == np.float32

    def test_what_measured_nothing_has_none(self) -> None:
        sigma = DepthNoise().sigma([0.0, np.nan, np.inf, np.finfo(np.float32).max])
        assert sigma[0] > 0
        assert not np.isfinite(sigma[1:]).any()

    @pytest.mark.parametrize("noise", [(0.0, 0.1), (-1.0, 0.1), (np.nan, 0.1), (0.1, -1.0), (0.1, np.inf)])
    def test_wrong_ones_are_refused(self, noise: tuple[float, float]) -> None:
        with pytest.raises(InputError, match="depth noise"):
            DepthNoise(*noise)


def test_a_map_beyond_the_memory_is_refused() -> None:
    grid = Grid.covering((0.0, 1000.0, 0.0, 1000.0), 1e-3, None)
    with pytest.raises(InputError, match=r"1000001 x 1000001 vertices need about .* GiB, but this machine has"):
        grid.check_memory()
    Grid.covering((0.0, 1.0, 0.0, 1.0), 0.01, None).check_memory()


@pytest.mark.parametrize(("values", "kind"), [("depth", np.uint16), ("image", np.uint8)])
def test_whole_numbers_are_no_measurements(context: Context, values: str, kind: type) -> None:
    camera = Camera(8, 6, 8.0, 8.0, 3.5, 2.5)
    fusion = HeightMapFusion(context, camera, 0.5, (-1.0, 1.0, -1.0, 1.0))
    frame = {values: np.ones((6, 8) if values == "depth" else (6, 8, 3), kind)}
    with pytest.raises(InputError, match=f"{values}: received {np.dtype(kind)}, expected"):
        fusion.integrate(np.eye(4), **frame)
    fusion.release()


class TestReached:
    """Which vertices a frame may say something about."""

    grid = Grid.covering((-10.0, 10.0, -8.0, 8.0), 0.02, se3.exp([0.1, -0.2, 0.3, 0.02, -0.03, 0.4]))
    camera = camera_of(96)
    oblique = grid.T_world_map @ se3.look_at((0.3, 0.2, 1.0), (0.9, -0.4, 0.0), (0, 0, 1))

    def test_all_points_are_inside_and_little_else_is(self) -> None:
        depth = np.random.default_rng(0).uniform(0.5, 2.0, self.camera.shape).astype(np.float32)
        depth[:, :20] = 0
        patch = self.grid.reached(self.camera, self.oblique, depth)
        assert patch is not None
        rows, cols = np.nonzero(np.isfinite(self.grid.means(self.camera, self.oblique, depth)[..., 0]))
        tight = Patch(int(rows.min()), int(rows.max()) + 1, int(cols.min()), int(cols.max()) + 1)
        assert Patch.hull([patch, tight]) == patch
        assert patch.shape[0] < tight.shape[0] + 48
        assert patch.shape[1] < tight.shape[1] + 48

    def test_the_map_ends_it(self) -> None:
        depth = np.full(self.camera.shape, 1.5, np.float32)
        depth[40:] = 1e6
        patch = self.grid.reached(self.camera, self.oblique, depth)
        assert patch is not None
        whole = Patch.whole(self.grid.shape)
        assert Patch.hull([patch, whole]) == whole

    def test_nothing_is_reached_by_nothing(self) -> None:
        depth = np.zeros(self.camera.shape, np.float32)
        assert self.grid.reached(self.camera, self.oblique, depth) is None
        elsewhere = se3.look_at((50.0, 0.0, 1.0), (50.0, 0.0, 0.0), (0, 1, 0))
        assert self.grid.reached(self.camera, elsewhere, np.ones(self.camera.shape, np.float32)) is None

    def test_its_grid_is_a_part_of_the_whole(self) -> None:
        patch = Patch(100, 160, 20, 50)
        x, y = self.grid.surface(np.zeros(self.grid.shape)).axes()
        part = self.grid.part(patch)
        of_x, of_y = part.surface(np.zeros(part.shape)).axes()
        np.testing.assert_allclose(of_x, x[20:50], atol=1e-12)
        np.testing.assert_allclose(of_y, y[100:160], atol=1e-12)
