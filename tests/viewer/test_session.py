"""Keys, clicks and drags on a scene that is painted without a window."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from glrender.geometry import se3
from glrender.geometry.heightmap import HeightMap
from glrender.pipeline.scene import Scene
from glrender.viewer.controls import BINDINGS, DIGITS, Button, Command
from glrender.viewer.hints import ABSENT
from glrender.viewer.rig import Rig
from glrender.viewer.scene import Scene as SceneShown
from glrender.viewer.session import Session
from glrender.viewer.sources import StillSource
from glrender.viewer.state import ViewState

SIZE = (240, 180)


@pytest.fixture
def session(painter, hills: HeightMap) -> Session:
    return Session(StillSource("hills", Scene.of(hills)), painter)


def keys(session: Session, *pressed: str) -> None:
    for key in pressed:
        session.press_key(key, control=False)
        session.release_key(key)


def picture(session: Session) -> np.ndarray:
    session.paint("")
    return session.painter.screen.read()


def test_digits_show_layers_and_come_round(session: Session) -> None:
    shown = []
    for key in "3676776788":
        keys(session, key)
        shown.append(session.state.layer)
    expected = ["depth", "∂depth/∂height", "∂red/∂height", "∂depth/∂height", "∂red/∂height", "∂green/∂height"]
    assert shown == [*expected, "∂depth/∂height", "∂red/∂height", "∂depth/∂vx", "∂depth/∂vy"]
    keys(session, "0")
    assert session.message == "no frame of a sequence here, or none yet"


@pytest.mark.parametrize(
    ("key", "field"), [("W", "wireframe"), ("N", "normals"), ("L", "light"), ("T", "trajectory"), ("G", "logarithmic")]
)
def test_switches_go_there_and_back(painter, hills: HeightMap, key: str, field: str) -> None:
    session = Session(Leaving(hills), painter)
    session.step()
    session.step()  # a trajectory has two places
    keys(session, "9")  # sigma: on the surface, and at least 0
    before = getattr(session.state, field)
    keys(session, key)
    assert getattr(session.state, field) is not before
    keys(session, key)
    assert getattr(session.state, field) is before


@pytest.mark.parametrize("key", ["W", "N", "L", "H", "=", "]", "3", "9", "C"])
def test_every_switch_changes_the_picture(session: Session, key: str) -> None:
    keys(session, "1")  # heights: false colours on a lit surface
    before = picture(session)
    keys(session, key)
    changed = (picture(session) != before).any(axis=-1).mean()
    assert changed > 0.01, f"{key} changed {changed:.1%} of the pixels"


def seen_or_told(session: Session, press: Callable[[], None]) -> str:
    """What comes of a key: "seen" where the picture changes by itself, else what is told, or left to the window."""
    session.message = ""
    before, wishes, layer = picture(session), len(session.wishes), session.state.layer
    press()
    told, session.message = session.message, ""
    changed = (picture(session) != before).any() or session.state.layer != layer
    return "seen" if changed else told or " ".join(wish.name for wish in session.wishes[wishes:])


FROM_THE_WINDOW = {"Escape", "Q", "P", "D", "F", "Tab", "Ctrl+C", "Ctrl+V"}


@pytest.mark.parametrize("kind", ["map", "two maps", "sequence", "sequence at its end"])
@pytest.mark.parametrize("layer", ["surface", "height", "σ", "depth", "image", "triangle ids", "∂depth/∂ωx"])
def test_every_key_does_something_or_says_why_not(painter, hills: HeightMap, kind: str, layer: str) -> None:
    for key in [binding.key for binding in BINDINGS] + list(DIGITS):
        if kind.startswith("sequence"):
            session = Session(Leaving(hills), painter)
            while len(session.source.scene.trajectory) < 2 or (kind.endswith("end") and not session.source.finished):
                session.step()
        else:
            beside = replace(hills, T_world_map=se3.exp([2.4, 0, 0, 0, 0, 0]))
            session = Session(StillSource("hills", Scene.of([hills, beside][: 1 + (kind == "two maps")])), painter)
        session.state = replace(session.state, layer=layer)
        pressed = key.removeprefix("Ctrl+"), key.startswith("Ctrl+")
        came = seen_or_told(session, lambda: session.press_key(pressed[0], control=pressed[1]))  # noqa: B023
        assert came, key
        assert came.isupper() == (key in FROM_THE_WINDOW), (key, came)


def test_why_a_key_does_nothing(session: Session) -> None:
    for pressed, reason in (
        ("T", "no camera here"),
        ("O", "there is no other object"),
        ("Space", "nothing here goes on by itself"),
        (".", "nothing here goes on by itself"),
        ("C", "surface has colours of its own"),
        ("R", "this is the first view"),
        ("3", ""),
        ("3", "depth is all that 3 shows here"),
        ("W", "depth has neither edges nor light"),
        ("1", ""),
        ("1", ""),
        ("G", "height has no logarithm"),
    ):
        keys(session, pressed)
        assert session.message.startswith(reason) if reason else session.message == "", (pressed, session.message)
    for key, last in (("[", "5° is the narrowest"), ("]", "120° is the widest"), ("=", "20 times"), ("-", "0.1 times")):
        for _ in range(60):
            keys(session, key)
        assert session.message.startswith(last)
    bare = HeightMap(np.zeros((5, 5)), 0.1)
    leaning = Session(
        StillSource("bare", Scene.of(replace(bare, T_world_map=se3.exp([0, 0, 0, 3, 0, 0])))), session.painter
    )
    for key in "790":
        keys(leaning, key)
        assert leaning.message == ABSENT[key]


def test_a_wireframe_that_is_too_fine_to_be_seen_is_told(session: Session) -> None:
    keys(session, "W")
    assert "go nearer" in session.message
    session.scroll(20)
    keys(session, "W", "W")
    assert session.message == ""


def test_reset_goes_home_and_keeps_the_layer(session: Session) -> None:
    home = session.state
    keys(session, "3", "]", "W")
    session.press_button(Button.LEFT, 10, 10, shift=False, control=False)
    session.move_mouse(60, 40)
    session.release_button(Button.LEFT)
    assert session.state.rig != home.rig
    keys(session, "R")
    assert session.state.rig == home.rig
    assert (session.state.layer, session.state.wireframe) == ("depth", False)


def test_what_only_the_window_can_do_is_left_to_it(session: Session) -> None:
    keys(session, "P", "D", "F")
    session.press_key("C", control=True)
    assert session.wishes == [Command.SCREENSHOT, Command.SAVE_DEPTH, Command.FULLSCREEN, Command.COPY]
    assert session.state.colormap == 0, "Ctrl+C is not C"


def test_escape_closes_the_help_before_it_leaves(session: Session) -> None:
    keys(session, "H", "Escape")
    assert not session.help
    assert session.wishes == []
    keys(session, "Escape")
    assert session.wishes == [Command.QUIT]


def test_right_button_and_keys_fly(session: Session) -> None:
    session.press_button(Button.RIGHT, 50, 50, shift=False, control=False)
    session.press_key("W", control=False)
    assert session.flying
    assert session.running
    eye = session.state.rig.T_world_camera[:3, 3]
    forward = session.state.rig.T_world_camera[:3, 2]
    session.advance(0.5)
    assert (session.state.rig.T_world_camera[:3, 3] - eye) @ forward > 0
    assert not session.state.wireframe
    session.release_button(Button.RIGHT)
    assert not session.running


def test_a_key_that_is_held_goes_on_with_what_has_steps_and_with_nothing_else(session: Session) -> None:
    wide = session.state.rig.fov
    for key in "[W7QP":
        session.press_key(key, control=False)
        session.press_key(key, control=False, repeated=True)
    assert session.state.rig.fov == pytest.approx(wide / 1.12**2)
    assert (session.state.wireframe, session.state.layer) == (True, "∂red/∂height")
    assert session.wishes == [Command.QUIT, Command.SCREENSHOT]


def test_a_view_is_pasted_and_nonsense_is_told(session: Session) -> None:
    copied = session.state.to_json().replace('"surface"', '"depth"')
    session.paste(copied)
    assert session.state == ViewState.from_json(copied)
    session.paste("hello")
    assert session.message.startswith("nothing pasted: ")
    assert session.state.layer == "depth"


def test_clicking_picks_and_ctrl_dragging_moves_a_vertex(session: Session, hills: HeightMap) -> None:
    x, y = SIZE[0] / 2, SIZE[1] / 2
    session.press_button(Button.LEFT, x, y, shift=False, control=False)
    session.release_button(Button.LEFT)
    assert session.pick is not None
    assert session.pick.pixel == (120, 90)
    assert session.nudge is None
    plain = picture(session)

    session.press_button(Button.LEFT, x, y, shift=False, control=True)
    assert session.pick.vertex == session.pick.nearest
    session.move_mouse(x, y - 10)
    assert session.nudge.vertex == session.pick.nearest
    assert session.nudge.change == pytest.approx(10 * 0.04 * hills.spacing)
    session.release_button(Button.LEFT)
    moved = picture(session)
    assert (moved[-60:] != plain[-60:]).any(), "panels with the true and the predicted change"

    session.press_button(Button.LEFT, 1, 1, shift=False, control=False)
    session.release_button(Button.LEFT)
    assert (session.pick, session.nudge, session.message) == (None, None, "nothing is seen there")


def test_the_surface_beside_a_picked_vertex_follows_the_view(session: Session) -> None:
    session.press_button(Button.LEFT, 120, 90, shift=False, control=True)
    session.release_button(Button.LEFT)
    first = picture(session)
    session.scroll(4)
    assert (picture(session)[-60:] != first[-60:]).any(), "another footprint"
    session.nudge = replace(session.nudge, change=0.01)
    for size in ((150, 200), SIZE):  # a window that is made smaller, and larger again
        session.painter.resize(size, 1.0)
        assert picture(session).shape[:2] == size[::-1]


def test_what_a_moved_vertex_changes_is_told_where_it_is_seen(session: Session) -> None:
    session.press_button(Button.LEFT, 120, 90, shift=False, control=True)
    session.release_button(Button.LEFT)
    session.scroll(2)
    session.nudge = replace(session.nudge, change=0.01)
    picture(session)
    session.painter.resize(SIZE, 1.0, 80.0)  # a panel is opened
    seen = picture(session)
    moved, session.nudge = session.nudge, replace(session.nudge, change=0.0)
    again = Session(session.source, session.painter, session.state)
    again.pick, again.nudge = session.pick, moved
    np.testing.assert_array_equal(picture(again)[-60:], seen[-60:])


def test_of_several_objects_the_one_that_is_clicked_is_looked_at(painter, hills: HeightMap) -> None:
    beside = replace(hills, T_world_map=se3.exp([2.4, 0, 0, 0, 0, 0]))
    source = StillSource("two", Scene.of([hills, beside]))
    view = ViewState(Rig((1.2, 0.0, 0.0), 4.5, azimuth=0.0, elevation=60.0), layer="height")
    session = Session(source, painter, view)
    assert source.scene.surface is hills
    before = picture(session)
    rig = Session(source, painter).state.rig
    assert rig.target[0] == pytest.approx(1.2, abs=0.2), "without a view, all of them are looked at"
    for part in (before[60:120, 20:110], before[60:120, 130:220]):
        assert len(np.unique(part.reshape(-1, 3), axis=0)) > 20
    session.press_button(Button.LEFT, 170, 90, shift=False, control=False)
    session.release_button(Button.LEFT)
    assert source.scene.surface is beside
    assert source.scene.others == (hills,)
    assert source.scene.lines == ("map 1, 2 of 2: 33 × 41 vertices, 50 mm apart, 94.7% seen",)
    assert session.pick is not None
    keys(session, "O")
    assert source.scene.surface is hills
    assert session.pick is None
    np.testing.assert_array_equal(picture(session), before)


class Growing:
    """A source of which more columns are seen at each step."""

    def __init__(self, surface: HeightMap) -> None:
        self._surface, self._columns = surface, 0
        self.finished = False
        self.scene = SceneShown("growing", replace(surface, heights=np.full(surface.shape, np.nan)))

    def step(self) -> None:
        self._columns += 10
        heights = self._surface.heights.copy()
        heights[:, self._columns :] = np.nan
        self.scene = replace(self.scene, surface=replace(self._surface, heights=heights))

    def release(self) -> None:
        """Nothing to."""


def test_a_map_that_grows_stays_in_view_until_another_view_is_chosen(painter, hills: HeightMap) -> None:
    session = Session(Growing(hills), painter)
    for _ in range(2):
        before = session.state.rig
        session.step()
        assert session.state.rig == session.home.rig != before
    session.scroll(1)
    chosen = session.state.rig
    session.step()
    assert session.state.rig == chosen
    assert session.home.rig != before, "and R shows all of it"
    given = Session(Growing(hills), painter, ViewState(chosen))
    given.step()
    assert given.state.rig == chosen


class Leaving(Growing):
    """A source whose camera goes away from a map of which all is seen from the start."""

    def __init__(self, surface: HeightMap) -> None:
        super().__init__(surface)
        self.scene = SceneShown("leaving", surface)

    def step(self) -> None:
        places = np.vstack([self.scene.trajectory, [[0.0, -0.6 - 0.2 * len(self.scene.trajectory), 0.8]]])
        self.scene = replace(self.scene, trajectory=places)
        self.finished = len(places) == 12


def in_the_picture(session: Session) -> bool:
    """Whether all cameras are in the part of the picture that nothing lies over."""
    rig, (width, height) = session.state.rig, session.painter.free
    T = se3.inverse(rig.T_world_camera)
    camera = rig.camera(*session.painter.size, session.painter.covered)
    uv = camera.project(session.source.scene.cameras @ T[:3, :3].T + T[:3, 3])
    return bool((uv > [0, 26]).all() and (uv < [width, height - 22]).all())


def test_a_camera_that_leaves_its_map_stays_in_the_first_view(painter, hills: HeightMap) -> None:
    painter.resize(SIZE, 1.0, covered=80.0)
    session = Session(Leaving(hills), painter)
    first = session.state.rig
    while not session.source.finished:
        session.step()
        assert in_the_picture(session)
    last = session.state.rig
    assert last.distance > 1.2 * first.distance
    session.scroll(3)
    keys(session, "R")
    assert session.state.rig == last
    session.state = replace(session.state, rig=first)
    assert not in_the_picture(session), "which the view of the map alone does not show"
    painter.resize(SIZE, 1.0)


def test_what_is_picked_pauses_a_sequence(painter, hills: HeightMap) -> None:
    session = Session(Leaving(hills), painter)
    for x, picks in ((1, False), (SIZE[0] / 2, True)):
        session.press_button(Button.LEFT, x, SIZE[1] / 2, shift=False, control=False)
        session.release_button(Button.LEFT)
        assert (session.pick is not None, session.running) == (picks, not picks)
    assert session.message == "paused; Space goes on"
    keys(session, "Space")
    session.advance(0.1)
    assert session.pick is None
    assert len(session.source.scene.trajectory) == 1
    keys(session, "Space")
    assert not session.running
    session.open(Leaving(hills))
    assert session.running, "what is opened next goes on"


def test_the_first_view_fits_the_window_as_it_is_now(painter, hills: HeightMap) -> None:
    session = Session(StillSource("hills", Scene.of(hills)), painter)
    whole = session.state.rig
    painter.resize(SIZE, 1.0, covered=120.0)  # panels open
    session.paint("")
    assert session.state.rig.distance > 1.2 * whole.distance
    session.scroll(2)
    chosen = session.state.rig
    painter.resize(SIZE, 1.0)
    session.paint("")
    assert session.state.rig == chosen, "but for one that somebody has chosen"
    keys(session, "R")
    assert session.state.rig == whole
    given = Session(StillSource("hills", Scene.of(hills)), painter, ViewState(chosen))
    painter.resize((100, 180), 1.0)
    given.paint("")
    painter.resize(SIZE, 1.0)
    assert given.state.rig == given.home.rig == chosen


def test_what_lies_far_apart_is_told_in_metres() -> None:
    content = Scene.of(HeightMap(np.zeros((3, 4)), 1000.0))
    assert StillSource("alps", content).scene.lines == ("3 × 4 vertices, 1000 m apart",)


def test_the_nearer_object_hides_the_other(painter, hills: HeightMap) -> None:
    above = replace(hills, T_world_map=se3.exp([0, 0, 0.6, 0, 0, 0]))
    view = ViewState(Rig((0.0, 0.0, 0.0), 4.0, azimuth=0.0, elevation=89.0), light=False)
    alone = picture(Session(StillSource("one", Scene.of(above)), painter, view))
    for order in ([hills, above], [above, hills]):
        both = picture(Session(StillSource("one", Scene.of(order)), painter, view))
        part = np.s_[75:105, 100:150]
        np.testing.assert_array_equal(both[part], alone[part])
