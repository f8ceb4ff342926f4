"""The screen that pictures, lines and notes are put onto, before the window shows it or a file keeps it."""

from typing import Any

import moderngl
import numpy as np
from numpy.typing import NDArray

from glrender.geometry.camera import Camera
from glrender.gl.context import Context, GLObject, Owned
from glrender.gl.program import load_program, set_uniform
from glrender.render.surface import UNSEEN
from glrender.viewer.colors import Kind, Scale, lookup_table
from glrender.viewer.lines import Lines, corners_of
from glrender.viewer.programs import ScreenPrograms

BACKGROUND = (30, 32, 38)
"""sRGB bytes, shown where there is nothing to see."""

_PICTURE, _COLORMAP = 0, 1


class ColormapTextures:
    """Lookup tables on the GPU, each uploaded when it is first used."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._textures: dict[str, moderngl.Texture] = {}

    def use(self, name: str, unit: int) -> None:
        """Bind the colour map that matplotlib has under `name`."""
        if name not in self._textures:
            table = lookup_table(name)
            texture = self.context.own(self.context.mgl.texture((len(table), 1), 3, table.tobytes()))
            texture.filter = (moderngl.NEAREST, moderngl.NEAREST)
            self._textures[name] = texture
        self._textures[name].use(unit)

    def release(self) -> None:
        self.context.release(*self._textures.values())
        self._textures.clear()


class Screen:
    """An image of sRGB bytes, its rows upwards as a window's; owned by `context`."""

    def __init__(self, context: Context, size: tuple[int, int]) -> None:
        self.context = context
        self.colormaps = ColormapTextures(context)
        """The colour maps of whatever is drawn onto the screen."""
        self._pictures = ScreenPrograms(context, "picture.frag", {"picture": _PICTURE, "colormap": _COLORMAP}, {})
        self._notes = ScreenPrograms(context, "notes.frag", {"notes": _PICTURE}, {})
        self._lines_program = load_program(context, "lines.vert", "lines.frag")
        set_uniform(self._lines_program, "picture", _PICTURE)
        self._sized: list[GLObject] = []
        self._uploads: dict[str, moderngl.Texture] = {}
        self.resize(size)

    def resize(self, size: tuple[int, int]) -> None:
        """Have `size` (width, height) pixels from now on."""
        self.context.release(*self._sized)
        self._sized = []
        self.size = size
        self._texture = self._own(self.context.mgl.texture(size, 4))
        depths = self._own(self.context.mgl.depth_renderbuffer(size))
        self._fbo = self._own(self.context.mgl.framebuffer([self._texture], depths))

    def clear(self) -> None:
        """Show nothing; of all that is put onto the screen from now on, the nearest is seen."""
        self.use()
        red, green, blue = (value / 255 for value in BACKGROUND)
        self._fbo.clear(red, green, blue, 1.0, depth=1.0)

    def put_picture(
        self,
        picture: moderngl.Texture,
        kind: Kind,
        scale: Scale,
        colormap: str,
        where: tuple[float, float, float, float],
    ) -> None:
        """Put a texture (r, g, b, depth; or value, depth) at `where` (left, top, width, height)."""
        self.use()
        self.context.mgl.enable_only(moderngl.DEPTH_TEST)
        picture.use(_PICTURE)
        self.colormaps.use(colormap, _COLORMAP)
        self._pictures.draw(
            {"FALSE_COLORS": int(kind is not Kind.COLOR), "SCALE": scale.mode},
            {"rectangle": where, "screen_height": self.size[1], "scale": scale.uniform},
        )

    def put_pixels(self, colors: NDArray[np.uint8]) -> None:
        """Show (height, width, 4) sRGB bytes instead of all that was there, rows upwards."""
        self._texture.write(colors)

    def put_lines(
        self, lines: Lines, camera: Camera, T_world_camera: NDArray[np.float64], picture: moderngl.Texture
    ) -> None:
        """Draw lines over a picture of the screen's size, faint where it is nearer."""
        corners = corners_of(lines, camera, T_world_camera)
        if not len(corners):
            return
        self.use()
        mgl = self.context.mgl
        mgl.enable_only(moderngl.BLEND)
        mgl.blend_func = moderngl.SRC_ALPHA, moderngl.ONE_MINUS_SRC_ALPHA
        picture.use(_PICTURE)
        set_uniform(self._lines_program, "screen_size", self.size)
        set_uniform(self._lines_program, "depth_channel", picture.components - 1)
        buffer = mgl.buffer(corners.tobytes())
        vertices = mgl.vertex_array(self._lines_program, [(buffer, "3f 4f", "corner", "color")])
        vertices.render(moderngl.TRIANGLES)
        vertices.release()
        buffer.release()

    def put_notes(self, notes: NDArray[np.uint8]) -> None:
        """Lay (height, width, 4) sRGB bytes, multiplied by their opacity, over the screen; row 0 is on top."""
        self.use()
        texture = self.upload("notes", notes)
        self.use()
        mgl = self.context.mgl
        mgl.enable_only(moderngl.BLEND)
        mgl.blend_func = moderngl.ONE, moderngl.ONE_MINUS_SRC_ALPHA
        texture.use(_PICTURE)
        # Most of the sheet is empty, and software pays for every pixel.
        written = notes.reshape(len(notes), -1).any(axis=1)
        edges = np.flatnonzero(np.diff(written, prepend=False, append=False))
        for top, bottom in edges.reshape(-1, 2).tolist():
            self._fbo.scissor = 0, self.size[1] - bottom, self.size[0], bottom - top
            self._notes.draw({}, {})
        self._fbo.scissor = 0, 0, *self.size

    def use(self) -> None:
        """Direct what is drawn next onto the screen."""
        self.context.use()
        self._fbo.use()

    def upload(self, name: str, pixels: NDArray[Any]) -> moderngl.Texture:
        """A texture of (height, width, channels) bytes, float32 or uint32, kept until the next of this name."""
        height, width, channels = pixels.shape
        kind = {"uint8": "f1", "uint32": "u4", "float32": "f4"}[pixels.dtype.name]
        texture = self._uploads.get(name)
        if texture is None or (texture.size, texture.components, texture.dtype) != ((width, height), channels, kind):
            if texture is not None:
                self.context.release(texture)
            texture = self.context.own(self.context.mgl.texture((width, height), channels, dtype=kind))
            texture.filter = (moderngl.NEAREST, moderngl.NEAREST)
            self._uploads[name] = texture
        texture.write(np.ascontiguousarray(pixels))
        return texture

    def show(self, window: moderngl.Framebuffer) -> None:
        """Copy the screen into a window of its size."""
        self.context.mgl.copy_framebuffer(window, self._fbo)

    def read(self) -> NDArray[np.uint8]:
        """(height, width, 3) sRGB bytes, row 0 on top."""
        self.context.use()
        width, height = self.size
        pixels = np.frombuffer(self._fbo.read(components=3, alignment=1), np.uint8).reshape(height, width, 3)
        return np.ascontiguousarray(pixels[::-1])

    def release(self) -> None:
        """Release everything that was made in the context."""
        self.context.release(self._lines_program, *self._uploads.values(), *self._sized)
        self._pictures.release()
        self._notes.release()
        self._uploads.clear()
        self._sized = []
        self.colormaps.release()

    def _own(self, obj: Owned) -> Owned:
        self._sized.append(obj)
        return self.context.own(obj)


def picture_of(values: NDArray[np.float32], depth: NDArray[np.float32], kind: Kind) -> NDArray[np.float32]:
    """What `put_picture` takes: colours (height, width, 1 or 3), or values (height, width), beside their depth.

    Depth 0 is nothing, and so is a value that is NaN.
    """
    if kind is Kind.COLOR:
        return np.dstack([np.broadcast_to(values, (*depth.shape, 3)), depth]).astype(np.float32)
    shown = np.where((depth > 0) & np.isfinite(values), values, np.float32(UNSEEN))
    return np.stack([shown, depth], axis=-1, dtype=np.float32)
