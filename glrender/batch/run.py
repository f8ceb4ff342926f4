"""A job from its plan to its folder, on this machine or on a cluster."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from glrender.advance import Advance, silently
from glrender.batch.job import Plan
from glrender.batch.ledger import Ledger, Tell
from glrender.batch.maker import make_folders
from glrender.batch.manifest import Manifest
from glrender.batch.pool import Pool
from glrender.batch.video import finish_videos
from glrender.checks import MEMORY
from glrender.errors import InputError, UsageError
from glrender.gl.egl import devices as egl_devices
from glrender.parallel import CORES

WORKERS_PER_GPU = 2
"""While one encodes and writes, the other draws."""

MOST_WORKERS = 1024
"""On one machine."""

BYTES_PER_WORKER = 250_000_000
"""Memory that a worker takes, at least: those of a small job take 246 MB. A machine without room for them would go down
before it could say so."""


@dataclass(frozen=True)
class Workers:
    """Who renders."""

    count: int
    """Processes on this machine."""
    devices: tuple[int, ...]
    """EGL devices, given to them in turns."""


@dataclass(frozen=True)
class Outcome:
    """What became of a run."""

    total: int
    """Views of the job."""
    before: int
    """Views that were there before."""
    done: int
    """Views that are there now."""
    failed: dict[int, str]
    """By view: what is wrong with it."""
    problem: str | None
    """Why the run ended early, if it did for a reason of its own."""
    interrupted: bool
    """Whether the user ended it early."""
    seconds: float
    """How long it took."""

    @property
    def complete(self) -> bool:
        """Whether everything that the job wants is there."""
        return self.done == self.total and self.problem is None


def choose_workers(count: int | None, devices: Sequence[int] | None) -> Workers:
    """Who renders. Unless `count` is given, there is a worker for each core where the processor draws, and a few for
    each GPU; unless `devices` are given, all use the first one.

    UsageError for a device that EGL does not have, and for fewer than one worker or more than memory holds.
    """
    found = egl_devices()
    known = {device.index: device.name for device in found}
    chosen = tuple(devices) if devices else (0,)
    unknown = [index for index in chosen if index not in known]
    if found and unknown:
        listed = ", ".join(f"{device.index} ({device.name})" for device in found)
        raise UsageError(f"devices: received {unknown[0]}, but the EGL devices of this machine are {listed}")
    most = min(max(1, MEMORY // BYTES_PER_WORKER), MOST_WORKERS)
    if count is not None and not 1 <= count <= most:
        raise UsageError(
            f"workers: received {count}, expected 1 to {most}, for which {MEMORY / 2**30:.0f} GiB of memory do; "
            "more than one a core gain nothing where the processor draws"
        )
    if count is None:
        software = all(known.get(index) == "software" for index in chosen)
        count = CORES if software else WORKERS_PER_GPU * len(chosen)
    return Workers(count, chosen)


def run_job(
    plan: Plan,
    folder: Path,
    workers: Workers,
    *,
    force: bool = False,
    scheduler: str | None = None,
    advance: Advance = silently,
    tell: Tell = lambda line: None,
) -> Outcome:
    """Render into `folder` what is missing there of a job.

    By processes on this machine, or by those of the dask.distributed cluster whose scheduler's address is given. The
    folder may hold an earlier run of the same job, not another job unless `force`: UsageError.
    """
    start = time.monotonic()
    with Manifest(folder, plan, force=force) as manifest:
        before = len(manifest.done)
        ledger = Ledger(manifest, plan.count, advance, tell)
        if ledger.missing:
            make_folders(plan, folder)
            if scheduler is None:
                Pool(plan, folder, ledger, workers.count, workers.devices).run()
            else:
                from glrender.batch.cluster import run_on_cluster

                run_on_cluster(plan, folder, ledger, scheduler, workers.devices)
        if len(manifest.done) == plan.count and ledger.problem is None:
            try:
                finish_videos(plan, folder, manifest)
            except InputError as error:
                ledger.problem = str(error)
        seconds = time.monotonic() - start
        done = len(manifest.done)
        return Outcome(plan.count, before, done, ledger.failed, ledger.problem, ledger.interrupted, seconds)
