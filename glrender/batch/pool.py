"""Worker processes on this machine: given views in chunks, replaced when they die."""

import signal
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path

from glrender.batch.interruption import Interruption
from glrender.batch.job import Plan
from glrender.batch.ledger import Ledger
from glrender.batch.messages import Awake, Begin, Broken, Chunk, Done, Failed, Finish, Order, Report, Started, Stop
from glrender.batch.worker import work
from glrender.errors import InputError
from glrender.interrupt import interrupts_blocked

RETRIES = 3
"""How often a view is tried again after the worker that had it has died."""

LARGEST_CHUNK = 16
"""The most views that are handed out at once: at some milliseconds each, a worker asks a few times a second."""

FEW = 6
"""A worker that has no more views left than these is given more: so many are under way when all its threads work."""

_GONE = (EOFError, BrokenPipeError, ConnectionResetError, OSError)
"""What a connection raises whose other end has died, in the middle of a message too."""


@dataclass(eq=False)
class _Worker:
    process: SpawnProcess
    connection: Connection
    device: int
    started: bool = False
    views: set[int] = field(default_factory=set)
    """Those that it was given, and has not told of since."""
    suspect: bool = False
    """Whether its view was with a worker that died: it gets no other until that is done."""
    problem: str | None = None
    """Why it ends, as it said last."""


class Pool:
    """Renders views by `workers` processes, which get the devices in turns, and tells the ledger what becomes of each.

    A worker that dies is replaced. The views that it had are tried again, at most RETRIES times, and one by one, so
    that a view which kills its worker does not take others with it.
    """

    def __init__(self, plan: Plan, folder: Path, ledger: Ledger, workers: int, devices: Sequence[int]) -> None:
        self._plan, self._folder, self._ledger = plan, folder, ledger
        self._devices = [devices[k % len(devices)] for k in range(workers)]
        self._workers: list[_Worker] = []
        self._chunks: deque[tuple[int, ...]] = deque()
        self._again: deque[int] = deque()
        self._tries: Counter[int] = Counter()
        self._stillborn = 0
        self._ending = False

    def run(self) -> None:
        """Render what is missing; returns when all is settled, or when there is no going on."""
        missing = self._ledger.missing
        # Several chunks a worker even of few views, so that all of them end at about the same time.
        size = max(1, min(LARGEST_CHUNK, len(missing) // (4 * len(self._devices))))
        self._chunks.extend(tuple(missing[k : k + size]) for k in range(0, len(missing), size))
        with Interruption() as interruption:
            signals = [interruption.fd]
            try:
                for device in self._devices[: len(self._chunks)]:
                    self._start(device)
                while self._workers:
                    for ready in wait([*signals, *(worker.connection for worker in self._workers)]):
                        if isinstance(ready, int):
                            signals.clear()
                            self._ledger.interrupted = True
                            self._end(Stop())
                        else:
                            self._hear(next(worker for worker in self._workers if worker.connection is ready))
            finally:
                for worker in self._workers:  # none, unless something went wrong here
                    worker.process.kill()

    def _start(self, device: int) -> None:
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        # The plan follows when it is awake: what a process is started with is written to a pipe, and for more than the
        # pipe holds, multiprocessing waits for ever if the process is killed before it has read it.
        arguments = (theirs, self._folder, device, len(self._devices))
        process = context.Process(target=work, args=arguments, daemon=True, name="glrender-worker")
        with interrupts_blocked():
            process.start()
        # Theirs alone from now on, so that its end is the end of the connection.
        theirs.close()
        self._workers.append(_Worker(process, ours, device))

    def _hear(self, worker: _Worker) -> None:
        try:
            report: Report = worker.connection.recv()
        except _GONE:
            self._bury(worker)
            return
        match report:
            case Awake():
                if not self._ending:
                    self._send(worker, Begin(self._plan))
            case Started():
                worker.started = True
                self._stillborn = 0
                self._ledger.manifest.add_run({"renderer": report.renderer, "device": worker.device})
            case Done() | Failed():
                worker.views.discard(report.view)
                self._stillborn = 0  # as long as others go on, it is worth while to start more
                try:
                    self._ledger.record(report)
                except InputError as error:  # the manifest cannot be written
                    self._give_up(str(error))
            case Broken():
                worker.problem = report.problem
                if report.hopeless:
                    self._give_up(report.problem)
        self._provide(worker)
        self._end_if_done()

    def _provide(self, worker: _Worker) -> None:
        """Give a worker views, if it has few and there are any."""
        if self._ending or not worker.started or worker.problem is not None:
            return
        if not worker.views:
            worker.suspect = False
        if self._chunks and not worker.suspect and len(worker.views) <= FEW:
            self._give(worker, self._chunks.popleft())
        elif self._again and not worker.views:
            worker.suspect = True
            self._give(worker, (self._again.popleft(),))

    def _give(self, worker: _Worker, views: tuple[int, ...]) -> None:
        worker.views |= set(views)
        self._send(worker, Chunk(views))

    def _send(self, worker: _Worker, order: Order) -> None:
        with suppress(*_GONE):  # if it has died, its connection says so next
            worker.connection.send(order)

    def _bury(self, worker: _Worker) -> None:
        """Take leave of a worker that has ended, and see to what it had."""
        self._workers.remove(worker)
        worker.connection.close()
        worker.process.join()
        if self._ending:
            return
        cause = worker.problem or _cause_of_death(worker.process.exitcode)
        if not worker.started:
            self._stillborn += 1
            if self._stillborn > RETRIES:
                self._give_up(f"workers do not start: {cause}")
                return
        for view in sorted(worker.views):
            self._tries[view] += 1
            if self._tries[view] > RETRIES:
                self._ledger.record(Failed(view, f"{self._tries[view]} workers died with it, the last: {cause}"))
            else:
                self._again.append(view)
        self._ledger.tell(f"a worker died: {cause}; another takes its place")
        self._start(worker.device)
        for other in self._workers:
            self._provide(other)
        self._end_if_done()

    def _give_up(self, problem: str) -> None:
        self._ledger.problem = self._ledger.problem or problem
        self._end(Stop())

    def _end_if_done(self) -> None:
        if not (self._chunks or self._again or any(worker.views for worker in self._workers)):
            self._end(Finish())

    def _end(self, order: Order) -> None:
        if not self._ending:
            self._ending = True
            for worker in self._workers:
                self._send(worker, order)


def _cause_of_death(status: int | None) -> str:
    if status is not None and status < 0:
        return f"killed by {signal.Signals(-status).name}"
    return f"ended with status {status}"
