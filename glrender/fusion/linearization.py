"""A frame against the map: what it says about heights and colours, linearised at an estimate."""

from dataclasses import dataclass, replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from glrender.assembly.gpu_measurements import GpuMeasurements
from glrender.assembly.on_gpu import FrameStatistics, GpuNormalEquations, largest_buffer
from glrender.assembly.residuals import Measurements, weigh
from glrender.assembly.stencil import normal_equations
from glrender.checks import check_choice
from glrender.fusion.colors import ColorEquations
from glrender.fusion.grid import Grid
from glrender.fusion.usable import usable_pixels
from glrender.fusion.weighting import Weighting
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.gl.path import equations_path
from glrender.parallel import even_parts, run_parts
from glrender.render.buffers import DerivativeBuffers
from glrender.render.derivatives import DerivativeRenderer
from glrender.solve.losses import Cauchy, Huber, Loss, Tukey
from glrender.solve.systems import NormalEquations
from glrender.stopwatch import Stopwatch

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MeasuredFrame:
    """A frame as it is compared with the map."""

    T_world_camera: Float64
    """(4, 4) camera to world."""
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
    """Metres; NaN where nothing was measured. On the host this and the next leave out every other row and column."""
    median_abs_residual: float
    """Metres; NaN where nothing was measured."""
    robust_scale: float
    """How many times its noise the frame scatters about the map; above 1 the robust loss is widened by it."""
    milliseconds: dict[str, float]
    """By stage; a frame that leaves the window meanwhile counts in."""


@dataclass(frozen=True, eq=False)
class Linearized:
    """What a frame says at an estimate."""

    heights: NormalEquations
    """Of the heights themselves, not of increments; no colours."""
    colors: ColorEquations | None
    """None without an image."""
    report: FrameReport


class FrameLinearizer:
    """Renders the map on `grid` into frames and compares them, where it is faster; owned by `context`.

    `where` is "gpu" or "host"; None lets `glrender.gl.path` decide.
    """

    def __init__(
        self, context: Context, camera: Camera, grid: Grid, weighting: Weighting, where: str | None = None
    ) -> None:
        self.watch = Stopwatch()
        self._context, self._camera, self._grid, self._weighting = context, camera, grid, weighting
        self._renderer = DerivativeRenderer(context, camera)
        if where is None:
            where = equations_path(context, largest_buffer(camera, grid.shape, 3)).where
        on_gpu = check_choice("where", where, ("gpu", "host")) == "gpu"
        self._gpu = GpuNormalEquations(context, camera) if on_gpu else None

    def hold(self, T_world_camera: Float64, measurements: Measurements) -> MeasuredFrame:
        """A frame that will be linearised, perhaps more than once, until it is `let_go`."""
        uploaded = None if self._gpu is None else GpuMeasurements(self._context, self._camera, measurements)
        return MeasuredFrame(T_world_camera, measurements, uploaded)

    def let_go(self, frame: MeasuredFrame) -> None:
        """Release what a frame has in the context."""
        if frame.uploaded is not None:
            frame.uploaded.release()

    def linearize(self, frame: MeasuredFrame, heights: Float64, colors: Float64 | None = None) -> Linearized:
        """`frame` at heights (rows, cols) and colours (rows, cols, C); without colours its image says nothing."""
        if frame.measurements.image is None:
            colors = None
        surface = self._grid.surface(heights, colors)
        compare = self._compare_on_host if self._gpu is None else self._compare_on_gpu
        equations, statistics = compare(surface, frame)
        of_heights = equations.heights_only()
        absolute = of_heights.vector + of_heights.matvec(heights[..., None])
        of_colors = None if colors is None else ColorEquations.linearized(equations, colors)
        return Linearized(replace(of_heights, vector=absolute), of_colors, _report(statistics))

    def release(self) -> None:
        """Release what was made in the context, but for frames that are still held; may be called twice."""
        self._renderer.release()
        if self._gpu is not None:
            self._gpu.release()

    def _compare_on_gpu(self, surface: HeightMap, frame: MeasuredFrame) -> tuple[NormalEquations, FrameStatistics]:
        assert self._gpu is not None
        assert frame.uploaded is not None
        with self.watch.stage("normal_equations"):
            return self._gpu.screened(
                self._renderer,
                surface,
                frame.T_world_camera,
                frame.uploaded,
                max_depth_slope=self._weighting.max_depth_slope,
                depth_loss=self._weighting.depth_loss,
                color_loss=self._weighting.color_loss,
                heights_from_color=False,
            )

    def _compare_on_host(self, surface: HeightMap, frame: MeasuredFrame) -> tuple[NormalEquations, FrameStatistics]:
        measured = frame.measurements if surface.colors is not None else replace(frame.measurements, image=None)
        with self.watch.stage("render"):
            buffers = self._renderer.render(surface, frame.T_world_camera, pose=False)
        with self.watch.stage("weigh"):
            statistics = _statistics(buffers, measured)
            residuals = weigh(
                buffers,
                replace(measured, mask=usable_pixels(buffers, self._weighting.max_depth_slope)),
                depth_loss=_widened(self._weighting.depth_loss, statistics.robust_scale),
                color_loss=self._weighting.color_loss,
            )
            with np.errstate(invalid="ignore"):  # a weight of 0 times the sigma of no measurement
                trusted = residuals.depth_weight * np.square(measured.depth_sigma) >= 0.5
            statistics = replace(statistics, trusted=int(np.count_nonzero(trusted)))
        with self.watch.stage("normal_equations"):
            return normal_equations(buffers, residuals, heights_from_color=False), statistics


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


def _statistics(buffers: DerivativeBuffers, measurements: Measurements) -> FrameStatistics:
    """How a frame's depth differs from the map; medians from every other row and column, none trusted yet."""
    depth, sigma = measurements.depth, measurements.depth_sigma
    assert depth is not None
    assert isinstance(sigma, np.ndarray)
    height, width = depth.shape
    residual = np.empty(((height + 1) // 2, (width + 1) // 2), np.float32)
    normalised = np.empty_like(residual)
    counts = np.zeros((height, 2), np.int64)
    arguments = (buffers.attachments["image"], depth, sigma, residual, normalised, counts)
    run_parts(_compare, even_parts(height), *arguments)
    measured, compared = int(counts[:, 0].sum()), counts[::2, 1]
    if not compared.any():
        return FrameStatistics(measured, 0, np.nan, np.nan, 1.0)
    there = np.arange(residual.shape[1]) < compared[:, None]
    residual, normalised = residual[there], normalised[there]
    # A frame that disagrees as a whole (its pose is off by a little) is no collection of outliers:
    # without this, the frames that happen to come first would win against all others.
    scale = max(1.0, 1.4826 * float(np.median(normalised)))
    return FrameStatistics(measured, 0, float(np.median(residual)), float(np.median(np.abs(residual))), scale)


@njit(cache=True, nogil=True)
def _compare(
    rendered: Float32,
    depth: Float32,
    sigma: Float32,
    residual: Float32,
    normalised: Float32,
    counts: NDArray[np.int64],
    first: int,
    last: int,
) -> None:
    """The measured pixels of each row; and of every other row and column, the residuals, and these over sigma."""
    for v in range(first, last):
        measured = compared = 0
        for u in range(depth.shape[1]):
            predicted, z, s = rendered[v, u, 3], depth[v, u], sigma[v, u]
            if not (predicted > 0 and z > 0 and s < np.inf):
                continue
            measured += 1
            if v % 2 == 0 and u % 2 == 0:
                residual[v // 2, compared] = z - predicted
                normalised[v // 2, compared] = abs(z - predicted) / s
                compared += 1
        counts[v, 0], counts[v, 1] = measured, compared


def _widened(loss: Loss, scale: float) -> Loss:
    return replace(loss, k=loss.k * scale) if isinstance(loss, Huber | Cauchy | Tukey) else loss
