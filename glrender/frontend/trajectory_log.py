"""Where frames were, each as a pose relative to its keyframe: if keyframes are moved, their frames move with them."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from glrender.geometry import se3

Float64 = NDArray[np.float64]


class TrajectoryLog:
    """Frames in the order in which they were found; keyframes are known by their times."""

    def __init__(self) -> None:
        self._keyframes: dict[float, Float64] = {}
        self._newest: float | None = None
        self._frames: list[tuple[float, float, Float64]] = []

    def add_keyframe(self, time: float, T_world_camera: Float64) -> None:
        """Frames that are added from now on lie beside this keyframe, of `time` seconds and a pose (4, 4)."""
        self._keyframes[time] = T_world_camera
        self._newest = time

    def add(self, time: float, T_world_camera: Float64) -> None:
        """A frame of `time` seconds and a pose (4, 4); there is a keyframe by then."""
        assert self._newest is not None
        T_keyframe_camera = se3.inverse(self._keyframes[self._newest]) @ T_world_camera
        self._frames.append((time, self._newest, T_keyframe_camera))

    def move(self, poses: Mapping[float, Float64]) -> None:
        """Put keyframes, known by their times, at other poses (4, 4), and their frames with them."""
        self._keyframes.update(poses)

    def keyframes(self) -> dict[float, Float64]:
        """T_world_camera (4, 4) of all keyframes by their times, as they are now."""
        return dict(self._keyframes)

    def poses(self) -> list[tuple[float, Float64]]:
        """(seconds, T_world_camera (4, 4)) of every frame."""
        return [(time, self._keyframes[keyframe] @ T) for time, keyframe, T in self._frames]
