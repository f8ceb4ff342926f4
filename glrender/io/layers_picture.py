"""`layers.png`: where a robot can drive, and why not elsewhere."""

from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize
from numpy.typing import NDArray

from glrender.checks import check_kind
from glrender.geometry.heightmap import HeightMap
from glrender.geometry.terrain_layers import FREE, OBSTACLE, Robot, TerrainLayers
from glrender.io.figure import (
    UNSEEN_GREY,
    add_class_bar,
    add_color_bar,
    color_picture,
    extend_of,
    new_figure,
    save_figure,
    show_map,
)
from glrender.io.shading import relief

FREE_COLOR = (0.30, 0.68, 0.38)
OBSTACLE_COLOR = (0.84, 0.23, 0.20)
UNKNOWN_COLOR = (0.62, 0.62, 0.64)
"""Of ground that was seen, but not well enough to say."""

TRAVERSABILITY_COLORS = LinearSegmentedColormap.from_list(
    "traversability", [OBSTACLE_COLOR, (0.97, 0.84, 0.42), FREE_COLOR]
)
LIMIT_COLORS = colormaps["YlOrRd"]


def write_layers_picture(path: str | Path, layers: TerrainLayers, title: str) -> None:
    """Draw free ground, obstacles and unknown ground over shaded relief, and beside them what they follow from."""
    check_kind("layers", layers, TerrainLayers)
    rows, cols = layers.surface.shape
    height = float(np.clip(9.0 * rows / cols, 3.5, 8.5))
    width = float(np.clip(height * cols / rows, 4.0, 9.0))
    figure = new_figure(2 * width + 4, height + 1.9, title)
    columns = figure.add_gridspec(1, 2, width_ratios=[width, width + 2.6])
    draw_occupancy(figure.add_subplot(columns[0]), layers)
    panels = columns[1].subgridspec(2, 2)
    robot, surface = layers.robot, layers.surface
    quantities = (
        (layers.slope, "slope", "degrees", robot.max_slope),
        (1e3 * layers.step, "step", "mm", 1e3 * robot.max_step),
        (1e3 * layers.roughness, "roughness", "mm", 500 * robot.max_step),
    )
    for panel, (values, name, unit, limit) in zip(((0, 0), (0, 1), (1, 0)), quantities, strict=True):
        words = f"{name} (limit {limit:g} {unit})", f"{name} [{unit}]"
        _draw(figure.add_subplot(panels[panel]), surface, values, *words, 2 * limit, LIMIT_COLORS)
    name, colors = "traversability", TRAVERSABILITY_COLORS
    _draw(figure.add_subplot(panels[1, 1]), surface, layers.traversability, name, name, 1.0, colors)
    save_figure(path, figure)


def draw_occupancy(axes: Axes, layers: TerrainLayers) -> None:
    """Free ground green, obstacles red, ground that was seen but is not known well enough grey, the rest light."""
    surface, occupancy = layers.surface, layers.occupancy
    seen = np.isfinite(surface.heights)
    classes = {
        "unknown": (np.isnan(occupancy) & seen, UNKNOWN_COLOR),
        "obstacle": (occupancy == OBSTACLE, OBSTACLE_COLOR),
        "free": (occupancy == FREE, FREE_COLOR),
    }
    colors = np.full((*surface.shape, 3), UNSEEN_GREY)
    for cells, color in classes.values():
        colors[cells] = color
    picture = np.where(seen[..., None], relief(surface.heights, surface.spacing, colors), UNSEEN_GREY)
    show_map(axes, surface, picture, f"where to drive\n{_in_words(layers.robot)}")
    labels = [f"{name}\n{cells.sum() / seen.sum():.0%}" for name, (cells, _) in classes.items()]
    add_class_bar(axes, labels, [color for _, color in classes.values()])


def _in_words(robot: Robot) -> str:
    """The robot's limits, short enough for a title."""
    return f"step ≤ {100 * robot.max_step:g} cm, slope ≤ {robot.max_slope:g}°, wheel {100 * robot.wheel_diameter:g} cm"


def _draw(
    axes: Axes,
    surface: HeightMap,
    values: NDArray[np.float64],
    title: str,
    label: str,
    highest: float,
    colormap: Colormap,
) -> None:
    """Draw a quantity (rows, cols) from 0 to `highest`."""
    scale = Normalize(0, highest, clip=True)
    show_map(axes, surface, color_picture(values, scale, colormap), title)
    add_color_bar(axes, scale, colormap, label, extend_of(values, 0, highest))
