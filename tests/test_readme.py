"""The README's examples run as they are written, and the commands it names exist."""

import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, get_type_hints

import numpy as np
import pytest
import yaml
from media import SIZE, write_video

from glrender.cli.main import VERBS, main
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.io import figure
from glrender.io.camera_file import CameraFile, read_camera, write_camera

ROOT = Path(__file__).parents[1]
README, GUIDE, FIGURES, MAKEFILE = (
    (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "GUIDE.md", "FIGURES.md", "Makefile")
)


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def run_python(code: str, folder: Path) -> str:
    """What it prints."""
    finished = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=120)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


@pytest.mark.parametrize("code", blocks("python"))
def test_python_runs_as_written(code: str, tmp_path: Path) -> None:
    run_python(code, tmp_path)


def test_there_is_python_to_run() -> None:
    assert blocks("python")


def test_the_guides_python_follows_and_maps_as_written(tmp_path: Path) -> None:
    scene = ("--size", "1", "1", "--width", "160", "--height", "120", "--path", "orbit", "--texture-detail", "1")
    assert main(["simulate", str(tmp_path / "FOLDER"), *scene]) == 0
    (code,) = blocks("python", GUIDE)
    said = run_python(code, tmp_path).splitlines()
    assert len(said) == 40
    assert all(line.endswith("depths used") for line in said)
    assert (tmp_path / "map.ply").is_file()


def test_what_the_guide_names_is_there() -> None:
    named = re.findall(r"`glrender((?:\.\w+)+)`", GUIDE)
    assert len(named) > 5
    for name in named:
        resolve_name(f"glrender{name}")


@pytest.mark.parametrize("job", blocks("toml"))
def test_jobs_run_as_written(job: str, tmp_path: Path) -> None:
    HeightMap(np.zeros((9, 9)), 0.25, (-1.0, -1.0), np.full((9, 9, 3), 0.5)).save(tmp_path / "map.npz")
    (tmp_path / "job.toml").write_text(job, encoding="utf-8")
    command = [sys.executable, "-m", "glrender", "batch", "job.toml", "--out", "out/views"]
    finished = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert finished.returncode == 0, finished.stderr
    assert (tmp_path / "out/views/image/000012.png").is_file()


def commands(text: str) -> list[str]:
    """The lines that call glrender, from the verb on."""
    return re.findall(r"^\s*(?:\.venv/bin/|\$\(BIN\)/)?glrender (\w.*)$", text, re.MULTILINE)


IN_README = commands("\n".join(blocks("sh")))
ELSEWHERE = [*commands(FIGURES), *commands(MAKEFILE)]


def test_every_verb_is_named_and_no_other() -> None:
    assert {command.split()[0] for command in IN_README} == set(VERBS)


@pytest.mark.parametrize("command", [*IN_README, *ELSEWHERE])
def test_every_command_is_understood_as_written(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = shlex.split(command, comments=True)
    module = import_module(VERBS[arguments[0]][0])
    read: list[Any] = []

    def run(options: Any) -> int:
        read.append(options)
        return 0

    run.__annotations__ = get_type_hints(module.run)
    monkeypatch.setattr(module, "run", run)
    assert main(arguments) == 0
    assert len(read) == 1


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the commands name in capitals: a sequence, a video and a calibration."""
    folder = tmp_path_factory.mktemp("readme")
    scene = ("--size", "1", "1", "--width", "64", "--height", "48", "--frames", "8", "--texture-detail", "1")
    assert main(["simulate", str(folder / "FOLDER"), *scene]) == 0
    write_video(folder / "recorded.mkv", [0, 100, 200]).rename(folder / "VIDEO")
    write_camera(folder / "FILE", CameraFile(Camera(*SIZE, 30.0, 30.0, 15.5, 11.5)))
    return folder


def test_commands_run_as_written_one_after_the_other(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of depth images; those of photographs alone need more of them than is quick."""
    monkeypatch.setattr(figure, "ConstrainedLayoutEngine", lambda **_: None)  # how pictures look is tested elsewhere
    monkeypatch.chdir(workplace)
    of_depth = [
        command
        for command in IN_README
        if command.startswith(("fuse", "fit", "eval", "layers")) and "color" not in command
    ]
    assert len(of_depth) == 5
    for command in of_depth:
        assert main(shlex.split(command, comments=True)) == 0, command


def test_a_video_is_converted_as_written(workplace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VIDEO", "FILE"):
        (tmp_path / name).symlink_to(workplace / name)
    monkeypatch.chdir(tmp_path)
    (command,) = (command for command in IN_README if command.startswith("convert"))
    assert main([*shlex.split(command, comments=True), "--source-format", "video"]) == 0


def test_make_targets_exist() -> None:
    for target in re.findall(r"^make (\w+)", "\n".join(blocks("sh")), re.MULTILINE):
        assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), target


def test_the_camera_file_is_one_that_is_read(tmp_path: Path) -> None:
    (text,) = blocks("yaml")
    path = tmp_path / "camera.yaml"
    path.write_text(text, encoding="utf-8")
    camera = read_camera(path)
    assert camera.color.width == yaml.safe_load(text)["width"]
    assert camera.depth is not None


def test_files_that_are_named_exist() -> None:
    for name in re.findall(r"`((?:demos/)?\d\d_\w+\.py)`", README):
        assert (ROOT / "demos" / Path(name).name).is_file(), name
    texts = README + GUIDE + FIGURES
    named = re.findall(r"`(tests/[\w/]+\.py)`", texts) + re.findall(r"\]\(([\w./]+)\)", texts)
    assert len(named) > 5
    for name in named:
        assert (ROOT / name).is_file(), name
