"""Recursive fusion: every frame's depth and colour into one height map, in information form.

The map's memory is a block stencil and a vector of the grid's size, whatever number of frames went in:
a frame that is linearised at x with normal equations H dx = g adds H to the stencil and H x + g to the
vector, after which it is forgotten (the information filter of Zienkiewicz, Davison and Leutenegger,
IROS 2016). The estimate is the solution of the sum, and its covariance the inverse.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glrender.assembly.residuals import Measurements, Residuals, weigh
from glrender.assembly.stencil import normal_equations
from glrender.checks import check_array, check_pose
from glrender.errors import UsageError
from glrender.fusion.grid import Grid, fill_from_nearest
from glrender.fusion.noise import DepthNoise
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.render.buffers import CompactBuffers
from glrender.render.derivatives import DerivativeRenderer
from glrender.solve.linear import ConjugateGradient
from glrender.solve.losses import Cauchy, Huber, Loss, Squared
from glrender.solve.marginals import marginal_variances
from glrender.solve.priors import GaussianPrior, SmoothnessPrior
from glrender.solve.stencil import BlockStencil
from glrender.solve.systems import NormalEquations, hold_unseen

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class FusionOptions:
    """How frames are weighed against each other and against what is expected of any ground."""

    depth_noise: DepthNoise = DepthNoise()
    """Noise of one depth reading."""
    color_noise: float = 0.05
    """Standard deviation of one linear colour channel; exposure and shading count as noise here."""
    depth_loss: Loss = Cauchy()
    """Robust loss of depth residuals in units of their standard deviation."""
    color_loss: Loss = Huber()
    """Robust loss of a pixel's colour residual."""
    slope_sigma: float = 1.0
    """Prior: standard deviation of the slope between neighbouring vertices. 1, that is 45 degrees, hardly
    smooths anything, but keeps cells between sparse measurements from being thrown about by noise."""
    observed_ratio: float = 10.0
    """A cell counts as observed once the data say this many times more about its height than the prior."""
    max_depth_slope: float = 10.0
    """Pixels whose depth changes by more than this many metres a metre of height see the ground at a
    grazing angle, where a linearisation holds over too short a distance; they are left out."""
    iterations: int = 2
    """Linearisations of each frame."""


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
    """Metres; NaN where nothing was measured."""
    median_abs_residual: float
    """Metres; NaN where nothing was measured."""
    robust_scale: float
    """How many times its noise the frame scatters about the map; above 1 the robust loss is widened by it."""


class HeightMapFusion:
    """Fuses frames with known poses into a height map; owned by `context`.

    `bounds` are (x0, x1, y0, y1) in metres of the map frame, which `T_world_map` places. Heights come from
    depth; colours are estimated beside them. Memory and the cost of a frame do not depend on how many
    frames there were.
    """

    def __init__(
        self,
        context: Context,
        camera: Camera,
        spacing: float = 0.01,
        bounds: tuple[float, float, float, float] = (-1.0, 1.0, -1.0, 1.0),
        T_world_map: ArrayLike | None = None,
        options: FusionOptions | None = None,
    ) -> None:
        self.camera = camera
        self.options = options or FusionOptions()
        pose = None if T_world_map is None else check_pose("T_world_map", T_world_map)
        self.grid = Grid.covering(bounds, spacing, pose)
        context.check_texture_size("height map", *self.grid.shape[::-1])
        self._renderer = DerivativeRenderer(context, camera)
        rows, cols = self.grid.shape
        self._channels: int | None = None
        self._seeded = np.zeros((rows, cols), bool)
        self._x = np.zeros((rows, cols, 1))
        self._data = NormalEquations.zeros(rows, cols, 0)
        self._prior = _prior(self.options, self.grid, 0)
        # Each frame's few steps start from the last estimate, and what they leave is taken up by the next frame.
        self._solver = ConjugateGradient(tolerance=0.03, max_iterations=30, truncated=True)

    @property
    def surface(self) -> HeightMap:
        """The current estimate with a finite height in every cell, also where nobody has looked."""
        colors = self._x[..., 1:] if self._channels else None
        return self.grid.surface(self._x[..., 0], colors)

    @property
    def observed(self) -> NDArray[np.bool_]:
        """(rows, cols): cells about whose height the data say enough, see `FusionOptions.observed_ratio`."""
        prior = self._prior.diagonal()[..., 0]
        return self._data.diagonal()[..., 0] > self.options.observed_ratio * prior

    def integrate(
        self, T_world_camera: ArrayLike, image: ArrayLike | None = None, depth: ArrayLike | None = None
    ) -> FrameReport:
        """Fuse one frame; what it says about unseen cells seeds them.

        `image` is (height, width, 3 or 1) linear colour, `depth` (height, width) camera z in metres; 0 or not
        finite where a pixel measured nothing. Raises InputError for arrays of another shape or a pose that is
        not rigid, UsageError for neither image nor depth, or an image with other channels than the ones before.
        """
        T = check_pose("T_world_camera", T_world_camera)
        if depth is None and image is None:
            raise UsageError("integrate: received neither image nor depth; give at least one")
        depth = None if depth is None else check_array("depth", depth, self.camera.shape, np.float32)
        if image is not None:
            image = check_array("image", image, (*self.camera.shape, None), np.float32)
            self._add_colors(image.shape[2])
        seeded = 0 if depth is None else self._seed(T, image, depth)
        measurements = Measurements(
            depth,
            1.0 if depth is None else self.options.depth_noise.sigma(depth),
            image,
            self.options.color_noise,
        )
        before, report = self._data, None
        for _ in range(self.options.iterations):
            buffers = self._renderer.render(self.surface, T, pose=False)
            assert isinstance(buffers, CompactBuffers)
            residuals, this_report = self._weigh(buffers, measurements, seeded)
            report = report or this_report
            if residuals.count == 0:
                break
            frame = normal_equations(buffers, residuals, heights_from_color=False)
            step = self._update(before, frame)[frame.diagonal()[..., 0] > 0, 0]
            if step.size == 0 or np.quantile(np.abs(step), 0.999) < _RELINEARISE * self.grid.spacing:
                break
        assert report is not None
        return report

    def map(self) -> HeightMap:
        """The map so far: height, marginal sigma and colour, NaN in cells that are not observed."""
        observed = self.observed
        self._solve(ConjugateGradient(tolerance=1e-6, max_iterations=2000))
        heights = np.where(observed, self._x[..., 0], np.nan)
        information = self._data.stencil.heights_only() + self._prior.stencil.heights_only()
        sigma = np.where(observed, np.sqrt(marginal_variances(information)), np.nan)
        colors = None
        if self._channels:
            known = observed & (self._data.diagonal()[..., 1] > _COLOR_PRIOR**-2)
            colors = np.where(known[..., None], np.clip(self._x[..., 1:], 0, 1), np.nan)
        return self.grid.surface(heights, colors, sigma)

    def release(self) -> None:
        """Release what this fusion made in its context; the map can still be read."""
        self._renderer.release()

    def _seed(self, T_world_camera: Float64, image: Float32 | None, depth: Float32) -> int:
        """Give cells about which little is known the heights and colours that this frame sees there."""
        unsure = ~self.observed
        if not unsure.any():
            return 0
        seen = self.grid.means(self.camera, T_world_camera, depth, image, wanted=unsure)
        known = np.isfinite(seen[..., 0])
        seeds = self._x[..., : seen.shape[2]]
        np.copyto(seeds, seen, where=np.isfinite(seen))
        new = int(np.count_nonzero(known & ~self._seeded))
        if new:
            self._seeded |= known
            self._x = fill_from_nearest(self._x, self._seeded)
        return new

    def _add_colors(self, channels: int) -> None:
        """The first image adds colours to the unknowns."""
        if self._channels is None:
            rows, cols = self.grid.shape
            self._channels = channels
            self._x = np.concatenate([self._x, np.full((rows, cols, channels), _COLOR_MEAN)], axis=-1)
            data = NormalEquations.zeros(rows, cols, channels)
            data.stencil.matrix[..., 0] = self._data.stencil.matrix[..., 0]
            data.vector[..., 0] = self._data.vector[..., 0]
            self._data = replace(data, cost=self._data.cost, count=self._data.count)
            self._prior = _prior(self.options, self.grid, channels)
        elif self._channels != channels:
            raise UsageError(f"integrate: received an image of {channels} channels, but images before had {self._channels}")

    def _weigh(
        self, buffers: CompactBuffers, measurements: Measurements, seeded: int
    ) -> tuple[Residuals, FrameReport]:
        assert buffers.edges is not None
        steep = np.abs(buffers.depth_factor) > self.options.max_depth_slope
        usable = buffers.visible & ~buffers.edges & ~steep
        scale, measured, normalised = 1.0, 0, np.empty(0)
        residual = np.empty(0)
        if measurements.depth is not None:
            with np.errstate(invalid="ignore"):
                has_depth = buffers.visible & np.isfinite(measurements.depth) & (measurements.depth > 0)
            residual = measurements.depth[has_depth] - buffers.depth[has_depth]
            normalised = np.abs(residual) / np.broadcast_to(measurements.depth_sigma, has_depth.shape)[has_depth]
            measured = int(has_depth.sum())
            # A frame that disagrees as a whole (its pose is off by a little) is no collection of outliers:
            # without this, the frames that happen to come first would win against all others.
            scale = max(1.0, 1.4826 * float(np.median(normalised))) if measured else 1.0
        residuals = weigh(
            buffers,
            replace(measurements, mask=usable),
            depth_loss=_widened(self.options.depth_loss, scale),
            color_loss=self.options.color_loss,
        )
        sigma2 = np.square(np.broadcast_to(measurements.depth_sigma, residuals.depth_weight.shape))
        used = int(np.count_nonzero(residuals.depth_weight * sigma2 >= 0.5)) if measured else 0
        report = FrameReport(
            measured=measured,
            used=used,
            rejected=measured - used,
            seeded=seeded,
            median_residual=float(np.median(residual)) if measured else np.nan,
            median_abs_residual=float(np.median(np.abs(residual))) if measured else np.nan,
            robust_scale=scale,
        )
        return residuals, report

    def _update(self, before: NormalEquations, frame: NormalEquations) -> Float64:
        """Add a linearised frame to the memory and move the estimate towards the solution of the sum."""
        self._data = before + replace(frame, vector=frame.vector + frame.matvec(self._x))
        return self._solve(self._solver)

    def _solve(self, solver: ConjugateGradient) -> Float64:
        """Move the estimate; returns the step."""
        total = self._data + self._prior
        # In increments, so that the solver's tolerance is one on what is still to be gained.
        increment = replace(total, vector=total.vector - total.matvec(self._x))
        step = solver.solve(hold_unseen(increment)).x
        self._x = self._x + step
        return step


def _prior(options: FusionOptions, grid: Grid, channels: int) -> NormalEquations:
    """The prior's information; its vector is that of heights and colours 0."""
    zero = np.zeros((*grid.shape, 1 + channels))
    equations = NormalEquations.zeros(*grid.shape, channels)
    equations = SmoothnessPrior(options.slope_sigma * grid.spacing).add_to(equations, zero)
    if channels:
        mean = np.concatenate([zero[..., :1], np.full_like(zero[..., 1:], _COLOR_MEAN)], axis=-1)
        equations = GaussianPrior(mean, np.inf, _COLOR_PRIOR).add_to(equations, zero)
    return equations


_RELINEARISE = 0.1  # of the spacing: a step shorter than this leaves the linearisation as good as it was
_COLOR_MEAN, _COLOR_PRIOR = 0.5, 0.5  # all that is known of a colour that nobody has seen


def _widened(loss: Loss, scale: float) -> Loss:
    return loss if isinstance(loss, Squared) else replace(loss, k=loss.k * scale)
