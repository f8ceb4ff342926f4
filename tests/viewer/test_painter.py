"""What is painted: compared with pictures that were looked at, and with what the buffers say."""

import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from flights import NOISE, fly, rough_ground
from goldens import compare

from glrender.assembly.residuals import Measurements, weigh
from glrender.fusion.options import FusionOptions
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.io.sequence_folder import open_sequence
from glrender.pipeline.fuse import SequenceOptions, fuse_sequence
from glrender.pipeline.scene import Scene as SceneContent
from glrender.render.derivatives import DerivativeRenderer
from glrender.solve.losses import Cauchy
from glrender.viewer.colors import Kind, Scale, fit_scale, lookup_table
from glrender.viewer.controls import Button
from glrender.viewer.hints import FRAME
from glrender.viewer.hud import ColorBar, Hud, Inset, Plot, _apart, _wrapped, draw_hud
from glrender.viewer.layers import LAYERS, Comparison, layers_here
from glrender.viewer.live import LiveFusion, frame_insets
from glrender.viewer.notes import SHADE, WHITE, Notes
from glrender.viewer.painter import Annotations, Painter, letterbox
from glrender.viewer.picking import pick_pixel
from glrender.viewer.rig import Rig
from glrender.viewer.scene import Nudge, Scene
from glrender.viewer.session import Session
from glrender.viewer.sources import StillSource
from glrender.viewer.state import ViewState

SIZE = (300, 200)
LARGE = (800, 480)
"""Where there is much to be written."""
BARE = Annotations()


@pytest.fixture(scope="module")
def state(hills: HeightMap) -> ViewState:
    return ViewState(Rig.looking_at(hills))


def painted(painter: Painter, surface: HeightMap, state: ViewState, nudge: Nudge | None = None) -> np.ndarray:
    painter.paint(Scene("hills", surface), state, nudge, replace(BARE, heading="hills"))
    return painter.screen.read()


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("surface", {"wireframe": True, "normals": True}),
        ("height", {"layer": "height", "exaggeration": 2.0}),
        ("sigma", {"layer": "σ", "colormap": 1, "light": False}),
        ("ids", {"layer": "triangle ids"}),
        ("normal", {"layer": "normal"}),
        ("depth", {"layer": "depth", "cut": 5.0}),
        ("depth-by-height", {"layer": "∂depth/∂height", "logarithmic": True}),
        ("red-by-height", {"layer": "∂red/∂height"}),
        ("depth-by-turning", {"layer": "∂depth/∂ωx"}),
    ],
)
def test_pictures_that_were_looked_at(painter, hills, state, context, tmp_path: Path, name: str, changes) -> None:
    compare(name, painted(painter, hills, replace(state, **changes)), context, tmp_path)


def test_a_moved_vertex_beside_its_prediction(painter, hills, state, context, tmp_path: Path) -> None:
    painter.resize(LARGE, 1.0)
    session = Session(StillSource("hills", SceneContent.of(hills)), painter, replace(state, rig=state.rig.zoom(1)))
    pick = pick_pixel(painter.buffers(session.source.scene, session.state, None), 360, 200)
    session.pick, session.nudge = replace(pick, vertex=pick.nearest), Nudge(pick.nearest, 0.3 * hills.spacing)
    session.paint("")
    pixels = painter.screen.read()
    painter.resize(SIZE, 1.0)
    compare("moved-vertex", pixels, context, tmp_path)


def test_the_help_lists_every_layer(painter, hills, state, context, tmp_path: Path) -> None:
    painter.resize((860, 500), 1.0)
    painter.paint(Scene("hills", hills), state, None, replace(BARE, help=True))
    pixels = painter.screen.read()
    painter.resize(SIZE, 1.0)
    compare("help", pixels, context, tmp_path)


def test_false_colours_are_those_of_the_values(painter, hills, state) -> None:
    pixels = painted(painter, hills, replace(state, layer="depth", cut=0.0))
    buffers = painter.buffers(Scene("hills", hills), state, None)
    seen = buffers.visible.copy()
    seen[:, :150] = False  # where nothing is written over it
    seen[-30:] = False
    scale = fit_scale(np.where(buffers.visible, buffers.depth, np.nan)[::4, ::4], Kind.SEQUENTIAL, 0.0, False)
    places = np.clip(scale.place(buffers.depth[seen]), 0, 1)
    expected = lookup_table("viridis")[np.minimum((256 * places).astype(int), 255)]
    assert np.abs(pixels[seen].astype(int) - expected).max() <= 4
    assert seen.sum() > 5000


def test_unlit_colours_are_those_of_the_image(painter, hills, state) -> None:
    surface = painted(painter, hills, replace(state, light=False))
    image = painted(painter, hills, replace(state, layer="image"))
    part = np.s_[40:160, 120:]
    assert np.abs(surface[part].astype(int) - image[part]).max() <= 1


def test_all_layers_can_be_painted_on_any_map(painter, hills, state) -> None:
    grey = replace(hills, colors=hills.colors[..., :1])
    bare = HeightMap(hills.heights, hills.spacing, hills.origin)
    tilted = replace(hills, T_world_map=se3.exp([0, 0, 0, 0.3, 0.2, 1.0]))
    for surface, count in ((grey, 25), (bare, 17), (tilted, len(LAYERS) - 5)):
        here = layers_here(surface, None)
        own = replace(state, rig=Rig.looking_at(surface))
        for layer in here:
            pixels = painted(painter, surface, replace(own, layer=layer.name))
            assert len(np.unique(pixels[60:140, 100:].reshape(-1, 3), axis=0)) > 1, layer.name
        assert len(here) == count


def test_far_from_the_origin_nothing_trembles(painter, hills, state) -> None:
    far = se3.exp([5e5, 4e6, 300.0, 0, 0, 0])
    there = replace(hills, T_world_map=far)
    moved = replace(state, rig=replace(state.rig, target=tuple(np.array(state.rig.target) + far[:3, 3])))
    here = painted(painter, hills, replace(state, normals=True))
    assert (np.abs(painted(painter, there, replace(moved, normals=True)).astype(int) - here) > 8).mean() < 0.002


def test_the_gpus_own_buffers_give_the_same_picture(painter, hills, state, context) -> None:
    other = Painter(context, SIZE, evaluation="gpu")
    for changes in (
        {"layer": "surface"},
        {"layer": "surface", "light": False, "normals": True},
        {"layer": "height"},
        {"layer": "σ", "logarithmic": True},
        {"layer": "depth"},
        {"layer": "∂depth/∂height"},
    ):
        chosen = replace(state, **changes)
        difference = np.abs(painted(other, hills, chosen).astype(int) - painted(painter, hills, chosen))
        assert (difference > 16).mean() < 0.01, changes
        assert difference.mean() < 0.5, changes
    # Of surfaces that pass through each other, each pixel has the nearest, whichever is painted first.
    grey = replace(hills, heights=-hills.heights, colors=hills.colors[..., :1])
    pictures = []
    for here in (painter, other):
        for first, second in ((hills, grey), (grey, hills)):
            here.paint(Scene("two", first, (second,)), replace(state, light=False), None, BARE)
            pictures.append(here.screen.read()[60:].astype(int))
    for picture in pictures[1:]:
        assert (np.abs(picture - pictures[0]) > 16).mean() < 0.01
    other.release()


def test_a_picture_of_another_shape_is_put_into_the_middle() -> None:
    assert letterbox((640, 480), (900, 600)) == (50, 0, 800, 600)
    assert letterbox((100, 50), (300, 300)) == (0, 75, 300, 150)


@pytest.fixture(scope="module")
def recorded(context, tmp_path_factory: pytest.TempPathFactory):
    """A short flight, and how it is fused."""
    flight = fly(context, rough_ground(), frames=6)
    folder = flight.write(tmp_path_factory.mktemp("live") / "flight")
    options = SequenceOptions(
        spacing=flight.truth.spacing, bounds=flight.bounds, time_offset=0.0, fusion=FusionOptions(depth_noise=NOISE)
    )
    return open_sequence(folder), options


@pytest.fixture(scope="module")
def live(context, recorded):
    live = LiveFusion(context, *recorded)
    yield live
    live.release()


def test_a_sequence_becomes_a_map_before_ones_eyes(painter, live) -> None:
    session = Session(live, painter)
    assert [layer.key for layer in layers_here(live.scene.surface, None)].count("0") == 0
    for number in range(4):
        session.step()
        assert len(live.scene.trajectory) == number + 1
        T = se3.inverse(session.state.rig.T_world_camera)
        seen = session.state.rig.camera(*SIZE).project(live.scene.cameras @ T[:3, :3].T + T[:3, 3])
        assert ((seen > 0) & (seen < SIZE)).all(), "and its camera is in the picture"
    assert live.scene.comparison.residuals.count > 1000
    assert [inset.title for inset in live.scene.insets] == ["photograph", "prediction", "residual", "measured depth"]
    assert [len(values) for _, values in live.scene.plot.curves] == [4, 4]
    painter.resize(LARGE, 1.0)
    for layer in ("photograph", "prediction", "residual", "measured depth", "weight"):
        session.state = replace(session.state, layer=layer)
        session.paint("")
        assert len(np.unique(painter.screen.read()[80:300, 200:600].reshape(-1, 3), axis=0)) > 20, layer
    painter.resize(SIZE, 1.0)


@pytest.fixture(scope="module")
def compared(context, hills: HeightMap) -> Comparison:
    """A frame that sees the hills a centimetre higher and lower, in waves, and somewhat darker."""
    camera = Camera(128, 96, 110.0, 110.0, 63.5, 47.5)
    renderer = DerivativeRenderer(context, camera)
    predicted = renderer.render(hills, se3.look_at((0.2, -1.0, 1.2), (0.1, 0.1, 0.0)))
    renderer.release()
    waves = 0.01 * np.sin(0.2 * np.arange(128)) * np.cos(0.15 * np.arange(96))[:, None]
    depth = np.where(predicted.visible, predicted.depth + waves, 0).astype(np.float32)
    measured = Measurements(depth, 0.003, 0.8 * predicted.image, 0.05)
    return Comparison(measured, predicted, weigh(predicted, measured, depth_loss=Cauchy(3.5)))


@pytest.mark.parametrize(("name", "layer"), [("frame", "surface"), ("residual", "residual"), ("weight", "weight")])
def test_a_frame_beside_its_map(painter, hills, state, compared, context, tmp_path: Path, name: str, layer) -> None:
    steps = Plot("Gauss-Newton", (("residual [mm]", [9.0, 4.0, 3.0, 2.8]), ("step [mm]", [30.0, 8.0, 1.0, 0.4])))
    places = np.array([[0.2 + 0.1 * k, -1.0, 1.2 - 0.05 * k] for k in range(-8, 1)])
    scene = Scene("flight", hills, (), places, compared, frame_insets(compared, hills), steps, ("frame 9 of 9",))
    painter.resize(LARGE, 1.0)
    painter.paint(scene, replace(state, rig=state.rig.zoom(-5), layer=layer), None, replace(BARE, heading="flight"))
    pixels = painter.screen.read()
    painter.resize(SIZE, 1.0)
    compare(name, pixels, context, tmp_path)


def test_a_frames_own_picture_does_not_move(painter, hills, state, compared) -> None:
    source = StillSource("hills", SceneContent.of(hills))
    source.scene = replace(source.scene, comparison=compared)
    session = Session(source, painter, replace(state, layer="residual"))
    for key in "WNLT[]-=":
        session.press_key(key, control=False)
        assert session.message == FRAME
    session.message = ""
    session.scroll(1)
    assert session.message == FRAME
    for control in (False, True):
        session.press_button(Button.LEFT, 100, 100, shift=False, control=control)
        session.move_mouse(130, 120)
        session.release_button(Button.LEFT)
        assert session.message == FRAME
    assert session.state == replace(state, layer="residual")
    assert session.pick is None


def test_after_the_last_frame_the_map_is_as_glrender_fuse_has_it(live, recorded, context) -> None:
    sequence, options = recorded
    while not live.finished:
        live.step()
    surface, fused = live.scene.surface, fuse_sequence(context, sequence, options).surface
    np.testing.assert_array_equal(surface.heights, fused.heights)
    np.testing.assert_array_equal(surface.sigma, fused.sigma)
    assert live.scene.lines[-1] == "all fused"


def test_frames_that_cannot_be_used_are_counted(recorded, context, tmp_path: Path) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(recorded[0].folder, folder)
    missing, damaged = sorted((folder / "depth").iterdir())[1:3]
    missing.unlink()
    damaged.write_bytes(damaged.read_bytes()[:40])
    live = LiveFusion(context, open_sequence(folder), recorded[1])
    while not live.finished:
        live.step()
    assert len(live.scene.trajectory) == 4
    assert live.scene.lines[-1] == "all fused but 2 that could not be used"
    live.release()


def test_other_weights_start_from_the_first_frame_and_leave_nothing_behind(recorded, context) -> None:
    before = context.live_objects
    live = LiveFusion(context, *recorded)
    live.step()
    first = live.scene.surface
    live.step()
    live.restart(replace(live.weights, slope_sigma=2.0))
    assert len(live.scene.trajectory) == 0
    assert not np.isfinite(live.scene.surface.heights).any()
    live.step()
    assert live.options.slope_sigma == 2.0
    both = np.isfinite(first.heights) & np.isfinite(live.scene.surface.heights)
    assert both.sum() > 300
    assert np.abs(first.heights - live.scene.surface.heights)[both].max() > 1e-6, "weighed otherwise"
    live.release()
    assert context.live_objects == before


def test_in_a_small_window_the_help_is_small_and_whole() -> None:
    hud = Hud("", [], "", help=LAYERS)
    ends = []
    for size in ((840, 470), (420, 235)):
        rows, columns = np.nonzero(draw_hud(hud, size)[..., :3].min(axis=-1) > 60)
        ends.append(np.array([columns.min(), columns.max(), rows.min(), rows.max()]) * 840 / size[0])
    np.testing.assert_allclose(ends[0], ends[1], atol=30)  # hinting makes small letters a little wider
    assert max(end[1] for end in ends) < 810


def test_small_pictures_are_smaller_in_a_low_window_and_fewer_in_a_narrow_one() -> None:
    grey = [np.full((30, 40, 3), 50 * k, np.uint8) for k in range(1, 5)]
    insets = [Inset(f"picture {k}", picture) for k, picture in enumerate(grey)]
    heights = []
    for (width, height), fitting in (
        ((900, 600), 4),
        ((330, 600), 3),
        ((110, 600), 1),
        ((900, 300), 4),
        ((900, 200), 0),
    ):
        shown = draw_hud(Hud("", [], "", insets=insets), (width, height))[40:]
        there = [(shown[..., :3] == 50 * k).all(axis=-1) for k in range(1, 5)]
        assert sum(each.sum() > 500 for each in there) == fitting
        heights.append(np.count_nonzero(there[0].any(axis=1)))
    assert heights[0] > 1.3 * heights[3] > 0


def test_what_is_told_goes_on_below_where_panels_lie_over_it() -> None:
    words = [" ".join(f"word{n}" for n in range(20)), "another"]
    whole, half = (draw_hud(Hud("", words, "", covered=covered), (1200, 200)) for covered in (0.0, 600.0))
    bright = [sheet[:170, :, :3].min(axis=-1) > 60 for sheet in (whole, half)]
    assert bright[0][:, 600:].any()
    assert not bright[1][:, 600:].any()
    assert bright[1].sum() == pytest.approx(bright[0].sum(), rel=0.02)


def test_a_box_over_nothing_is_what_blending_makes_of_it() -> None:
    for color in (SHADE, WHITE, (255, 200, 120, 77)):
        empty, marked = Notes((8, 6)), Notes((8, 6))
        marked.box(0, 0, 1, 1)
        for notes in (empty, marked):
            notes.box(0, 0, 8, 6, color)
        np.testing.assert_array_equal(empty.pixels[1:], marked.pixels[1:])
        np.testing.assert_array_equal(empty.pixels[3, 3], np.rint(np.array([*color[:3], 255]) * color[3] / 255))


def test_a_long_message_takes_as_many_lines_as_it_needs() -> None:
    words = "job.toml: unknown key 'sauce'; the keys are " + ", ".join(f"key{n}" for n in range(40))
    sheet = draw_hud(Hud("", [], words), (400, 300))
    bright = sheet[60:, :, :3].min(axis=-1) > 60  # without the heading
    assert not bright[:, 392:].any(), "nothing is cut off at the right"
    once = draw_hud(Hud("", [], words), (4000, 300))[60:, :, :3].min(axis=-1) > 60
    assert bright.sum() == pytest.approx(once.sum(), rel=0.02), "and every word is there"
    assert _wrapped("one two", 1.0, 1.0) == ["one", "two"]
    assert _wrapped("", 100.0, 1.0) == [""]


def test_where_pixels_are_half_as_large_the_text_has_twice_as_many() -> None:
    bar = ColorBar(Scale(0.0, 2.0), "viridis", "depth [m]")
    hud = Hud("hills · depth", ["33 × 41 vertices"], "H: help", bar, help=LAYERS)
    small, large = (draw_hud(hud, (k * 860, k * 500), float(k)) for k in (1, 2))
    halved = cv2.resize(large, (860, 500), interpolation=cv2.INTER_AREA)
    # Hinting moves strokes by a pixel; words and boxes stay where they are.
    blurred = [cv2.blur(notes.astype(np.float32), (15, 15)) for notes in (halved, small)]
    assert np.abs(blurred[0] - blurred[1]).max() < 40
    assert small[..., :3].max() > 200


def test_labels_of_a_colour_bar_do_not_lie_upon_each_other() -> None:
    scale = Scale(-2.0, 2.0, logarithmic=True)
    assert len(scale.ticks()) == 7
    for room, values in ((0.1, [-1, -0.1, -0.01, 0, 0.01, 0.1, 1]), (0.15, [-1, -0.1, 0, 0.1, 1]), (0.2, [-1, 0, 1])):
        kept = sorted(_apart(scale.ticks(), room))
        assert [value for _, value in kept] == pytest.approx(values)
        assert np.diff([place for place, _ in kept]).min() >= room
