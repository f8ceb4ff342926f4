"""What became of the frames of a camera that was followed: poses, frames that are left out, and what is reported."""

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glrender.frontend.tracker import TrackedFrame
from glrender.io.sequence import FrameEntry, Skipped


class TrackingReport:
    """Takes the frames of one way through a sequence, in their order."""

    def __init__(self) -> None:
        self.found: list[FrameEntry] = []
        self.poses: dict[int, NDArray[np.float64]] = {}
        """T_world_camera (4, 4) of the frames that were found, by their index, as they were found."""
        self.skipped: list[Skipped] = []
        self._states: Counter[str] = Counter()
        self._lost_since_found = 0

    def add(self, entry: FrameEntry, tracked: TrackedFrame) -> None:
        """Take a frame and what tracking made of it."""
        self._states[tracked.state] += 1
        if tracked.T_world_camera is None:
            self._lost_since_found += tracked.state == "lost"
            self.skip(entry, f"{tracked.state}: {tracked.reason}")
        else:
            self._lost_since_found = 0
            self.poses[entry.index] = tracked.T_world_camera
            self.found.append(entry)

    def skip(self, entry: FrameEntry, reason: str) -> None:
        """Leave out a frame that was not tracked."""
        self.skipped.append(Skipped(entry.index, entry.name, reason))

    def describe(self) -> dict[str, Any]:
        """How many frames came to which state, how many were lost after the last that was found, and which that is."""
        states, lost = dict(self._states), self._lost_since_found
        return {"states": states, "lost_at_end": lost, "last_found": self.found[-1].name}
