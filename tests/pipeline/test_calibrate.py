"""A camera and a clock that are not the nominal ones: put right where the motion tells, kept where it does not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from flights import NOISE
from motions import LEVEL, ROUGH, Motion, bobbing, circling, record, still, straight, swinging
from numpy.typing import NDArray

from glrender.fusion.shared_unknowns import NAMES
from glrender.geometry.camera import INTRINSICS
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.io.sequence import Sequence
from glrender.pipeline.calibrate import Calibration, CalibrationOptions, Nominal, calibrate
from glrender.pipeline.placement import GivenPlacement

LAG = 0.015
"""Seconds by which the trajectory's clock is off."""


def calibration_of(
    context: Context,
    sequence: Sequence,
    *,
    factor: float = 1.015,
    offset: float | None = None,
    options: CalibrationOptions | None = None,
    bounds: tuple[float, float, float, float] | None = None,
) -> Calibration:
    """From a focal length that is `factor` times the true one, and a principal point that is a pixel off."""
    true = sequence.camera
    wrong = replace(true, fx=factor * true.fx, fy=factor * true.fy, cx=true.cx + 1, cy=true.cy - 1)
    nominal = Nominal(wrong, offset or 0.0, offset is not None, sequence.depth_scale)
    return calibrate(
        context,
        sequence.with_camera(wrong),
        sequence.frames,
        nominal,
        options or CalibrationOptions(),
        GivenPlacement(np.eye(4), bounds),
        NOISE,
    )


def errors(found: Calibration, sequence: Sequence, lag: float = LAG) -> NDArray[np.float64]:
    """(5,): of fx, fy, cx, cy (pixels) and the time offset (seconds)."""
    intrinsics = [getattr(found.camera, name) - getattr(sequence.camera, name) for name in INTRINSICS]
    return np.array([*intrinsics, found.time_offset - lag])


def sigmas(found: Calibration) -> NDArray[np.float64]:
    return np.array([found.sigma[name] for name in NAMES[:5]], float)


@pytest.mark.parametrize("factor", [0.98, 1.02])
def test_a_wrong_camera_and_clock_are_put_right(context: Context, tmp_path: Path, factor: float) -> None:
    sequence = record(context, tmp_path, bobbing, ROUGH, LAG)
    found = calibration_of(context, sequence, factor=factor)
    wrong = errors(found, sequence)
    assert (np.abs(wrong[:2]) < 0.003 * sequence.camera.fx).all()
    assert abs(wrong[4]) < 0.002
    assert (np.abs(wrong) < 2 * sigmas(found)).all()
    assert found.determined == ("focal length", "principal point", "time offset")
    assert found.reasons["focal length"] == "estimated with the map from 30 frames"


def furnished(seed: int) -> HeightMap:
    """A level floor with 14 boxes on it, 5 to 30 cm high, whose sides are upright to a centimetre."""
    rng, heights = np.random.default_rng(seed), np.zeros((121, 161))
    for _ in range(14):
        row, column = rng.integers(0, 105), rng.integers(0, 145)
        rows, columns = rng.integers(8, 30, 2)
        heights[row : row + rows, column : column + columns] = rng.uniform(0.05, 0.3)
    return HeightMap(heights, 0.01)


@pytest.mark.parametrize(("motion", "seed"), [(bobbing, 1), (bobbing, 3), (circling, 0), (circling, 2)])
def test_edges_of_furniture_are_no_landmarks(context: Context, tmp_path: Path, motion: Motion, seed: int) -> None:
    """Taken for ground, they put the principal point up to 22 sigma off, or kept the estimate from settling."""
    sequence = record(context, tmp_path, motion, furnished(seed), LAG)
    found = calibration_of(context, sequence)
    assert (np.abs(errors(found, sequence)) < 2 * sigmas(found)).all()
    assert found.determined == ("focal length", "principal point", "time offset")


def test_a_right_camera_stays(context: Context, tmp_path: Path) -> None:
    sequence = record(context, tmp_path, bobbing, ROUGH, 0.0)
    found = calibration_of(context, sequence, factor=1.0)
    wrong = errors(found, sequence, lag=0.0)
    assert (np.abs(wrong) < 2 * sigmas(found)).all()


def test_fx_and_fy_may_be_wrong_differently(context: Context, tmp_path: Path) -> None:
    sequence = record(context, tmp_path, circling, ROUGH, LAG)
    true = sequence.camera
    squeezed = sequence.with_camera(replace(true, fx=1.02 * true.fx, fy=0.99 * true.fy))
    found = calibration_of(context, squeezed, factor=1.0)
    wrong = errors(found, sequence)
    assert (np.abs(wrong[:2]) < 0.003 * true.fx).all()


def test_poses_that_are_off_make_it_less_certain(context: Context, tmp_path: Path) -> None:
    exact = record(context, tmp_path / "exact", circling, ROUGH, LAG)
    noisy = record(context, tmp_path / "noisy", circling, ROUGH, LAG, pose_noise=(0.003, 0.002))
    found = calibration_of(context, noisy)
    assert (np.abs(errors(found, noisy)) < 2 * sigmas(found)).all()
    assert (sigmas(found) > 3 * sigmas(calibration_of(context, exact))).all()
    # Where the camera only bobs, they leave too much of the focal length, and it is kept.
    less = record(context, tmp_path / "bobbed", bobbing, ROUGH, LAG, pose_noise=(0.003, 0.002))
    bobbed = calibration_of(context, less)
    assert bobbed.determined == ("principal point", "time offset")
    assert "this motion leaves 8" in bobbed.reasons["focal length"]


def test_a_given_time_offset_is_held(context: Context, tmp_path: Path) -> None:
    sequence = record(context, tmp_path, bobbing, ROUGH, LAG)
    found = calibration_of(context, sequence, offset=LAG)
    assert found.time_offset == LAG
    assert found.sigma["time_offset"] is None
    assert found.reasons["time offset"] == "given"
    assert (np.abs(errors(found, sequence)[:4]) < 2 * sigmas(found)[:4]).all()


def test_the_scale_of_the_depths_too(context: Context, tmp_path: Path) -> None:
    sequence = record(context, tmp_path, circling, ROUGH, LAG, read=1.02)
    found = calibration_of(context, sequence, options=CalibrationOptions(depth_scale=True))
    sigma = found.sigma["depth_scale"]
    assert sigma is not None
    assert found.depth_scale / sequence.depth_scale == pytest.approx(1.02, abs=2 * sigma)
    assert sigma < 0.002
    assert "depth scale" in found.determined


def test_it_is_not_estimated_unless_asked_for(context: Context, tmp_path: Path) -> None:
    sequence = record(context, tmp_path, bobbing, ROUGH, LAG)
    found = calibration_of(context, sequence)
    assert found.depth_scale == sequence.depth_scale
    assert "depth scale" not in found.reasons


@pytest.mark.parametrize(
    ("motion", "ground"),
    [(straight, LEVEL), (still, ROUGH)],
    ids=["along a plane", "not at all"],
)
def test_a_motion_that_does_not_tell(context: Context, tmp_path: Path, motion: Motion, ground: HeightMap) -> None:
    sequence = record(context, tmp_path, motion, ground, LAG)
    found = calibration_of(context, sequence)
    assert found.determined == ()
    assert found.camera == found.nominal.camera
    assert found.time_offset == 0
    assert set(found.sigma.values()) == {None}
    expected = "kept: the camera stands still" if motion is still else "kept: this motion leaves"
    assert all(reason.startswith(expected) for reason in found.reasons.values())


def test_a_motion_that_tells_the_time_alone(context: Context, tmp_path: Path) -> None:
    """Up and down over level ground at one attitude: any camera sees a plane that rises and sinks."""
    sequence = record(context, tmp_path, swinging, LEVEL, LAG)
    found = calibration_of(context, sequence)
    assert found.determined == ("time offset",)
    assert found.camera == found.nominal.camera
    assert found.time_offset == pytest.approx(LAG, abs=0.002)
    assert found.reasons["focal length"].startswith("kept: this motion leaves 9")


class TestTooLittle:
    def test_frames(self, context: Context, tmp_path: Path) -> None:
        sequence = record(context, tmp_path, bobbing, ROUGH, LAG, frames=6)
        found = calibration_of(context, sequence)
        assert found.determined == ()
        assert "6 frames have a pose and see the map, and it takes 8" in found.reasons["focal length"]

    def test_trajectory(self, context: Context, tmp_path: Path) -> None:
        sequence = record(context, tmp_path, bobbing, ROUGH, LAG, poses=(2.5, 3.1))
        posed, _ = sequence.with_poses(sequence.frames)
        found = calibration_of(context, replace(sequence, frames=posed))
        assert found.determined == ()
        assert found.camera == found.nominal.camera

    def test_ground_within_the_bounds(self, context: Context, tmp_path: Path) -> None:
        sequence = record(context, tmp_path, bobbing, ROUGH, LAG)
        found = calibration_of(context, sequence, bounds=(50.0, 51.0, 50.0, 51.0))
        assert found.reasons["focal length"] == "kept: the frames see nothing within the bounds"


def test_damaged_frames_are_left_out(context: Context, tmp_path: Path) -> None:
    sequence = record(context, tmp_path, bobbing, ROUGH, LAG)
    for entry in sequence.frames[::3]:
        assert entry.depth_path is not None
        entry.depth_path.write_bytes(entry.depth_path.read_bytes()[:300])
    found = calibration_of(context, sequence)
    assert found.final is not None
    assert found.final.frames == 20
    assert (np.abs(errors(found, sequence)) < 2 * sigmas(found)).all()


def test_what_the_report_says(context: Context, tmp_path: Path) -> None:
    found = calibration_of(context, record(context, tmp_path, bobbing, ROUGH, LAG))
    description = found.description()
    assert description["nominal"]["fx"] == found.nominal.camera.fx
    assert description["sigma"] == found.sigma
    assert description["sigma"]["depth_scale"] is None
    np.testing.assert_allclose(np.sqrt(np.diag(description["covariance"]))[:5], sigmas(found))
    assert description["prior_sigma"]["time_offset"] == 0.1
    assert description["frames"] == 30
