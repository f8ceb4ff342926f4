"""Self-calibration: a camera's intrinsics and the trajectory's clock, estimated jointly with the map.

Gauss-Newton on the heights and the few unknowns of `shared_unknowns`, with the heights eliminated (`solve.bordered`).
A camera that is not the nominal one, or a clock that is off, makes frames that see the same ground contradict each
other; how they do tells which of them it is.

What the data are worth is taken from how frames disagree. Pixels number hundred thousands, but what limits a
calibration is what frames have wrong as wholes: the poses of a trajectory are off by millimetres and milliradians, and
drift. So the information of the pixels is divided by how many times more the frames' own parts of the equations scatter
than independent noise would make them (`_disagreement`). With independent noise that leaves about what the pixels say;
with real poses a recording of some seconds corrects the nominal values by what it can tell.

Only ground that is not upright is asked. Where an edge stands in a cell the heights do not say, so beside a step they
can be fitted in many ways, of which each suits another camera: furnished rooms made a focal length up to two hundredths
too long there, which is ten of the sigmas that these pixels promise (bench/NOTES.md, "Calibration in furnished rooms").
So steps stay as the frames see them first, to hide what is behind them, and what is seen beside them is left out; it
has no part in the slopes of the ground either.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from glrender.assembly.residuals import Measurements, weigh
from glrender.assembly.statistics import SIGMA_PER_MEDIAN
from glrender.assembly.usable import seen_from_above, usable_pixels
from glrender.checks import check_array
from glrender.errors import InputError
from glrender.fusion.grid import Grid, fill_from_nearest
from glrender.fusion.height_offsets import HeightOffsets, bordered, without_offsets
from glrender.fusion.noise import DepthNoise
from glrender.fusion.posed_frame import PosedFrame
from glrender.fusion.seed import seed_heights
from glrender.fusion.shared_unknowns import (
    NAMES,
    BorderedFrame,
    SharedUnknowns,
    camera_velocity,
    intrinsics_covariance,
    linearize_frame,
    smooth_slopes,
)
from glrender.fusion.steps import beside_steps
from glrender.fusion.weighting import Weighting
from glrender.geometry.camera import Camera
from glrender.gl.context import Context
from glrender.interrupt import interruptible_after
from glrender.io.trajectory import Trajectory
from glrender.render.buffers import CompactBuffers
from glrender.render.derivatives import DerivativeRenderer
from glrender.solve.bordered import BorderedSystem, Reduced
from glrender.solve.losses import Tukey
from glrender.solve.priors import SmoothnessPrior
from glrender.solve.systems import NormalEquations

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

FEWEST_FRAMES = 8
"""Two more than there are shared unknowns: with fewer there is no telling how frames scatter."""

TOGETHER = 0.25
"""Seconds: frames that are no further apart count as having the same error. The poses of a hand-held camera drift in
such a time, and the residuals of a recording of some seconds are too few to tell by how much."""

LEAST_DISAGREEMENT = 20.0
"""What is left where frames agree perfectly: pixels side by side share what a map of finite cells cannot represent. On
simulated ground with independent noise the errors of the focal length are then within two standard deviations."""

_STEEPEST = 1.0  # slope over two cells: with 1.5, boxes a few cells high put fx up to 6.6 sigma off
_SLOPE_SIGMA = 1.0  # as in fusion: hardly any smoothing, but no holes
_FIRST_PASSES, _MOST_PASSES = 4, 16  # on the pixels' word, and then at most
_SETTLED = 0.05  # where a step moves nothing by more than this part of its sigma
_LEAST_BOLDNESS = 0.125
_FARTHEST_STEP = 2.0  # prior sigmas in one pass; derivatives hold over a few pixels and hundredths of a second


class Undetermined(InputError):
    """The frames cannot tell; the message says why."""


@dataclass(frozen=True)
class CalibrationPrior:
    """How far the nominal values may be off: standard deviations. What has 0 is held."""

    focal: float = 0.02
    """Of the focal length that fx and fy share, as a part of it: what cameras of one kind differ by. 0 holds both."""
    aspect: float = 0.03
    """Of fx / fy, as a part of it. Pixels are square to a few thousandths, but a file that says otherwise is believed:
    with 0.003 a wrong ratio would be taken for disagreement of the frames rather than be put right."""
    centre: float = 0.02
    """Of cx and of cy, as a part of the image's width."""
    time_offset: float = 0.1
    """Seconds."""
    depth_scale: float = 0.02
    """Of the depth scale, as a part of it."""
    height_offset: float = 0.02
    """Of how much higher than its pose says a frame's camera stands, metres."""

    def covariance(self, camera: Camera) -> Float64:
        """(6, 6) in the order and the units of NAMES; 0 for what is held. Without the height offsets."""
        result = np.zeros((len(NAMES), len(NAMES)))
        result[:4, :4] = intrinsics_covariance(camera, self.focal, self.aspect, self.centre)
        result[4, 4], result[5, 5] = self.time_offset**2, self.depth_scale**2
        return result


@dataclass(frozen=True, eq=False)
class TimedDepth:
    """A depth image whose pose is to be looked up."""

    time: float
    """Seconds."""
    depth: Float32
    """(height, width) camera z in metres as the sensor reads it; 0 or not finite: no measurement."""


@dataclass(frozen=True, eq=False)
class Estimate:
    """What a pass of Gauss-Newton has come to, and what the data say there."""

    unknowns: SharedUnknowns
    covariance: Float64
    """(6, 6) of the unknowns in the order of NAMES, from data and prior; 0 for what is held."""
    prior: Float64
    """(6, 6): the covariance without data."""
    heights: Float64
    """(rows, cols) of the map, metres."""
    held: NDArray[np.bool_]
    """(rows, cols): vertices beside steps, which keep the heights that they had first."""
    disagreement: float
    """By how much the information of the pixels was divided."""
    frames: int
    """That have a pose and see the map."""
    measurements: int
    """Pixels used."""
    median_abs_residual: float
    """Metres, before this pass."""
    move: Float64
    """(6,), or (6 + F,) with height offsets: how far from the estimate before the equations have their solution, in
    standard deviations."""
    offsets: Float64
    """(frames of the problem,) metres: height offsets, 0 where they are not estimated."""
    height_offsets: HeightOffsets | None
    """Those of the frames that see the map; None where they are not estimated."""

    @property
    def sigma(self) -> Float64:
        """(6,): standard deviations; 0 for what is held."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def step(self) -> float:
        """The largest move."""
        return float(np.abs(self.move).max())

    @property
    def prior_sigma(self) -> Float64:
        """(6,): standard deviations without data; 0 for what is held."""
        return np.sqrt(np.diag(self.prior))


@dataclass(frozen=True, eq=False)
class CalibrationProblem:
    """Depth images of one piece of ground and where their camera was."""

    context: Context
    camera: Camera
    """The nominal camera of the depth images."""
    grid: Grid
    """Of the map that is estimated beside; cells a few pixels wide."""
    frames: Sequence[TimedDepth]
    trajectory: Trajectory
    noise: DepthNoise = field(default_factory=DepthNoise)
    """Of one depth reading."""

    def __post_init__(self) -> None:
        for frame in self.frames:
            check_array("depth", frame.depth, self.camera.shape, np.float32)

    def solve(
        self, prior: CalibrationPrior, time_offset: float = 0.0, starts: Sequence[float] | None = None
    ) -> Estimate:
        """The estimate, after the last of up to 20 passes; `time_offset` (seconds) is the nominal one.

        The first passes take the pixels' word, lest what a wrong camera makes frames disagree about were taken for what
        they cannot know. They are made from each of the time offsets `starts`, the nominal one if not given, and what
        leaves the smallest residuals goes on. Raises Undetermined where too few frames have a pose and see the map. A
        KeyboardInterrupt comes between two passes.
        """
        nominal, known = SharedUnknowns.of(self.camera, time_offset), prior.covariance(self.camera)
        begun = []
        for start in starts or [time_offset]:
            unknowns = SharedUnknowns.of(self.camera, start)
            heights, offsets = self._seed(start), np.zeros(len(self.frames))
            held = beside_steps(heights, self.grid.spacing, _STEEPEST)
            for _ in range(_FIRST_PASSES):
                with interruptible_after():
                    estimate = self._improve(
                        nominal, known, prior.height_offset, unknowns, heights, held, offsets, LEAST_DISAGREEMENT
                    )
                unknowns, heights, offsets = estimate.unknowns, estimate.heights, estimate.offsets
            begun.append(estimate)
        estimate = min(begun, key=lambda each: each.median_abs_residual)
        boldness = 1.0
        for _ in range(_MOST_PASSES):
            before = estimate.move
            with interruptible_after():
                estimate = self._improve(
                    nominal,
                    known,
                    prior.height_offset,
                    estimate.unknowns,
                    estimate.heights,
                    estimate.held,
                    estimate.offsets,
                    boldness=boldness,
                )
            if estimate.step < _SETTLED:
                break
            # To and fro where the pixels at the map's outline come and go.
            back = estimate.move[: len(NAMES)] @ before[: len(NAMES)] < 0
            boldness = max(boldness / 2, _LEAST_BOLDNESS) if back else min(2 * boldness, 1.0)
        return estimate

    def _improve(
        self,
        nominal: SharedUnknowns,
        prior: Float64,
        offset_sigma: float,
        unknowns: SharedUnknowns,
        heights: Float64,
        held: NDArray[np.bool_],
        offsets: Float64,
        disagreement: float | None = None,
        boldness: float = 1.0,
    ) -> Estimate:
        """One step from `unknowns`, `heights`, but for those `held`, and `offsets`.

        `disagreement` None: what the frames say it is.
        """
        linearized, residuals = self._linearize(unknowns, heights, held, offsets)
        seen = np.array(list(linearized))
        frames = list(linearized.values())
        times = np.array([self.frames[k].time for k in seen]) + unknowns.time_offset
        data = sum((frame.heights for frame in frames), NormalEquations.zeros(*self.grid.shape, 0))
        shared = len(NAMES)
        border, corner, vector = bordered(frames)
        if not offset_sigma:
            border, corner, vector = border[:shared], corner[:shared, :shared], vector[:shared]
        # No frame says anything of what is held; the prior shall not pull the ground beside it up to it.
        ground = fill_from_nearest(heights[..., None], ~held)
        equations = SmoothnessPrior(_SLOPE_SIGMA * self.grid.spacing).add_to(data, ground)
        reduced = BorderedSystem(equations, border, corner, vector).eliminate_map()
        uncertain = np.zeros((len(vector),) * 2)
        uncertain[:shared, :shared] = prior
        uncertain[range(shared, len(vector)), range(shared, len(vector))] = offset_sigma**2
        if disagreement is None:
            disagreement = self._disagreement(reduced, frames, np.flatnonzero(np.diag(prior)), offset_sigma, times)
        away = np.concatenate([nominal.values - unknowns.values, -offsets[seen]])[: len(vector)]
        step, covariance = _step(reduced, disagreement, uncertain, away)
        offsets = offsets.copy()
        found = None
        if offset_sigma:
            offsets[seen] += boldness * step[shared:]
            found = HeightOffsets(
                times + boldness * step[NAMES.index("time_offset")],
                offsets[seen],
                covariance[shared:, shared:],
                offset_sigma,
                self.grid.T_world_map[:3, 2],
            )
        return Estimate(
            unknowns=SharedUnknowns(unknowns.values + boldness * step[:shared]),
            covariance=covariance[:shared, :shared],
            prior=prior,
            heights=np.where(held, heights, heights + reduced.map_at(boldness * step)[..., 0]),
            held=held,
            disagreement=disagreement,
            frames=len(frames),
            measurements=data.count,
            median_abs_residual=float(np.median(residuals)),
            move=np.divide(step, np.sqrt(np.diag(covariance)), out=np.zeros(len(step)), where=np.diag(uncertain) > 0),
            offsets=offsets,
            height_offsets=found,
        )

    def _disagreement(
        self,
        reduced: Reduced,
        frames: list[BorderedFrame],
        free: NDArray[np.intp],
        offset_sigma: float,
        times: Float64,
    ) -> float:
        if offset_sigma:
            scores, matrix = without_offsets(reduced, frames, offset_sigma)
        else:
            scores = reduced.scores(
                np.array([frame.vector for frame in frames]), np.array([frame.heights.vector for frame in frames])
            )
            matrix = reduced.matrix
        return _disagreement(scores[:, free], matrix[np.ix_(free, free)], times)

    def _seed(self, offset: float) -> Float64:
        """(rows, cols): the heights that the nominal camera sees."""
        posed = (
            PosedFrame(self.trajectory.at(f.time + offset), f.depth)
            for f in self.frames
            if self.trajectory.covers(f.time + offset)
        )
        heights = seed_heights(self.grid, self.camera, posed)
        if heights is None:
            raise Undetermined("no depth falls on the map")
        return heights

    def _linearize(
        self, unknowns: SharedUnknowns, heights: Float64, held: NDArray[np.bool_], offsets: Float64
    ) -> tuple[dict[int, BorderedFrame], Float64]:
        """The equations of the frames that see the map, by number, and |residuals| of all pixels, metres."""
        surface, slopes = self.grid.surface(heights), smooth_slopes(heights, self.grid.spacing, ~held)
        renderer = DerivativeRenderer(self.context, unknowns.camera(self.camera))
        linearized: dict[int, BorderedFrame] = {}
        magnitudes: list[Float32] = []
        try:
            for k, frame in enumerate(self.frames):
                time = frame.time + unknowns.time_offset
                if not self.trajectory.covers(time):
                    continue
                T_world_camera = self.trajectory.at(time)
                T_world_camera[:3, 3] += offsets[k] * surface.pose[:3, 2]
                buffers = renderer.render(surface, T_world_camera, pose=False)
                assert isinstance(buffers, CompactBuffers)
                measurements = self._measurements(buffers, frame.depth, unknowns.depth_scale, held)
                # In standard deviations: what the nominal camera gets wrong is at first far beyond the noise.
                plain = weigh(buffers, measurements)
                used = plain.depth_weight > 0
                if not used.any():
                    continue
                normalized = np.abs(plain.depth[used]) * np.sqrt(plain.depth_weight[used])
                scale = max(1.0, SIGMA_PER_MEDIAN * float(np.median(normalized)))
                residuals = weigh(buffers, measurements, depth_loss=Tukey(Tukey.k * scale))
                velocity = camera_velocity(self.trajectory, time)
                linearized[k] = linearize_frame(buffers, residuals, velocity, unknowns.depth_scale, slopes)
                magnitudes.append(np.abs(plain.depth[used]))
        finally:
            renderer.release()
        if len(linearized) < FEWEST_FRAMES:
            raise Undetermined(
                f"{len(linearized)} frames have a pose and see the map, and it takes {FEWEST_FRAMES} to tell how they "
                "disagree; what is seen beside its steps does not count"
            )
        return linearized, np.concatenate(magnitudes)

    def _measurements(
        self, buffers: CompactBuffers, depth: Float32, depth_scale: float, held: NDArray[np.bool_]
    ) -> Measurements:
        beside_held = held.ravel()[buffers.vertex_ids].any(axis=-1)  # or sees nothing, and is not usable either
        return Measurements(
            depth=(depth / np.float32(depth_scale)).astype(np.float32),
            depth_sigma=self.noise.sigma(depth),
            mask=usable_pixels(buffers, Weighting.max_depth_slope) & seen_from_above(buffers) & ~beside_held,
        )


def _step(reduced: Reduced, disagreement: float, prior: Float64, away: Float64) -> tuple[Float64, Float64]:
    """The step (p,) to the solution of the equations that are left without the map, and its covariance (p, p).

    The equations' information is divided by `disagreement`. `prior` (p, p) is the covariance without data, 0 for what
    is held, and its mean is `away` (p,) from the estimate. The step is no longer than `_FARTHEST_STEP` of its sigmas.
    """
    free = np.flatnonzero(np.diag(prior))
    among = np.ix_(free, free)
    known = np.linalg.inv(prior[among])
    covariance = np.zeros_like(prior)
    covariance[among] = np.linalg.inv(reduced.matrix[among] / disagreement + known)
    pull = reduced.vector[free] / disagreement + known @ away[free]
    step = np.zeros(len(prior))
    step[free] = covariance[among] @ pull
    step /= max(1.0, np.max(np.abs(step[free]) / np.sqrt(np.diag(prior)[free])) / _FARTHEST_STEP)
    return step, covariance


def _disagreement(scores: Float64, information: Float64, times: Float64) -> float:
    """How many times the variance of an estimate exceeds the inverse of `information` (p, p).

    `scores` (F, p) are what each frame adds to the right side of the unknowns' equations, at `times` (F,) seconds. With
    independent noise their covariance sums up to `information`. It is taken in the direction where they scatter most,
    and as if the frames within `TOGETHER` seconds of each other all had the same error. (Liang and Zeger, *Longitudinal
    Data Analysis Using Generalized Linear Models*, Biometrika 1986, sum the scores of such clusters; but of the few
    that a short recording has the sums are too small, since the unknowns take up what they have in common.)
    """
    count, unknowns = scores.shape
    together = np.mean(np.sum(np.abs(times[:, None] - times) <= TOGETHER, axis=0))
    scatter = np.cov(scores.T, bias=True).reshape(unknowns, unknowns) * count**2 / (count - unknowns)
    return max(LEAST_DISAGREEMENT, float(together * eigh(scatter, information, eigvals_only=True)[-1]))
