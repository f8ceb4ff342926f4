"""A framebuffer whose colour attachments have names."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import moderngl
import numpy as np
from numpy.typing import NDArray

from glrender.checks import check_choice
from glrender.errors import InputError, LimitError
from glrender.gl.context import Context


class PixelFormat(NamedTuple):
    """A texture format that every OpenGL 3.3 can render to."""

    channels: int
    dtype: str
    """moderngl's name of the type of one channel, numpy's too."""


FORMATS = {
    f"{channels}{bits}{kind}": PixelFormat(count, dtype)
    for channels, count in (("r", 1), ("rg", 2), ("rgba", 4))
    for bits, kind, dtype in ((32, "f", "f4"), (32, "ui", "u4"), (32, "i", "i4"), (8, "ui", "u1"))
}


class Framebuffer:
    """Named textures of one size that a pass renders into together; attachment k is the k-th name.

    `attachments` maps each name to a format ("r8ui", "r32f", "rgba32f", "rgba32ui", …: see FORMATS).
    Row 0 of an attachment is row 0 of the image that `read` returns. Raises LimitError if this
    machine cannot render into so many attachments or so large a size, UsageError for an unknown format.
    """

    def __init__(
        self, context: Context, size: tuple[int, int], attachments: Mapping[str, str], depth: bool = True
    ) -> None:
        width, height = size
        _check_limits(context, width, height, attachments)
        self.context = context
        self.size = width, height
        self._formats = {
            name: FORMATS[check_choice(f"attachment {name!r}", text, FORMATS)] for name, text in attachments.items()
        }
        self._textures: dict[str, moderngl.Texture] = {}
        context.use()
        for name, (channels, dtype) in self._formats.items():
            texture = context.own(context.mgl.texture(self.size, channels, dtype=dtype))
            # Buffers hold values, not colours: nothing is ever interpolated between their pixels.
            texture.filter = (moderngl.NEAREST, moderngl.NEAREST)
            self._textures[name] = texture
        self._depth = context.own(context.mgl.depth_renderbuffer(self.size)) if depth else None
        self._fbo = context.own(context.mgl.framebuffer(list(self._textures.values()), self._depth))
        context.check(f"making a framebuffer of {width} x {height} pixels")

    @property
    def names(self) -> tuple[str, ...]:
        """The attachments' names, in the order of their locations."""
        return tuple(self._textures)

    def use(self) -> None:
        """Direct what is rendered next into this framebuffer, over its whole size."""
        self.context.use()
        self._fbo.use()

    def clear(self) -> None:
        """Set every attachment to 0 and the depth to 1."""
        self.context.use()
        self._fbo.clear(depth=1.0)

    def texture(self, name: str) -> moderngl.Texture:
        """The texture behind an attachment, for a later pass to read."""
        return self._textures[check_choice("attachment", name, self._textures)]

    def read(self, name: str) -> NDArray[Any]:
        """A fresh (height, width, channels) array of an attachment, in its own type, row 0 first."""
        index = self.names.index(check_choice("attachment", name, self._textures))
        channels, dtype = self._formats[name]
        pixels = np.empty((self.size[1], self.size[0], channels), dtype=dtype)
        self.context.use()
        self._fbo.read_into(pixels, components=channels, attachment=index, dtype=dtype)
        self.context.check(f"reading attachment {name!r}")
        return pixels

    def release(self) -> None:
        """Release the framebuffer and its textures."""
        owned = [self._fbo, *self._textures.values()]
        self.context.release(*owned, *([self._depth] if self._depth else []))


def _check_limits(context: Context, width: int, height: int, attachments: Mapping[str, str]) -> None:
    limits = context.limits
    if min(width, height) < 1:
        raise InputError(f"framebuffer: received {width} x {height} pixels, expected at least 1 x 1")
    if not 1 <= len(attachments) <= limits.max_draw_buffers:
        raise LimitError(
            f"framebuffer: received {len(attachments)} attachments ({', '.join(attachments)}), "
            f"but {context.renderer} can render into 1 to {limits.max_draw_buffers}"
        )
    max_width, max_height = limits.max_framebuffer_size
    if width > max_width or height > max_height:
        raise LimitError(
            f"framebuffer: received {width} x {height} pixels, but {context.renderer} ends at {max_width} x {max_height}"
        )
