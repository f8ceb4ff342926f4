"""Compiled loops on all cores, by threads that sleep when they have nothing to do.

Numba's own parallel loops run on OpenMP, whose threads go on spinning after a loop. Where others want the cores too,
such as Mesa, which draws on them, a frame then takes several times as long (bench/NOTES.md, "On the host").
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, lru_cache, partial
from threading import Lock
from typing import Any, TypeVar

from threadpoolctl import OpenBLASController, ThreadpoolController

CORES = len(os.sched_getaffinity(0))
"""Processors that this process may use."""

_used = CORES

Result = TypeVar("Result")


def run_parts(loop: Callable[..., Any], parts: Sequence[tuple[int, int]], *arguments: object) -> list[Any]:
    """Call loop(*arguments, first, last) for each part (first, last), all at the same time; the results, in order.

    `loop` must be compiled with nogil=True, and no two parts may write to the same place.
    """
    return _run([partial(loop, *arguments, *part) for part in parts])


def run_together(*tasks: Callable[[], Any]) -> list[Any]:
    """Do whole pieces of work at the same time; the results, in order. Tasks may call `run_parts` themselves.

    It pays where tasks spend their time in compiled loops. None may change what another reads. If one fails, its error
    is raised once all have ended.
    """
    return _run(tasks)


def begin(task: Callable[[], Result]) -> Callable[[], Result]:
    """Start a piece of work beside whatever the caller does next; returns a function that waits for its result.

    If no thread is free until then, that function does the work itself. It also raises the task's error, which nothing
    else does. Tasks are as for `run_together`.
    """
    begun, future = _begun(os.getpid()), _pool(os.getpid()).submit(task)
    begun.add(future)
    future.add_done_callback(begun.discard)

    def result() -> Result:
        return task() if future.cancel() else future.result()  # done here if all threads are busy

    return result


@contextmanager
def blas_on_one_core() -> Iterator[None]:
    """Within it, in all threads, BLAS works without threads of its own: on small matrices, on shared cores, they take
    several times as long. What is imported within it is limited once somebody enters again."""
    _one_core.enter()
    try:
        yield
    finally:
        _one_core.leave()


def share_cores(processes: int) -> None:
    """From now on, cut loops for this process's share of the cores, where `processes` like it work side by side."""
    global _used
    _used = max(1, CORES // processes)


def cores_free() -> int:
    """How many cores a loop may be cut for now: an equal share beside each piece of work that was begun, at least one.

    For loops whose parts each look at all there is, so that more parts than cores do work twice for nothing.
    """
    return max(1, _used // (1 + len(_begun(os.getpid()))))


def even_parts(count: int) -> list[tuple[int, int]]:
    """(first, last) of as many equal parts of `count` rows as cores are used."""
    parts = min(_used, count)
    return [(k * count // parts, (k + 1) * count // parts) for k in range(parts)]


def _run(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    # The first call stays here: a thread that only waited would have the others woken on its own core, one after the
    # other, where they would stay for longer than they have to do.
    futures = [_pool(os.getpid()).submit(other) for other in calls[1:]]
    try:
        results = [own() for own in calls[:1]]
        for other, future in zip(calls[1:], futures, strict=True):
            # What no thread has begun is done here: they are all busy, perhaps with what is waiting for this.
            results.append(other() if future.cancel() else future.result())
    finally:
        for future in futures:
            if not future.cancel():
                future.exception()  # until it is done
    return results


class _OneCore:
    """Who is within `blas_on_one_core`: the first one limits it, and the last one gives back what there was."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.inside = 0
        self.limits: dict[ThreadpoolController, Any] = {}
        """Of libraries as they were found, and found once more after an import."""

    def enter(self) -> None:
        with self.lock:
            blas = _blas(len(sys.modules))
            if blas not in self.limits:
                self.limits[blas] = _by_any_thread(partial(blas.limit, limits=1, user_api="blas"))
            self.inside += 1

    def leave(self) -> None:
        with self.lock:
            self.inside -= 1
            while not self.inside and self.limits:
                _, limits = self.limits.popitem()  # the last one first: what it gives back is the limits before it
                _by_any_thread(limits.restore_original_limits)


_one_core = _OneCore()


@lru_cache(maxsize=1)
def _blas(modules: int) -> ThreadpoolController:
    """The libraries that there are with so many modules: looked for anew only after an import, for it takes
    milliseconds in which no other thread goes on."""
    return ThreadpoolController()


def _by_any_thread(change: Callable[[], Result]) -> Result:
    # The number of OpenBLAS's threads is that of the process, but threadpoolctl lets nobody change it except the first
    # thread that did, as long as that lives.
    OpenBLASController.clear_controlling_thread(force=True)
    try:
        return change()
    finally:
        OpenBLASController.clear_controlling_thread(force=True)


@cache
def _pool(process: int) -> ThreadPoolExecutor:
    # One a process: the threads do not follow it through a fork.
    return ThreadPoolExecutor(max(CORES - 1, 1), thread_name_prefix=f"glrender-{process}")


@cache
def _begun(process: int) -> set["Future[Any]"]:
    """What was begun in a process and is not done."""
    return set()
