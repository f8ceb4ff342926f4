"""The depth of a map at the pixels of a photograph: what makes photographs references."""

import numpy as np
from numpy.typing import NDArray

from glrender.frontend.pyramid import Level
from glrender.frontend.reference import MOST_POINTS, Reference, make_reference
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
        pyramid: tuple[Level, ...],
        surface: HeightMap,
        T_world_camera: NDArray[np.float64],
        most_points: int = MOST_POINTS,
    ) -> Reference:
        """The photograph as a reference, without the pixels at occlusion edges."""
        buffers = self._renderer.render(surface, T_world_camera)
        assert buffers.edges is not None
        assert buffers.pose is not None
        depth = np.where(buffers.edges, np.float32(0), buffers.depth)
        slope = buffers.pose.depth_wrt_pose[..., :3]
        return make_reference(pyramid, depth, T_world_camera, slope, most_points)

    def release(self) -> None:
        """Release everything that this made in its context; may be called twice."""
        self._renderer.release()
