"""`preview.png`: what a person looks at first."""

import textwrap
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, Normalize
from numpy.typing import NDArray

from glrender.checks import check_kind
from glrender.errors import InputError
from glrender.geometry.heightmap import HeightMap
from glrender.geometry.terrain_layers import terrain_layers
from glrender.io.color import linear_to_bytes
from glrender.io.figure import (
    UNSEEN_GREY,
    add_color_bar,
    color_picture,
    extend_of,
    finish_axes,
    new_figure,
    robust_range,
    save_figure,
    show_map,
)
from glrender.io.layers_picture import draw_occupancy
from glrender.io.shading import relief

HEIGHT_COLORS = ListedColormap(colormaps["gist_earth"](np.linspace(0.12, 0.93, 256)))
"""Without its black and white ends, which would look like shade and light."""

SIGMA_COLORS = colormaps["magma"]

Image = NDArray[np.floating]


def write_preview(
    path: str | Path,
    surface: HeightMap,
    prediction: Image | None,
    photograph: Image | None,
    title: str,
    *,
    metric: bool = True,
) -> None:
    """Draw shaded height, uncertainty and colour of a map, where a small rover can drive on it, and below these views.

    The views are a predicted one beside its photograph; `prediction` and `photograph` are linear images (height,
    width, 1 or 3), or None where there is none. A map that is not `metric`, but up to scale, has no rover's panel.
    """
    check_kind("surface", surface, HeightMap)
    views = {"predicted view": prediction, "photograph": photograph}
    shown = {name: image for name, image in views.items() if image is not None}
    map_height = float(np.clip(4.6 * surface.shape[0] / surface.shape[1], 2.2, 7.5))
    figure = new_figure(21, map_height + (5.6 if shown else 0) + 1.2, title)
    rows = figure.add_gridspec(2 if shown else 1, 1, height_ratios=[map_height, 5.6] if shown else [1])
    maps = rows[0].subgridspec(1, 4 if metric else 3)
    _draw_height(figure.add_subplot(maps[0]), surface)
    _draw_sigma(figure.add_subplot(maps[1]), surface)
    _draw_color(figure.add_subplot(maps[2]), surface)
    if metric:
        _draw_free_ground(figure.add_subplot(maps[3]), surface)
    if shown:
        cells = rows[1].subgridspec(1, len(shown))
        for column, (name, image) in enumerate(shown.items()):
            axes = figure.add_subplot(cells[column])
            axes.imshow(_srgb(image))
            axes.set_xticks([])
            axes.set_yticks([])
            finish_axes(axes, name)
    save_figure(path, figure)


def _draw_height(axes: Axes, surface: HeightMap) -> None:
    low, high = robust_range(surface.heights, 0.5, 99.5)
    scale = Normalize(low, high, clip=True)
    colors = color_picture(surface.heights, scale, HEIGHT_COLORS)
    shaded = relief(surface.heights, surface.spacing, colors)
    seen = np.isfinite(surface.heights).mean()
    show_map(axes, surface, shaded, f"height, shaded ({100 * seen:.1f} % of the cells seen)")
    add_color_bar(axes, scale, HEIGHT_COLORS, "height [m]", extend_of(surface.heights, low, high))


def _draw_sigma(axes: Axes, surface: HeightMap) -> None:
    if surface.sigma is None:
        show_map(axes, surface, np.full((*surface.shape, 3), UNSEEN_GREY), "no uncertainty in this map")
        return
    sigma = 1000 * surface.sigma
    low, high = robust_range(sigma, 0, 98)
    scale = Normalize(low, high, clip=True)
    middle = f", median {np.nanmedian(sigma):.2f} mm" if np.isfinite(sigma).any() else ""
    show_map(axes, surface, color_picture(sigma, scale, SIGMA_COLORS), "uncertainty, 1σ" + middle)
    add_color_bar(axes, scale, SIGMA_COLORS, "σ of the height [mm]", extend_of(sigma, low, high))


def _draw_color(axes: Axes, surface: HeightMap) -> None:
    if surface.colors is None:
        show_map(axes, surface, np.full((*surface.shape, 3), UNSEEN_GREY), "no colour in this map")
    else:
        show_map(axes, surface, _srgb(surface.colors), "colour")


def _draw_free_ground(axes: Axes, surface: HeightMap) -> None:
    try:
        layers = terrain_layers(surface)
    except InputError as error:
        show_map(axes, surface, np.full((*surface.shape, 3), UNSEEN_GREY), "where to drive: not known")
        why = textwrap.fill(str(error), 36)
        axes.text(0.5, 0.5, why, transform=axes.transAxes, ha="center", va="center", fontsize="small")
    else:
        draw_occupancy(axes, layers)


def _srgb(linear: Image) -> NDArray[np.uint8]:
    """(height, width, 3) bytes of one or three linear channels; NaN is light grey."""
    unknown = np.isnan(linear).any(axis=-1, keepdims=True)
    colors = np.broadcast_to(linear_to_bytes(np.nan_to_num(linear)), (*linear.shape[:2], 3))
    return np.where(unknown, np.uint8(255 * UNSEEN_GREY), colors)
