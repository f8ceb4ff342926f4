"""The passes on the GPU: what draws the map, and what covers the screen."""

from collections.abc import Mapping

import moderngl

from glrender.errors import GLError
from glrender.geometry.camera import Camera
from glrender.gl.context import Context
from glrender.gl.framebuffer import Framebuffer
from glrender.gl.program import load_program, set_uniform
from glrender.gl.source import Define
from glrender.render.surface import SurfaceTexture
from glrender.render.view import VIEW_BLOCK, View

VIEW_BINDING = 0
SURFACE_UNIT = 0


class ViewBuffer:
    """The View block on the GPU, shared by the passes of one renderer."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._buffer: moderngl.Buffer | None = context.own(context.mgl.buffer(reserve=VIEW_BLOCK.itemsize))

    def use(self) -> moderngl.Buffer:
        """Make its context current; raises GLError once it is released, and as `Context.use` does."""
        if self._buffer is None:
            raise GLError("this renderer was released; make a new one")
        self.context.use()
        return self._buffer

    def write(self, view: View) -> None:
        """Make `view` the one that the next passes use."""
        buffer = self.use()
        buffer.write(view.uniform_block())
        buffer.bind_to_uniform_block(VIEW_BINDING)

    def release(self) -> None:
        if self._buffer is not None:
            self.context.release(self._buffer)
        self._buffer = None


class RasterPass:
    """Draws the height map's visible triangles into named attachments."""

    def __init__(
        self,
        context: Context,
        camera: Camera,
        fragment: str,
        attachments: Mapping[str, str],
        defines: Mapping[str, Define],
    ) -> None:
        self.context = context
        self.target = Framebuffer(context, (camera.width, camera.height), attachments)
        self._program = load_program(context, "heightmap.vert", fragment, defines)
        _bind(self._program, {"surface": SURFACE_UNIT})
        self._vertices: moderngl.VertexArray | None = None
        self._indices: moderngl.Buffer | None = None

    def draw(self, surface: SurfaceTexture, view: View) -> None:
        """Draw what is in view, which must be the current one; pixels that see nothing stay 0."""
        self.target.use()
        self.target.clear()
        if surface.indices is None:
            return
        if surface.indices is not self._indices:
            self._replace_vertices(surface.indices)
        gl = self.context.mgl
        # Rows run downwards in clip space too, which turns the winding of the upper side round.
        gl.front_face = "cw"
        gl.enable_only(moderngl.DEPTH_TEST | moderngl.CULL_FACE)
        surface.texture.use(SURFACE_UNIT)
        assert self._vertices is not None
        for first, count in surface.runs(view.in_view):
            self._vertices.render(moderngl.TRIANGLES, vertices=count, first=first)

    def release(self) -> None:
        self._release_vertices()
        self.context.release(self._program)
        self.target.release()

    def _replace_vertices(self, indices: moderngl.Buffer) -> None:
        self._release_vertices()
        self._vertices = self.context.own(self.context.mgl.vertex_array(self._program, [], indices))
        self._indices = indices

    def _release_vertices(self) -> None:
        if self._vertices is not None:
            self.context.release(self._vertices)
        self._vertices = self._indices = None


class ScreenPass:
    """Evaluates one fragment shader at every pixel, from the surface and the attachments of earlier passes."""

    def __init__(
        self,
        context: Context,
        camera: Camera,
        fragment: str,
        attachments: Mapping[str, str],
        defines: Mapping[str, Define],
        *,
        inputs: tuple[str, ...],
    ) -> None:
        self.context = context
        self.target = Framebuffer(context, (camera.width, camera.height), attachments, depth=False)
        self._program = load_program(context, "fullscreen.vert", fragment, defines)
        self._units = {name: unit for unit, name in enumerate(inputs, SURFACE_UNIT + 1)}
        _bind(self._program, {"surface": SURFACE_UNIT} | self._units)
        self._vertices = context.own(context.mgl.vertex_array(self._program, []))

    def draw(self, surface: SurfaceTexture, inputs: Mapping[str, moderngl.Texture]) -> None:
        """Write every pixel of the target, also those that see nothing."""
        self.target.use()
        self.context.mgl.enable_only(moderngl.NOTHING)
        surface.texture.use(SURFACE_UNIT)
        for name, unit in self._units.items():
            inputs[name].use(unit)
        self._vertices.render(moderngl.TRIANGLES, vertices=3)

    def release(self) -> None:
        self.context.release(self._vertices, self._program)
        self.target.release()


def _bind(program: moderngl.Program, units: Mapping[str, int]) -> None:
    view = program["View"]
    assert isinstance(view, moderngl.UniformBlock)
    view.binding = VIEW_BINDING
    for name, unit in units.items():
        set_uniform(program, name, unit)
