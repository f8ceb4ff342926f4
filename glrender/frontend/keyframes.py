"""The photographs that a tracker remembers: what frames are aligned with, and what a lost camera is found again by."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from glrender.frontend.alignment import PosePrior
from glrender.frontend.features import Features, find_features, pose_by_features
from glrender.frontend.pyramid import Level
from glrender.frontend.reference import Reference, depth_slopes, make_reference
from glrender.frontend.reference_store import DepthSource, ReferenceStore
from glrender.geometry.camera import Camera

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Keyframe:
    """A photograph at a pose that was found for it."""

    time: float
    """Seconds."""
    T_world_camera: Float64
    """(4, 4)."""
    pyramid: tuple[Level, ...]
    depth: Float32 | None
    """(height, width) metres, of its own sensor; None: those of the ground are taken."""


class KeyframeStore:
    """Keyframes, oldest first, and the references that they make with the depths of the latest source."""

    def __init__(self, most_points: int, capacity: int) -> None:
        self._most_points = most_points
        self._capacity = capacity
        self._keyframes: list[Keyframe] = []
        self._made = ReferenceStore(most_points)
        self._measured: dict[int, Reference] = {}
        self._features: dict[int, Features] = {}
        self._source: DepthSource | None = None

    def __len__(self) -> int:
        return len(self._keyframes)

    def __iter__(self) -> Iterator[Keyframe]:
        return iter(self._keyframes)

    def use_depths(self, source: DepthSource) -> None:
        """Depths come from `source` from now on, unless a sensor measured them."""
        self._source = source

    def add(self, keyframe: Keyframe) -> None:
        """Remember a keyframe; beyond the capacity, forget the one that came soonest after the keyframe before it."""
        self._keyframes.append(keyframe)
        if len(self._keyframes) <= self._capacity:
            return
        gaps = np.diff([each.time for each in self._keyframes[:-1]])
        forgotten = self._keyframes.pop(1 + int(gaps.argmin()))
        self._measured.pop(id(forgotten), None)
        self._made.forget(forgotten.pyramid)
        self._features.pop(id(forgotten.pyramid), None)

    def move(self, poses: Mapping[float, Float64]) -> None:
        """Put keyframes, known by their times, at other poses (4, 4); those that are forgotten are gone."""
        for k, each in enumerate(self._keyframes):
            if each.time in poses:
                self._keyframes[k] = replace(each, T_world_camera=poses[each.time])

    def reference(self, keyframe: Keyframe) -> Reference:
        """A keyframe with its depths, made when it is first asked for."""
        pyramid, T = keyframe.pyramid, keyframe.T_world_camera
        if keyframe.depth is None:
            assert self._source is not None
            return self._made.reference(pyramid, self._source, T)
        if id(keyframe) not in self._measured:
            slopes = depth_slopes(pyramid[0].camera, keyframe.depth)
            self._measured[id(keyframe)] = make_reference(pyramid, keyframe.depth, T, slopes, self._most_points)
        return self._measured[id(keyframe)]

    def around(self, T_world_camera: Float64, camera: Camera, least_overlap: float) -> list[Keyframe]:
        """The newest keyframe, and the oldest one that a camera at the pose still sees, since that has drifted least.

        Going back from the newest, the first keyframe of which less than `least_overlap` is in view ends the search. So
        a keyframe from the beginning of a loop is not taken: all of the loop's drift lies between it and the newest,
        and frames of which one sees it and the next does not would jump to and fro.
        """
        around = self._keyframes[-1:]
        for keyframe in reversed(self._keyframes[:-1]):
            # Whether its depths are those of the latest source makes no difference here.
            reference = self._made.latest(keyframe.pyramid) or self.reference(keyframe)
            if reference.overlap(camera, T_world_camera) < least_overlap:
                break
            around = [self._keyframes[-1], keyframe]
        return around

    def alike(self, pyramid: tuple[Level, ...], count: int) -> list[Keyframe]:
        """The `count` keyframes whose smallest pictures are most like that of a frame, best first."""
        thumbnail = _thumbnail(pyramid)
        likeness = [float((thumbnail * _thumbnail(each.pyramid)).mean()) for each in self._keyframes]
        return [self._keyframes[k] for k in np.argsort(likeness)[::-1][:count]]

    def by_features(self, keyframe: Keyframe, features: Features) -> PosePrior | None:
        """The pose of a frame by the `features` that it has in common with a keyframe; None: too few."""
        key = id(keyframe.pyramid)
        if key not in self._features:
            self._features[key] = find_features(keyframe.pyramid)
        return pose_by_features(self.reference(keyframe), self._features[key], features)


def _thumbnail(pyramid: tuple[Level, ...]) -> Float32:
    """The coarsest level, smoothed, of mean 0 and spread 1: products of two average to their correlation."""
    small = cv2.GaussianBlur(np.nan_to_num(pyramid[-1].image, nan=0.0), (0, 0), 2.0)
    return (small - small.mean()) / max(float(small.std()), 1e-6)
