"""Shader sources: found, flattened from their includes, and configured; text only, no OpenGL.

A file may contain `#include "name"`, which stands for `include/name` of the shader folder. Each
file is put in once, where it is first asked for, so it needs no guard. An option is a macro with
its default in the file:

    #ifndef CHANNELS
    #define CHANNELS 3
    #endif
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from glrender.errors import ShaderError, UsageError

VERSIONS = (330, 430)
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_INCLUDE = re.compile(r'\s*#\s*include\b\s*(?:"([^"]+)"\s*$)?')
_CONDITION = re.compile(r"\s*#\s*(if|ifdef|ifndef|endif)\b")
_OPTION = re.compile(
    r"^[ \t]*#[ \t]*ifndef[ \t]+(\w+)[ \t]*\n[ \t]*#[ \t]*define[ \t]+\1[ \t]+(\S[^\n]*?)[ \t]*\n[ \t]*#[ \t]*endif\b",
    re.MULTILINE,
)

Define = int | float | str
"""The value of an option: a number, or GLSL text such as "vec3"; True and False become 1 and 0."""


@dataclass(frozen=True)
class Line:
    """Where a line of the flattened source comes from."""

    file: str
    """The file as it is named in messages; "<defines>" for lines that the loader put in."""
    number: int
    """Line in that file, from 1."""
    text: str
    """The line itself."""


@dataclass(frozen=True)
class ShaderSource:
    """One flattened shader, ready for the compiler once its options are chosen."""

    lines: tuple[Line, ...]
    """Flat lines in order, without #version."""
    options: dict[str, str] = field(default_factory=dict)
    """Each option's default, as it stands in the source."""

    def with_defines(self, defines: Mapping[str, Define], version: int = 330) -> "ShaderSource":
        """The complete source: #version, the given options that this shader declares, the lines."""
        header = [f"#version {version} core"]
        header += [f"#define {name} {_literal(name, value)}" for name, value in defines.items() if name in self.options]
        top = tuple(Line("<defines>", number, text) for number, text in enumerate(header, 1))
        return ShaderSource(top + self.lines, self.options)

    @property
    def text(self) -> str:
        """What the compiler gets."""
        return "\n".join(line.text for line in self.lines) + "\n"


def shader_folder() -> Path:
    """The folder of the shaders: inside the package where it is installed, beside it in a source tree."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "shaders", package.parent / "shaders"):
        if folder.is_dir():
            return folder
    raise ShaderError(
        f"no shaders: neither {package / 'shaders'} nor {package.parent / 'shaders'} is there; reinstall glrender"
    )


def load_source(name: str, folder: Path | None = None) -> ShaderSource:
    """Read shader `name` and flatten its includes; ShaderError names the file and line of what is wrong."""
    folder = shader_folder() if folder is None else folder
    path = folder / name
    if not path.is_file():
        raise ShaderError(f"{_shown(path)}: no such shader; there are {', '.join(_shaders(folder))}")
    lines: list[Line] = []
    _flatten(path, folder / "include", (), set(), lines)
    source = "\n".join(line.text for line in lines)
    options: dict[str, str] = {}
    for option, default in _OPTION.findall(_without_comments(source)):
        if options.setdefault(option, default) != default:
            raise ShaderError(f"{_shown(path)}: option {option} has two defaults, {options[option]} and {default}")
    return ShaderSource(tuple(lines), options)


def check_defines(defines: Mapping[str, Define], sources: Mapping[str, ShaderSource]) -> None:
    """Refuse defines that none of the (name: source) shaders declares, listing those they do."""
    options = {name: default for source in sources.values() for name, default in source.options.items()}
    unknown = [name for name in defines if name not in options]
    if unknown:
        known = ", ".join(f"{name} ({default})" for name, default in sorted(options.items())) or "none"
        raise UsageError(f"{' + '.join(sources)}: no option {', '.join(unknown)}; options and their defaults: {known}")


def _flatten(path: Path, include: Path, chain: tuple[Path, ...], done: set[Path], lines: list[Line]) -> None:
    done.add(path)
    text = path.read_text(encoding="utf-8")
    depth = 0
    for number, (line, code) in enumerate(zip(text.splitlines(), _without_comments(text).splitlines(), strict=True), 1):
        here = f"{_shown(path)}:{number}"
        if re.match(r"\s*#\s*version\b", code):
            raise ShaderError(f"{here}: remove #version: the loader puts it in front")
        if condition := _CONDITION.match(code):
            depth += -1 if condition[1] == "endif" else 1
        wanted = _INCLUDE.match(code)
        if not wanted:
            lines.append(Line(_shown(path), number, line))
            continue
        if not wanted[1]:
            raise ShaderError(f'{here}: expected #include "name"\n    {line}')
        if depth:
            raise ShaderError(
                f"{here}: #include within #if; each file is put in once, so let it stand outside\n    {line}"
            )
        target = include / wanted[1]
        if target in (*chain, path):
            names = " -> ".join(p.name for p in (*chain, path, target))
            raise ShaderError(f"{here}: these files include each other: {names}")
        if not target.is_file():
            raise ShaderError(f"{here}: no include {wanted[1]!r}; there are {', '.join(_shaders(include)) or 'none'}")
        if target not in done:
            _flatten(target, include, (*chain, path), done, lines)


def _without_comments(text: str) -> str:
    """The same lines with blanks in place of comments."""
    return _COMMENT.sub(lambda comment: re.sub(r"[^\n]", " ", comment[0]), text)


def _literal(name: str, value: Define) -> str:
    if isinstance(value, bool | int):
        return str(int(value))
    if isinstance(value, float):
        return repr(value)
    return value


def _shaders(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []


def _shown(path: Path) -> str:
    """Relative to the current folder where it lies below it, so that an editor finds it."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative
