"""A camera followed from nothing: the first photographs make a start, the others are tracked."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glrender.frontend.bootstrap import Bootstrap, BootstrapOptions, Start
from glrender.frontend.tracker import TrackedFrame, Tracker
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.io.sequence import FrameEntry

Float32 = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Followed:
    """A photograph, and what tracking made of it."""

    entry: FrameEntry
    image: Float32
    """(height, width, 3) linear."""
    tracked: TrackedFrame


class Follower:
    """Follows a camera over ground that is roughly level at first; owned by `context`."""

    def __init__(self, context: Context, camera: Camera, scale: BootstrapOptions) -> None:
        self._bootstrap = Bootstrap(camera, scale)
        self._tracker = Tracker(context, camera)
        self._waiting: list[tuple[FrameEntry, Float32]] = []
        self.start: Start | None = None
        """The world, once there is one: its floor at z = 0, below the first camera its origin."""
        self.reason = "no photograph yet"
        """What a start is still waited for."""

    def add(self, entry: FrameEntry, image: Float32) -> list[Followed]:
        """Take the next photograph; gives those whose tracking is done by it: at the start all since the first one."""
        if self.start is not None:
            return [Followed(entry, image, self._tracker.track(entry.time, image))]
        self._waiting.append((entry, image))
        progress = self._bootstrap.add(image)
        self.reason = progress.reason
        if progress.start is None:
            return []
        self.start = progress.start
        self._tracker.use_map(self.start.surface)
        first, *others = self._waiting[self.start.frames[0] :]
        self._waiting.clear()
        started = self._tracker.start(first[0].time, first[1], self.start.poses[0])
        tracked = [Followed(each, picture, self._tracker.track(each.time, picture)) for each, picture in others]
        return [Followed(*first, started), *tracked]

    def use_map(self, surface: HeightMap) -> None:
        """Take the ground to be `surface` from now on."""
        self._tracker.use_map(surface)

    def release(self) -> None:
        """Release what this made in the context."""
        self._tracker.release()
