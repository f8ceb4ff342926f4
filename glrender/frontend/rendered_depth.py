"""The depth of a map at the pixels of a photograph: what makes photographs references."""

import numpy as np
from numpy.typing import NDArray

from glrender.frontend.reference import Reference, reference_at
from glrender.frontend.texture import Texture
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.render.derivatives import DerivativeRenderer


class DepthRenderer:
    """Makes references of photographs, with the depths of a map and how these change as the camera moves."""

    def __init__(self, context: Context, camera: Camera) -> None:
        self._renderer = DerivativeRenderer(context, camera.without_distortion())

    def reference(
        self,
        textures: tuple[Texture, ...],
        surface: HeightMap,
        T_world_camera: NDArray[np.float64],
    ) -> Reference:
        """The photograph as a reference, without the pixels at occlusion edges."""
        buffers = self._renderer.render(surface, T_world_camera)
        assert buffers.edges is not None
        assert buffers.pose is not None
        depth = np.where(buffers.edges, np.float32(0), buffers.depth)
        slope = buffers.pose.depth_wrt_pose[..., :3]
        return reference_at(textures, depth, T_world_camera, slope)

    def release(self) -> None:
        """Release everything that this made in its context; may be called twice."""
        self._renderer.release()
