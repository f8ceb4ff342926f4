"""How a frame differs from a reference that it is aligned with, in intensity and in depth.

A pixel of the reference at X (reference camera) has the intensity I there, and the frame shows i(X') at X' = T X:

    r = I - gain i(X') - bias,          dr/dtwist = -gain (w, X' × w),       w = di/dX'

with the twist of the frame's camera, and of the reference's, whose depth D is that of a surface that stays where it is,

    dr/dtwist = -gain (w, X × w),       w = (q·r) m - q,  q = R'ᵀ di/dX'

as for a rendered image: q is its gradient ∇I, and m = dD/dX the slope of its depth.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glrender.frontend.pyramid import Level
from glrender.frontend.reference import ReferencePoints
from glrender.frontend.warp import Sighting, by_twist, look_up
from glrender.geometry.camera import Camera

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

LEAST_SIGMA = 0.002
"""Intensity: no photograph of 8 bits repeats better."""
LEAST_DEPTH_SIGMA = 1e-4
"""Of the depth: no sensor repeats better."""
TAIL = 2.3849
"""Standard deviations at which a weight is one half, see `glrender.solve.losses.Cauchy`."""
FEWEST = 40
"""Points that a frame is to be judged by at least."""


@dataclass(frozen=True)
class Exposure:
    """What makes a frame's intensities those of a reference: gain · intensity + bias."""

    gain: float = 1.0
    bias: float = 0.0

    @staticmethod
    def between(reference: Float64, frame: Float64) -> "Exposure":
        """That which gives the frame the mean and spread of the reference: good before they are aligned, too."""
        spread = float(frame.std())
        gain = float(reference.std()) / spread if spread > 1e-6 else 1.0
        return Exposure(gain, float(reference.mean()) - gain * float(frame.mean()))


@dataclass(frozen=True, eq=False)
class Residuals:
    """Differences of one kind between a reference's points and a frame."""

    value: Float64
    """(N,) 0 where a point is not seen."""
    weight: Float64
    """(N,) robust weight over sigma²; 0 where a point is not seen."""
    by: Float64
    """(N, P) by the twist of the frame's camera, and for intensities (P = 8) by gain and bias."""
    sigma: float
    """Standard deviation of the differences that are no outliers."""
    cost: float
    """Mean of rho over the seen points, times the number of all points: leaving the image makes nothing better."""

    @property
    def inliers(self) -> float:
        """The share of the seen points whose robust weight is above one half."""
        weight = self.weight[self.weight > 0]
        return float(np.mean(weight * self.sigma**2 > 0.5)) if len(weight) else 0.0


def photometric(
    reference: ReferencePoints,
    level: Level,
    T_camera_reference: Float64,
    exposure: Exposure | None,
    sigma: float | None = None,
) -> tuple[Residuals, Sighting, Exposure]:
    """Intensities against those of a frame; what is not given of exposure and sigma follows from them."""
    sighting = look_up(level.image, level.camera, T_camera_reference, reference.points)
    seen = sighting.seen
    if exposure is None:
        enough = np.count_nonzero(seen) >= FEWEST
        exposure = Exposure.between(reference.intensity[seen], sighting.intensity[seen]) if enough else Exposure()
    value = np.where(seen, reference.intensity - exposure.gain * sighting.intensity - exposure.bias, 0.0)
    by = np.zeros((len(value), 8))
    by[:, :6] = by_twist(-exposure.gain * sighting.gradient, sighting.points)
    by[:, 6] = np.where(seen, -sighting.intensity, 0)
    by[:, 7] = -1
    return _weighed(value, seen, by, sigma, LEAST_SIGMA), sighting, exposure


def by_reference_twist(
    reference: ReferencePoints, sighting: Sighting, exposure: Exposure, T_camera_reference: Float64
) -> Float64:
    """(N, 6): the intensity differences by the twist of the reference's camera."""
    q = sighting.gradient @ T_camera_reference[:3, :3]
    rays = reference.points / reference.points[:, 2:]
    w = np.einsum("nk,nk->n", q, rays)[:, None] * reference.depth_slope - q
    return by_twist(-exposure.gain * w, reference.points)


def geometric(
    reference: ReferencePoints,
    depth: Float32,
    camera: Camera,
    T_camera_reference: Float64,
    sigma: float | None = None,
) -> Residuals:
    """Depths (height, width) that a sensor of the frame measured against the planes through the reference's points.

    Only nearest pixels are looked up: between depths nothing is interpolated, and on planes nothing needs to be.
    """
    R, t = T_camera_reference[:3, :3], T_camera_reference[:3, 3]
    X = reference.points @ R.T + t
    z = np.maximum(X[:, 2], 1e-6)
    u = np.rint(camera.fx * X[:, 0] / z + camera.cx)
    v = np.rint(camera.fy * X[:, 1] / z + camera.cy)
    inside = (X[:, 2] > 1e-6) & (u >= 0) & (v >= 0) & (u < camera.width) & (v < camera.height)
    u, v = (np.where(inside, at, 0).astype(np.int64) for at in (u, v))
    rays = np.stack([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, np.ones(len(u))], axis=-1)
    normal = reference.depth_slope @ R.T
    facing = np.einsum("nk,nk->n", normal, rays)
    measured = depth[v, u].astype(np.float64)
    # On 0.05 and less of its length a plane is seen too flatly for its depth to be worth anything.
    seen = inside & (measured > 0) & (facing > 0.05 * np.linalg.norm(normal, axis=1))
    m = np.divide(normal, facing[:, None], out=np.zeros_like(normal), where=seen[:, None])
    predicted = np.einsum("nk,nk->n", m, X)
    # What is farther from it than a tenth of the depth is another surface, and no outlier of this one.
    seen &= np.abs(measured - predicted) < 0.1 * predicted
    value = np.where(seen, measured - predicted, 0.0)
    return _weighed(value, seen, by_twist(-m, predicted[:, None] * rays), sigma, LEAST_DEPTH_SIGMA)


def _weighed(value: Float64, seen: NDArray[np.bool_], by: Float64, sigma: float | None, least: float) -> Residuals:
    count = np.count_nonzero(seen)
    if sigma is None:
        sigma = max(1.4826 * float(np.median(np.abs(value[seen]))), least) if count else least
    square = np.square(value / (TAIL * sigma))
    weight = np.where(seen, 1 / ((1 + square) * sigma**2), 0.0)
    cost = 0.5 * TAIL**2 * float(np.log1p(square[seen]).mean()) * len(value) if count else np.inf
    return Residuals(value, weight, by, sigma, cost)
