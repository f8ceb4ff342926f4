"""The normal equations made on the GPU, from the finished derivative pass and an uploaded frame.

No buffer of the image's size comes back: what is read is the stencil, the vector, and a few numbers for each tile of
the image. Each vertex collects its sums from the pixels around it in a fixed order, so they are the same to the last
bit whenever the same driver makes them, and no integers have to stand in for floats that could overflow.
"""

from typing import Any

import moderngl
import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from glrender.assembly.absolute import AbsoluteEquations, ColorEquations
from glrender.assembly.gpu_measurements import GpuMeasurements
from glrender.assembly.residuals import check_sigmas
from glrender.assembly.robust import loss_parameters
from glrender.assembly.statistics import SIGMA_PER_MEDIAN, FrameStatistics
from glrender.assembly.usable import LEAST_DEPTH_SLOPE
from glrender.checks import check_pose, check_positive
from glrender.errors import GLError, InputError, LimitError, UsageError
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.gl.compute import ComputePass, ReadBack, storage_buffer
from glrender.gl.context import Context
from glrender.gl.program import check_compute
from glrender.gl.source import Define
from glrender.recycle import Recycler
from glrender.render.derivatives import DerivativeRenderer
from glrender.render.layouts import JUMP
from glrender.solve.losses import Loss, Squared
from glrender.solve.stencil import BlockStencil
from glrender.solve.systems import NormalEquations

TILE_WIDTH, TILE_HEIGHT = 64, 8
"""Pixels of a workgroup of histogram.comp and weigh.comp."""

TILE = np.dtype([(name, np.float32 if name == "cost" else np.uint32) for name in
                 ("cost", "count", "measured", "trusted", "senseless", "excessive")])  # fmt: skip
"""What weigh.comp says of a tile; it explains each number."""

KINDS, BINS = 3, 65536
"""The histograms of shaders/include/median.glsl."""

GROUP_SIDE = 8
"""Threads along each side of a workgroup of gather.comp."""


class GpuNormalEquations:
    """Makes normal equations from frames of one camera; owned by `context`, of OpenGL 4.3 or later.

    Raises LimitError where the context is older; `glrender.gl.equations_path` says where to use it.
    """

    def __init__(self, context: Context, camera: Camera) -> None:
        check_compute(context, "normal equations on the GPU")
        self.context = context
        self.camera = camera
        self._tiles = _tiles(camera)
        self._passes: dict[str, ComputePass] = {}
        self._buffers: dict[str, moderngl.Buffer] = {}
        self._read_back = ReadBack(context)
        self._recycler = Recycler(alike=12)
        self._released = False

    def normal_equations(
        self,
        renderer: DerivativeRenderer,
        surface: HeightMap,
        T_world_camera: ArrayLike,
        frame: GpuMeasurements,
        *,
        depth_loss: Loss | None = None,
        color_loss: Loss | None = None,
    ) -> NormalEquations:
        """JᵀWJ dx = JᵀWr of a frame at `surface`, rendered by `renderer` from a pose (4, 4), camera to world.

        The same as `glrender.assembly.stencil.normal_equations` of `weigh`, but for the rounding of float32. Raises
        InputError for sigmas that are not greater than 0, or an image of other channels than the map; UsageError
        where there is nothing to compare, or parts do not belong together; LimitError for a map whose stencil is
        larger than a shader's buffer, or pixels that weigh so much that float32 could not hold the sums.
        """
        self._compute(renderer, surface, T_world_camera, frame, depth_loss, color_loss)
        (rows, cols), channels = surface.shape, surface.color_channels
        cost, sums = self._sums()
        matrix = self._read("Matrix", (rows, cols, 4, _entries(channels)), np.float32)
        vector = self._read("Vector", (rows, cols, 1 + channels), np.float32)
        return NormalEquations(BlockStencil(matrix), vector, cost, sums["count"])

    def screened(
        self,
        renderer: DerivativeRenderer,
        surface: HeightMap,
        T_world_camera: ArrayLike,
        frame: GpuMeasurements,
        *,
        max_depth_slope: float,
        depth_loss: Loss | None = None,
        color_loss: Loss | None = None,
    ) -> tuple[AbsoluteEquations, FrameStatistics]:
        """What a frame says from those pixels only that `glrender.assembly.usable` keeps, and what its depths are like.

        The same as `glrender.assembly.on_host.HostNormalEquations.screened`, but for the rounding of float32 and that
        medians are over all pixels; errors are those of `normal_equations`.
        """
        slope = check_positive("max_depth_slope", max_depth_slope)
        self._compute(renderer, surface, T_world_camera, frame, depth_loss, color_loss, slope)
        channels = surface.color_channels
        cost, sums = self._sums()
        matrix = self._read("Matrix", (_planes(channels), *surface.shape, 4), np.float32)
        vector = self._read("Vector", (1 + channels, *surface.shape), np.float32)
        heights, *colors = (BlockStencil(self._double(plane[..., None])) for plane in matrix)
        # Nothing is said about unseen vertices, but 0 times NaN is NaN.
        said = vector[0, ..., None] + heights.matvec(np.nan_to_num(surface.heights)[..., None])
        of_colors = ColorEquations(colors[0], self._double(np.moveaxis(vector[1:], 0, -1))) if channels else None
        equations = AbsoluteEquations(NormalEquations(heights, said, cost, sums["count"]), of_colors)
        return equations, self._statistics(sums, medians=frame.has_depth)

    def release(self) -> None:
        """Release everything that was made in the context; may be called twice."""
        for each in self._passes.values():
            each.release()
        self.context.release(*self._buffers.values())
        self._read_back.release()
        self._passes, self._buffers, self._released = {}, {}, True

    def _compute(
        self,
        renderer: DerivativeRenderer,
        surface: HeightMap,
        T_world_camera: ArrayLike,
        frame: GpuMeasurements,
        depth_loss: Loss | None,
        color_loss: Loss | None,
        max_depth_slope: float | None = None,
    ) -> None:
        """Fill the buffers; with `max_depth_slope` from usable pixels alone, and heights and colours apart."""
        T = check_pose("T_world_camera", T_world_camera)
        self._check(renderer, surface, frame)
        depth_kind, depth_k = loss_parameters(depth_loss or Squared())
        color_kind, color_k = loss_parameters(color_loss or Squared())
        screened = max_depth_slope is not None
        values: dict[str, ArrayLike] = {
            "depth_loss": depth_kind,
            "depth_k": depth_k,
            "screened": screened,
            "max_depth_slope": max_depth_slope or 0.0,
            "color_loss": color_kind,
            "color_k": color_k,
            "color_sigma": frame.color_sigma,
        }
        channels = surface.color_channels
        buffers = self._storage(surface.shape, channels, separate=screened) | frame.buffers
        rendered = renderer.draw(surface, T).target
        textures = frame.textures | {"surface": renderer.surface_texture, "triangles": rendered.texture("geometry")}
        textures |= {name: rendered.texture(name) for name in rendered.names if name != "geometry"}
        tile: dict[str, Define] = {
            "TILE_WIDTH": TILE_WIDTH,
            "TILE_HEIGHT": TILE_HEIGHT,
            "LEAST_DEPTH_SLOPE": LEAST_DEPTH_SLOPE,
        }
        if screened and frame.has_depth:
            for part in (0, 1):
                histogram = self._pass("histogram.comp", tile | {"ROUND": part})
                histogram.run(self._tiles, textures=textures, buffers=buffers, values=values)
                self._pass("select.comp", {"ROUND": part}).run((KINDS, 1), buffers=buffers)
        sums: dict[str, Define] = {"CHANNELS": channels, "SEPARATE": int(screened)}
        weigh = self._pass("weigh.comp", tile | sums | {"JUMP": JUMP})
        weigh.run(self._tiles, textures=textures, buffers=buffers, values=values)
        rows, cols = surface.shape
        lanes = _lanes(self.camera.width * self.camera.height / (rows * cols))
        gather = self._pass("gather.comp", sums | {"LANES": lanes})
        groups = -(-cols * lanes // GROUP_SIDE), -(-rows * lanes // GROUP_SIDE)
        gather.run(groups, textures=textures, buffers=buffers)

    def _check(self, renderer: DerivativeRenderer, surface: HeightMap, frame: GpuMeasurements) -> None:
        if self._released:
            raise GLError("these normal equations were released; make new ones")
        if renderer.layout != "compact":
            raise UsageError("normal equations: received a renderer of the full layout; make one with layout='compact'")
        if not self.camera.shape == renderer.camera.shape == frame.camera.shape:
            raise UsageError(
                f"normal equations: received a renderer of {renderer.camera.shape} and a frame of "
                f"{frame.camera.shape} pixels, expected {self.camera.shape} of both"
            )
        channels = surface.color_channels
        if not frame.has_depth and not (frame.channels and channels):
            raise UsageError("measurements: received neither depth nor an image of a coloured map; give at least one")
        if channels and frame.channels not in (0, channels):
            raise InputError(f"image: received {frame.channels} channels, expected {channels} as the map has")

    def _sums(self) -> tuple[float, dict[str, int]]:
        """The cost, and what else weigh.comp says of all tiles together."""
        tiles = self._read("Tiles", (self._tiles[0] * self._tiles[1],), TILE)
        sums = {name: int(tiles[name].sum()) for name in TILE.names or () if name != "cost"}
        check_sigmas(sums["senseless"])
        if sums["excessive"]:
            raise LimitError(
                f"normal equations: {sums['excessive']} pixels would add more than 1e30, of which float32 may not hold "
                "the sum; expected a larger depth_sigma or color_sigma, or no grazing views"
            )
        return float(tiles["cost"].sum(dtype=np.float64)), sums

    def _statistics(self, sums: dict[str, int], *, medians: bool) -> FrameStatistics:
        if not (medians and sums["measured"]):
            return FrameStatistics(sums["measured"], sums["trusted"], np.nan, np.nan, 1.0)
        order = self._read("Medians", (KINDS,), np.uint32)
        scaled, residual, size = map(float, _from_order(order))
        return FrameStatistics(sums["measured"], sums["trusted"], residual, size, max(1.0, SIGMA_PER_MEDIAN * scaled))

    def _read(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        array = self._recycler.empty(shape, dtype)
        self._read_back.read(self._buffers[name], array)
        return array

    def _double(self, values: NDArray[np.float32]) -> NDArray[np.float64]:
        array = self._recycler.empty(values.shape, np.float64)
        np.copyto(array, values)
        return array

    def _storage(self, shape: tuple[int, int], channels: int, *, separate: bool) -> dict[str, moderngl.Buffer]:
        """The buffers for a map of (rows, cols) vertices, or larger ones; histograms and boxes are empty.

        None is made smaller: frames with colours and without take turns, and memory takes a GPU milliseconds.
        """
        for name, size in _sizes(self.camera, shape, channels, separate=separate).items():
            if name in self._buffers:
                if self._buffers[name].size >= size:
                    continue
                self.context.release(self._buffers.pop(name))
            if size:
                what = f"normal equations of {shape[0]} x {shape[1]} vertices"
                self._buffers[name] = storage_buffer(self.context, what, size)
                if name in ("Histograms", "EmptyBoxes"):
                    self._buffers[name].write(bytes(size))
        self.context.mgl.copy_buffer(self._buffers["Boxes"], self._buffers["EmptyBoxes"])
        return self._buffers

    def _pass(self, name: str, defines: dict[str, Define]) -> ComputePass:
        key = f"{name} {defines}"
        if key not in self._passes:
            self._passes[key] = ComputePass(self.context, name, defines)
        return self._passes[key]


def largest_buffer(camera: Camera, shape: tuple[int, int], channels: int, *, separate: bool = False) -> int:
    """Bytes of the largest buffer for a map of (rows, cols) vertices; `equations_path` asks whether it fits.

    `separate` is for heights and colours apart, as `GpuNormalEquations.screened` has them.
    """
    return max(_sizes(camera, shape, channels, separate=separate).values())


def _sizes(camera: Camera, shape: tuple[int, int], channels: int, *, separate: bool) -> dict[str, int]:
    """Bytes of each buffer, by the name that the shaders have for it."""
    entries = _planes(channels) if separate else _entries(channels)
    rows, cols = shape
    tiles_x, tiles_y = _tiles(camera)
    pixels = 16 * camera.width * camera.height
    quads = 16 * (rows - 1) * (cols - 1)
    return {
        "Histograms": 4 * KINDS * BINS,
        "Medians": 4 * 2 * KINDS,
        "Tiles": TILE.itemsize * tiles_x * tiles_y,
        "ByHeight": pixels,
        "ByColor": pixels if channels else 0,
        "Couplings": pixels if channels and not separate else 0,
        "Boxes": quads,
        "EmptyBoxes": quads,
        "Matrix": 4 * 4 * entries * rows * cols,
        "Vector": 4 * (1 + channels) * rows * cols,
    }


def _tiles(camera: Camera) -> tuple[int, int]:
    """How many tiles the image has along x and y."""
    return -(-camera.width // TILE_WIDTH), -(-camera.height // TILE_HEIGHT)


def _planes(channels: int) -> int:
    """How many stencils of one number a pair of vertices: one of the heights, and one that all colours share."""
    return 2 if channels else 1


def _entries(channels: int) -> int:
    """Numbers on the last axis of `BlockStencil.matrix`."""
    return 2 + channels if channels else 1


def _lanes(pixels_per_vertex: float) -> int:
    """Threads along each side of the block that shares a vertex: as many as leave some dozens of pixels to each.

    A vertex looks at the pixels of about four cells. A coarse map under a fine image would otherwise keep a few
    hundred threads busy for long on a GPU that has tens of thousands.
    """
    return next((lanes for lanes in (1, 2, 4) if pixels_per_vertex <= 16 * lanes * lanes), 8)


def _from_order(order: NDArray[np.uint32]) -> NDArray[np.float32]:
    """The floats that shaders/include/order.glsl sorts by these numbers."""
    return np.where(order >> 31, order & 0x7FFFFFFF, ~order).astype(np.uint32).view(np.float32)
