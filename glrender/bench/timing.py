"""Timing candidates against each other on a machine that is not ours alone.

They take turns, A B C A B C …, so that a slow spell of the machine falls on all of them, and ratios are taken
round by round before the median is.
"""

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

REST = 0.002
"""Seconds between two looks at whether the last candidate's threads rest: Mitsuba's spin for 16 ms when it is done."""

NOISY = 1.25
"""Where the median exceeds the minimum by this factor, something else has used the machine too."""


@dataclass(frozen=True, eq=False)
class Timing:
    """How long a candidate took in each round."""

    milliseconds: NDArray[np.float64]
    """(rounds,)"""

    @property
    def median(self) -> float:
        """Milliseconds."""
        return float(np.median(self.milliseconds))

    @property
    def minimum(self) -> float:
        """Milliseconds."""
        return float(self.milliseconds.min())

    @property
    def noisy(self) -> bool:
        """Whether something else had the machine for part of the time."""
        return self.median > NOISY * self.minimum

    def ratio(self, other: "Timing") -> float:
        """How many times longer than `other` this took: the median over the rounds."""
        return float(np.median(self.milliseconds / other.milliseconds))


def numbers(timings: Mapping[str, Timing]) -> dict[str, dict[str, Any]]:
    """Timings for a file, milliseconds."""
    return {
        name: {"median": timing.median, "minimum": timing.minimum, "rounds": timing.milliseconds}
        for name, timing in timings.items()
    }


def take_turns(
    candidates: Mapping[str, Callable[[], object]], rounds: int, *, warm_up: int = 3, in_a_row: bool = False
) -> dict[str, Timing]:
    """Time each candidate once a round, after `warm_up` rounds that do not count.

    A candidate returns when its work is done: whoever gives work to a GPU or to threads waits for them in it. Where
    calls leave work to be done beside the next one, as a frame does in fusion, they have to be timed `in_a_row`: each
    candidate is then called twice in its turn, and the second call is timed, which has the rest of the first to do and
    leaves as much. Threads that are not done are waited for before the next one's turn.
    """
    times = np.empty((warm_up + rounds, len(candidates)))
    collecting = gc.isenabled()
    gc.disable()
    try:
        for turn in times:
            for k, candidate in enumerate(candidates.values()):
                _let_threads_rest()
                if in_a_row:
                    candidate()
                start = time.perf_counter()
                candidate()
                turn[k] = time.perf_counter() - start
            gc.collect()
    finally:
        if collecting:
            gc.enable()
    return {name: Timing(1000 * times[warm_up:, k]) for k, name in enumerate(candidates)}


def _let_threads_rest() -> None:
    for _ in range(50):
        before = time.process_time()
        time.sleep(REST)
        if time.process_time() - before < 0.2 * REST:
            return
