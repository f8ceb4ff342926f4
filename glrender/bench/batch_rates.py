"""Views a second that come out of worker processes, and of a cluster; and what they take of the processors.

What is timed is a long run's steady state, since ten thousand views are what workers are for: from when all of them
have started, loaded their loops and filled their queues to when the first has nothing left to do. Different numbers of
workers take turns, and their ratio is taken turn by turn. Nothing is left out of a view: rendering, encoding, its file,
its checksum and its line in the manifest, whose keeper runs on the same cores.
"""

import os
import pickle
import resource
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glrender.advance import silently
from glrender.batch.cluster import run_on_cluster
from glrender.batch.job import Plan, job_of, make_plan
from glrender.batch.ledger import Ledger
from glrender.batch.maker import make_folders
from glrender.batch.manifest import Manifest, record_of_file
from glrender.batch.messages import Done
from glrender.batch.run import Workers, run_job
from glrender.bench.scene import Scene
from glrender.io.optional import is_installed
from glrender.parallel import CORES

WORKERS = (1, 2)
"""How many workers take turns."""
TASKS = (1, 4, 16, 64)
"""How many views a task of a cluster has, in turns."""
VIEWS = 1000
"""Views of one run of workers: some seconds of rendering."""
TASK_VIEWS = 240
"""Views of one run of a cluster, whose workers have started before."""
FEW = 8
"""Views of a run that is little more than the start of its workers."""
SETTLED, ENDED = 0.25, 0.1
"""Shares of the views that are left out of a rate: of the first, while a worker may still be starting, and of the last,
when one may have ended. Of 180 views, up to a tenth are in the last chunk, which one worker renders alone."""


@dataclass(frozen=True, eq=False)
class Rates:
    """What a number of workers did."""

    views: NDArray[np.float64]
    """(rounds,) views a second, each an image as PNG."""
    milliseconds: NDArray[np.float64]
    """(rounds,) processor time a view, of the workers and their employer together."""

    @property
    def cores(self) -> float:
        """How many processors they kept busy."""
        return float(np.median(self.views * self.milliseconds)) / 1000


@dataclass(frozen=True, eq=False)
class ClusterRates:
    """What a dask.distributed cluster on this machine did, with a worker a core."""

    views: dict[int, NDArray[np.float64]]
    """By views a task: (rounds,) views a second."""
    report_bytes: float
    """Bytes that come back to the scheduler for a view."""

    def account(self) -> dict[str, Any]:
        """What a JSON file keeps of it, with what follows worked out."""
        rates = {f"{size} views a task": views for size, views in self.views.items()}
        return {"rates": rates, "report_bytes": self.report_bytes}


def measure_rates(scene: Scene, rounds: int) -> dict[int, Rates]:
    """Runs of a job, by how many workers."""
    views: dict[int, list[float]] = {workers: [] for workers in WORKERS}
    milliseconds: dict[int, list[float]] = {workers: [] for workers in WORKERS}
    with _plans(scene, VIEWS) as (many, few, folder):
        for turn in range(rounds):
            for workers in WORKERS:
                start = _processor_seconds(few, folder / f"start-{turn}-{workers}", workers)
                whole = _processor_seconds(many, folder / f"run-{turn}-{workers}", workers)
                milliseconds[workers].append(1e3 * (whole - start) / (many.count - few.count))
                views[workers].append(_rate(folder / f"run-{turn}-{workers}", many))
    return {workers: Rates(np.array(views[workers]), np.array(milliseconds[workers])) for workers in WORKERS}


def measure_cluster(scene: Scene, rounds: int) -> ClusterRates | None:
    """The same job by a cluster; None where dask.distributed is not installed."""
    if not is_installed("distributed"):
        return None
    from distributed import LocalCluster

    views: dict[int, list[float]] = {size: [] for size in TASKS}
    settings = {"n_workers": CORES, "threads_per_worker": 1, "dashboard_address": ":0", "silence_logs": 50}
    with (
        _plans(scene, TASK_VIEWS) as (many, few, folder),
        LocalCluster(processes=True, host="127.0.0.1", **settings) as cluster,
    ):
        _run_on(cluster.scheduler_address, few, folder / "start", 1)
        for turn in range(rounds):
            for size in TASKS:
                out = folder / f"{turn}-{size}"
                _run_on(cluster.scheduler_address, many, out, size)
                views[size].append(_rate(out, many))
        paths = [many.path(many.job.outputs[0], index) for index in range(max(TASKS))]
        reports = [Done(index, (record_of_file(out, path),)) for index, path in enumerate(paths[: many.count])]
    size_of_reports = len(pickle.dumps(reports)) / len(reports)
    return ClusterRates({size: np.array(values) for size, values in views.items()}, size_of_reports)


def _run_on(address: str, plan: Plan, out: Path, size: int) -> None:
    with Manifest(out, plan) as manifest:
        ledger = Ledger(manifest, plan.count, silently, lambda line: None)
        make_folders(plan, out)
        run_on_cluster(plan, out, ledger, address, (0,), size)
        assert len(manifest.done) == plan.count, ledger


def _processor_seconds(plan: Plan, out: Path, workers: int) -> float:
    """What a run took of the processors, all of its processes together."""
    before = _used()
    outcome = run_job(plan, out, Workers(workers, (0,)))
    assert outcome.complete, outcome
    return _used() - before


def _used() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


@contextmanager
def _plans(scene: Scene, count: int) -> Iterator[tuple[Plan, Plan, Path]]:
    """A job of so many views and one of a few, and a folder for what comes of them."""
    with tempfile.TemporaryDirectory(prefix="glrender-bench-") as folder:
        yield _plan(Path(folder), scene, count), _plan(Path(folder), scene, min(FEW, count // 2)), Path(folder)


def _plan(folder: Path, scene: Scene, count: int) -> Plan:
    """Views of the reference scene from places close to its own, so that it fills the image."""
    scene.surface.save(folder / "map.npz")
    poses = np.repeat(scene.T_world_camera[None], count, axis=0)
    poses[:, 0, 3] += np.linspace(-0.05, 0.05, count)
    camera = {name: getattr(scene.camera, name) for name in ("width", "height", "fx", "fy", "cx", "cy")}
    content = {
        "scene": [{"type": "heightmap", "source": "map.npz"}],
        "camera": camera,
        "views": [{"type": "poses", "T_world_camera": poses.tolist()}],
        "outputs": [{"type": "image"}],
    }
    return make_plan(job_of(str(folder / "job.json"), content))


def _rate(out: Path, plan: Plan) -> float:
    """Views a second in the middle of a run, by when their files were written."""
    (image,) = plan.job.outputs
    times = np.sort([os.stat(out / plan.path(image, index)).st_mtime_ns for index in range(plan.count)])
    counted = times[int(SETTLED * len(times)) : len(times) - int(ENDED * len(times))]
    return float(1e9 * (len(counted) - 1) / (counted[-1] - counted[0]))
