"""The README's examples run as they are written, and the commands it names exist."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from glrender.cli.main import VERBS
from glrender.geometry.heightmap import HeightMap
from glrender.io.camera_file import read_camera

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("code", blocks("python"))
def test_python_runs_as_written(code: str, tmp_path: Path) -> None:
    finished = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert finished.returncode == 0, finished.stderr


def test_there_is_python_to_run() -> None:
    assert blocks("python")


@pytest.mark.parametrize("job", blocks("toml"))
def test_jobs_run_as_written(job: str, tmp_path: Path) -> None:
    HeightMap(np.zeros((9, 9)), 0.25, (-1.0, -1.0), np.full((9, 9, 3), 0.5)).save(tmp_path / "map.npz")
    (tmp_path / "job.toml").write_text(job, encoding="utf-8")
    command = [sys.executable, "-m", "glrender", "batch", "job.toml", "--out", "out/views"]
    finished = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert finished.returncode == 0, finished.stderr
    assert (tmp_path / "out/views/image/000012.png").is_file()


def test_every_verb_is_named_and_no_other() -> None:
    named = set(re.findall(r"^(?:\.venv/bin/)?glrender (\w+)", "\n".join(blocks("sh")), re.MULTILINE))
    assert named == set(VERBS)


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)", "\n".join(blocks("sh")), re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


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
    figures = (ROOT / "FIGURES.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)`", README + figures) + re.findall(r"\]\(([\w./]+)\)", README + figures)
    assert len(named) > 5
    for name in named:
        assert (ROOT / name).is_file(), name
