"""The scene that is timed: a smooth coloured height map that fills the image, given by a formula."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap

IMAGE_TARGET = 0.5
"""The loss is Σ (I - IMAGE_TARGET)² over pixels and channels …"""
DEPTH_TARGET = 1.5
"""… + Σ (D - DEPTH_TARGET)² over pixels, metres."""


@dataclass(frozen=True, eq=False)
class Scene:
    """A height map and the camera that looks at it."""

    surface: HeightMap
    """(n, n) vertices on [-1, 1]² metres, RGB."""
    camera: Camera
    """Vertical field of view 35°."""
    T_world_camera: NDArray[np.float64]
    """(4, 4) camera to world: 1.3 m above the middle of the map's lower edge, pitched 50° down."""

    @property
    def vertices(self) -> int:
        """n: vertices along each side."""
        return self.surface.shape[0]


def reference_scene(vertices: int, image: tuple[int, int] = (640, 480)) -> Scene:
    """The scene with `vertices` x `vertices` vertices in an image of (width, height) pixels."""
    axis = np.linspace(-1, 1, vertices)
    x, y = np.meshgrid(axis, axis)
    heights = (
        0.03 * np.sin(3.1 * x + 0.5) * np.cos(2.7 * y)
        + 0.02 * np.sin(7.3 * x * y + 1.0)
        + 0.01 * np.cos(11 * (x - 0.3 * y))
    )
    colors = np.stack(
        [0.5 + 0.4 * np.sin(5 * x + 2 * y), 0.5 + 0.4 * np.cos(4 * y - x), 0.5 + 0.3 * np.sin(6 * x * y)], axis=-1
    )
    surface = HeightMap(heights, spacing=2 / (vertices - 1), origin=(-1.0, -1.0), colors=colors)
    width, height = image
    focal = height / 2 / math.tan(math.radians(17.5))
    pitch = math.radians(50)
    T_world_camera = np.eye(4)
    T_world_camera[:3, 0] = 1, 0, 0
    T_world_camera[:3, 1] = 0, -math.sin(pitch), -math.cos(pitch)
    T_world_camera[:3, 2] = 0, math.cos(pitch), -math.sin(pitch)
    T_world_camera[:3, 3] = 0, -1.29, 1.3
    return Scene(surface, Camera.centred(width, height, focal), T_world_camera)
