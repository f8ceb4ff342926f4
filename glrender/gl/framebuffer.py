"""A framebuffer whose colour attachments have names."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import moderngl
import numpy as np
from numpy.typing import NDArray

from glrender.checks import check_choice
from glrender.errors import GLError, InputError, LimitError, UsageError
from glrender.gl.context import Context, GLObject, Owned
from glrender.recycle import Recycler


class PixelFormat(NamedTuple):
    """A texture format that every OpenGL 3.3 can render to."""

    channels: int
    """How many numbers a pixel has."""
    dtype: str
    """moderngl's name of the type of one channel, numpy's too."""


FORMATS = {
    f"{channels}{bits}{kind}": PixelFormat(count, dtype)
    for channels, count in (("r", 1), ("rg", 2), ("rgba", 4))
    for bits, kind, dtype in ((32, "f", "f4"), (32, "ui", "u4"), (32, "i", "i4"), (8, "ui", "u1"))
}
"""The formats by their names in OpenGL, such as "rgba32f"."""


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
        self._owned: list[GLObject] = []
        try:
            self._build(depth)
            context.check("making its textures")
        except (GLError, moderngl.Error) as error:
            self.release()
            raise GLError(f"framebuffer of {width} x {height} pixels with {', '.join(attachments)}: {error}") from None

    def _build(self, depth: bool) -> None:
        mgl = self.context.mgl
        self._textures: dict[str, moderngl.Texture] = {}
        self._recycler = Recycler()
        for name, (channels, dtype) in self._formats.items():
            texture = self._own(mgl.texture(self.size, channels, dtype=dtype))
            # Buffers hold values, not colours: nothing is ever interpolated between their pixels.
            texture.filter = (moderngl.NEAREST, moderngl.NEAREST)
            self._textures[name] = texture
        depths = self._own(mgl.depth_renderbuffer(self.size)) if depth else None
        self._fbo = self._own(mgl.framebuffer(list(self._textures.values()), depths))

    def _own(self, obj: Owned) -> Owned:
        self._owned.append(obj)
        return self.context.own(obj)

    def _use_context(self) -> None:
        if not self._owned:
            raise GLError("this framebuffer was released; make a new one")
        self.context.use()

    @property
    def names(self) -> tuple[str, ...]:
        """The attachments' names, in the order of their locations."""
        return tuple(self._formats)

    def use(self) -> None:
        """Direct what is rendered next into this framebuffer, over its whole size."""
        self._use_context()
        self._fbo.use()

    def clear(self) -> None:
        """Set every attachment to 0 and the depth to 1."""
        self._use_context()
        self._fbo.clear(depth=1.0)

    def texture(self, name: str) -> moderngl.Texture:
        """The texture behind an attachment, for a later pass to read; it stays owned by this framebuffer."""
        self._use_context()
        return self._textures[check_choice("attachment", name, self.names)]

    def read(self, name: str) -> NDArray[Any]:
        """A fresh (height, width, channels) array of an attachment, in its own type, row 0 first."""
        self._use_context()
        index = self.names.index(check_choice("attachment", name, self.names))
        channels, dtype = self._formats[name]
        pixels = self._recycler.empty((self.size[1], self.size[0], channels), np.dtype(dtype))
        self._fbo.read_into(pixels, components=channels, attachment=index, dtype=dtype)
        self.context.check(f"reading attachment {name!r}")
        return pixels

    def release(self) -> None:
        """Release the framebuffer and its textures; may be called twice."""
        self.context.release(*reversed(self._owned))
        self._owned = []


def _check_limits(context: Context, width: int, height: int, attachments: Mapping[str, str]) -> None:
    limits = context.limits
    if min(width, height) < 1:
        raise InputError(f"framebuffer: received {width} x {height} pixels, expected at least 1 x 1")
    if not attachments:
        raise UsageError("framebuffer: received no attachments, expected at least one")
    if len(attachments) > limits.max_draw_buffers:
        raise LimitError(
            f"framebuffer: received {len(attachments)} attachments ({', '.join(attachments)}), "
            f"but {context.renderer} can render into {limits.max_draw_buffers} at once"
        )
    max_width, max_height = limits.max_framebuffer_size
    if width > max_width or height > max_height:
        raise LimitError(
            f"framebuffer: received {width} x {height} pixels, "
            f"but {context.renderer} can render into at most {max_width} x {max_height}"
        )
