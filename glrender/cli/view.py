"""`glrender view`: a window on a map and its derivatives, or on a sequence that becomes one."""

import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from glrender.cli.options import check_grid, option
from glrender.errors import InputError, UsageError

LARGEST = 8192
"""Pixels along a window's side: of far more, an X server ends the process."""


@dataclass(frozen=True)
class Options:
    """Look at a map and its derivatives, or watch a sequence become a map.

    H shows what keys and mouse do. --screenshot and --record do without a person: they turn a map once around, or fuse
    a sequence, and leave.
    """

    path: Positional[Path]
    """A map.npz or its folder, a file of elevations, a batch job (its scene), or the folder of a sequence."""
    size: Annotated[tuple[int, int], arg(metavar="W H")] = (900, 600)
    """Of the window."""
    view: Annotated[Path | None, option("FILE", "all of the map")] = None
    """JSON of a view, as Ctrl+C copies it."""
    spacing: Annotated[
        float | None, option("M", "of a sequence 4 pixels on the ground (photographs: 3), rounded; else its own")
    ] = None
    """Metres between the vertices of the map, or of a file of elevations."""
    screenshot: Annotated[Path | None, option("FILE", "none")] = None
    """Save the last picture as a PNG and leave."""
    record: Annotated[Path | None, option("FILE", "none")] = None
    """Save all pictures as an H.264 film (.mp4) and leave."""
    frames: Annotated[int | None, option("N", "all of a sequence; of a map 1, or 180 where they are a film")] = None
    """How many pictures --screenshot and --record make."""


def run(options: Options) -> int:
    """Open the window; say how fast it was where nobody looked at it."""
    _check(options)
    from glrender.pipeline.fuse import SequenceOptions
    from glrender.viewer.overlay import INSTALL
    from glrender.viewer.sources import check_source, open_source
    from glrender.viewer.state import ViewState
    from glrender.viewer.viewer import Script, Viewer
    from glrender.viewer.window import Window

    state = None if options.view is None else ViewState.read(options.view)
    check_source(options.path)
    fusing = SequenceOptions(spacing=options.spacing)
    window = Window("glrender", options.size)
    try:
        # What is dropped into the window is not what --spacing was given for.
        plain = SequenceOptions()
        viewer = Viewer(
            window,
            lambda path: open_source(window.context, path, fusing if path == options.path else plain),
            options.path,
            state,
        )
        with closing(viewer):
            if options.screenshot is None and options.record is None:
                if viewer.overlay is None:
                    print(f"glrender: {INSTALL}", file=sys.stderr)
                viewer.run()
            else:
                shown = viewer.play(Script(options.frames, options.screenshot, options.record))
                rate = f", {shown.rate:.1f} a second" if shown.frames > 1 else ""
                print(f"{shown.frames} {'frame' if shown.frames == 1 else 'frames'}{rate}, {window.context.renderer}")
    finally:
        window.close()
    return 0


def _check(options: Options) -> None:
    check_grid(options.spacing, None)
    if not all(64 <= side <= LARGEST for side in options.size):
        raise UsageError(
            f"--size: received {options.size[0]} {options.size[1]}, expected 64 64 to {LARGEST} {LARGEST} pixels"
        )
    if options.frames is not None:
        if options.frames < 1:
            raise UsageError(f"--frames: received {options.frames}, expected at least 1")
        if options.screenshot is None and options.record is None:
            raise UsageError("--frames: received without --screenshot or --record, whose pictures it counts")
    # A film says so by itself when it begins; a sequence takes long until its last picture.
    if options.screenshot is not None:
        if not options.screenshot.absolute().parent.is_dir():
            raise InputError(f"--screenshot: {options.screenshot.parent}: no such folder")
        if options.screenshot.is_dir():
            raise InputError(f"--screenshot: {options.screenshot}: is a folder, expected the name of a PNG")
        if options.screenshot.suffix.lower() != ".png":  # nor is it then written over a film of the same name
            raise UsageError(f"--screenshot: received {options.screenshot}, expected a name that ends in .png")
