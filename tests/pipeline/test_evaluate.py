"""Maps are judged by a truth on any grid, and by the depth of frames: errors that were put in are found."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from glrender.errors import InputError, UsageError
from glrender.fusion.noise import DepthNoise
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.io.sequence import Sequence
from glrender.io.sequence_folder import open_sequence
from glrender.io.sequence_writer import SequenceWriter
from glrender.io.trajectory import Trajectory
from glrender.pipeline.evaluate import FrameEvaluation, Protocol, evaluate_against_frames, evaluate_against_truth

RNG = np.random.default_rng(5)
ROUGH = HeightMap(0.1 * RNG.normal(size=(21, 31)), 0.05, (-0.5, 0.2))


def turned(degrees: float, translation: tuple[float, float, float] = (0.0, 0.0, 0.0), axis: int = 2) -> np.ndarray:
    T = se3.exp(np.radians(degrees) * np.eye(6)[3 + axis])
    T[:3, 3] = translation
    return T


def inclined(shape: tuple[int, int], spacing: float, origin: tuple[float, float], pose: np.ndarray) -> HeightMap:
    """The world's plane z = 0.3 x - 0.2 y + 1 on a grid of the map frame `pose`, turned about the vertical."""
    grid = HeightMap(np.zeros(shape), spacing, origin, T_world_map=pose)
    x, y, z = (grid.vertices() @ pose[:3, :3].T + pose[:3, 3]).T
    return replace(grid, heights=(0.3 * x - 0.2 * y + 1 - z).reshape(shape))


class TestTruth:
    def test_on_the_same_grid(self) -> None:
        error = 0.01 * RNG.normal(size=ROUGH.shape) + 0.004
        sigma = RNG.uniform(0.001, 0.02, ROUGH.shape)
        found = evaluate_against_truth(replace(ROUGH, heights=ROUGH.heights + error, sigma=sigma), ROUGH)
        np.testing.assert_allclose(found.height_errors, error, atol=1e-12)
        assert found.completeness == 1
        assert found.summary.count == error.size
        assert found.summary.offset_mm == pytest.approx(1000 * error.mean())
        assert found.summary.rmse_mm == pytest.approx(1000 * np.sqrt(np.mean(error**2)))
        assert found.summary.within_1_sigma == pytest.approx((np.abs(error) < sigma).mean())

    def test_the_truth_is_the_surface_of_its_triangles(self) -> None:
        corners = ROUGH.vertices()[ROUGH.triangles]
        middles = corners[::2].mean(axis=1)  # of the lower-left half of every quad
        heights = middles[:, 2].reshape(20, 30)
        fine = HeightMap(heights, 0.05, tuple(middles[0, :2]))
        assert np.abs(evaluate_against_truth(fine, ROUGH).height_errors).max() < 1e-12

    @pytest.mark.parametrize("spacing", [0.03, 0.08])
    def test_on_another_grid_shifted_lifted_and_turned(self, spacing: float) -> None:
        truth = inclined((40, 40), 0.05, (-1.0, -1.0), turned(-20, (0.1, 0.2, 5.0)))
        estimate = inclined((12, 9), spacing, (-0.2, -0.3), turned(33, (0.3, 0.1, -2.0)))
        found = evaluate_against_truth(replace(estimate, heights=estimate.heights - 0.007), truth)
        np.testing.assert_allclose(found.height_errors, -0.007, atol=1e-12)
        covered = 11 * 8 * spacing**2 / (39 * 0.05) ** 2
        assert found.completeness == pytest.approx(covered, rel=0.15)

    def test_far_from_the_origin(self) -> None:
        truth = replace(ROUGH, origin=(500_000.02, 4_100_000.01))
        assert np.abs(evaluate_against_truth(truth, truth).height_errors).max() < 1e-8

    def test_completeness_is_of_the_truth(self) -> None:
        heights, known = ROUGH.heights.copy(), ROUGH.heights.copy()
        heights[:, :10] = np.nan
        known[:10] = np.nan
        found = evaluate_against_truth(replace(ROUGH, heights=heights), replace(ROUGH, heights=known))
        assert found.completeness == pytest.approx(21 / 31)
        assert found.summary.count == 11 * 21
        part = HeightMap(ROUGH.heights[:5, :4], ROUGH.spacing, ROUGH.origin)
        assert evaluate_against_truth(part, ROUGH).completeness == pytest.approx(20 / (21 * 31))
        assert evaluate_against_truth(ROUGH, part).completeness == 1

    def test_without_sigma_nothing_is_said_about_it(self) -> None:
        assert np.isnan(evaluate_against_truth(ROUGH, ROUGH).summary.within_1_sigma)

    def test_a_tilted_map_is_refused(self) -> None:
        truth = HeightMap(np.zeros((9, 9)), 0.1)
        slight = replace(truth, T_world_map=turned(0.5, axis=0))
        error = evaluate_against_truth(slight, truth).height_errors
        assert np.nanmax(error) == pytest.approx(0.8 * np.sin(np.radians(0.5)))
        with pytest.raises(InputError, match="differ by 2.00 degrees, expected at most 1"):
            evaluate_against_truth(replace(truth, T_world_map=turned(2, axis=0)), truth)
        with pytest.raises(InputError, match="180.00 degrees"):
            evaluate_against_truth(replace(truth, T_world_map=turned(180, axis=0)), truth)

    def test_maps_that_cannot_be_judged(self) -> None:
        empty = replace(ROUGH, heights=np.full(ROUGH.shape, np.nan))
        with pytest.raises(InputError, match="map: every height is NaN"):
            evaluate_against_truth(empty, ROUGH)
        with pytest.raises(InputError, match="truth: every height is NaN"):
            evaluate_against_truth(ROUGH, empty)
        with pytest.raises(InputError, match="do not overlap: the map covers x 9.5 to 11"):
            evaluate_against_truth(replace(ROUGH, origin=(9.5, 0.0)), ROUGH)


CAMERA = Camera(41, 31, 36.0, 38.0, 19.0, 16.0)
SLOPE, SCALE = 0.25, 20000.0
GROUND = HeightMap(np.tile(SLOPE * (0.05 * np.arange(61) - 1.5), (41, 1)), 0.05, (-1.5, -1.0))
"""The plane z = SLOPE x."""
QUIET = Protocol(depth_noise=DepthNoise(1e-6, 0.0))


def poses(times: np.ndarray) -> np.ndarray:
    """Cameras that sink, drive along x and look down, a little forwards."""
    down = turned(180, axis=0) @ turned(20, axis=1)
    return np.stack([turned(0, (0.5 * t - 0.2, 0.0, 1.2 - 0.1 * t)) @ down for t in times])


def depth_of_ground(camera: Camera, T_world_camera: np.ndarray) -> np.ndarray:
    rays = camera.rays() @ T_world_camera[:3, :3].T
    x, _, z = T_world_camera[:3, 3]
    return (SLOPE * x - z) / (rays[..., 2] - SLOPE * rays[..., 0])


def recorded(folder: Path, noise: DepthNoise | None = None, camera: Camera = CAMERA, clock: float = 0.0) -> Sequence:
    """Ten frames of the plane, 0.1 s apart, whose poses are later than they say by `clock` seconds."""
    times = 0.1 * np.arange(10)
    writer = SequenceWriter(folder, CAMERA, SCALE)
    for time, pose in zip(times, poses(times), strict=True):
        depth = depth_of_ground(camera, pose)
        if noise is not None:
            depth = depth + noise.sigma(depth) * RNG.normal(size=depth.shape)
        writer.add(time, None, depth)
    around = np.concatenate([[-1.0], times, [2.0]])
    writer.finish(Trajectory(around + clock, poses(around)))
    return open_sequence(folder)


@pytest.fixture(scope="module")
def sequence(tmp_path_factory: pytest.TempPathFactory) -> Sequence:
    return recorded(tmp_path_factory.mktemp("plane"))


def judged(context: Context, estimate: HeightMap, sequence: Sequence, **protocol: object) -> FrameEvaluation:
    return evaluate_against_frames(context, estimate, sequence, "odd", replace(QUIET, **protocol))


class TestFrames:
    def test_the_true_map_is_right_at_every_pixel(self, context: Context, sequence: Sequence) -> None:
        found = judged(context, GROUND, sequence)
        assert (found.frames, found.pixels, found.skipped) == (5, 5 * 41 * 31, ())
        assert found.completeness == 1
        assert found.summary.rmse_mm < 0.02  # a count is 0.05 mm
        assert np.nanmax(np.abs(found.height_errors)) < 1e-4

    def test_a_map_that_is_too_low_is_too_far_away(self, context: Context, sequence: Sequence) -> None:
        low = replace(GROUND, heights=GROUND.heights - 0.01)
        found = judged(context, low, sequence)
        errors = [
            depth_of_ground(CAMERA, turned(0, (0, 0, 0.01)) @ pose) - depth_of_ground(CAMERA, pose)
            for pose in poses(0.1 * np.arange(1, 10, 2))
        ]
        assert found.summary.offset_mm == pytest.approx(1000 * np.mean(errors), abs=0.01)
        assert found.summary.offset_mm > 9
        known = np.isfinite(found.height_errors)
        np.testing.assert_allclose(found.height_errors[known], -0.01, atol=1e-4)

    def test_sigma_is_projected_to_depth(self, context: Context, sequence: Sequence) -> None:
        """A map whose heights are all wrong by its sigma has depths that are all wrong by theirs."""
        wrong = replace(GROUND, heights=GROUND.heights + 0.002, sigma=np.full(GROUND.shape, 0.002))
        found = judged(context, wrong, sequence)
        assert found.map_sigma_median_mm == pytest.approx(found.summary.median_abs_mm, rel=0.01)
        assert found.sensor_sigma_median_mm == pytest.approx(0.001, rel=1e-3)
        for factor, within in ((0.97, 0), (1.03, 1)):
            claim = replace(wrong, sigma=factor * wrong.sigma)
            assert judged(context, claim, sequence).summary.within_1_sigma == pytest.approx(within, abs=0.02)

    def test_map_and_sensor_noise_add_in_squares(self, context: Context, tmp_path: Path) -> None:
        noise = DepthNoise(0.002, 0.002)
        sequence = recorded(tmp_path, noise)
        exact = replace(GROUND, sigma=np.zeros(GROUND.shape))
        found = judged(context, exact, sequence, depth_noise=noise)
        for part in (found.summary, *found.summary.sigma_quartiles):
            assert (part.within_1_sigma, part.within_2_sigma) == pytest.approx((0.683, 0.954), abs=0.04)
        both = judged(context, replace(GROUND, sigma=np.full(GROUND.shape, 0.004)), sequence, depth_noise=noise)
        expected = np.hypot(both.map_sigma_median_mm, both.sensor_sigma_median_mm)
        assert both.summary.sigma_median_mm == pytest.approx(expected, rel=0.03)

    def test_unknown_sigma_counts_nowhere(self, context: Context, sequence: Sequence) -> None:
        assert np.isnan(judged(context, GROUND, sequence).summary.within_1_sigma)
        half = np.full(GROUND.shape, 0.003)
        half[:20] = np.nan
        found = judged(context, replace(GROUND, sigma=half), sequence)
        assert found.summary.within_1_sigma == 1
        assert sum(quartile.count for quartile in found.summary.sigma_quartiles) < 0.7 * found.pixels

    def test_step_takes_every_nth_pixel_from_the_first(self, context: Context, sequence: Sequence) -> None:
        found = judged(context, GROUND, sequence, step=3)
        assert found.pixels == 5 * 14 * 11
        assert found.summary.rmse_mm < 0.02

    def test_only_what_lies_in_region_and_range_is_judged(self, context: Context, sequence: Sequence) -> None:
        region, depth_range = (-0.1, 0.3, -0.2, 0.25, -0.01, 1.0), (1.0, 1.2)
        expected = 0
        for pose in poses(0.1 * np.arange(1, 10, 2)):
            depth = depth_of_ground(CAMERA, pose)
            points = (CAMERA.rays() * depth[..., None]) @ pose[:3, :3].T + pose[:3, 3]
            inside = ((points > region[::2]) & (points < region[1::2])).all(axis=-1)
            expected += np.count_nonzero(inside & (depth > 1.0) & (depth < 1.2))
        assert expected > 500
        found = judged(context, GROUND, sequence, region=region, depth_range=depth_range)
        assert found.pixels == pytest.approx(expected, abs=3)
        x, y = np.meshgrid(*GROUND.axes())
        outside = (x < -0.13) | (x > 0.33) | (y < -0.23) | (y > 0.28)
        assert np.isnan(found.height_errors[outside]).all()
        elsewhere = replace(GROUND, heights=np.where(outside, GROUND.heights + 0.1, GROUND.heights))
        assert judged(context, elsewhere, sequence, region=(-0.05, 0.25, -0.15, 0.2, -1, 1)).summary.rmse_mm < 0.02

    def test_the_region_is_of_the_world(self, context: Context, sequence: Sequence) -> None:
        turn = turned(90, (0.0, 0.0, 0.0))
        x, _, _ = (GROUND.vertices() @ turn[:3, :3].T).T  # the same plane on a grid whose x axis is the world's y
        other = HeightMap((SLOPE * x).reshape(GROUND.shape), 0.05, GROUND.origin, T_world_map=turn)
        region = (-0.1, 0.3, -0.2, 0.25, -1.0, 1.0)
        one, two = (judged(context, surface, sequence, region=region) for surface in (GROUND, other))
        assert two.pixels == one.pixels
        assert two.summary.rmse_mm < 0.02
        assert np.nanmax(np.abs(two.height_errors)) < 1e-4

    def test_completeness_is_of_the_judged_pixels(self, context: Context, sequence: Sequence) -> None:
        heights = GROUND.heights.copy()
        heights[:, GROUND.axes()[0] > 0.21] = np.nan
        cut = replace(GROUND, heights=heights)
        found = judged(context, cut, sequence)
        assert found.completeness == pytest.approx(found.summary.count / found.pixels)
        assert 0.2 < found.completeness < 0.8
        assert judged(context, cut, sequence, region=(-1.0, 0.2, -1.0, 1.0, -1.0, 1.0)).completeness == 1

    def test_clock_and_camera_may_be_others_than_the_files_say(self, context: Context, tmp_path: Path) -> None:
        camera = replace(CAMERA, fx=40.0, cx=20.5)
        sequence = recorded(tmp_path, camera=camera, clock=0.05)
        assert judged(context, GROUND, sequence).summary.rmse_mm > 3
        late = replace(QUIET, time_offset=0.05)
        found = evaluate_against_frames(context, GROUND, sequence.with_camera(camera), "even", late)
        assert found.summary.rmse_mm < 0.02
        assert found.frame_offset_rms_mm < 0.02

    def test_frame_offsets_are_what_frames_have_in_common(self, context: Context, tmp_path: Path) -> None:
        found = judged(context, GROUND, recorded(tmp_path, clock=0.04))
        # The camera sinks by 4 mm in that time and drives 20 mm, along which the ground rises by 5.
        assert found.frame_offset_rms_mm == pytest.approx(9, rel=0.15)

    def test_frames_that_cannot_be_judged_are_told_of(self, context: Context, tmp_path: Path) -> None:
        recorded(tmp_path)
        (tmp_path / "depth/0.100000.png").unlink()
        damaged = tmp_path / "depth/0.300000.png"
        damaged.write_bytes(damaged.read_bytes()[:60])
        lines = (tmp_path / "groundtruth.txt").read_text().splitlines()
        (tmp_path / "groundtruth.txt").write_text("\n".join(line for line in lines if not line.startswith("2.0")))
        seen = []
        sequence = open_sequence(tmp_path)
        late = replace(QUIET, time_offset=0.15)
        found = evaluate_against_frames(context, GROUND, sequence, "odd", late, advance=lambda *step: seen.append(step))
        assert [(skipped.index, skipped.reason.split(":")[0]) for skipped in found.skipped] == [
            (1, "no such file"),
            (9, "no pose"),
            (3, str(damaged)),
        ]
        assert found.frames == 2
        assert seen == [(1, 3), (2, 3), (3, 3)]

    @pytest.mark.parametrize(
        ("estimate", "protocol", "message"),
        [
            (replace(GROUND, heights=np.full(GROUND.shape, np.nan)), {}, "map: every height is NaN"),
            (GROUND, {"region": (5, 6, 5, 6, 5, 6)}, "6355 of them in the depth range and none of these in the region"),
            (GROUND, {"depth_range": (7, 8)}, "6355 pixels measured a depth, 0 of them in the depth range"),
            (replace(GROUND, origin=(50.0, 0.0)), {}, "none of the 6355 judged pixels sees the map"),
            (GROUND, {"time_offset": 60.0}, "no frame lies within the trajectory"),
        ],
    )
    def test_nothing_to_judge(
        self, context: Context, sequence: Sequence, estimate: HeightMap, protocol: dict[str, object], message: str
    ) -> None:
        alive = context.live_objects
        with pytest.raises(InputError, match=message):
            judged(context, estimate, sequence, **protocol)
        assert context.live_objects == alive

    def test_no_frame_is_selected(self, context: Context, sequence: Sequence) -> None:
        with pytest.raises(UsageError, match="selects none of the 10 frames"):
            evaluate_against_frames(context, GROUND, sequence, "50:", QUIET)

    def test_a_sequence_without_depth(self, context: Context, tmp_path: Path) -> None:
        writer = SequenceWriter(tmp_path, CAMERA)
        writer.add(0.0, np.zeros((31, 41, 3)), None)
        writer.finish(Trajectory(np.zeros(1), poses(np.zeros(1))))
        with pytest.raises(InputError, match="no depth.txt"):
            evaluate_against_frames(context, GROUND, open_sequence(tmp_path), ":", QUIET)

    def test_every_file_damaged(self, context: Context, tmp_path: Path) -> None:
        recorded(tmp_path)
        sequence = open_sequence(tmp_path)
        for path in (tmp_path / "depth").iterdir():
            path.write_bytes(b"no picture")
        with pytest.raises(InputError, match="none of the 5 frames can be read"):
            judged(context, GROUND, sequence)

    def test_nothing_stays_in_the_context(self, context: Context, sequence: Sequence) -> None:
        alive = context.live_objects
        judged(context, GROUND, sequence)
        assert context.live_objects == alive
