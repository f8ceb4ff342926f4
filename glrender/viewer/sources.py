"""What the viewer opens, and how it moves on."""

from pathlib import Path
from typing import Protocol

from glrender.errors import InputError
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.io.sequence import open_sequence
from glrender.pipeline.fuse import SequenceOptions
from glrender.viewer.live import LiveFusion
from glrender.viewer.scene import Scene


class Source(Protocol):
    """Something that is looked at, which may change by itself."""

    @property
    def scene(self) -> Scene:
        """As it is now."""

    @property
    def finished(self) -> bool:
        """Whether it has no further step."""

    def step(self) -> None:
        """Go on to the next state."""

    def release(self) -> None:
        """Release what it has in the context, and stop its threads."""


class MapSource:
    """A map that stays as it is."""

    def __init__(self, name: str, surface: HeightMap) -> None:
        rows, cols = surface.shape
        size = f"{rows} × {cols} vertices, {1e3 * surface.spacing:g} mm apart"
        self.scene = Scene(name, surface, lines=(size,))
        self.finished = True

    def step(self) -> None:
        """There is none."""

    def release(self) -> None:
        """There is nothing to."""


def open_source(context: Context, path: Path, options: SequenceOptions) -> Source:
    """A map (.npz), or a sequence (a folder), which becomes one as `options` say; InputError for anything else."""
    if path.is_dir():
        return LiveFusion(context, open_sequence(path), options)
    if path.suffix == ".npz":
        return MapSource(path.name, HeightMap.load(path))
    raise InputError(f"{path}: received {path.suffix or 'a file'}, expected a map.npz or the folder of a sequence")
