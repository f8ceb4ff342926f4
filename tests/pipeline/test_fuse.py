"""A sequence becomes a height map: the map, and what is told about how it came to be."""

import shutil
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from flights import NOISE, Flight, fly, rough_ground

from glrender.errors import InputError, LimitError, UsageError
from glrender.fusion.options import FusionOptions
from glrender.fusion.shared_errors import UNKNOWN
from glrender.geometry import se3
from glrender.gl.context import Context
from glrender.io.images import FrameError
from glrender.io.report import KEYS, to_json
from glrender.io.sequence import Sequence, Skipped
from glrender.io.sequence_folder import open_sequence
from glrender.pipeline.fuse import SequenceOptions, fuse_sequence
from glrender.pipeline.outputs import FinishedMap
from glrender.pipeline.photographs import fuse_photographs
from glrender.pipeline.refined_depth import fuse_refined_depth
from glrender.pipeline.tracked_depth import fuse_tracked_depth
from glrender.pipeline.tracked_photographs import fuse_tracked_photographs

FRAMES = 12


@pytest.fixture(scope="module")
def flight(context: Context) -> Flight:
    return fly(context, rough_ground(), frames=FRAMES)


@pytest.fixture(scope="module")
def folder(flight: Flight, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return flight.write(tmp_path_factory.mktemp("flight"))


@pytest.fixture
def sequence(folder: Path) -> Sequence:
    return open_sequence(folder)


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """The same sequence, to be damaged."""
    return Path(shutil.copytree(folder, tmp_path / "copy"))


@pytest.fixture
def options(flight: Flight) -> SequenceOptions:
    """On the grid, and with the noise, of the truth."""
    fusion = FusionOptions(depth_noise=NOISE)
    return SequenceOptions(spacing=flight.truth.spacing, bounds=flight.bounds, time_offset=0.0, fusion=fusion)


@pytest.fixture(autouse=True)
def _no_warnings_and_no_leaks(context: Context) -> Iterator[None]:
    before = context.live_objects
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield
    assert context.live_objects == before


class TestTheMap:
    @pytest.fixture(scope="class")
    @staticmethod
    def finished(context: Context, folder: Path, flight: Flight) -> FinishedMap:
        fusion = FusionOptions(depth_noise=NOISE)
        chosen = SequenceOptions(spacing=flight.truth.spacing, bounds=flight.bounds, time_offset=0.0, fusion=fusion)
        return fuse_sequence(context, open_sequence(folder), chosen)

    def test_it_is_the_truth_within_its_sigma(self, finished: FinishedMap, flight: Flight) -> None:
        surface = finished.surface
        assert surface.shape == flight.truth.shape
        assert surface.sigma is not None
        assert np.isfinite(surface.heights).mean() > 0.95
        ratio = np.abs(surface.heights - flight.truth.heights) / surface.sigma
        assert 0.6 < np.mean(ratio[np.isfinite(ratio)] < 1) < 0.76
        assert np.nanmedian(np.abs(surface.colors - flight.truth.colors)) < 0.01

    def test_it_is_what_the_fusion_makes_of_the_frames(
        self, context: Context, finished: FinishedMap, flight: Flight, sequence: Sequence
    ) -> None:
        fusion = flight.fusion(context)
        for entry, pose in zip(sequence.frames, flight.poses, strict=True):
            frame = sequence.read(entry)
            fusion.integrate(pose, image=frame.image, depth=frame.depth)
        np.testing.assert_allclose(finished.surface.heights, fusion.map().heights, atol=1e-6)
        fusion.release()

    def test_the_report_tells_all_that_a_report_must(self, finished: FinishedMap) -> None:
        report = finished.report
        assert set(KEYS) <= set(report)
        to_json(report)
        assert report["frames_used"] == FRAMES
        assert report["frames_skipped"] == []
        assert report["frames_per_second"] > 0
        assert {"read_ms", "fuse_ms", "fuse_normal_equations_ms", "fuse_solve_ms", "finish_ms"} <= set(report["stages"])
        assert all(time > 0 for time in report["stages"].values())
        assert not report["partial"]
        assert report["photographs_missing"] == ()

    def test_the_report_is_right_about_the_map(
        self, finished: FinishedMap, flight: Flight, folder: Path, context: Context
    ) -> None:
        report, surface = finished.report, finished.surface
        assert report["observed"] == np.isfinite(surface.heights).mean()
        assert report["median_sigma"] == np.nanmedian(surface.sigma)
        assert report["median_local_sigma"] is None
        assert report["camera"] == {"fx": 86.4, "fy": 86.4, "cx": 47.5, "cy": 35.5}
        assert report["renderer"] == context.renderer
        assert (report["time_offset"], report["time_offset_from"]) == (0.0, "given")
        assert report["placement"]["bounds"] == flight.bounds
        assert report["placement"]["bounds_from"] == "given"
        assert report["options"]["sequence"] == str(folder)
        assert report["options"]["spacing"] == flight.truth.spacing
        assert report["options"]["fusion"].depth_noise == NOISE

    def test_the_report_has_every_frame(self, finished: FinishedMap, flight: Flight) -> None:
        residuals = finished.report["residuals"]
        assert [frame["index"] for frame in residuals["frames"]] == list(range(FRAMES))
        assert all(frame["measured"] > 1000 for frame in residuals["frames"])
        assert all(frame["measured"] == frame["used"] + frame["rejected"] for frame in residuals["frames"])
        typical = 0.67 * np.median(flight.noise.sigma(flight.depths[flight.depths > 0]))
        assert residuals["median_abs_m"] == pytest.approx(typical, rel=0.2)
        assert residuals["median_m_rms_over_frames"] < 0.1 * typical

    def test_the_view_to_show_is_a_photograph_and_its_prediction(self, finished: FinishedMap, flight: Flight) -> None:
        assert finished.photograph is not None
        best = np.argmin([np.abs(image - finished.photograph).max() for image in flight.images])
        np.testing.assert_allclose(finished.photograph, flight.images[best], atol=0.01)
        assert finished.prediction is not None
        seen = finished.prediction.any(axis=-1)
        assert seen.mean() > 0.7
        assert np.median(np.abs(finished.prediction - finished.photograph)[seen]) < 0.02


class TestOptions:
    def test_depth_alone(
        self, context: Context, sequence: Sequence, options: SequenceOptions, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Photographs are not even read."""
        with monkeypatch.context() as patch:
            patch.setattr("glrender.io.sequence.read_color", lambda path: pytest.fail(f"{path} was read"))
            finished = fuse_sequence(context, sequence, replace(options, use="depth"))
        assert finished.surface.colors is None
        assert finished.prediction is None
        assert finished.photograph is None
        assert finished.report["frames_used"] == FRAMES

    def test_some_frames(self, context: Context, sequence: Sequence, options: SequenceOptions) -> None:
        counts: list[tuple[int, int]] = []
        report = fuse_sequence(
            context, sequence, replace(options, frames="1:8:2"), lambda done, total: counts.append((done, total))
        ).report
        assert [frame["index"] for frame in report["residuals"]["frames"]] == [1, 3, 5, 7]
        assert counts == [(1, 4), (2, 4), (3, 4), (4, 4)]

    def test_everything_found(self, context: Context, sequence: Sequence, flight: Flight) -> None:
        report = fuse_sequence(context, sequence, SequenceOptions()).report
        placement = report["placement"]
        assert placement["T_world_map_from"].startswith("the world's: the dominant plane is level")
        assert placement["spacing"] == 0.02
        np.testing.assert_allclose(placement["bounds"], flight.bounds, atol=0.1)
        assert report["time_offset_from"].startswith("kept at 0")

    def test_a_map_frame(self, context: Context, sequence: Sequence, options: SequenceOptions, flight: Flight) -> None:
        T = se3.exp([0.1, 0.05, 0.02, 0, 0, np.pi / 2])
        finished = fuse_sequence(
            context, sequence, replace(options, T_world_map=T, bounds=(0.1, 0.5, -0.6, -0.2), frames="0:6")
        )
        np.testing.assert_array_equal(finished.surface.pose, T)
        world = finished.surface.vertices() @ T[:3, :3].T + T[:3, 3]
        known = np.isfinite(world[:, 2])
        assert known.mean() > 0.8
        i, j = np.rint(world[known, 1] / 0.025).astype(int), np.rint(world[known, 0] / 0.025).astype(int)
        assert np.median(np.abs(world[known, 2] - flight.truth.heights[i, j])) < 0.01

    def test_a_time_offset(self, context: Context, copy: Path, options: SequenceOptions, flight: Flight) -> None:
        """Poses that stand half a second later are found there."""
        lines = (copy / "groundtruth.txt").read_text().splitlines()
        later = [
            " ".join([f"{float(line.split()[0]) + 0.5:.6f}", *line.split()[1:]]) for line in lines if line[0] != "#"
        ]
        (copy / "groundtruth.txt").write_text("\n".join(later))
        finished = fuse_sequence(context, open_sequence(copy), replace(options, time_offset=0.5))
        assert finished.report["frames_used"] == FRAMES
        assert finished.report["time_offset"] == 0.5
        assert np.nanmedian(np.abs(finished.surface.heights - flight.truth.heights)) < 0.002

    def test_unknown_uses_and_selections(self, context: Context, sequence: Sequence, options: SequenceOptions) -> None:
        with pytest.raises(UsageError, match=r"use: received 'color', which .*fuse_photographs does"):
            fuse_sequence(context, sequence, replace(options, use="color"))
        with pytest.raises(InputError, match="calibration: received bool, expected CalibrationOptions"):
            SequenceOptions(calibration=True)  # type: ignore[arg-type]
        with pytest.raises(InputError, match="fusion: received dict, expected FusionOptions"):
            SequenceOptions(fusion={})  # type: ignore[arg-type]
        for fuse in (
            fuse_sequence, fuse_photographs, fuse_refined_depth, fuse_tracked_depth, fuse_tracked_photographs
        ):  # fmt: skip
            with pytest.raises(InputError, match="sequence: received 'folder', expected one by .*open_sequence"):
                fuse(context, "folder", SequenceOptions())  # type: ignore[arg-type]
            with pytest.raises(InputError, match="options: received dict, expected SequenceOptions"):
                fuse(context, sequence, {})  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="frames: received 'some', expected even, odd"):
            fuse_sequence(context, sequence, replace(options, frames="some"))

    def test_cells_of_which_too_little_is_measured(
        self, context: Context, sequence: Sequence, options: SequenceOptions
    ) -> None:
        told = replace(options, frames="0:12", spacing=3e-3, bounds=(0.4, 0.55, 0.4, 0.55))
        assert fuse_sequence(context, sequence, told).report["observed_of_seen"] < 0.3
        coarse = fuse_sequence(context, sequence, replace(told, spacing=0.0125))
        assert coarse.report["observed_of_seen"] == 1
        shared = coarse.report["shared_errors"]
        assert shared["source"] == "estimated from how the frames disagree"

    def test_frames_that_cannot_be_compared(
        self, context: Context, sequence: Sequence, options: SequenceOptions
    ) -> None:
        alone = fuse_sequence(context, sequence, replace(options, frames="0:1"))
        assert alone.report["shared_errors"]["source"] == UNKNOWN

    @pytest.mark.parametrize(
        ("change", "error", "told"),
        [
            (
                {"bounds": (5, 6, 5, 6)},
                InputError,
                "none of the 12 frames sees the map, which covers x 5 to 6 and y 5 to",
            ),
            ({"bounds": (1, 0, 0, 1)}, InputError, "bounds: received (1, 0, 0, 1), expected x0 < x1"),
            (
                {"spacing": 1e-4, "bounds": (0.4, 0.42, 0.4, 0.42)},
                InputError,
                "with a spacing of 0.0001 m; choose a larger spacing",
            ),
            (
                {"spacing": 1e-5, "bounds": (0, 1, 0, 1e-4)},
                LimitError,
                "height map: received 100001 x 11, but textures of",
            ),
            ({"spacing": 1e-6}, LimitError, "but textures of"),
            (
                {"time_offset": 50.0},
                InputError,
                "no frame lies within the trajectory, which covers 0.000000 to 1.100000",
            ),
            ({"T_world_map": np.ones((4, 4))}, InputError, "T_world_map: expected a rigid"),
        ],
    )
    def test_a_map_that_cannot_be(
        self,
        context: Context,
        sequence: Sequence,
        options: SequenceOptions,
        change: dict[str, object],
        error: type[Exception],
        told: str,
    ) -> None:
        with pytest.raises(error) as raised:
            fuse_sequence(context, sequence, replace(options, frames="0:12", **change))  # type: ignore[arg-type]
        assert told in str(raised.value)


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


class TestDamage:
    def test_a_truncated_depth_image(self, context: Context, copy: Path, options: SequenceOptions) -> None:
        path = copy / "depth/0.400000.png"
        cut_off(path)
        report = fuse_sequence(context, open_sequence(copy), options).report
        assert report["frames_used"] == FRAMES - 1
        (skipped,) = report["frames_skipped"]
        assert (skipped.index, skipped.name) == (4, "depth/0.400000.png")
        assert skipped.reason.startswith(f"{path}: truncated PNG")
        assert [frame["index"] for frame in report["residuals"]["frames"]] == [k for k in range(FRAMES) if k != 4]
        with pytest.raises(FrameError, match="truncated PNG"):
            fuse_sequence(context, open_sequence(copy), replace(options, strict=True))

    def test_a_truncated_photograph(self, context: Context, copy: Path, options: SequenceOptions) -> None:
        cut_off(copy / "rgb/0.400000.png")
        report = fuse_sequence(context, open_sequence(copy), options).report
        assert report["frames_used"] == FRAMES - 1
        assert [(skipped.index, skipped.name) for skipped in report["frames_skipped"]] == [(4, "depth/0.400000.png")]
        assert "rgb/0.400000.png: truncated PNG" in report["frames_skipped"][0].reason
        depth_alone = fuse_sequence(context, open_sequence(copy), replace(options, use="depth", strict=True)).report
        assert depth_alone["frames_used"] == FRAMES

    def test_missing_depth_images(self, context: Context, copy: Path, options: SequenceOptions) -> None:
        for k in (3, 4):
            (copy / f"depth/0.{k}00000.png").unlink()
        report = fuse_sequence(context, open_sequence(copy), replace(options, frames="even")).report
        assert report["frames_used"] == FRAMES / 2 - 1
        assert report["frames_skipped"] == [Skipped(4, "depth/0.400000.png", "no such file")]
        told = r"1 frames cannot be used, the first is frame 4 \(depth/0.400000.png\): no such file"
        with pytest.raises(InputError, match=told):
            fuse_sequence(context, open_sequence(copy), replace(options, frames="even", strict=True))
        fuse_sequence(context, open_sequence(copy), replace(options, frames="0:3", strict=True))

    def test_missing_photographs(self, context: Context, copy: Path, options: SequenceOptions) -> None:
        """Their frames are fused by depth, and it is told; strict wants them all, unless only depth is used."""
        for k in (3, 4):
            (copy / f"rgb/0.{k}00000.png").unlink()
        finished = fuse_sequence(context, open_sequence(copy), options)
        assert finished.report["frames_used"] == FRAMES
        assert [photograph.index for photograph in finished.report["photographs_missing"]] == [3, 4]
        assert finished.surface.colors is not None
        with pytest.raises(InputError, match="2 photographs that rgb.txt names are not there, the first is rgb/0.3"):
            fuse_sequence(context, open_sequence(copy), replace(options, strict=True))
        depth_alone = fuse_sequence(context, open_sequence(copy), replace(options, use="depth", strict=True)).report
        assert depth_alone["photographs_missing"] == ()

    def test_all_damaged(self, context: Context, copy: Path, options: SequenceOptions) -> None:
        sequence = open_sequence(copy)
        for path in (copy / "depth").iterdir():
            cut_off(path)
        placed = replace(options, T_world_map=np.eye(4))
        for each in (options, placed, replace(placed, time_offset=None)):
            with pytest.raises(InputError, match=r"none of 12 depth images can be read: .*0.000000.png: truncated PNG"):
                fuse_sequence(context, sequence, each)

    def test_frames_without_a_pose(self, context: Context, copy: Path, options: SequenceOptions) -> None:
        poses = (copy / "groundtruth.txt").read_text().splitlines()
        (copy / "groundtruth.txt").write_text("\n".join(poses[:-3]))
        report = fuse_sequence(context, open_sequence(copy), options).report
        assert report["frames_used"] == FRAMES - 3
        assert [(s.index, s.reason) for s in report["frames_skipped"]] == [
            (k, "no pose: outside the trajectory") for k in (9, 10, 11)
        ]
        with pytest.raises(InputError, match=r"3 frames cannot be used, the first is frame 9 \(depth/0.9"):
            fuse_sequence(context, open_sequence(copy), replace(options, strict=True))

    def test_no_trajectory(self, context: Context, copy: Path, options: SequenceOptions) -> None:
        (copy / "groundtruth.txt").unlink()
        with pytest.raises(InputError, match="no groundtruth.txt; give a trajectory"):
            fuse_sequence(context, open_sequence(copy), options)

    def test_photographs_alone(self, context: Context, copy: Path, options: SequenceOptions) -> None:
        (copy / "depth.txt").unlink()
        told = "none of the 12 selected frames has a depth image.*glrender fuse --use color"
        with pytest.raises(InputError, match=told):
            fuse_sequence(context, open_sequence(copy), options)

    def test_depth_without_photographs(self, context: Context, copy: Path, options: SequenceOptions) -> None:
        (copy / "rgb.txt").unlink()
        finished = fuse_sequence(context, open_sequence(copy), options)
        assert finished.surface.colors is None
        assert finished.prediction is None
        assert finished.report["frames_used"] == FRAMES
