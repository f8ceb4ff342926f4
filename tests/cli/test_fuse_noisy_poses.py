"""Photographs whose poses are refined: with positions a centimetre off, and with a wrong focal length."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from focal_lengths import with_focal_length_off

from glrender.cli.main import main
from glrender.cli.simulate import Options, make_noise, make_scene
from glrender.fusion.options import FusionOptions
from glrender.fusion.shared_errors import PoseSigma
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.io.sequence import Sequence
from glrender.io.sequence_folder import open_sequence
from glrender.io.trajectory import Trajectory, write_trajectory
from glrender.pipeline.evaluate import TruthEvaluation, evaluate_against_truth
from glrender.pipeline.fuse import MotionOptions, SequenceOptions
from glrender.pipeline.photographs import fuse_photographs
from glrender.simulate.recording import record

ROUND, FRAMES = 196, 75
"""Photographs of a drive round a figure of eight, some 3 cm apart; the first, that are taken."""
NOISE = 0.01
"""Metres along each axis."""
DRAWS = 0, 2
"""Seeds whose noise has a mean within its standard deviation: by what it shifts all positions, nothing can tell."""


@pytest.fixture(scope="module")
def drive(context: Context, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The photographs, taken about a metre above rough ground."""
    folder = tmp_path_factory.mktemp("noisy") / "drive"
    folder.mkdir()
    options = Options(folder, size=(3, 3), relief=0.22, path="rover", frames=ROUND, altitude=0.9, width=160, height=120)
    scene = make_scene(options, np.random.default_rng(0))
    scene = replace(scene, times=scene.times[:FRAMES], poses=scene.poses[:FRAMES])
    record(context, scene, make_noise(options, scene), np.random.SeedSequence(1), folder)
    return folder


def noisy(sequence: Sequence, seed: int) -> Sequence:
    """With positions that are off, every frame by itself."""
    assert sequence.trajectory is not None
    poses = sequence.trajectory.poses.copy()
    poses[:, :3, 3] += np.random.default_rng(seed).normal(scale=NOISE, size=(len(poses), 3))
    return replace(sequence, trajectory=Trajectory(sequence.trajectory.times, poses))


def judged(context: Context, drive: Path, sequence: Sequence, *, refine: bool) -> TruthEvaluation:
    options = SequenceOptions(
        use="color",
        spacing=0.05,
        motion=MotionOptions(refine_poses=refine),
        fusion=FusionOptions(pose_sigma=PoseSigma(NOISE, 0.0) if refine else None),
    )
    surface = fuse_photographs(context, sequence, options).surface
    return evaluate_against_truth(surface, HeightMap.load(drive / "truth.npz"))


def test_maps_bear_a_centimetre_of_noise(context: Context, drive: Path) -> None:
    """By as much as the mean over all photographs leaves of it, which is one error of all cells; in every draw."""
    sequence = open_sequence(drive, only="rgb")
    exact = judged(context, drive, sequence, refine=False)
    for seed in DRAWS:
        refined = judged(context, drive, noisy(sequence, seed), refine=True)
        assert refined.completeness > 0.95 * exact.completeness
        assert refined.summary.median_abs_mm < 1.5 * exact.summary.median_abs_mm
        for share in ("within_1_sigma", "within_2_sigma"):
            assert getattr(refined.summary, share) == pytest.approx(getattr(exact.summary, share), abs=0.1)


@pytest.mark.parametrize("said", [NOISE, NOISE / 10])
def test_poses_that_are_worse_than_said_are_told(
    drive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], said: float
) -> None:
    trajectory = noisy(open_sequence(drive, only="rgb"), DRAWS[0]).trajectory
    assert trajectory is not None
    write_trajectory(tmp_path / "rough.txt", trajectory)
    options = ("--refine-poses", "--pose-sigma", str(said), "0.01", "--frames", "0:45:5", "--spacing", "0.1")
    where = ("--trajectory", str(tmp_path / "rough.txt"), "--out", str(tmp_path / "map"))
    assert main(["fuse", str(drive), "--use", "color", *where, *options]) == 0
    warned = "photographs move the poses by" in capsys.readouterr().err
    assert warned == (said < NOISE)


@pytest.mark.parametrize("said", [("1e12", "1"), ("0.01", "200")])
def test_poses_that_nothing_is_known_of_are_refused(
    drive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], said: tuple[str, str]
) -> None:
    """They were refined, with a sigma of rounding."""
    options = ("--refine-poses", "--pose-sigma", *said, "--frames", "0:45:5", "--spacing", "0.1")
    assert main(["fuse", str(drive), "--use", "color", "--out", str(tmp_path / "map"), *options]) == 1
    assert "expected at most" in capsys.readouterr().err
    assert not (tmp_path / "map").exists()


@pytest.mark.parametrize("share", [0.0, 0.05, -0.05])
def test_a_wrong_focal_length_is_told(
    drive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], share: float
) -> None:
    """Of a stretch of the drive, whatever is made of it."""
    wrong = with_focal_length_off(drive, tmp_path / "wrong", share)
    out = tmp_path / "map"
    options = ("--refine-poses", "--pose-sigma", "0.001", "0.01", "--frames", "0:45:5", "--spacing", "0.1")
    assert main(["fuse", str(wrong), "--use", "color", "--out", str(out), *options]) == 0
    found = json.loads((out / "report.json").read_text())["pose_refinement"]["focal_length"]
    warned = "focal length" in capsys.readouterr().err
    assert found["wrong"] == warned == (share != 0)
    assert found["share_missing"] == pytest.approx(share, abs=0.015)
    assert found["sigma"] < 0.015
