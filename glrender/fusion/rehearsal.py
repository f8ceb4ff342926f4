"""A few made-up frames, fused before those that count."""

import numpy as np

from glrender.fusion.heightmap import HeightMapFusion
from glrender.fusion.options import FusionOptions
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.gl.context import Context

CAMERA = Camera(width=80, height=60, fx=70.0, fy=70.0, cx=39.5, cy=29.5)


def rehearse_fusion(context: Context, options: FusionOptions, channels: int) -> None:
    """Fuse frames of nearly level ground, with images of so many `channels` (0: none), until one leaves the window.

    Compiled loops are loaded when they are first called, and on a machine that has never done so compiled: half a
    second, or a minute, that is not the first frame's.
    """
    fusion = HeightMapFusion(context, CAMERA, 0.05, (-2.0, 2.0, -2.0, 2.0), None, options)  # more than they see
    random = np.random.default_rng(0)
    depth = random.normal(1, 0.003, CAMERA.shape).astype(np.float32)
    image = random.uniform(0.1, 0.9, (*CAMERA.shape, channels)).astype(np.float32)
    try:
        for k in range(options.window + 2):
            pose = se3.look_at((0.02 * k, 0.0, 1.0), (0.02 * k, 0.0, 0.0))
            fusion.integrate(pose, image if channels else None, depth)
    finally:
        fusion.release()
