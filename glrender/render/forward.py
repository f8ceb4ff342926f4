"""The plain forward pass: image and depth, no derivatives."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glrender.checks import check_pose, check_positive
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.render.layouts import FORWARD
from glrender.render.passes import RasterPass, ViewBuffer
from glrender.render.surface import SurfaceStore

NEAR = 1e-3
"""Nearest visible depth in metres, unless said otherwise."""


@dataclass(frozen=True, eq=False)
class Rendering:
    """An image and its depth."""

    pixels: NDArray[np.float32]
    """(height, width, 4) as they were read: red, green, blue, depth; a grey map has red = green = blue."""
    channels: int
    """Colour channels: 3 or 1."""

    @cached_property
    def image(self) -> NDArray[np.float32]:
        """(height, width, 3 or 1) linear colour; 0 where nothing is visible."""
        return np.ascontiguousarray(self.pixels[..., : self.channels])

    @cached_property
    def depth(self) -> NDArray[np.float32]:
        """(height, width) camera z in metres; 0 where nothing is visible."""
        return np.ascontiguousarray(self.pixels[..., 3])


class ForwardRenderer:
    """Renders height maps as one camera sees them; owned by `context`, which releases it at the latest.

    `camera` is rendered as a pinhole; its distortion, if any, is that of files and plays no part here.
    `surfaces`, which stays the caller's, lets several renderers share what is uploaded.
    """

    def __init__(
        self, context: Context, camera: Camera, near: float = NEAR, *, surfaces: SurfaceStore | None = None
    ) -> None:
        self.camera = camera
        self.near = check_positive("near", near)
        self._pass = RasterPass(context, camera, "forward.frag", FORWARD, {"WITH_COLOR": 1})
        self._view = ViewBuffer(context)
        self._surfaces = SurfaceStore(context) if surfaces is None else surfaces
        self._parts: tuple[RasterPass | SurfaceStore | ViewBuffer, ...] = (self._pass, self._view)
        if surfaces is None:
            self._parts += (self._surfaces,)

    def render(self, surface: HeightMap, T_world_camera: ArrayLike) -> Rendering:
        """Image and depth of `surface` from a pose (4, 4), camera to world.

        Raises InputError if the pose is not rigid, LimitError if the map is larger than a texture can be.
        """
        self.draw(surface, check_pose("T_world_camera", T_world_camera))
        return Rendering(self._pass.target.read("image"), surface.channels)

    def draw(self, surface: HeightMap, T_world_camera: NDArray[np.float64]) -> None:
        """Render without reading anything back."""
        self._view.use()
        texture = self._surfaces.upload(surface)
        view = texture.view(self.camera, T_world_camera, self.near)
        self._view.write(view)
        self._pass.draw(texture, view)

    def release(self) -> None:
        """Release everything that this renderer made in its context; may be called twice."""
        for part in self._parts:
            part.release()
        self._parts = ()
