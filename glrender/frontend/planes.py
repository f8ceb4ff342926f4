"""Planes through what photographs show, and the worlds in which such a plane is level."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from glrender.geometry import se3

Float64 = NDArray[np.float64]

_FAR = 0.05  # of the median inverse depth: the least that a ray is given where it meets its plane near the horizon


def plane_through(rays: Float64, inverse_depths: Float64) -> Float64:
    """(3,): the plane p, p·r = 1/depth, that fits points on the rays (n, 3) best, by reweighted least squares.

    Given (x, y, 1) and heights z instead, it finds the plane z = p·(x, y, 1).
    """
    weight = np.ones(len(rays))
    for _ in range(10):
        root = np.sqrt(weight)
        plane = np.linalg.lstsq(rays * root[:, None], inverse_depths * root, rcond=None)[0]
        off = np.abs(inverse_depths - rays @ plane)
        weight = 1 / (1 + np.square(off / (2 * np.median(off) + 1e-12)))
    return np.asarray(plane)


def inverse_depths_on(plane: Float64, rays: Float64) -> Float64:
    """(n,) 1/m: where rays (n, 3) meet a plane p (3,), p·r = 1/depth; those near the horizon are taken to meet it."""
    w = rays @ plane
    return np.maximum(w, _FAR * np.median(w)) if len(w) else w


def world_above(normal: Float64, height: float) -> Float64:
    """T_world_camera (4, 4) of a world whose z points up from a plane that a camera sees.

    `normal` (3,) is the plane's unit normal towards the camera, in camera axes, and `height` (metres) how far the
    camera is above the plane. The origin is on the plane below the camera, and x points to the camera's right.
    """
    x = np.array([1.0, 0, 0]) - normal[0] * normal
    x /= np.linalg.norm(x)
    T = np.eye(4)
    T[:3, :3] = np.stack([x, np.cross(normal, x), normal])
    T[2, 3] = height
    return T


class Levelled(NamedTuple):
    """What makes the ground of a world level."""

    turn: Float64
    """(4, 4) from that world to the level one: a rotation about a camera's centre."""
    height: float
    """Metres of that camera above the ground's plane; not positive if it is below."""


def levelled(points: Float64, centre: Float64) -> Levelled:
    """Level the plane that fits points (n, 3) of the ground best, about a camera's `centre` (3,); n is at least 3.

    The z of the points' world must be up by less than a right angle.
    """
    off = points - centre
    slope_x, slope_y, level = plane_through(np.column_stack([off[:, :2], np.ones(len(off))]), off[:, 2])
    up = np.array([-slope_x, -slope_y, 1.0]) / np.sqrt(1 + slope_x**2 + slope_y**2)
    turn = np.eye(4)
    turn[:3, :3] = se3.shortest_turn(up).T
    turn[:3, 3] = centre - turn[:3, :3] @ centre
    return Levelled(turn, -level * float(up[2]))
