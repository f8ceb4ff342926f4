"""What the viewer opens, and how it moves on."""

from pathlib import Path
from shlex import quote
from typing import Protocol

import numpy as np

from glrender.errors import InputError
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.io.recordings.bag import is_bag
from glrender.io.recordings.video import SUFFIXES as VIDEO_SUFFIXES
from glrender.io.sequence_folder import open_sequence
from glrender.io.tables import load_table
from glrender.pipeline.fuse import SequenceOptions
from glrender.pipeline.outputs import MAP
from glrender.pipeline.scene import JOB_SUFFIXES, open_scene
from glrender.pipeline.scene import Scene as SceneContent
from glrender.simulate.elevation import SUFFIXES as ELEVATION_SUFFIXES
from glrender.viewer.live import LiveFusion
from glrender.viewer.live_photographs import LivePhotographs
from glrender.viewer.scene import Scene
from glrender.viewer.state import holds_view

OPENS = (
    "what can be opened is a map (.npz, or its folder), elevations (.npy, .png of 16 bits, .tif, …), a sequence (its "
    "folder), a batch job (.toml, .json) and a copied view (.json)"
)


class Source(Protocol):
    """Something that is looked at, which may change by itself."""

    @property
    def scene(self) -> Scene:
        """What there is to be seen now."""

    @property
    def finished(self) -> bool:
        """Whether it has no further step."""

    def step(self) -> None:
        """Go on to the next state."""

    def release(self) -> None:
        """Release what it has in the context, and stop its threads."""


class StillSource:
    """Surfaces that stay as they are; one of them is looked at, the others lie around it."""

    def __init__(self, name: str, content: SceneContent) -> None:
        self._name, self._objects = name, content.objects
        self.finished = True
        self.choose(0)

    def choose(self, number: int) -> None:
        """Look at another of the surfaces."""
        self._number = number % len(self._objects)
        chosen = self._objects[self._number]
        line = _describe(chosen.surface)
        if len(self._objects) > 1:
            line = f"{chosen.name}, {self._number + 1} of {len(self._objects)}: {line}"
        lines = (line, chosen.note) if chosen.note else (line,)
        others = tuple(each.surface for each in self._objects if each is not chosen)
        self.scene = Scene(self._name, chosen.surface, others, lines=lines)

    def choose_other(self, number: int) -> None:
        """Look at one of `scene.others`."""
        self.choose(number if number < self._number else number + 1)

    def choose_next(self) -> None:
        """Look at the next of the surfaces, in a circle."""
        self.choose(self._number + 1)

    def step(self) -> None:
        """There is no next state."""

    def release(self) -> None:
        """There is nothing to be released."""


def _describe(surface: HeightMap) -> str:
    rows, cols = surface.shape
    metres = surface.spacing
    apart = f"{metres:.4g} m" if metres >= 1 else f"{1e3 * metres:.4g} mm"
    seen = np.isfinite(surface.heights).mean()
    some = "" if seen == 1 else f", {seen:.1%} seen"
    return f"{rows} × {cols} vertices, {apart} apart{some}"


def check_source(path: Path) -> None:
    """Raise InputError for what is nothing to look at, as far as that shows before it is opened."""
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; {OPENS}")
    if path.is_dir() and (_is_sequence(path) or (path / MAP).is_file()):
        return
    if path.suffix.lower() in VIDEO_SUFFIXES or is_bag(path):
        raise InputError(
            f"{path}: is a recording, of which `glrender convert {quote(str(path))} --calibration FILE --out FOLDER` "
            f"makes a sequence; {OPENS}"
        )
    if path.is_dir():
        raise InputError(
            f"{path}: no rgb.txt, depth.txt or {MAP} in it; `glrender convert` makes a sequence of images, videos and "
            f"bags; {OPENS}"
        )
    if path.suffix.lower() not in (*ELEVATION_SUFFIXES, *JOB_SUFFIXES):
        raise InputError(f"{path}: cannot be looked at; {OPENS}")
    if holds_view(path):
        raise InputError(
            f"{path}: is a copied view, expected what it is a view of: `glrender view MAP --view {quote(str(path))}`"
        )


def open_source(context: Context, path: Path, options: SequenceOptions) -> Source:
    """Open a sequence (a folder), a map (a file, or the folder that it was written to), a file of elevations, or the
    scene of a batch job; InputError for anything else.

    A sequence becomes a map as `options` say, by its depth images or, if it has none, by photographs and their poses.
    """
    check_source(path)
    if path.is_dir() and not _is_sequence(path):
        path /= MAP
    if path.is_dir():
        sequence = open_sequence(path)
        if sequence.trajectory is None:
            raise InputError(
                f"{path}: no groundtruth.txt, and without poses a sequence is not fused here; `glrender fuse "
                f"{quote(str(path))} --track --out FOLDER` finds them (of photographs alone with --use color), and "
                "then FOLDER can be looked at"
            )
        if any(entry.depth_path is not None for entry in sequence.frames):
            return LiveFusion(context, sequence, options)
        return LivePhotographs(context, open_sequence(path, only="rgb").reduced(), options)
    if path.suffix.lower() in JOB_SUFFIXES:
        if "scene" not in load_table(path):
            raise InputError(f"{path}: no key 'scene', which a batch job has; {OPENS}")
        content = open_scene(path, options.spacing)
    else:
        try:
            content = open_scene(path, options.spacing)
        except InputError as error:
            raise InputError(f"{error}; {OPENS}") from None
    return StillSource(path.name, content)


def _is_sequence(path: Path) -> bool:
    return any((path / f"{kind}.txt").exists() for kind in ("rgb", "depth"))
