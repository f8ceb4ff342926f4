"""The floors of the house: a file imports only from floors below its own, its package names it, and none is long."""

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "glrender"
FLOORS = (
    {"advance", "errors", "interrupt", "recycle", "stopwatch", "loop_cache"},
    {"checks", "parallel"},
    {"geometry", "solve"},
    {"gl", "io"},
    {"render"},
    {"assembly"},
    {"frontend", "fusion", "simulate"},
    {"pipeline"},
    {"batch", "viewer"},
    {"bench"},
    {"cli"},
    {"__init__", "__main__"},
)
"""From the ground up; names on one floor do not import each other, files of one name do."""
FLOOR = {part: number for number, parts in enumerate(FLOORS) for part in parts}
NO_OPENGL = {part for parts in FLOORS[:3] for part in parts}
OPENGL = {"moderngl", "glcontext", "glfw", "OpenGL"}
LONGEST = 400

SOURCES = sorted(PACKAGE.rglob("*.py"))


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def part_of(module: str) -> str:
    """The part of glrender that a module belongs to: glrender.gl.context is part of gl, glrender of __init__."""
    return [*module.split("."), "__init__"][1]


def imports(tree: ast.AST, package: str) -> Iterator[str]:
    """Every module that is imported anywhere in the file, in functions too; `package` resolves relative imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*above, *filter(None, [node.module])])
            if module == "glrender":  # `from glrender import io` imports glrender.io
                yield from (f"glrender.{alias.name}" if alias.name in FLOOR else module for alias in node.names)
            else:
                yield module


def offences(source: str, module: str, is_package: bool = False) -> list[str]:
    """What a file imports that it may not, in words."""
    part = part_of(module)
    package = module if is_package else module.rpartition(".")[0]
    found = []
    for name in imports(ast.parse(source), package):
        top = name.split(".")[0]
        if top == "glrender" and part_of(name) != part and FLOOR[part_of(name)] >= FLOOR[part]:
            found.append(f"{module} imports {name}, which is not below it")
        if top in OPENGL and part in NO_OPENGL:
            found.append(f"{module} imports {name}, but OpenGL begins above it")
    return found


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_a_file_imports_only_from_floors_below(path: Path) -> None:
    assert part_of(module_name(path)) in FLOOR, "this part of glrender has no floor yet"
    assert offences(path.read_text(encoding="utf-8"), module_name(path), path.name == "__init__.py") == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("glrender.geometry.camera", "import glrender.render.forward"),
        ("glrender.geometry.camera", "from glrender.solve import losses"),
        ("glrender.geometry.camera", "from glrender import io"),
        ("glrender.geometry.camera", "import glrender as gr"),
        ("glrender.geometry.camera", "from ..gl import context"),
        ("glrender.solve.priors", "def later():\n    from glrender.fusion.heightmap import HeightMapFusion"),
        ("glrender.solve.priors", "def later():\n    import moderngl"),
        ("glrender.checks", "from OpenGL import GL"),
        ("glrender.errors", "from glrender.checks import check_array"),
    ],
)
def test_an_import_from_above_is_found(module: str, source: str) -> None:
    assert len(offences(source, module)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("glrender.checks", "from glrender.errors import InputError"),
        ("glrender.geometry.camera", "from glrender.geometry.se3 import exp"),
        ("glrender.geometry.camera", "from .se3 import exp"),
        ("glrender.gl.context", "import moderngl, glrender.geometry.camera"),
        ("glrender.cli.fuse", "from ..io import sequence"),
        ("glrender.__main__", "from glrender.cli.main import main"),
    ],
)
def test_an_import_from_below_is_allowed(module: str, source: str) -> None:
    assert offences(source, module) == []


def test_the_lower_floors_load_no_opengl() -> None:
    modules = [module_name(path) for path in SOURCES if part_of(module_name(path)) in NO_OPENGL]
    program = f"""
import importlib, sys
for module in {["glrender", *modules]!r}:
    importlib.import_module(module)
print(*sorted({OPENGL!r}.intersection(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


@pytest.mark.parametrize("package", sorted(path.parent for path in PACKAGE.glob("*/__init__.py")), ids=module_name)
def test_a_package_says_what_each_of_its_files_is_for(package: Path) -> None:
    said = set(re.findall(r"`(\w+)`", (package / "__init__.py").read_text(encoding="utf-8")))
    files = {path.stem for path in package.glob("*.py") if path.stem != "__init__"}
    assert said == files | {path.parent.name for path in package.glob("*/__init__.py")}


def test_files_stay_short() -> None:
    files = [
        path
        for folder, pattern in (("glrender", "*.py"), ("demos", "*.py"), ("tests", "*.py"), ("shaders", "*.*"))
        for path in (ROOT / folder).rglob(pattern)
        if path.is_file()
    ]
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


def test_no_two_files_of_tests_have_one_name() -> None:
    """Without packages, one of them would be the other once it is imported, and pytest refuses both."""
    counted = Counter(path.name for path in (ROOT / "tests").rglob("*.py") if path.name != "conftest.py")
    assert [name for name, times in counted.items() if times > 1] == []
