"""Paints a scene as a view has it, onto a screen of its own: all of the viewer but the window."""

from dataclasses import dataclass
from functools import lru_cache

import moderngl
import numpy as np
from numpy.typing import NDArray

from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.recycle import Recycler
from glrender.render.buffers import CompactBuffers
from glrender.stopwatch import Stopwatch
from glrender.viewer import lines as line_art
from glrender.viewer.colors import Kind, Scale, colormap_name, fit_scale
from glrender.viewer.host_shading import Canvas
from glrender.viewer.hud import ColorBar, Hud, covered_height, draw_hud
from glrender.viewer.layers import LAYERS, FrameLayer, Layer, SurfaceLayer, ViewLayer, layers_here
from glrender.viewer.picking import Pick, picked_outline
from glrender.viewer.scene import Nudge, Scene, shown_surface
from glrender.viewer.screen import Screen, picture_of
from glrender.viewer.shading import Look, Shading
from glrender.viewer.state import ViewState
from glrender.viewer.surface_view import SurfaceView

Float64 = NDArray[np.float64]

_EVERY = 4
"""The range of a colour bar is found from the pixels of every so many rows and columns."""

NEEDLE_LENGTH = 0.025
"""Length of the normals that are drawn, as a share of the map's longer side."""


@dataclass(frozen=True, eq=False)
class Annotations:
    """What is marked and written besides the scene."""

    pick: Pick | None = None
    """What was clicked at."""
    heading: str = ""
    """What stands above everything else."""
    lines: tuple[str, ...] = ()
    """Below it."""
    status: str = ""
    """At the lower edge."""
    help: bool = False
    """Whether the help lies over all of it."""


class Painter:
    """Paints scenes; owned by `context`, which releases it at the latest."""

    def __init__(
        self, context: Context, size: tuple[int, int], content_scale: float = 1.0, evaluation: str | None = None
    ) -> None:
        """`evaluation` is where surfaces are rendered, as DerivativeRenderer has it."""
        self.context = context
        self.screen = Screen(context, size)
        self.content_scale = content_scale
        """Pixels per unit of text and panels; 2 where pixels are half as large."""
        self.covered = 0.0
        """Pixels at the right border that panels lie over: what is looked at is in the middle of what they leave."""
        self.watch = Stopwatch()
        """How long the stages of the last picture took."""
        self._shading = Shading(context)
        self._shown_surface = lru_cache(maxsize=1)(shown_surface)
        self._evaluation = evaluation
        self._views: list[SurfaceView] = []  # of the scene's surface, then of the others
        self._recycler = Recycler()
        self._canvas: Canvas | None = None  # of the picture that is being painted

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the screen, pixels."""
        return self.screen.size

    @property
    def free(self) -> tuple[float, float]:
        """(width, height) of what panels leave of the screen, at its left."""
        return self.size[0] - self.covered, self.size[1]

    def resize(self, size: tuple[int, int], content_scale: float, covered: float = 0.0) -> None:
        """From now on paint `size` (width, height) pixels, of whose columns the last, `covered`, lie under panels."""
        self.content_scale, self.covered = content_scale, covered
        if size != self.size:
            self.screen.resize(size)

    def paint(self, scene: Scene, state: ViewState, nudge: Nudge | None, notes: Annotations) -> None:
        """Paint everything onto the screen."""
        self.watch = Stopwatch()
        layer = shown_layer(scene, state)
        with self.watch.stage("draw"):
            self.screen.clear()
            self._canvas = None
            if not isinstance(layer, FrameLayer):
                self._paint_others(scene, state)
            if isinstance(layer, SurfaceLayer):
                picture, scale = self._paint_surface(scene, state, nudge, layer)
            elif isinstance(layer, ViewLayer):
                picture, scale = self._paint_view(scene, state, nudge, layer)
            else:
                assert isinstance(layer, FrameLayer)
                picture, scale = self._paint_frame(scene, state, layer)
            if not isinstance(layer, FrameLayer):
                self._paint_lines(scene, state, nudge, notes.pick, picture)
        with self.watch.stage("notes"):
            name = colormap_name(layer.kind, state.colormap)
            title = layer.name + (f" [{layer.unit}]" if layer.unit else "")
            bare = layer.kind in (Kind.COLOR, Kind.IDS)
            hud = Hud(
                heading=f"{notes.heading} · {layer.name}" if notes.heading else layer.name,
                lines=(*scene.lines, *notes.lines),
                status=notes.status,
                bar=None if bare else ColorBar(scale, name, title),
                insets=scene.insets,
                plot=scene.plot,
                help=layers_here(scene.surface, scene.comparison) if notes.help else None,
                covered=self.covered,
            )
            self.screen.put_notes(draw_hud(hud, self.size, self.content_scale))

    def buffers(self, scene: Scene, state: ViewState, nudge: Nudge | None, *, pose: bool = False) -> CompactBuffers:
        """Image, depth and derivatives as the free camera sees what is shown; kept until something changes."""
        surface, T = self._shown_surface(scene.surface, state.exaggeration, nudge), state.rig.T_world_camera
        return self._view(0).buffers(surface, self._camera(state), T, pose=pose)

    def other_depths(self, scene: Scene, state: ViewState) -> list[NDArray[np.float32]]:
        """(height, width) depth of each of the scene's other surfaces, 0 where it is not seen."""
        camera, T = self._camera(state), state.rig.T_world_camera
        return [self._view(k).buffers(surface, camera, T).depth for k, surface in enumerate(scene.others, start=1)]

    def release(self) -> None:
        """Release everything that was made in the context."""
        self.screen.release()
        self._shading.release()
        for view in self._views:
            view.release()
        self._views = []

    def _camera(self, state: ViewState) -> Camera:
        return state.rig.camera(*self.size, self.covered)

    def _view(self, number: int) -> SurfaceView:
        while len(self._views) <= number:
            self._views.append(SurfaceView(self.context, f"of surface {len(self._views)}", self._evaluation))
        return self._views[number]

    def _shade(self, number: int, surface: HeightMap, state: ViewState, look: Look) -> moderngl.Texture:
        """Put a surface onto the screen; returns a texture whose last channel is its depth."""
        view, camera, T = self._view(number), self._camera(state), state.rig.T_world_camera
        if view.shades_on_host(camera) and not look.wireframe:
            if self._canvas is None:
                self._canvas = Canvas.clear(self.size, self._recycler)
            view.shade(surface, camera, T, look, self._canvas)
            self.screen.put_pixels(self._canvas.colors)
            return self.screen.upload("depth", self._canvas.depth)
        image, geometry = view.textures(surface, camera, T, self.screen)
        self._shading.put(self.screen, surface, image, geometry, look, view.name)
        return image

    def _paint_others(self, scene: Scene, state: ViewState) -> None:
        look = Look(None, Scale(0.0, 1.0), "gray", _light(state), state.wireframe)
        for number, surface in enumerate(scene.others, start=1):
            self._shade(number, surface, state, look)

    def _paint_surface(
        self, scene: Scene, state: ViewState, nudge: Nudge | None, layer: SurfaceLayer
    ) -> tuple[moderngl.Texture, Scale]:
        values, scale = _surface_values(layer, scene.surface, state.cut, state.logarithmic)
        look = Look(values, scale, colormap_name(layer.kind, state.colormap), _light(state), state.wireframe)
        surface = self._shown_surface(scene.surface, state.exaggeration, nudge)
        return self._shade(0, surface, state, look), scale

    def _paint_view(
        self, scene: Scene, state: ViewState, nudge: Nudge | None, layer: ViewLayer
    ) -> tuple[moderngl.Texture, Scale]:
        buffers = self.buffers(scene, state, nudge, pose=layer.pose)
        values = layer.make(buffers)
        sample = (
            np.where(buffers.visible, values, np.nan)[::_EVERY, ::_EVERY] if layer.kind is not Kind.COLOR else values
        )
        scale = fit_scale(sample, layer.kind, state.cut, state.logarithmic)
        picture = self.screen.upload("picture", picture_of(values, buffers.depth, layer.kind))
        name = colormap_name(layer.kind, state.colormap)
        self.screen.put_picture(picture, layer.kind, scale, name, (0, 0, *self.size))
        return picture, scale

    def _paint_frame(self, scene: Scene, state: ViewState, layer: FrameLayer) -> tuple[moderngl.Texture, Scale]:
        assert scene.comparison is not None
        values = layer.values(scene.comparison)
        scale = fit_scale(values[::_EVERY, ::_EVERY], layer.kind, state.cut, state.logarithmic)
        picture = self.screen.upload("picture", picture_of(values, np.ones(values.shape[:2], np.float32), layer.kind))
        (width, height), unit = self.free, self.content_scale
        left = height - unit * covered_height(scene.insets, scene.plot, height / unit)
        where = letterbox(picture.size, (width, max(left, 0.25 * height)))
        self.screen.put_picture(picture, layer.kind, scale, colormap_name(layer.kind, state.colormap), where)
        return picture, scale

    def _paint_lines(
        self, scene: Scene, state: ViewState, nudge: Nudge | None, pick: Pick | None, picture: moderngl.Texture
    ) -> None:
        parts: list[tuple[Float64, line_art.Color]] = []
        surface = self._shown_surface(scene.surface, state.exaggeration, nudge)
        if state.trajectory and len(scene.trajectory) > 1:
            parts.append((line_art.polyline(scene.trajectory), line_art.TRAJECTORY))
        if state.trajectory:
            parts.append((scene.frustum, line_art.FRUSTUM))
        if state.normals:
            length = NEEDLE_LENGTH * max(surface.shape) * surface.spacing
            parts.append((line_art.needles(surface, length), line_art.NEEDLE))
        if pick is not None:
            parts.append((picked_outline(surface, pick), line_art.SELECTED))
        if any(len(part) for part, _ in parts):
            lines = line_art.joined(parts, 1.5 * self.content_scale)
            self.screen.put_lines(lines, self._camera(state), state.rig.T_world_camera, picture)


def _light(state: ViewState) -> tuple[float, float] | None:
    return (state.light_azimuth, state.light_elevation) if state.light else None


def shown_layer(scene: Scene, state: ViewState) -> Layer:
    """The layer that a view asks for; the map itself where there is nothing of it to see."""
    here = layers_here(scene.surface, scene.comparison)
    return next((layer for layer in here if layer.name == state.layer), LAYERS[0])


def letterbox(picture: tuple[int, int], screen: tuple[float, float]) -> tuple[float, float, float, float]:
    """(left, top, width, height) of the largest place for a picture (width, height) in the middle of a screen."""
    grow = min(screen[0] / picture[0], screen[1] / picture[1])
    width, height = grow * picture[0], grow * picture[1]
    return (screen[0] - width) / 2, (screen[1] - height) / 2, width, height


@lru_cache(maxsize=2)
def _surface_values(
    layer: SurfaceLayer, surface: HeightMap, cut: float, logarithmic: bool
) -> tuple[Float64 | None, Scale]:
    """The values of a layer on a surface, and their scale: the same array as long as nothing changes."""
    if layer.values is None:
        return None, Scale(0.0, 1.0)
    values = layer.values(surface)
    return values, fit_scale(values, layer.kind, cut, logarithmic)
