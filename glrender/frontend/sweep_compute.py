"""The scores of `sweep` by a compute shader of OpenGL 4.3, for contexts in which a GPU draws."""

import math

import moderngl
import numpy as np
from numpy.typing import ArrayLike, NDArray

from glrender.frontend.sweep import FLAT, Hypotheses, SweepImages
from glrender.frontend.sweep_shader import MOST_SOURCES, ShaderSweep, stacked
from glrender.gl.compute import ComputePass, ReadBack, storage_buffer
from glrender.gl.context import Context
from glrender.recycle import Recycler

Float32 = NDArray[np.float32]

UNKNOWN = -1e30
"""Intensity of a pixel that has none; shaders/sweep.comp has the same."""
CHUNK = 8
"""Hypotheses of a workgroup."""
BAND_BYTES = 64 << 20
"""Of scores that are made at a time: a small GPU has little memory, and a driver little patience."""
SHARED_BYTES = 32768
"""Memory of a workgroup that OpenGL promises."""


class SweepCompute(ShaderSweep):
    """Scores by OpenGL 4.3; what it makes is owned by `context` and kept for further calls of the same sizes.

    LimitError where the context is older, see `glrender.gl.compute`.
    """

    def __init__(self, context: Context) -> None:
        self.context = context
        self._passes: dict[tuple[int, bool], ComputePass] = {}
        self._read_back = ReadBack(context)
        self._recycler = Recycler()
        self._buffer: moderngl.Buffer | None = None
        self._uploaded: dict[str, tuple[Float32, moderngl.Texture | moderngl.TextureArray]] = {}

    def release(self) -> None:
        """Release what this made in its context; may be called twice."""
        self.context.release(*(texture for _, texture in self._uploaded.values()))
        self.context.release(*([] if self._buffer is None else [self._buffer]))
        for each in self._passes.values():
            each.release()
        self._read_back.release()
        self._uploaded, self._passes, self._buffer = {}, {}, None

    def _scores(
        self, images: SweepImages, hypotheses: Hypotheses, radius: int, ranges: list[tuple[int, int]], *, mean: bool
    ) -> Float32:
        self.context.use()
        height, width = images.reference.shape
        number = hypotheses.number
        textures = {
            "reference": self._texture("reference", images.reference),
            "search": self._texture("search", np.stack([hypotheses.far, hypotheses.step], axis=-1)),
            "sources": self._texture("sources", images.sources),
        }
        values: dict[str, ArrayLike] = {**stacked(images.warps), "number": number}
        made = self._pass(radius, mean)
        scores = self._recycler.empty((len(ranges), height, width, number), np.float32)
        for row, (first, last) in enumerate(ranges):
            for top, bottom in self._bands(height, 4 * width * number):
                buffer = self._room(4 * width * number * (bottom - top))
                groups = -(-width // _tile(radius)), -(-(bottom - top) // _tile(radius)), math.ceil(number / CHUNK)
                part: dict[str, ArrayLike] = {
                    "first_source": first,
                    "last_source": last,
                    "first_row": top,
                    "last_row": bottom,
                }
                made.run(groups, textures=textures, buffers={"Scores": buffer}, values=values | part)
                self._read_back.read(buffer, scores[row, top:bottom])
        return scores

    def _bands(self, height: int, bytes_a_row: int) -> list[tuple[int, int]]:
        """Rows of the image, first and one beyond the last, whose scores are made at a time."""
        most = max(min(self.context.limits.max_storage_block_bytes, BAND_BYTES) // bytes_a_row, 1)
        return [(top, min(top + most, height)) for top in range(0, height, most)]

    def _room(self, size: int) -> moderngl.Buffer:
        if self._buffer is None or self._buffer.size < size:
            if self._buffer is not None:
                self.context.release(self._buffer)
                self._buffer = None
            self._buffer = storage_buffer(self.context, "plane sweep", size)
        return self._buffer

    def _pass(self, radius: int, mean: bool) -> ComputePass:
        if (radius, mean) not in self._passes:
            defines = {
                "RADIUS": radius,
                "TILE": _tile(radius),
                "CHUNK": CHUNK,
                "FLAT": FLAT,
                "MEAN": mean,
                "MOST_SOURCES": MOST_SOURCES,
            }
            self._passes[radius, mean] = ComputePass(self.context, "sweep.comp", defines)
        return self._passes[radius, mean]

    def _texture(self, name: str, image: Float32) -> moderngl.Texture | moderngl.TextureArray:
        """(height, width), (height, width, 2) or, of "sources", (sources, height, width); the same array once."""
        held = self._uploaded.pop(name, None)
        if held is None or held[0] is not image:
            if held is not None:
                self.context.release(held[1])
            held = image, self._upload(name, image)
        self._uploaded[name] = held
        return held[1]

    def _upload(self, name: str, image: Float32) -> moderngl.Texture | moderngl.TextureArray:
        texels = np.nan_to_num(image, nan=UNKNOWN, posinf=UNKNOWN, neginf=UNKNOWN).astype(np.float32, copy=False)
        texels = np.ascontiguousarray(texels)
        texture: moderngl.Texture | moderngl.TextureArray
        if name == "sources":
            layers, height, width = image.shape
            texture = self.context.mgl.texture_array((width, height, layers), 1, texels, dtype="f4")
        else:
            height, width = image.shape[:2]
            self.context.check_texture_size("photograph", width, height)
            texture = self.context.mgl.texture((width, height), image[0, 0].size, texels, dtype="f4")
        texture.filter = (moderngl.NEAREST, moderngl.NEAREST)
        return self.context.own_what_fits(texture, f"plane sweep: {name} {texels.shape} do not fit into the memory")


def fits(radius: int) -> bool:
    """Whether windows of 2 radius + 1 pixels a side fit into a workgroup's memory."""
    return _tile(radius) > 0


def _tile(radius: int) -> int:
    """Pixels along each side of a workgroup, as many as fit; 0 if none do."""
    for tile in (16, 8):
        side = tile + 2 * radius
        if 16 * side * side + 16 * side * tile <= SHARED_BYTES:
            return tile
    return 0
