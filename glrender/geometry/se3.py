"""Rigid transformations as 4x4 float64 matrices, and their twists.

`T_a_b` takes coordinates in frame b to frame a. A twist is (v, omega): metres and
radians, translation first, and moves a point X by v + omega x X to first order.
"""

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glrender.checks import check_array, check_pose
from glrender.errors import InputError

if TYPE_CHECKING:
    from scipy.spatial.transform import Rotation

Matrix = NDArray[np.float64]


def hat(vector: ArrayLike) -> Matrix:
    """The (3, 3) skew matrix of a 3-vector: hat(a) @ b is the cross product a x b."""
    x, y, z = check_array("vector", vector, (3,))
    return np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])


def hats(vectors: Matrix) -> Matrix:
    """(…, 3, 3): the skew matrices of many vectors (…, 3)."""
    return np.cross(vectors[..., None, :], np.eye(3)).swapaxes(-2, -1)


def exp(twist: ArrayLike) -> Matrix:
    """The (4, 4) transformation of a twist (v, omega), shape (6,)."""
    u, v, w, x, y, z = check_array("twist", twist, (6,), finite=True).tolist()
    # Called many times a frame: with Python's own numbers it takes a fifth of the time that small arrays take.
    a, b, c = _coefficients(math.sqrt(x * x + y * y + z * z))
    p, q, r = y * w - z * v, z * u - x * w, x * v - y * u  # omega x v
    xx, yy, zz, xy, xz, yz = b * x * x, b * y * y, b * z * z, b * x * y, b * x * z, b * y * z
    return np.array(
        [
            [1 - yy - zz, xy - a * z, xz + a * y, u + b * p + c * (y * r - z * q)],
            [xy + a * z, 1 - xx - zz, yz - a * x, v + b * q + c * (z * p - x * r)],
            [xz - a * y, yz + a * x, 1 - xx - yy, w + b * r + c * (x * q - y * p)],
            [0.0, 0.0, 0.0, 1.0],
        ]
    )


def log(transform: ArrayLike) -> NDArray[np.float64]:
    """The twist (6,) of a (4, 4) transformation, with |omega| at most pi; the inverse of `exp`."""
    T = check_pose("transform", transform)
    (a, b, c, u), (d, e, f, v), (g, h, i, w), _ = T.tolist()
    x, y, z = 0.5 * (h - f), 0.5 * (c - g), 0.5 * (d - b)
    sine, cosine = math.sqrt(x * x + y * y + z * z), (a + e + i - 1) / 2
    if cosine > -0.5:
        longer = math.atan2(sine, cosine) / sine if sine > 0 else 1.0
        x, y, z = longer * x, longer * y, longer * z
    else:  # the nearer to half a turn, the less the skew part of a rotation says of its axis
        x, y, z = _rotations().from_matrix(T[:3, :3]).as_rotvec().tolist()
    # The inverse of V, see `_coefficients`: I - W/2 + e W², with the series of e where its terms would cancel.
    square = x * x + y * y + z * z
    first, second, _ = _coefficients(math.sqrt(square))
    share = (1 - first / (2 * second)) / square if square > 1e-6 else 1 / 12 + square / 720
    p, q, r = y * w - z * v, z * u - x * w, x * v - y * u  # omega x v
    return np.array(
        [
            u - 0.5 * p + share * (y * r - z * q),
            v - 0.5 * q + share * (z * p - x * r),
            w - 0.5 * r + share * (x * q - y * p),
            x,
            y,
            z,
        ]
    )


def inverse(transform: ArrayLike) -> Matrix:
    """T_b_a from T_a_b, exactly rigid (no general matrix inversion)."""
    (a, b, c, x), (d, e, f, y), (g, h, i, z), _ = check_pose("transform", transform).tolist()
    return np.array(
        [
            [a, d, g, -(a * x + d * y + g * z)],
            [b, e, h, -(b * x + e * y + h * z)],
            [c, f, i, -(c * x + f * y + i * z)],
            [0.0, 0.0, 0.0, 1.0],
        ]
    )


def transformed(transform: Matrix, points: NDArray[np.floating]) -> Matrix:
    """(…, 3) in frame a: points (…, 3) of frame b, by a T_a_b (4, 4) that is not checked."""
    return points @ transform[:3, :3].T + transform[:3, 3]


def from_quaternion(translation: ArrayLike, quaternion: ArrayLike) -> Matrix:
    """T_a_b from a translation (3,) in metres and a quaternion (x, y, z, w), normalised here."""
    q = check_array("quaternion", quaternion, (4,), finite=True)
    if np.linalg.norm(q) < 1e-9:
        raise InputError("quaternion: received a zero quaternion, which is no rotation")
    T = np.eye(4)
    T[:3, :3] = _rotations().from_quat(q).as_matrix()
    T[:3, 3] = check_array("translation", translation, (3,), finite=True)
    return T


def shortest_turn(up: ArrayLike) -> Matrix:
    """(3, 3): the smallest rotation that turns the z axis to `up` (3,), which may have any length but 0.

    Where `up` is the opposite of z it is half a turn about x. InputError for a length of 0.
    """
    direction = check_array("up", up, (3,), finite=True)
    largest = float(np.abs(direction).max())
    if largest == 0:
        raise InputError("up: received 0, 0, 0, expected a direction, such as 0, 0, 1")
    direction = direction / largest  # so that squares neither overflow nor vanish
    x, y, z = direction / _length(direction)
    aside = x * x + y * y
    if z < 0 and aside < 1e-30:  # half a turn but for rounding
        return np.diag([1.0, -1.0, -1.0])
    # Rodrigues' formula with (1 - cos) / sin², in the one of two forms that does not cancel.
    W, share = hat([-y, x, 0.0]), 1 / (1 + z) if z > 0 else (1 - z) / aside
    return np.eye(3) + W + share * W @ W


def look_at(eye: ArrayLike, target: ArrayLike, up: ArrayLike = (0.0, 0.0, 1.0)) -> Matrix:
    """T_world_camera (4, 4) of a camera at `eye` that looks at `target`, (3,) each: x right, y down, z forward.

    Where the view is along `up`, the world's y axis (or z, if the view is along y) stands in for it. InputError where
    `eye` and `target` are the same point.
    """
    eye = check_array("eye", eye, (3,), finite=True)
    forward = check_array("target", target, (3,), finite=True) - eye
    length = float(np.linalg.norm(forward))
    if length == 0:
        raise InputError(f"look_at: eye and target are the same point, {tuple(eye.tolist())}")
    z = forward / length
    upward = check_array("up", up, (3,), finite=True)
    candidates = (np.cross(z, axis) for axis in (upward, (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)))
    x = next(x for x in candidates if np.linalg.norm(x) > 1e-9)
    x /= np.linalg.norm(x)
    T = np.eye(4)
    T[:3, :3] = np.stack([x, np.cross(z, x), z], axis=1)
    T[:3, 3] = eye
    return T


def _length(vector: Matrix) -> float:
    return math.sqrt(float(vector @ vector))


def _coefficients(angle: float) -> tuple[float, float, float]:
    """Of the exponential map, a = sin θ / θ, b = (1 - cos θ) / θ² and c = (θ - sin θ) / θ³ of an angle θ.

    With W = hat(omega) the rotation is R = I + a W + b W² (Rodrigues' formula), and the translation V v with the left
    Jacobian V = I + b W + c W², the mean of the rotations on the way to R (Barfoot, *State Estimation for Robotics*,
    2017, section 7.1).
    """
    # Taylor series below 1e-5 rad, where θ - sin θ would cancel: what is left out is below 1e-11 of each.
    if angle < 1e-5:
        return 1.0 - angle * angle / 6, 0.5, 1 / 6
    return (
        math.sin(angle) / angle,
        2 * (math.sin(angle / 2) / angle) ** 2,
        (angle - math.sin(angle)) / angle**3,
    )


def _rotations() -> "type[Rotation]":
    # Loaded when it is first needed: that takes a quarter of a second, and a process that renders does without.
    from scipy.spatial.transform import Rotation

    return Rotation
