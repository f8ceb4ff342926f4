"""What the points of one photograph say about its pose and those of others that show them.

A point on the ray r of its anchor i, at inverse depth w, is in the camera of j along

    Y = R r + w t,  T_j_i = (R, t),      dY = w v_j + omega_j × Y - R (w v_i + omega_i × r) + t dw

for the twists of both; X = Y / w is where it is, but its pixel is that of Y, so that points however far away do no
harm. With a focal length that is too short by a share s, rays turn and pixels move as well:

    dY = -R (x, y, 0) ds,                du = (u - cx) ds,  dv = (v - cy) ds

Where rows are exposed one after the other, a row's camera has moved on by (v - cy) / height of the way that it goes
from the first row to the last, and both the anchor's ray and the frame's pixel are of such a row.

A lens that bends rays more than is said, by k of OpenCV's k1, is a focal length whose share grows with the square of a
ray's distance from the axis:  ds = |(x, y)|² dk,  of the anchor's ray and of the frame's.

Each point has one unknown of its own, which its few rows know and no others: it goes by the Schur complement.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numba import njit
from numpy.typing import NDArray

from glrender.frontend.point_matches import Matches
from glrender.geometry.camera import Camera
from glrender.solve.losses import Cauchy

Float64 = NDArray[np.float64]

LOSS = Cauchy()
SHARED = 3
"""Unknowns of the camera, after the twists: the focal length's share, the seconds from first row to last, and k1."""
_NEAREST = 1e-3  # of Y along the axis: what lies behind a camera or beside it has no pixel
_TOLD = 1e-6  # of what others tell of their depths: a point that is told less stays where it is


@dataclass(frozen=True, eq=False)
class PointTerm:
    """Normal equations over the twists of P photographs, the anchor first, and what is `SHARED`."""

    who: tuple[int, ...]
    """Indices of the P photographs."""
    matrix: Float64
    """(6 P + 3, 6 P + 3), inverse depths eliminated."""
    scores: Float64
    """(n, 6 P + 3): what each point adds to the right-hand side."""
    alone: Float64
    """(n,) step of each inverse depth where nothing else moves, 1/m."""
    following: Float64
    """(n, 6 P + 3): by how much it is less for steps of the others."""
    own: Float64
    """(n,) information of each inverse depth where nothing else moves, m²."""

    @cached_property
    def vector(self) -> Float64:
        """(6 P + 3,)."""
        return np.asarray(self.scores.sum(axis=0))

    def steps(self, twists: Float64) -> Float64:
        """(n,) steps of the inverse depths beside twists (N, 6) of all photographs."""
        return self.alone - self.following[:, :-SHARED] @ twists[list(self.who)].ravel()


@dataclass(frozen=True, eq=False)
class Views:
    """The points of one anchor seen from its F other photographs."""

    T: Float64
    """(F, 4, 4) anchor to camera."""
    Y: Float64
    """(F, n, 3)."""
    off: Float64
    """(F, n, 2) pixels: measured less predicted; 0 where a point was not found."""
    rates: Float64
    """(F + 1, 6) twists a second of the anchor and the others, in their cameras: T_camera_world goes on by exp(t rate).
    0 where it is not known."""

    @staticmethod
    def of(camera: Camera, matches: Matches, inverse_depths: Float64, poses: Float64, rates: Float64) -> "Views":
        """`poses` (N, 4, 4) are T_world_camera of all photographs, `rates` (N, 6) see `Views.rates`."""
        T = np.linalg.inv(poses[list(matches.frames)]) @ poses[matches.anchor]
        Y = matches.rays @ T[:, :3, :3].swapaxes(1, 2) + inverse_depths[:, None] * T[:, None, :3, 3]
        pixels = Y[..., :2] / np.maximum(Y[..., 2:], _NEAREST) * (camera.fx, camera.fy) + (camera.cx, camera.cy)
        return Views(
            T,
            Y,
            np.where(matches.found[..., None], matches.pixels - pixels, 0.0),
            rates[[matches.anchor, *matches.frames]],
        )


def rho(matches: Matches, views: Views, sigma: float) -> float:
    """The robust cost of the matches, `sigma` pixels being their standard deviation along each axis."""
    return float(LOSS.rho(np.linalg.norm(views.off[matches.found], axis=1) / sigma).sum())


def point_term(camera: Camera, matches: Matches, views: Views, inverse_depths: Float64, sigma: float) -> PointTerm:
    """The term of one anchor's matches at the poses and inverse depths (n,) of `views`."""
    J, by_depth = derivatives(camera, matches, views, inverse_depths)
    weight = np.where(matches.found, LOSS.weight(np.linalg.norm(views.off, axis=2) / sigma), 0.0)
    F, n = matches.found.shape
    count = 6 * F + 6 + SHARED
    matrix, scores, across = np.zeros((count, count)), np.zeros((n, count)), np.zeros((n, count))
    own, pull = np.zeros(n), np.zeros(n)
    _sum_up(J, by_depth, views.off, weight / sigma**2, matrix, scores, across, own, pull)
    own = np.maximum(own, _TOLD * max(float(np.median(own)), 1e-9))
    following = across / own[:, None]
    return PointTerm(
        who=(matches.anchor, *matches.frames),
        matrix=matrix - across.T @ following,
        scores=scores - following * pull[:, None],
        alone=pull / own,
        following=following,
        own=own,
    )


def derivatives(camera: Camera, matches: Matches, views: Views, inverse_depths: Float64) -> tuple[Float64, Float64]:
    """Of the pixels: (F, n, 2, 15) by the twists of the anchor and of the frame that they are in, and what is `SHARED`;
    and (F, n, 2) by the inverse depths."""
    J, by_depth = np.empty((*matches.found.shape, 2, 12 + SHARED)), np.empty((*matches.found.shape, 2))
    lens = float(camera.fx), float(camera.fy), camera.fy / camera.height
    _differentiate(lens, matches.rays, views.T, views.Y, inverse_depths, views.rates, J, by_depth)
    return J, by_depth


@njit(cache=True, nogil=True, error_model="numpy")
def _differentiate(
    lens: tuple[float, float, float],
    rays: Float64,
    T: Float64,
    Y: Float64,
    inverse_depths: Float64,
    rates: Float64,
    J: Float64,
    by_depth: Float64,
) -> None:
    """Fill in `derivatives`; the lens is fx, fy, and the rows of the image that one of a ray is, as a part of all."""
    by_Y, by_ray = np.empty(3), np.empty(3)
    for f in range(Y.shape[0]):
        for k in range(Y.shape[1]):
            r, w, z = rays[k], inverse_depths[k], max(Y[f, k, 2], _NEAREST)
            off_axis = r[0] ** 2 + r[1] ** 2
            seen_off_axis = (Y[f, k, 0] / z) ** 2 + (Y[f, k, 1] / z) ** 2
            for axis in range(2):
                over = Y[f, k, axis] / z
                by_Y[0] = by_Y[1] = 0.0
                by_Y[axis] = lens[axis] / z
                by_Y[2] = -over * by_Y[axis]
                for c in range(3):
                    by_ray[c] = by_Y[axis] * T[f, axis, c] + by_Y[2] * T[f, 2, c]
                row = J[f, k, axis]
                for c in range(3):
                    # a × b, component by component
                    d, e = (c + 1) % 3, (c + 2) % 3
                    row[c] = -w * by_ray[c]
                    row[3 + c] = by_ray[d] * r[e] - by_ray[e] * r[d]
                    row[6 + c] = w * by_Y[c]
                    row[9 + c] = by_Y[e] * Y[f, k, d] - by_Y[d] * Y[f, k, e]
                by_own, by_seen = by_ray[0] * r[0] + by_ray[1] * r[1], lens[axis] * over
                row[12] = by_seen - by_own
                row[14] = seen_off_axis * by_seen - off_axis * by_own
                by_way = by_own_way = 0.0
                for c in range(6):
                    by_way += row[c] * rates[0, c]
                    by_own_way += row[6 + c] * rates[1 + f, c]
                row[13] = lens[2] * (r[1] * by_way + Y[f, k, 1] / z * by_own_way)
                by_depth[f, k, axis] = by_Y[axis] * T[f, axis, 3] + by_Y[2] * T[f, 2, 3]


@njit(cache=True, nogil=True, error_model="numpy")
def _sum_up(
    J: Float64,
    by_depth: Float64,
    off: Float64,
    information: Float64,
    matrix: Float64,
    scores: Float64,
    across: Float64,
    own: Float64,
    pull: Float64,
) -> None:
    """Add what F frames say of n points, with `information` (F, n) 1/pixel², before the depths are eliminated.

    `matrix` and `scores` are as in `PointTerm`, `across` (n, 6 P + 3) couples each depth with all else, and `own` and
    `pull` (n,) are its own equation.
    """
    F, n = information.shape
    at, block = np.empty(12 + SHARED, np.intp), np.empty((12 + SHARED, 12 + SHARED))
    for f in range(F):
        for c in range(6):
            at[c], at[6 + c] = c, 6 + 6 * f + c
        for c in range(SHARED):
            at[12 + c] = 6 * F + 6 + c
        block[:] = 0.0
        for k in range(n):
            a = information[f, k]
            if a == 0.0:
                continue
            for axis in range(2):
                row = J[f, k, axis]
                d, e = a * by_depth[f, k, axis], a * off[f, k, axis]
                own[k] += d * by_depth[f, k, axis]
                pull[k] += d * off[f, k, axis]
                for c in range(12 + SHARED):
                    scores[k, at[c]] += e * row[c]
                    across[k, at[c]] += d * row[c]
                    for other in range(c + 1):
                        block[c, other] += a * row[c] * row[other]
        for c in range(12 + SHARED):
            for other in range(12 + SHARED):
                matrix[at[c], at[other]] += block[max(c, other), min(c, other)]
