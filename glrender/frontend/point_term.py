"""What the points of one photograph say about its pose and those of others that show them.

A point on the ray r of its anchor i, at inverse depth w, is in the camera of j along

    Y = R r + w t,  T_j_i = (R, t),      dY = w v_j + omega_j × Y - R (w v_i + omega_i × r) + t dw

for the twists of both; X = Y / w is where it is, but its pixel is that of Y, so that points however far away do no
harm. With a focal length that is too short by a share s, rays turn and pixels move as well:

    dY = -R (x, y, 0) ds,                du = (u - cx) ds,  dv = (v - cy) ds

Where rows are exposed one after the other, a row's camera has moved on by (v - cy) / height of the way that it goes
from the first row to the last, and both the anchor's ray and the frame's pixel are of such a row.

Each point has one unknown of its own, which its few rows know and no others: it goes by the Schur complement.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from glrender.frontend.point_matches import Matches
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.solve.losses import Cauchy

Float64 = NDArray[np.float64]

LOSS = Cauchy()
_NEAREST = 1e-3  # of Y along the axis: what lies behind a camera or beside it has no pixel
_TOLD = 1e-6  # of what others tell of their depths: a point that is told less stays where it is


@dataclass(frozen=True, eq=False)
class PointTerm:
    """Normal equations over the twists of P photographs, the anchor first, the focal length's share and
    the seconds from the first row to the last."""

    who: tuple[int, ...]
    """Indices of the P photographs."""
    matrix: Float64
    """(6 P + 2, 6 P + 2), inverse depths eliminated."""
    scores: Float64
    """(n, 6 P + 2): what each point adds to the right-hand side."""
    alone: Float64
    """(n,) step of each inverse depth where nothing else moves, 1/m."""
    following: Float64
    """(n, 6 P + 2): by how much it is less for steps of the others."""
    own: Float64
    """(n,) information of each inverse depth where nothing else moves, m²."""

    @cached_property
    def vector(self) -> Float64:
        """(6 P + 2,)."""
        return np.asarray(self.scores.sum(axis=0))

    def steps(self, twists: Float64) -> Float64:
        """(n,) steps of the inverse depths beside twists (N, 6) of all photographs."""
        return self.alone - self.following[:, :-2] @ twists[list(self.who)].ravel()


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
        pixels = _over(Y) * (camera.fx, camera.fy) + (camera.cx, camera.cy)
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
    root = np.sqrt(weight)[..., None] / sigma
    J, by_depth, off = J * root[..., None], by_depth * root, views.off * root
    own = np.square(by_depth).sum(axis=(0, 2))
    own = np.maximum(own, _TOLD * max(float(np.median(own)), 1e-9))
    pull = (by_depth * off).sum(axis=(0, 2))
    together = (by_depth[..., None] * J).sum(axis=2)
    F, n = matches.found.shape
    pulls = (off[..., None] * J).sum(axis=2)
    J = J.reshape(F, 2 * n, -1)
    matrices = J.swapaxes(1, 2) @ J
    count = 6 * F + 8
    matrix, scores, across = np.zeros((count, count)), np.zeros((n, count)), np.zeros((n, count))
    for f in range(F):
        at = _columns(f, F)
        matrix[np.ix_(at, at)] += matrices[f]
        scores[:, at] += pulls[f]
        across[:, at] += together[f]
    following = across / own[:, None]
    return PointTerm(
        who=(matches.anchor, *matches.frames),
        matrix=matrix - across.T @ following,
        scores=scores - following * pull[:, None],
        alone=pull / own,
        following=following,
        own=own,
    )


def _columns(f: int, F: int) -> NDArray[np.intp]:
    """(14,): of all unknowns of an anchor with F frames, those that the pixels of one depend on."""
    return np.r_[0:6, 6 + 6 * f : 12 + 6 * f, 6 * F + 6 : 6 * F + 8]


def derivatives(camera: Camera, matches: Matches, views: Views, inverse_depths: Float64) -> tuple[Float64, Float64]:
    """Of the pixels: (F, n, 2, 14) by the twists of the anchor and of the frame that they are in, the focal length and
    the seconds from row to row; and (F, n, 2) by the inverse depths."""
    F, n = matches.found.shape
    R, t = views.T[:, None, :3, :3], views.T[:, :3, 3]
    focal = np.array([camera.fx, camera.fy])
    over = _over(views.Y)
    by_Y = np.zeros((F, n, 2, 3))
    by_Y[..., 0, 0] = by_Y[..., 1, 1] = 1
    by_Y[..., 2] = -over
    by_Y *= focal[:, None] / np.maximum(views.Y[..., 2], _NEAREST)[..., None, None]
    by_ray = by_Y @ R
    J = np.empty((F, n, 2, 14))
    J[..., :3] = -inverse_depths[:, None, None] * by_ray
    J[..., 3:6] = by_ray @ se3.hats(matches.rays)
    J[..., 6:9] = inverse_depths[:, None, None] * by_Y
    J[..., 9:12] = -by_Y @ se3.hats(views.Y)
    J[..., 12] = focal * over - (by_ray[..., :2] @ matches.rays[:, :2, None])[..., 0]
    late = np.broadcast_to(matches.rays[:, 1], (F, n)), over[..., 1]
    by_way = J[..., :6] @ views.rates[0], np.einsum("fnij,fj->fni", J[..., 6:12], views.rates[1:])
    scale = camera.fy / camera.height
    J[..., 13] = sum(scale * rows[..., None] * way for rows, way in zip(late, by_way, strict=True))
    return J, (by_Y @ t[:, None, :, None])[..., 0]


def _over(Y: Float64) -> Float64:
    """(…, 2): x/z and y/z."""
    return Y[..., :2] / np.maximum(Y[..., 2:], _NEAREST)
