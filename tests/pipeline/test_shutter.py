"""Photographs whose rows are exposed one after the other, while the camera moves: told from them, and undone."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from flights import camera_of

from glrender.errors import InputError
from glrender.frontend.estimate import TimeEstimate
from glrender.frontend.refine_poses import RefinedPoses
from glrender.fusion.options import FusionOptions
from glrender.fusion.shared_errors import PoseSigma
from glrender.geometry import se3
from glrender.geometry.heightmap import HeightMap
from glrender.geometry.row_motion import RowMotion
from glrender.gl.context import Context
from glrender.io.sequence import FrameEntry, Sequence
from glrender.io.sequence_folder import open_sequence
from glrender.io.sequence_writer import SequenceWriter
from glrender.io.trajectory import Trajectory
from glrender.pipeline.fuse import SequenceOptions
from glrender.pipeline.ground import Ground
from glrender.pipeline.refined_start import RefinedStart, refine_start
from glrender.pipeline.refinement_turns import read_again
from glrender.pipeline.shutter import Shutter
from glrender.render.forward import ForwardRenderer
from glrender.simulate.elevation import BUILTIN, read_elevation
from glrender.simulate.scene import with_texture
from glrender.simulate.terrain import make_terrain

CAMERA = camera_of(160)
READOUT = 0.03
"""Seconds from the first row to the last."""
ROWS = 4
"""That are exposed at once here: a tenth of a pixel is between the first and the last of them."""
TIMES = np.arange(20) / 20
RELIEF = 0.06
NOISE = PoseSigma(0.003, 0.3)
"""Metres and degrees that given poses are off by: a pixel, about."""


def hand_held(t: float) -> np.ndarray:
    """0.65 m above the ground, looking ahead and down, at 0.3 m/s and up to 0.3 rad/s."""
    eye = np.array([-0.25 + 0.3 * t, -0.35 + 0.05 * np.sin(2 * t), 0.65 + 0.03 * np.sin(4 * t)])
    pose = se3.look_at(eye, eye + np.array([0.1 * np.sin(1.5 * t), 0.35, -0.6]))
    return pose @ se3.exp([0, 0, 0, 0.03 * np.sin(7 * t), 0.03 * np.sin(6 * t + 1), 0.03 * np.sin(8 * t + 2)])


def ground() -> HeightMap:
    """1.6 x 1.2 m with its middle at the origin, and texture finer than any map's cells."""
    terrain = make_terrain(read_elevation(BUILTIN), (1.6, 1.2), RELIEF, 0.02)
    return with_texture(terrain, 4, np.random.default_rng(1))[0]


def photograph(renderer: ForwardRenderer, surface: HeightMap, time: float, readout: float) -> np.ndarray:
    """(height, width, 3): the row of the principal point is exposed at `time`."""
    if readout == 0:
        return renderer.render(surface, hand_held(time)).image
    image = np.empty((*CAMERA.shape, 3))
    for first in range(0, CAMERA.height, ROWS):
        late = (first + (ROWS - 1) / 2 - CAMERA.cy) / CAMERA.height
        rows = slice(first, first + ROWS)
        image[rows] = renderer.render(surface, hand_held(time + readout * late)).image[rows]
    return image


def recorded(context: Context, folder: Path, readout: float) -> Sequence:
    """With poses that are off."""
    renderer, surface, rng = ForwardRenderer(context, CAMERA), ground(), np.random.default_rng(3)
    writer = SequenceWriter(folder, CAMERA)
    for time in TIMES:
        image = photograph(renderer, surface, time, readout)
        writer.add(time, np.clip(image * (1 + 0.01 * rng.normal(size=image.shape)), 0, 1), None)
    renderer.release()
    off = np.repeat([NOISE.translation, np.radians(NOISE.rotation)], 3) * rng.normal(size=(len(TIMES), 6))
    poses = np.stack([hand_held(t) @ se3.exp(twist) for t, twist in zip(TIMES, off, strict=True)])
    writer.finish(Trajectory(TIMES, poses))
    return open_sequence(folder)


def refined(sequence: Sequence) -> RefinedStart:
    assert sequence.trajectory is not None
    poses = {entry.index: sequence.trajectory.at(entry.time) for entry in sequence.frames}
    options = SequenceOptions(use="color", fusion=FusionOptions(pose_sigma=NOISE))
    level = Ground(RELIEF / 2, 1.0, 1)
    return refine_start(sequence, sequence.frames, sequence.frames[::2], poses, level, np.eye(4), options)


def motions_off(found: RefinedStart) -> float:
    """Root mean square error of how the camera turns from one photograph to the next, radians."""
    true, poses = np.stack([hand_held(t) for t in TIMES]), np.stack([found.poses[k] for k in range(len(TIMES))])
    steps = [[se3.inverse(a) @ b for a, b in pairwise(each)] for each in (true, poses)]
    off = [se3.log(se3.inverse(a) @ b)[3:] for a, b in zip(*steps, strict=True)]
    return float(np.sqrt(np.square(off).mean()))


@pytest.fixture(scope="module")
def rolling(context: Context, tmp_path_factory: pytest.TempPathFactory) -> Sequence:
    return recorded(context, tmp_path_factory.mktemp("rolling"), READOUT)


@pytest.fixture(scope="module")
def found(rolling: Sequence) -> RefinedStart:
    return refined(rolling)


def test_how_long_it_takes_is_told(found: RefinedStart) -> None:
    told = found.description["pose_refinement"]["shutter_readout"]
    assert told["sigma"] < 0.05 * READOUT
    assert abs(told["seconds"] - READOUT) < 0.1 * READOUT
    assert abs(told["undone"] - told["seconds"]) < 0.05 * READOUT


def test_poses_are_those_of_the_principal_points_row(found: RefinedStart) -> None:
    assert motions_off(found) < 0.5e-3


def test_it_is_undone_in_the_photographs(context: Context, rolling: Sequence, found: RefinedStart) -> None:
    renderer, surface = ForwardRenderer(context, CAMERA), ground()
    undone = rolling.with_row_motions(found.shutter.row_motions)
    worse, better = [], []
    for entry in rolling.frames[2:-2:4]:
        at_once = photograph(renderer, surface, entry.time, 0.0)
        for sequence, off in ((rolling, worse), (undone, better)):
            image = sequence.read(entry).image
            assert image is not None
            off.append(np.nanmean(np.abs(image - at_once)))
            assert np.isfinite(image).mean() > 0.95
    renderer.release()
    assert np.mean(better) < 0.5 * np.mean(worse)


def test_photographs_whose_rows_are_exposed_at_once_stay_as_they_are(context: Context, tmp_path: Path) -> None:
    found = refined(recorded(context, tmp_path, 0.0))
    told = found.description["pose_refinement"]["shutter_readout"]
    assert abs(told["seconds"]) < 4 * told["sigma"]
    assert told["undone"] == 0
    assert not found.shutter.row_motions


@pytest.mark.parametrize(
    ("seconds", "sigma", "undone"),
    [(0.02, 1e-3, True), (-0.02, 1e-3, True), (0.02, 6e-3, False), (9e-4, 1e-4, False), (0.2, 1e-3, False)],
)
def test_what_may_be_none_and_what_no_shutter_takes_is_not_undone(seconds: float, sigma: float, undone: bool) -> None:
    entry = FrameEntry(0, 0.0, 0.0, None, None)
    last = SimpleNamespace(readout=TimeEstimate(seconds, sigma))
    refined = SimpleNamespace(rounds=[last], row_motions=lambda readout: [RowMotion(np.ones(6), np.ones(3))])
    told = Shutter().told((entry,), cast(RefinedPoses, refined))
    assert told.readout == TimeEstimate(seconds, sigma)
    assert bool(told.row_motions) == undone


def test_a_photograph_that_is_gone_when_it_is_read_again_is_named(rolling: Sequence, tmp_path: Path) -> None:
    entries = rolling.frames[:3]
    gone = replace(entries[1], color_path=tmp_path / "gone.png")
    assert len(read_again(rolling, entries, entries[:1])) == 3
    with pytest.raises(InputError, match=r"gone\.png: can no longer be read"):
        read_again(rolling, (entries[0], gone, entries[2]), entries[:1])
