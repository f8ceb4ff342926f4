"""Direct alignment of a frame with images whose depth is known: the pose at which it shows what they show.

Gauss-Newton on the differences of `glrender.frontend.residuals`, coarse to fine, over the twist of the frame's camera
and a gain and a bias for each reference, with Cauchy's weights about the spread of the differences themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from glrender.checks import check_pose
from glrender.errors import InputError
from glrender.frontend.focal import FocalError, by_focal_length
from glrender.frontend.normal_equations import BlockEquations, block_equations, inflation, inverse, solved
from glrender.frontend.pyramid import Level
from glrender.frontend.reference import Reference, ReferencePoints
from glrender.frontend.residuals import FEWEST, Exposure, Residuals, geometric, photometric
from glrender.frontend.texture import BLOCKS
from glrender.frontend.warp import Sighting
from glrender.geometry import se3
from glrender.geometry.camera import Camera

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Exposures = tuple[Exposure | None, ...]

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
    """The share of the references' points that lie in the frame."""
    inliers: float
    """The share of these that fit (a robust weight above one half)."""
    sharpness: float
    """Of the frame over that of the references, by the slopes of their intensities at these points, along the direction
    in which the frame is least sharp; exposure out."""
    focal_error: FocalError | None
    """What the differences that are left say of the camera's focal length; None where it was not asked for."""
    converged: bool
    """Whether the last steps at the finest level moved the image by next to nothing."""


@dataclass(frozen=True, eq=False)
class _Compared:
    """A reference and the frame at one pose."""

    points: ReferencePoints
    T_camera_reference: Float64
    intensities: Residuals
    sighting: Sighting
    exposure: Exposure
    depths: Residuals | None


@dataclass(frozen=True, eq=False)
class _Equations:
    """Normal equations at one pose: unknowns are the twist, then gain and bias for each reference."""

    matrix: Float64
    vector: Float64
    cost: float
    terms: tuple[tuple[list[int], BlockEquations], ...]
    """What they are the sum of, but for the prior: which unknowns, and their equations."""
    compared: tuple[_Compared, ...]

    def inflation(self) -> float:
        """By how much differences that err together make the covariance larger than independent ones, at least 1."""
        # Where the data alone would go: what a prior holds against them is no scatter of theirs.
        matrix, vector = _summed(self.terms, len(self.vector))
        there = solved(matrix, vector)
        scores = np.zeros((len(self.terms), BLOCKS[0] * BLOCKS[1], len(vector)))
        for number, (unknowns, blocks) in enumerate(self.terms):
            scores[number][:, unknowns] = blocks.scores(there[unknowns])
        return inflation(matrix, scores.reshape(-1, len(vector)))


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
    exposures: Exposures = (None,) * len(references)
    last = len(pyramid) - 1 if coarsest is None else min(coarsest, len(pyramid) - 1)
    equations, converged = None, False
    for number in range(last, min(finest, last) - 1, -1):
        step = 2**number
        aligner = _LevelAligner(
            [(r.levels[number], r.T_world_camera) for r in references],
            pyramid[number],
            None if depth is None else depth[::step, ::step],
            prior,
            finest=number == min(finest, last),
        )
        T_world_camera, equations, converged = aligner.run(T_world_camera, exposures)
        exposures = tuple(compared.exposure for compared in equations.compared)
    assert equations is not None
    return _finished(T_world_camera, equations, converged, pyramid[min(finest, last)].camera, focal)


class _LevelAligner:
    """Gauss-Newton on one level."""

    def __init__(
        self,
        references: list[tuple[ReferencePoints, Float64]],
        level: Level,
        depth: Float32 | None,
        prior: PosePrior | None,
        finest: bool,
    ) -> None:
        self._free_exposure = finest
        self._settled = _SETTLED if finest else _ROUGHLY
        self._references = references
        self._level = level
        self._depth = depth
        self._prior = prior
        depths = np.concatenate([points.points[:, 2] for points, _ in references])
        self._distance = float(np.median(depths)) if len(depths) else 1.0
        self._forget_spread()

    def run(self, T_world_camera: Float64, exposures: Exposures) -> tuple[Float64, _Equations, bool]:
        """The best pose, the equations there, and whether the steps ended by themselves."""
        # What differs most now differs because of the pose: the spread is looked at again after the first step.
        equations = self._linearize(T_world_camera, exposures)
        T_world_camera, exposures, step = self._stepped(T_world_camera, equations)
        self._forget_spread()
        equations = self._linearize(T_world_camera, exposures)
        for _ in range(_MOST_ITERATIONS):
            if step < self._settled:
                return T_world_camera, equations, True
            T_next, exposures, step = self._stepped(T_world_camera, equations)
            following = self._linearize(T_next, exposures)
            if following.cost >= equations.cost:
                break
            T_world_camera, equations = T_next, following
        return T_world_camera, equations, step < 10 * _SETTLED

    def _forget_spread(self) -> None:
        self._sigmas: list[float | None] = [None] * len(self._references)
        self._depth_sigmas: list[float | None] = [None] * len(self._references)
        self._inflation: float | None = None

    def _linearize(self, T_world_camera: Float64, exposures: Exposures) -> _Equations:
        P = 6 + 2 * len(self._references)
        T_camera_world = se3.inverse(T_world_camera)
        compared = tuple(self._compare(k, T_camera_world, exposures[k]) for k in range(len(exposures)))
        terms: list[tuple[list[int], BlockEquations]] = []
        cost = 0.0
        for k, each in enumerate(compared):
            terms.append(([*range(6), 6 + 2 * k, 7 + 2 * k], _equations_of(each.intensities, each.points)))
            cost += each.intensities.cost
            if each.depths is not None:
                terms.append(([*range(6)], _equations_of(each.depths, each.points)))
                cost += each.depths.cost
        matrix, vector = _summed(terms, P)
        if not self._free_exposure:
            # Far from the pose, what fits best is a frame of no contrast at all: there the spread of the intensities
            # says what the exposure is, and the differences have no say.
            matrix[:6, 6:], matrix[6:, :6], vector[6:] = 0, 0, 0
        return self._with_prior(_Equations(matrix, vector, cost, tuple(terms), compared), T_world_camera)

    def _compare(self, k: int, T_camera_world: Float64, exposure: Exposure | None) -> _Compared:
        points, T_world_reference = self._references[k]
        T = T_camera_world @ T_world_reference
        known = exposure if self._free_exposure else None
        intensities, sighting, exposure = photometric(points, self._level, T, known, self._sigmas[k])
        self._sigmas[k] = intensities.sigma
        depths = None
        if self._depth is not None:
            depths = geometric(points, self._depth, self._level.camera, T, self._depth_sigmas[k])
            self._depth_sigmas[k] = depths.sigma
        return _Compared(points, T, intensities, sighting, exposure, depths)

    def _with_prior(self, equations: _Equations, T_world_camera: Float64) -> _Equations:
        if self._prior is None:
            return equations
        # The data count for less than their number, and the prior against them for as much more.
        if self._inflation is None:
            self._inflation = equations.inflation()
        information = self._inflation * np.linalg.inv(self._prior.covariance)
        off = se3.log(se3.inverse(T_world_camera) @ self._prior.T_world_camera)
        matrix, vector = equations.matrix.copy(), equations.vector.copy()
        matrix[:6, :6] += information
        vector[:6] -= information @ off
        cost = equations.cost + 0.5 * float(off @ information @ off)
        return replace(equations, matrix=matrix, vector=vector, cost=cost)

    def _stepped(self, T_world_camera: Float64, equations: _Equations) -> tuple[Float64, Exposures, float]:
        """Pose and exposures after one step, and by how many pixels it moves what is in the middle of the image."""
        step = solved(equations.matrix, equations.vector)
        exposures = tuple(
            Exposure(each.exposure.gain + step[6 + 2 * k], each.exposure.bias + step[7 + 2 * k])
            for k, each in enumerate(equations.compared)
        )
        shift = np.linalg.norm(step[:3]) / self._distance + np.linalg.norm(step[3:6])
        return T_world_camera @ se3.exp(-step[:6]), exposures, float(self._level.camera.fx * shift)


def _equations_of(residuals: Residuals, points: ReferencePoints) -> BlockEquations:
    return block_equations(residuals.by, residuals.weight, residuals.value, points.block, BLOCKS[0] * BLOCKS[1])


def _summed(terms: Sequence[tuple[list[int], BlockEquations]], count: int) -> tuple[Float64, Float64]:
    """(P, P) and (P,): the equations of all terms over `count` unknowns."""
    matrix, vector = np.zeros((count, count)), np.zeros(count)
    for unknowns, blocks in terms:
        matrix[np.ix_(unknowns, unknowns)] += blocks.matrices.sum(axis=0)
        vector[unknowns] += blocks.vectors.sum(axis=0)
    return matrix, vector


def _finished(
    T_world_camera: Float64, equations: _Equations, converged: bool, camera: Camera, focal: bool
) -> Alignment:
    compared, larger = equations.compared, equations.inflation()
    seen = [each.sighting.seen for each in compared]
    points, inside = sum(len(s) for s in seen), sum(int(s.sum()) for s in seen)
    fits = sum(each.intensities.inliers * int(s.sum()) for each, s in zip(compared, seen, strict=True))
    depth_sigmas = [each.depths.sigma for each in compared if each.depths is not None and each.depths.weight.any()]
    return Alignment(
        T_world_camera=T_world_camera,
        covariance=larger * inverse(equations.matrix)[:6, :6],
        exposures=tuple(each.exposure for each in compared),
        sigma=float(np.mean([each.intensities.sigma for each in compared])),
        depth_sigma=float(np.mean(depth_sigmas)) if depth_sigmas else None,
        correlation=_correlation(compared),
        overlap=inside / max(points, 1),
        inliers=fits / max(inside, 1),
        sharpness=_sharpness(compared, camera),
        focal_error=_focal_error(equations, larger) if focal else None,
        converged=converged and inside >= FEWEST,
    )


def _focal_error(equations: _Equations, inflation: float) -> FocalError:
    """The focal length as one more unknown beside the others, to first order."""
    P = len(equations.vector)
    across, own, pull = np.zeros(P), 0.0, 0.0
    for k, each in enumerate(equations.compared):
        column = by_focal_length(each.points, each.sighting, each.exposure, each.T_camera_reference)
        weighted = each.intensities.weight * column
        across[[*range(6), 6 + 2 * k, 7 + 2 * k]] += weighted @ each.intensities.by
        own += float(weighted @ column)
        pull -= float(weighted @ each.intensities.value)
    information = own - across @ solved(equations.matrix, across)
    if not information > 1e-6 * own:
        return FocalError(0.0, np.inf)
    share = (pull - across @ solved(equations.matrix, equations.vector)) / information
    return FocalError(float(share), float(np.sqrt(inflation / information)))


def _correlation(compared: tuple[_Compared, ...]) -> float:
    """Of frame and references, each reference's exposure its own; 0 where there is nothing to compare."""
    products, squares, frame_squares = 0.0, 0.0, 0.0
    for each in compared:
        seen = each.sighting.seen
        if np.count_nonzero(seen) < FEWEST:
            continue
        a, b = (values[seen] - values[seen].mean() for values in (each.points.intensity, each.sighting.intensity))
        products, squares, frame_squares = products + a @ b, squares + a @ a, frame_squares + b @ b
    # A frame of one colour has rounding to show, and nothing else.
    return products / np.sqrt(squares * frame_squares) if frame_squares > 1e-9 * squares > 0 else 0.0


def _sharpness(compared: tuple[_Compared, ...], camera: Camera) -> float:
    """See `Alignment`."""
    of_frame, of_references = np.zeros((2, 2)), np.zeros((2, 2))
    for each in compared:
        seen = each.sighting.seen
        if np.count_nonzero(seen) < FEWEST:
            continue
        # Parallax lowers the gain that fits best, though it blurs nothing: the spreads know better.
        exposure = Exposure.between(each.points.intensity[seen], each.sighting.intensity[seen])
        slope = exposure.gain * each.sighting.slope(camera)[seen]
        of_frame += slope.T @ slope
        of_references += each.points.slope[seen].T @ each.points.slope[seen]
    if not np.linalg.det(of_references) > 0:
        return 0.0
    least = float(eigh(of_frame, of_references, eigvals_only=True)[0])
    return float(np.sqrt(max(least, 0.0)))
