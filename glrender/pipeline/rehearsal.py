"""All that a live camera asks for, done once over made-up ground before it begins.

Compiled loops are loaded when they are first called, which takes tens of milliseconds each, seconds in all: where time
goes on meanwhile, a camera would be lost.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from glrender.frontend.bootstrap import KnownScale
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.io.sequence import FrameEntry, Sequence
from glrender.pipeline.following import Follower
from glrender.pipeline.fuse import SequenceOptions
from glrender.pipeline.ground import Ground
from glrender.pipeline.live_fusion import LiveFusion
from glrender.pipeline.placement import place_on_ground
from glrender.render.forward import ForwardRenderer

FRAMES = 14
"""As many as it takes until one leaves the window of those that are linearised twice."""
CAMERA = Camera(width=160, height=120, fx=140.0, fy=140.0, cx=79.5, cy=59.5)
LEVEL = Ground(0.0, 1.0, 0)


def rehearse(context: Context, sequence: Sequence, options: SequenceOptions) -> None:
    """Follow a camera over level ground and fuse what it sees, with the `options` of what is to come."""
    colors = np.random.default_rng(0).uniform(0.1, 0.9, (61, 61, 3))
    surface = HeightMap(np.zeros((61, 61)), 0.05, (-1.5, -1.5), colors)
    sequence = replace(sequence, camera=CAMERA)
    placement = place_on_ground(
        sequence, [np.eye(4)], 0.0, T_world_map=np.eye(4), frame_source="made up", bounds=(-1, 1, -1, 1), spacing=0.05
    )
    renderer = ForwardRenderer(context, CAMERA)
    follower = Follower(CAMERA, KnownScale(camera_height=1.0))
    live = LiveFusion(context, sequence, options, placement, LEVEL, 1.0)
    try:
        for k in range(FRAMES):
            pose = se3.look_at((0.06 * k - 0.4, -0.5, 1.0), (0.06 * k - 0.4, 0.1, 0.0))
            entry = FrameEntry(k, 0.1 * k, 0.1 * k, Path(f"{k}"), None)
            for followed in follower.add(entry, renderer.render(surface, pose).image):
                found = followed.tracked.T_world_camera
                if found is not None:
                    live.add(followed.entry, followed.image, found)
    finally:
        live.release()
        renderer.release()
