"""The roofline as a picture: what stages achieve, under what the machine can do."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from glrender.bench.benchmark import Report
from glrender.bench.roofline import Ceilings, Point
from glrender.io.figure import TEXT, finish_axes, new_figure, save_figure

_MARKERS = "osD^vP*"
_GIGA = 1e-9


def plot_roofline(path: Path, report: Report) -> None:
    """Write a PNG of a report: for each stage a point a map, larger for larger maps.

    Of several images the first is shown. Stages without any arithmetic have no place in it. What a small map needs
    may come from caches, faster than copying.
    """
    images = [point.image for point in report.points if point.image is not None]
    shown = [point for point in report.points if point.work.flops and point.image in (None, *images[:1])]
    pixels = f", {images[0][0]} x {images[0][1]} pixels" if images else ""
    figure = new_figure(11, 6.5, f"{report.renderer}, {report.cores} cores{pixels}")
    axes = figure.add_subplot()
    axes.set_xscale("log")
    axes.set_yscale("log")
    handles = [
        _draw_stage(axes, [point for point in shown if point.stage == stage], k)
        for k, stage in enumerate(dict.fromkeys(point.stage for point in shown))
    ]
    assert report.ceilings is not None
    _set_limits(axes, shown, report.ceilings)
    _draw_ceilings(axes, report.ceilings)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
    axes.grid(which="major", color="0.92")
    axes.set_axisbelow(True)
    axes.set_xlabel("floating-point operations a byte that must move", color=TEXT)
    axes.set_ylabel("Gflop/s", color=TEXT)
    sizes = sorted({point.vertices for point in shown})
    finish_axes(axes, f"maps of {', '.join(f'{n}²' for n in sizes)} vertices, larger marks for larger maps")
    axes.legend(
        handles=handles,
        loc="center left",
        bbox_to_anchor=(1.01, 0.5),
        frameon=False,
        labelcolor=TEXT,
        fontsize=9,
        title="share of the bandwidth of copying,\nfrom the smallest map to the largest",
        title_fontsize=9,
        alignment="left",
    )
    save_figure(path, figure)


def _draw_stage(axes: Axes, points: Sequence[Point], k: int) -> Line2D:
    """A line through a stage's points; returns what stands for it in the legend."""
    points = sorted(points, key=lambda point: point.vertices)
    color, marker = colormaps["tab20"](2 * k % 20 + k // 10 % 2), _MARKERS[k % len(_MARKERS)]
    x, y = [point.intensity for point in points], [_GIGA * point.speed for point in points]
    axes.plot(x, y, color=color, linewidth=1, alpha=0.5)
    # Twice as many vertices along a side, a mark of half as much area again.
    areas = [25 * 1.5 ** np.log2(point.vertices / 65) for point in points]
    axes.scatter(x, y, areas, [color], marker=marker, edgecolors="white", linewidths=0.6, zorder=3)
    shares = " to ".join(dict.fromkeys(f"{point.share:.0%}" for point in (points[0], points[-1])))
    return Line2D([], [], color=color, marker=marker, linewidth=1, label=f"{points[0].stage}: {shares}")


def _set_limits(axes: Axes, points: Sequence[Point], ceilings: Ceilings) -> None:
    x = np.array([point.intensity for point in points])
    y = np.array([_GIGA * point.speed for point in points])
    # As far to the right as where the ceilings meet, so that the roof is seen to be one.
    axes.set_xlim(x.min() / 2, max(2 * x.max(), 2 * ceilings.flops / min(ceilings.copy.values())))
    axes.set_ylim(y.min() / 2, 2 * max(y.max(), _GIGA * ceilings.flops))


def _draw_ceilings(axes: Axes, ceilings: Ceilings) -> None:
    low, high = axes.get_xlim()
    peak = _GIGA * ceilings.flops
    for where, copied in ceilings.copy.items():
        # Of a GPU only the bandwidth is measured.
        end = min(high, ceilings.flops / copied) if where == "host" else high
        axes.plot([low, end], [_GIGA * copied * low, _GIGA * copied * end], color="0.35", linewidth=1.5)
        start = 1.3 * max(low, axes.get_ylim()[0] / (_GIGA * copied))
        text = f"copying on the {where}, {_GIGA * copied:.1f} GB/s"
        _label(axes, start, _GIGA * copied * start, text, along=True)
        if where == "host":
            axes.plot([end, high], [peak, peak], color="0.35", linewidth=1.5)
            _label(axes, high, peak, f"product of matrices, {peak:.0f} Gflop/s ", along=False)


def _label(axes: Axes, x: float, y: float, text: str, *, along: bool) -> None:
    """A text above a ceiling: along a diagonal, from (x, y) on, or up to there where it is level."""
    y *= 1.12
    axes.text(
        x,
        y,
        text,
        # Along the diagonal y / x, which the logarithmic axes turn.
        rotation=float(np.degrees(np.arctan2(y, x))) if along else 0.0,
        rotation_mode="anchor",
        transform_rotates_text=along,
        ha="left" if along else "right",
        fontsize=9,
        color="0.35",
    )
