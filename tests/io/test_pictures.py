"""Previews and pictures of errors."""

from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg

from glrender.errors import InputError
from glrender.geometry.heightmap import HeightMap
from glrender.geometry.trajectory_alignment import align_trajectories
from glrender.io.error_picture import write_error_picture
from glrender.io.figure import new_figure, show_map
from glrender.io.images import read_color
from glrender.io.layers_picture import FREE_COLOR, OBSTACLE_COLOR
from glrender.io.preview import write_preview
from glrender.io.shading import slope_shade

X, Y = np.meshgrid(np.linspace(-1, 1, 60), np.linspace(-1, 1, 40))
HEIGHTS = np.where(X**2 + Y**2 < 0.1, np.nan, 0.1 * np.sin(3 * X) * np.cos(2 * Y))
SIGMA = np.where(np.isnan(HEIGHTS), np.nan, 0.001 + 0.002 * X**2)
BLUE = np.broadcast_to([0.0, 0.0, 1.0], (40, 60, 3))
VIEW = np.broadcast_to([1.0, 0.0, 0.0], (48, 64, 3))


def share(picture, color):
    """Share of the pixels of exactly this colour."""
    return (picture == color).all(axis=-1).mean()


def test_a_preview_shows_the_map_and_both_views(tmp_path):
    path = tmp_path / "preview.png"
    surface = HeightMap(HEIGHTS, 0.01, colors=BLUE, sigma=SIGMA)
    write_preview(path, surface, VIEW, 0.2 * VIEW, "a map")
    picture = read_color(path)
    assert picture.shape[0] > 700
    assert picture.shape[1] > 1200
    assert share(picture, [0, 0, 255]) > 0.03  # the map's colours
    assert share(picture, [255, 0, 0]) > 0.1  # the predicted view
    assert share(picture, [124, 0, 0]) > 0.1  # the photograph: sRGB of linear 0.2
    assert share(picture, [224, 224, 224]) > 0.001  # the hole in the heights


def test_a_preview_of_a_map_without_a_scale_has_no_rover(tmp_path):
    shares = []
    for metric in (True, False):
        write_preview(tmp_path / "preview.png", HeightMap(-0.1 * X, 0.034), None, None, "a ramp", metric=metric)
        picture = read_color(tmp_path / "preview.png")
        hue = picture / np.maximum(picture.max(axis=-1, keepdims=True), 1)
        shares.append((np.abs(hue - np.array(FREE_COLOR) / max(FREE_COLOR)).max(axis=-1) < 0.03).mean())
    assert shares[0] > 10 * shares[1]


@pytest.mark.parametrize(("slope", "color"), [(0.1, FREE_COLOR), (0.5, OBSTACLE_COLOR)])
def test_a_preview_says_where_a_rover_can_drive(tmp_path, slope, color):
    write_preview(tmp_path / "preview.png", HeightMap(-slope * X, 0.034), None, None, "a ramp")  # away from the light
    ground = read_color(tmp_path / "preview.png")[:, -500:]  # the rightmost panel
    hue = ground / np.maximum(ground.max(axis=-1, keepdims=True), 1)
    assert (np.abs(hue - np.array(color) / max(color)).max(axis=-1) < 0.1).mean() > 0.1


@pytest.mark.parametrize(
    "surface",
    [
        HeightMap(HEIGHTS, 0.01),
        HeightMap(np.full((40, 60), np.nan), 0.01, sigma=np.full((40, 60), np.nan)),
        HeightMap(np.zeros((2, 2)), 0.01, colors=np.full((2, 2, 1), np.nan), sigma=np.zeros((2, 2))),
        HeightMap(np.zeros((3, 200)), 5.0, (500000.0, 4100000.0)),
    ],
    ids=["heights only", "nothing seen", "flat, grey, certain", "long and far away"],
)
def test_a_preview_of_what_little_there_is(tmp_path, surface, recwarn):
    write_preview(tmp_path / "preview.png", surface, None, np.full((48, 64, 1), 0.5), "little")
    assert read_color(tmp_path / "preview.png").std() > 5
    assert [str(w.message) for w in recwarn] == []


@pytest.mark.parametrize("high", ["right", "top"])
def test_an_error_picture_is_red_where_the_estimate_is_too_high_and_blue_where_too_low(tmp_path, high):
    """x runs to the right and y upwards."""
    error = 0.004 * np.sign(X if high == "right" else Y)
    write_error_picture(tmp_path / "error.png", HeightMap(HEIGHTS, 0.01), error, "errors")
    picture = read_color(tmp_path / "error.png").astype(int)
    redness = (picture[..., 0] - picture[..., 2])[:, : int(0.45 * picture.shape[1])]  # the map, without its colour bar
    rows, cols = np.nonzero(redness > 60)
    blue_rows, blue_cols = np.nonzero(redness < -60)
    if high == "right":
        assert cols.min() > blue_cols.max()
    else:
        assert rows.max() < blue_rows.min()


def test_an_error_picture_of_nothing_is_refused(tmp_path):
    surface = HeightMap(HEIGHTS, 0.01)
    with pytest.raises(InputError, match="every value is NaN"):
        write_error_picture(tmp_path / "error.png", surface, np.full(HEIGHTS.shape, np.nan), "none")
    with pytest.raises(InputError, match="received shape"):
        write_error_picture(tmp_path / "error.png", surface, np.zeros((3, 3)), "wrong")


def test_a_preview_says_why_it_is_not_known_where_to_drive(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(Axes, "text", lambda axes, x, y, text, **how: said.append(text))
    quarter = np.eye(4)
    quarter[1:3, 1:3] = [[0, -1], [1, 0]]
    for pose in (None, quarter):
        write_preview(tmp_path / "preview.png", HeightMap(0.1 * X, 0.034, T_world_map=pose), None, None, "a ramp")
    (reason,) = [" ".join(text.split()) for text in said if "tilted" in text]
    assert reason.startswith("T_world_map: received a map that is tilted by 90 degrees, expected at most 60")


def test_slopes_towards_the_upper_left_are_bright():
    assert slope_shade(X - Y, 0.05).min() > 0.1  # rises to the lower right, so it faces the upper left
    assert slope_shade(Y - X, 0.05).max() < -0.1
    np.testing.assert_allclose(slope_shade(np.ones((5, 5)), 0.05), 0, atol=1e-4)


def test_no_global_state_of_matplotlib_is_touched(tmp_path):
    import matplotlib.pyplot as plt

    backend = mpl.get_backend()
    write_preview(tmp_path / "preview.png", HeightMap(HEIGHTS, 0.01), None, None, "x")
    assert plt.get_fignums() == []
    assert mpl.get_backend() == backend


def test_errors_with_the_way_of_the_camera(tmp_path):
    true = np.stack([np.linspace(-0.5, 0.5, 30), 0.2 * np.sin(np.linspace(0, 6, 30)), np.full(30, 1.0)], axis=1)
    alignment = align_trajectories(true + 0.02 * np.sin(np.arange(90).reshape(30, 3)), true)
    surface, path = HeightMap(HEIGHTS, 0.034, (-1, -0.66)), tmp_path / "errors.png"
    shapes = []
    for trajectory in (None, alignment):
        write_error_picture(path, surface, 0.01 * X, "errors", trajectory=trajectory)
        shapes.append(read_color(path).shape)
    assert shapes[1][0] > shapes[0][0] + 150
    assert shapes[1][1] == shapes[0][1]


def test_numbers_of_a_reference_system_do_not_overlap():
    figure = new_figure(3, 4, "far")
    axes = figure.add_subplot()
    surface = HeightMap(np.zeros((150, 300)), 1.0, (412345.0, 5812345.0))
    show_map(axes, surface, np.zeros((150, 300, 3)), "somewhere")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    boxes = [label.get_window_extent() for label in axes.get_xticklabels() if label.get_text()]
    shown = sorted((box.x0, box.x1) for box in boxes if box.x1 > axes.bbox.x0 and box.x0 < axes.bbox.x1)
    assert len(shown) >= 2
    assert all(left < right for (_, left), (right, _) in pairwise(shown))
