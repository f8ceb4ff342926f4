"""Direct alignment of a frame with images whose depth is known: the pose at which it shows what they show.

Gauss-Newton on the differences of `glrender.frontend.residuals`, coarse to fine, over the twist of the frame's camera
and a gain and a bias for each reference, with Cauchy's weights about the spread of the differences themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from glrender.checks import check_pose
from glrender.errors import InputError
from glrender.frontend.pyramid import Level
from glrender.frontend.reference import Reference, ReferencePoints
from glrender.frontend.residuals import FEWEST, Exposure, Residuals, block_scatter, geometric, inflation, photometric
from glrender.geometry import se3

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

_MOST_ITERATIONS = 12  # of each level; from a pose predicted at constant velocity three or four are made
_SETTLED = 0.02  # pixels of the level: smaller steps move nothing that the next level would not
_WEAK = 1e-9  # of the largest information: what is told less than that is not told


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
    converged: bool
    """Whether the last steps at the finest level moved the image by next to nothing."""


@dataclass(frozen=True, eq=False)
class _Equations:
    """Normal equations at one pose: unknowns are the twist, then gain and bias for each reference."""

    matrix: Float64
    vector: Float64
    cost: float
    inflation: float
    """By how much differences that err together make the covariance larger than independent ones, at least 1."""
    photometric: tuple[Residuals, ...]
    geometric: tuple[Residuals, ...]
    intensities: tuple[tuple[Float64, Float64], ...]
    """Of each reference's points: their own, and those of the frame; NaN where not seen."""


def align(
    references: Sequence[Reference],
    pyramid: tuple[Level, ...],
    T_start: Float64,
    *,
    prior: PosePrior | None = None,
    depth: Float32 | None = None,
    coarsest: int | None = None,
    finest: int = 0,
) -> Alignment:
    """The pose of a frame of which `T_start` (4, 4) is a first guess, T_world_camera, from all `references` together.

    `depth` (height, width) are what a sensor of the frame measured, metres, 0 for nothing. `coarsest` and `finest`
    are the first and last level of the pyramid to be looked at. InputError if there is no reference.
    """
    if not references:
        raise InputError("align: received no reference, expected at least one")
    T_world_camera = check_pose("T_start", T_start)
    exposures: tuple[Exposure | None, ...] = (None,) * len(references)
    last = len(pyramid) - 1 if coarsest is None else min(coarsest, len(pyramid) - 1)
    equations, converged = None, False
    for number in range(last, min(finest, last) - 1, -1):
        step = 2**number
        aligner = _LevelAligner(
            [(r.levels[number], r.T_world_camera) for r in references],
            pyramid[number],
            None if depth is None else depth[::step, ::step],
            prior,
        )
        T_world_camera, exposures, equations, converged = aligner.run(T_world_camera, exposures)
    assert equations is not None
    return _finished(T_world_camera, tuple(e or Exposure() for e in exposures), equations, converged)


class _LevelAligner:
    """Gauss-Newton on one level."""

    def __init__(
        self,
        references: list[tuple[ReferencePoints, Float64]],
        level: Level,
        depth: Float32 | None,
        prior: PosePrior | None,
    ) -> None:
        self._references = references
        self._level = level
        self._depth = depth
        self._prior = prior
        self._forget_spread()

    def run(
        self, T_world_camera: Float64, exposures: tuple[Exposure | None, ...]
    ) -> tuple[Float64, tuple[Exposure, ...], _Equations, bool]:
        """The best pose and exposures, the equations there, and whether the steps ended by themselves."""
        # What differs most now differs because of the pose: the spread is looked at again after the first step.
        equations, known = self._linearize(T_world_camera, exposures)
        T_world_camera, known, step = self._stepped(T_world_camera, known, equations)
        self._forget_spread()
        equations, known = self._linearize(T_world_camera, known)
        for _ in range(_MOST_ITERATIONS):
            if step < _SETTLED:
                return T_world_camera, known, equations, True
            T_next, exposures_next, step = self._stepped(T_world_camera, known, equations)
            following, _ = self._linearize(T_next, exposures_next)
            if following.cost >= equations.cost:
                return T_world_camera, known, equations, step < 10 * _SETTLED
            T_world_camera, known, equations = T_next, exposures_next, following
        return T_world_camera, known, equations, step < 10 * _SETTLED

    def _forget_spread(self) -> None:
        self._sigmas: list[float | None] = [None] * len(self._references)
        self._depth_sigmas: list[float | None] = [None] * len(self._references)
        self._inflation: float | None = None

    def _linearize(
        self, T_world_camera: Float64, exposures: tuple[Exposure | None, ...]
    ) -> tuple[_Equations, tuple[Exposure, ...]]:
        P = 6 + 2 * len(self._references)
        matrix, vector = np.zeros((P, P)), np.zeros(P)
        cost = 0.0
        found: list[Exposure] = []
        of_intensity: list[Residuals] = []
        of_depth: list[Residuals] = []
        intensities: list[tuple[Float64, Float64]] = []
        rows: list[tuple[Residuals, Float64, ReferencePoints]] = []
        T_camera_world = se3.inverse(T_world_camera)
        for k, (points, T_world_reference) in enumerate(self._references):
            T = T_camera_world @ T_world_reference
            residuals, sighting, exposure = photometric(points, self._level, T, exposures[k], self._sigmas[k])
            self._sigmas[k] = residuals.sigma
            columns = np.zeros((len(points.points), P))
            columns[:, :6] = residuals.by_twist
            columns[:, 6 + 2 * k] = np.where(sighting.seen, -sighting.intensity, 0)
            columns[:, 7 + 2 * k] = -1
            kinds = [(residuals, columns)]
            if self._depth is not None:
                depths = geometric(points, self._depth, self._level.camera, T, self._depth_sigmas[k])
                self._depth_sigmas[k] = depths.sigma
                of_depth.append(depths)
                if np.isfinite(depths.cost):
                    kinds.append((depths, np.pad(depths.by_twist, ((0, 0), (0, P - 6)))))
            for kind, by in kinds:
                weighted = kind.weight[:, None] * by
                matrix += weighted.T @ by
                vector -= weighted.T @ kind.value
                rows.append((kind, by, points))
                cost += kind.cost
            found.append(exposure)
            of_intensity.append(residuals)
            intensities.append((points.intensity, sighting.intensity))
        if self._inflation is None:
            # Where the data alone would go: what a prior holds against them is no scatter of theirs.
            there = np.linalg.pinv(matrix, hermitian=True) @ vector
            left = [(by * (r.weight * (r.value + by @ there))[:, None], p.block) for r, by, p in rows]
            self._inflation = inflation(matrix, np.sum([block_scatter(*each) for each in left], axis=0))
        seen = (tuple(of_intensity), tuple(of_depth), tuple(intensities))
        equations = _Equations(matrix, vector, cost, self._inflation, *seen)
        return self._with_prior(equations, T_world_camera), tuple(found)

    def _with_prior(self, equations: _Equations, T_world_camera: Float64) -> _Equations:
        if self._prior is None:
            return equations
        # The data count for less than their number, and the prior against them for as much more.
        information = equations.inflation * np.linalg.inv(self._prior.covariance)
        off = se3.log(se3.inverse(T_world_camera) @ self._prior.T_world_camera)
        matrix, vector = equations.matrix.copy(), equations.vector.copy()
        matrix[:6, :6] += information
        vector[:6] -= information @ off
        cost = equations.cost + 0.5 * float(off @ information @ off)
        return replace(equations, matrix=matrix, vector=vector, cost=cost)

    def _stepped(
        self, T_world_camera: Float64, exposures: tuple[Exposure, ...], equations: _Equations
    ) -> tuple[Float64, tuple[Exposure, ...], float]:
        """Pose and exposures after one step, and by how many pixels it moves what is in the middle of the image."""
        scale = np.sqrt(np.maximum(np.diag(equations.matrix), 1e-300))
        damped = equations.matrix / np.outer(scale, scale) + _WEAK * np.eye(len(scale))
        step = np.linalg.solve(damped, equations.vector / scale) / scale
        moved = tuple(Exposure(e.gain + step[6 + 2 * k], e.bias + step[7 + 2 * k]) for k, e in enumerate(exposures))
        depths = np.concatenate([points.points[:, 2] for points, _ in self._references])
        distance = float(np.median(depths)) if len(depths) else 1.0
        pixels = self._level.camera.fx * (np.linalg.norm(step[:3]) / distance + np.linalg.norm(step[3:6]))
        return T_world_camera @ se3.exp(-step[:6]), moved, float(pixels)


def _finished(
    T_world_camera: Float64, exposures: tuple[Exposure, ...], equations: _Equations, converged: bool
) -> Alignment:
    seen = [~np.isnan(of_frame) for _, of_frame in equations.intensities]
    points, inside = sum(len(s) for s in seen), sum(int(s.sum()) for s in seen)
    fits = sum(r.inliers * int(s.sum()) for r, s in zip(equations.photometric, seen, strict=True))
    depth_sigmas = [r.sigma for r in equations.geometric if np.isfinite(r.cost)]
    return Alignment(
        T_world_camera=T_world_camera,
        covariance=equations.inflation
        * np.asarray(np.linalg.pinv(equations.matrix, hermitian=True)[:6, :6], np.float64),
        exposures=exposures,
        sigma=float(np.mean([r.sigma for r in equations.photometric])),
        depth_sigma=float(np.mean(depth_sigmas)) if depth_sigmas else None,
        correlation=_correlation(equations.intensities),
        overlap=inside / max(points, 1),
        inliers=fits / max(inside, 1),
        converged=converged and inside >= FEWEST,
    )


def _correlation(intensities: Sequence[tuple[Float64, Float64]]) -> float:
    """Of frame and references, each reference's exposure its own; 0 where there is nothing to compare."""
    products, squares, frame_squares = 0.0, 0.0, 0.0
    for of_reference, of_frame in intensities:
        seen = ~np.isnan(of_frame)
        if np.count_nonzero(seen) < FEWEST:
            continue
        a, b = of_reference[seen] - of_reference[seen].mean(), of_frame[seen] - of_frame[seen].mean()
        products, squares, frame_squares = products + a @ b, squares + a @ a, frame_squares + b @ b
    # A frame of one colour has rounding to show, and nothing else.
    return products / np.sqrt(squares * frame_squares) if frame_squares > 1e-9 * squares > 0 else 0.0
