"""False colours: which colour map shows a kind of value, over which range, and with which ticks."""

import math
from dataclasses import dataclass
from enum import Enum
from functools import cache

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray

Float64 = NDArray[np.float64]

ENTRIES = 256
"""Colours in a lookup table."""

LOG_REACH = 1e3
"""The most that the end of a signed logarithmic scale may be, as a multiple of where it turns linear."""
_LINEAR = 25.0
"""Percent of the values that lie on the linear part of such a scale."""
_SHORTEST_REACH = 2.0
"""The least that the end of such a scale may be, as above. With 2, half of its end is at 0.63 of the way there."""


class Kind(Enum):
    """What values mean, which says how they are coloured."""

    COLOR = "color"
    """Linear colour, shown as it is."""
    HEIGHT = "height"
    SEQUENTIAL = "sequential"
    """At least 0, such as a depth or a standard deviation."""
    SIGNED = "signed"
    """Shown with zero in the middle."""
    IDS = "ids"
    """Hues that tell numbers apart; no scale."""


COLORMAPS = {
    Kind.COLOR: ("gray",),
    Kind.HEIGHT: ("gist_earth", "terrain", "viridis", "gray"),
    Kind.SEQUENTIAL: ("viridis", "magma", "cividis", "turbo"),
    Kind.SIGNED: ("RdBu_r", "PuOr_r", "BrBG", "seismic"),
    Kind.IDS: ("hsv", "turbo", "twilight"),
}
"""Names in matplotlib, by kind; the first is taken unless another is asked for."""

_ENDS = {"gist_earth": (0.12, 0.93)}
"""The part of a colour map that is used, from 0 to 1: black and white would look like shade and light."""


def colormap_name(kind: Kind, number: int) -> str:
    """Name of the colour map that a kind is shown by after `number` presses of the key that goes on to the next."""
    names = COLORMAPS[kind]
    return names[number % len(names)]


@cache
def lookup_table(name: str) -> NDArray[np.uint8]:
    """(256, 3) sRGB bytes from low to high."""
    low, high = _ENDS.get(name, (0.0, 1.0))
    table = np.rint(255 * colormaps[name](np.linspace(low, high, ENTRIES))[:, :3]).astype(np.uint8)
    table.flags.writeable = False
    return table


@dataclass(frozen=True)
class Scale:
    """How values are placed between the ends of a colour map; shaders/include/false_color.glsl does the same."""

    low: float
    """Value at the low end."""
    high: float
    """Value at the high end, larger."""
    logarithmic: bool = False
    """Whether places go with the logarithm; where `low` is negative, with that of the distance from zero."""
    reach: float = LOG_REACH
    """Where a logarithmic scale has both signs: how many times smaller than `high` values are where it turns linear, so
    that they meet."""

    @property
    def mode(self) -> int:
        """0 linear, 1 logarithmic, 2 logarithmic on both sides of zero ("symlog"): as the shader counts."""
        if not self.logarithmic:
            return 0
        return 1 if self.low > 0 else 2

    @property
    def uniform(self) -> tuple[float, float, float]:
        """`low`, `high` and `reach`, as the shader takes them; `mode` is an option of it."""
        return self.low, self.high, self.reach

    def place(self, values: NDArray[np.floating]) -> Float64:
        """Where values are placed: 0 is the low end and 1 the high one; values beyond them are placed beyond."""
        x = np.asarray(values, np.float64)
        if self.mode == 0:
            return (x - self.low) / (self.high - self.low)
        if self.mode == 1:
            return np.log(np.maximum(x, 1e-30) / self.low) / math.log(self.high / self.low)
        # log(1 + |x| / c): linear up to c.
        return 0.5 + 0.5 * np.sign(x) * np.log1p(np.abs(x) * (self.reach / self.high)) / math.log1p(self.reach)

    def ticks(self) -> list[tuple[float, float]]:
        """(place, value) of a handful of round numbers."""
        if self.mode == 0 or (self.mode == 1 and self.high < 3 * self.low):
            step = _round_step((self.high - self.low) / 4)
            values = [step * k for k in range(math.ceil(self.low / step), math.floor(self.high / step) + 1)]
        elif self.mode == 1:
            values = _powers(self.low, self.high)
        else:
            positive = _powers(self.high / max(self.reach, 10.0), self.high)
            values = [*(-value for value in reversed(positive)), 0.0, *positive]
        places = self.place(np.array(values))
        return [
            (float(place), value) for place, value in zip(places, values, strict=True) if -1e-9 <= place <= 1 + 1e-9
        ]


def fit_scale(values: NDArray[np.floating], kind: Kind, cut: float, logarithmic: bool) -> Scale:
    """A scale for values, of which it leaves out `cut` percent at each end, and those that are not finite.

    Signed values are centred at zero. Ids and colours have the scale from 0 to 1.
    """
    if kind in (Kind.IDS, Kind.COLOR):
        return Scale(0.0, 1.0)
    known = values[np.isfinite(values)]
    if kind is Kind.SIGNED:
        # Both tails count together: the cut is that of each.
        high = float(np.percentile(np.abs(known), 100 - 2 * cut)) if known.size else 1.0
        high = high or (float(np.abs(known).max()) if known.size else 1.0) or 1.0
        there = np.abs(known[known != 0])
        small = float(np.percentile(there, _LINEAR)) if there.size else high
        return Scale(-high, high, logarithmic, float(np.clip(high / small, _SHORTEST_REACH, LOG_REACH)))
    if logarithmic and kind is Kind.SEQUENTIAL:
        positive = known[known > 0]
        if positive.size:
            low, high = (float(p) for p in np.percentile(positive, [cut, 100 - cut]))
            return Scale(low, max(high, 1.001 * low), logarithmic=True)
    low, high = (float(p) for p in np.percentile(known, [cut, 100 - cut])) if known.size else (0.0, 1.0)
    least = 1e-6 * max(abs(low), abs(high), 1e-6)
    return Scale(low, high) if high - low > least else Scale(low - least, high + least)


def hues(ids: NDArray[np.integer]) -> NDArray[np.float32]:
    """Hues in [0, 1) of ids, far apart for neighbouring ids (multiples of the golden ratio); NaN for -1."""
    return np.where(ids < 0, np.nan, ids * 0.6180339887498949 % 1.0).astype(np.float32)


def false_colors(
    values: NDArray[np.floating], scale: Scale, name: str, nothing: tuple[int, int, int]
) -> NDArray[np.uint8]:
    """(…, 3) sRGB bytes of values on a scale; `nothing` where they are NaN."""
    places = np.clip(scale.place(np.nan_to_num(values)), 0, 1)
    colors = lookup_table(name)[np.minimum((places * ENTRIES).astype(np.int64), ENTRIES - 1)]
    return np.where(np.isnan(values)[..., None], np.array(nothing, np.uint8), colors)


def label(value: float) -> str:
    """A tick's text: four significant digits at most."""
    return f"{value:.4g}".replace("e-0", "e-").replace("e+0", "e").replace("-", "−")


def _round_step(rough: float) -> float:
    """1, 2 or 5 times a power of ten, about as large as `rough`."""
    power = 10.0 ** math.floor(math.log10(rough))
    return power * next(digit for digit in (1, 2, 5, 10) if digit * power >= 0.75 * rough)


def _powers(low: float, high: float) -> list[float]:
    """Powers of ten between two numbers; where there are fewer than two, 1, 2 and 5 times them."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in ((1,), (1, 2, 5)):
        values = [digit * 10.0**decade for decade in decades for digit in digits]
        inside = [value for value in values if low * (1 - 1e-9) <= value <= high * (1 + 1e-9)]
        if len(inside) >= 2:
            break
    return inside
