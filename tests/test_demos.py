"""The demonstrations: each runs, its numbers are good, its picture is there, and it is a page that people can read."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

DEMOS = Path(__file__).parents[1] / "demos"
NUMBERED = sorted(DEMOS.glob("[0-9]*.py"))
PAGE = 80
"""Lines of code, without the docstring on top, empty lines and comments."""


def run(number: str, folder: Path) -> str:
    """Run demonstration `number` as a reader would, from elsewhere, and return what it prints."""
    (demo,) = DEMOS.glob(f"{number}_*.py")
    out = folder / "new" / "pictures"
    command = [sys.executable, str(demo), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    picture = out / f"{demo.stem}.png"
    assert done.stdout.splitlines()[-1] == f"wrote {picture}"
    assert [path.name for path in out.iterdir()] == [picture.name]
    assert_drawn(picture)
    return done.stdout


def assert_drawn(path: Path) -> None:
    """No quarter of the picture is blank."""
    picture = cv2.imread(str(path))
    assert picture is not None
    assert picture.shape[1] >= 1200
    height, width = picture.shape[:2]
    for part in (np.s_[: height // 2], np.s_[height // 2 :]):
        for column in (np.s_[: width // 2], np.s_[width // 2 :]):
            quarter = picture[part, column].reshape(-1, 3)
            assert (quarter != 255).any(axis=1).mean() > 0.1
            assert len(np.unique(quarter, axis=0)) > 500


def numbers(pattern: str, text: str) -> list[tuple[float, ...]]:
    """The groups of every match."""
    return [tuple(map(float, match.groups())) for match in re.finditer(pattern, text)]


def test_derivatives_of_two_triangles(tmp_path: Path) -> None:
    said = run("01", tmp_path)
    ((compared,),) = numbers(r"differences at ([\d.]+)%", said)
    assert compared > 95
    found = numbers(r"derivatives of \w+: up to ([\d.]+), off by at most ([\d.e+-]+)", said)
    assert len(found) == 2
    for largest, error in found:
        assert largest > 1
        assert error < 1e-3 * largest


def test_heights_from_one_depth_image(tmp_path: Path) -> None:
    said = run("02", tmp_path)
    assert "\nconverged: " in said
    ((seen, before, after),) = numbers(
        r"([\d.]+)% of the heights seen: RMSE ([\d.]+) mm before, ([\d.]+) mm after", said
    )
    assert seen > 50
    assert before > 30
    assert after < 1.0, "less than half of the noise of the depth image, 2 mm"


def test_a_flight_becomes_a_map(tmp_path: Path) -> None:
    said = run("03", tmp_path)
    table = np.array([[float(cell.rstrip("%")) for cell in line.split()] for line in said.splitlines()[1:-1]])
    frames, known, rmse, sigma, within_1, within_2 = table.T
    assert frames.tolist() == [1, 5, 20]
    assert (np.diff(known) > 0).all()
    assert known[-1] > 99
    assert (np.diff(rmse) < 0).all()
    assert rmse[-1] < 0.7
    assert (np.diff(sigma) < 0).all()
    assert within_1 == pytest.approx(68, abs=5)
    assert within_2 == pytest.approx(95, abs=3)


def test_a_recording_that_is_not_there_is_refused(tmp_path: Path) -> None:
    (demo,) = DEMOS.glob("04_*.py")
    command = [sys.executable, str(demo), "nowhere"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False, timeout=60)
    assert done.returncode == 2
    assert "nowhere: no such folder" in done.stderr


def test_free_ground_is_free_however_badly_it_is_seen(tmp_path: Path) -> None:
    said = run("05", tmp_path)
    table = np.array([[float(cell.rstrip("%")) for cell in line.split()] for line in said.splitlines()[1:-1]])
    sigma, free, obstacles, unknown, free_is_free, obstacles_are = table.T
    assert sigma.tolist() == [1, 4, 8]
    assert (np.diff(free) < 0).all()
    assert (np.diff(unknown) > 0).all()
    assert obstacles[-1] > 10
    assert (free_is_free > 97).all()
    assert (obstacles_are > 99).all()


def test_an_output_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    command = [sys.executable, str(NUMBERED[0]), "--out", "out"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False, timeout=60)
    assert done.returncode == 2
    assert "error: out: cannot be written to" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("path", NUMBERED, ids=lambda path: path.stem)
def test_a_demonstration_is_a_page_of_public_names(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    teaching = ast.get_docstring(tree)
    assert teaching is not None
    lines = source.splitlines()[tree.body[0].end_lineno :]
    assert len([line for line in lines if line.strip() and not line.strip().startswith("#")]) <= PAGE
    used = {
        alias.name for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names
    }
    used |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert [name for name in used if name.startswith("_")] == []
