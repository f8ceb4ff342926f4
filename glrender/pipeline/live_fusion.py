"""A map made while its camera is followed: of as many keyframes as there is time for, from pixels no finer than it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from glrender.geometry.camera import Camera
from glrender.gl.context import Context
from glrender.io.sequence import FrameEntry, Sequence
from glrender.pipeline.fuse import SequenceOptions
from glrender.pipeline.ground import Ground
from glrender.pipeline.keyframe_fusion import KeyframeFusion
from glrender.pipeline.placement import Placement

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

LATEST = 0.5
"""Seconds by which the camera may be followed late; beyond it no depths are made until it is caught up with."""
SMALLEST = 100
"""Rows or columns, whichever are fewer, that images must keep when they are halved before depth is made of them."""


class LiveFusion:
    """Photographs on their way into a map, while another process follows the camera; owned by `context`.

    `distance` is that of the camera to the ground, metres; with the spacing it decides at which resolution depth is
    made. `behind` tells by how many seconds the frames come too late.
    """

    def __init__(
        self,
        context: Context,
        sequence: Sequence,
        options: SequenceOptions,
        placement: Placement,
        ground: Ground,
        distance: float,
        behind: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.halvings = halvings(sequence.camera, distance, placement.spacing)
        """How often images are halved before depth is made of them."""
        camera = sequence.camera.without_distortion().every_nth_pixel(2**self.halvings)
        self.fusion = KeyframeFusion(
            context, replace(sequence, camera=camera), options, placement, ground, self._has_time
        )
        self._behind = behind
        self._newest = True
        self._keyframes = 0
        self._left_out = 0

    def move(self, poses: Mapping[float, Float64]) -> None:
        """Put keyframes at other poses (4, 4), by their times; what is in the map stays as it is."""
        self.fusion.move(poses)

    def add(self, entry: FrameEntry, image: Float32, T_world_camera: Float64, *, newest: bool = True) -> None:
        """Take a photograph (height, width, 3), linear, as a keyframe; it gets no depth unless it is the `newest`."""
        self._keyframes += 1
        self._newest = newest
        for _ in range(self.halvings):
            image = np.asarray(cv2.pyrDown(image), np.float32)
        self.fusion.add(entry, image, T_world_camera)

    def describe(self) -> dict[str, Any]:
        """What there was time for, for `report.json`: the number of keyframes, of those without a depth, and how many
        pixels of the photographs a pixel of depth is wide."""
        return {
            "keyframes": self._keyframes,
            "keyframes_without_depth": self._left_out,
            "pixels": 2**self.halvings,
        }

    def release(self) -> None:
        """Release what this made in the context."""
        self.fusion.release()

    def _has_time(self) -> bool:
        has_time = self._newest and self._behind() <= LATEST
        self._left_out += not has_time
        return has_time


def halvings(camera: Camera, distance: float, spacing: float) -> int:
    """How often images can be halved until pixels are as large on the ground, `distance` metres away, as cells."""
    count = 0
    while distance / camera.fx * 2 ** (count + 1) <= spacing and min(camera.shape) >> (count + 1) >= SMALLEST:
        count += 1
    return count
