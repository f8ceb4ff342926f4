"""The same job on a dask.distributed cluster: chunks of views as tasks, a context for each worker process.

Files are written by the workers, into a folder that all machines see under the same path; what became of the views
comes back to the client, which keeps the manifest. The scheduler gives a task to another worker where one dies.
"""

import math
import os
import re
import threading
import time
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from glrender.batch.interruption import Interruption
from glrender.batch.job import Plan
from glrender.batch.ledger import Ledger
from glrender.batch.maker import ViewMaker, encode_view, limit_threads, write_files
from glrender.batch.messages import Done, Failed
from glrender.batch.rendered_view import RenderedView
from glrender.batch.worker import OF_ONE_VIEW
from glrender.errors import ContextError, InputError, UsageError
from glrender.io.files import DiskFullError
from glrender.parallel import CORES

CHUNK = 16
"""Views in a task: a scheduler spends about a millisecond on each task."""

RETRIES = 3
"""How often a task that failed is tried again; dask tries again as often where a worker died."""

AHEAD = 2
"""Tasks given out for each thread of the cluster: while it works on one, the next is on its way."""

RECOUNT = 1.0
"""Seconds after which the cluster's threads are counted again."""

PATIENCE = 10
"""Seconds to wait for the scheduler's answer."""

_ADDRESS = re.compile(r"((tcp|tls|ucx|wss?)://)?([^\s:/\[\]]+|\[[^\s/\]]+\]):\d+")
"""What dask connects to; of anything else, it leaves a client that complains when the process ends."""


def run_on_cluster(
    plan: Plan, folder: Path, ledger: Ledger, scheduler: str, devices: Sequence[int], chunk: int = CHUNK
) -> None:
    """Render what is missing by the cluster's workers, `chunk` views a task, and tell the ledger what becomes of each.

    UsageError for what is no address of a scheduler; InputError where there is none, or no worker. A scheduler that is
    lost on the way ends the run, since what becomes of the tasks that it had given out is then unknown.
    """
    if _ADDRESS.fullmatch(scheduler) is None:
        raise UsageError(f"scheduler: received {scheduler!r}, expected its address, such as tcp://host:8786")
    try:
        from distributed import Client
    except ImportError:
        raise InputError("scheduler: a cluster needs dask, which is not installed; pip install distributed") from None
    try:
        client = Client(scheduler, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(f"scheduler: no answer from {scheduler}: {error}; start one with `dask scheduler`") from None
    with client, Interruption() as interruption, _losing_the_scheduler(client, ledger):
        workers = client.scheduler_info(n_workers=-1)["workers"]
        if not workers:
            raise InputError(f"scheduler: {scheduler} has no workers; start some with `dask worker {scheduler}`")
        _Run(client, plan, folder, ledger, _devices_by_worker(workers, devices), devices).follow(interruption, chunk)


@contextmanager
def _losing_the_scheduler(client: Any, ledger: Ledger) -> Iterator[None]:
    """What a client raises because its scheduler is gone becomes the ledger's problem; other errors are raised on."""
    from distributed import CancelledError
    from distributed.client import ClosedClientError
    from distributed.comm import CommClosedError

    try:
        yield
    except (OSError, RuntimeError, ClosedClientError, CancelledError) as error:
        gone = isinstance(error, ConnectionError | TimeoutError | CommClosedError | ClosedClientError | CancelledError)
        # That nobody answers in time is distributed's own OSError; the system's have a number.
        unanswered = isinstance(error, OSError) and error.errno is None
        if not gone and not unanswered and client.status == "running":
            raise
        if ledger.problem is None:
            ledger.problem = f"scheduler: {client.scheduler.address} is gone: {' '.join(str(error).split())}"


class _Run:
    """The tasks of one run: given out, waited for, and tried again."""

    def __init__(
        self, client: Any, plan: Plan, folder: Path, ledger: Ledger, by_worker: dict[str, int], devices: Sequence[int]
    ) -> None:
        self._client, self._ledger = client, ledger
        self._waiting: deque[tuple[int, ...]] = deque()
        self._chunks: dict[Any, tuple[int, ...]] = {}  # by task, of those that are given out
        self._room, self._counted = 0, -math.inf
        # As a task of its own the plan can be made again where the worker that held it has died.
        self._plan = client.submit(_same, plan, pure=False)
        self._settings = (str(folder.resolve()), by_worker, tuple(devices))

    def follow(self, interruption: Interruption, size: int) -> None:
        """Give out all views, so many a task, and take what comes back, until all is settled or nothing goes on.

        A task that was given out is waited for, whatever happens: its files are written, and belong into the manifest.
        """
        from distributed import as_completed

        missing = self._ledger.missing
        self._waiting.extend(tuple(missing[k : k + size]) for k in range(0, len(missing), size))
        tasks = as_completed(self._fill(), loop=self._client.loop)
        for task in tasks:
            self._waiting.extendleft(self._take(task))
            self._ledger.interrupted = interruption.arrived
            if not interruption.arrived and self._ledger.problem is None:
                tasks.update(self._fill())

    def _fill(self) -> list[Any]:
        """Give out as much as the workers, of whom some may have come or gone, have room for."""
        given: list[Any] = []
        now = time.monotonic()
        with _losing_the_scheduler(self._client, self._ledger):
            if now - self._counted > RECOUNT:
                self._room, self._counted = AHEAD * sum(self._client.nthreads().values()), now
            if self._plan.cancelled():  # as all tasks are, also where another scheduler answers at that address
                raise ConnectionError("the connection was lost")
            for _ in range(min(max(1, self._room) - len(self._chunks), len(self._waiting))):
                given.append(self._submit(self._waiting.popleft()))
        return given

    def _submit(self, views: tuple[int, ...]) -> Any:
        task = self._client.submit(make_chunk, self._plan, views, *self._settings, retries=RETRIES, pure=False)
        self._chunks[task] = views
        return task

    def _take(self, task: Any) -> list[tuple[int, ...]]:
        """Take note of a task that has ended; returns what is to be tried again."""
        views = self._chunks.pop(task)
        if task.status == "finished":
            reports: list[Done | Failed] = []
            with _losing_the_scheduler(self._client, self._ledger):
                reports = task.result()
            try:
                for report in reports:
                    self._ledger.record(report)
            except InputError as error:  # the manifest cannot be written
                self._ledger.problem = str(error)
            return []
        problem = None if task.status in ("cancelled", "lost") else task.exception()
        if problem is None:  # nor has one that was cancelled in between any
            return [views]
        if isinstance(problem, DiskFullError | ContextError | InputError):
            self._ledger.problem = str(problem)
            return []
        if len(views) > 1:
            # So that one which kills its worker does not take others with it.
            return [(view,) for view in views]
        self._ledger.record(Failed(views[0], " ".join(str(problem).split())))
        return []


def make_chunk(
    plan: Plan, views: Sequence[int], folder: str, by_worker: dict[str, int], devices: Sequence[int]
) -> list[Done | Failed]:
    """Render and write some views, in a worker process of the cluster."""
    from distributed import get_worker

    address = get_worker().address
    # A worker that came later has no place in the turns.
    device = by_worker.get(address, devices[zlib.crc32(address.encode()) % len(devices)])
    process = _Process.of(plan, device)
    reports: list[Done | Failed] = []
    # The next view is drawn while this one is encoded here.
    ahead = process.start(views[0])
    for following in (*views[1:], None):
        try:
            view = ahead.result()
        except OF_ONE_VIEW as error:
            view = Failed(0, str(error))
        index = views[len(reports)]
        if following is not None:
            ahead = process.start(following)
        reports.append(Failed(index, view.problem) if isinstance(view, Failed) else _write(plan, folder, view))
    return reports


def _write(plan: Plan, folder: str, view: RenderedView) -> Done | Failed:
    try:
        return Done(view.index, tuple(write_files(Path(folder), encode_view(plan, view))))
    except DiskFullError:
        raise
    except OF_ONE_VIEW as error:
        return Failed(view.index, str(error))


class _Process:
    """A worker process's context, in a thread of its own: the tasks' threads come and go."""

    _lock = threading.Lock()
    _current: "_Process | None" = None

    def __init__(self, key: str, plan: Plan, device: int) -> None:
        self._key = key
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="render")
        limit_threads(CORES)  # a cluster's machine has a worker for each core
        self._maker = self._thread.submit(ViewMaker, plan, device).result()

    @classmethod
    def of(cls, plan: Plan, device: int) -> "_Process":
        """The one of this process for a plan; that of an earlier plan is given up."""
        key = f"{os.getpid()} {plan.account()}"
        with cls._lock:
            if cls._current is None or cls._current._key != key:
                if cls._current is not None:
                    cls._current._thread.submit(cls._current._maker.close).result()
                    cls._current._thread.shutdown()
                    cls._current = None
                cls._current = cls(key, plan, device)
            return cls._current

    def start(self, view: int) -> Any:
        """A future of a rendered view."""
        return self._thread.submit(self._maker.render, view)


def _devices_by_worker(workers: dict[str, Any], devices: Sequence[int]) -> dict[str, int]:
    """The device of each worker: the workers of a machine get the devices in turns."""
    turns: dict[str, int] = {}
    chosen = {}
    for address, worker in sorted(workers.items()):
        turn = turns.get(worker["host"], 0)
        turns[worker["host"]] = turn + 1
        chosen[address] = devices[turn % len(devices)]
    return chosen


def _same(plan: Plan) -> Plan:
    return plan
