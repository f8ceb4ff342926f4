"""`glrender view` without a person, and used wrongly."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from flights import fly, rough_ground

from glrender.cli.main import main
from glrender.errors import InputError
from glrender.pipeline.fuse import SequenceOptions
from glrender.viewer.rig import Rig
from glrender.viewer.sources import OPENS, open_source
from glrender.viewer.state import ViewState


def test_no_display_names_what_does_without_one(
    map_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert main(["view", str(map_file)]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "neither DISPLAY nor WAYLAND_DISPLAY is set" in said
    assert "glrender batch" in said


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (
            ["nowhere.npz"],
            1,
            "nowhere.npz: no such file or folder; what can be opened is a map (.npz, or its folder), elevations",
        ),
        (["{map}", "--frames", "3"], 2, "--frames: received without --screenshot or --record"),
        (["{map}", "--frames", "0", "--screenshot", "x.png"], 2, "--frames: received 0, expected at least 1"),
        (["{map}", "--screenshot", "nowhere/x.png"], 1, "--screenshot: nowhere: no such folder"),
        (["{map}", "--size", "10", "10"], 2, "--size: received 10 10, expected 64 64 to 8192 8192 pixels"),
        (["{map}", "--size", "100000", "64"], 2, "--size: received 100000 64, expected 64 64 to 8192 8192 pixels"),
        (["{map}", "--screenshot", "/"], 1, "--screenshot: /: is a folder, expected the name of a PNG"),
        (["{map}", "--screenshot", "x.mp4"], 2, "--screenshot: received x.mp4, expected a name that ends in .png"),
        (["{map}", "--view", "nowhere.json"], 1, "nowhere.json: no such file"),
        (["{map}", "--view", "{map}"], 1, "hills.npz: cannot be read as text"),
    ],
)
def test_used_wrongly(arguments, status, message, map_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["view", *(argument.format(map=map_file) for argument in arguments)]) == status
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("map.npz", "map.npz: not a readable"),
        ("map.xyz", "map.xyz: cannot be looked at"),
        ("noext", "noext: cannot be looked at"),
        ("drive.bag", "drive.bag: is a recording, of which `glrender convert .* makes a sequence"),
        ("film.mp4", "film.mp4: is a recording, of which `glrender convert .* makes a sequence"),
        ("report.json", "report.json: no key 'scene'"),
        ("job.toml", "job.toml: no key 'scene'"),
        ("gone.npz", "gone.npz: no such file or folder"),
        (".", "no rgb.txt, depth.txt or map.npz in it; `glrender convert` makes a sequence"),
    ],
)
def test_what_cannot_be_opened_is_told_with_all_that_can(context, tmp_path: Path, name: str, message: str) -> None:
    if name not in (".", "gone.npz"):
        (tmp_path / name).write_text({".json": '{"frames": 3}', ".toml": "frames = 3"}.get(name[-5:], "nothing"))
    with pytest.raises(InputError, match=message) as refused:
        open_source(context, tmp_path / name, SequenceOptions())
    assert str(refused.value).endswith(f"; {OPENS}")
    for kind in ("map", "elevations", "sequence", "batch job", "copied view"):
        assert kind in OPENS


def test_a_job_that_is_wrong_says_what_of_it(context, tmp_path: Path) -> None:
    (tmp_path / "job.toml").write_text('scene = [{ type = "sphere" }]')
    with pytest.raises(InputError, match="job.toml: scene.*sphere") as refused:
        open_source(context, tmp_path / "job.toml", SequenceOptions())
    assert OPENS not in str(refused.value)


def test_a_view_is_nothing_to_look_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "my view.json").write_text(ViewState(Rig((0.0, 0.0, 0.0), 2.5)).to_json())
    assert main(["view", str(tmp_path / "my view.json")]) == 1
    assert "is a copied view, expected what it is a view of: `glrender view MAP --view '" in capsys.readouterr().err


def test_a_folder_that_a_map_was_written_to_is_the_map(context, map_file: Path, tmp_path: Path) -> None:
    (tmp_path / "map.npz").write_bytes(map_file.read_bytes())
    (tmp_path / "report.json").write_text("{}", encoding="utf-8")
    assert open_source(context, tmp_path, SequenceOptions()).scene.name == "map.npz"
    (tmp_path / "depth.txt").write_text("")
    with pytest.raises(
        InputError, match="depth.txt: names no image"
    ):  # of a sequence that a map was written into, the sequence
        open_source(context, tmp_path, SequenceOptions())


def test_a_film_that_cannot_be_written_leaves_no_panels_behind(map_file: Path, display: str, tmp_path: Path) -> None:
    pytest.importorskip("av", reason="an extra that is not installed here")
    arguments = ["view", str(map_file), "--size", "64", "64", "--record", "film.txt"]
    program = f"from glrender.cli.main import main; print([main({arguments!r}) for _ in range(2)])"
    environment = os.environ | {"DISPLAY": display, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=environment,
        timeout=300,
        check=False,
    )
    assert done.stdout == "[1, 1]\n"
    assert done.stderr.count("film.txt: no film can be written there") == 2


def test_a_sequence_becomes_a_map_and_a_film(context, display: str, tmp_path: Path) -> None:
    av = pytest.importorskip("av", reason="an extra that is not installed here")
    copied = tmp_path / "view.json"
    copied.write_text(ViewState(Rig((0.0, 0.0, 0.0), 2.5), layer="residual").to_json(), encoding="utf-8")
    folder = fly(context, rough_ground(), frames=4).write(tmp_path / "flight")
    options = ["--spacing", 0.025, "--size", 400, 300, "--record", "film.mp4", "--screenshot", "last.png"]
    command = [sys.executable, "-m", "glrender", "view", *map(str, [folder, *options, "--view", copied])]
    environment = os.environ | {"DISPLAY": display, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, env=environment, timeout=300, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("5 frames, "), "one after each frame, and the finished map"
    with av.open(str(tmp_path / "film.mp4")) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert [picture.shape for picture in pictures] == [(300, 400, 3)] * 5
    assert np.abs(pictures[0].astype(int) - pictures[-1]).max(axis=-1).mean() > 2, "the map grows"
    last = cv2.imread(str(tmp_path / "last.png"))[..., ::-1]
    assert last.shape == pictures[-1].shape
    assert np.abs(pictures[-1].astype(int) - last).mean() < 8, "but for what the film's compression takes"
