"""The depth of a map at the pixels of a photograph: what makes photographs references."""

import numpy as np
from numpy.typing import NDArray

from glrender.frontend.reference import Reference, reference_at
from glrender.frontend.texture import Texture
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.render.derivatives import DerivativeRenderer

Float64 = NDArray[np.float64]


class RenderedDepth:
    """Draws a map where a photograph was taken, for its depths and how these change as the camera moves; owned by
    `context`."""

    def __init__(self, context: Context, camera: Camera, surface: HeightMap) -> None:
        self._renderer = DerivativeRenderer(context, camera.without_distortion())
        # Colours would be rendered, and how they change with the pose.
        self._surface = surface.with_values(surface.heights)

    def reference(self, textures: tuple[Texture, ...], T_world_camera: Float64) -> Reference:
        """The photograph as a reference, without the pixels at occlusion edges."""
        buffers = self._renderer.render(self._surface, T_world_camera)
        assert buffers.edges is not None
        assert buffers.pose is not None
        depth = np.where(buffers.edges, np.float32(0), buffers.depth)
        slope = buffers.pose.depth_wrt_pose[..., :3]
        return reference_at(textures, depth, T_world_camera, slope)

    def release(self) -> None:
        """Release everything that this made in its context; may be called twice."""
        self._renderer.release()
