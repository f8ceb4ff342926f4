"""What a process of its own makes, while this one works on what it has made before.

A thread would have to share Python's lock: where both make many short calls, each waits for the other's.
"""

import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import Thread
from time import monotonic
from typing import Any, Generic, Protocol, TypeVar

from glrender.errors import GlrenderError, ProcessError
from glrender.interrupt import interruptible_after, interrupts_blocked
from glrender.parallel import blas_on_one_core

Item = TypeVar("Item")
Made = TypeVar("Made", contravariant=True)
Result = TypeVar("Result")

_LONGEST_GOODBYE = 60.0
"""Seconds that a task may take to be left."""


class Give(Protocol[Made]):
    """Hands over what was made; False: nobody wants any more."""

    def __call__(self, item: Made, /) -> bool: ...


@dataclass(frozen=True, eq=False)
class _Given(Generic[Item]):
    item: Item


@dataclass(frozen=True, eq=False)
class _Ended(Generic[Result]):
    result: Result


@dataclass(frozen=True, eq=False)
class _Failed:
    error: GlrenderError


class Beside(Generic[Item, Result]):
    """A process that wakes up and does `rehearsal()`, and then, once told to `begin`, a task.

    Both are functions of modules, as are the task's arguments things that can be pickled. Close it in the end, whatever
    happened: the task is left after the item that it is about.
    """

    def __init__(self, name: str, rehearsal: Callable[[], object]) -> None:
        context = get_context("spawn")
        self._name = name
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(name, theirs), daemon=True, name=f"glrender-{name}")
        with interrupts_blocked():  # until it ignores them
            self._process.start()
        theirs.close()  # so that its end is the end of the connection
        self._items: list[Item] = []
        self._end: _Ended[Result] | _Failed | None = None
        self._say(rehearsal)

    def begin(self, task: Callable[..., Result], *arguments: object) -> None:
        """Have task(give, *arguments) done, where give(item) hands an item over, see `Give`."""
        self._say((task, arguments))

    def arrivals(self) -> Iterator[None]:
        """Wait each time until items have come, for `rest` to take; an error of the task's is raised after them.

        So whoever is interrupted before it has taken them still finds them there. Raises ProcessError where the process
        was killed, or what was raised there was no error of this program's.
        """
        while self._end is None:
            self._connection.poll(None)
            with interruptible_after():  # other than the wait
                self._receive()
                while self._end is None and self._connection.poll():
                    self._receive()
            if self._items:
                yield
        self.result()

    def rest(self) -> list[Item]:
        """The items that have come since the last time, and nobody has taken; after `close`, those that came until
        then."""
        items, self._items = self._items, []
        return items

    def result(self) -> Result:
        """What the task has returned, once it has ended or was left; raises its error."""
        if isinstance(self._end, _Ended):
            return self._end.result
        assert self._end is not None, "close it first, or take all"
        raise self._end.error

    def close(self) -> None:
        """Leave the task, if it goes on, and wait for its result, some seconds at most; may be called twice."""
        with interruptible_after():
            try:
                if self._end is None:
                    self._say(None)
                    until = monotonic() + _LONGEST_GOODBYE
                    while self._end is None and self._connection.poll(max(0.0, until - monotonic())):
                        self._receive()
            finally:
                # What has said all need not be waited for.
                self._process.kill()
                self._process.join()
                if self._end is None:
                    self._bury()
                self._connection.close()

    def _say(self, order: object) -> None:
        # A message that is broken off would be gone on with by the next one. If nobody is there to hear it, that shows
        # when something is to be received.
        with interruptible_after(), suppress(OSError):
            self._connection.send(order)

    def _receive(self) -> None:
        try:
            message = self._connection.recv()
        except (EOFError, OSError):  # the latter within a message
            self._bury()
            return
        if isinstance(message, _Given):
            self._items.append(message.item)
        else:
            self._end = message

    def _bury(self) -> None:
        self._process.join()
        status = self._process.exitcode or 0
        if status < 0:
            problem = f"its process was killed by {signal.Signals(-status).name}; was there too little memory?"
        else:
            problem = (
                f"its process ended with status {status} before it was done; see what it printed. (A script that "
                'starts it needs `if __name__ == "__main__":`, since the process reads that script, too.)'
            )
        self._end = self._end or _Failed(ProcessError(f"{self._name}: {problem}"))


def _work(name: str, connection: Connection) -> None:
    # Ctrl-C reaches all processes of a terminal: what becomes of it is for the first one to say.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    outgoing: SimpleQueue[Any] = SimpleQueue()
    sender = Thread(target=_send, args=(connection, outgoing), daemon=True)
    sender.start()

    def give(item: object) -> bool:
        outgoing.put(_Given(item))
        return not connection.poll()  # it is told to leave, or nobody is there any more

    try:
        rehearsal = connection.recv()  # with all the libraries that it needs
        with blas_on_one_core():
            rehearsal()
            result = None
            if (order := connection.recv()) is not None:  # it is told to leave before there is a task
                task, arguments = order
                result = task(give, *arguments)
            outgoing.put(_Ended(result))
    except EOFError:  # nobody is there any more
        pass
    except BaseException as error:
        outgoing.put(_Failed(_portable(name, error)))
    outgoing.put(None)
    sender.join()


def _portable(name: str, error: BaseException) -> GlrenderError:
    """The same with a note of where it was raised; of others' errors, not all of which can be sent, what they say."""
    if not isinstance(error, GlrenderError):
        error = ProcessError(f"{name}: unexpected {type(error).__name__}: {error}")
    error.add_note(f"there:\n{traceback.format_exc()}")
    return error


def _send(connection: Connection, outgoing: "SimpleQueue[Any]") -> None:
    """Send what comes, so that whoever makes it need not wait for whoever is busy with the one before."""
    with suppress(OSError):  # nobody is there any more
        while (message := outgoing.get()) is not None:
            connection.send(message)
