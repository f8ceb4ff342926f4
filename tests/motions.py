"""Recordings of simulated ground from cameras that move in different ways, for tests of what their motion tells."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from flights import DEPTH_SCALE, NOISE, camera_of, rough_ground
from numpy.typing import NDArray

from glrender.geometry import se3
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.io.sequence import Sequence
from glrender.io.sequence_folder import open_sequence
from glrender.io.sequence_writer import SequenceWriter
from glrender.io.trajectory import Trajectory
from glrender.render.forward import ForwardRenderer

CAMERA = camera_of(96)
ROUGH = rough_ground((1.6, 1.2), 0.2, 0.04)
LEVEL = HeightMap(np.zeros((31, 41)), 0.04)
Motion = Callable[[float], NDArray[np.float64]]


def bobbing(t: float) -> NDArray[np.float64]:
    """Over the ground and up and down, at up to 0.3 m/s and some degrees a second."""
    x, y = 0.8 + 0.35 * np.sin(0.7 * t), 0.6 + 0.2 * np.cos(1.1 * t)
    return se3.look_at((x, y, 0.8 + 0.06 * np.sin(5 * t)), (x + 0.1 * np.sin(1.3 * t), y + 0.15, 0.0))


def straight(t: float) -> NDArray[np.float64]:
    """At one height over the ground, at 0.3 m/s."""
    return se3.look_at((0.3 + 0.3 * t, 0.6, 0.8), (0.3 + 0.3 * t, 0.65, 0.0))


def swinging(t: float) -> NDArray[np.float64]:
    """At one place, slowly up and down."""
    return se3.look_at((0.8, 0.6, 0.8 + 0.2 * np.sin(0.8 * t)), (0.8, 0.65, 0.0))


def circling(t: float) -> NDArray[np.float64]:
    """Around, up and down, and looking about."""
    x, y = 0.8 + 0.2 * np.cos(2 * t), 0.6 + 0.15 * np.sin(2 * t)
    return se3.look_at((x, y, 0.8 + 0.06 * np.sin(5 * t)), (x + 0.3 * np.sin(1.3 * t), y + 0.3 * np.cos(1.9 * t), 0.0))


def still(t: float) -> NDArray[np.float64]:
    return straight(1.0)


def record(
    context: Context,
    folder: Path,
    motion: Motion,
    ground: HeightMap,
    lag: float,
    frames: int = 30,
    poses: tuple[float, float] = (-0.7, 3.7),
    pose_noise: tuple[float, float] = (0.0, 0.0),
    read: float = 1.0,
    heights: NDArray[np.float64] | None = None,
) -> Sequence:
    """Frames from 0 to 3 s whose pose stands in the trajectory `lag` seconds later; 100 `poses` a second, from … to.

    The pose of a frame is off by `pose_noise` (metres, radians) from that in the trajectory, its camera is higher by
    `heights` (frames,) metres, and its depths are `read` times the true ones.
    """
    renderer = ForwardRenderer(context, CAMERA)
    writer = SequenceWriter(folder, CAMERA, DEPTH_SCALE)
    rng, wander = np.random.default_rng(4), np.random.default_rng(5)
    for k, time in enumerate(np.linspace(0, 3, frames)):
        error = np.repeat(pose_noise, 3) * wander.normal(size=6)
        T_world_camera = motion(time) @ se3.exp(error)
        T_world_camera[2, 3] += 0.0 if heights is None else heights[k]
        z = renderer.render(ground, T_world_camera).depth
        scatter = NOISE.sigma(z) * rng.normal(size=z.shape)
        writer.add(time, None, np.where(z > 0, read * (z + scatter), 0))
    renderer.release()
    times = np.arange(*poses, 0.01)
    writer.finish(Trajectory(times, np.stack([motion(time - lag) for time in times])))
    return open_sequence(folder)
