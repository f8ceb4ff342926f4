"""`glrender bench`: how long each stage takes on this machine."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from rich.console import Console
from tyro.conf import arg

from glrender.bench.aging import YOUNG
from glrender.bench.benchmark import (
    BATCH,
    FUSION,
    IMAGES,
    PARTS,
    SIZES,
    SMALLER_IMAGES,
    SMALLER_SIZES,
    Plan,
    run_benchmark,
)
from glrender.bench.printing import print_report
from glrender.bench.roofline_plot import plot_roofline
from glrender.cli.options import check_grid, option
from glrender.cli.progress import progress
from glrender.errors import InputError, UsageError
from glrender.io.report import write_json
from glrender.io.sequence_folder import open_sequence


def _text(image: tuple[int, int]) -> str:
    return f"{image[0]}x{image[1]}"


Part = Literal["stages", "solvers", "fusion", "batch"]
IMAGE_BY_TEXT = {_text(image): image for image in IMAGES}


@dataclass(frozen=True)
class Options:
    """Time rendering with derivatives and the normal equations, the solvers, and fusion, on this machine.

    All that is compared takes turns, so that ratios hold on a busy machine too. What it takes to compile and to fill
    caches is left out and told.
    """

    only: Annotated[tuple[Part, ...], arg(metavar="PART [PART ...]")] = ("stages", "solvers", "fusion")
    """Parts to time: stages (of rendering and the normal equations), solvers, fusion, batch (of views by processes)."""
    sizes: Annotated[tuple[int, ...], arg(metavar="N [N ...]")] = SMALLER_SIZES
    """Vertices along each side of the maps: 65, 129, 257, 513, 1025."""
    images: Annotated[tuple[str, ...], arg(metavar="WxH [WxH ...]")] = tuple(map(_text, SMALLER_IMAGES))
    """Pixels of the images: 1280x960, 640x480, 320x240."""
    rounds: int = 20
    """How often stages and frames are timed; solvers, 5 times."""
    peers: bool = False
    """Time others beside ours: DEODR and Mitsuba (up to 257 vertices), PyAMG and PARDISO, Open3D, pyrender; they come
    with `pip install glrender[bench]`."""
    sequence: Annotated[Path | None, option("FOLDER", "simulated flights")] = None
    """Recording to fuse, in the TUM RGB-D format with a camera.yaml."""
    spacing: Annotated[float | None, option("M", "from what its frames see")] = None
    """Metres between the vertices of the recording's map."""
    aging: Annotated[int, arg(metavar="FRAMES")] = 0
    """Fuse so many frames, say 1000, and compare what the next ones cost with what they cost after 10."""
    json: Annotated[Path | None, option("FILE", "none")] = None
    """Write all numbers, of every round, to this file."""
    plot: Annotated[Path | None, option("FILE.png", "none")] = None
    """Write a picture of what stages and solvers achieve of the machine's bandwidth and arithmetic."""


def run(options: Options) -> int:
    """Measure and print the tables."""
    plan = _plan(options)
    with progress("timing") as advance:
        report = run_benchmark(plan, advance)
    if options.json is not None:
        write_json(options.json, report.account())
    if options.plot is not None:
        plot_roofline(options.plot, report)
    print_report(report, Console())
    return 0


def _plan(options: Options) -> Plan:
    """What the options ask for; whatever is wrong with them is known before minutes are spent."""
    _check_some("--only", options.only, PARTS)
    _check_some("--sizes", options.sizes, SIZES)
    _check_some("--images", options.images, tuple(IMAGE_BY_TEXT))
    if options.rounds < 1:
        raise UsageError(f"--rounds: received {options.rounds}, expected at least 1")
    if options.aging != 0 and options.aging <= YOUNG:
        raise UsageError(f"--aging: received {options.aging}, expected more than {YOUNG} frames")
    check_grid(options.spacing, None)
    if options.spacing is not None and options.sequence is None:
        raise UsageError("--spacing: is that of a recording's map; give --sequence as well, or --sizes instead")
    for name in ("sequence", "aging"):
        if getattr(options, name) and FUSION not in options.only:
            raise UsageError(f"--{name}: says what fusion is timed on, but --only leaves fusion out")
    if options.plot is not None and set(options.only) == {BATCH}:
        raise UsageError("--plot: shows stages, solvers and fusion, but --only leaves them out")
    if options.plot is not None and options.plot.suffix.lower() != ".png":
        raise UsageError(f"--plot: received {options.plot}, expected a name that ends in .png")
    for name in ("json", "plot"):
        _check_file(f"--{name}", getattr(options, name))
    if options.sequence is not None:
        open_sequence(options.sequence)
    return Plan(
        parts=tuple(part for part in PARTS if part in options.only),
        sizes=options.sizes,
        images=tuple(IMAGE_BY_TEXT[text] for text in options.images),
        rounds=options.rounds,
        peers=options.peers,
        sequence=options.sequence,
        spacing=options.spacing,
        aging=options.aging,
    )


def _check_some(name: str, received: tuple[object, ...], valid: tuple[object, ...]) -> None:
    unknown = [value for value in received if value not in valid]
    if unknown or not received:
        said = " ".join(map(str, unknown)) or "none"
        raise UsageError(f"{name}: received {said}, expected some of {' '.join(map(str, valid))}")
    if len(set(received)) < len(received):
        raise UsageError(f"{name}: received {' '.join(map(str, received))}, expected each once")


def _check_file(name: str, path: Path | None) -> None:
    if path is not None and not path.parent.is_dir():
        raise InputError(f"{name}: {path.parent} is no folder; make it, or choose another file")
    if path is not None and path.is_dir():
        raise InputError(f"{name}: {path} is a folder, expected a file to write")
