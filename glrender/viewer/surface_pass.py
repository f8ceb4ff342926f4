"""Draws the map to look at: its own colours or false ones, lit, with a wireframe."""

import math
from dataclasses import dataclass

import moderngl
import numpy as np
from numpy.typing import NDArray

from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.gl.framebuffer import Framebuffer
from glrender.gl.program import load_program, set_uniform
from glrender.render.forward import NEAR
from glrender.render.passes import SURFACE_UNIT, VIEW_BINDING, ViewBuffer
from glrender.render.surface import UNSEEN, SurfaceTexture
from glrender.viewer.colors import Scale
from glrender.viewer.screen import ColormapTexture

Float64 = NDArray[np.float64]

NO_VALUE = (0.42, 0.42, 0.42)
"""Linear colour of a surface where a layer has no value."""

_DETAILS, _COLORMAP = SURFACE_UNIT + 1, SURFACE_UNIT + 2


@dataclass(frozen=True, eq=False)
class Look:
    """How the surface is drawn."""

    values: NDArray[np.float64] | None
    """(rows, cols) shown in false colours, NaN where unknown; None: the map's own colours."""
    scale: Scale
    colormap: str
    """Name in matplotlib."""
    light: tuple[float, float] | None
    """Azimuth (0 is the map's y, 90 its x) and elevation of where the light comes from, degrees; None: unlit."""
    wireframe: bool


class SurfacePass:
    """Draws height maps for the eye; owned by `context`, which releases it at the latest.

    What it draws is in `target`, attachment `image`: linear red, green, blue; depth in metres, 0 where nothing is.
    """

    def __init__(self, context: Context, size: tuple[int, int]) -> None:
        self.context = context
        self.target = Framebuffer(context, size, {"image": "rgba32f"})
        self._view = ViewBuffer(context)
        self._surface = SurfaceTexture(context)
        self._colormap = ColormapTexture(context)
        self._program = load_program(context, "viewed_surface.vert", "viewed_surface.frag")
        block = self._program["View"]
        assert isinstance(block, moderngl.UniformBlock)
        block.binding = VIEW_BINDING
        for name, unit in (("surface", SURFACE_UNIT), ("details", _DETAILS), ("colormap", _COLORMAP)):
            set_uniform(self._program, name, unit)
        set_uniform(self._program, "no_value", NO_VALUE)
        self._details: moderngl.Texture | None = None
        self._shown: tuple[HeightMap, object] | None = None
        self._vertices: moderngl.VertexArray | None = None
        self._indices: moderngl.Buffer | None = None

    def resize(self, size: tuple[int, int]) -> None:
        """Draw so many pixels from now on."""
        if size != self.target.size:
            self.target.release()
            self.target = Framebuffer(self.context, size, {"image": "rgba32f"})

    def draw(self, surface: HeightMap, camera: Camera, T_world_camera: NDArray[np.float64], look: Look) -> None:
        """Draw `surface` as `camera`, which has the target's size, sees it from a pose."""
        self._view.use()
        self._surface.upload(surface)
        self._upload_details(surface, look.values)
        view = self._surface.view(camera, T_world_camera, NEAR)
        self._view.write(view)
        self.target.use()
        self.target.clear()
        if self._surface.indices is None:
            return
        self._prepare(look)
        gl = self.context.mgl
        gl.front_face = "cw"  # rows run downwards in clip space too
        gl.enable_only(moderngl.DEPTH_TEST | moderngl.CULL_FACE)
        vertices = self._vertex_array(self._surface.indices)
        for first, count in self._surface.runs(view.in_view):
            vertices.render(moderngl.TRIANGLES, vertices=count, first=first)

    def release(self) -> None:
        """Release everything that was made in the context."""
        self.context.release(*(made for made in (self._vertices, self._details, self._program) if made is not None))
        self._vertices = self._details = None
        for part in (self.target, self._view, self._surface, self._colormap):
            part.release()

    def _prepare(self, look: Look) -> None:
        assert self._details is not None
        self._surface.texture.use(SURFACE_UNIT)
        self._details.use(_DETAILS)
        self._colormap.use(look.colormap, _COLORMAP)
        program, scale = self._program, look.scale
        set_uniform(program, "false_colors", int(look.values is not None))
        set_uniform(program, "scale", (scale.low, scale.high, scale.mode))
        set_uniform(program, "light", (0.0, 0.0, 0.0) if look.light is None else towards(*look.light))
        set_uniform(program, "wireframe", int(look.wireframe))

    def _upload_details(self, surface: HeightMap, values: NDArray[np.float64] | None) -> None:
        if self._shown is not None and self._shown[0] is surface and self._shown[1] is values:
            return
        rows, cols = surface.shape
        if self._details is None or self._details.size != (cols, rows):
            if self._details is not None:
                self.context.release(self._details)
            self._details = self.context.own(self.context.mgl.texture((cols, rows), 3, dtype="f4"))
            self._details.filter = (moderngl.NEAREST, moderngl.NEAREST)
        details = np.empty((rows, cols, 3), np.float32)
        details[..., 0], details[..., 1] = slopes(surface)
        details[..., 2] = UNSEEN if values is None else np.nan_to_num(values, nan=UNSEEN)
        self._details.write(details)
        self._shown = surface, values

    def _vertex_array(self, indices: moderngl.Buffer) -> moderngl.VertexArray:
        if self._vertices is None or indices is not self._indices:
            if self._vertices is not None:
                self.context.release(self._vertices)
            self._vertices = self.context.own(self.context.mgl.vertex_array(self._program, [], indices))
            self._indices = indices
        return self._vertices


def towards(azimuth: float, elevation: float) -> tuple[float, float, float]:
    """The unit vector towards a light, map axes, from degrees."""
    a, e = math.radians(azimuth), math.radians(elevation)
    return math.sin(a) * math.cos(e), math.cos(a) * math.cos(e), math.sin(e)


def slopes(surface: HeightMap) -> tuple[Float64, Float64]:
    """(rows, cols) dh/dx and dh/dy: central differences, one-sided beside what nobody has seen, 0 where that is all."""

    def along(heights: Float64) -> Float64:
        steps = np.diff(heights, axis=1, prepend=np.nan, append=np.nan)
        known = np.isfinite(steps)
        sums = np.where(known, steps, 0)
        return (sums[:, :-1] + sums[:, 1:]) / (
            np.maximum(known[:, :-1] + known[:, 1:].astype(int), 1) * surface.spacing
        )

    return along(surface.heights), along(surface.heights.T).T
