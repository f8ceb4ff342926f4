"""The viewer's window: events in, pictures out, and nothing drawn while nothing changes."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

from glrender.errors import GlrenderError
from glrender.viewer.controls import Command
from glrender.viewer.hud import Hud, draw_hud
from glrender.viewer.overlay import INSTALL, make_overlay
from glrender.viewer.painter import Painter, shown_layer
from glrender.viewer.recording import Film, free_path, write_depth, write_picture
from glrender.viewer.session import Session
from glrender.viewer.sources import Source
from glrender.viewer.state import ViewState, holds_view
from glrender.viewer.window import (
    ButtonEvent,
    CharEvent,
    DropEvent,
    Event,
    KeyEvent,
    MoveEvent,
    ScrollEvent,
    Window,
)

_SETTLING = 3
"""How many pictures panels need to come to rest after an event, or once they show something else."""

_TELLING = 400.0
"""Width of a window, in units of the content scale, in which how long pictures take can be told on one line."""

_TURN = 180
"""Pictures of a film that turns a map once around: six seconds."""

_IDLE = 0.5
"""Seconds that an idle viewer waits for an event before it looks around."""

_LONGEST = 0.25
"""The most seconds of flight between two pictures: one that took long does not carry the view far away."""

Opener = Callable[[Path], Source]


@dataclass(frozen=True)
class Script:
    """What is done without a person."""

    frames: int | None = None
    """How many pictures are shown. None: one a frame of a sequence; of a map one, or in a film a turn around it."""
    screenshot: Path | None = None
    """PNG of the last picture."""
    record: Path | None = None
    """Film of all of them."""


@dataclass(frozen=True)
class Played:
    """What a script did."""

    frames: int
    """Pictures that were shown."""
    seconds: float
    """How long all of them took but the first, which compiles and uploads."""

    @property
    def rate(self) -> float:
        """Frames a second."""
        return (self.frames - 1) / self.seconds if self.frames > 1 else 0.0


class Viewer:
    """A window on a source."""

    def __init__(
        self, window: Window, open_path: Opener, path: Path, state: ViewState | None = None, folder: Path = Path()
    ) -> None:
        """`open_path` opens what is given or dropped; pictures are saved in `folder`."""
        self.window, self.folder = window, folder
        self._open_path = open_path
        self.painter = Painter(window.context, window.size, window.content_scale)
        self._source = self._open(path)
        self.session = Session(self._source, self.painter, state)
        self.overlay = make_overlay(window.content_scale)
        self._frame_times: deque[float] = deque(maxlen=30)
        self._title = ""
        self._quit = False
        self._stale = True  # something has changed since the last picture
        self._settling = 0  # pictures until the panels have caught up with the last event
        self._presented = perf_counter()

    def run(self) -> None:
        """Do what is asked for, and show what comes of it, until the window is closed."""
        last = perf_counter()
        while not (self._quit or self.window.closing):
            running = self.session.running
            events = self.window.wait(0.0 if running or self._stale or self._settling else _IDLE)
            now = perf_counter()
            changed = running | self._grant_wishes()  # those of the panels
            self._stale |= changed
            for event in events:
                changed = self._take(event)  # which may present panels that have changed something by themselves
                self._stale |= changed
            self.session.advance(min(now - last, _LONGEST) if running else 0.0)
            last = now
            if self.overlay is not None:
                self._settling = _SETTLING if events or self._stale else max(0, self._settling - 1)
            if self._stale:
                self._stale = False
                if not running:
                    self._frame_times.clear()
                self._paint()
                self._present()
            elif self._settling:
                self._present()

    def play(self, script: Script) -> Played:
        """Play a script: turn a map once around, or fuse a sequence, and write the files that the script asks for."""
        session, source = self.session, self._source
        start = session.state.rig.azimuth
        of_map = 1 if script.record is None else _TURN
        frames = script.frames or (of_map if source.finished else None)
        film = None if script.record is None else Film(script.record, self.window.size)
        done, began = 0, 0.0
        still = source.finished
        session.panels = False
        try:
            while not self.window.closing and (done < frames if frames else not source.finished):
                self.window.wait(0.0)
                if still:
                    rig = replace(session.state.rig, azimuth=start + 360.0 * (done + 1) / (frames or 1))
                    session.state = replace(session.state, rig=rig.orbit(0, 0))
                elif source.finished:
                    break
                else:
                    session.step()
                self._paint()
                self._present()
                if film is not None:
                    film.add(self.painter.screen.read())
                done += 1
                if done == 1:
                    began = perf_counter()
        finally:
            if film is not None:
                film.close()
        seconds = perf_counter() - began
        if script.screenshot is not None:
            write_picture(script.screenshot, self.painter.screen.read())
        return Played(done, seconds)

    def close(self) -> None:
        """Stop the source and release everything but the window."""
        self._source.release()
        if self.overlay is not None:
            self.overlay.release()
        self.painter.release()

    def _take(self, event: Event) -> bool:
        """Do all that an event asks for; whether the picture changes.

        It is done before the next event is looked at. While a picture takes long many events come at once, and a view
        that is copied must not be the one that is reset by the next key.
        """
        if self.overlay is None:
            return self._handle(event) | self._grant_wishes()
        # Panels take in one change of a button or a key a picture, and only what came before it.
        alone = self.overlay.concerns(event)
        if alone:
            self._present()
        taken = self.overlay.feed(event)
        if alone:
            self._present()
        return (not taken and self._handle(event)) | self._grant_wishes()

    def _handle(self, event: Event) -> bool:
        """Do what an event asks of the session; whether the picture changes."""
        session = self.session
        match event:
            case KeyEvent(key, True, control, repeated):
                session.press_key(key, control=control, repeated=repeated)
            case KeyEvent(key, False):
                session.release_key(key)
                return False
            case ButtonEvent(button, True, x, y, shift, control):
                session.press_button(button, x, y, shift=shift, control=control)
            case ButtonEvent(button, False):
                session.release_button(button)
            case MoveEvent(x, y):
                return session.move_mouse(x, y)
            case ScrollEvent(steps):
                session.scroll(steps)
            case CharEvent():
                return False
            case DropEvent(paths):
                session.wishes += paths[:1]
        return True

    def _grant_wishes(self) -> bool:
        """Do what the session leaves to the window; whether there was anything."""
        session = self.session
        wishes, session.wishes = session.wishes, []
        for wish in wishes:
            try:
                self._grant(wish)
            except GlrenderError as error:  # told in the window, which stays open
                session.message = str(error)
        return bool(wishes)

    def _open(self, path: Path) -> Source:
        """Open a source, and say so in the window meanwhile: a sequence takes seconds."""
        said = Hud(f"opening {path.name}", ("the first time on a machine, loops are compiled: half a minute",), "")
        self.painter.screen.clear()
        self.painter.screen.put_notes(draw_hud(said, self.painter.size, self.painter.content_scale))
        self.painter.screen.show(self.window.framebuffer())
        self.window.swap()
        return self._open_path(path)

    def _grant(self, wish: Command | Path) -> None:
        session = self.session
        if isinstance(wish, Path) and holds_view(wish):
            session.take(ViewState.read(wish), wish.name)
        elif isinstance(wish, Path):
            opened = self._open(wish)
            self._source.release()
            self._source = opened
            session.open(opened)
        elif wish is Command.QUIT:
            self._quit = True
        elif wish is Command.PANELS and self.overlay is None:
            session.message = INSTALL
        elif wish is Command.PANELS:
            session.panels = not session.panels
        elif wish is Command.FULLSCREEN:
            self.window.toggle_fullscreen()
        elif wish is Command.COPY:
            self.window.clipboard = session.state.to_json()
            session.message = "the view is in the clipboard"
        elif wish is Command.PASTE:
            session.paste(self.window.clipboard)
        elif wish is Command.SCREENSHOT:
            self._paint(alone=True)  # what was pressed just before belongs into the picture, and panels do not
            picture = self.painter.screen.read()
            self._paint()  # what is clicked next is where it is shown
            path = free_path(self.folder, "glrender", ".png")
            write_picture(path, picture)
            session.message = f"saved {path}"
        elif wish is Command.SAVE_DEPTH:
            self._paint()  # as above
            path = free_path(self.folder, "glrender-depth", ".npz")
            write_depth(path, self.painter.buffers(session.source.scene, session.state, session.nudge))
            session.message = f"saved {path}: metres, with the camera and its pose"

    def _paint(self, *, alone: bool = False) -> None:
        """Paint what there is to be seen beside the panels, or `alone`, as though there were none."""
        size = self.window.size
        covered = 0.0 if alone or self.overlay is None else self.overlay.covered(self.session, size)
        self.painter.resize(size, self.window.content_scale, covered)
        self.session.paint(self._status())
        scene = self.session.source.scene
        title = f"{scene.name} · {shown_layer(scene, self.session.state).name} · glrender"
        if title != self._title:
            self.window.set_title(title)
            self._title = title

    def _present(self) -> None:
        """Show what was painted last, and the panels over it."""
        window = self.window.framebuffer()
        self.painter.screen.show(window)
        now = perf_counter()
        if self.overlay is not None:
            window.use()
            # What a panel changed is painted next.
            self._stale |= self.overlay.draw(self.session, self.painter.size, now - self._presented)
        self._presented = now
        self.window.swap()
        self._frame_times.append(now)

    def _status(self) -> str:
        if self.painter.size[0] < _TELLING * self.painter.content_scale:
            return "H: help"
        times = self._frame_times
        parts = []
        if len(times) > 1:
            parts.append(f"{(len(times) - 1) / (times[-1] - times[0]):.0f} frames a second")
        parts += [f"{stage} {ms:.1f} ms" for stage, ms in self.painter.watch.milliseconds.items()]
        return " · ".join([*parts, "H: help"])
