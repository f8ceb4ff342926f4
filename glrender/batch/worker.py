"""A worker process: renders in its main thread, encodes and writes in others, and tells what became of each view."""

import signal
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path

from glrender.batch.job import Plan
from glrender.batch.maker import ViewMaker, limit_threads, write_view
from glrender.batch.messages import Awake, Begin, Broken, Chunk, Done, Failed, Finish, Order, Report, Started, Stop
from glrender.batch.rendered_view import RenderedView
from glrender.errors import ContextError, InputError, LimitError, UsageError
from glrender.io.files import DiskFullError

ENCODERS = 2
"""Threads that encode and write: the PNG of an image takes about as long as rendering it, that of its depth too."""
WAITING = 2
"""Rendered views that may wait for a thread; more would only take memory."""

OF_ONE_VIEW = (InputError, LimitError, UsageError)
"""What is one view's own fault. Anything else is taken for the context's: another worker may do better."""


def work(connection: Connection, folder: Path, device: int, workers: int) -> None:
    """The life of a worker, one of so many: it ends when it is told to, or when nobody is there any more to tell it."""
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
            _make_views(_Orders(connection), reports, maker, order.plan, folder)
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


def _make_views(orders: _Orders, reports: _Reports, maker: ViewMaker, plan: Plan, folder: Path) -> None:
    encoders = _Encoders(lambda view: reports.send(_write(plan, folder, view)))
    with encoders:
        while (index := orders.next()) is not None:
            try:
                view = maker.render(index)
            except OF_ONE_VIEW as error:
                reports.send(Failed(index, str(error)))
            else:
                encoders.submit(view)


def _write(plan: Plan, folder: Path, view: RenderedView) -> Report:
    try:
        return Done(view.index, tuple(write_view(plan, folder, view)))
    except DiskFullError as error:
        return Broken(str(error), hopeless=True)
    except OF_ONE_VIEW as error:
        return Failed(view.index, str(error))


class _Encoders:
    """Threads to which rendered views are given, as many as may wait; leaving the block waits for all of them."""

    def __init__(self, write: Callable[[RenderedView], None]) -> None:
        self._write = write
        self._pool = ThreadPoolExecutor(ENCODERS, thread_name_prefix="encode")
        self._room = threading.Semaphore(ENCODERS + WAITING)
        self._problem: BaseException | None = None

    def submit(self, view: RenderedView) -> None:
        self._room.acquire()
        if self._problem is not None:
            raise self._problem
        self._pool.submit(self._run, view)

    def _run(self, view: RenderedView) -> None:
        try:
            self._write(view)
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
