"""How near each stage comes to what the machine can do: achieved against measured bandwidth and arithmetic."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from glrender.bench.ceilings import COPIED_BYTES
from glrender.bench.timing import Timing
from glrender.bench.work import Work


@dataclass(frozen=True)
class Point:
    """One stage on one map."""

    stage: str
    """Its name."""
    image: tuple[int, int] | None
    """Width and height, pixels; None where no image plays a part."""
    vertices: int
    """Along each side of the map."""
    where: str
    """"host" or "GPU": whose bandwidth it is compared with."""
    work: Work
    """What it has to move and to compute."""
    milliseconds: float
    """Median over the rounds."""
    share: float
    """The stage's bandwidth as a share of that of copying, which took its turn in every round: the median."""

    @property
    def bandwidth(self) -> float:
        """Bytes a second."""
        return self.work.bytes / (1e-3 * self.milliseconds)

    @property
    def speed(self) -> float:
        """Floating-point operations a second."""
        return self.work.flops / (1e-3 * self.milliseconds)

    @property
    def intensity(self) -> float:
        """Floating-point operations a byte."""
        return self.work.flops / self.work.bytes

    def account(self) -> dict[str, Any]:
        """What a JSON file keeps of it, with what follows worked out."""
        return {
            "stage": self.stage,
            "image": self.image,
            "vertices": self.vertices,
            "where": self.where,
            "bytes": self.work.bytes,
            "flops": self.work.flops,
            "milliseconds": self.milliseconds,
            "gigabytes_per_second": 1e-9 * self.bandwidth,
            "gigaflops_per_second": 1e-9 * self.speed,
            "flops_per_byte": self.intensity,
            "share_of_copy_bandwidth": self.share,
        }


@dataclass(frozen=True)
class Ceilings:
    """What the machine reached in the same run, however busy it was: medians, as the stages' are."""

    copy: dict[str, float]
    """By "host" and, where there is a GPU, "GPU": bytes a second, read and written ones together."""
    flops: float
    """Operations a second of the host, in a product of float64 matrices."""

    @staticmethod
    def of(copies: Sequence[Mapping[str, Timing]], flops: float) -> "Ceilings":
        """From all copies, by place, the median over their rounds."""
        places = dict.fromkeys(place for timings in copies for place in timings)
        rounds = {place: np.concatenate([t[place].milliseconds for t in copies if place in t]) for place in places}
        return Ceilings({place: COPIED_BYTES / (1e-3 * float(np.median(ms))) for place, ms in rounds.items()}, flops)


def points(
    timings: Mapping[str, Timing],
    work: Mapping[str, Work],
    copies: Mapping[str, Timing],
    image: tuple[int, int] | None,
    vertices: int,
    on_gpu: Collection[str] = (),
) -> list[Point]:
    """A point for each stage that has a timing and work; on the host, but for the stages `on_gpu`.

    `copies` are the timings of the copies, by "host" and "GPU".
    """
    found = []
    for stage, timing in timings.items():
        if stage not in work:
            continue
        where = "GPU" if stage in on_gpu else "host"
        share = work[stage].bytes / COPIED_BYTES * copies[where].ratio(timing)
        found.append(Point(stage, image, vertices, where, work[stage], timing.median, share))
    return found
