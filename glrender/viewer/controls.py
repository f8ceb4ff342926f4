"""Keys and mouse: what they ask for. Nothing here knows a window, so that all of it is tested without one."""

from dataclasses import dataclass
from enum import Enum, auto

CLICK = 4.0
"""Pixels that the mouse may move between press and release of what is still a click."""


class Command(Enum):
    """What a key asks for."""

    HELP = auto()
    QUIT = auto()
    RESET = auto()
    SCREENSHOT = auto()
    SAVE_DEPTH = auto()
    WIREFRAME = auto()
    NORMALS = auto()
    LIGHT = auto()
    TRAJECTORY = auto()
    NEXT_OBJECT = auto()
    PAUSE = auto()
    STEP = auto()
    COLORMAP = auto()
    LOGARITHM = auto()
    NARROWER = auto()
    WIDER = auto()
    LOWER = auto()
    HIGHER = auto()
    FULLSCREEN = auto()
    PANELS = auto()
    COPY = auto()
    PASTE = auto()


@dataclass(frozen=True)
class Binding:
    """A key and what it does."""

    key: str
    """Upper case as on the keyboard; "Ctrl+" in front where it is held."""
    does: str
    """What it does in words, for the help."""
    command: Command


BINDINGS = (
    Binding("H", "this help", Command.HELP),
    Binding("Escape", "leave", Command.QUIT),
    Binding("Q", "leave", Command.QUIT),
    Binding("R", "reset the view", Command.RESET),
    Binding("P", "save a picture of the window", Command.SCREENSHOT),
    Binding("D", "save the depth", Command.SAVE_DEPTH),
    Binding("W", "wireframe", Command.WIREFRAME),
    Binding("N", "normals", Command.NORMALS),
    Binding("L", "light", Command.LIGHT),
    Binding("T", "trajectory and camera", Command.TRAJECTORY),
    Binding("O", "next object of a scene", Command.NEXT_OBJECT),
    Binding("C", "next colour map", Command.COLORMAP),
    Binding("G", "logarithmic colours", Command.LOGARITHM),
    Binding("[", "narrower field of view", Command.NARROWER),
    Binding("]", "wider field of view", Command.WIDER),
    Binding("-", "flatter", Command.LOWER),
    Binding("=", "more exaggerated heights", Command.HIGHER),
    Binding("Space", "pause, or go on", Command.PAUSE),
    Binding(".", "one frame on", Command.STEP),
    Binding("F", "full screen", Command.FULLSCREEN),
    Binding("Tab", "panels", Command.PANELS),
    Binding("Ctrl+C", "copy the view as JSON", Command.COPY),
    Binding("Ctrl+V", "paste a view", Command.PASTE),
)

MOUSE_HELP = (
    ("left-drag", "orbit"),
    ("middle- or Shift-drag", "pan"),
    ("wheel", "zoom"),
    ("right-drag", "look around; W A S D Q E fly meanwhile"),
    ("click", "what is at this pixel, and its three vertices"),
    ("Ctrl-click", "a vertex, and what it changes in the image"),
    ("Ctrl-drag", "moves it: its true change, and the predicted one"),
    ("drop a file or a folder", "opens it, or takes its view"),
)

STEPWISE = {Command.NARROWER, Command.WIDER, Command.LOWER, Command.HIGHER, Command.STEP}
"""What goes on while its key is held; anything else is done once."""

_COMMANDS = {binding.key: binding.command for binding in BINDINGS}

FLIGHT = {"D": (1, 0, 0), "A": (-1, 0, 0), "E": (0, 1, 0), "Q": (0, -1, 0), "W": (0, 0, 1), "S": (0, 0, -1)}
"""Directions of flight by key: right, up, forward."""

DIGITS = "1234567890"
"""Keys that choose what is shown."""


def command_of(key: str, *, control: bool, flying: bool) -> Command | None:
    """What a key asks for; while the right button is held, the letters of `FLIGHT` fly instead."""
    if flying and key in FLIGHT:
        return None
    return _COMMANDS.get(f"Ctrl+{key}" if control else key)


def flight(held: set[str]) -> tuple[float, float, float]:
    """Right, up and forward of the keys that are held, each from -1 to 1."""
    right, up, forward = (float(sum(FLIGHT[key][axis] for key in held if key in FLIGHT)) for axis in range(3))
    return right, up, forward


class Button(Enum):
    """A button of the mouse."""

    LEFT = auto()
    MIDDLE = auto()
    RIGHT = auto()


class Drag(Enum):
    """What moving the mouse does while a button is held."""

    ORBIT = auto()
    PAN = auto()
    LOOK = auto()
    MOVE_VERTEX = auto()


@dataclass(frozen=True)
class Moved:
    """The mouse has moved on in a drag."""

    drag: Drag
    right: float
    """Pixels to the right since the last move."""
    down: float
    """Pixels downwards."""


@dataclass(frozen=True)
class Clicked:
    """A button was pressed, and released at the same place."""

    x: float
    """Column of the place, pixels of the window."""
    y: float
    """Row."""


class Mouse:
    """Turns presses, moves and releases into clicks and drags."""

    def __init__(self) -> None:
        self.drag: Drag | None = None
        """What is being done."""
        self._button: Button | None = None
        self._start = self._last = (0.0, 0.0)
        self._moved = False

    def press(self, button: Button, x: float, y: float, *, shift: bool = False, control: bool = False) -> bool:
        """A button goes down; whether it begins a drag that moves the vertex there.

        While one button is held, others do nothing.
        """
        if self._button is not None:
            return False
        self._button, self._moved = button, False
        self._start = self._last = (x, y)
        if button is Button.LEFT and control:
            self.drag = Drag.MOVE_VERTEX
        elif button is Button.RIGHT:
            self.drag = Drag.LOOK
        else:
            self.drag = Drag.PAN if shift or button is Button.MIDDLE else Drag.ORBIT
        return self.drag is Drag.MOVE_VERTEX

    def move(self, x: float, y: float) -> Moved | None:
        """The mouse is at another place; nothing comes of it before it is far enough away to be no click."""
        if self.drag is None:
            return None
        if not self._moved and max(abs(x - self._start[0]), abs(y - self._start[1])) < CLICK:
            return None
        self._moved = True
        moved = Moved(self.drag, x - self._last[0], y - self._last[1])
        self._last = (x, y)
        return moved

    def release(self, button: Button) -> Clicked | None:
        """A button goes up: a click where the left one went down, unless it was a drag."""
        if button is not self._button:
            return None
        click = self.drag is Drag.ORBIT and not self._moved
        self._button = self.drag = None
        return Clicked(*self._start) if click else None
