"""Which of a moving camera's photographs are given a depth, from which of the others, and when."""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Sequence as Sequence_
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from glrender.frontend.cross_check import cross_checked
from glrender.frontend.depth_from_motion import DepthFromMotion
from glrender.frontend.motion_depth import MotionDepth
from glrender.frontend.photograph import Photograph
from glrender.frontend.search import Search
from glrender.frontend.sources import choose_sources
from glrender.geometry.intensity import intensity
from glrender.io.images import FrameError
from glrender.io.sequence import FrameEntry, FramePoses, Sequence
from glrender.pipeline.ground import Ground

Float64 = NDArray[np.float64]

APART = 0.04
"""Of the distance to the ground: how far the camera moves from one keyframe to the next."""
TURNED = 15.0
"""Degrees that the camera turns from one keyframe to the next, if it does not move so far before."""
AFTER = 3
"""Keyframes that a keyframe waits for: compared with photographs from both sides, less of its depth is hidden, and less
of it uncertain."""
KEPT = 24
"""How many of the latest keyframes sources are chosen from, and how many photographs of a `Gallery` stay in memory."""
FEW = 3
"""A photograph with fewer sources than this among the latest keyframes is compared with those of a `Gallery`, too."""
NEAREST = 40
"""Photographs of a `Gallery` that sources are chosen from."""


@dataclass(frozen=True, eq=False)
class PosedPhotograph:
    """A photograph with its pose: one that is to be given a depth, and helps others to theirs."""

    entry: FrameEntry
    image: NDArray[np.float32]
    """(height, width, 3) linear colour."""
    photograph: Photograph
    distance: float
    """Metres to the ground along the camera's axis, about."""

    def moved(self, poses: Mapping[float, Float64]) -> "PosedPhotograph":
        """The same at the pose (4, 4) that it has in `poses`, by its time, if it has another there."""
        pose = poses.get(self.entry.time)
        if pose is None or np.array_equal(pose, self.photograph.T_world_camera):
            return self  # a photograph looks at all of its pixels when it is made
        return replace(self, photograph=Photograph(self.photograph.image, pose))


def is_apart(pose: Float64, last: Float64, distance: float) -> bool:
    """Whether a camera at `pose` is far enough from `last` (both (4, 4), to world) to be a keyframe of its own."""
    cosine = (np.trace(last[:3, :3].T @ pose[:3, :3]) - 1) / 2
    turned = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    return bool(np.linalg.norm(pose[:3, 3] - last[:3, 3]) >= APART * distance or turned >= TURNED)


def choose_keyframes(
    entries: Sequence_[FrameEntry], poses: FramePoses, T_world_map: Float64, ground: Ground
) -> tuple[FrameEntry, ...]:
    """The photographs, in their order, that are each far enough from the one chosen before, of `poses` by their index
    (T_world_camera)."""
    chosen: list[FrameEntry] = []
    for entry in entries:
        pose = poses[entry.index]
        if not chosen or is_apart(pose, poses[chosen[-1].index], ground.distance(pose, T_world_map)):
            chosen.append(entry)
    return tuple(chosen)


def with_ends(keyframes: Sequence_[FrameEntry], entries: Sequence_[FrameEntry]) -> tuple[FrameEntry, ...]:
    """The `keyframes` among the photographs `entries`, and up to three more at the ends, in the order of `entries`.

    What the border of the first keyframe shows, the next one does not show any more; only the photographs between them
    do, and it takes two to tell a depth. So the one half way between them is given a depth, too. The same is done at
    the other end, and the very last photograph is added.
    """
    if len(keyframes) < 2:
        return tuple(keyframes)
    numbers = {entry.index: k for k, entry in enumerate(entries)}
    chosen = [numbers[entry.index] for entry in keyframes]
    ends = [(chosen[0] + chosen[1]) // 2, (chosen[-2] + chosen[-1]) // 2, len(entries) - 1]
    return tuple(entries[k] for k in sorted({*chosen, *ends}))


class Gallery:
    """Photographs whose poses are all known, each read when it is asked for. In a flight of several lanes, those of the
    lanes beside a photograph's own show the same ground, however long before or after they were taken."""

    def __init__(self, sequence: Sequence, entries: Iterable[FrameEntry], poses: FramePoses) -> None:
        self._sequence = sequence
        self._entries = {entry.index: entry for entry in entries}
        self._poses = {index: poses[index] for index in self._entries}
        self._read: OrderedDict[int, Photograph | None] = OrderedDict()

    def near(self, keyframe: PosedPhotograph) -> dict[int, Float64]:
        """T_world_camera (4, 4) of those that were taken nearest, by their indices, without itself."""
        at = keyframe.photograph.T_world_camera[:3, 3]
        others = [index for index in self._poses if index != keyframe.entry.index]
        others.sort(key=lambda index: float(np.linalg.norm(self._poses[index][:3, 3] - at)))
        return {index: self._poses[index] for index in others[:NEAREST]}

    def photograph(self, index: int) -> Photograph | None:
        """One of them by its index; None where it cannot be read, which whoever fuses it tells."""
        if index not in self._read:
            try:
                image = self._sequence.read(self._entries[index]).image
            except FrameError:
                image = None
            found = None if image is None else Photograph(intensity(image), self._poses[index])
            self._read[index] = found
            if len(self._read) > KEPT:
                self._read.popitem(last=False)
        self._read.move_to_end(index)
        return self._read[index]


class KeyframeDepths:
    """Makes depths of keyframes as they come, each from others before and after it, cross-checked with its neighbours'.

    A keyframe for which there is no time when its turn comes (`has_time`) gets no depth, but helps others to theirs.
    With a `gallery`, photographs that are yet to come, or came long before, help as well.
    """

    def __init__(
        self,
        depth_from_motion: DepthFromMotion,
        search: Callable[[PosedPhotograph], Search],
        has_time: Callable[[], bool] = lambda: True,
    ) -> None:
        self.gallery: Gallery | None = None
        self._depth_from_motion = depth_from_motion
        self._search = search
        self._has_time = has_time
        self._kept: deque[PosedPhotograph] = deque(maxlen=KEPT)
        self._waiting: deque[PosedPhotograph] = deque()
        self._measured: deque[tuple[PosedPhotograph, MotionDepth]] = deque(maxlen=3)

    def add(self, keyframe: PosedPhotograph) -> Iterator[tuple[PosedPhotograph, MotionDepth | None]]:
        """Take a keyframe; gives the keyframes that are finished by it, with their depths: None where nothing else
        shows the same from another place."""
        self._kept.append(keyframe)
        self._waiting.append(keyframe)
        while len(self._waiting) > AFTER:
            next_one = self._waiting.popleft()
            if self._has_time():
                yield from self._measure(next_one)

    def move(self, poses: Mapping[float, Float64]) -> None:
        """Put keyframes that are yet to be finished, and sources, at other poses (4, 4), by their times."""
        for each in (self._kept, self._waiting):
            moved = [keyframe.moved(poses) for keyframe in each]
            each.clear()
            each.extend(moved)
        measured = [(keyframe.moved(poses), depth) for keyframe, depth in self._measured]
        self._measured.clear()
        self._measured.extend(measured)

    def finish(self) -> Iterator[tuple[PosedPhotograph, MotionDepth | None]]:
        """The keyframes that still waited for others."""
        while self._waiting:
            yield from self._measure(self._waiting.popleft())
        if self._measured:
            yield self._checked(len(self._measured) - 1)

    def _measure(self, keyframe: PosedPhotograph) -> Iterator[tuple[PosedPhotograph, MotionDepth | None]]:
        sources = self._sources(keyframe)
        if not sources:
            yield keyframe, None
            return
        depth = self._depth_from_motion.estimate(keyframe.photograph, sources, self._search(keyframe))
        self._measured.append((keyframe, depth))
        if len(self._measured) > 1:
            yield self._checked(len(self._measured) - 2)

    def _sources(self, keyframe: PosedPhotograph) -> list[Photograph]:
        """Those to compare a keyframe with; none where nothing else shows the same from elsewhere.

        Those around it in the order of the path first: they were taken from about the same side and in the same light.
        Where these are fewer than `FEW`, the best of all that there are.
        """
        kept = {each.entry.index: each.photograph for each in self._kept if each.entry != keyframe.entry}
        poses = {index: photograph.T_world_camera for index, photograph in kept.items()}
        chosen = self._chosen(keyframe, poses)
        if self.gallery is None or len(chosen) >= FEW:
            return [kept[index] for index in chosen]
        poses = self.gallery.near(keyframe) | poses
        while True:
            found = {
                index: kept.get(index) or self.gallery.photograph(index) for index in self._chosen(keyframe, poses)
            }
            known = [photograph for photograph in found.values() if photograph is not None]
            if len(known) == len(found):
                return known
            poses = {index: pose for index, pose in poses.items() if found.get(index, True) is not None}

    def _chosen(self, keyframe: PosedPhotograph, poses: FramePoses) -> list[int]:
        """Indices of the best sources among photographs with `poses`, T_world_camera (4, 4)."""
        T_world_reference, camera = keyframe.photograph.T_world_camera, self._depth_from_motion.camera
        indices = list(poses)
        return [indices[k] for k in choose_sources(T_world_reference, list(poses.values()), camera, keyframe.distance)]

    def _checked(self, index: int) -> tuple[PosedPhotograph, MotionDepth]:
        keyframe, depth = self._measured[index]
        neighbours = [other for k, (_, other) in enumerate(self._measured) if k != index]
        if not neighbours:
            return keyframe, depth
        # What no neighbour knows anything of stays: its sources agreed on it, and at an image's border, or where
        # something is about to be hidden, there is no other keyframe that could confirm it.
        return keyframe, cross_checked(self._depth_from_motion.camera, depth, neighbours)
