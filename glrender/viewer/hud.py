"""What is written over the scene: what is shown and where, a colour bar, what was picked, small pictures, the help."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glrender.viewer.colors import Scale, label, lookup_table
from glrender.viewer.controls import BINDINGS, MOUSE_HELP
from glrender.viewer.layers import Layer
from glrender.viewer.notes import DIM, SHADE, WHITE, Color, Notes, text_width

# Lengths are in units of the content scale, as those of `Notes`.
LINE = 17.0
"""Height of a line of text."""
_MARGIN = 10.0
_STRIP = 132.0
"""Height of the strip of small pictures at the lower edge."""
_STRIP_MOST = 0.3
"""Share of the screen's height that the strip may take: in a low window, small pictures are smaller."""
_STRIP_LEAST = 75.0
"""Where less is left for the strip, there is none."""
_INSET_LEAST = 92.0
"""Width that a small picture needs for its title: where there is less for each, the last ones are left out."""
STATUS = 22.0
"""Height of the status line at the lower edge."""
_BETWEEN_TICKS = 14.0
"""Height between two labels of a colour bar, at least."""
_COVER: Color = (16, 17, 20, 245)
"""Background of text that lies over pictures."""
_CURVES = ((255, 158, 26, 255), (90, 200, 255, 255))


@dataclass(frozen=True)
class ColorBar:
    """A bar that says what false colours mean."""

    scale: Scale
    colormap: str
    """Name in matplotlib."""
    title: str


@dataclass(frozen=True, eq=False)
class Inset:
    """A small picture at the lower edge."""

    title: str
    picture: NDArray[np.uint8]
    """(height, width, 3) sRGB."""


@dataclass(frozen=True, eq=False)
class Plot:
    """Curves over the number of steps, on a logarithmic axis."""

    title: str
    curves: Sequence[tuple[str, Sequence[float]]]
    """Each with its name; what is not greater than 0 is left out."""


@dataclass(frozen=True, eq=False)
class Hud:
    """All that is written over one picture."""

    heading: str
    """The first line, at the upper edge."""
    lines: Sequence[str]
    """Below the heading."""
    status: str
    """At the lower edge."""
    bar: ColorBar | None = None
    insets: Sequence[Inset] = ()
    plot: Plot | None = None
    """To the right of the insets."""
    help: Sequence[Layer] | None = None
    """The layers that the help lists; None: no help."""
    covered: float = 0.0
    """Pixels at the right border that panels lie over."""


def heading_height(lines: Sequence[object]) -> float:
    """What the heading and so many lines below it cover at the upper edge, in units of the content scale."""
    return LINE * (1 + len(lines)) + 9


def covered_height(insets: Sequence[Inset], plot: Plot | None, height: float) -> float:
    """What the small pictures and the status cover at the lower edge of a screen of this height, both in units of the
    content scale."""
    strip = min(_STRIP, _STRIP_MOST * height) if insets or plot is not None else 0.0
    return STATUS + (strip if strip >= _STRIP_LEAST else 0.0)


def draw_hud(hud: Hud, size: tuple[int, int], scale: float = 1.0) -> NDArray[np.uint8]:
    """The notes (height, width, 4) for a screen of `size` (width, height) pixels."""
    notes = Notes(size, scale)
    _draw_lines(notes, hud)
    bottom = notes.height - covered_height(hud.insets, hud.plot, notes.height)
    if bottom < notes.height - STATUS:
        _draw_strip(notes, hud, bottom)
    if hud.bar is not None:
        _draw_bar(notes, hud.bar, bottom)
    _draw_status(notes, hud.status)
    if hud.help is not None:
        _draw_help(notes, hud.help)
    return notes.pixels


def _draw_lines(notes: Notes, hud: Hud) -> None:
    room = notes.width - hud.covered / notes.scale - 2 * _MARGIN
    heading, *lines = (_wrapped(line, room, notes.scale) for line in (hud.heading, *hud.lines))
    written = [(part, WHITE) for part in heading] + [(part, DIM) for line in lines for part in line]
    width = max(text_width(line, notes.scale) for line, _ in written)
    notes.box(0, 0, width + 2 * _MARGIN, heading_height(written[1:]))
    for row, (line, color) in enumerate(written):
        notes.text(_MARGIN, LINE * (row + 1), line, color)


def _draw_status(notes: Notes, status: str) -> None:
    """Write the status in as many lines as it takes: what an error says last is what to do."""
    lines = _wrapped(status, notes.width - 2 * _MARGIN, notes.scale)
    height = STATUS + LINE * (len(lines) - 1)
    notes.box(0, notes.height - height, notes.width, height, SHADE if len(lines) == 1 else _COVER)
    for row, line in enumerate(reversed(lines)):
        notes.text(_MARGIN, notes.height - 7 - LINE * row, line, DIM)


def _wrapped(text: str, width: float, scale: float) -> list[str]:
    """Lines no wider than `width` units, as far as single words allow; at least one."""
    if text_width(text, scale) <= width:  # as nearly always, and each further question costs half a millisecond
        return [text]
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1] and text_width(longer, scale) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _draw_bar(notes: Notes, bar: ColorBar, bottom: float) -> None:
    height = min(220.0, 0.4 * notes.height)
    top = bottom - height - 16
    ticks = _apart(bar.scale.ticks(), _BETWEEN_TICKS / height)
    wide = max((text_width(label(value), notes.scale) for _, value in ticks), default=0)
    notes.box(0, top - 30, max(wide + 42, text_width(bar.title, notes.scale) + 2 * _MARGIN), height + 42)
    notes.text(_MARGIN, top - 14, bar.title)
    notes.picture(_MARGIN, top, 14, height, lookup_table(bar.colormap)[::-1, None])
    for place, value in ticks:
        y = top + (1 - place) * height
        notes.box(_MARGIN + 14, y - 0.5, 4, 1, WHITE)
        notes.text(_MARGIN + 22, y + 4.5, label(value), DIM)


def _apart(ticks: Sequence[tuple[float, float]], least: float) -> list[tuple[float, float]]:
    """The ticks (place, value) that leave each other room: zero first, then large values before small ones."""
    kept: list[tuple[float, float]] = []
    for place, value in sorted(ticks, key=lambda tick: (tick[1] != 0, -abs(tick[1]))):
        if all(abs(place - other) >= least for other, _ in kept):
            kept.append((place, value))
    return kept


def _draw_strip(notes: Notes, hud: Hud, top: float) -> None:
    """Put small pictures side by side, and the plot to their right, as many as there is room for."""
    fitting = max(1, int((notes.width - _MARGIN) / (_INSET_LEAST + _MARGIN)))
    places = min(fitting, len(hud.insets) + (hud.plot is not None))
    each = min(176.0, (notes.width - _MARGIN) / places - _MARGIN)
    strip = notes.height - STATUS - top
    height = strip - LINE - 8
    notes.box(0, top, notes.width, strip)
    for place, inset in enumerate(hud.insets[:places]):
        x = _MARGIN + place * (each + _MARGIN)
        notes.text(x, top + LINE - 3, inset.title, DIM)
        rows, columns = inset.picture.shape[:2]
        shrink = min(each / columns, height / rows)
        notes.picture(x, top + LINE + 2, shrink * columns, shrink * rows, inset.picture)
    if hud.plot is not None and places > len(hud.insets):
        x = _MARGIN + len(hud.insets) * (each + _MARGIN)
        _draw_plot(notes, hud.plot, x, top, each, height)


def _draw_plot(notes: Notes, plot: Plot, x: float, top: float, width: float, height: float) -> None:
    notes.text(x, top + LINE - 3, plot.title, DIM)
    top += LINE + 2
    notes.box(x, top, width, height, (0, 0, 0, 160))
    for row, (name, values) in enumerate(plot.curves):
        logs = np.log10([value for value in values if value > 0])
        color = _CURVES[row % len(_CURVES)]
        if len(logs) == 0:
            continue
        low, high = float(logs.min()), float(logs.max())
        span = max(high - low, 0.3)
        places = np.linspace(x + 4, x + width - 4, max(2, len(logs)))[: len(logs)]
        notes.curve(np.stack([places, top + height - 6 - (logs - low) / span * (height - 40)], axis=1), color)
        notes.text(x + 4, top + LINE * (row + 1) - 4, f"{name} {label(10 ** logs[-1])}", color)


def _draw_help(notes: Notes, layers: Sequence[Layer]) -> None:
    """Say everything that keys and mouse do, on one screen: in smaller letters where there is less room."""
    left = [(binding.key, binding.does) for binding in BINDINGS]
    names: dict[str, list[str]] = {}
    for layer in layers:
        names.setdefault(layer.key, []).append(layer.name)
    right = [*MOUSE_HELP, ("", "")]
    right += [(key, _shortened(names[key])) for key in sorted(names, key="1234567890".index)]
    width, height = 830.0, LINE * max(len(left), len(right)) + 60
    notes = notes.smaller(min(1.0, notes.width / width, notes.height / height))
    x, y = (notes.width - width) / 2, (notes.height - height) / 2
    notes.box(x, y, width, height, _COVER)
    notes.text(x + 20, y + 26, "keys")
    notes.text(x + 300, y + 26, "mouse, and what the digits show (again: the next of its kind)")
    for column, width_of_key, rows in ((20.0, 70.0, left), (300.0, 155.0, right)):
        for row, (key, does) in enumerate(rows):
            notes.text(x + column, y + 50 + LINE * row, key, (255, 200, 120, 255))
            shift = width_of_key if len(key) != 1 or column < 100 else 30.0
            notes.text(x + column + shift, y + 50 + LINE * row, does, DIM)


def _shortened(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 4 else f"{names[0]} … {names[-1]} ({len(names)})"
