"""Ctrl-C and SIGTERM as something to wait for beside other things."""

import os
import signal
import threading
from types import FrameType
from typing import Self


class Interruption:
    """Within its block a first Ctrl-C or SIGTERM only makes `fd` readable and `arrived` true; a second one interrupts.

    Signals reach the main thread alone: in any other nothing ever arrives.
    """

    def __init__(self) -> None:
        self.arrived = False
        self.fd, self._wake = os.pipe()
        self._before: dict[signal.Signals, signal._HANDLER] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._arrive)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self.fd)
        os.close(self._wake)

    def _arrive(self, received: int, frame: FrameType | None) -> None:
        self.arrived = True
        os.write(self._wake, b"!")
        for number in self._before:
            signal.signal(number, signal.default_int_handler)
