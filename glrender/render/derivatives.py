"""The derivative pass: image, depth and how they change, from one drawing of the map."""

import moderngl
import numpy as np
from numpy.typing import ArrayLike, NDArray

from glrender.checks import check_choice, check_kind, check_pose
from glrender.errors import UsageError
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.gl.source import Define
from glrender.render.buffers import CompactBuffers, DerivativeBuffers, FullBuffers, PoseDerivatives
from glrender.render.forward import NEAR
from glrender.render.layouts import (
    COLORS,
    EDGES,
    JUMP,
    VISIBILITY,
    compact_attachments,
    full_attachments,
    pose_attachments,
)
from glrender.render.passes import RasterPass, ScreenPass
from glrender.render.ray import eye_over
from glrender.render.renderer import Renderer
from glrender.render.surface import SurfaceStore, SurfaceTexture

LAYOUTS = ("compact", "full")


class DerivativeRenderer(Renderer):
    """Renders height maps with derivatives, see `Renderer`.

    Both layouts carry the same derivatives. "compact" draws triangle ids, and then evaluates every pixel once from its
    id. "full" writes every value into an attachment of its own, up to eight, while it draws, and so only on the GPU.
    """

    def __init__(
        self,
        context: Context,
        camera: Camera,
        layout: str = "compact",
        near: float = NEAR,
        evaluation: str | None = None,
        *,
        surfaces: SurfaceStore | None = None,
    ) -> None:
        self.layout = check_choice("layout", layout, LAYOUTS)
        if (layout, evaluation) == ("full", "host"):
            raise UsageError(
                "evaluation: received 'host' with the full layout, which is evaluated while it is drawn; take "
                "'gpu', or layout='compact'"
            )
        super().__init__(context, camera, near, evaluation, surfaces, host=layout == "compact")
        self._surface: SurfaceTexture
        self._rasters: dict[str, RasterPass] = {}
        self._screens: dict[str, ScreenPass] = {}

    def render(
        self, surface: HeightMap, T_world_camera: ArrayLike, *, pose: bool = True, edges: bool = True
    ) -> DerivativeBuffers:
        """Image, depth and derivatives of `surface` from a pose (4, 4), camera to world.

        `pose` and `edges` say whether to make the derivatives with respect to the pose and the occlusion
        edges as well. Raises InputError if the pose is not rigid, LimitError if the map is larger than a
        texture can be.
        """
        check_kind("surface", surface, HeightMap)
        T = check_pose("T_world_camera", T_world_camera)
        if self.evaluation == "host":
            return self._render_on_host(surface, T, pose=pose, edges=edges)
        finished = self.draw(surface, T)
        attachments = {name: finished.target.read(name) for name in finished.target.names}
        kind = CompactBuffers if self.layout == "compact" else FullBuffers
        return kind(
            surface,
            self.camera,
            T,
            attachments,
            self._find_edges(finished) if edges else None,
            self._differentiate_by_pose(finished, surface) if pose else None,
        )

    def draw(self, surface: HeightMap, T_world_camera: NDArray[np.float64]) -> RasterPass | ScreenPass:
        """Render on the GPU and read nothing back; returns the pass whose target holds the layout's attachments."""
        self._view.use()
        self._surface = self._surfaces.upload(surface)
        view = self._surface.view(self.camera, T_world_camera, self.near)
        self._view.write(view)
        channels = surface.color_channels
        if self.layout == "full":
            full = self._raster("full.frag", full_attachments(channels), {"CHANNELS": channels})
            full.draw(self._surface, view)
            return full
        visibility = self._raster("visibility.frag", VISIBILITY, {})
        visibility.draw(self._surface, view)
        compact = self._screen("compact.frag", compact_attachments(channels), {"CHANNELS": channels}, ("visibility",))
        compact.draw(self._surface, {"visibility": visibility.target.texture("visibility")})
        return compact

    @property
    def surface_texture(self) -> moderngl.Texture:
        """Heights and colours of the map that was drawn last, see `SurfaceTexture.texture`."""
        return self._surface.texture

    def _release_passes(self) -> None:
        for made in (self._rasters, self._screens):
            for each in made.values():
                each.release()
        self._rasters.clear()
        self._screens.clear()

    def _render_on_host(
        self, surface: HeightMap, T_world_camera: NDArray[np.float64], *, pose: bool, edges: bool
    ) -> CompactBuffers:
        self._view.use()
        channels, on_host = surface.color_channels, self._surfaces.on_host(surface)
        eye = eye_over(surface, self.camera, T_world_camera, on_host.height_origin)
        attachments = self._host.evaluate(on_host, self.camera, eye, self.near, channels)
        return CompactBuffers(
            surface,
            self.camera,
            T_world_camera,
            attachments,
            self._host.find_edges(attachments, on_host, eye) if edges else None,
            self._host.differentiate_by_pose(attachments, on_host, eye, channels) if pose else None,
        )

    def _find_edges(self, finished: RasterPass | ScreenPass) -> NDArray[np.bool_]:
        edges = self._screen("edges.frag", EDGES, {"JUMP": JUMP}, ("triangles", "image"))
        inputs = {"triangles": self._triangles(finished), "image": finished.target.texture("image")}
        edges.draw(self._surface, inputs)
        return edges.target.read("edge")[..., 0].astype(bool)

    def _differentiate_by_pose(self, finished: RasterPass | ScreenPass, surface: HeightMap) -> PoseDerivatives:
        channels = surface.color_channels
        by_pose = self._screen("pose.frag", pose_attachments(channels), {"CHANNELS": channels}, ("triangles",))
        by_pose.draw(self._surface, {"triangles": self._triangles(finished)})
        depth_wrt_pose = np.empty((*self.camera.shape, 6), np.float32)
        image_wrt_pose = np.empty((*self.camera.shape, channels, 6), np.float32)
        targets = {"depth": depth_wrt_pose}
        targets |= {color: image_wrt_pose[..., k, :] for k, color in enumerate(COLORS[:channels])}
        for name, target in targets.items():
            target[..., :3] = by_pose.target.read(f"{name}_wrt_translation")[..., :3]
            target[..., 3:] = by_pose.target.read(f"{name}_wrt_rotation")[..., :3]
        return PoseDerivatives(depth_wrt_pose, image_wrt_pose)

    def _triangles(self, finished: RasterPass | ScreenPass) -> moderngl.Texture:
        return finished.target.texture("geometry" if self.layout == "compact" else "vertex_ids")

    # Passes are compiled when a map first needs them: a grey map needs others than a coloured one.

    def _raster(self, fragment: str, attachments: dict[str, str], defines: dict[str, Define]) -> RasterPass:
        key = f"{fragment} {defines}"
        if key not in self._rasters:
            self._rasters[key] = RasterPass(self.context, self.camera, fragment, attachments, defines)
        return self._rasters[key]

    def _screen(
        self, fragment: str, attachments: dict[str, str], defines: dict[str, Define], inputs: tuple[str, ...]
    ) -> ScreenPass:
        key = f"{fragment} {defines}"
        if key not in self._screens:
            self._screens[key] = ScreenPass(self.context, self.camera, fragment, attachments, defines, inputs=inputs)
        return self._screens[key]
