"""The package as it is installed: what a wheel holds, what an editable install finds, what `import glrender` does."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import glrender as gr

ROOT = Path(__file__).parents[1]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A copy of what a wheel is built from, so that nobody else writes there meanwhile."""
    copy = tmp_path / "source"
    for folder in ("glrender", "shaders"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, copy / file)
    return copy


def run(*command: object, cwd: Path = ROOT) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, cwd=cwd, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def build(kind: str, source: Path) -> Path:
    """Build a wheel as pip would, but with the build backend that is installed here: nothing is fetched."""
    folder = source.parent / "dist"
    program = f"import hatchling.build as build; print(build.{kind}({str(folder)!r}))"
    return folder / run(sys.executable, "-c", program, cwd=source).splitlines()[-1]


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def shader_folder(site: Path) -> Path:
    """Where the glrender that is installed in `site` finds its shaders, asked with this source tree out of sight."""
    program = f"""
import site, sys
sys.path = [path for path in sys.path if path != {str(ROOT)!r}]
sys.path.insert(0, {str(site)!r})
site.addsitedir({str(site)!r})
from glrender.gl.source import shader_folder
print(shader_folder())
"""
    return Path(run(sys.executable, "-c", program, cwd=site))


def test_a_wheel_brings_its_shaders(source: Path, tmp_path: Path) -> None:
    before = files(source)
    wheel = build("build_wheel", source)
    assert files(source) == before, "building left something behind in the source tree"

    site = tmp_path / "site"
    run(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", site, wheel)
    assert files(site / "glrender" / "shaders") == files(ROOT / "shaders")
    assert (site / "glrender" / "py.typed").exists()
    assert shader_folder(site) == site / "glrender" / "shaders"


def test_an_editable_install_reads_the_shaders_where_they_are(source: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(build("build_editable", source)) as wheel:
        assert [name for name in wheel.namelist() if "shaders" in name] == [], "a copy that would grow stale"
        wheel.extractall(tmp_path / "site")
    assert shader_folder(tmp_path / "site") == source / "shaders"


def test_importing_glrender_loads_nothing_heavy() -> None:
    program = "import sys, glrender; print(*{'numpy', 'scipy', 'moderngl', 'cv2', 'numba'}.intersection(sys.modules))"
    assert run(sys.executable, "-c", program) == ""


@pytest.mark.parametrize("name", gr.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(gr, name) is not None
    assert name in dir(gr)


def test_an_unknown_name_is_refused_with_the_valid_ones() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'Heightmap'.*HeightMap"):
        _ = gr.Heightmap


def test_the_version_is_that_of_the_project() -> None:
    assert f'version = "{gr.__version__}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
