"""Compiler logs of OpenGL drivers, rewritten to `file:line: message`; text only, no OpenGL."""

import re

from glrender.gl.source import ShaderSource

_PLACES = (
    re.compile(r"\d+:(?P<line>\d+)\(\d+\): (?P<message>.*)"),  # Mesa: 0:12(3): error: …
    re.compile(r"\d+\((?P<line>\d+)\) : (?P<message>.*)"),  # NVIDIA: 0(12) : error C0000: …
    re.compile(r"(?P<kind>ERROR|WARNING): \d+:(?P<line>\d+): (?P<message>.*)"),  # Intel, AMD: ERROR: 0:12: …
)


def rewrite_log(log: str, source: ShaderSource) -> str:
    """The log with each message after its file and line and above the line it is about; the rest stays as it is."""
    return "\n".join(_rewrite(line.strip(), source) for line in log.strip().split("\n"))


def _rewrite(line: str, source: ShaderSource) -> str:
    for pattern in _PLACES:
        if found := pattern.match(line):
            parts = found.groupdict()
            kind = f"{parts['kind'].lower()}: " if "kind" in parts else ""
            # An unexpected end of the file is reported behind the last line.
            place = source.lines[min(int(parts["line"]), len(source.lines)) - 1]
            return f"{place.file}:{place.number}: {kind}{parts['message']}\n    {place.text.strip()}"
    return line
