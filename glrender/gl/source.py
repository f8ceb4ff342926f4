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
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from glrender.checks import check_choice
from glrender.errors import ShaderError, UsageError

VERSIONS = (330, 430)
"""What a shader may be written for: the floor, and what compute shaders need."""

Define = int | float | str
"""The value of an option: a number, or GLSL text such as "vec3"; True and False become 1 and 0."""

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_INCLUDE = re.compile(r'\s*#\s*include\b\s*(?:"([^"]+)"\s*$)?')
_CONDITION = re.compile(r"\s*#\s*(if|ifdef|ifndef|endif)\b")
_RESERVED = re.compile(r"\s*#\s*(version|line)\b")
_OPTION = re.compile(
    r"^[ \t]*#[ \t]*ifndef[ \t]+(\w+)[ \t]*\n[ \t]*#[ \t]*define[ \t]+\1[ \t]+(\S[^\n]*?)[ \t]*\n[ \t]*#[ \t]*endif\b",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Line:
    """Where a line of a flattened source comes from."""

    file: str
    """The file as messages name it; "<defines>" for a line that was put in front."""
    number: int
    """Line in that file, from 1."""
    text: str
    """The line itself."""


@dataclass(frozen=True)
class ShaderSource:
    """A shader with its includes put in."""

    lines: tuple[Line, ...]
    """In order: what the compiler calls line k, from 1, is lines[k - 1]."""
    options: Mapping[str, str]
    """Each option with its default, as the source declares it."""

    def configured(self, defines: Mapping[str, Define], version: int = 330) -> "ShaderSource":
        """What the compiler gets: #version in front, then those of `defines` that this shader declares."""
        header = [f"#version {check_choice('GLSL version', str(version), map(str, VERSIONS))} core"]
        header += [f"#define {name} {_literal(name, value)}" for name, value in defines.items() if name in self.options]
        top = tuple(Line("<defines>", number, text) for number, text in enumerate(header, 1))
        return ShaderSource(top + self.lines, self.options)

    @property
    def text(self) -> str:
        """The lines as one text, in the ASCII that GLSL is written in: comments may hold anything."""
        joined = "\n".join(line.text for line in self.lines) + "\n"
        return joined.encode("ascii", "replace").decode()


def shader_folder() -> Path:
    """Where glrender's shaders are: inside the installed package, or beside it in a source tree."""
    package = Path(__file__).resolve().parent.parent
    folders = (package / "shaders", package.parent / "shaders")
    for folder in folders:
        if folder.is_dir():
            return folder
    raise ShaderError(f"no shaders: looked for {' and '.join(map(str, folders))}; install glrender again")


def load_source(name: str, folder: Path | None = None) -> ShaderSource:
    """Read shader `name` of `folder` (glrender's own unless given) and put its includes in.

    Raises ShaderError with `file:line` if a file is missing or a directive wrong.
    """
    folder = shader_folder() if folder is None else folder
    path = folder / name
    if not path.is_file():
        raise ShaderError(f"{_shown(path)}: no such shader; there are {_listed(folder)}")
    lines = tuple(_flatten(path, folder / "include", (path,), {path}))
    options: dict[str, str] = {}
    for option, default in _OPTION.findall(_without_comments("\n".join(line.text for line in lines))):
        if options.setdefault(option, default) != default:
            raise ShaderError(f"{_shown(path)}: option {option} has two defaults, {options[option]} and {default}")
    return ShaderSource(lines, options)


def check_defines(defines: Mapping[str, Define], sources: Mapping[str, ShaderSource]) -> None:
    """Raise UsageError for a define that none of the shaders (by name) declares, listing those they do."""
    options = {name: default for source in sources.values() for name, default in source.options.items()}
    unknown = [name for name in defines if name not in options]
    if unknown:
        known = ", ".join(f"{name} (default {default})" for name, default in sorted(options.items())) or "none"
        raise UsageError(f"{' + '.join(sources)}: no option {', '.join(unknown)}; the options are {known}")


def _flatten(path: Path, include: Path, chain: tuple[Path, ...], done: set[Path]) -> list[Line]:
    """The lines of `path`, which was reached through `chain` (itself last); files in `done` are left out."""
    lines: list[Line] = []
    text = path.read_text(encoding="utf-8").removesuffix("\n")
    depth = 0
    for number, (line, code) in enumerate(zip(text.split("\n"), _without_comments(text).split("\n"), strict=True), 1):
        here = f"{_shown(path)}:{number}"
        if reserved := _RESERVED.match(code):
            raise ShaderError(f"{here}: remove #{reserved[1]}: the loader numbers lines and puts #version in front")
        if condition := _CONDITION.match(code):
            depth += -1 if condition[1] == "endif" else 1
        directive = _INCLUDE.match(code)
        if directive is None:
            lines.append(Line(_shown(path), number, line))
            continue
        if directive[1] is None:
            raise ShaderError(f'{here}: expected #include "name"\n    {line.strip()}')
        if depth:
            raise ShaderError(f"{here}: #include within #if; a file is put in once only, so it must stand outside")
        target = include / directive[1]
        if target in chain:
            names = " -> ".join(file.name for file in (*chain, target))
            raise ShaderError(f"{here}: these files include each other: {names}")
        if not target.is_file():
            raise ShaderError(f"{here}: no include {directive[1]!r}; there are {_listed(include)}")
        if target not in done:
            done.add(target)
            lines += _flatten(target, include, (*chain, target), done)
    return lines


def _without_comments(text: str) -> str:
    """The same lines with blanks in place of comments."""
    return _COMMENT.sub(lambda comment: re.sub(r"[^\n]", " ", comment[0]), text)


def _literal(name: str, value: Define) -> str:
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float) and isfinite(value):
        return repr(float(value))
    if isinstance(value, str) and value.strip() and "\n" not in value:
        return value
    raise UsageError(f"option {name}: received {value!r}, expected a finite number or one line of GLSL")


def _listed(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
    return ", ".join(names) or "none"


def _shown(path: Path) -> str:
    """Relative to the current folder where it lies below it, so that an editor finds it."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative
