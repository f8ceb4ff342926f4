"""Whether the focal length that a camera is said to have fits what moves in its images.

With a focal length that is too short by a share s, points lie off their rays and are looked for off their pixels, by
more towards the border of the image. No motion of a camera over a known surface looks like that all over an image, so
that s can be told from the differences that are left where a frame is aligned:

    di/ds = q·dX + ∇i·(X', Y', 0),   dX = -(X, Y, 0) + X (m·(x, y, 0)),   q = R'ᵀ ∇i

with the slope m of the plane through all points: rays that are off by pixels meet another facet of the surface.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glrender.frontend.reference import ReferencePoints
from glrender.frontend.residuals import Exposure
from glrender.frontend.warp import Sighting

Float64 = NDArray[np.float64]

CREDIBLE = 0.03
"""A share of the focal length. An error whose sigma is larger is not believed: errors are told to first order only."""
SMALL = 0.01
"""A share of the focal length. A smaller error is not told: what is matched to some hundredths of a pixel looks like
it, and so does what a shutter does row by row."""


@dataclass(frozen=True)
class FocalError:
    """By what share the focal length would have to be larger, at least.

    Poses that were found with a wrong one have taken a part of what it does: a share of many sigmas says that something
    is wrong, but not all of it.
    """

    share: float
    sigma: float
    """Standard deviation; infinite where nothing is told."""

    @property
    def is_wrong(self) -> bool:
        """Whether the focal length is surely off, and by so much that it matters."""
        return self.sigma < CREDIBLE and abs(self.share) > max(3 * self.sigma, SMALL)

    @staticmethod
    def combined(parts: list["FocalError"]) -> "FocalError":
        """Of many frames; where they disagree by more than their sigmas, the sigma is larger for it."""
        told = [part for part in parts if np.isfinite(part.sigma)]
        if not told:
            return FocalError(0.0, np.inf)
        weight = np.array([1 / part.sigma**2 for part in told])
        share = float(weight @ [part.share for part in told] / weight.sum())
        misfit = sum(w * (part.share - share) ** 2 for w, part in zip(weight, told, strict=True))
        excess = max(1.0, misfit / max(len(told) - 1, 1))
        return FocalError(share, float(np.sqrt(excess / weight.sum())))


def by_focal_length(
    points: ReferencePoints, sighting: Sighting, exposure: Exposure, T_camera_reference: Float64
) -> Float64:
    """(N,): the intensity differences by the share s of the focal length, the surface and the poses held."""
    q = sighting.gradient @ T_camera_reference[:3, :3]
    X = points.points
    # On a plane the inverse depth is p·r, and m = D p.
    plane = np.linalg.lstsq(X / X[:, 2:], 1 / X[:, 2], rcond=None)[0] if len(X) else np.zeros(3)
    m = X[:, 2:] * plane
    sideways = np.einsum("nk,nk->n", m[:, :2], X[:, :2] / X[:, 2:])
    off_ray = X * sideways[:, None]
    off_ray[:, :2] -= X[:, :2]
    looked_for = np.einsum("nk,nk->n", sighting.gradient[:, :2], sighting.points[:, :2])
    return -exposure.gain * (np.einsum("nk,nk->n", q, off_ray) + looked_for)
