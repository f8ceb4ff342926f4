"""A height map on the GPU: one texture and the list of its triangles; and several of them, each uploaded once."""

from collections import OrderedDict
from dataclasses import dataclass

import moderngl
import numpy as np
from numba import njit
from numpy.typing import NDArray

from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.render.view import BLOCK, View, bounding_boxes, make_view

GREY = 0.5
"""What an unknown colour renders as."""

_ROOMY = 8
"""Memory of an earlier map is used for another one unless it is more than so many times as large as needed."""

UNSEEN = 1e30
"""Height of an unseen vertex in the texture, metres; shaders/include/surface.glsl has the same."""


class SurfaceTexture:
    """Heights and colours as one RGBA32F texture, and the triangles that no NaN height touches.

    Uploading the same object again costs nothing. A map that fits into the memory of the one before takes that over,
    since getting memory is what takes long: so parts of a large map, each of another shape, can take turns.
    """

    def __init__(self, context: Context) -> None:
        self.context = context
        self.height_origin = 0.0
        self.boxes: NDArray[np.float64] = np.empty((0, 2, 3))
        self.indices: moderngl.Buffer | None = None
        """Three vertex numbers a triangle; the buffer may be longer than what `runs` refers to."""
        self._starts: NDArray[np.int64] = np.zeros(1, np.int64)
        self._texture: moderngl.Texture | None = None
        self._surface: HeightMap | None = None
        self._unseen: bytes | None = None

    @property
    def texture(self) -> moderngl.Texture:
        """Texel (j, i): height of vertex (i, j) above `height_origin`, then r, g, b. It may be larger than the map."""
        assert self._texture is not None, "upload a surface first"
        return self._texture

    def upload(self, surface: HeightMap) -> None:
        """Put `surface` on the GPU.

        Raises LimitError if the map is larger than a texture can be, or than the GPU's memory.
        """
        if surface is self._surface:
            return
        rows, cols = surface.shape
        self.context.check_texture_size("height map", cols, rows)
        texels, self.height_origin = surface_texels(surface)
        same_shape = self._surface is not None and self._surface.shape == surface.shape
        self._surface = None  # until all of it is there
        if not _fits(self._texture, cols, rows):
            self._replace_texture(cols, rows)
        self.texture.write(texels, viewport=(0, 0, cols, rows))
        self.boxes = bounding_boxes(surface)
        unseen = np.isnan(surface.heights)
        mask = unseen.tobytes() if unseen.any() else b""
        if not same_shape or mask != self._unseen:
            self._unseen = mask
            self._replace_indices(unseen)
        self._surface = surface

    def view(self, camera: Camera, T_world_camera: NDArray[np.float64], near: float) -> View:
        """The uploaded surface as `camera` sees it from a pose; nothing nearer than `near` metres."""
        assert self._surface is not None, "upload a surface first"
        height_origin, boxes = self.height_origin, self.boxes
        return make_view(self._surface, camera, T_world_camera, height_origin=height_origin, boxes=boxes, near=near)

    def runs(self, in_view: NDArray[np.bool_]) -> list[tuple[int, int]]:
        """(first, count) of each run of indices to draw for the blocks `in_view` (blocks,); neighbours make one."""
        edges = np.flatnonzero(np.diff(in_view, prepend=False, append=False))
        firsts, ends = self._starts[edges[::2]], self._starts[edges[1::2]]
        return [(3 * int(first), 3 * int(end - first)) for first, end in zip(firsts, ends, strict=True) if end > first]

    def release(self) -> None:
        """Release the texture and the triangles."""
        self.context.release(*(obj for obj in (self._texture, self.indices) if obj is not None))
        self._texture = self.indices = self._surface = None

    def _replace_texture(self, cols: int, rows: int) -> None:
        if self._texture is not None:
            self.context.release(self._texture)
            self._texture = None
        texture = self.context.mgl.texture((cols, rows), 4, dtype="f4")
        texture.filter = (moderngl.NEAREST, moderngl.NEAREST)
        problem = f"height map: received {cols} x {rows} vertices, expected as many as fit into the memory"
        self._texture = self.context.own_what_fits(texture, problem, "; take a coarser spacing or a smaller map")

    def _replace_indices(self, unseen: NDArray[np.bool_]) -> None:
        indices, self._starts = _triangle_indices(unseen)
        if self.indices is not None and not indices.nbytes <= self.indices.size <= _ROOMY * indices.nbytes:
            self.context.release(self.indices)
            self.indices = None
        if not indices.size:
            return
        if self.indices is None:
            self.indices = self.context.own(self.context.mgl.buffer(indices))
        else:
            self.indices.orphan()  # what is being drawn from it is not waited for
            self.indices.write(indices)
        self.context.check(f"uploading {len(indices)} triangles")


def _fits(texture: moderngl.Texture | None, cols: int, rows: int) -> bool:
    """Whether a map of so many vertices fits into a texture, and does not waste most of it."""
    if texture is None:
        return False
    width, height = texture.size
    return cols <= width and rows <= height and width * height <= _ROOMY * cols * rows


def surface_texels(surface: HeightMap) -> tuple[NDArray[np.float32], float]:
    """(rows, cols, 4) heights above an origin, UNSEEN where there is none, and r, g, b; and that origin in map z."""
    total, count = _sum_seen(surface.heights)
    # float32 has seven digits for what is left; the mean, unlike the middle, leaves them where most heights are.
    height_origin = total / count if count else 0.0
    texels = np.empty((*surface.shape, 4), np.float32)
    colors = np.empty((0, 0, 1)) if surface.colors is None else surface.colors
    _fill_texels(surface.heights, height_origin, colors, texels)
    return texels, height_origin


@njit(cache=True, nogil=True)
def _sum_seen(heights: NDArray[np.float64]) -> tuple[float, int]:
    total, count = 0.0, 0
    for i in range(heights.shape[0]):
        for j in range(heights.shape[1]):
            if heights[i, j] == heights[i, j]:
                total += heights[i, j]
                count += 1
    return total, count


@njit(cache=True, nogil=True)
def _fill_texels(
    heights: NDArray[np.float64], height_origin: float, colors: NDArray[np.float64], texels: NDArray[np.float32]
) -> None:
    """Fill in texels without NaN, about which OpenGL 3.3 promises nothing: no triangle has an unseen vertex."""
    for i in range(heights.shape[0]):
        for j in range(heights.shape[1]):
            height = heights[i, j] - height_origin
            texels[i, j, 0] = height if height == height else UNSEEN
            for c in range(3):
                color = colors[i, j, min(c, colors.shape[2] - 1)] if colors.size else GREY
                texels[i, j, 1 + c] = color if color == color else GREY


@dataclass(frozen=True, eq=False)
class HostSurface:
    """What `SurfaceTexture` has on the GPU, as arrays for passes on the host."""

    surface: HeightMap
    """The map whose arrays these are."""
    texels: NDArray[np.float32]
    """(rows, cols, 4): heights above `height_origin`, UNSEEN where there is none; then r, g, b."""
    heights: NDArray[np.float32]
    """(rows, cols): the same heights side by side."""
    height_origin: float
    """Map z, metres."""

    @staticmethod
    def of(surface: HeightMap) -> "HostSurface":
        """The arrays of a height map."""
        texels, height_origin = surface_texels(surface)
        return HostSurface(surface, texels, np.ascontiguousarray(texels[..., 0]), height_origin)


class SurfaceStore:
    """Surfaces for the renderers of one context, on the GPU and on the host: the `most` used last stay on each.

    A surface is uploaded when it is first asked for; where there is no room, it takes the place of the one that was
    used longest ago, and its memory, see `SurfaceTexture`.
    """

    def __init__(self, context: Context, most: int = 1) -> None:
        self.context = context
        self._most = most
        self._textures: OrderedDict[int, SurfaceTexture] = OrderedDict()
        self._on_host: OrderedDict[int, HostSurface] = OrderedDict()

    def upload(self, surface: HeightMap) -> SurfaceTexture:
        """The texture that holds `surface`; raises as `SurfaceTexture.upload` does."""
        # A texture keeps its surface, so that no other object gets the same id.
        texture = self._textures.pop(id(surface), None)
        if texture is None:
            full = len(self._textures) >= self._most
            texture = self._textures.popitem(last=False)[1] if full else SurfaceTexture(self.context)
            try:
                texture.upload(surface)
            except BaseException:
                texture.release()
                raise
        self._textures[id(surface)] = texture
        return texture

    def on_host(self, surface: HeightMap) -> HostSurface:
        """What `upload` would put on the GPU, as arrays; raises LimitError for the same maps."""
        arrays = self._on_host.pop(id(surface), None)
        if arrays is None:
            self.context.check_texture_size("height map", *surface.shape[::-1])
            if len(self._on_host) >= self._most:
                self._on_host.popitem(last=False)
            arrays = HostSurface.of(surface)
        self._on_host[id(surface)] = arrays
        return arrays

    def release(self) -> None:
        """Release all textures; may be called twice."""
        for texture in self._textures.values():
            texture.release()
        self._textures.clear()
        self._on_host.clear()


def _triangle_indices(unseen: NDArray[np.bool_]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """(triangles, 3) vertex numbers as shaders/heightmap.vert counts them, provoking vertex last; block by block.

    The second result (blocks + 1,) says where each block's triangles begin, and where the last one's end.
    """
    rows, cols = unseen.shape
    indices = np.empty((2 * (rows - 1) * (cols - 1), 3), np.uint32)
    starts = np.zeros(-(-(rows - 1) // BLOCK) * -(-(cols - 1) // BLOCK) + 1, np.int64)
    _fill_indices(unseen, indices, starts)
    return indices[: starts[-1]], starts


@njit(cache=True, nogil=True)
def _fill_indices(unseen: NDArray[np.bool_], indices: NDArray[np.uint32], starts: NDArray[np.int64]) -> None:
    rows, cols = unseen.shape
    block, count = 0, 0
    for top in range(0, rows - 1, BLOCK):
        for left in range(0, cols - 1, BLOCK):
            for i in range(top, min(top + BLOCK, rows - 1)):
                for j in range(left, min(left + BLOCK, cols - 1)):
                    if unseen[i, j + 1] or unseen[i + 1, j]:
                        continue
                    a = 2 * (i * cols + j)
                    if not unseen[i, j]:
                        indices[count, 0], indices[count, 1], indices[count, 2] = a + 2, a + 1, a
                        count += 1
                    if not unseen[i + 1, j + 1]:
                        indices[count, 0], indices[count, 1], indices[count, 2] = a + 1, a + 2, a + 3
                        count += 1
            block += 1
            starts[block] = count
