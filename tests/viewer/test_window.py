"""A real window on a virtual display, driven by real keys and a real mouse.

However busy the machine is: what the viewer does is waited for, and where the order of events tells, it hears of all of
them at once.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
from dragged_file import drop_file

from glrender.geometry.heightmap import HeightMap

SIZE = (640, 400)
MIDDLE = (180, 205)
"""Of the map, in the picture."""
PICTURES = "glrender-[0-9]*.png"


def until(condition, seconds: float = 120.0, what: str = "") -> None:
    """Wait for something to come true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain {what}"
        time.sleep(0.05)


class Hand:
    """Someone at the keyboard and the mouse of a viewer."""

    def __init__(self, display: str, folder: Path, *arguments: object) -> None:
        self.folder = folder
        self.environment = os.environ | {"DISPLAY": display}
        command = [sys.executable, "-m", "glrender", "view", *map(str, arguments), "--size", *map(str, SIZE)]
        self.viewer = subprocess.Popen(
            command,
            cwd=folder,
            env=self.environment | {"PYTHONPATH": str(Path(__file__).parents[2])},
            stderr=subprocess.PIPE,
            text=True,
        )
        until(lambda: self.windows() or self.viewer.poll() is not None, what="for the window")
        assert self.viewer.poll() is None, self.viewer.stderr.read()
        (self.window,) = self.windows()
        until(lambda: " · " in self.title, what="for the first picture")

    def do(self, *words: object) -> str:
        command = ["xdotool", *map(str, words)]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False).stdout.strip()

    def windows(self) -> list[str]:
        return self.do("search", "--onlyvisible", "--pid", self.viewer.pid).split()

    @property
    def title(self) -> str:
        return self.do("getwindowname", self.window)

    def point(self, x: int, y: int) -> None:
        self.do("mousemove", "--window", self.window, x, y)

    def drag(self, button: int, start: tuple[int, int], end: tuple[int, int]) -> None:
        self.point(*start)
        self.do("mousedown", button)
        for part in (0.3, 0.7, 1.0):
            self.point(*(round(a + part * (b - a)) for a, b in zip(start, end, strict=True)))
        self.do("mouseup", button)

    @contextmanager
    def late(self) -> Iterator[None]:
        """The viewer hears of nothing before all is done, as while a picture takes long."""
        self.viewer.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.viewer.send_signal(signal.SIGCONT)

    def saved(self, name: str, *words: object) -> Path:
        """The file that comes of doing something."""
        before = set(self.folder.glob(name))
        with self.late():
            self.do(*words)
        until(lambda: set(self.folder.glob(name)) - before, what=f"for what comes of {words}")
        (path,) = set(self.folder.glob(name)) - before
        return path

    def look(self, *words: object) -> np.ndarray:
        """The picture after doing something, without the lower edge, which says how long things take."""
        return cv2.imread(str(self.saved(PICTURES, *words, "key", "p")))[: SIZE[1] - 22]

    def seconds_worked(self) -> float:
        fields = Path(f"/proc/{self.viewer.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rests(self) -> bool:
        """Whether it does next to nothing for a while."""
        before = self.seconds_worked()
        time.sleep(1.5)
        return self.seconds_worked() - before <= 0.05

    def leave(self) -> str:
        """Q; what was said on stderr."""
        self.do("key", "q")
        said = self.viewer.communicate(timeout=120)[1]
        assert self.viewer.returncode == 0, said
        return said


@pytest.fixture(scope="module")
def hand(display: str, map_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hand]:
    hand = Hand(display, tmp_path_factory.mktemp("window"), map_file)
    yield hand
    if hand.viewer.poll() is None:
        hand.viewer.kill()


def differ(a: np.ndarray, b: np.ndarray) -> float:
    """Of the pixels: how many are others."""
    return float((np.abs(a.astype(int) - b).max(axis=-1) > 8).mean())


def test_digits_choose_what_is_shown(hand: Hand) -> None:
    for key, layer in (("3", "depth"), ("6", "∂depth/∂height"), ("7", "∂red/∂height"), ("1", "surface")):
        hand.do("key", key)
        until(lambda shown=layer: hand.title == f"hills.npz · {shown} · glrender", what=f"for {layer}")


def test_the_mouse_moves_the_view_and_r_resets_it(hand: Hand) -> None:
    hand.do("key", "r")
    home = hand.look()
    for button, keys in ((1, ()), (2, ()), (1, ("shift",)), (3, ())):
        for key in keys:
            hand.do("keydown", key)
        hand.drag(button, MIDDLE, (240, 185))
        for key in keys:
            hand.do("keyup", key)
        assert differ(hand.look(), home) > 0.05, (button, keys)
        hand.do("key", "r")
        assert differ(hand.look(), home) == 0
    hand.point(*MIDDLE)
    hand.do("click", 4)
    assert differ(hand.look(), home) > 0.05, "the wheel zooms"
    hand.do("key", "r")


def test_a_drag_counts_from_where_it_began_however_late_it_is_heard_of(hand: Hand) -> None:
    home = hand.look()
    hand.point(*MIDDLE)
    with hand.late():
        hand.drag(3, MIDDLE, (260, 170))
    assert differ(hand.look(), home) > 0.05
    hand.do("key", "r")


def test_the_right_button_and_letters_fly(hand: Hand) -> None:
    home = hand.look()
    hand.point(*MIDDLE)
    hand.do("mousedown", 3)
    hand.do("keydown", "q")
    until(lambda: differ(hand.look(), home) > 0.05, what="for the view to move")
    # The button is let go first, and the key is held until it repeats: Q does not leave then. (P had stopped it.)
    hand.do("keyup", "q", "keydown", "q", "mouseup", 3, "sleep", "1.2", "keyup", "q", "key", "r")
    assert differ(hand.look(), home) == 0


def test_a_view_is_copied_and_pasted(hand: Hand) -> None:
    hand.drag(1, MIDDLE, (230, 160))
    hand.do("key", "w")
    there = hand.look()
    with hand.late():
        hand.do("key", "ctrl+c", "r", "3")
    until(lambda: "depth" in hand.title, what="for the depth")
    hand.do("key", "ctrl+v")
    until(lambda: "surface" in hand.title, what="for the pasted view")
    assert differ(hand.look(), there) == 0
    hand.do("key", "r")


def test_a_vertex_is_moved_beside_its_prediction(hand: Hand) -> None:
    home = hand.look()
    hand.point(*MIDDLE)
    hand.do("click", 1)
    picked = hand.look()
    assert differ(picked[:100], home[:100]) > 0.05, "the values of the pixel are told"
    hand.do("keydown", "ctrl")
    hand.drag(1, MIDDLE, (180, 180))
    hand.do("keyup", "ctrl")
    assert differ(hand.look()[-120:], picked[-120:]) > 0.2, "panels at the lower edge"
    hand.do("key", "r")
    assert differ(hand.look(), home) == 0


def test_the_panel_lies_over_no_part_of_the_map(hand: Hand) -> None:
    pytest.importorskip("imgui_bundle", reason="an extra that is not installed here")

    def most_right(*words: object) -> int:
        """Column of the map's right end."""
        with np.load(hand.saved("glrender-depth-*.npz", *words, "key", "d")) as saved:
            return int(np.flatnonzero(saved["depth"].any(axis=0))[-1])

    assert 260 < most_right() < SIZE[0] - 278
    assert most_right("key", "Tab") > SIZE[0] - 278, "without it, the map has all of the window"
    hand.do("key", "Tab")
    hand.do("windowsize", hand.window, 400, 300)
    until(lambda: "Geometry: 400x300" in hand.do("getwindowgeometry", hand.window))
    assert most_right() > 250, "and in a window that is too narrow for both: the panel is closed"
    hand.do("windowsize", hand.window, *SIZE)
    until(lambda: f"Geometry: {SIZE[0]}x{SIZE[1]}" in hand.do("getwindowgeometry", hand.window))
    assert 260 < most_right() < SIZE[0] - 278


def test_a_box_in_the_panel_is_ticked(hand: Hand) -> None:
    """Also where the window has changed its size, once and again."""
    pytest.importorskip("imgui_bundle", reason="an extra that is not installed here")
    for width in (SIZE[0], 800, SIZE[0]):
        until(lambda size=f"Geometry: {width}x": size in hand.do("getwindowgeometry", hand.window))
        home = hand.look()
        # The panel is at the right; its first rows are what is shown, the exaggeration and the field of view.
        click = ("mousemove", "--window", hand.window, width - 250, 119, "click", 1)
        share = 0.02 * SIZE[0] / width
        assert differ(hand.look(*click), home) > share, f"wireframe, {width} pixels across"
        assert differ(hand.look("key", "w"), home) == 0, "and nothing else"
        hand.do("key", "f")
    hand.do("key", "f")


def test_a_slider_takes_a_number(hand: Hand) -> None:
    """And the keys are then neither digits that choose a layer nor Q."""
    pytest.importorskip("imgui_bundle", reason="an extra that is not installed here")
    home = hand.look()
    with hand.late():
        hand.point(SIZE[0] - 200, 69)  # the exaggeration
        hand.do("keydown", "ctrl", "click", 1, "keyup", "ctrl")
    for key in ("4", "q", "Return"):
        hand.do("key", key)
    assert differ(hand.look(), home) > 0.1, "four times as high"
    assert hand.title == "hills.npz · surface · glrender"
    hand.do("key", "r")
    assert differ(hand.look(), home) == 0


def test_escape_closes_a_list_and_not_the_window(hand: Hand) -> None:
    pytest.importorskip("imgui_bundle", reason="an extra that is not installed here")
    home = hand.look()
    hand.point(SIZE[0] - 200, 44)  # what is shown
    with hand.late():
        hand.do("click", 1)
    hand.do("key", "Escape")
    assert differ(hand.look(), home) == 0
    assert hand.title == "hills.npz · surface · glrender"


def test_the_depth_is_saved_in_metres_and_comes_back_onto_the_map(hand: Hand) -> None:
    with np.load(hand.saved("glrender-depth-*.npz", "key", "d")) as saved:
        depth, K, T = saved["depth"], saved["K"], saved["T_world_camera"]
    assert (depth.dtype, depth.shape) == (np.float32, SIZE[::-1])
    row, column = MIDDLE[::-1]
    x, y, z = T[:3, :3] @ (depth[row, column] * np.linalg.solve(K, [column, row, 1])) + T[:3, 3]
    assert z == pytest.approx(0.12 * np.sin(4 * x) * np.cos(5 * y) + 0.05 * x, abs=0.01)


def test_full_screen_and_back(hand: Hand) -> None:
    for width, height in ((800, 600), SIZE):
        hand.do("key", "f")
        until(lambda size=f"{width}x{height}": f"Geometry: {size}" in hand.do("getwindowgeometry", hand.window))
        assert cv2.imread(str(hand.saved(PICTURES, "key", "p"))).shape[:2] == (height, width)


def test_ctrl_c_is_heard_while_the_mouse_moves(display: str, map_file: Path, tmp_path: Path) -> None:
    hand = Hand(display, tmp_path, map_file)
    hand.point(10, 10)
    until(hand.rests, what="for the last event to be through")
    with hand.late():
        hand.viewer.send_signal(signal.SIGINT)
        hand.point(*MIDDLE)
    assert hand.viewer.communicate(timeout=120)[1] == "glrender: error: interrupted\n"
    assert hand.viewer.returncode == 1


def test_a_file_is_dropped(hand: Hand, hills: HeightMap, tmp_path: Path) -> None:
    """By another program; its name is not plain ASCII."""
    other = tmp_path / "höhe 2.npz"
    hills.save(other)
    assert drop_file(hand.environment["DISPLAY"], int(hand.window), other)
    until(lambda: hand.title.startswith("höhe 2.npz · surface"), what="for the map that was dropped")


def test_nothing_is_drawn_while_nothing_changes_and_q_leaves(hand: Hand) -> None:
    hand.do("key", "h", "h")
    until(hand.rests, seconds=60, what="for the viewer to rest")
    assert hand.leave() == ""
