"""A picture of a map's height errors: where they are, and how they are spread."""

from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from numpy.typing import NDArray

from glrender.checks import check_array, check_kind
from glrender.errors import InputError
from glrender.geometry import se3
from glrender.geometry.heightmap import HeightMap
from glrender.geometry.trajectory_alignment import TrajectoryAlignment
from glrender.io.figure import (
    TEXT,
    add_color_bar,
    color_picture,
    extend_of,
    finish_axes,
    new_figure,
    save_figure,
    show_map,
)

ERROR_COLORS = colormaps["RdBu_r"]


def write_error_picture(
    path: str | Path,
    surface: HeightMap,
    error: NDArray[np.floating],
    title: str,
    reference: str = "truth",
    trajectory: TrajectoryAlignment | None = None,
) -> None:
    """Draw `error` (rows, cols), estimate minus `reference` in metres, NaN where unknown: a map and a histogram.

    Colours are centred at zero and reach to the 98th percentile of |error|. With a `trajectory`, the map shows where
    the camera went, and a curve below how far it was from there.
    """
    check_kind("surface", surface, HeightMap)
    millimetres = 1000 * check_array("error", error, surface.shape)
    known = millimetres[np.isfinite(millimetres)]
    if known.size == 0:
        raise InputError("error: every value is NaN; there is nothing to draw")
    reach = max(float(np.percentile(np.abs(known), 98)), 1e-3)
    scale = Normalize(-reach, reach, clip=True)
    height = float(np.clip(6 * surface.shape[0] / surface.shape[1], 4, 8))
    rows = [height] if trajectory is None else [height, 2.5]
    figure = new_figure(13, sum(rows) + 1, title)
    cells = figure.add_gridspec(len(rows), 2, width_ratios=[1.25, 1], height_ratios=rows)
    axes = figure.add_subplot(cells[0, 0])
    picture = color_picture(millimetres, scale, ERROR_COLORS)
    show_map(axes, surface, picture, f"height error, estimate minus {reference}")
    add_color_bar(axes, scale, ERROR_COLORS, "error [mm]", extend_of(known, -reach, reach))

    histogram = figure.add_subplot(cells[0, 1])
    edges = np.linspace(-1.5 * reach, 1.5 * reach, 91)
    counts, _ = np.histogram(np.clip(known, edges[0], edges[-1]), edges)
    centres = (edges[1:] + edges[:-1]) / 2
    histogram.bar(centres, counts, width=edges[1] - edges[0], color=ERROR_COLORS(scale(centres)), ec="0.5", lw=0.3)
    histogram.axvline(0, color=TEXT, lw=0.8)
    histogram.set_ylim(0, 1.3 * counts.max())  # room for what is said of them
    summary = (
        f"median {np.median(known):+.2f} mm\nmedian |error| {np.median(np.abs(known)):.2f} mm\n"
        f"RMSE {np.sqrt(np.mean(known**2)):.2f} mm\n{known.size} cells"
    )
    histogram.text(0.03, 0.97, summary, transform=histogram.transAxes, va="top", fontsize=10, color=TEXT)
    histogram.set_xlabel("error [mm]; what lies beyond is counted in the outermost bars", color=TEXT)
    histogram.set_ylabel("cells", color=TEXT)
    finish_axes(histogram, "how the errors are spread")
    if trajectory is not None:
        at = se3.transformed(se3.inverse(surface.pose), trajectory.true)
        axes.plot(at[:, 0], at[:, 1], color=TEXT, lw=1, label="the camera's way")
        axes.plot(*at[0, :2], "o", color=TEXT, ms=4)
        axes.legend(loc="upper right", fontsize=9)
        _draw_trajectory_error(figure.add_subplot(cells[1, :]), trajectory)
    save_figure(path, figure)


def _draw_trajectory_error(axes: Axes, trajectory: TrajectoryAlignment) -> None:
    axes.plot(trajectory.distances, 1000 * trajectory.errors, color=TEXT, lw=1)
    axes.set_xlim(0, trajectory.distances[-1])
    axes.set_ylim(bottom=0)
    axes.set_xlabel("the camera's way [m]", color=TEXT)
    axes.set_ylabel("position error [mm]", color=TEXT)
    finish_axes(axes, f"trajectory, RMS {1000 * trajectory.rmse:.2f} mm")
