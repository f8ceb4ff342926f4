"""What the pictures of maps have in common: a figure of our own, axes in metres, colour bars."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray

from glrender.geometry.heightmap import HeightMap
from glrender.io.files import write_bytes
from glrender.io.images import encode_png

DPI = 120
TEXT = "0.25"
"""Grey of titles and labels."""

UNSEEN_GREY = 0.88
"""Of cells that nobody has seen, 1 being white."""

LONG = 1e4
"""Metres from which on numbers along x, as those of a reference system are, need more room than they are left."""


def new_figure(width: float, height: float, title: str) -> Figure:
    """A figure of `width` x `height` inches that no global state of matplotlib knows."""
    figure = Figure(figsize=(width, height), dpi=DPI, layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12))
    figure.suptitle(title, fontsize=14, fontweight="bold", color=TEXT)
    return figure


def save_figure(path: str | Path, figure: Figure) -> None:
    """Write the figure as a PNG."""
    # As `Figure.savefig` does, which lays all out twice and compresses so hard that half of its time goes there.
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    write_bytes(path, encode_png(np.asarray(canvas.buffer_rgba())[..., :3]))


def show_map(axes: Axes, surface: HeightMap, picture: NDArray[Any], title: str) -> None:
    """Show (rows, cols, 3) sRGB (floats in [0, 1] or bytes) in metres of the map: x to the right, y upwards."""
    x, y = surface.axes()
    half = surface.spacing / 2
    axes.imshow(
        picture,
        origin="lower",
        extent=(x[0] - half, x[-1] + half, y[0] - half, y[-1] + half),
        interpolation="nearest" if max(surface.shape) < 250 else "antialiased",
        aspect="equal",
    )
    if np.abs(x[[0, -1]]).max() >= LONG:
        axes.locator_params(axis="x", nbins=4)
    axes.set_xlabel("x [m]", color=TEXT)
    axes.set_ylabel("y [m]", color=TEXT)
    finish_axes(axes, title)


def finish_axes(axes: Axes, title: str) -> None:
    """Title, and quiet ticks and frame."""
    axes.set_title(title, fontsize=11, color=TEXT, loc="left")
    axes.tick_params(labelsize=8, color="0.6", labelcolor=TEXT)
    for spine in axes.spines.values():
        spine.set_color("0.75")


def color_picture(values: NDArray[np.floating], scale: Normalize, colormap: Colormap) -> NDArray[np.float64]:
    """(rows, cols, 3) sRGB of `values` (rows, cols); NaN is light grey."""
    colors = colormap(scale(np.nan_to_num(values)))[..., :3]
    return np.where(np.isnan(values)[..., None], UNSEEN_GREY, colors)


def add_color_bar(axes: Axes, scale: Normalize, colormap: Colormap, label: str, extend: str) -> None:
    """A colour bar beside `axes`; `extend` (neither, min, max, both) says where values lie outside it."""
    bar = axes.figure.colorbar(ScalarMappable(scale, colormap), ax=axes, shrink=0.85, pad=0.02, extend=extend)
    bar.set_label(label, color=TEXT, fontsize=9)
    bar.ax.tick_params(labelsize=8, color="0.6", labelcolor=TEXT)
    bar.outline.set_edgecolor("0.75")


def add_class_bar(axes: Axes, labels: Sequence[str], colors: Sequence[tuple[float, float, float]]) -> None:
    """A bar beside `axes` with a field of each colour from below, and its label beside it."""
    mappable = ScalarMappable(Normalize(0, len(colors)), ListedColormap(list(colors)))
    middles = [k + 0.5 for k in range(len(colors))]
    bar = axes.figure.colorbar(mappable, ax=axes, shrink=0.85, pad=0.02, ticks=middles)
    bar.ax.set_yticklabels(labels, va="center")
    bar.ax.tick_params(labelsize=8, length=0, labelcolor=TEXT)
    bar.outline.set_edgecolor("0.75")


def robust_range(values: NDArray[np.floating], low: float, high: float) -> tuple[float, float]:
    """The `low` and `high` percentiles of the values that are not NaN, at least a little apart; (0, 1) of none."""
    known = values[np.isfinite(values)]
    if known.size == 0:
        return 0.0, 1.0
    a, b = (float(p) for p in np.percentile(known, [low, high]))
    return (a, b) if b - a > 1e-9 else (a - 1e-3, b + 1e-3)


def extend_of(values: NDArray[np.floating], low: float, high: float) -> str:
    """Where a colour bar from `low` to `high` needs an arrow."""
    below, above = bool((values < low).any()), bool((values > high).any())
    return {(True, True): "both", (True, False): "min", (False, True): "max", (False, False): "neither"}[below, above]
