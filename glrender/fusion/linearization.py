"""A frame against the map: its normal equations in heights and colours, linearised at an estimate."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glrender.assembly.absolute import AbsoluteEquations, ColorEquations
from glrender.assembly.gpu_measurements import GpuMeasurements
from glrender.assembly.on_gpu import GpuNormalEquations, largest_buffer
from glrender.assembly.on_host import HostNormalEquations
from glrender.assembly.residuals import Measurements
from glrender.assembly.statistics import FrameStatistics
from glrender.checks import check_choice
from glrender.errors import GLError
from glrender.fusion.grid import Grid
from glrender.fusion.photometry import PhotographReport
from glrender.fusion.weighting import Weighting
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.gl.equations_path import equations_path
from glrender.parallel import begin
from glrender.render.derivatives import DerivativeRenderer
from glrender.solve.patch import LocalEquations, Patch
from glrender.solve.stencil import OFFSETS, BlockStencil, neighbours

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MeasuredFrame:
    """A frame as it is compared with the map."""

    T_world_camera: Float64
    """(4, 4) camera to world."""
    patch: Patch
    """The vertices whose heights it may change."""
    measurements: Measurements
    """Its depth, image or both, with their noise."""
    uploaded: GpuMeasurements | None
    """The same where the GPU makes the normal equations."""


@dataclass(frozen=True)
class FrameReport:
    """What one frame did to the map. Residuals are measured minus predicted depth before the frame was added."""

    measured: int
    """Depth pixels that fall on the map's prediction."""
    used: int
    """Of these, pixels that went in with a robust weight of at least one half."""
    rejected: int
    """Of these, pixels that did not: outliers by their weight, occlusion edges and grazing views."""
    seeded: int
    """Cells that got their first height from this frame."""
    median_residual: float
    """Metres; NaN where nothing was measured. On the host this and the next are over every fourth row and column."""
    median_abs_residual: float
    """Metres; NaN where nothing was measured."""
    robust_scale: float
    """How many times its noise the frame scatters about the map; above 1 the robust loss is widened by it."""
    milliseconds: dict[str, float]
    """By stage; to wait for the frame that leaves the window counts in."""
    photographs: PhotographReport | None = None
    """Of the group of photographs that this frame's completed; None: of none."""
    color_share: float = 0.0
    """Part of the information about heights so far that photographs brought."""
    nothing_because: str | None = None
    """Why the frame's depth said nothing of the map; None: it did, or there was none."""


NOTHING = FrameReport(0, 0, 0, 0, np.nan, np.nan, 1.0, {})
"""What a frame did that does not see the map."""


@dataclass(frozen=True, eq=False)
class Linearized:
    """A frame's normal equations, linearised at an estimate."""

    heights: LocalEquations
    colors: ColorEquations | None
    """About the same patch; None without an image."""
    report: FrameReport


class FrameLinearizer:
    """Renders the map on `grid` into frames and compares them, where it is faster; owned by `context`.

    `where` is "gpu" or "host"; None lets `glrender.gl.equations_path` decide.
    """

    def __init__(
        self, context: Context, camera: Camera, grid: Grid, weighting: Weighting, where: str | None = None
    ) -> None:
        self._context, self._camera, self._grid, self._weighting = context, camera, grid, weighting
        if where is None:
            where = equations_path(context, largest_buffer(camera, grid.shape, 3, separate=True)).where
        on_gpu = check_choice("where", where, ("gpu", "host")) == "gpu"
        self._renderer = DerivativeRenderer(context, camera) if on_gpu else None
        self._gpu = GpuNormalEquations(context, camera) if on_gpu else None
        self._host = HostNormalEquations(camera)
        self._uploaded: set[GpuMeasurements] = set()
        self._released = False

    @property
    def on_gpu(self) -> bool:
        """Whether OpenGL makes the equations."""
        return self._gpu is not None

    def use(self) -> None:
        """Raise GLError if this was released, or its context may not be used here, also where it would not be."""
        if self._released:
            raise GLError("this fusion was released; make a new one")
        self._context.use()

    def patch(self, T_world_camera: Float64, depth: Float32, *, painted: bool) -> Patch | None:
        """The vertices around what a depth image falls on, or all if nothing was measured but a frame has an image
        (`painted`); None: none."""
        reached = self._grid.reached(self._camera, T_world_camera, depth)
        # Without any depth, an image may paint all of them.
        if reached is None and (not painted or ((depth > 0) & np.isfinite(depth)).any()):
            return None
        return Patch.whole(self._grid.shape) if reached is None else reached

    def hold(self, T_world_camera: Float64, patch: Patch, measurements: Measurements) -> MeasuredFrame:
        """A frame that will be linearised, perhaps more than once, until it is `let_go`."""
        uploaded = None
        if self._gpu is not None:
            uploaded = GpuMeasurements(self._context, self._camera, measurements)
            self._uploaded.add(uploaded)
        return MeasuredFrame(T_world_camera, patch, measurements, uploaded)

    def let_go(self, frame: MeasuredFrame) -> None:
        """Release what a frame has in the context."""
        if frame.uploaded is not None:
            self._uploaded.discard(frame.uploaded)
            frame.uploaded.release()

    def prepare(
        self,
        frame: MeasuredFrame,
        heights: Float64,
        colors: Float64 | None = None,
        cells: NDArray[np.bool_] | None = None,
    ) -> Callable[[], Linearized]:
        """A task that linearises `frame` at heights (rows, cols) and colours (rows, cols, C) of the grid.

        It has them as they are now, whatever becomes of them until it is called. Without colours the frame's image is
        not used. `cells` (rows, cols) of its patch are those whose heights it may change, all others being held; None:
        all.
        """
        here = frame.patch.slices
        tinted = None if colors is None or frame.measurements.image is None else colors[here]
        surface = self._grid.part(frame.patch).surface(heights[here], tinted)

        def linearize() -> Linearized:
            equations, statistics = self._compare(surface, frame)
            local = LocalEquations(frame.patch, equations.heights)
            return Linearized(_restricted(local, cells, surface.heights), equations.colors, _report(statistics))

        return linearize

    def begin(self, task: Callable[[], Linearized]) -> Callable[[], Linearized]:
        """Have a frame linearised beside what comes next; by OpenGL, once what is returned is first called."""
        return begin(task) if self._gpu is None else cache(task)

    def release(self) -> None:
        """Release what was made in the context, for frames that are still held too; may be called twice."""
        self._released = True
        while self._uploaded:
            self._uploaded.pop().release()
        if self._renderer is not None:
            self._renderer.release()
        if self._gpu is not None:
            self._gpu.release()

    def _compare(self, surface: HeightMap, frame: MeasuredFrame) -> tuple[AbsoluteEquations, FrameStatistics]:
        losses: dict[str, Any] = {
            "max_depth_slope": self._weighting.max_depth_slope,
            "depth_loss": self._weighting.depth_loss,
            "color_loss": self._weighting.color_loss,
        }
        if frame.uploaded is None:
            return self._host.screened(surface, frame.T_world_camera, frame.measurements, **losses)
        assert self._gpu is not None
        assert self._renderer is not None
        return self._gpu.screened(self._renderer, surface, frame.T_world_camera, frame.uploaded, **losses)


def _report(statistics: FrameStatistics) -> FrameReport:
    return FrameReport(
        measured=statistics.measured,
        used=statistics.trusted,
        rejected=statistics.measured - statistics.trusted,
        seeded=0,
        median_residual=statistics.median_residual,
        median_abs_residual=statistics.median_abs_residual,
        robust_scale=statistics.robust_scale,
        milliseconds={},
    )


def _restricted(local: LocalEquations, cells: NDArray[np.bool_] | None, heights: Float64) -> LocalEquations:
    """The equations in some `cells` (rows, cols) alone, the other `heights` (rows, cols) held; None: in all."""
    if cells is None:
        return local
    equations = local.equations
    matrix = equations.stencil.matrix * cells[..., None, None]
    for axis, offset in enumerate(OFFSETS[1:], start=1):
        here, there = neighbours(offset)
        matrix[:, :, axis][here] *= cells[there][..., None]
    pull = (equations.vector - equations.matvec(heights[..., None])) * cells[..., None]
    alone = replace(equations, stencil=BlockStencil(matrix), vector=pull)
    return replace(local, equations=replace(alone, vector=pull + alone.matvec(heights[..., None])))
