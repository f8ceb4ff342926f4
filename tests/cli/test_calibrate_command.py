"""`--calibrate`: a wrong camera and a wrong clock are found with the map, or kept with a reason."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from flights import fly, rough_ground

from glrender.cli.main import main
from glrender.gl.context import Context

FX = 144.0
"""Of the camera that the flight was recorded with, pixels."""
OFFSET = 0.015
"""Seconds by which the trajectory's clock is ahead."""


@pytest.fixture(scope="module")
def falsified(context: Context, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A flight whose camera.yaml says 1.5 % too much, and whose poses come late."""
    folder = fly(context, rough_ground(), frames=30, width=160).write(tmp_path_factory.mktemp("flight") / "seen")
    path = folder / "camera.yaml"
    camera = yaml.safe_load(path.read_text())
    assert camera["fx"] == camera["fy"] == FX
    path.write_text(yaml.safe_dump(camera | {"fx": 1.015 * FX, "fy": 1.015 * FX}))
    poses = [line.split() for line in (folder / "groundtruth.txt").read_text().splitlines() if line[0] != "#"]
    late = [" ".join([f"{float(time) + OFFSET:.6f}", *pose]) for time, *pose in poses]
    (folder / "groundtruth.txt").write_text("\n".join(late) + "\n")
    return folder


def fuse(folder: Path, out: Path, *options: str) -> dict[str, Any]:
    assert main(["fuse", str(folder), "--out", str(out), "--use", "depth", *options]) == 0
    return dict(json.loads((out / "report.json").read_text()))


def test_camera_and_clock_are_found(falsified: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = fuse(falsified, tmp_path / "map", "--calibrate")
    camera, sigma = report["camera"], report["calibration"]["sigma"]
    for name in ("fx", "fy"):
        assert abs(camera[name] - FX) < 0.003 * FX
        assert abs(camera[name] - FX) < 3 * sigma[name]
    assert abs(report["time_offset"] - OFFSET) < 0.002
    assert abs(report["time_offset"] - OFFSET) < 3 * sigma["time_offset"]
    assert np.array(report["calibration"]["covariance"]).shape == (6, 6)
    assert report["calibration"]["nominal"]["fx"] == pytest.approx(1.015 * FX)
    printed = capsys.readouterr().out
    assert "±" in printed
    assert "estimated with the map" in printed


def test_the_map_is_better_for_it(falsified: Path, tmp_path: Path) -> None:
    plain = fuse(falsified, tmp_path / "plain")
    calibrated = fuse(falsified, tmp_path / "calibrated", "--calibrate")
    assert calibrated["residuals"]["median_abs_m"] < plain["residuals"]["median_abs_m"]


def test_a_time_offset_that_is_given_is_held(falsified: Path, tmp_path: Path) -> None:
    report = fuse(falsified, tmp_path / "map", "--calibrate", "--time-offset", str(OFFSET))
    assert report["time_offset"] == OFFSET
    assert report["calibration"]["sigma"]["time_offset"] is None
    assert abs(report["camera"]["fx"] - FX) < 0.003 * FX


def test_too_few_frames_keep_the_nominal_camera_and_say_why(
    falsified: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = fuse(falsified, tmp_path / "map", "--calibrate", "--frames", "0:5", "--time-offset", "0.02")
    assert report["camera"]["fx"] == pytest.approx(1.015 * FX)
    assert "kept" in capsys.readouterr().out
    assert "kept" in report["calibration"]["reasons"]["focal length"]


def test_eval_takes_the_calibrated_camera(falsified: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fuse(falsified, tmp_path / "map", "--calibrate", "--frames", "even")
    capsys.readouterr()
    judge = ["eval", str(tmp_path / "map" / "map.npz"), "--sequence", str(falsified), "--frames", "odd"]
    assert main(judge) == 0
    assert "camera from" in capsys.readouterr().out


@pytest.mark.parametrize("verb", ["fuse", "fit"])
def test_without_depth_there_is_nothing_to_calibrate_by(
    falsified: Path, tmp_path: Path, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("rgb", "rgb.txt", "camera.yaml", "groundtruth.txt"):
        (bare / name).symlink_to(falsified / name)
    assert main([verb, str(bare), "--out", str(tmp_path / "out"), "--calibrate"]) == 1
    message = capsys.readouterr().err
    assert "depth image" in message
    assert "unexpected" not in message
