"""Cameras that do not stand as high as their poses say: told apart frame by frame, where frames see the same ground."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from flights import NOISE
from motions import ROUGH, bobbing, circling, record
from numpy.typing import NDArray

from glrender.fusion.noise import DepthNoise
from glrender.fusion.options import FusionOptions
from glrender.gl.context import Context
from glrender.io.sequence import Sequence
from glrender.pipeline import calibrate as pipeline
from glrender.pipeline.calibrate import Calibration, CalibrationOptions, Nominal, calibrate
from glrender.pipeline.fuse import SequenceOptions, fuse_sequence
from glrender.pipeline.placement import GivenPlacement

LAG, FRAMES = 0.015, 24
OFFSETS = 0.008 * np.random.default_rng(8).standard_normal(FRAMES)
"""Metres by which the cameras stand higher."""


@pytest.fixture(scope="module")
def sequence(context: Context, tmp_path_factory: pytest.TempPathFactory) -> Sequence:
    folder = tmp_path_factory.mktemp("offsets")
    return record(context, folder, bobbing, ROUGH, LAG, frames=FRAMES, heights=OFFSETS)


def calibration_of(context: Context, sequence: Sequence, options: CalibrationOptions, factor: float) -> Calibration:
    true = sequence.camera
    wrong = replace(true, fx=factor * true.fx, fy=factor * true.fy)
    return calibrate(
        context,
        sequence.with_camera(wrong),
        sequence.frames,
        Nominal(wrong, 0.0, False, sequence.depth_scale),
        options,
        GivenPlacement(np.eye(4)),
        NOISE,
    )


@pytest.fixture(scope="module")
def found(context: Context, sequence: Sequence) -> Calibration:
    return calibration_of(context, sequence, CalibrationOptions(height_offsets=True), 1.01)


def relative(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """About their mean: a common offset is one of the map."""
    return values - values.mean()


def test_the_offsets_are_recovered(found: Calibration) -> None:
    offsets = found.height_offsets
    assert offsets is not None
    assert len(offsets.metres) == FRAMES
    assert found.reasons["height offsets"] == f"estimated with the map from {FRAMES} frames"
    error = relative(offsets.metres) - relative(OFFSETS)
    assert np.abs(error).max() < 0.15 * np.std(OFFSETS)
    assert np.mean(np.abs(error) < 2 * offsets.sigma) >= 0.9
    assert (offsets.sigma < 0.1 * offsets.prior_sigma).all()
    # Nothing but the prior tells the mean.
    mean_sigma = np.sqrt(offsets.covariance.mean())
    assert mean_sigma > 0.9 * offsets.prior_sigma / np.sqrt(FRAMES)


def test_camera_and_clock_are_found_beside_them(found: Calibration, sequence: Sequence) -> None:
    for name in ("fx", "fy"):
        wrong = getattr(found.camera, name) - getattr(sequence.camera, name)
        assert abs(wrong) < min(0.003 * sequence.camera.fx, 2 * found.sigma[name])
    assert abs(found.time_offset - LAG) < min(0.002, 2 * found.sigma["time_offset"])


def test_without_them_the_frames_disagree(context: Context, sequence: Sequence, found: Calibration) -> None:
    plain = calibration_of(context, sequence, CalibrationOptions(), 1.01)
    assert plain.height_offsets is None
    assert "height offsets" not in plain.reasons
    assert plain.final.disagreement > 2 * found.final.disagreement
    assert plain.final.median_abs_residual > 1.5 * found.final.median_abs_residual


def test_frames_that_stand_right_get_none(context: Context, tmp_path: Path) -> None:
    exact = record(context, tmp_path, circling, ROUGH, LAG, frames=FRAMES)
    offsets = calibration_of(context, exact, CalibrationOptions(height_offsets=True), 1.0).height_offsets
    assert (np.abs(relative(offsets.metres)) < 3 * offsets.sigma).all()
    assert np.abs(relative(offsets.metres)).max() < 0.001


def test_more_frames_than_there_is_room_for_keep_theirs(
    context: Context, sequence: Sequence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "_MOST_OFFSETS", FRAMES - 1)
    found = calibration_of(context, sequence, CalibrationOptions(height_offsets=True), 1.0)
    assert found.height_offsets is None
    assert found.reasons["height offsets"] == f"kept: {FRAMES} frames, of which up to {FRAMES - 1} can have one; " + (
        "choose fewer"
    )


def test_what_the_frames_do_not_tell_is_kept(context: Context, sequence: Sequence) -> None:
    """Readings that scatter by a metre say nothing about millimetres."""
    found = calibrate(
        context,
        sequence,
        sequence.frames,
        Nominal(sequence.camera, LAG, True, sequence.depth_scale),
        CalibrationOptions(height_offsets=True),
        GivenPlacement(np.eye(4)),
        DepthNoise(5.0, 0.0),
    )
    assert found.height_offsets is None
    assert found.reasons["height offsets"].startswith("kept: the frames leave")


def test_frames_are_fused_where_they_stand(context: Context, sequence: Sequence, found: Calibration) -> None:
    raised = found.height_offsets.applied(sequence.trajectory)
    for entry, offset in zip(sequence.frames, found.height_offsets.metres, strict=True):
        time = entry.time + found.time_offset
        moved = raised.at(time) - sequence.trajectory.at(time)
        np.testing.assert_allclose(moved[:3, 3], (0, 0, offset), atol=1e-6)
    errors = {}
    for height_offsets in (False, True):
        options = SequenceOptions(
            use="depth",
            spacing=0.02,
            bounds=(0.3, 1.3, 0.3, 1.0),
            T_world_map=np.eye(4),
            calibration=CalibrationOptions(height_offsets=height_offsets),
            fusion=FusionOptions(depth_noise=NOISE),
        )
        finished = fuse_sequence(context, sequence, options)
        seen = finished.surface.heights
        x, y = finished.surface.axes()
        j, i = np.rint(x / ROUGH.spacing).astype(int), np.rint(y / ROUGH.spacing).astype(int)
        at_vertices = np.isclose(x, j * ROUGH.spacing), np.isclose(y, i * ROUGH.spacing)
        error = (
            seen[np.ix_(at_vertices[1], at_vertices[0])] - ROUGH.heights[np.ix_(i[at_vertices[1]], j[at_vertices[0]])]
        )
        errors[height_offsets] = np.nanstd(error)
    assert len(finished.report["calibration"]["height_offsets"]["metres"]) == FRAMES
    assert errors[True] < 0.8 * errors[False]
