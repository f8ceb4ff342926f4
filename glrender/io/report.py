"""`report.json`: what was done with a sequence, for people and for programs."""

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from glrender.errors import InputError
from glrender.io.files import parsed, write_bytes

REPORT = "report.json"
"""What it is written as, beside the map."""

KEYS = (
    "frames_used",
    "frames_skipped",
    "frames_per_second",
    "stages",
    "residuals",
    "camera",
    "time_offset",
    "renderer",
    "options",
)
"""What every report has; it may have more."""


def write_report(path: str | Path, report: Mapping[str, Any]) -> None:
    """Write a report; InputError if one of KEYS is missing or a value has no form in JSON."""
    missing = [key for key in KEYS if key not in report]
    if missing:
        raise InputError(f"{path}: no key {', '.join(missing)}; a report has {', '.join(KEYS)}")
    write_json(path, report)


def read_report(path: str | Path) -> dict[str, Any]:
    """Read what `write_report` wrote; InputError if it is missing, broken or lacks one of KEYS."""
    path = Path(path)
    try:
        report = parsed(json.loads, path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; expected a report.json") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable report.json: {error}") from None
    missing = [key for key in KEYS if key not in report] if isinstance(report, dict) else list(KEYS)
    if missing:
        raise InputError(f"{path}: no key {', '.join(missing)}; a report has {', '.join(KEYS)}")
    return dict(report)


def report_beside(path: Path) -> dict[str, Any]:
    """The report of the map in the file `path`; nothing where none lies beside it."""
    report = path.parent / REPORT
    return read_report(report) if report.exists() else {}


def told_crs(report: Mapping[str, Any]) -> str | None:
    """The reference system of a map's world, as its report has it from the sequence; None: it does not say."""
    placement = report.get("placement")
    return placement.get("crs") if isinstance(placement, Mapping) else None


def write_json(path: str | Path, value: Mapping[str, Any]) -> None:
    """Write nested mappings, dataclasses, lists, arrays, numbers, texts and paths; NaN and infinity become null."""
    write_bytes(path, (json.dumps(to_json(value), indent=2, allow_nan=False) + "\n").encode())


def to_json(value: Any, where: str = "report") -> Any:
    """The same value in the types that JSON has; InputError names the place of one that has no such form."""
    match value:
        case None | bool() | str():
            return value
        case int() | np.integer():
            return int(value)
        case float() | np.floating():
            return float(value) if math.isfinite(value) else None
        case np.bool_():
            return bool(value)
        case Path():
            return str(value)
        case np.ndarray():
            return to_json(value.tolist(), where)
        case Mapping():
            wrong = [key for key in value if not isinstance(key, str)]
            if wrong:
                raise InputError(f"{where}: received the key {wrong[0]!r}, expected text")
            return {key: to_json(item, f"{where}.{key}") for key, item in value.items()}
        case list() | tuple():
            return [to_json(item, f"{where}[{k}]") for k, item in enumerate(value)]
    if is_dataclass(value) and not isinstance(value, type):
        return to_json({field.name: getattr(value, field.name) for field in fields(value)}, where)
    raise InputError(f"{where}: a {type(value).__name__} has no form in JSON; give numbers, texts, lists and mappings")
