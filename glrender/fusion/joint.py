"""All frames at once: the robust least-squares problem of a map's heights and colours."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glrender.assembly.residuals import Measurements, Residuals, weigh
from glrender.assembly.stencil import normal_equations
from glrender.assembly.usable import usable_pixels
from glrender.checks import check_array, check_kind
from glrender.errors import InputError, UsageError
from glrender.fusion.grid import Grid
from glrender.fusion.observation import Threshold
from glrender.fusion.options import FusionOptions
from glrender.fusion.posed_frame import PosedFrame
from glrender.fusion.weighting import Weighting
from glrender.geometry.heightmap import HeightMap
from glrender.render.buffers import CompactBuffers
from glrender.render.derivatives import DerivativeRenderer
from glrender.solve.priors import SmoothnessPrior
from glrender.solve.systems import NormalEquations

Float64 = NDArray[np.float64]

LOST_PIXEL = 4.5
"""Cost of a pixel that saw the map when the pixels were chosen and no longer does: that of 3 standard deviations.
Were it 0, it would pay to move the map's border out of the images."""


@dataclass(frozen=True)
class FrameResiduals:
    """How well an estimate explains one frame; NaN where there is nothing to compare."""

    measurements: int
    """Depths used, and colours of pixels (all channels together count as one)."""
    median_depth: float
    """Median of measured minus predicted depth, metres: what the frame as a whole is off."""
    median_abs_depth: float
    """Median of its absolute value, metres."""
    rms_color: float
    """Root mean square of measured minus predicted colour, all channels."""


@dataclass(frozen=True, eq=False)
class _Choice:
    """The pixels of one frame that count."""

    packed: NDArray[np.uint8]
    """A bit for each pixel, row by row."""
    count: int
    """Measurements that they make."""

    def mask(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        return np.unpackbits(self.packed, count=shape[0] * shape[1]).view(np.bool_).reshape(shape)


class JointProblem:
    """The cost of heights and colours x (rows, cols, 1 + C) over all frames, and its normal equations.

    Which pixels count is settled once, at the x that the problem is made with: those that see the map, but for its
    outline, occlusion edges and grazing views. From then on the cost is one function of x, without which the costs of
    two estimates could not be compared; make another problem where the estimate has moved far.

    A frame's depth and its image are both used where it has them, images only where C > 0. `frames` is walked through
    at every evaluation: a list keeps all images in memory, an iterable that reads them again each time keeps one.
    """

    def __init__(
        self,
        renderer: DerivativeRenderer,
        grid: Grid,
        frames: Iterable[PosedFrame],
        x: ArrayLike,
        weighting: Weighting | None = None,
    ) -> None:
        """`renderer` has the compact layout and the camera of the frames.

        InputError if x is not finite, a frame's arrays have another shape than the camera and x ask for, or nothing
        that was measured falls on the map; UsageError if no frame has anything to compare with x.
        """
        if renderer.layout != "compact":
            raise UsageError(f"renderer: received the layout {renderer.layout!r}, expected 'compact'")
        x = check_array("x", x, (*grid.shape, None), finite=True)
        self.weighting = Weighting() if weighting is None else weighting
        check_kind("weighting", self.weighting, Weighting)
        self._renderer, self._grid, self._frames = renderer, grid, frames
        self._channels = x.shape[2] - 1
        prior = SmoothnessPrior(FusionOptions.slope_sigma * grid.spacing)
        self.threshold = Threshold(prior.on_level_ground(grid.shape), FusionOptions.observed_ratio)
        """From when on a cell is observed: as in fusion, with its weak prior, whatever prior these are fitted with."""
        surface = self._surface(x)
        self._choices = [self._choose(surface, frame) for frame in frames]
        if not any(self._choices):
            raise UsageError("frames: none has a depth image, or an image where colours are unknowns; give some")
        if self.count == 0:
            raise InputError("frames: no measurement falls on the map; check its bounds, T_world_map and the poses")

    @property
    def count(self) -> int:
        """Measurements that were chosen."""
        return sum(choice.count for choice in self._choices if choice)

    def cost(self, x: Float64) -> float:
        """Sum of rho; infinite where x is not finite."""
        if not np.isfinite(x).all():
            return np.inf
        return sum(residuals.cost + lost for _, residuals, lost in self._evaluate(x))

    def linearize(self, x: Float64) -> NormalEquations:
        """The normal equations of all frames at x."""
        rows, cols = self._grid.shape
        total = NormalEquations.zeros(rows, cols, self._channels)
        for buffers, residuals, lost in self._evaluate(x):
            frame = normal_equations(buffers, residuals)
            total = total + replace(frame, cost=frame.cost + lost)
        return total

    def residuals(self, x: Float64) -> list[FrameResiduals]:
        """How well x explains each frame that has something to compare, in order."""
        return [_describe(residuals) for _, residuals, _ in self._evaluate(x)]

    def _evaluate(self, x: Float64) -> Iterator[tuple[CompactBuffers, Residuals, float]]:
        """Render each frame at x and compare it; the last item is the cost of lost pixels."""
        surface = self._surface(x)
        for frame, choice in zip(self._frames, self._choices, strict=True):
            if choice is None:
                continue
            buffers = self._renderer.render(surface, frame.T_world_camera, pose=False, edges=False)
            assert isinstance(buffers, CompactBuffers)
            residuals = self._compare(buffers, frame, choice.mask(self._renderer.camera.shape))
            yield buffers, residuals, LOST_PIXEL * (choice.count - residuals.count)

    def _choose(self, surface: HeightMap, frame: PosedFrame) -> _Choice | None:
        if frame.depth is None and (frame.image is None or not self._channels):
            return None
        if frame.depth is not None and frame.depth_sigma is None:
            self.threshold.add_readings(frame.depth, self.weighting.depth_noise)
        buffers = self._renderer.render(surface, frame.T_world_camera, pose=False)
        assert isinstance(buffers, CompactBuffers)
        mask = usable_pixels(buffers, self.weighting.max_depth_slope)
        assert buffers.edges is not None
        # A pixel beside the map's outline comes and goes as heights change, and its cost with it: no step would help.
        mask &= ~buffers.edges
        return _Choice(np.packbits(mask), self._compare(buffers, frame, mask).count)

    def _compare(self, buffers: CompactBuffers, frame: PosedFrame, mask: NDArray[np.bool_]) -> Residuals:
        sigma: float | NDArray[np.float32] = 1.0
        if frame.depth is not None:
            given = frame.depth_sigma
            sigma = self.weighting.depth_noise.sigma(frame.depth) if given is None else given
        measurements = Measurements(
            depth=frame.depth,
            depth_sigma=sigma,
            image=frame.image,
            color_sigma=self.weighting.color_noise,
            mask=mask,
        )
        return weigh(buffers, measurements, depth_loss=self.weighting.depth_loss, color_loss=self.weighting.color_loss)

    def _surface(self, x: Float64) -> HeightMap:
        return self._grid.surface(x[..., 0], x[..., 1:] if self._channels else None)


def _describe(residuals: Residuals) -> FrameResiduals:
    depth = residuals.depth[residuals.depth_weight > 0]
    color = residuals.color[residuals.color_weight > 0]
    return FrameResiduals(
        measurements=residuals.count,
        median_depth=float(np.median(depth)) if depth.size else np.nan,
        median_abs_depth=float(np.median(np.abs(depth))) if depth.size else np.nan,
        rms_color=float(np.sqrt(np.mean(np.square(color)))) if color.size else np.nan,
    )
