"""Ten thousand views in one run, whose workers are killed (SIGKILL) at random times: nothing is lost, nothing grows.

    python tools/kill_workers.py [--views 10000] [--every 4] [--workers 2]

Renders a job of small images undisturbed, and again while every few seconds a random worker is killed; then says
whether all files have the same checksums, how often workers died, and what each long-lived process held in memory,
early and late. Exit status 1 if a file is missing or another, or if memory has grown.
"""

import argparse
import multiprocessing
import random
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from glrender.batch.job import Plan, job_of, make_plan
from glrender.batch.manifest import read_manifest
from glrender.batch.run import Outcome, Workers, run_job
from glrender.bench.scene import reference_scene

SIZE = (160, 120)
LOOKS = 0.5
"""Seconds between looks at the memory of all processes."""
SETTLED = 20
"""Looks after which a process has loaded all that it needs."""
GROWTH = 1.05
"""Of memory, from then until its end: what is still called flat."""


def main() -> int:
    """Run it and say what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--views", type=int, default=10_000)
    parser.add_argument("--every", type=float, default=4.0, help="seconds between kills, on average")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="glrender-kill-") as folder:
        plan = make_job(Path(folder), options.views)
        memory: dict[int, list[float]] = {}
        with looking(memory):
            calm = run(plan, Path(folder) / "calm", options.workers)
        told: list[str] = []
        with killing(options.every) as killed, looking(memory):
            disturbed = run(plan, Path(folder) / "disturbed", options.workers, told)
        files = [checksums(Path(folder) / name) for name in ("calm", "disturbed")]
    same = files[0] == files[1]
    replaced = sum("another takes its place" in line for line in told)
    print(f"undisturbed: {calm.done} of {calm.total} views in {calm.seconds:.0f} s")
    print(f"disturbed: {disturbed.done} of {disturbed.total} views in {disturbed.seconds:.0f} s")
    print(f"  {len(killed)} kills, {replaced} workers replaced, {len(disturbed.failed)} views failed")
    print(f"  {len(files[1])} files, checksums {'all as undisturbed' if same else 'NOT as undisturbed'}")
    flat = all(list(map(tell_memory, memory.values())))
    return 0 if calm.complete and disturbed.complete and same and flat else 1


def make_job(folder: Path, views: int) -> Plan:
    """Views of the benchmark's scene from a box above it, image and depth of each."""
    reference_scene(65).surface.save(folder / "map.npz")
    content = {
        "scene": [{"type": "heightmap", "source": "map.npz"}],
        "camera": {"width": SIZE[0], "height": SIZE[1], "fov": 60},
        "views": [{"type": "random", "count": views, "seed": 0}],
        "outputs": [{"type": "image"}, {"type": "depth"}],
    }
    return make_plan(job_of(str(folder / "job.json"), content))


def run(plan: Plan, folder: Path, workers: int, told: list[str] | None = None) -> Outcome:
    """Render the job."""
    return run_job(plan, folder, Workers(workers, (0,)), tell=print if told is None else told.append)


@contextmanager
def repeating(seconds: float, act: Callable[[], float]) -> Iterator[None]:
    """Call act() again and again in another thread; it returns how long to wait, in units of `seconds`."""
    over = threading.Event()

    def go_on() -> None:
        while not over.wait(seconds * act()):
            pass

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def killing(seconds: float) -> Iterator[list[int]]:
    """Kill a random worker about every so many seconds; the processes that were."""
    killed: list[int] = []
    chance = random.Random(0)

    def kill() -> float:
        workers = multiprocessing.active_children()
        if workers:
            chosen = chance.choice(workers)
            chosen.kill()
            killed.append(chosen.pid or 0)
        return chance.expovariate(1.0)

    with repeating(seconds, kill):
        yield killed


@contextmanager
def looking(memory: dict[int, list[float]]) -> Iterator[None]:
    """Write down what this process and its workers hold in memory, by process, MB."""

    def look() -> float:
        for process in ("self", *(str(child.pid) for child in multiprocessing.active_children())):
            try:
                status = Path(f"/proc/{process}/status").read_text()
            except OSError:  # it has just ended
                continue
            lines = dict(line.split(":", 1) for line in status.splitlines())
            if "VmRSS" in lines:
                memory.setdefault(int(lines["Pid"]), []).append(int(lines["VmRSS"].split()[0]) / 1024)
        return 1.0

    with repeating(LOOKS, look):
        yield


def tell_memory(looks: list[float]) -> bool:
    """Print what a process held, if it lived long enough to tell; whether that stayed the same."""
    settled = looks[SETTLED:]
    if len(settled) < SETTLED:
        return True
    first, last = (float(np.median(part)) for part in (settled[:5], settled[-5:]))
    flat = last <= GROWTH * first
    print(f"  a process that lived {LOOKS * len(looks):.0f} s: {first:.0f} MB, and {last:.0f} MB at its end")
    return flat


def checksums(folder: Path) -> dict[str, str]:
    """SHA-256 of each file by its name."""
    files = (line["files"] for line in read_manifest(folder) if "view" in line)
    return {name: record["sha256"] for each in files for name, record in each.items()}


if __name__ == "__main__":
    sys.exit(main())
