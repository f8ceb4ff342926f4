"""Which pictures of a recording are taken."""

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from glrender.io.association import TOLERANCE
from glrender.io.recordings.recording import Picture

DISORDER = 1.0
"""Seconds by which the pictures of a recording may come too late, such as those of one topic after another's."""


@dataclass(frozen=True)
class PictureSelection:
    """Which pictures of a recording are taken, and when they were made."""

    start: float = -math.inf
    """Seconds after the first picture that the recording gives, which need not be the earliest."""
    end: float = math.inf
    """Seconds after that picture, too: the last that is taken."""
    every: int = 1
    """1: all; n: every n-th photograph, with the depth images within 20 ms of it, or every n-th depth image where there
    are no photographs."""
    time_offset: float = 0.0
    """Seconds added to the times of the pictures."""


def selected(pictures: Iterable[Picture], selection: PictureSelection, photographs: bool) -> Iterator[Picture]:
    """The pictures of a selection, at new times, to the microsecond; `photographs`: whether there are any."""
    chosen = _within(pictures, selection.start, selection.end)
    if selection.every > 1:
        every = selection.every
        chosen = _thinned(chosen, every) if photographs else itertools.islice(chosen, 0, None, every)
    for picture in chosen:
        yield replace(picture, time=round(picture.time + selection.time_offset, 6))


def _within(pictures: Iterable[Picture], start: float, end: float) -> Iterator[Picture]:
    first = None
    for picture in pictures:
        first = picture.time if first is None else first
        after = picture.time - first
        if after > end + DISORDER:
            return
        if start <= after <= end:
            yield picture


def _thinned(pictures: Iterable[Picture], every: int) -> Iterator[Picture]:
    """Every n-th photograph; a depth image waits until it is known whether one near it is taken."""
    taken: list[float] = []
    waiting: list[Picture] = []
    photographs = 0
    for picture in pictures:
        if picture.kind == "depth":
            waiting.append(picture)
        else:
            if photographs % every == 0:
                taken.append(picture.time)
                yield picture
            photographs += 1
        settled = [depth for depth in waiting if depth.time < picture.time - DISORDER]
        waiting = [depth for depth in waiting if depth.time >= picture.time - DISORDER]
        yield from _near(settled, taken)
        taken = [time for time in taken if time > picture.time - 3 * DISORDER]
    yield from _near(waiting, taken)


def _near(depths: list[Picture], times: list[float]) -> Iterator[Picture]:
    return (depth for depth in depths if any(abs(depth.time - time) <= TOLERANCE for time in times))
