"""What a frame costs after many frames, and whether memory grows with them."""

import os
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glrender.advance import Advance, silently
from glrender.bench.fusion_benchmark import Feeder, new_fusion
from glrender.bench.recording import Recording
from glrender.bench.timing import Timing, numbers, take_turns
from glrender.gl.context import Context

YOUNG = 10
"""Frames in the map that an aged one is compared with."""
SETTLED = 100
"""Frames after which memory is looked at: by then the process has got all memory that it goes on to use."""

_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Aging:
    """A map that has had many frames beside one that has had few, given the same frames in turns."""

    image: tuple[int, int]
    """Width and height, pixels."""
    shape: tuple[int, int]
    """Rows and columns of the maps."""
    frames: tuple[int, int]
    """How many the young and the old map had before."""
    young: Timing
    """Times of a frame in the young map."""
    old: Timing
    """Times of the same frame in the old map."""
    growth: float
    """Bytes of this process's resident memory a frame: the slope of a line through it, from SETTLED frames on."""

    @property
    def ratio(self) -> float:
        """How many times as long the same frame takes in the old map: the median over the rounds."""
        return self.old.ratio(self.young)

    def account(self) -> dict[str, Any]:
        """What a JSON file keeps of it, with what follows worked out."""
        timings = numbers({"young": self.young, "old": self.old})
        return vars(self) | timings | {"ratio": self.ratio}


def age(
    context: Context,
    recording: Recording,
    spacing: float,
    frames: int,
    rounds: int,
    advance: Advance = silently,
) -> Aging:
    """Give a map `frames` frames, YOUNG or more, and then compare; `advance(done, total)` is called meanwhile.

    They are rounded up, so that the old map goes on with the very frame that is next for the young one.
    """
    total = YOUNG + -(-(frames - YOUNG) // recording.period) * recording.period
    with ExitStack() as stack:
        fusions = [new_fusion(context, recording, spacing) for _ in range(2)]
        for fusion in fusions:
            stack.callback(fusion.release)
        young, old = (Feeder(context, fusion, recording) for fusion in fusions)
        resident = []
        for done in range(total):
            old()
            resident.append(_resident_bytes())
            advance(done + 1, total)
        while young.frames < YOUNG:
            young()
        timings = take_turns({"young": young, "old": old}, rounds, warm_up=0, in_a_row=True)
        return Aging(
            image=(recording.camera.width, recording.camera.height),
            shape=fusions[0].grid.shape,
            frames=(YOUNG, total),
            young=timings["young"],
            old=timings["old"],
            growth=slope(np.array(resident[min(SETTLED, total // 2) :], float)),
        )


def slope(values: NDArray[np.float64]) -> float:
    """The slope of the line that fits best through two or more values at 0, 1, 2, …"""
    return float(np.polyfit(np.arange(len(values)), values, 1)[0])


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE
