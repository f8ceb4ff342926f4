"""What the options of several verbs share."""

import math
from typing import Any

from tyro.conf import arg

from glrender.errors import UsageError


def option(metavar: str, default: str) -> Any:
    """An option whose default is found at run time, and is told in words."""
    return arg(metavar=metavar, help_behavior_hint=f"(default: {default})")


def read_time_offset(text: str) -> float | None:
    """Seconds, or None for auto; UsageError for anything else."""
    if text == "auto":
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds):
        raise UsageError(f"--time-offset: received {text!r}, expected a number of seconds or auto")
    return seconds
