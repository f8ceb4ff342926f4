"""A plane and the motions of a camera over it, from what photographs show of it: all unknown but for the scale.

In the first camera the plane is p·X = 1 with p = (a, b, 1), so that a pixel of ray r sees it at the depth 1 / (p·r),
and lengths are counted in depths of the plane along the first camera's axis. Gauss-Newton over a, b and all motions at
once on the intensities of the first photograph's points in all others (`glrender.frontend.comparison`), where
dX/dp = -X Xᵀ.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from glrender.frontend.alignment import align
from glrender.frontend.comparison import photometric
from glrender.frontend.normal_equations import block_equations, inflation, inverse, solved
from glrender.frontend.pyramid import Level
from glrender.frontend.reference import Reference, ReferencePoints
from glrender.frontend.residuals import FEWEST, Exposure
from glrender.frontend.texture import BLOCKS
from glrender.frontend.warp import Sighting
from glrender.geometry import se3

Float64 = NDArray[np.float64]

GRAZING = 0.1
"""Share of the inverse depth in the middle of the image. Where a pixel's is less, the horizon is near, and the pixel
tells nothing."""
_TILT = 1.5  # standard deviation of a and b before anything is seen: 56 degrees
_MOST_ITERATIONS = 8  # of each level
_SETTLED = 0.05  # pixels


@dataclass(frozen=True, eq=False)
class PlaneMotion:
    """A plane and the poses of cameras that see it."""

    tilt: Float64
    """(2,): a and b."""
    covariance: Float64
    """(2, 2) of these."""
    poses: tuple[Float64, ...]
    """(4, 4) each: T_first_camera of the others, in depths of the plane along the first one's axis."""
    costs: Float64
    """(N,) for each of the first photograph's points on the finest level that was looked at: a robust loss of the
    differences in intensity, its mean over the other photographs; NaN where the plane is not seen, or no other
    photograph shows the point."""

    @property
    def normal(self) -> Float64:
        """(3,) unit vector from the plane to the first camera's side of it."""
        p = np.array([*self.tilt, 1.0])
        return -p / np.linalg.norm(p)

    @property
    def camera_height(self) -> float:
        """Of the first camera above the plane, in depths."""
        return float(1 / np.linalg.norm([*self.tilt, 1.0]))

    @property
    def normal_sigma(self) -> float:
        """Standard deviation of the normal's direction in its worst direction, radians."""
        a, b = self.tilt
        p = np.array([a, b, 1.0])
        # d(p / |p|) / d(a, b)
        slope = (np.eye(3) - np.outer(p, p) / (p @ p))[:, :2] / np.linalg.norm(p)
        return float(np.sqrt(np.linalg.eigvalsh(slope @ self.covariance @ slope.T)[-1]))

    @property
    def height_sigma(self) -> float:
        """Standard deviation of `camera_height`, as a share of it."""
        p = np.array([*self.tilt, 1.0])
        return float(np.sqrt(self.tilt @ self.covariance @ self.tilt) / (p @ p))

    @property
    def baseline(self) -> float:
        """The longest way between the first camera and another, in depths."""
        return max((float(np.linalg.norm(pose[:3, 3])) for pose in self.poses), default=0.0)

    def shown(self) -> int:
        """How many points it explains, well or not."""
        return int(np.isfinite(self.costs).sum())

    def compared(self, other: "PlaneMotion") -> float:
        """Its mean cost over that of another plane, for the points that both explain; 1 where there are none."""
        both = np.isfinite(self.costs) & np.isfinite(other.costs)
        return float(self.costs[both].mean() / max(other.costs[both].mean(), 1e-12)) if both.any() else 1.0


def on_plane(flat: Reference, tilt: Float64) -> Reference:
    """A reference of depth 1, its points moved along their rays to the plane of a `tilt` (2,), see `PlaneMotion`.

    Those near the horizon are left out.
    """
    return replace(flat, levels=tuple(_on_plane(points, tilt) for points in flat.levels))


def _on_plane(points: ReferencePoints, tilt: Float64) -> ReferencePoints:
    plane = np.array([*tilt, 1.0])
    inverse_depth = points.points @ plane
    kept = _seen(points, tilt)
    inverse_depth = inverse_depth[kept, None]
    return ReferencePoints(
        points.points[kept] / inverse_depth,
        points.intensity[kept],
        points.slope[kept],
        plane / inverse_depth,
        points.block[kept],
    )


def _seen(points: ReferencePoints, tilt: Float64) -> NDArray[np.bool_]:
    """(N,): whether the rays meet the plane, and not near the horizon."""
    return np.asarray(points.points @ np.array([*tilt, 1.0]) > GRAZING)


def follow_plane(flat: Reference, pyramids: Sequence[tuple[Level, ...]], tilt: Float64, finest: int) -> PlaneMotion:
    """The plane that a first guess of its tilt (2,) leads to, and the poses of photographs that were each taken a
    little further on.

    `flat` is the first photograph as a reference of depth 1 at the identity. Each photograph is looked for where the
    camera would be if it went on as it did: one that turns fast is not found from the last pose.
    """
    poses: list[Float64] = []
    plane = on_plane(flat, tilt)
    last, step = np.eye(4), np.eye(4)
    for pyramid in pyramids:
        pose = align([plane], pyramid, last @ step, finest=finest).T_world_camera
        last, step = pose, se3.inverse(last) @ pose
        poses.append(pose)
    return refine_plane(flat, pyramids, tilt, poses, finest)


def refine_plane(
    flat: Reference, pyramids: Sequence[tuple[Level, ...]], tilt: Float64, poses: Sequence[Float64], finest: int
) -> PlaneMotion:
    """The plane and the poses that agree best with all photographs, down to the level `finest`.

    From first guesses of both: its `tilt` (2,), and T_reference_camera (4, 4) of each photograph.
    """
    found = _Descent(flat, pyramids, np.asarray(tilt, np.float64), list(poses))
    last = min(len(flat.levels) - 1, finest + 1)
    for number in range(last, min(finest, last) - 1, -1):
        found.run(number)
    return found.result(min(finest, last))


class _Descent:
    """Gauss-Newton on a plane and motions over it."""

    def __init__(
        self, flat: Reference, pyramids: Sequence[tuple[Level, ...]], tilt: Float64, poses: list[Float64]
    ) -> None:
        self._flat, self._pyramids = flat, pyramids
        self._tilt, self._poses = tilt, poses
        self._exposures: list[Exposure | None] = [None] * len(poses)

    def run(self, number: int) -> None:
        self._exposures = [None] * len(self._poses)
        for _ in range(_MOST_ITERATIONS):
            linear = self._linearize(number)
            step = solved(linear.matrix, linear.vector)
            # A plane that turned its back would end the search, and so would a camera that went nowhere.
            self._tilt = self._tilt + _shortened(step[:2])
            twists = step[2:].reshape(-1, 6)
            self._poses = [T @ se3.exp(-_shortened(xi)) for T, xi in zip(self._poses, twists, strict=True)]
            shift = float(np.abs(step).max()) * self._pyramids[0][number].camera.fx
            if shift < _SETTLED:
                return

    def result(self, number: int) -> PlaneMotion:
        linear = self._linearize(number)
        covariance = inverse(linear.matrix)[:2, :2] * max(linear.inflation, _disagreement(linear.of_frames))
        return PlaneMotion(self._tilt, covariance, tuple(self._poses), linear.costs)

    def _linearize(self, number: int) -> "_Linear":
        count = len(self._poses)
        matrix, vector = np.zeros((2 + 6 * count, 2 + 6 * count)), np.zeros(2 + 6 * count)
        level = self._flat.levels[number]
        points, seen = _on_plane(level, self._tilt), np.flatnonzero(_seen(level, self._tilt))
        costs, counts = np.zeros(len(level.points)), np.zeros(len(level.points))
        larger, of_frames = [], []
        for k, pyramid in enumerate(self._pyramids):
            T = se3.inverse(self._poses[k])
            residuals, sighting, exposure = photometric(points, pyramid[number], T, self._exposures[k])
            if np.count_nonzero(residuals.weight) < FEWEST:
                continue
            by = np.vstack([by_plane(points, sighting, exposure, T).T, residuals.by.T]).T
            blocks = block_equations(by, residuals.weight, residuals.value, points.block, BLOCKS[0] * BLOCKS[1])
            full, pull = blocks.matrices.sum(axis=0), blocks.vectors.sum(axis=0)
            gained = np.linalg.solve(full[8:, 8:], np.column_stack([full[8:, :8], pull[8:]]))
            of_frames.append(_of_plane(full, pull))
            unknowns = [0, 1, *range(2 + 6 * k, 8 + 6 * k)]
            matrix[np.ix_(unknowns, unknowns)] += full[:8, :8] - full[:8, 8:] @ gained[:, :8]
            vector[unknowns] += pull[:8] - full[:8, 8:] @ gained[:, 8]
            self._exposures[k] = Exposure(exposure.gain + gained[0, 8], exposure.bias + gained[1, 8])
            larger.append(inflation(full, blocks.scores(solved(full, pull))))
            shown = seen[sighting.seen]
            costs[shown] += 0.5 * np.log1p(np.square(residuals.value[sighting.seen] / _COMPARED))
            counts[shown] += 1
        inflated = float(np.mean(larger)) if larger else 1.0
        matrix[:2, :2] += np.eye(2) * inflated / _TILT**2
        vector[:2] -= self._tilt * inflated / _TILT**2
        costs = np.divide(costs, counts, out=np.full(len(costs), np.nan), where=counts > 0)
        return _Linear(matrix, vector, costs, inflated, of_frames)


def _shortened(step: Float64) -> Float64:
    """The step, made shorter if it is longer than half a depth or radian along one of its directions."""
    return np.asarray(step * min(1.0, 0.5 / max(float(np.abs(step).max()), 1e-12)))


@dataclass(frozen=True, eq=False)
class _Linear:
    """Normal equations over the plane and the twists, exposures eliminated."""

    matrix: Float64
    vector: Float64
    costs: Float64
    """See `PlaneMotion`."""
    inflation: float
    """By how much the differences of a frame err together."""
    of_frames: list[tuple[Float64, Float64]]
    """What each frame alone says of the plane, its motion eliminated: information (2, 2) and pull (2,)."""


def _of_plane(full: Float64, pull: Float64) -> tuple[Float64, Float64]:
    """Normal equations of the first two unknowns alone."""
    others = np.linalg.solve(full[2:, 2:], np.column_stack([full[2:, :2], pull[2:]]))
    return full[:2, :2] - full[:2, 2:] @ others[:, :2], pull[:2] - full[:2, 2:] @ others[:, 2]


def _disagreement(of_frames: list[tuple[Float64, Float64]]) -> float:
    """By what factor, at least 1, the planes of single frames scatter more than their information says.

    Each frame has errors of its own that all its pixels share, as those of a rolling shutter are.
    """
    if len(of_frames) < 2:
        return 1.0
    information = np.sum([own for own, _ in of_frames], axis=0)
    return inflation(information, np.stack([pull for _, pull in of_frames]))


_COMPARED = 0.02
"""Intensity: differences are divided by this where planes are compared; two photographs of one plane differ by less."""


def by_plane(points: ReferencePoints, sighting: Sighting, exposure: Exposure, T_camera_first: Float64) -> Float64:
    """(N, 2): the intensity differences by the plane's a and b."""
    q = sighting.gradient @ T_camera_first[:3, :3]
    along_ray = np.einsum("nk,nk->n", q, points.points)
    return exposure.gain * along_ray[:, None] * points.points[:, :2]
