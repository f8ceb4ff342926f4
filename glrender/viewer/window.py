"""A window of the desktop, by GLFW: its context, and what happens in it as plain events."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import glfw
import moderngl

from glrender.errors import ContextError
from glrender.gl.context import VERSIONS, Context
from glrender.interrupt import interruptible_after
from glrender.viewer.controls import Button

_BUTTONS = {
    glfw.MOUSE_BUTTON_LEFT: Button.LEFT,
    glfw.MOUSE_BUTTON_MIDDLE: Button.MIDDLE,
    glfw.MOUSE_BUTTON_RIGHT: Button.RIGHT,
}
_NAMES = {
    glfw.KEY_ESCAPE: "Escape",
    glfw.KEY_SPACE: "Space",
    glfw.KEY_TAB: "Tab",
    glfw.KEY_ENTER: "Enter",
    glfw.KEY_BACKSPACE: "Backspace",
    glfw.KEY_PERIOD: ".",
    glfw.KEY_LEFT_BRACKET: "[",
    glfw.KEY_RIGHT_BRACKET: "]",
    glfw.KEY_MINUS: "-",
    glfw.KEY_EQUAL: "=",
} | {glfw.KEY_KP_0 + digit: str(digit) for digit in range(10)}


@dataclass(frozen=True)
class KeyEvent:
    """A key went down or up."""

    key: str
    """Its name, as in `glrender.viewer.controls`."""
    down: bool
    """Whether it went down, not up."""
    control: bool
    """Whether Ctrl is held."""
    repeated: bool = False
    """Whether it has been down for a while, and this says no more than that it still is."""


@dataclass(frozen=True)
class CharEvent:
    """Text was typed."""

    code: int
    """The Unicode code point of a letter."""


@dataclass(frozen=True)
class ButtonEvent:
    """A mouse button went down or up, at a pixel of the window's framebuffer."""

    button: Button
    down: bool
    """Whether it went down, not up."""
    x: float
    """Column, from the left."""
    y: float
    """Row, from the top."""
    shift: bool
    """Whether Shift is held."""
    control: bool
    """Whether Ctrl is held."""


@dataclass(frozen=True)
class MoveEvent:
    """The mouse moved to a pixel of the framebuffer."""

    x: float
    y: float


@dataclass(frozen=True)
class ScrollEvent:
    """The wheel turned by so many steps; away from the user is more than 0."""

    steps: float


@dataclass(frozen=True)
class DropEvent:
    """Files were dropped."""

    paths: tuple[Path, ...]


@dataclass(frozen=True)
class RefreshEvent:
    """The window's content was damaged or its size changed: it has to be drawn again."""


Event = KeyEvent | CharEvent | ButtonEvent | MoveEvent | ScrollEvent | DropEvent | RefreshEvent


class Window:
    """An open window whose OpenGL context is current in the thread that made it.

    Raises ContextError where no window can be opened.
    """

    def __init__(self, title: str, size: tuple[int, int]) -> None:
        self.events: list[Event] = []
        """What has happened since the last call of `wait`."""
        self._windowed = (0, 0, *size)
        self._mouse: tuple[float, float] | None = None
        problems: list[str] = []
        glfw.ERROR_REPORTING = "ignore"  # the callback below hears of everything
        glfw.set_error_callback(lambda code, text: problems.append(_text(text)))
        if not glfw.init():
            raise ContextError(_no_window(problems))
        for hint, value in (
            (glfw.OPENGL_PROFILE, glfw.OPENGL_CORE_PROFILE),
            (glfw.OPENGL_FORWARD_COMPAT, True),
            (glfw.SCALE_TO_MONITOR, True),
        ):
            glfw.window_hint(hint, value)
        for version in VERSIONS:
            glfw.window_hint(glfw.CONTEXT_VERSION_MAJOR, version // 100)
            glfw.window_hint(glfw.CONTEXT_VERSION_MINOR, version // 10 % 10)
            if window := glfw.create_window(*size, title, None, None):
                break
        else:
            glfw.terminate()
            raise ContextError(_no_window(problems))
        self._window = window
        glfw.make_context_current(self._window)
        glfw.swap_interval(1)
        self.context = Context.from_current()
        self._screen: moderngl.Framebuffer | None = None
        self._listen()

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the framebuffer in pixels; at least 1 x 1, also where it is minimised."""
        width, height = glfw.get_framebuffer_size(self._window)
        return max(1, width), max(1, height)

    @property
    def content_scale(self) -> float:
        """Pixels of the framebuffer per unit of text: 1 on ordinary displays."""
        return float(glfw.get_window_content_scale(self._window)[0])

    @property
    def closing(self) -> bool:
        """Whether the user has closed it."""
        return bool(glfw.window_should_close(self._window))

    def set_title(self, title: str) -> None:
        """What the title bar says."""
        glfw.set_window_title(self._window, title)

    def framebuffer(self) -> moderngl.Framebuffer:
        """What the window shows after the next `swap`, with its size as it is now."""
        mgl = self.context.mgl
        if self._screen is None:
            self._screen = mgl.detect_framebuffer(0)
        if (self._screen.width, self._screen.height) != self.size:
            self._screen.use()
            mgl.viewport = (0, 0, *self.size)
            self._screen = mgl.detect_framebuffer(0)
        return self._screen

    def swap(self) -> None:
        """Show what was drawn."""
        glfw.swap_buffers(self._window)

    def wait(self, seconds: float) -> list[Event]:
        """What has happened since the last call; waits for something to happen, at most `seconds`."""
        with interruptible_after():  # raised in a listener, which GLFW calls, it would be lost
            if seconds > 0:
                glfw.wait_events_timeout(seconds)
            else:
                glfw.poll_events()
        events, self.events = self.events, []
        return events

    def toggle_fullscreen(self) -> None:
        """Fill the monitor, or go back to a window of the size it had."""
        window = self._window
        no_monitor: Any = None
        if glfw.get_window_monitor(window):
            glfw.set_window_monitor(window, no_monitor, *self._windowed, glfw.DONT_CARE)
        else:
            self._windowed = (*glfw.get_window_pos(window), *glfw.get_window_size(window))
            monitor = glfw.get_primary_monitor()
            mode = glfw.get_video_mode(monitor)
            glfw.set_window_monitor(window, monitor, 0, 0, mode.size.width, mode.size.height, mode.refresh_rate)

    @property
    def clipboard(self) -> str:
        """Text of the clipboard; empty where it holds none."""
        return _text(glfw.get_clipboard_string(self._window) or "")

    @clipboard.setter
    def clipboard(self, text: str) -> None:
        glfw.set_clipboard_string(self._window, text)

    def close(self) -> None:
        """Release the context's objects and close the window."""
        self.context.close()
        glfw.terminate()

    def _listen(self) -> None:
        listeners: dict[Callable[..., Any], Callable[..., None]] = {
            glfw.set_key_callback: self._on_key,
            glfw.set_char_callback: lambda _, code: self.events.append(CharEvent(code)),
            glfw.set_mouse_button_callback: self._on_button,
            glfw.set_cursor_pos_callback: self._on_move,
            glfw.set_scroll_callback: lambda _, right, up: self.events.append(ScrollEvent(up)),
            glfw.set_window_refresh_callback: lambda _: self.events.append(RefreshEvent()),
            glfw.set_framebuffer_size_callback: lambda *_: self.events.append(RefreshEvent()),
            glfw.set_drop_callback: lambda _, paths: self.events.append(DropEvent(tuple(map(Path, paths)))),
        }
        for listen, listener in listeners.items():
            listen(self._window, listener)

    def _on_key(self, _: Any, key: int, scancode: int, action: int, modifiers: int) -> None:
        name = _NAMES.get(key) or (chr(key) if glfw.KEY_SPACE < key <= glfw.KEY_Z else None)
        if name is not None:
            control = bool(modifiers & glfw.MOD_CONTROL)
            self.events.append(KeyEvent(name, action != glfw.RELEASE, control, action == glfw.REPEAT))

    def _on_move(self, _: Any, x: float, y: float) -> None:
        self._mouse = self._pixel(x, y)
        self.events.append(MoveEvent(*self._mouse))

    def _on_button(self, window: Any, button: int, action: int, modifiers: int) -> None:
        if button in _BUTTONS:
            # Where the mouse was then. GLFW is asked only before the first move: it tells where the mouse is now, and a
            # picture that took long has left a whole drag in the queue.
            x, y = self._mouse or self._pixel(*glfw.get_cursor_pos(window))
            shift, control = bool(modifiers & glfw.MOD_SHIFT), bool(modifiers & glfw.MOD_CONTROL)
            self.events.append(ButtonEvent(_BUTTONS[button], action == glfw.PRESS, x, y, shift, control))

    def _pixel(self, x: float, y: float) -> tuple[float, float]:
        """The pixel of the framebuffer at a place in the window, whose units may be larger than pixels."""
        width, height = glfw.get_window_size(self._window)
        columns, rows = self.size
        return x * columns / max(1, width), y * rows / max(1, height)


def _text(received: str | bytes) -> str:
    """GLFW gives bytes, or text, by its version."""
    return received if isinstance(received, str) else received.decode(errors="replace")


def _no_window(problems: list[str]) -> str:
    display = next(
        (f"{name}={os.environ[name]}" for name in ("WAYLAND_DISPLAY", "DISPLAY") if os.environ.get(name)), None
    )
    reason = problems[-1] if problems else "GLFW says no more"
    where = f"on {display}" if display else "no display: neither DISPLAY nor WAYLAND_DISPLAY is set"
    return (
        f"the viewer cannot open a window ({where}; {reason}); without a display, render pictures by `glrender batch`, "
        "or give the viewer a virtual one: `xvfb-run -a glrender view …`"
    )
