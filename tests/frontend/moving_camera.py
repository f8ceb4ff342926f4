"""Photographs from a camera that moves over simulated ground, whose texture is finer than a map's cells."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from flights import camera_of
from numpy.typing import NDArray

from glrender.frontend.refine_poses import RefinedPoses, refine_poses
from glrender.geometry import se3
from glrender.geometry.heightmap import HeightMap
from glrender.geometry.intensity import intensity
from glrender.gl.context import Context
from glrender.render.derivatives import DerivativeRenderer
from glrender.simulate.elevation import BUILTIN, read_elevation
from glrender.simulate.scene import with_texture
from glrender.simulate.terrain import make_terrain

CAMERA = camera_of(160)
GREY_LEVELS = 1.0
Pose = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Recorded:
    """What a camera saw."""

    truth: HeightMap
    """Without its texture's detail."""
    poses: NDArray[np.float64]
    """(N, 4, 4) T_world_camera."""
    photographs: list[NDArray[np.float32]]
    """Intensities (height, width), with noise."""
    depths: list[NDArray[np.float32]]
    """(height, width) metres, without noise."""
    slopes: list[NDArray[np.float32]]
    """(height, width, 3) d depth / d motion of the surface."""


def textured_ground(
    relief: float, spacing: float = 0.02, detail: int = 4, size: tuple[float, float] = (1.6, 1.2)
) -> tuple[HeightMap, HeightMap]:
    """(what is drawn, the same on a map's grid): `size` metres about the origin, heights from 0 to `relief`."""
    terrain = make_terrain(read_elevation(BUILTIN), size, relief, spacing)
    return with_texture(terrain, detail, np.random.default_rng(1))


def record(
    context: Context, ground: tuple[HeightMap, HeightMap], poses: NDArray[np.float64], noise: float = GREY_LEVELS
) -> Recorded:
    """Photographs with `noise` grey levels of an 8-bit image in each pixel."""
    renderer = DerivativeRenderer(context, CAMERA)
    rng = np.random.default_rng(2)
    recorded = Recorded(ground[1], poses, [], [], [])
    for pose in poses:
        buffers = renderer.render(ground[0], pose)
        assert buffers.pose is not None
        clean = intensity(buffers.image)
        # On the scale of the square root a grey level of an sRGB file is about one of 255 everywhere.
        recorded.photographs.append((clean + noise / 255 * rng.normal(size=clean.shape)).astype(np.float32))
        recorded.depths.append(np.where(buffers.edges, 0, buffers.depth).astype(np.float32))
        recorded.slopes.append(buffers.pose.depth_wrt_pose[..., :3].copy())
    renderer.release()
    return recorded


def drive(t: float) -> Pose:
    """0.65 m above the ground, looking ahead and down, at 0.3 m/s and some degrees a second."""
    eye = np.array([-0.25 + 0.3 * t, -0.35 + 0.05 * np.sin(2 * t), 0.65 + 0.03 * np.sin(4 * t)])
    return se3.look_at(eye, eye + np.array([0.1 * np.sin(1.5 * t), 0.35, -0.6]))


def along(motion: Callable[[float], Pose], count: int, seconds: float) -> NDArray[np.float64]:
    """(count, 4, 4) poses of a motion, from 0 to `seconds`."""
    return np.stack([motion(t) for t in np.linspace(0, seconds, count)])


def twist_between(T_world_a: Pose, T_world_b: Pose) -> NDArray[np.float64]:
    """(6,) by which camera a's pose is off from b's: T_camera_world of a is exp(twist) that of b."""
    return se3.log(se3.inverse(T_world_a) @ T_world_b)


def refine_twice(*arguments: Any, **options: Any) -> RefinedPoses:
    """What two rounds of `refine_poses` make of them, the second over the ground that the first one found."""
    return refine_poses(*arguments, **options, before=refine_poses(*arguments, **options))
