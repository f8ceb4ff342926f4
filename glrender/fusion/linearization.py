"""A frame against the map: what it says about heights and colours, linearised at an estimate."""

from dataclasses import dataclass, replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from glrender.assembly.residuals import Measurements, Residuals, weigh
from glrender.assembly.stencil import normal_equations
from glrender.fusion.colors import ColorEquations
from glrender.fusion.grid import Grid
from glrender.fusion.usable import usable_pixels
from glrender.fusion.weighting import Weighting
from glrender.geometry.camera import Camera
from glrender.gl.context import Context
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
    """Metres; NaN where nothing was measured. This and the next are taken over every other row and column."""
    median_abs_residual: float
    """Metres; NaN where nothing was measured."""
    robust_scale: float
    """How many times its noise the frame scatters about the map; above 1 the robust loss is widened by it."""
    milliseconds: dict[str, float]
    """By stage; a frame that leaves the window meanwhile counts in."""


@dataclass(frozen=True, eq=False)
class Linearized:
    """What a frame says at an estimate."""

    at: Float64
    """(rows, cols): the heights at which it was linearised."""
    heights: NormalEquations
    """Of the heights themselves, not of increments; no colours."""
    colors: ColorEquations | None
    """None without an image."""
    report: FrameReport


class FrameLinearizer:
    """Renders the map on `grid` into frames and compares them; owned by `context`."""

    def __init__(self, context: Context, camera: Camera, grid: Grid, weighting: Weighting) -> None:
        self.watch = Stopwatch()
        self._renderer = DerivativeRenderer(context, camera)
        self._grid, self._weighting = grid, weighting

    def linearize(self, frame: MeasuredFrame, heights: Float64, colors: Float64 | None = None) -> Linearized:
        """`frame` at heights (rows, cols) and colours (rows, cols, C); without colours its image says nothing."""
        measured = frame.measurements
        if colors is None or measured.image is None:
            colors, measured = None, replace(measured, image=None)
        with self.watch.stage("render"):
            surface = self._grid.surface(heights, colors)
            buffers = self._renderer.render(surface, frame.T_world_camera, pose=False)
        with self.watch.stage("weigh"):
            scatter = _Scatter.of(buffers, measured)
            residuals = weigh(
                buffers,
                replace(measured, mask=usable_pixels(buffers, self._weighting.max_depth_slope)),
                depth_loss=_widened(self._weighting.depth_loss, scatter.robust_scale),
                color_loss=self._weighting.color_loss,
            )
            report = scatter.report(residuals, frame)
        with self.watch.stage("normal_equations"):
            equations = normal_equations(buffers, residuals, heights_from_color=False)
            of_heights = equations.heights_only()
            absolute = of_heights.vector + of_heights.matvec(heights[..., None])
            of_colors = None if colors is None else ColorEquations.linearized(equations, colors)
        return Linearized(heights, replace(of_heights, vector=absolute), of_colors, report)

    def release(self) -> None:
        """Release what was made in the context; may be called twice."""
        self._renderer.release()


@dataclass(frozen=True)
class _Scatter:
    """How a frame's depth differs from the map, from every other row and column of its pixels."""

    robust_scale: float
    median: float
    """Metres; NaN where nothing was measured."""
    median_abs: float
    measured: int
    """Depth pixels that fall on the map's prediction."""

    @staticmethod
    def of(buffers: DerivativeBuffers, measurements: Measurements) -> "_Scatter":
        depth, sigma = measurements.depth, measurements.depth_sigma
        assert depth is not None
        assert isinstance(sigma, np.ndarray)
        residual = np.empty(depth[::2, ::2].size, np.float32)
        normalised = np.empty_like(residual)
        measured, compared = _compare(buffers.attachments["image"], depth, sigma, residual, normalised)
        if not compared:
            return _Scatter(1.0, np.nan, np.nan, measured)
        residual, normalised = residual[:compared], normalised[:compared]
        # A frame that disagrees as a whole (its pose is off by a little) is no collection of outliers:
        # without this, the frames that happen to come first would win against all others.
        scale = max(1.0, 1.4826 * float(np.median(normalised)))
        return _Scatter(scale, float(np.median(residual)), float(np.median(np.abs(residual))), measured)

    def report(self, residuals: Residuals, frame: MeasuredFrame) -> FrameReport:
        with np.errstate(invalid="ignore"):  # a weight of 0 times the sigma of no measurement
            used = int(np.count_nonzero(residuals.depth_weight * np.square(frame.measurements.depth_sigma) >= 0.5))
        return FrameReport(
            measured=self.measured,
            used=used,
            rejected=self.measured - used,
            seeded=0,
            median_residual=self.median,
            median_abs_residual=self.median_abs,
            robust_scale=self.robust_scale,
            milliseconds={},
        )


@njit(cache=True, nogil=True)
def _compare(
    rendered: Float32, depth: Float32, sigma: Float32, residual: Float32, normalised: Float32
) -> tuple[int, int]:
    """The measured pixels; and of every other row and column, the residuals, and these over sigma, and how many."""
    measured = compared = 0
    for v in range(depth.shape[0]):
        for u in range(depth.shape[1]):
            predicted, z, s = rendered[v, u, 3], depth[v, u], sigma[v, u]
            if not (predicted > 0 and z > 0 and s < np.inf):
                continue
            measured += 1
            if v % 2 == 0 and u % 2 == 0:
                residual[compared] = z - predicted
                normalised[compared] = abs(z - predicted) / s
                compared += 1
    return measured, compared


def _widened(loss: Loss, scale: float) -> Loss:
    return replace(loss, k=loss.k * scale) if isinstance(loss, Huber | Cauchy | Tukey) else loss
