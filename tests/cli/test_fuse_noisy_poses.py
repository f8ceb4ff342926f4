"""`glrender fuse --use color --refine-poses` with positions a centimetre off, and with a wrong focal length."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from glrender.cli.main import main
from glrender.io.trajectory import Trajectory, read_trajectory, write_trajectory

SCENE = (
    *("--path", "rover", "--size", "3", "3", "--relief", "0.22", "--altitude", "0.9"),
    *("--width", "160", "--height", "120", "--frames", "36"),
)

MAP = ("--frames", "0:22", "--spacing", "0.03")


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """36 photographs of a drive round a figure of eight, some 17 cm apart, about a metre above rough ground."""
    folder = tmp_path_factory.mktemp("noisy") / "drive"
    assert main(["simulate", str(folder), *SCENE]) == 0
    return folder


@pytest.fixture(scope="module")
def noisy(drive: Path) -> Path:
    """The same with positions that are off by 1 cm along each axis, every frame by itself."""
    folder = drive.parent / "noisy"
    shutil.copytree(drive, folder)
    given = read_trajectory(folder / "groundtruth.txt")
    poses = given.poses.copy()
    poses[:, :3, 3] += np.random.default_rng(0).normal(scale=0.01, size=(len(poses), 3))
    write_trajectory(folder / "groundtruth.txt", Trajectory(given.times, poses))
    return folder


def judged(capsys: pytest.CaptureFixture[str], sequence: Path, *options: str) -> dict[str, Any]:
    out = sequence.parent / f"{sequence.name}_map"
    assert main(["fuse", str(sequence), "--use", "color", "--out", str(out), *MAP, *options]) == 0
    capsys.readouterr()
    assert main(["eval", str(out / "map.npz"), "--truth", str(sequence / "truth.npz"), "--json"]) == 0
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def test_a_map_bears_a_centimetre_of_noise(drive: Path, noisy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exact = judged(capsys, drive)
    refined = judged(capsys, noisy, "--refine-poses", "--pose-sigma", "0.01", "0")
    assert refined["completeness"] > 0.95 * exact["completeness"]
    assert refined["median_abs_mm"] < 1.5 * exact["median_abs_mm"]
    for share in ("within_1_sigma", "within_2_sigma"):
        assert refined[share] == pytest.approx(exact[share], abs=0.1)


@pytest.mark.parametrize("share", [0.0, 0.05, -0.05])
def test_a_wrong_focal_length_is_told(
    drive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], share: float
) -> None:
    """Of a stretch of the drive, whatever is made of it."""
    wrong = tmp_path / "wrong"
    shutil.copytree(drive, wrong)
    camera = yaml.safe_load((wrong / "camera.yaml").read_text())
    camera |= {name: camera[name] / (1 + share) for name in ("fx", "fy")}
    (wrong / "camera.yaml").write_text(yaml.safe_dump(camera))
    out = tmp_path / "map"
    options = ("--refine-poses", "--pose-sigma", "0.001", "0.01", "--frames", "0:9", "--spacing", "0.1")
    assert main(["fuse", str(wrong), "--use", "color", "--out", str(out), *options]) == 0
    found = json.loads((out / "report.json").read_text())["pose_refinement"]["focal_length"]
    warned = "focal length" in capsys.readouterr().err
    assert found["wrong"] == warned == (share != 0)
    assert found["share_missing"] == pytest.approx(share, abs=0.015)
    assert found["sigma"] < 0.015
