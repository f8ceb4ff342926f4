"""A file manager's side of a drop: the XDND protocol, version 5, as far as one file needs it.

J. Lindal and others, *Drag-and-Drop Protocol for the X Window System*.
"""

import time
from pathlib import Path

from Xlib import X
from Xlib.display import Display
from Xlib.protocol import event

VERSION = 5


def drop_file(display: str, window: int, path: Path, seconds: float = 60.0) -> bool:
    """Drag a file from a window of our own onto the middle of another and let it go; whether that took it."""
    connection = Display(display)
    try:
        return _Source(connection, window, path).drop(time.monotonic() + seconds)
    finally:
        connection.close()


class _Source:
    def __init__(self, connection: Display, window: int, path: Path) -> None:
        self._connection, self._content = connection, f"{path.as_uri()}\r\n".encode("ascii")
        self._target = connection.create_resource_object("window", window)
        root = connection.screen().root
        self._own = root.create_window(0, 0, 1, 1, 0, X.CopyFromParent)
        size = self._target.get_geometry()
        at = root.translate_coords(self._target, 0, 0)
        # What it says is where the target's origin is, seen from the root, with the opposite sign.
        self._place = (size.width // 2 - at.x) << 16 | (size.height // 2 - at.y)
        self._format = self._atom("text/uri-list")

    def drop(self, deadline: float) -> bool:
        """Enter, hover, let go, hand over what is asked for, and hear whether it was taken."""
        self._own.set_selection_owner(self._atom("XdndSelection"), X.CurrentTime)
        self._tell("XdndEnter", VERSION << 24, self._format, 0, 0)
        self._tell("XdndPosition", 0, self._place, X.CurrentTime, self._atom("XdndActionCopy"))
        while time.monotonic() < deadline:
            if not self._connection.pending_events():
                time.sleep(0.02)
                continue
            said = self._connection.next_event()
            if said.type == X.SelectionRequest:
                self._hand_over(said)
            elif said.type == X.ClientMessage and said.client_type == self._atom("XdndStatus"):
                if not said.data[1][1] & 1:
                    return False
                self._tell("XdndDrop", 0, X.CurrentTime, 0, 0)
            elif said.type == X.ClientMessage and said.client_type == self._atom("XdndFinished"):
                return bool(said.data[1][1])  # its lowest bit by the protocol, but GLFW 3.4 says how many bytes it got
        return False

    def _hand_over(self, request: event.SelectionRequest) -> None:
        assert request.target == self._format
        request.requestor.change_property(request.property, self._format, 8, self._content)
        done = event.SelectionNotify(
            time=request.time,
            requestor=request.requestor,
            selection=request.selection,
            target=request.target,
            property=request.property,
        )
        request.requestor.send_event(done)
        self._connection.flush()

    def _tell(self, message: str, *data: int) -> None:
        contents = 32, (self._own.id, *data)
        said = event.ClientMessage(window=self._target, client_type=self._atom(message), data=contents)
        self._target.send_event(said)
        self._connection.flush()

    def _atom(self, name: str) -> int:
        return int(self._connection.intern_atom(name))
