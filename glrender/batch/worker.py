"""A worker process: renders in its main thread, writes files in others, and tells what became of each view.

Encoding is for the other threads, too, unless there is a worker for each core and it is the cores that draw: what has
just been rendered is then encoded while it is in the cache.
"""

import signal
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

from glrender.batch.job import Plan
from glrender.batch.maker import Files, ViewMaker, encode_view, limit_threads, write_files
from glrender.batch.messages import Awake, Begin, Broken, Chunk, Done, Failed, Finish, Order, Report, Started, Stop
from glrender.batch.rendered_view import RenderedView
from glrender.errors import ContextError, InputError, LimitError, UsageError
from glrender.io.files import DiskFullError
from glrender.parallel import CORES

ENCODERS = 2
"""Threads that encode and write: the PNG of an image takes about as long as rendering it, and that of a depth too."""
WAITING = 2
"""How many rendered views may wait for a thread; more would only take memory."""

OF_ONE_VIEW = (InputError, LimitError, UsageError)
"""Errors that are one view's own. Any other one is taken for the context's, so that another worker may do better."""


def work(connection: Connection, folder: Path, device: int, workers: int) -> None:
    """What a worker, one of `workers`, does until it is told to end, or until nobody is there any more to tell it."""
    # Ctrl-C reaches all processes of a terminal, and SIGTERM all of a batch system's job: what becomes of it is for
    # the employer to say.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    limit_threads(workers)
    reports = _Reports(connection)
    try:
        reports.send(Awake())
        order: Order = connection.recv()
        if not isinstance(order, Begin):
            return  # it is all over before it has begun
        with ViewMaker(order.plan, device) as maker:
            reports.send(Started(maker.gl_renderer))
            alone = workers >= CORES and maker.on_processor
            _make_views(_Orders(connection), reports, maker, order.plan, folder, alone)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
    except (ContextError, InputError) as error:  # no OpenGL, or an input that has changed
        reports.send(Broken(str(error), hopeless=True))
    except Exception as error:  # a worker's last words: whatever it is, the employer decides
        reports.send(Broken(f"{type(error).__name__}: {error}", hopeless=False))


class _Reports:
    """Sends from several threads."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def send(self, report: Report) -> None:
        with self._lock:
            self._connection.send(report)


class _Orders:
    """The views that a worker has been told to make."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._views: deque[int] = deque()
        self._last = False

    def next(self) -> int | None:
        """The next view; waits for one, and gives None when there will be no more."""
        while self._connection.poll() or not (self._views or self._last):
            order: Order = self._connection.recv()
            if isinstance(order, Chunk):
                self._views.extend(order.views)
            else:
                assert isinstance(order, Finish | Stop)
                self._last = True
                if isinstance(order, Stop):
                    self._views.clear()
        return self._views.popleft() if self._views else None


def _make_views(orders: _Orders, reports: _Reports, maker: ViewMaker, plan: Plan, folder: Path, alone: bool) -> None:
    """Make the views that are ordered; a worker that is `alone` on its core encodes them in this thread, too."""
    helpers = _Helpers(1 if alone else ENCODERS)
    with helpers:
        while (index := orders.next()) is not None:
            made: RenderedView | Files
            try:
                made = maker.render(index)
                if alone:
                    made = encode_view(plan, made)
            except OF_ONE_VIEW as error:
                reports.send(_failure(index, error))
            else:
                helpers.submit(partial(_finish, reports, plan, folder, index, made))


def _finish(reports: _Reports, plan: Plan, folder: Path, index: int, made: RenderedView | Files) -> None:
    """Write a view's files, encoded first if they are not yet, and tell of it."""
    try:
        files = encode_view(plan, made) if isinstance(made, RenderedView) else made
        report: Report = Done(index, tuple(write_files(folder, files)))
    except OF_ONE_VIEW as error:
        report = _failure(index, error)
    reports.send(report)


def _failure(index: int, error: Exception) -> Failed | Broken:
    return Broken(str(error), hopeless=True) if isinstance(error, DiskFullError) else Failed(index, str(error))


class _Helpers:
    """Threads that finish views. A few may wait for a thread; leaving the block waits for all of them."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="finish")
        self._room = threading.Semaphore(threads + WAITING)
        self._problem: BaseException | None = None

    def submit(self, task: Callable[[], None]) -> None:
        self._room.acquire()
        if self._problem is not None:
            raise self._problem
        self._pool.submit(self._run, task)

    def _run(self, task: Callable[[], None]) -> None:
        try:
            task()
        except BaseException as problem:
            self._problem = problem  # raised in the main thread, where it ends the worker
        finally:
            self._room.release()

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()
        if self._problem is not None:
            raise self._problem
