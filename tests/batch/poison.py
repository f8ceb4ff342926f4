"""Outputs that a worker does not survive, or that no disk has room for."""

import os
import signal
import sys
from dataclasses import dataclass

from glrender.batch.rendered_view import RenderedView
from glrender.io.files import DiskFullError


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


@dataclass(frozen=True)
class NoRoom(Poison):
    """Finds the disk full instead."""

    def encode(self, view: RenderedView) -> bytes:
        if view.index == self.view:
            raise DiskFullError("no room is left")
        return b"fine"


@dataclass(frozen=True)
class Loaded(Poison):
    """Says which of some slow packages its process has loaded."""

    def encode(self, view: RenderedView) -> bytes:
        return " ".join(name for name in SLOW if name in sys.modules).encode()


SLOW = ("scipy.sparse", "scipy.spatial", "scipy.ndimage", "matplotlib", "rasterio", "tyro")
"""Together they take as long to load as all that a worker needs."""
