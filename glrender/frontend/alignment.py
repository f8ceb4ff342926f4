"""Direct alignment of a frame with images whose depth is known: the pose at which it shows what they show.

Gauss-Newton on the differences of `glrender.frontend.residuals`, coarse to fine, over the twist of the frame's camera
and a gain and a bias for each reference, with Cauchy's weights about the spread of the differences themselves.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from glrender.checks import check_pose
from glrender.errors import InputError
from glrender.frontend.comparison import Comparison, References, Summary, compare
from glrender.frontend.focal import FocalError, by_focal_length
from glrender.frontend.normal_equations import BlockEquations, block_equations, inflation, inverse, solved
from glrender.frontend.overlap import size_in_view
from glrender.frontend.pyramid import Level
from glrender.frontend.reference import Reference, ReferencePoints
from glrender.frontend.residuals import FEWEST, Exposure, Residuals, geometric
from glrender.frontend.texture import BLOCKS
from glrender.geometry import se3

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

_MOST_ITERATIONS = 12  # of each level
_SETTLED = 0.05  # pixels of the finest level: after a smaller step the next would be smaller still
_ROUGHLY = 0.25  # pixels of the others: the next level takes it from there


@dataclass(frozen=True, eq=False)
class PosePrior:
    """What is known of a pose before the image is looked at."""

    T_world_camera: Float64
    """(4, 4)."""
    covariance: Float64
    """(6, 6) of the twist (v, omega) in the camera frame."""


@dataclass(frozen=True, eq=False)
class Alignment:
    """What came of aligning a frame."""

    T_world_camera: Float64
    """(4, 4)."""
    covariance: Float64
    """(6, 6) of the twist (v, omega) in the camera frame, m² and rad²."""
    exposures: tuple[Exposure, ...]
    """Of the frame with each reference."""
    sigma: float
    """Standard deviation of the differences in intensity that are no outliers."""
    depth_sigma: float | None
    """The same of the depths, metres; None: the frame has none."""
    correlation: float
    """Of the intensities, over all points that the frame shows: 1 for the same picture, about 0 for a wrong one."""
    overlap: float
    """The share of the references' points that lie in the frame, times how large the frame shows them (at most 1): seen
    from far away, or at a grazing angle, they are next to nothing of what the frame shows."""
    inliers: float
    """The share of the points in the frame that fit: whose robust weight is above one half."""
    sharpness: float
    """The frame's sharpness over that of the references, whatever its exposure: from the slopes of their intensities at
    these points, along the direction in which the frame is least sharp."""
    focal_error: FocalError | None
    """What the remaining differences say of the camera's focal length; None where it was not asked for."""
    converged: bool
    """Whether the last steps at the finest level moved the image by next to nothing."""


@dataclass(frozen=True, eq=False)
class _Equations:
    """Normal equations at one pose: unknowns are the twist, then gain and bias for each reference."""

    matrix: Float64
    vector: Float64
    cost: float
    comparison: Comparison
    depths: tuple[Residuals, ...]
    """Of each reference; empty where the frame has none."""

    def inflation(self) -> float:
        """The factor, at least 1, by which the covariance is larger since neighbouring differences err together."""
        matrix, vector, P = self.comparison.matrix.copy(), self.comparison.vector.copy(), len(self.vector)
        of_depths = [_of_blocks(*each) for each in zip(self.depths, self.comparison.references.points, strict=False)]
        for blocks in of_depths:
            _add(blocks, matrix, vector)
        # At the step that the data alone would take: what a prior holds against them is no scatter of theirs.
        there = solved(matrix, vector)
        scores = [self.comparison.scores(there)]
        for blocks in of_depths:
            scores.append(np.zeros((len(blocks.vectors), P)))
            scores[-1][:, :6] = blocks.scores(there[:6])
        return inflation(matrix, np.concatenate(scores))


def align(
    references: Sequence[Reference],
    pyramid: tuple[Level, ...],
    T_start: Float64,
    *,
    prior: PosePrior | None = None,
    depth: Float32 | None = None,
    coarsest: int | None = None,
    finest: int = 0,
    focal: bool = False,
) -> Alignment:
    """The pose of a frame of which `T_start` (4, 4) is a first guess, T_world_camera, from all `references` together.

    `depth` (height, width) are what a sensor of the frame measured, metres, 0 for nothing. `coarsest` and `finest`
    are the first and last level of the pyramid to be looked at; `focal` asks what they say of the focal length.
    InputError if there is no reference.
    """
    if not references:
        raise InputError("align: received no reference, expected at least one")
    T_world_camera = check_pose("T_start", T_start)
    T_world_references = np.stack([reference.T_world_camera for reference in references])
    exposures = np.full((len(references), 2), np.nan)
    last = len(pyramid) - 1 if coarsest is None else min(coarsest, len(pyramid) - 1)
    equations, converged = None, False
    for number in range(last, min(finest, last) - 1, -1):
        step = 2**number
        aligner = _LevelAligner(
            References([reference.levels[number] for reference in references]),
            T_world_references,
            pyramid[number],
            None if depth is None else depth[::step, ::step],
            prior,
            finest=number == min(finest, last),
        )
        T_world_camera, equations, converged = aligner.run(T_world_camera, exposures)
        exposures = equations.comparison.exposures
    assert equations is not None
    return _finished(T_world_camera, equations, converged, focal)


class _LevelAligner:
    """Gauss-Newton on one level."""

    def __init__(
        self,
        references: References,
        T_world_references: Float64,
        level: Level,
        depth: Float32 | None,
        prior: PosePrior | None,
        finest: bool,
    ) -> None:
        self._free_exposure = finest
        self._settled = _SETTLED if finest else _ROUGHLY
        self._references = references
        self._unknown = np.full((len(references.points), 2), np.nan)
        self._T_world_references = T_world_references
        self._level = level
        self._depth = depth
        self._prior = prior
        counts = references.counts
        distances = np.array([points.distance for points in references.points])
        self._distance = float(counts @ distances / counts.sum()) if counts.any() else 1.0
        self._forget_spread()

    def run(self, T_world_camera: Float64, exposures: Float64) -> tuple[Float64, _Equations, bool]:
        """The best pose, the equations there or next to it, and whether the steps ended by themselves."""
        equations = self._linearize(T_world_camera, exposures)
        T_next, exposures, step = self._stepped(T_world_camera, equations)
        if step < self._settled:
            return T_next, equations, True
        # Most of what differed there did because of the pose: the spread is estimated anew.
        self._forget_spread()
        T_world_camera, equations = T_next, self._linearize(T_next, exposures)
        for _ in range(_MOST_ITERATIONS):
            T_next, exposures, step = self._stepped(T_world_camera, equations)
            if step < self._settled:
                return T_next, equations, True
            following = self._linearize(T_next, exposures)
            if following.cost >= equations.cost:
                break
            T_world_camera, equations = T_next, following
        return T_world_camera, equations, step < 10 * _SETTLED

    def _forget_spread(self) -> None:
        self._sigmas = np.full(len(self._references.points), np.nan)
        self._depth_sigmas: list[float | None] = [None] * len(self._references.points)
        self._inflation: float | None = None

    def _linearize(self, T_world_camera: Float64, exposures: Float64) -> _Equations:
        T_camera_references = se3.inverse(T_world_camera) @ self._T_world_references
        known = exposures if self._free_exposure else self._unknown
        compared = compare(self._references, self._level, T_camera_references, known, self._sigmas)
        self._sigmas = compared.sigmas
        equations = _Equations(compared.matrix, compared.vector, sum(compared.costs.tolist()), compared, ())
        return self._with_prior(self._with_depths(equations, T_camera_references), T_world_camera)

    def _with_depths(self, equations: _Equations, T_camera_references: Float64) -> _Equations:
        if self._depth is None:
            return equations
        depths = tuple(
            geometric(points, self._depth, self._level.camera, T, sigma)
            for points, T, sigma in zip(self._references.points, T_camera_references, self._depth_sigmas, strict=True)
        )
        self._depth_sigmas = [residuals.sigma for residuals in depths]
        matrix, vector = equations.matrix.copy(), equations.vector.copy()
        for residuals, points in zip(depths, self._references.points, strict=True):
            _add(_of_blocks(residuals, points), matrix, vector)
        cost = equations.cost + sum(residuals.cost for residuals in depths)
        return replace(equations, matrix=matrix, vector=vector, cost=cost, depths=depths)

    def _with_prior(self, equations: _Equations, T_world_camera: Float64) -> _Equations:
        if self._prior is None:
            return equations
        # The data count for less than their number says, so the prior counts for as much more against them.
        if self._inflation is None:
            self._inflation = equations.inflation()
        information = self._inflation * np.linalg.inv(self._prior.covariance)
        off = se3.log(se3.inverse(T_world_camera) @ self._prior.T_world_camera)
        matrix, vector = equations.matrix.copy(), equations.vector.copy()
        matrix[:6, :6] += information
        vector[:6] -= information @ off
        cost = equations.cost + 0.5 * float(off @ information @ off)
        return replace(equations, matrix=matrix, vector=vector, cost=cost)

    def _stepped(self, T_world_camera: Float64, equations: _Equations) -> tuple[Float64, Float64, float]:
        """Pose and exposures after one step, and by how many pixels it moves what is in the middle of the image."""
        exposures = equations.comparison.exposures
        if self._free_exposure:
            step = solved(equations.matrix, equations.vector)
            exposures = exposures + step[6:].reshape(-1, 2)
        else:
            # Far from the pose, what fits best is a frame of no contrast at all: there the spread of the intensities
            # says what the exposure is, and the differences have no say.
            step = solved(equations.matrix[:6, :6].copy(), equations.vector[:6])
        x, y, z, *turn = step[:6].tolist()
        shift = math.hypot(x, y, z) / self._distance + math.hypot(*turn)
        return T_world_camera @ se3.exp(-step[:6]), exposures, self._level.camera.fx * shift


def _of_blocks(residuals: Residuals, points: ReferencePoints) -> BlockEquations:
    return block_equations(residuals.by, residuals.weight, residuals.value, points.block, BLOCKS[0] * BLOCKS[1])


def _add(of_depths: BlockEquations, matrix: Float64, vector: Float64) -> None:
    matrix[:6, :6] += of_depths.matrices.sum(axis=0)
    vector[:6] += of_depths.vectors.sum(axis=0)


def _finished(T_world_camera: Float64, equations: _Equations, converged: bool, focal: bool) -> Alignment:
    compared, larger = equations.comparison, equations.inflation()
    points, inside = int(compared.references.counts.sum()), sum(each.seen for each in compared.summaries)
    depth_sigmas = [each.sigma for each in equations.depths if each.weight.any()]
    return Alignment(
        T_world_camera=T_world_camera,
        covariance=larger * inverse(equations.matrix)[:6, :6],
        exposures=tuple(map(compared.exposure, range(len(compared.exposures)))),
        sigma=float(compared.sigmas.mean()),
        depth_sigma=float(np.mean(depth_sigmas)) if depth_sigmas else None,
        correlation=_correlation(compared.summaries),
        overlap=inside / max(points, 1) * _size(compared),
        inliers=sum(each.fitting for each in compared.summaries) / max(inside, 1),
        sharpness=_sharpness(compared.summaries),
        focal_error=_focal_error(equations, larger) if focal else None,
        converged=converged and inside >= FEWEST,
    )


def _size(compared: Comparison) -> float:
    """How large the frame shows what the references see, over how large these do, at most 1."""
    points, counts = compared.references.points, compared.references.counts
    views = zip(compared.T_camera_reference, points, strict=True)
    sizes = [size_in_view(T, each.points, each.depth_slope) for T, each in views]
    return float(counts @ sizes) / max(int(counts.sum()), 1)


def _focal_error(equations: _Equations, inflation: float) -> FocalError:
    """The focal length as one more unknown beside the others, to first order."""
    P, compared = len(equations.vector), equations.comparison
    across, own, pull = np.zeros(P), 0.0, 0.0
    for k, points in enumerate(compared.references.points):
        T, residuals = compared.T_camera_reference[k], compared.residuals(k)
        column = by_focal_length(points, compared.sighting(k), compared.exposure(k), T)
        weighted = residuals.weight * column
        across[[*range(6), 6 + 2 * k, 7 + 2 * k]] += weighted @ residuals.by
        own += float(weighted @ column)
        pull -= float(weighted @ residuals.value)
    information = own - across @ solved(equations.matrix, across)
    if not information > 1e-6 * own:
        return FocalError(0.0, np.inf)
    share = (pull - across @ solved(equations.matrix, equations.vector)) / information
    return FocalError(float(share), float(np.sqrt(inflation / information)))


def _correlation(summaries: Sequence[Summary]) -> float:
    """Of frame and references, each reference's exposure its own; 0 where there is nothing to compare."""
    enough = [each for each in summaries if each.seen >= FEWEST]
    square, frame_square = sum(each.reference_square for each in enough), sum(each.frame_square for each in enough)
    # A frame of one colour has rounding to show, and nothing else.
    if not frame_square > 1e-9 * square > 0:
        return 0.0
    return sum(each.product for each in enough) / math.sqrt(square * frame_square)


def _sharpness(summaries: Sequence[Summary]) -> float:
    """See `Alignment`."""
    enough = [each for each in summaries if each.seen >= FEWEST]
    a, b, c = (sum(each.reference_slopes[k] for each in enough) for k in range(3))
    # Parallax lowers the gain that fits best, though it blurs nothing: the spreads know better.
    d, e, f = (sum(each.gain**2 * each.frame_slopes[k] for each in enough) for k in range(3))
    extent = a * c - b * b
    if not extent > 0:
        return 0.0
    # The smaller root s of det(F - s R) = 0, of the frame's products F = (d, e; e, f) and the references'.
    middle = 0.5 * (a * f + c * d - 2 * b * e) / extent
    least = middle - math.sqrt(max(middle**2 - (d * f - e * e) / extent, 0.0))
    return math.sqrt(max(least, 0.0))
