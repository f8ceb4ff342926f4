"""Where compiled loops are kept, on machines where nothing can be written as well."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from glrender import loop_cache
from glrender.loop_cache import provide_cache_folder

RUN = """
import warnings
warnings.simplefilter("error")
import os
from pathlib import Path
access = os.access
nowhere = ({package!r}, {home!r})
os.access = lambda path, mode: not str(path).startswith(nowhere) and access(path, mode)
warnings.simplefilter("always")
from glrender.solve.stencil import BlockStencil
import numpy as np
print(BlockStencil.zeros(3, 3, 0).matvec(np.zeros((3, 3, 1))).shape, os.environ.get("NUMBA_CACHE_DIR"))
"""


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))


def test_nothing_is_changed_where_the_package_can_be_written() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        provide_cache_folder()
    assert "NUMBA_CACHE_DIR" not in os.environ


@pytest.mark.parametrize("there", ["home", "named"])
def test_or_where_another_folder_can(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, there: str) -> None:
    monkeypatch.setattr(loop_cache, "PACKAGE", tmp_path / "a file" / "below")
    (tmp_path / "a file").touch()
    if there == "named":
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a file"))
        monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "loops"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        provide_cache_folder()


def test_where_none_can_loops_run_all_the_same_and_it_is_said(tmp_path: Path) -> None:
    home = tmp_path / "home"
    package = str(Path(loop_cache.__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", RUN.format(package=package, home=str(home.parent))],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    shape, folder = done.stdout.rsplit(maxsplit=1)
    assert shape == "(3, 3, 1)"
    assert "glrender-loops-" in folder
    assert not Path(folder).exists()
    assert "compiled loops cannot be kept: neither" in done.stderr
    assert "let NUMBA_CACHE_DIR name a folder" in done.stderr
