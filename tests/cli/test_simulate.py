"""`glrender simulate`: good use, use on files, bad use, and Ctrl-C."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from complaints import complaint

from glrender.cli.main import main
from glrender.geometry.heightmap import HeightMap
from glrender.io.sequence_folder import open_sequence
from glrender.io.staged_folder import STAGE

SMALL = ["--spacing", "0.1", "--frames", "3", "--width", "40", "--height", "30"]


def test_a_small_simulation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "two hills"
    options = ["--pose-noise", "0.01", "0.2", "--offset-noise", "0.003", "--depth-noise", "0.002", "0", "--rate", "5"]
    assert main(["simulate", str(out), *SMALL, *options, "--size", "3", "2", "--origin", "10", "-20"]) == 0
    printed = capsys.readouterr().out
    assert f"{out}: 3 frames of 40 x 30, path flyover" in printed
    assert f"glrender fuse '{out}' --out DIR --spacing 0.1 --bounds 10 13 -20 -18" in printed
    sequence = open_sequence(out)
    assert [entry.time for entry in sequence.frames] == [0.0, 0.2, 0.4]
    assert sequence.camera.width == 40
    truth = HeightMap.load(out / "truth.npz")
    assert truth.shape == (21, 31)
    assert truth.origin == (10, -20)
    assert np.ptp(truth.heights) == pytest.approx(0.25, abs=1e-6)
    record = json.loads((out / "simulation.json").read_text())
    assert record["frames"] == 3
    assert not record["partial"]
    assert record["noise"]["depth_offset"] == 0.003
    assert {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()} == set(record["files"])


def test_the_depth_noise_follows_the_size(tmp_path: Path) -> None:
    assert main(["simulate", str(tmp_path), "--size", "20", "20", "--spacing", "1", *SMALL[2:]]) == 0
    noise = json.loads((tmp_path / "simulation.json").read_text())["noise"]
    assert noise["depth_constant"] == pytest.approx(0.01)
    assert noise["depth_quadratic"] == pytest.approx(0.00015)


def test_again_into_the_same_folder(tmp_path: Path) -> None:
    assert main(["simulate", str(tmp_path), *SMALL]) == 0
    first = (tmp_path / "depth/0.100000.png").read_bytes()
    (tmp_path / "map.npz").write_text("mine")
    assert main(["simulate", str(tmp_path), *SMALL]) == 0
    assert (tmp_path / "depth/0.100000.png").read_bytes() == first
    assert main(["simulate", str(tmp_path), *SMALL, "--frames", "2", "--seed", "7"]) == 0
    assert len(open_sequence(tmp_path).frames) == 2
    assert not (tmp_path / "depth/0.200000.png").exists()
    assert (tmp_path / "map.npz").read_text() == "mine"


def test_elevation_files_and_an_image(tmp_path: Path) -> None:
    heights = np.add.outer(np.arange(12.0) ** 2, np.arange(15.0))
    np.save(tmp_path / "dem.npy", heights)
    cv2.imwrite(str(tmp_path / "dem.png"), heights.astype(np.uint16))
    cv2.imwrite(str(tmp_path / "blue.png"), np.full((5, 5, 3), (255, 0, 0), np.uint8))
    colors = np.full((12, 15, 3), (0.0, 1.0, 0.0))
    HeightMap(heights / 100, 0.1, (5.0, 6.0), colors).save(tmp_path / "map.npz")
    for name, texture, color in (("dem.npy", "blue.png", 2), ("dem.png", "blue.png", 2), ("map.npz", None, 1)):
        image = ["--texture", str(tmp_path / texture)] if texture else []
        small = SMALL[2:] if name == "map.npz" else SMALL
        assert main(["simulate", str(tmp_path / "out"), "--terrain", str(tmp_path / name), *small, *image]) == 0
        sequence = open_sequence(tmp_path / "out")
        frame = sequence.read(sequence.frames[1])
        assert frame.image[15, 20].argmax() == color
        assert frame.image[15, 20, color] > 0.9
    truth = HeightMap.load(tmp_path / "out/truth.npz")
    assert (truth.shape, truth.spacing, truth.origin) == ((12, 15), 0.1, (5.0, 6.0))
    np.testing.assert_allclose(truth.heights, heights / 100, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["--frames", "0"], 2, "--frames: received 0, expected at least 1"),
        (["--size", "-1", "2"], 2, "--size: received -1 2, expected greater than 0"),
        (["--size", "2"], 2, "--size"),
        (["--relief", "-0.1"], 2, "--relief: received -0.1, expected 0 or more"),
        (["--spacing", "nan"], 2, "--spacing: received nan, expected greater than 0"),
        (["--origin", "inf", "0"], 2, "--origin: received inf 0, expected finite numbers"),
        (["--pose-noise", "-1", "0"], 2, "--pose-noise: received -1 0, expected 0 or more"),
        (["--fov", "180"], 2, "--fov: received 180, expected less than 180"),
        (["--path", "zigzag"], 2, "'zigzag'"),
        (["--terrain", "dem.xyz"], 2, "expected 'builtin' or a file that ends in"),
        (["--terrain", "nowhere.npy"], 1, "nowhere.npy: no such file"),
        (["--terrain", "FOLDER/nan.npy"], 1, "nan.npy: elevation: every height is NaN"),
        (["--terrain", "FOLDER/row.npy"], 1, "row.npy: elevation: received shape (1, 9)"),
        (["--texture", "nowhere.jpg"], 1, "nowhere.jpg: no such file"),
        (["--spacing", "5"], 1, "expected at most the terrain's shorter side"),
        (["--texture-detail", "10000"], 1, "choose less detail"),
        (["--sieze", "2", "2"], 2, "--sieze"),
    ],
)
def test_bad_use_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], status: int, message: str
) -> None:
    np.save(tmp_path / "nan.npy", np.full((5, 5), np.nan))
    np.save(tmp_path / "row.npy", np.ones((1, 9)))
    options = [option.replace("FOLDER", str(tmp_path)) for option in options]
    assert main(["simulate", str(tmp_path / "out"), *SMALL, *options]) == status
    assert message in complaint(capsys)
    assert not (tmp_path / "out").exists()


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rgb.txt").write_text("0 rgb/0.png\n")
    assert main(["simulate", str(tmp_path), *SMALL]) == 1
    assert f"{tmp_path}: holds other things (rgb.txt) and no earlier simulation" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["rgb.txt"]


def interrupted_after_some_frames(out: Path) -> tuple[int, str]:
    command = [sys.executable, "-m", "glrender", "simulate", str(out), *SMALL, "--frames", "5000"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        if (out / STAGE / "depth/0.500000.png").exists():
            process.send_signal(signal.SIGINT)
            break
        time.sleep(0.02)
    printed, complaints = process.communicate(timeout=60)
    return process.returncode, printed + complaints


def test_ctrl_c_keeps_the_frames_that_are_done(tmp_path: Path) -> None:
    status, printed = interrupted_after_some_frames(tmp_path / "new")
    assert status == 1
    assert "of 5000 (interrupted)" in printed
    sequence = open_sequence(tmp_path / "new")
    record = json.loads((tmp_path / "new/simulation.json").read_text())
    assert record["partial"]
    assert 5 <= record["frames"] == len(sequence.frames) < 5000
    assert sequence.problems == ()
    assert (tmp_path / "new/truth.npz").exists()


def test_ctrl_c_leaves_an_earlier_simulation(tmp_path: Path) -> None:
    assert main(["simulate", str(tmp_path), *SMALL]) == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    status, printed = interrupted_after_some_frames(tmp_path)
    assert status == 1
    assert "is left as it was" in printed
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
