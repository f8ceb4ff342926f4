"""Compiler logs of OpenGL drivers, rewritten to `file:line: message`; text only, no OpenGL."""

import re

from glrender.gl.source import ShaderSource

_PLACES = (
    re.compile(r"^\d+:(\d+)\(\d+\):\s*(.*)$"),  # Mesa: 0:12(3): error: …
    re.compile(r"^\d+\((\d+)\)\s*:\s*(.*)$"),  # NVIDIA: 0(12) : error C0000: …
    re.compile(r"^((?:ERROR|WARNING): )\d+:(\d+):\s*(.*)$"),  # Intel, AMD: ERROR: 0:12: …
)


def rewrite_log(log: str, source: ShaderSource) -> str:
    """Name file and line of each message, and show the line it is about; other lines stay as they are."""
    return "\n".join(_rewrite(line, source) for line in log.strip().splitlines())


def _rewrite(line: str, source: ShaderSource) -> str:
    for pattern in _PLACES:
        if match := pattern.match(line.strip()):
            *severity, number, message = match.groups()
            if not 1 <= int(number) <= len(source.lines):
                return line
            place = source.lines[int(number) - 1]
            return f"{place.file}:{place.number}: {''.join(severity).lower()}{message}\n    {place.text.strip()}"
    return line
