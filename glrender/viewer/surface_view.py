"""A surface as a camera sees it: its buffers on the host or the GPU, kept until something changes."""

import moderngl
import numpy as np
from numpy.typing import NDArray

from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.render.buffers import CompactBuffers
from glrender.render.derivatives import DerivativeRenderer
from glrender.viewer.host_shading import Canvas, HostShading
from glrender.viewer.screen import Screen
from glrender.viewer.shading import Look


class SurfaceView:
    """Renders one surface again and again; owned by `context`, which releases it at the latest."""

    def __init__(self, context: Context, name: str, evaluation: str | None) -> None:
        """`name` tells its textures from those of other surfaces; `evaluation` is as DerivativeRenderer has it."""
        self.context, self.name = context, name
        self._evaluation = evaluation
        self._renderer: DerivativeRenderer | None = None
        self._buffers: CompactBuffers | None = None
        self._host = HostShading()

    def buffers(
        self, surface: HeightMap, camera: Camera, T_world_camera: NDArray[np.float64], *, pose: bool = False
    ) -> CompactBuffers:
        """Image, depth and derivatives; rendered again only where anything is not as it was the last time."""
        last = self._buffers
        if (
            last is None
            or last.surface is not surface
            or last.camera != camera
            or not np.array_equal(last.T_world_camera, T_world_camera)
            or (pose and last.pose is None)
        ):
            rendered = self._renderer_of(camera).render(surface, T_world_camera, pose=pose, edges=False)
            assert isinstance(rendered, CompactBuffers)
            last = self._buffers = rendered
        return last

    def textures(
        self, surface: HeightMap, camera: Camera, T_world_camera: NDArray[np.float64], screen: Screen
    ) -> tuple[moderngl.Texture, moderngl.Texture]:
        """The attachments `image` and `geometry` of the compact layout; what a GPU has made does not leave it."""
        renderer = self._renderer_of(camera)
        if renderer.evaluation == "gpu":
            target = renderer.draw(surface, T_world_camera).target
            return target.texture("image"), target.texture("geometry")
        made = self.buffers(surface, camera, T_world_camera).attachments
        image, geometry = (screen.upload(f"{part} {self.name}", made[part]) for part in ("image", "geometry"))
        return image, geometry

    def shades_on_host(self, camera: Camera) -> bool:
        """Whether `shade` is the faster way to shade a surface: where the processor renders."""
        return self._renderer_of(camera).evaluation == "host"

    def shade(
        self, surface: HeightMap, camera: Camera, T_world_camera: NDArray[np.float64], look: Look, canvas: Canvas
    ) -> None:
        """Put it onto a canvas, without a wireframe."""
        self._host.shade(surface, camera, T_world_camera, look, canvas)

    def release(self) -> None:
        """Release what it made in the context."""
        if self._renderer is not None:
            self._renderer.release()
        self._renderer = self._buffers = None

    def _renderer_of(self, camera: Camera) -> DerivativeRenderer:
        if self._renderer is not None and self._renderer.camera.shape != camera.shape:
            self.release()
        if self._renderer is None:
            self._renderer = DerivativeRenderer(self.context, camera, evaluation=self._evaluation)
        self._renderer.camera = camera
        return self._renderer
