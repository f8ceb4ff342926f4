"""Depth images whose poses are refined by their photographs before they are fused."""

import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.signal import lfilter

from glrender.cli.fuse_warnings import warnings_of
from glrender.cli.simulate import Options, make_noise, make_scene
from glrender.errors import InputError, UsageError
from glrender.fusion.options import FusionOptions
from glrender.fusion.shared_errors import PoseSigma
from glrender.geometry import se3
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.io.sequence import Sequence
from glrender.io.sequence_folder import open_sequence
from glrender.io.trajectory import Trajectory
from glrender.pipeline.evaluate import TruthEvaluation, evaluate_against_truth
from glrender.pipeline.fuse import MotionOptions, SequenceOptions, fuse_sequence
from glrender.pipeline.outputs import FinishedMap
from glrender.pipeline.refined_depth import fuse_refined_depth
from glrender.simulate.recording import record

NOISE = PoseSigma(0.005, 0.3)
"""Of each pose, about and along each axis."""
FRAMES = 30
OPTIONS = SequenceOptions(frames="even", spacing=0.05, fusion=FusionOptions(pose_sigma=NOISE))


@pytest.fixture(scope="module")
def drive(context: Context, tmp_path_factory: pytest.TempPathFactory) -> Sequence:
    """Colour and depth from a metre above rough ground, with exact poses."""
    folder = tmp_path_factory.mktemp("refined_depth") / "drive"
    folder.mkdir()
    options = Options(folder, size=(3, 3), relief=0.22, path="rover", frames=150, altitude=0.9, width=160, height=120)
    scene = make_scene(options, np.random.default_rng(0))
    scene = replace(scene, times=scene.times[:FRAMES], poses=scene.poses[:FRAMES])
    record(context, scene, make_noise(options, scene), np.random.SeedSequence(1), folder)
    return open_sequence(folder)


@pytest.fixture(scope="module")
def noisy(drive: Sequence) -> Sequence:
    """With poses that are off."""
    assert drive.trajectory is not None
    rng = np.random.default_rng(3)
    off = rng.normal(scale=np.repeat([NOISE.translation, np.radians(NOISE.rotation)], 3), size=(FRAMES, 6))
    poses = np.stack([pose @ se3.exp(each) for pose, each in zip(drive.trajectory.poses, off, strict=True)])
    return replace(drive, trajectory=Trajectory(drive.trajectory.times, poses))


@pytest.fixture(scope="module")
def refined(context: Context, noisy: Sequence) -> FinishedMap:
    return fuse_refined_depth(context, noisy, OPTIONS)


def judged(drive: Sequence, finished: FinishedMap) -> TruthEvaluation:
    return evaluate_against_truth(finished.surface, HeightMap.load(drive.folder / "truth.npz"), remove_offset=True)


def test_the_map_is_that_of_better_poses(
    context: Context, drive: Sequence, noisy: Sequence, refined: FinishedMap
) -> None:
    exact, as_given = (judged(drive, fuse_sequence(context, each, OPTIONS)).summary for each in (drive, noisy))
    found = judged(drive, refined).summary
    worse = as_given.median_abs_mm - exact.median_abs_mm
    assert worse > 0.5 * exact.median_abs_mm
    assert found.median_abs_mm - exact.median_abs_mm < 0.4 * worse
    assert found.within_2_sigma > 0.9


def test_frames_turn_as_they_did(drive: Sequence, noisy: Sequence, refined: FinishedMap) -> None:
    """From one to the next, and those of frames that were left out, too."""
    true = drive.trajectory
    assert true is not None
    assert noisy.trajectory is not None
    assert refined.trajectory is not None
    np.testing.assert_allclose(refined.trajectory.times, true.times[: len(refined.trajectory.times)], atol=1e-6)

    def turned(trajectory: Trajectory) -> float:
        steps = [se3.inverse(a) @ b for a, b in zip(trajectory.poses[:-1], trajectory.poses[1:], strict=True)]
        truly = [se3.inverse(a) @ b for a, b in zip(true.poses[:-1], true.poses[1:], strict=True)]
        off = [se3.log(se3.inverse(T) @ step)[3:] for T, step in zip(truly, steps, strict=False)]
        return float(np.sqrt(np.square(off).sum(axis=1).mean()))

    assert turned(refined.trajectory) < 0.2 * turned(noisy.trajectory)


def test_what_the_report_says(drive: Sequence, refined: FinishedMap) -> None:
    report = refined.report
    assert report["poses_from"] == "refined"
    assert report["pose_refinement"]["depth_spread"].refined < report["pose_refinement"]["depth_spread"].given
    assert not [text for text in warnings_of(report) if "kept as given" in text]
    assert report["frames_used"] == FRAMES // 2
    assert report["camera"]["fx"] == drive.camera.fx
    assert report["placement"]["T_world_map_from"].startswith("the world's: the dominant plane is level")
    assert report["options"]["T_world_map"] is None
    assert report["pose_refinement"]["photographs"]["camera"]["fx"] == pytest.approx(drive.camera.fx)
    assert report["pose_refinement"]["moved_m_rms"] > 0.002
    assert abs(report["time_offset"]) < 0.01
    assert 0 < report["median_local_sigma"] < 0.5 * report["median_sigma"]
    assert "trajectory.txt" in refined.files


def test_a_given_time_offset_is_that_of_both(
    context: Context, drive: Sequence, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trajectory's clock is late; what comes out has poses by it, and frames are looked up by it.

    Photographs that are large are made smaller for that, as those without depth images are.
    """
    monkeypatch.setattr("glrender.io.sequence.MOST_PIXELS", 160 * 120 // 4)
    assert drive.trajectory is not None
    late = replace(drive, trajectory=Trajectory(drive.trajectory.times + 1.0, drive.trajectory.poses))
    found = fuse_refined_depth(context, late, replace(OPTIONS, time_offset=1.0, frames="0:12"))
    assert found.trajectory is not None
    assert found.report["time_offset"] == 1.0
    photographs, depth = found.report["pose_refinement"]["photographs"], found.report
    assert (photographs["camera"]["fx"], depth["camera"]["fx"]) == (drive.camera.fx / 2, drive.camera.fx)
    assert found.report["frames_used"] == 12
    assert found.trajectory.times[0] == pytest.approx(drive.frames[0].time + 1.0)


def test_photographs_that_cannot_be_read_are_told_of_though_none_is_fused(
    context: Context, drive: Sequence, tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(drive.folder, damaged)
    photograph = sorted((damaged / "rgb").iterdir())[4]
    photograph.write_bytes(photograph.read_bytes()[:100])
    depths = open_sequence(damaged, only="depth")
    found = fuse_refined_depth(context, depths, replace(OPTIONS, use="depth", frames="0:12"))
    assert found.report["pose_refinement"]["unread"] == (f"rgb/{photograph.name}",)
    assert found.report["frames_used"] == 12


def test_fusing_by_given_poses_does_not_refine_them(context: Context, drive: Sequence) -> None:
    options = replace(OPTIONS, motion=MotionOptions(refine_poses=True))
    with pytest.raises(UsageError, match="which glrender.pipeline.refined_depth.fuse_refined_depth does"):
        fuse_sequence(context, drive, options)


def test_without_photographs(context: Context, drive: Sequence, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    for name in ("depth", "depth.txt", "camera.yaml", "groundtruth.txt"):
        (alone / name).symlink_to(drive.folder / name)
    with pytest.raises(InputError, match=r"no rgb\.txt, whose images are asked for"):
        fuse_refined_depth(context, open_sequence(alone), OPTIONS)


def with_poses(drive: Sequence, sigma: tuple[float, float], mount: np.ndarray) -> Sequence:
    """Poses that are off by errors that last for some frames, and by what all of them have wrong alike."""
    assert drive.trajectory is not None
    independent = np.random.default_rng(8).normal(size=(FRAMES, 6))
    off = np.repeat(sigma, 3) * lfilter([0.6], [1, -0.8], independent, axis=0)
    poses = np.stack([T @ se3.exp(xi) @ se3.exp(mount) for T, xi in zip(drive.trajectory.poses, off, strict=True)])
    return replace(drive, trajectory=Trajectory(drive.trajectory.times, poses))


def mean_off(drive: Sequence, finished: FinishedMap) -> np.ndarray:
    """(6,): what all poses have wrong alike, a twist."""
    assert drive.trajectory is not None
    assert finished.trajectory is not None
    pairs = zip(drive.trajectory.poses, finished.trajectory.poses, strict=False)
    return np.mean([se3.log(se3.inverse(true) @ found) for true, found in pairs], axis=0)


@pytest.mark.parametrize("tilt", [0.0, 0.05])
def test_the_camera_sits_otherwise_on_its_carrier_only_where_the_poses_ask_for_it(
    context: Context, drive: Sequence, tilt: float
) -> None:
    given = with_poses(drive, (0.002, 0.002), np.array([0, 0, 0, tilt, -tilt, 0]))
    finished = fuse_refined_depth(context, given, replace(OPTIONS, fusion=FusionOptions()))
    mount, off = finished.report["pose_refinement"]["mount"], mean_off(drive, finished)
    if tilt:
        np.testing.assert_allclose(mount[3:], (tilt, -tilt, 0), atol=0.01)
        assert np.abs(off[3:]).max() < 0.01
    else:
        assert mount is None
        # That of the noise in the poses: a mount would have taken it for itself, and tell 15 mm of sigma. For how long
        # it lasts, 30 poses tell roughly: 2.4 to 4.1 mm of sigma in six draws.
        assert np.abs(off[:3]).max() < 0.002
        assert finished.report["median_sigma"] < 0.005


@pytest.fixture(scope="module")
def stabilised(drive: Sequence, tmp_path_factory: pytest.TempPathFactory) -> Sequence:
    """Photographs that are shifted by up to six pixels, as a phone does it that holds the picture still."""
    folder = tmp_path_factory.mktemp("stabilised") / "drive"
    shutil.copytree(drive.folder, folder)
    for k, path in enumerate(sorted((folder / "rgb").iterdir())):
        picture = cv2.imread(str(path))
        assert picture is not None
        shifted = np.float32([[1, 0, 6 * np.sin(0.7 * k)], [0, 1, 6 * np.cos(0.5 * k)]])
        cv2.imwrite(str(path), cv2.warpAffine(picture, shifted, None, borderMode=cv2.BORDER_REFLECT))
    return open_sequence(folder)


def test_poses_by_which_depth_images_agree_worse_are_not_taken(context: Context, stabilised: Sequence) -> None:
    options = replace(OPTIONS, fusion=FusionOptions())
    finished, given = fuse_refined_depth(context, stabilised, options), fuse_sequence(context, stabilised, options)
    report = finished.report
    assert report["pose_refinement"]["depth_spread"].refined > 1.5 * report["pose_refinement"]["depth_spread"].given
    assert report["poses_from"] == "given"
    assert "trajectory.txt" not in finished.files
    np.testing.assert_array_equal(finished.surface.heights, given.surface.heights)
    np.testing.assert_array_equal(finished.surface.sigma, given.surface.sigma)
    assert [text for text in warnings_of(report) if "kept as given" in text]
