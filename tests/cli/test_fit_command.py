"""`glrender fit` as a user runs it: the files, the table, and bad use in one line."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from complaints import complaint

from glrender.cli.main import main
from glrender.geometry.heightmap import HeightMap
from glrender.pipeline.outputs import FILES

GRID = ["--spacing", "0.03", "--bounds", "-0.3", "0.3", "-0.24", "0.24", "--time-offset", "0"]


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated")
    size = ["--size", "0.6", "0.48", "--spacing", "0.03", "--frames", "5", "--width", "80", "--height", "60"]
    assert main(["simulate", str(folder), *size, "--texture-detail", "1"]) == 0
    return folder


@pytest.fixture
def copy(simulated: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(simulated, tmp_path / "copy"))


def test_a_map_its_pictures_and_its_table(simulated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "out"
    for _ in range(2):
        assert main(["fit", str(simulated), "--out", str(out), *GRID]) == 0
        printed = capsys.readouterr().out
        assert {path.name for path in out.iterdir()} == set(FILES)
    head, *lines = printed.splitlines()
    assert head.split()[:4] == ["step", "round", "measurements", "cost"]
    rows = [line.split() for line in lines if line.split()[0].isdigit()]
    assert [int(row[0]) for row in rows] == list(range(len(rows)))
    report = json.loads((out / "report.json").read_text())
    assert len(rows) == len(report["steps"]) > 2
    assert f"{out}: 5 frames fitted, depth within" in printed
    assert "converged: " in printed
    assert "look at" in printed
    assert not report["partial"]
    truth = HeightMap.load(simulated / "truth.npz")
    error = HeightMap.load(out / "map.npz").heights - truth.heights
    assert np.nanmedian(np.abs(error)) < 0.0005


def test_every_option(simulated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savetxt(tmp_path / "T.txt", np.eye(4))
    options = ["--frames", "even", "--use", "depth", "--loss", "tukey", "--smoothness", "0.3", "--iterations", "3"]
    options += ["--T-world-map", str(tmp_path / "T.txt"), "--depth-noise", "0.001", "0", "--color-noise", "0.1"]
    options += ["--trajectory", str(simulated / "truth_trajectory.txt"), "--strict"]
    assert main(["fit", str(simulated), "--out", str(tmp_path / "out"), *GRID, *options]) == 0
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert report["frames_used"] == 3
    assert report["use"] == "depth"
    assert report["options"]["slope_sigma"] == 0.3
    assert report["options"]["weighting"]["depth_noise"] == "DepthNoise(base=0.001, quadratic=0.0)"
    assert report["options"]["weighting"]["depth_loss"] == "Tukey(k=4.6851)"
    assert "colour within" not in capsys.readouterr().out
    start = ["--start", str(tmp_path / "out/map.npz"), "--use", "color", "--iterations", "1", "--time-offset", "0"]
    assert main(["fit", str(simulated), "--out", str(tmp_path / "again"), *start]) == 0
    assert "stopped: 1 steps tried, which is the limit" in capsys.readouterr().out


def test_damaged_frames_are_skipped_and_named(copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    damaged = sorted((copy / "depth").iterdir())[2]
    damaged.write_bytes(damaged.read_bytes()[:200])
    assert main(["fit", str(copy), "--out", str(tmp_path / "out"), *GRID]) == 0
    printed = capsys.readouterr().out
    assert "4 frames fitted" in printed
    assert f"skipped frame 2 ({damaged})" in printed
    assert main(["fit", str(copy), "--out", str(tmp_path / "out"), *GRID, "--strict"]) == 1
    assert str(damaged) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["--use", "colour"], 2, "'colour'"),
        (["--loss", "l1"], 2, "'l1'"),
        (["--spacing", "0"], 2, "--spacing: received 0, expected a finite number greater than 0"),
        (["--smoothness", "-1"], 2, "--smoothness: received -1"),
        (["--smoothness", "nan"], 2, "--smoothness: received nan"),
        (["--color-noise", "0"], 2, "--color-noise: received 0"),
        (["--iterations", "0"], 2, "--iterations: received 0"),
        (["--depth-noise", "0", "0"], 2, "--depth-noise: depth noise base"),
        (["--bounds", "1", "0", "0", "1"], 2, "--bounds: received 1 0 0 1, expected X0 X1 Y0 Y1"),
        (["--bounds", "1", "0"], 2, "--bounds"),
        (["--time-offset", "later"], 2, "--time-offset: received 'later'"),
        (["--frames", "7:9"], 2, "selects none of the 5 frames"),
        (["--frames", "each"], 2, "frames: received 'each'"),
        (["--start", "nowhere.npz"], 1, "nowhere.npz: no such file"),
        (["--start", "FOLDER/truth.npz", "--spacing", "0.1"], 2, "start: received a map and spacing as well"),
        (["--T-world-map", "nowhere.txt"], 1, "nowhere.txt: no such file"),
        (["--trajectory", "nowhere.txt"], 1, "nowhere.txt: no such file"),
        (["--spacing", "0.001", "--bounds", "0", "100", "0", "100"], 1, "height map: received 100001 x 100001"),
        (["--time-offset", "1000"], 1, "no frame lies within the trajectory"),
        (["--smooth", "1"], 2, "--smooth"),
    ],
)
def test_bad_use(
    simulated: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    status: int,
    message: str,
) -> None:
    options = [option.replace("FOLDER", str(simulated)) for option in options]
    given = GRID[:2] if "--spacing" not in options and "--start" not in options else []
    assert main(["fit", str(simulated), "--out", str(tmp_path / "out"), *given, *options]) == status
    assert message in complaint(capsys)
    assert not (tmp_path / "out/map.npz").exists()


def test_bad_folders(simulated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    for sequence, out, message in (
        (tmp_path / "nowhere", tmp_path / "out", "no such folder"),
        (tmp_path / "empty", tmp_path / "out", "neither rgb.txt nor depth.txt"),
        (simulated, tmp_path / "file", "cannot be written to"),
    ):
        assert main(["fit", str(sequence), "--out", str(out)]) == 1
        assert message in complaint(capsys)


def test_no_poses_and_no_depth(copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (copy / "depth.txt").unlink()
    assert main(["fit", str(copy), "--out", str(tmp_path / "out")]) == 1
    assert "give T_world_map, the bounds and the spacing" in capsys.readouterr().err
    (copy / "groundtruth.txt").unlink()
    assert main(["fit", str(copy), "--out", str(tmp_path / "out")]) == 1
    assert "no groundtruth.txt" in capsys.readouterr().err


def test_ctrl_c_keeps_the_last_estimate(simulated: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-u", "-m", "glrender", "fit", str(simulated), "--out", str(out), "--time-offset", "0"]
    command += ["--use", "depth", "--spacing", "0.003"]  # finer than the data: it goes on for a while
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("   2 "):
            process.send_signal(signal.SIGINT)
            break
    printed, complaints = process.communicate(timeout=60)
    assert process.returncode == 1, complaints
    assert "frames fitted (interrupted: partial)" in printed
    report = json.loads((out / "report.json").read_text())
    assert report["partial"]
    assert report["ended"] == "interrupted"
    assert np.isfinite(HeightMap.load(out / "map.npz").heights).any()
