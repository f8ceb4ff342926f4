"""`glrender batch`: many views of a scene, by many processes, into a folder."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional

from glrender.batch.job import make_plan, read_job
from glrender.batch.run import Outcome, choose_workers, run_job
from glrender.batch.video import check_video
from glrender.cli.options import option
from glrender.cli.progress import progress
from glrender.errors import GlrenderError, UsageError

LISTED = 20
"""Failed views that are listed by number at the end."""


@dataclass(frozen=True)
class Options:
    """Render all views of a job file into a folder.

    JOB is a .toml or .json file: a scene, a camera, where it stands, and what is kept of each view. Files appear whole
    or not at all, and OUT/manifest.jsonl has their checksums: the same command again renders only what is missing.
    Ctrl-C finishes the views under way. Exit status 1 if a view failed or is missing; each is said.

    What views of each type need (and may say besides a camera of their own): poses T_world_camera; look_at eyes,
    targets (up); trajectory source (frames); orbit count (radius, elevation, target, start, turn); spiral count (turns,
    radius, elevation, target); grid rows, columns, altitude (pitch, heading, bounds); random count, seed (radius,
    elevation, target, spread).

    And outputs (besides a name, which two of one type need): image (format, quality); depth (format, scale); buffers
    buffers (format); normals (format); ids (format); jacobian of, wrt; video (rate, quality).
    """

    job: Positional[str]
    """Job file, or its URL."""
    out: Annotated[Path, option("DIR", "required")]
    """Folder to write: new, empty, or one that holds an earlier run of the same job."""
    workers: Annotated[int | None, option("N", "a core each; 2 for each GPU")] = None
    """Processes that render on this machine, of 250 MB each or more; where the processor draws, more than one a core
    gain nothing."""
    devices: Annotated[str | None, option("I[,I...]", "0")] = None
    """EGL devices that they render on, in turns; `glrender info` lists them."""
    scheduler: Annotated[str | None, option("ADDRESS", "none")] = None
    """Render on the dask.distributed cluster with this scheduler, such as tcp://host:8786; all see the same files."""
    force: bool = False
    """Replace the job that the folder holds."""


def run(options: Options) -> int:
    """Render, and say what there is."""
    if options.scheduler is not None and options.workers is not None:
        raise UsageError("--workers: received with --scheduler, whose cluster has the workers it has; give one of them")
    devices = _read_devices(options.devices)
    plan = make_plan(read_job(options.job))
    check_video(plan)
    workers = choose_workers(options.workers, devices)
    with progress("rendering", "views") as advance:
        outcome = run_job(
            plan,
            options.out,
            workers,
            force=options.force,
            scheduler=options.scheduler,
            advance=advance,
            tell=lambda line: print(f"glrender: {line}", file=sys.stderr),
        )
    _print_summary(options, outcome)
    return 0 if outcome.complete else GlrenderError.exit_status


def _read_devices(text: str | None) -> Sequence[int] | None:
    if text is None:
        return None
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(f"--devices: received {text!r}, expected numbers with commas between them") from None


def _print_summary(options: Options, outcome: Outcome) -> None:
    made = outcome.done - outcome.before
    rate = f", {made / outcome.seconds:.1f} a second" if made else ""
    earlier = f", {outcome.before} of them from an earlier run" if outcome.before else ""
    print(f"{options.out}: {outcome.done} of {outcome.total} views{earlier}; {outcome.seconds:.1f} s{rate}")
    if outcome.failed:
        listed = ", ".join(str(view) for view in sorted(outcome.failed)[:LISTED])
        more = f" and {len(outcome.failed) - LISTED} more" if len(outcome.failed) > LISTED else ""
        print(f"  failed: {listed}{more}")
    if outcome.problem is not None:
        print(f"  ended early: {outcome.problem}")
    elif outcome.interrupted:
        print("  interrupted")
    if outcome.done + len(outcome.failed) < outcome.total:
        print("  the same command again renders what is missing")
