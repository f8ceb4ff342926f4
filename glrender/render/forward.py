"""The plain forward pass: image and depth, no derivatives."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glrender.checks import check_kind, check_pose
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.io.color import linear_to_bytes
from glrender.render.layouts import FORWARD
from glrender.render.on_host import SeenOnHost
from glrender.render.passes import RasterPass
from glrender.render.ray import eye_over
from glrender.render.renderer import Renderer
from glrender.render.surface import SurfaceStore

NEAR = 1e-3
"""Default of the nearest visible depth, metres."""


@dataclass(frozen=True, eq=False)
class Rendering:
    """An image and its depth."""

    seen: NDArray[np.float32] | SeenOnHost
    """Either `pixels`, or what they are computed from once they are asked for."""
    channels: int
    """Colour channels: 3 or 1."""

    @cached_property
    def pixels(self) -> NDArray[np.float32]:
        """(height, width, 4) red, green, blue, depth; a grey map has red = green = blue."""
        return self.seen.pixels() if isinstance(self.seen, SeenOnHost) else self.seen

    @property
    def srgb(self) -> NDArray[np.uint8]:
        """(height, width, 3 or 1) the image as sRGB bytes."""
        if isinstance(self.seen, SeenOnHost) and "pixels" not in self.__dict__:
            return self.seen.srgb(self.channels)
        return linear_to_bytes(self.pixels, self.channels)

    @cached_property
    def image(self) -> NDArray[np.float32]:
        """(height, width, 3 or 1) linear colour; 0 where nothing is visible."""
        return np.ascontiguousarray(self.pixels[..., : self.channels])

    @cached_property
    def depth(self) -> NDArray[np.float32]:
        """(height, width) camera z in metres; 0 where nothing is visible."""
        return np.ascontiguousarray(self.pixels[..., 3])


class ForwardRenderer(Renderer):
    """Renders height maps as one camera sees them, see `Renderer`; on the GPU by drawing."""

    def __init__(
        self,
        context: Context,
        camera: Camera,
        near: float = NEAR,
        evaluation: str | None = None,
        *,
        surfaces: SurfaceStore | None = None,
    ) -> None:
        super().__init__(context, camera, near, evaluation, surfaces)
        self._pass: RasterPass | None = None

    def render(self, surface: HeightMap, T_world_camera: ArrayLike) -> Rendering:
        """Image and depth of `surface` from a pose (4, 4), camera to world.

        Raises InputError if the pose is not rigid, LimitError if the map is larger than a texture can be.
        """
        found = self.look(surface, T_world_camera)
        return Rendering(found.pixels, found.channels)

    def look(self, surface: HeightMap, T_world_camera: ArrayLike) -> Rendering:
        """As `render`, but on the host image and depth are computed only once they are asked for, in any thread."""
        check_kind("surface", surface, HeightMap)
        T = check_pose("T_world_camera", T_world_camera)
        if self.evaluation == "gpu":
            return Rendering(self.draw(surface, T).target.read("image"), surface.channels)
        self._view.use()
        on_host = self._surfaces.on_host(surface)
        eye = eye_over(surface, self.camera, T, on_host.height_origin)
        return Rendering(self._host.look(on_host, self.camera, eye, self.near), surface.channels)

    def draw(self, surface: HeightMap, T_world_camera: NDArray[np.float64]) -> RasterPass:
        """Render on the GPU and read nothing back; returns the pass whose target holds `image`."""
        self._view.use()
        if self._pass is None:
            self._pass = RasterPass(self.context, self.camera, "forward.frag", FORWARD, {"WITH_COLOR": 1})
        texture = self._surfaces.upload(surface)
        view = texture.view(self.camera, T_world_camera, self.near)
        self._view.write(view)
        self._pass.draw(texture, view)
        return self._pass

    def _release_passes(self) -> None:
        if self._pass is not None:
            self._pass.release()
            self._pass = None
