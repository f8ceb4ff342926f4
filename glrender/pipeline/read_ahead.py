"""The frames of a sequence, read by a thread of their own while the ones before are worked on."""

from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice, pairwise
from time import monotonic, sleep

from glrender.io.images import FrameError
from glrender.io.sequence import Frame, FrameEntry, Sequence
from glrender.stopwatch import Stopwatch

_AHEAD = 3
"""Frames that wait at most; decoding one takes about a third of the time that fusing it does."""
_AHEAD_AT_A_PACE = 2
"""One that is worked on, and one that is read meanwhile: a third would be older when its turn came."""

LATE = "dropped to keep up: the next frame had come"
"""Why a frame is left out that comes too late at a pace."""


@dataclass(frozen=True, eq=False)
class ReadFrame:
    """What came of reading a frame."""

    entry: FrameEntry
    frame: Frame | None
    error: FrameError | None
    """Why there is no frame; None, without a frame, if it came too late."""
    milliseconds: float
    """How long reading took."""

    @property
    def late(self) -> bool:
        """Whether it was dropped, unread, because it came too late."""
        return self.frame is None and self.error is None


def read_ahead(sequence: Sequence, entries: tuple[FrameEntry, ...], pace: "Pace | None" = None) -> Generator[ReadFrame]:
    """Each of `entries` in order; what is damaged has its error.

    At a `pace` none is read before it was recorded, and those that come too late are not read at all.
    """
    remaining, ahead = iter(entries), _AHEAD if pace is None else _AHEAD_AT_A_PACE
    with ThreadPoolExecutor(1, thread_name_prefix="glrender-read") as thread:
        waiting: deque[Future[ReadFrame]] = deque()
        try:
            while True:
                for entry in islice(remaining, ahead - len(waiting)):
                    waiting.append(thread.submit(_read, sequence, entry, pace))
                if not waiting:
                    return
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _read(sequence: Sequence, entry: FrameEntry, pace: "Pace | None") -> ReadFrame:
    if pace is not None and not pace.wait_for(entry):
        return ReadFrame(entry, None, None, 0.0)
    watch = Stopwatch()
    frame = error = None
    with watch.stage("read"):
        try:
            frame = sequence.read(entry)
        except FrameError as damaged:
            error = damaged
    return ReadFrame(entry, frame, error, watch.milliseconds["read"])


class Pace:
    """The pace at which frames were recorded, from the moment at which the first one is asked about.

    Frames that come too late are dropped, but never so many that more than `longest_gap` seconds lie between two that
    are taken: whoever follows a camera would lose it, and catches up sooner with a few late frames than without. The
    gap may be changed on the way. A frame is not dropped for being late by less than `patience` seconds: of a fast
    camera, many frames come in a moment in which other programs want the machine.
    """

    def __init__(
        self, entries: tuple[FrameEntry, ...], longest_gap: float = float("inf"), patience: float = 0.0
    ) -> None:
        self._next = {entry.index: following.time for entry, following in pairwise(entries)}
        self.longest_gap = longest_gap
        self._patience = patience
        self._started: tuple[float, float] | None = None
        self._taken = 0.0
        self.behind = 0.0
        """Seconds by which the last frame that was taken came too late."""

    def wait_for(self, entry: FrameEntry) -> bool:
        """Sleep until the time at which a frame was recorded. False, at once, if it comes too late: if the one after it
        was recorded by now."""
        if self._started is None:
            self._started, self._taken = (monotonic(), entry.time), entry.time
        wall, recorded = self._started
        now = recorded + monotonic() - wall
        following = self._next.get(entry.index, float("inf"))
        if now >= following + self._patience and following - self._taken <= self.longest_gap:
            return False
        sleep(max(0.0, entry.time - now))
        self._taken, self.behind = entry.time, max(0.0, now - entry.time)
        return True
