"""The photographs that a tracker remembers: what frames are aligned with, and what a lost camera is found again by."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from glrender.frontend.pyramid import Level
from glrender.frontend.reference import Reference, depth_slopes, make_reference
from glrender.frontend.rendered_depth import DepthRenderer
from glrender.frontend.texture import choose_texture
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

_PROBES = 64  # points by which overlap is judged


@dataclass(frozen=True, eq=False)
class Keyframe:
    """A photograph at a pose that was found for it."""

    time: float
    """Seconds."""
    T_world_camera: Float64
    """(4, 4)."""
    pyramid: tuple[Level, ...]
    depth: Float32 | None
    """(height, width) metres, of its own sensor; None: the map's are taken."""


class KeyframeStore:
    """Keyframes, oldest first, and the references that they make with the depths of the latest map."""

    def __init__(self, renderer: DepthRenderer, most_points: int, capacity: int) -> None:
        self._renderer = renderer
        self._most_points = most_points
        self._capacity = capacity
        self._keyframes: list[Keyframe] = []
        self._references: dict[int, Reference] = {}
        self._surface: HeightMap | None = None

    def __len__(self) -> int:
        return len(self._keyframes)

    def __iter__(self) -> Iterator[Keyframe]:
        return iter(self._keyframes)

    def use_map(self, surface: HeightMap) -> None:
        """Depths come from `surface` from now on, unless a sensor measured them."""
        self._surface = surface
        self._references = {
            key: reference
            for keyframe in self._keyframes
            if keyframe.depth is not None and (reference := self._references.get(key := id(keyframe)))
        }

    def add(self, keyframe: Keyframe) -> None:
        """Remember a keyframe; beyond the capacity the one that came soonest after the one before it is forgotten."""
        self._keyframes.append(keyframe)
        if len(self._keyframes) > self._capacity:
            gaps = np.diff([each.time for each in self._keyframes[:-1]])
            self._references.pop(id(self._keyframes.pop(1 + int(gaps.argmin()))), None)

    def move(self, keyframes: list[Keyframe], poses: Float64) -> None:
        """Put keyframes of the store at other poses (N, 4, 4)."""
        for keyframe, pose in zip(keyframes, poses, strict=True):
            place = next(k for k, each in enumerate(self._keyframes) if each is keyframe)
            self._keyframes[place] = replace(keyframe, T_world_camera=pose)
            self._references.pop(id(keyframe), None)

    def reference(self, keyframe: Keyframe) -> Reference:
        """A keyframe with its depths, made when it is first asked for."""
        if id(keyframe) not in self._references:
            self._references[id(keyframe)] = self._made(keyframe)
        return self._references[id(keyframe)]

    def _made(self, keyframe: Keyframe) -> Reference:
        pyramid, T = keyframe.pyramid, keyframe.T_world_camera
        if keyframe.depth is not None:
            slopes = depth_slopes(pyramid[0].camera, keyframe.depth)
            return make_reference(pyramid, keyframe.depth, T, slopes, self._most_points)
        assert self._surface is not None
        return self._renderer.reference(choose_texture(pyramid, self._most_points), self._surface, T)

    def around(self, T_world_camera: Float64, camera: Camera, least_overlap: float) -> list[Keyframe]:
        """The newest keyframe, and of those before it that overlap by `least_overlap` at least, without a gap, the
        oldest: it has drifted least.

        One from before a gap, back where a loop began, is not taken: between it and the newest lies all of the loop's
        drift, and frames of which one sees it and the next does not would jump to and fro.
        """
        around = self._keyframes[-1:]
        for keyframe in reversed(self._keyframes[:-1]):
            if overlap(self.reference(keyframe), T_world_camera, camera) < least_overlap:
                break
            around = [self._keyframes[-1], keyframe]
        return around

    def alike(self, pyramid: tuple[Level, ...], count: int) -> list[Keyframe]:
        """The `count` keyframes whose smallest pictures are most like that of a frame, best first."""
        thumbnail = _thumbnail(pyramid)
        likeness = [float((thumbnail * _thumbnail(each.pyramid)).mean()) for each in self._keyframes]
        return [self._keyframes[k] for k in np.argsort(likeness)[::-1][:count]]


def overlap(reference: Reference, T_world_camera: Float64, camera: Camera) -> float:
    """The share of a reference's points that lie in the image of a camera at a pose; 0 for a reference of no points."""
    points = reference.levels[0].points
    if not len(points):
        return 0.0
    T = se3.inverse(T_world_camera) @ reference.T_world_camera
    some = points[:: max(len(points) // _PROBES, 1)]
    pixels = camera.project(some @ T[:3, :3].T + T[:3, 3])
    with np.errstate(invalid="ignore"):
        inside = (pixels >= 0) & (pixels <= (camera.width - 1, camera.height - 1))
    return float(inside.all(axis=1).mean())


def _thumbnail(pyramid: tuple[Level, ...]) -> Float32:
    """The coarsest level, smoothed, of mean 0 and spread 1: products of two average to their correlation."""
    small = cv2.GaussianBlur(np.nan_to_num(pyramid[-1].image, nan=0.0), (0, 0), 2.0)
    return (small - small.mean()) / max(float(small.std()), 1e-6)
