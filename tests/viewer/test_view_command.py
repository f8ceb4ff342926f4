"""`glrender view` without a person, and used wrongly."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from glrender.cli.main import main
from glrender.viewer.rig import Rig
from glrender.viewer.state import ViewState


def view(*arguments: object, display: str | None) -> subprocess.CompletedProcess:
    environment = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    if display is not None:
        environment["DISPLAY"] = display
    command = [sys.executable, "-m", "glrender", "view", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)


def test_a_screenshot_and_the_rate(map_file: Path, display: str, tmp_path: Path) -> None:
    saved, copied = tmp_path / "view.png", tmp_path / "view.json"
    copied.write_text(ViewState(Rig((0.0, 0.0, 0.0), 2.5), layer="depth").to_json(), encoding="utf-8")
    done = view(map_file, "--size", 320, 240, "--frames", 4, "--screenshot", saved, "--view", copied, display=display)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("4 frames, ")
    picture = cv2.imread(str(saved))
    assert picture.shape == (240, 320, 3)
    assert len({tuple(pixel) for pixel in picture[60:160, 80:240].reshape(-1, 3)}) > 50, "something is shown"


def test_no_display_names_what_does_without_one(map_file: Path) -> None:
    done = view(map_file, display=None)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "neither DISPLAY nor WAYLAND_DISPLAY is set" in done.stderr
    assert "glrender batch" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["nowhere.npz"], 1, "nowhere.npz: no such file or folder; expected a map.npz or a sequence's folder"),
        (["{map}", "--frames", "3"], 2, "--frames: received without --screenshot or --record"),
        (["{map}", "--frames", "0", "--screenshot", "x.png"], 2, "--frames: received 0, expected at least 1"),
        (["{map}", "--size", "10", "10"], 2, "--size: received 10 10, expected at least 64 64"),
        (["{map}", "--view", "nowhere.json"], 1, "nowhere.json: cannot be read as text"),
        (["{map}", "--view", "{map}"], 1, "hills.npz: cannot be read as text"),
    ],
)
def test_used_wrongly(arguments, status, message, map_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["view", *(argument.format(map=map_file) for argument in arguments)]) == status
    assert message in capsys.readouterr().err


def test_a_broken_map_is_told(display: str, tmp_path: Path) -> None:
    broken = tmp_path / "broken.npz"
    broken.write_bytes(b"nothing")
    done = view(broken, display=display)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "not a readable map.npz" in done.stderr
