"""All that a live camera asks for, done once over made-up ground before it begins.

Compiled loops are loaded when they are first called, which takes tens of milliseconds each, seconds in all: where time
goes on meanwhile, a camera would be lost.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from glrender.frontend.bootstrap import KnownScale
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.gl.context import Context
from glrender.io.sequence import FrameEntry, Sequence
from glrender.pipeline.following import Follower
from glrender.pipeline.fuse import SequenceOptions
from glrender.pipeline.ground import LEVEL
from glrender.pipeline.live_fusion import LiveFusion
from glrender.pipeline.placement import GivenPlacement, place_on_ground

FRAMES = 14
"""As many as it takes until one leaves the window of those that are linearised twice."""
CAMERA = Camera(width=160, height=120, fx=140.0, fy=140.0, cx=79.5, cy=59.5)


def rehearse_following() -> None:
    """Follow a camera over level ground."""
    follower = Follower(CAMERA, KnownScale(camera_height=1.0))
    for entry, image, _ in _drive():
        follower.add(entry, image)
    follower.collect()


def rehearse_fusion(context: Context, sequence: Sequence, options: SequenceOptions) -> None:
    """Fuse what a camera sees of level ground, with the `options` of what is to come."""
    sequence = replace(sequence, camera=CAMERA)
    given = GivenPlacement(np.eye(4), bounds=(-1, 1, -1, 1), spacing=0.05)
    placement = place_on_ground(sequence, [np.eye(4)], 0.0, given, "made up")
    live = LiveFusion(context, sequence, options, placement, LEVEL, 1.0)
    try:
        for entry, image, pose in _drive():
            live.add(entry, image, pose)
    finally:
        live.release()


def _drive() -> Iterator[tuple[FrameEntry, NDArray[np.float32], NDArray[np.float64]]]:
    """Photographs of level ground, and T_world_camera (4, 4) of each."""
    texture = np.random.default_rng(0).uniform(0.1, 0.9, (61, 61, 3)).astype(np.float32)
    T_ground_texture = np.array([[0.05, 0, -1.5], [0, 0.05, -1.5], [0, 0, 1]])  # texels of 5 cm
    for k in range(FRAMES):
        pose = se3.look_at((0.06 * k - 0.4, -0.5, 1.0), (0.06 * k - 0.4, 0.1, 0.0))
        H = CAMERA.matrix @ se3.inverse(pose)[:3, [0, 1, 3]] @ T_ground_texture
        image = np.asarray(cv2.warpPerspective(texture, H, (CAMERA.width, CAMERA.height)), np.float32)
        yield FrameEntry(k, 0.1 * k, 0.1 * k, Path(f"{k}"), None), image, pose
