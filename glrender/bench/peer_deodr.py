"""DEODR (float64, one thread), without antialiasing: sigma = 0.

What differs from us: attributes are interpolated linearly in the image, without perspective, since its gradients
allow nothing else; so its gradient is off by what the perspective within a triangle makes (1e-3 at 65 vertices).
Depth travels as a fourth colour channel, which renders image and depth in one pass: half the time of its
Scene3D.render and Scene3D.render_depth one after the other.
"""

from typing import Any

import numpy as np
from deodr.differentiable_renderer import Camera, Scene2D
from numpy.typing import NDArray

from glrender.bench.gradient import Gradient
from glrender.bench.scene import DEPTH_TARGET, IMAGE_TARGET, Scene

TARGET = np.array([IMAGE_TARGET, IMAGE_TARGET, IMAGE_TARGET, DEPTH_TARGET])


class DeodrPeer:
    """The scene in DEODR."""

    def __init__(self, scene: Scene) -> None:
        surface, camera = scene.surface, scene.camera
        self.shape = surface.shape
        # project_points_backward of deodr 0.2.3 turns gradients by the transpose of what it should, so the vertices
        # are given in camera axes, where there is nothing to turn.
        self.R_world_camera = scene.T_world_camera[:3, :3]
        self.vertices = (surface.vertices() - scene.T_world_camera[:3, 3]) @ self.R_world_camera
        self.camera = Camera(np.eye(4)[:3], camera.matrix, camera.height, camera.width)
        assert surface.colors is not None
        self.colors = surface.colors.reshape(-1, 3)
        count, faces = len(self.vertices), surface.triangles.astype(np.uint32)
        self.constant: dict[str, Any] = {
            "faces": faces,
            "faces_uv": faces,
            "textured": np.zeros(len(faces), bool),
            "shaded": np.zeros(len(faces), bool),
            "edgeflags": np.zeros((len(faces), 3), bool),
            "uv": np.zeros((count, 2)),
            "shade": np.zeros(count),
            "texture": np.zeros((0, 0)),
            "height": camera.height,
            "width": camera.width,
            "nb_colors": 4,
            "background_color": np.zeros(4),
            "backface_culling": True,
        }

    def forward(self) -> tuple[dict[str, Any], Scene2D, NDArray[np.float64]]:
        """What backward needs: the projection, the scene as drawn, and (height, width, 4) colours and depth."""
        projection: dict[str, Any] = {}
        ij, depths = self.camera.project_points(self.vertices, store_backward=projection)
        drawn = Scene2D(ij=ij, depths=depths, colors=np.column_stack([self.colors, depths]), **self.constant)
        image, _ = drawn.render(sigma=0.0)
        return projection, drawn, image

    def forward_backward(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(vertices, 3) gradients with respect to positions in camera axes and to colours."""
        projection, drawn, image = self.forward()
        drawn.render_backward(2 * (image - TARGET), make_copies=False)
        assert drawn.ij_b is not None
        assert drawn.colors_b is not None
        positions = self.camera.project_points_backward(drawn.ij_b, projection, depths_b=drawn.colors_b[:, 3])
        return positions, drawn.colors_b[:, :3]

    def gradient(self) -> Gradient:
        positions, colors = self.forward_backward()
        heights = positions @ self.R_world_camera[2]
        return Gradient(heights.reshape(self.shape), colors.reshape(*self.shape, 3))
