"""Frames of every kind: what they leave out stays out, what is wrong with them does no harm, or is told."""

import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from flights import Flight, fly, fused, rough_ground
from scipy.ndimage import binary_dilation

from glrender.errors import GLError, GlrenderError, InputError, LimitError, UsageError
from glrender.fusion.heightmap import HeightMapFusion
from glrender.fusion.options import FusionOptions
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context

ELSEWHERE = se3.look_at((50.0, 0.0, 1.0), (50.0, 0.0, 0.0), (0, 1, 0))


@pytest.fixture(scope="module")
def flight(context: Context) -> Flight:
    return fly(context, rough_ground())


@pytest.fixture(scope="module")
def found(context: Context, flight: Flight) -> HeightMap:
    """The map of `flight`, from depth alone."""
    fusion = flight.fusion(context)
    result = fused(fusion, flight)
    fusion.release()
    return result


@pytest.fixture(autouse=True)
def _no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def rms_error(found: HeightMap, flight: Flight) -> float:
    return float(np.sqrt(np.nanmean(np.square(found.heights - flight.truth.heights))))


class TestObserved:
    def test_what_nobody_saw_is_nan(self, fusion: HeightMapFusion, flight: Flight) -> None:
        """Depth of the left half of one image alone: the rest of the map stays empty, though it has a height inside."""
        depth = flight.depths[5].copy()
        depth[:, 40:] = 0
        report = fusion.integrate(flight.poses[5], depth=depth)
        found = fusion.map()
        seen = np.isfinite(fusion.grid.means(flight.camera, flight.poses[5], depth)[..., 0])
        known = np.isfinite(found.heights)
        assert report.seeded == np.count_nonzero(seen)
        assert 0.05 < known.mean() < 0.5
        # A pixel says something about the three vertices around it.
        assert not (known & ~binary_dilation(seen, np.ones((3, 3)))).any()
        assert (seen & ~known).sum() < 0.1 * seen.sum()
        np.testing.assert_array_equal(known, np.isfinite(found.sigma))
        assert (known ^ fusion.observed).mean() < 0.01, "but for what the last linearisation changes"
        assert np.isfinite(fusion.surface.heights).all()

    @pytest.mark.parametrize("slope_sigma", [1e-3, 0.1])
    def test_a_strong_prior_makes_no_cell_observed(self, context: Context, flight: Flight, slope_sigma: float) -> None:
        weak, strong = (flight.fusion(context, slope_sigma=sigma) for sigma in (1.0, slope_sigma))
        for fusion in (weak, strong):
            fusion.integrate(flight.poses[5], depth=flight.depths[5])
        assert not (strong.observed & ~weak.observed).any()
        assert strong.observed.sum() < weak.observed.sum()
        weak.release()
        strong.release()

    def test_one_reading_seeds_one_cell(self, fusion: HeightMapFusion, flight: Flight) -> None:
        depth = np.zeros(flight.camera.shape)
        depth[36, 48] = flight.depths[5][36, 48]
        assert fusion.integrate(flight.poses[5], depth=depth).seeded == 1
        ray = flight.camera.rays()[36, 48] * depth[36, 48]
        x, y, z = (flight.poses[5] @ [*ray, 1])[:3]
        j, i = np.rint(np.array([x, y]) / flight.truth.spacing).astype(int)
        assert np.count_nonzero(fusion.observed) <= 3
        assert abs(fusion.surface.heights[i, j] - z) < 0.01
        np.testing.assert_allclose(fusion.surface.heights, z, atol=0.02, err_msg="the nearest seed where there is none")

    def test_seeds_are_right_before_the_first_step(self, context: Context, flight: Flight) -> None:
        """The first frame finds a map that is already within what a cell is rough."""
        fusion = flight.fusion(context)
        report = fusion.integrate(flight.poses[5], depth=flight.depths[5])
        assert report.seeded > 100
        assert report.median_abs_residual < 0.01
        assert report.measured == report.used + report.rejected
        assert report.measured > 0.9 * (flight.depths[5] > 0).sum()
        again = fusion.integrate(flight.poses[5], depth=flight.depths[5])
        assert again.seeded == 0
        assert abs(again.median_residual) < abs(report.median_abs_residual)
        fusion.release()


class TestFramesThatSayNothing:
    def unchanged_by(
        self, fusion: HeightMapFusion, flight: Flight, found: HeightMap, add: Callable[[], object]
    ) -> None:
        """`add` in the middle of a flight leaves the map what it is without."""
        for k, (pose, depth) in enumerate(zip(flight.poses, flight.depths, strict=True)):
            if k == 4:
                add()
            fusion.integrate(pose, depth=depth)
        after = fusion.map()
        np.testing.assert_array_equal(np.isfinite(after.heights), np.isfinite(found.heights))
        # It takes a place in the window, so that others are linearised a frame earlier.
        assert np.nanmax(np.abs(after.heights - found.heights) / found.sigma) < 1
        assert np.nanmedian(np.abs(after.heights - found.heights) / found.sigma) < 0.05
        np.testing.assert_allclose(np.nanmedian(after.sigma), np.nanmedian(found.sigma), rtol=0.01)

    @pytest.mark.parametrize("nothing", [0.0, np.nan, np.inf, -np.inf, -1.0, np.finfo(np.float32).max])
    def test_no_depth_anywhere(self, fusion: HeightMapFusion, flight: Flight, found: HeightMap, nothing: float) -> None:
        told = "their median is 3.40282e+38 m" if 0 < nothing < np.inf else "no depth was measured"
        depth = np.full(flight.camera.shape, nothing, np.float32)

        def add() -> None:
            report = fusion.integrate(flight.poses[4], depth=depth)
            assert (report.measured, report.used, report.rejected, report.seeded) == (0, 0, 0, 0)
            assert np.isnan(report.median_residual)
            assert told in (report.nothing_because or "")

        self.unchanged_by(fusion, flight, found, add)

    def test_a_view_of_somewhere_else(self, fusion: HeightMapFusion, flight: Flight, found: HeightMap) -> None:
        def add() -> None:
            report = fusion.integrate(ELSEWHERE, depth=np.ones(flight.camera.shape))
            assert (report.measured, report.seeded) == (0, 0)
            assert "no depth falls on the map: their median is 1 m" in (report.nothing_because or "")

        self.unchanged_by(fusion, flight, found, add)

    def test_nothing_but_such_frames(self, fusion: HeightMapFusion, flight: Flight) -> None:
        for _ in range(8):
            fusion.integrate(ELSEWHERE, depth=np.ones(flight.camera.shape))
        assert np.isnan(fusion.map().heights).all()

    def test_millimetres(self, fusion: HeightMapFusion, flight: Flight) -> None:
        report = fusion.integrate(flight.poses[0], depth=np.full(flight.camera.shape, 800.0))
        assert "no depth falls on the map: their median is 800 m; check their unit" in (report.nothing_because or "")

    def test_a_camera_below_the_ground(self, fusion: HeightMapFusion, flight: Flight) -> None:
        """As one that looks up from below would see it, where the world's z points down."""
        upside_down = np.diag([1.0, -1.0, -1.0, 1.0])
        upside_down[1, 3] = 2 * flight.poses[4][1, 3]
        report = fusion.integrate(upside_down @ flight.poses[4], depth=flight.depths[4])
        assert "does not see the upper side" in (report.nothing_because or "")
        untold = np.full(flight.depths[0].shape, np.inf)
        report = fusion.integrate(flight.poses[0], depth=flight.depths[0], depth_sigma=untold)
        assert report.nothing_because == "no depth has a sigma that is finite"

    def test_what_says_something_has_no_reason(self, context: Context, flight: Flight) -> None:
        fusion = flight.fusion(context)
        assert fusion.integrate(flight.poses[0], depth=flight.depths[0]).nothing_because is None
        assert fusion.integrate(ELSEWHERE, image=flight.images[0]).nothing_because is None, "no depth was asked for"
        fusion.release()

    def test_every_pixel_rejected(self, context: Context, flight: Flight) -> None:
        """Where every view counts as grazing, frames seed but say nothing."""
        fusion = flight.fusion(context, max_depth_slope=1e-3)
        for pose, depth in zip(flight.poses, flight.depths, strict=True):
            report = fusion.integrate(pose, depth=depth)
            assert report.used == 0
            assert report.rejected == report.measured > 0
        assert np.isnan(fusion.map().heights).all()
        fusion.release()

    @pytest.mark.parametrize("nothing", [0.0, np.nan, np.inf, np.finfo(np.float32).max])
    def test_pixels_without_depth(self, context: Context, flight: Flight, nothing: float) -> None:
        """What the sensor writes where it measured nothing makes no difference."""
        maps = []
        for value in (0.0, nothing):
            depths = flight.depths.copy()
            depths[np.random.default_rng(1).uniform(size=depths.shape) < 0.3] = value
            fusion = flight.fusion(context)
            maps.append(fused(fusion, replace(flight, depths=depths)))
            fusion.release()
        np.testing.assert_array_equal(maps[0].heights, maps[1].heights)


class TestOutliers:
    @pytest.mark.parametrize("when", [0, 3, 11], ids=["first frame", "a frame within", "last frame"])
    def test_something_passes_by(self, context: Context, when: int) -> None:
        """A blob 0.2 m above the ground in one frame leaves no dent, even where it was the first thing seen."""
        flight = fly(context, rough_ground(), path="orbit")
        undisturbed = flight.fusion(context)
        found = fused(undisturbed, flight)
        undisturbed.release()
        depths = flight.depths.copy()
        blob = depths[when, 20:50, 30:65]
        depths[when, 20:50, 30:65] = np.where(blob > 0, blob - 0.2, 0)
        fusion = flight.fusion(context)
        dented = fused(fusion, replace(flight, depths=depths))
        fusion.release()
        both = np.isfinite(dented.heights) & np.isfinite(found.heights)
        assert both.mean() > 0.97 * np.isfinite(found.heights).mean()
        assert rms_error(dented, flight) < 1.15 * rms_error(found, flight)
        assert np.nanmax(np.abs(dented.heights - flight.truth.heights)) < 0.05

    def test_flying_pixels(self, context: Context, flight: Flight, found: HeightMap) -> None:
        """Two per cent of the readings are anywhere."""
        rng = np.random.default_rng(2)
        depths = flight.depths.copy()
        wrong = (rng.uniform(size=depths.shape) < 0.02) & (depths > 0)
        depths[wrong] = rng.uniform(0.2, 2.0, np.count_nonzero(wrong))
        fusion = flight.fusion(context)
        result = fused(fusion, replace(flight, depths=depths))
        fusion.release()
        assert np.nanmedian(np.abs(result.heights - flight.truth.heights)) < 1.2 * np.nanmedian(
            np.abs(found.heights - flight.truth.heights)
        )


class TestArguments:
    def test_neither_image_nor_depth(self, fusion: HeightMapFusion, flight: Flight) -> None:
        with pytest.raises(UsageError, match="neither image nor depth; give at least one"):
            fusion.integrate(flight.poses[0])

    @pytest.mark.parametrize(
        ("name", "value", "told"),
        [
            ("depth", np.ones((72, 95)), r"depth: received shape \(72, 95\), expected \(72, 96\)"),
            ("depth", np.ones((72, 96, 1)), r"depth: received shape \(72, 96, 1\)"),
            ("depth", "far", "depth: cannot be read as an array of float32"),
            ("image", np.ones((72, 96)), r"image: received shape \(72, 96\), expected \(72, 96, any\)"),
            ("image", np.ones((96, 72, 3)), r"image: received shape \(96, 72, 3\)"),
            ("image", np.ones((72, 96, 2)), "received an image of 2 channels, expected 1"),
            ("image", np.ones((72, 96, 0)), "received an image of 0 channels, expected 1"),
            (
                "image",
                np.full((72, 96, 3), 255.0),
                "image: most values are above 2, up to 255; expected linear",
            ),
            ("T_world_camera", np.ones((4, 4)), "T_world_camera: expected a rigid 4x4 transformation"),
            ("T_world_camera", np.full((4, 4), np.nan), "T_world_camera: 16 of 16 values are NaN"),
            ("T_world_camera", np.eye(3), r"T_world_camera: received shape \(3, 3\)"),
        ],
    )
    def test_wrong_ones_are_refused_and_change_nothing(
        self, context: Context, flight: Flight, found: HeightMap, name: str, value: object, told: str
    ) -> None:
        fusion = flight.fusion(context)
        good = {"T_world_camera": flight.poses[0], "depth": flight.depths[0], "image": flight.images[0]}
        with pytest.raises(InputError, match=told):
            fusion.integrate(**{**good, name: value})
        np.testing.assert_array_equal(fused(fusion, flight).heights, found.heights)
        fusion.release()

    def test_other_channels_than_before(self, fusion: HeightMapFusion, flight: Flight) -> None:
        fusion.integrate(flight.poses[0], depth=flight.depths[0], image=flight.images[0])
        grey = flight.images[1].mean(axis=-1, keepdims=True)
        with pytest.raises(UsageError, match="received an image of 1 channels, but images before had 3"):
            fusion.integrate(flight.poses[1], depth=flight.depths[1], image=grey)

    def test_the_callers_arrays_are_its_own(self, context: Context, flight: Flight) -> None:
        """One buffer for all frames, as a camera driver has it, gives what separate arrays give."""
        kept, reused = flight.fusion(context), flight.fusion(context)
        pose, depth, image = np.eye(4), np.zeros_like(flight.depths[0]), np.zeros_like(flight.images[0])
        for k in range(len(flight.poses)):
            pose[:], depth[:], image[:] = flight.poses[k], flight.depths[k], flight.images[k]
            reused.integrate(pose, depth=depth, image=image)
            pose[:3, 3], depth[:], image[:] = 7.0, 1.0, 0.0
            kept.integrate(flight.poses[k], depth=flight.depths[k], image=flight.images[k])
        expected, result = kept.map(), reused.map()
        np.testing.assert_array_equal(result.heights, expected.heights)
        np.testing.assert_array_equal(result.colors, expected.colors)
        kept.release()
        reused.release()

    def test_highlights_may_be_bright(self, fusion: HeightMapFusion, flight: Flight) -> None:
        image = flight.images[0].copy()
        image[: len(image) // 3] *= 100
        image[-5:] = np.nan
        fusion.integrate(flight.poses[0], depth=flight.depths[0], image=image)

    def test_other_kinds_of_arrays(self, context: Context, flight: Flight, found: HeightMap) -> None:
        fusion = flight.fusion(context)
        for pose, depth in zip(flight.poses, flight.depths, strict=True):
            fusion.integrate(pose.tolist(), depth=np.asfortranarray(depth.astype(np.float64)))
        np.testing.assert_array_equal(fusion.map().heights, found.heights)
        fusion.release()

    def test_after_its_release(self, context: Context, flight: Flight) -> None:
        fusion = flight.fusion(context)
        fusion.integrate(flight.poses[0], depth=flight.depths[0])
        fusion.release()
        fusion.release()
        with pytest.raises(GLError, match="released"):
            fusion.integrate(flight.poses[1], depth=flight.depths[1])
        with pytest.raises(GLError, match="released"):
            fusion.map()

    def test_after_a_block_of_its_own(self, context: Context, flight: Flight) -> None:
        before = context.live_objects
        with pytest.raises(InputError, match="depth"), flight.fusion(context, heights_from="both") as fusion:
            fusion.integrate(flight.poses[0], depth=flight.depths[0], image=flight.images[0])
            fusion.integrate(flight.poses[0], depth=flight.depths[0][1:])
        assert context.live_objects == before
        with pytest.raises(GLError, match="released"):
            fusion.map()

    def test_from_another_thread(self, context: Context, flight: Flight) -> None:
        """As renderers refuse it, also where no OpenGL is asked; what is known already may be."""
        fusion = flight.fusion(context, equations="host")
        fusion.integrate(flight.poses[0], depth=flight.depths[0])
        with ThreadPoolExecutor(1) as other:
            with pytest.raises(GLError, match="made in another thread"):
                other.submit(fusion.integrate, flight.poses[1], depth=flight.depths[1]).result()
            with pytest.raises(GLError, match="made in another thread"):
                other.submit(fusion.map).result()
            rescued = other.submit(fusion.rescued_map).result()
        np.testing.assert_array_equal(rescued.heights, fusion.rescued_map().heights)
        assert np.isfinite(fusion.map().heights).any()
        fusion.release()


class TestWhatItIsMadeOf:
    @pytest.mark.parametrize(
        ("options", "told"),
        [
            ({"bounds": (1, 0, 0, 1)}, r"bounds: received \(1, 0, 0, 1\), expected x0 < x1 and y0 < y1"),
            ({"bounds": (0, 1, 1, 1)}, "expected x0 < x1 and y0 < y1"),
            ({"bounds": (0, 1, 2)}, r"bounds: received shape \(3,\), expected \(4\)"),
            ({"bounds": (0, 1, 0, np.nan)}, "bounds: 1 of 4 values are NaN"),
            ({"bounds": (-1e308, 1e308, 0, 1)}, "which no map has the vertices for"),
            ({"spacing": 0}, "spacing: received 0"),
            ({"spacing": -0.1}, "spacing: received -0.1"),
            ({"spacing": np.nan}, "spacing: received nan"),
            ({"spacing": 1e-200}, "spacing: received 1e-200"),
            ({"spacing": 1e-12}, "which no map has the vertices for"),
            ({"T_world_map": 2 * np.eye(4)}, "T_world_map: expected a rigid"),
            ({"T_world_map": np.diag([1, 1, -1, 1])}, "T_world_map: expected a rigid"),
            ({"options": {}}, "options: received dict, expected FusionOptions"),
        ],
    )
    def test_wrong_ones_are_refused(
        self, context: Context, flight: Flight, options: dict[str, object], told: str
    ) -> None:
        before = context.live_objects
        with pytest.raises(InputError, match=told):
            HeightMapFusion(context, flight.camera, **options)  # type: ignore[arg-type]
        assert context.live_objects == before

    def test_a_map_too_large_for_the_gpu(
        self, context: Context, flight: Flight, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is refused before anything of its size is made: on the host it would be some 10 GB a row of bricks."""
        largest = context.limits.max_texture_size
        made: list[tuple[int, ...]] = []
        zeros = np.zeros
        monkeypatch.setattr(np, "zeros", lambda shape, *a, **k: (made.append(shape), zeros(shape, *a, **k))[1])
        before = context.live_objects
        with pytest.raises(LimitError, match=f"height map: received {largest + 1} x 11, but textures of .* end at"):
            HeightMapFusion(context, flight.camera, 0.1, (0, largest / 10, 0, 1))
        assert made == []
        assert context.live_objects == before

    def test_the_smallest_map(self, context: Context) -> None:
        camera = Camera(8, 6, 8.0, 8.0, 3.5, 2.5)
        fusion = HeightMapFusion(context, camera, 1.0, (-0.5, 0.5, -0.5, 0.5))
        fusion.integrate(se3.look_at((0, 0, 1), (0, 0, 0), (0, 1, 0)), depth=np.ones(camera.shape))
        found = fusion.map()
        assert found.shape == (2, 2)
        np.testing.assert_allclose(found.heights, 0, atol=1e-6)
        fusion.release()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pose_sigma": (0.01, 0.1)}, r"pose_sigma: received \(0.01, 0.1\), expected glrender.PoseSigma"),
        ({"depth_noise": (0.01, 0.1)}, r"depth_noise: received \(0.01, 0.1\), expected glrender.DepthNoise"),
        ({"depth_loss": "huber"}, r"depth_loss: received 'huber', expected Squared\(\), Huber\(k\), Cauchy\(k\)"),
        ({"color_loss": None}, "color_loss: received None, expected Squared"),
        ({"color_noise": -1}, "color_noise: received -1, expected a finite number greater than 0"),
        ({"max_depth_slope": np.nan}, "max_depth_slope: received nan"),
        ({"slope_sigma": 0}, "slope_sigma: received 0"),
        ({"step_slope": np.nan}, "step_slope: received nan, expected a number greater than 0, or inf"),
        ({"observed_ratio": -1}, "observed_ratio: received -1"),
        ({"window": -1}, "window: received -1, expected a whole number of at least 0"),
        ({"intrinsics_covariance": np.eye(3)}, r"intrinsics_covariance: received shape \(3, 3\), expected \(4, 4\)"),
        ({"intrinsics_covariance": np.eye(4) * np.nan}, "intrinsics_covariance: 16 of 16 values are NaN"),
        ({"intrinsics_covariance": -np.eye(4)}, "intrinsics_covariance: expected a symmetric matrix with no variance"),
        ({"intrinsics_covariance": np.ones((4, 4)) - 0.5 * np.eye(4)}, "intrinsics_covariance: expected a symmetric"),
        ({"intrinsics_covariance": 1e-9 * np.tri(4)}, "intrinsics_covariance: expected a symmetric matrix"),
        ({"intrinsics_covariance": np.tri(4)}, "intrinsics_covariance: expected a symmetric matrix"),
        ({"equations": "cloud"}, "equations: received 'cloud', expected one of 'gpu', 'host'"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(GlrenderError, match=message):
        FusionOptions(**options)
