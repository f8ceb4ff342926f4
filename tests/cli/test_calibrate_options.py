"""`--calibrate` used wrongly, for `fit`, with the depth scale, and interrupted."""

import json
from pathlib import Path

import pytest
from motions import ROUGH, bobbing, record

from glrender.cli.main import main
from glrender.fusion.calibration import CalibrationProblem
from glrender.gl.context import Context

COARSE = ["--spacing", "0.08", "--frames", "0:24"]


@pytest.fixture(scope="module")
def folder(context: Context, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording whose sensor reads 2 % too much, with a clock that is off by 15 ms."""
    made = tmp_path_factory.mktemp("recording")
    record(context, made, bobbing, ROUGH, 0.015, read=1.02)
    return made


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fuse", "--calibrate-depth-scale"], "--calibrate-depth-scale: received without --calibrate"),
        (["fit", "--calibrate-depth-scale"], "--calibrate-depth-scale: received without --calibrate"),
        (["fuse", "--calibrate-height-offsets"], "--calibrate-height-offsets: received without --calibrate"),
        (["fit", "--calibrate", "--use", "color"], "a camera is calibrated by its depth images"),
        (
            ["fuse", "--calibrate", "--use", "color"],
            "--calibrate: received with --use color, which has no depth images",
        ),
    ],
)
def test_wrong_use(
    folder: Path, tmp_path: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    verb, *options = arguments
    assert main([verb, str(folder), "--out", str(tmp_path / "out"), *options]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_fit_calibrates_likewise(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "fit"
    assert main(["fit", str(folder), "--out", str(out), "--calibrate", *COARSE, "--iterations", "2"]) == 0
    report = json.loads((out / "report.json").read_text())
    assert report["time_offset"] == pytest.approx(0.015, abs=0.002)
    assert report["camera_sigma"]["fx"] > 0
    assert report["camera_from"].startswith("focal length estimated with the map from 24 frames")
    assert "±" in capsys.readouterr().out


def test_eval_takes_the_depth_scale_of_the_report(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "map"
    options = ["--calibrate", "--calibrate-depth-scale", *COARSE]
    assert main(["fuse", str(folder), "--out", str(out), *options]) == 0
    report = json.loads((out / "report.json").read_text())
    assert report["depth_scale"] == pytest.approx(1.02 * report["calibration"]["nominal"]["depth_scale"], rel=0.002)
    judge = ["eval", str(out / "map.npz"), "--sequence", str(folder), "--frames", "24:30", "--json"]
    capsys.readouterr()
    assert main(judge) == 0
    right = json.loads(capsys.readouterr().out)
    (out / "report.json").write_text(json.dumps(report | {"depth_scale": report["depth_scale"] / 1.02}))
    assert main(judge) == 0
    wrong = json.loads(capsys.readouterr().out)
    assert abs(right["offset_mm"]) < 2
    assert wrong["offset_mm"] < right["offset_mm"] - 10  # what is read is 2 % farther than the map


def test_an_interruption_loses_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before a frame is fused there is nothing to keep; what an earlier run left stays."""
    out = tmp_path / "map"
    assert main(["fuse", str(folder), "--out", str(out), *COARSE]) == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(CalibrationProblem, "_improve", interrupt)
    capsys.readouterr()
    assert main(["fuse", str(folder), "--out", str(out), "--calibrate", *COARSE]) == 1
    assert "interrupted" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
