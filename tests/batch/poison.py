"""An output that a worker does not survive."""

import os
import signal
from dataclasses import dataclass

from glrender.batch.rendered_view import RenderedView


@dataclass(frozen=True)
class Poison:
    """Kills its process where it is given `view`; writes a few bytes for any other."""

    view: int
    name: str = "poison"
    suffix: str = ".txt"
    buffers: tuple[str, ...] = ("depth",)

    def encode(self, view: RenderedView) -> bytes:
        if view.index == self.view:
            os.kill(os.getpid(), signal.SIGKILL)
        return b"fine"
