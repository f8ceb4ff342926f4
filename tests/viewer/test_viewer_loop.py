"""The loop between a window and a session, with a window that plays events from a list."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import count, pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from glrender.cli.main import main
from glrender.errors import InputError
from glrender.geometry.heightmap import HeightMap
from glrender.pipeline.fuse import SequenceOptions
from glrender.viewer import viewer as module
from glrender.viewer import window as window_module
from glrender.viewer.controls import Button
from glrender.viewer.overlay import INSTALL, make_overlay
from glrender.viewer.recording import Film, free_path
from glrender.viewer.rig import Rig
from glrender.viewer.scene import Scene
from glrender.viewer.sources import open_source
from glrender.viewer.state import ViewState
from glrender.viewer.viewer import Script, Viewer
from glrender.viewer.window import ButtonEvent, DropEvent, Event, KeyEvent, MoveEvent, ScrollEvent

SIZE = (160, 120)


class ScriptedWindow:
    """Plays a list of events, one list a turn, and is closed at its end."""

    def __init__(self, context, turns: Sequence[Sequence[Event]]) -> None:
        self.context, self.turns = context, list(turns)
        self.size, self.content_scale, self.clipboard = SIZE, 1.0, ""
        self.waited: list[float] = []
        self.swaps = 0
        self.titles: list[str] = []
        self._fbo = context.own(context.mgl.simple_framebuffer(SIZE))

    @property
    def closing(self) -> bool:
        return not self.turns

    def wait(self, seconds: float) -> list[Event]:
        self.waited.append(seconds)
        return list(self.turns.pop(0))

    def framebuffer(self):
        return self._fbo

    def swap(self) -> None:
        self.swaps += 1

    def set_title(self, title: str) -> None:
        self.titles.append(title)

    def release(self) -> None:
        self.context.release(self._fbo)

    close = release


class StillPanels:
    """Panels at the right that take nothing in and change nothing."""

    def covered(self, *_: object) -> float:
        return 60.0

    def concerns(self, event: Event) -> bool:
        return False

    def feed(self, event: Event) -> bool:
        return False

    def draw(self, *_: object) -> bool:
        return False

    def release(self) -> None:
        pass


@pytest.fixture
def play(context, map_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run a viewer through turns of events; returns the window and the viewer."""
    monkeypatch.setattr(module, "make_overlay", lambda scale: None)
    opened = []

    def run(*turns: Sequence[Event], source=None) -> tuple[ScriptedWindow, Viewer]:
        window = ScriptedWindow(context, turns)
        opener = source or (lambda path: open_source(context, path, SequenceOptions()))
        viewer = Viewer(window, opener, map_file, folder=tmp_path)
        opened.append((window, viewer))
        viewer.run()
        return window, viewer

    before = context.live_objects
    yield run
    for window, viewer in opened:
        viewer.close()
        window.release()
    assert context.live_objects == before


def key(name: str, *, control: bool = False) -> list[Event]:
    return [KeyEvent(name, True, control), KeyEvent(name, False, control)]


def test_it_waits_where_nothing_happens_and_draws_where_something_does(play) -> None:
    window, _ = play([], [], [], [MoveEvent(5, 5)], [], [ScrollEvent(1)], [])
    assert window.swaps == 3, "what is opened, the first picture, and that after the wheel"
    assert window.waited == [0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]


def test_a_file_that_is_dropped_is_opened(play, hills: HeightMap, tmp_path: Path) -> None:
    other = tmp_path / "other.npz"
    replace(hills, heights=hills.heights + 5).save(other)
    window, viewer = play(key("3"), [DropEvent((other,))], [])
    assert window.titles == ["hills.npz · depth · glrender", "other.npz · surface · glrender"]
    assert viewer.session.state.rig.target[2] == pytest.approx(5, abs=1)


def test_what_cannot_be_opened_is_told_and_the_rest_stays(play, tmp_path: Path) -> None:
    (tmp_path / "broken.npz").write_bytes(b"nothing")
    window, viewer = play([], [DropEvent((tmp_path / "broken.npz",))], [])
    assert window.titles == ["hills.npz · surface · glrender"]
    assert "broken.npz" in viewer.session.message
    assert window.swaps == 4, "twice what is opened, and a picture: it is told at once"


def test_while_something_is_opened_the_window_says_so(context, hills: HeightMap, monkeypatch) -> None:
    monkeypatch.setattr(module, "make_overlay", lambda scale: None)
    window, shown = ScriptedWindow(context, [[]]), []

    def slowly(path: Path) -> Counting:
        pixels = np.frombuffer(window.framebuffer().read(components=3), np.uint8).reshape(*SIZE[::-1], 3)[::-1]
        shown.append((window.swaps, (pixels[:40].min(axis=-1) > 150).mean()))
        return Counting(hills)

    viewer = Viewer(window, slowly, Path("drive"))
    assert shown == [(1, pytest.approx(0.05, abs=0.04))], "written above"
    viewer.close()
    window.release()


def test_a_view_that_is_dropped_is_taken_over(play, tmp_path: Path) -> None:
    view = ViewState(Rig((0.1, 0.0, 0.0), 1.5), layer="depth")
    (tmp_path / "view.json").write_text(view.to_json(), encoding="utf-8")
    window, viewer = play([], [DropEvent((tmp_path / "view.json",))], [])
    assert viewer.session.state == view
    assert viewer.session.message == "the view of view.json"
    assert window.titles[-1] == "hills.npz · depth · glrender"
    (tmp_path / "wrong.json").write_text(view.to_json().replace("1.5", "-1.5"), encoding="utf-8")
    _, viewer = play([], [DropEvent((tmp_path / "wrong.json",))], [])
    assert "wrong.json: view: rig: distance: received -1.5" in viewer.session.message
    assert viewer.session.state == viewer.session.home


def test_what_is_opened_next_says_nothing_of_what_could_not_be(play, hills: HeightMap, tmp_path: Path) -> None:
    (tmp_path / "broken.npz").write_bytes(b"nothing")
    hills.save(tmp_path / "whole.npz")
    window, viewer = play([], [DropEvent((tmp_path / "broken.npz",))], [DropEvent((tmp_path / "whole.npz",))], [])
    assert window.titles[-1] == "whole.npz · surface · glrender"
    assert viewer.session.message == ""


def test_what_panels_change_by_themselves_is_drawn_at_once(play, monkeypatch: pytest.MonkeyPatch) -> None:
    class Panels(StillPanels):
        changed = False

        def concerns(self, event: Event) -> bool:
            return True

        def feed(self, event: Event) -> bool:
            self.changed = True
            return True

        def draw(self, *_: object) -> bool:
            changed, self.changed = self.changed, False
            return changed

    painted = []
    paint = Viewer._paint
    monkeypatch.setattr(module, "make_overlay", lambda scale: Panels())
    monkeypatch.setattr(Viewer, "_paint", lambda self, **options: (painted.append(1), paint(self, **options)))
    play([], [KeyEvent("Enter", True, False)], [])
    assert len(painted) == 2, "the first picture, and the one with what a slider has been told"


def test_an_interruption_waits_for_the_import_of_the_panels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ImGui's own import ends the process where Ctrl-C comes in between."""
    (tmp_path / "imgui_bundle.py").write_text(
        "import signal\nsignal.raise_signal(signal.SIGINT)\nimgui = 'imported to its end'\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "imgui_bundle", raising=False)
    try:
        with pytest.raises(KeyboardInterrupt):
            make_overlay(1.0)
        assert sys.modules["imgui_bundle"].imgui == "imported to its end"
    finally:
        sys.modules.pop("imgui_bundle", None)


def test_without_the_panels_the_keys_do_it(
    context, map_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "imgui_bundle", None)  # what is not installed raises ImportError too
    window = ScriptedWindow(context, [[], key("9"), key("Q"), []])
    monkeypatch.setattr(window_module, "Window", lambda title, size: window)
    assert main(["view", str(map_file)]) == 0
    assert window.titles == ["hills.npz · surface · glrender", "hills.npz · σ · glrender"]
    assert window.turns == [[]], "Q leaves"
    assert capsys.readouterr().err == f"glrender: {INSTALL}\n"


def test_copy_and_paste(play) -> None:
    window, viewer = play(key("9"), key("C", control=True), key("R") + key("3"), key("V", control=True), [])
    assert viewer.session.state.layer == "σ"
    assert '"glrender_view"' in window.clipboard


def test_what_comes_at_once_is_done_one_after_the_other(play, tmp_path: Path) -> None:
    """While a picture takes long, much may have happened."""
    window, _ = play(key("9") + key("P") + key("C", control=True) + key("R") + key("3") + key("P"), [])
    assert '"layer": "\\u03c3"' in window.clipboard
    assert window.titles[-1] == "hills.npz · depth · glrender"
    first, second = (cv2.imread(str(tmp_path / f"glrender-{k}.png")) for k in (1, 2))
    assert (first != second).any()


def test_pictures_and_depth_are_saved_beside_earlier_ones(play, tmp_path: Path) -> None:
    play(key("P"), key("3") + key("P"), key("D"), [])
    first, second = (cv2.imread(str(tmp_path / f"glrender-{k}.png")) for k in (1, 2))
    assert first.shape == (*SIZE[::-1], 3)
    assert (first != second).any(), "what was pressed just before belongs into the picture"
    assert (tmp_path / "glrender-depth-1.npz").is_file()


def test_a_picture_is_as_though_there_were_no_panels(play, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    play(key("P"), [])
    monkeypatch.setattr(module, "make_overlay", lambda scale: StillPanels())
    _, viewer = play(key("P"), [])
    alone, saved = (cv2.imread(str(tmp_path / f"glrender-{k}.png")) for k in (1, 2))
    np.testing.assert_array_equal(saved, alone)
    assert (viewer.painter.screen.read()[..., ::-1] != alone).any(), "the window goes on to have them"


def test_a_folder_that_cannot_be_written_is_told(play, tmp_path: Path) -> None:
    window, viewer = play([], [])
    viewer.folder = tmp_path / "nowhere"
    window.turns = [key("P"), []]
    viewer.run()
    assert "cannot be written" in viewer.session.message


class Counting:
    """A source of five steps."""

    def __init__(self, surface: HeightMap) -> None:
        self.surface, self.count = surface, 0

    @property
    def scene(self) -> Scene:
        return Scene("counting", self.surface, lines=(str(self.count),))

    @property
    def finished(self) -> bool:
        return self.count == 5

    def step(self) -> None:
        self.count += 1

    def release(self) -> None:
        """Nothing to."""


def test_a_sequence_goes_on_by_itself_until_it_is_paused(play, hills: HeightMap) -> None:
    source = Counting(hills)
    window, _ = play([], [], key("Space"), [], [], source=lambda path: source)
    assert source.count == 2
    assert window.waited[-1] == 0.5
    window, _ = play(key("Space"), key("."), [], key("."), source=lambda path: source)
    assert source.count == 4
    window, _ = play([], [], [], [], source=lambda path: source)
    assert source.count == 5
    assert window.waited[-1] == 0.5, "and then there is nothing to do"


def test_flying_takes_no_notice_of_how_long_it_had_stood_still_or_a_picture_took(
    play, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = count(step=100.0)
    monkeypatch.setattr(module, "perf_counter", lambda: next(clock))
    press = ButtonEvent(Button.RIGHT, True, 50, 50, False, False)
    _, viewer = play([], [press], [KeyEvent("W", True, False)], [])
    home, now = viewer.session.home.rig, viewer.session.state.rig
    moved = np.linalg.norm(np.array(now.target) - home.target)
    assert 0 < moved < 0.2 * home.distance


def test_a_film_of_a_map_turns_it_once_around(context, map_file: Path, tmp_path: Path, monkeypatch) -> None:
    av = pytest.importorskip("av", reason="an extra that is not installed here")
    monkeypatch.setattr(module, "make_overlay", lambda scale: None)
    monkeypatch.setattr(module, "_TURN", 5)
    window = ScriptedWindow(context, [[]] * 7)
    viewer = Viewer(window, lambda path: open_source(context, path, SequenceOptions()), map_file)
    start = viewer.session.state.rig
    assert viewer.play(Script(record=tmp_path / "film.mp4")).frames == 5
    assert viewer.session.state.rig.T_world_camera == pytest.approx(start.T_world_camera)
    assert viewer.play(Script(screenshot=tmp_path / "last.png")).frames == 1
    viewer.close()
    window.release()
    with av.open(str(tmp_path / "film.mp4")) as container:
        pictures = [frame.to_ndarray(format="rgb24").astype(int) for frame in container.decode(video=0)]
    assert len(pictures) == 5
    assert all((np.abs(a - b) > 20).any(axis=-1).mean() > 0.02 for a, b in pairwise(pictures)), "each from elsewhere"


def test_a_film_of_odd_pictures(tmp_path: Path) -> None:
    av = pytest.importorskip("av", reason="an extra that is not installed here")
    film = Film(tmp_path / "film.mp4", (101, 67))
    film.add(np.full((67, 101, 3), 200, np.uint8))
    film.add(np.full((80, 120, 3), 50, np.uint8))
    film.close()
    with av.open(str(tmp_path / "film.mp4")) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert [picture.shape for picture in pictures] == [(66, 100, 3)] * 2
    assert [round(float(picture.mean()) / 10) for picture in pictures] == [20, 5]


def test_where_no_film_can_be_written(tmp_path: Path) -> None:
    pytest.importorskip("av", reason="an extra that is not installed here")
    for path in (tmp_path / "nowhere" / "film.mp4", tmp_path / "film.odd"):
        with pytest.raises(InputError, match="no film can be written there"):
            Film(path, (64, 64))


def test_names_that_are_taken_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a-1.png").touch()
    assert free_path(tmp_path, "a", ".png") == tmp_path / "a-2.png"
