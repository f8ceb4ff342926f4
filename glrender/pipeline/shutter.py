"""A shutter that exposes one row after the other, told together with the poses of its photographs, and undone in them.

How long it takes is told by how the poses turn and move, and these by photographs in which it is undone: so both are
found in turns. As one more unknown of the bundle adjustment, with photographs as they are, it goes astray: windows that
shear overdo by a tenth how rows move against each other, and where a camera goes straight on over even ground, next to
nothing tells how long a shutter takes from how the camera is tilted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from glrender.frontend.estimate import TimeEstimate
from glrender.frontend.refine_poses import RefinedPoses
from glrender.geometry.row_motion import RowMotion
from glrender.io.sequence import FrameEntry

_LONGEST = 0.1  # seconds: what seems to be a shutter that takes longer is something else


@dataclass(frozen=True, eq=False)
class Shutter:
    """A rolling shutter: how long it takes, and what is undone in which photographs for it. By default there is
    none."""

    readout: TimeEstimate = field(default_factory=lambda: TimeEstimate(0.0, 0.0))
    """As photographs have `told`."""
    row_motions: Mapping[int, RowMotion] = field(default_factory=dict)
    """What is undone in photographs, by their indices; empty as long as all rows seem to be exposed at once."""

    @property
    def seconds(self) -> float:
        """From the first row to the last, as far as it is undone."""
        return self.readout.seconds if self.row_motions else 0.0

    def told(self, entries: tuple[FrameEntry, ...], refined: RefinedPoses) -> "Shutter":
        """The shutter that is told by photographs in which this one was undone, once their poses are `refined`.

        Nothing is to be undone if all rows may be exposed at once, or if it would take longer than any shutter. A
        camera file that is wrong by some per cent looks like a shutter of a millisecond or a few.
        """
        left = refined.rounds[-1].readout
        readout = TimeEstimate(self.seconds + left.seconds, left.sigma)
        if not readout.is_certain or abs(readout.seconds) > _LONGEST:
            return Shutter(readout)
        motions = refined.row_motions(readout.seconds)
        return Shutter(readout, {entry.index: motion for entry, motion in zip(entries, motions, strict=True)})

    def is_confirmed_by(self, told: "Shutter") -> bool:
        """Whether what is told then is the same, as far as that can be told."""
        return self.readout.is_confirmed_by(told.readout)

    def scaled(self, factor: float) -> "Shutter":
        """The same with all lengths multiplied by `factor`."""
        return Shutter(self.readout, {index: motion.scaled(factor) for index, motion in self.row_motions.items()})

    def description(self, told: "Shutter") -> dict[str, Any]:
        """For `report.json`: what the photographs tell, and what is undone in them."""
        return {"seconds": told.readout.seconds, "sigma": told.readout.sigma, "undone": self.seconds}
