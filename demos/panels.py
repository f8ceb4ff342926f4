"""How the demonstrations draw, and where their pictures go. Nothing of it is needed to use glrender."""

import argparse
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.sparse import csr_array

import glrender as gr
from glrender.io.color import linear_to_srgb
from glrender.io.figure import (
    TEXT,
    UNSEEN_GREY,
    add_color_bar,
    color_picture,
    extend_of,
    finish_axes,
    save_figure,
    show_map,
)
from glrender.io.files import output_folder


def parse_out(description: str) -> Path:
    """The folder that the command line names for the picture, made if need be."""
    return _parsed(argparse.ArgumentParser(description=description))[1]


def parse_recording(description: str) -> tuple[Path, Path]:
    """The folders that the command line names: of a recording, and for the picture, made if need be."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("recording", help="a folder in the TUM RGB-D format, with colour, depth and poses")
    return _parsed(parser)


def _parsed(parser: argparse.ArgumentParser) -> tuple[Path, Path]:
    parser.add_argument("--out", default="out/demos", metavar="FOLDER", help="where the picture goes (%(default)s)")
    options = parser.parse_args()
    recording = Path(getattr(options, "recording", "."))
    if not recording.is_dir():
        parser.error(f"{recording}: no such folder")
    try:
        return recording, output_folder(options.out)
    except gr.errors.InputError as error:
        parser.error(str(error))


def save(path: Path, figure: Figure) -> None:
    """Write the figure and say so."""
    save_figure(path, figure)
    print(f"wrote {path}")


def show_values(
    axes: Axes,
    values: NDArray[np.floating],
    title: str,
    unit: str,
    *,
    limits: tuple[float, float] | None = None,
    surface: gr.HeightMap | None = None,
) -> None:
    """Draw `values` (rows, cols) with a colour bar, light grey where they are NaN.

    Values with a sign are blue below zero and red above; those without have `limits` (low, high) that are not -a and a.
    What belongs to the vertices of a `surface` is drawn in metres, everything else pixel by pixel.
    """
    reach = float(np.nanmax(np.abs(values)))
    low, high = limits or (-reach, reach)
    scale = Normalize(low, high, clip=True)
    colors = colormaps["RdBu_r" if low == -high else "viridis"]
    _show(axes, color_picture(values, scale, colors), title, surface)
    add_color_bar(axes, scale, colors, unit, extend_of(values, low, high))


def show_image(axes: Axes, image: NDArray[np.floating], title: str, *, surface: gr.HeightMap | None = None) -> None:
    """Draw linear colours (rows, cols, 3), light grey where they are NaN; see `show_values` for `surface`."""
    _show(axes, np.where(np.isnan(image), UNSEEN_GREY, linear_to_srgb(image)), title, surface)


def show_pattern(axes: Axes, matrix: csr_array, title: str, of_rows: str, of_columns: str) -> None:
    """Mark the entries of a sparse matrix; its rows and columns belong to what is named."""
    axes.spy(matrix, markersize=80 / matrix.shape[1], aspect="auto", color=TEXT)
    axes.set_box_aspect(0.75)
    axes.xaxis.tick_bottom()
    axes.set_xlabel(of_columns, color=TEXT)
    axes.set_ylabel(of_rows, color=TEXT)
    finish_axes(axes, f"{title}: {matrix.nnz} entries, {matrix.nnz / np.prod(matrix.shape):.1%} of all")


def show_against_normal(axes: Axes, values: NDArray[np.floating], title: str, label: str) -> None:
    """Draw how `values` (n,) are spread, and the normal distribution of standard deviation 1 that they should have."""
    grid = np.linspace(-4, 4, 81)
    axes.hist(values, grid, density=True, color="0.75", label="the map")
    axes.plot(grid, np.exp(-np.square(grid) / 2) / np.sqrt(2 * np.pi), color="firebrick", label="normal")
    axes.set(box_aspect=1, yticks=[])
    axes.set_xlabel(label, color=TEXT)
    axes.legend(frameon=False, labelcolor=TEXT)
    finish_axes(axes, title)


def _show(axes: Axes, picture: NDArray[np.floating], title: str, surface: gr.HeightMap | None) -> None:
    if surface is None:
        axes.imshow(picture)
        axes.set(xticks=[], yticks=[])
        finish_axes(axes, title)
    else:
        show_map(axes, surface, picture, title)
        axes.locator_params(nbins=6)
