"""The free camera: where it stands, what it looks at, and how dragging, scrolling and flying move it.

A turntable: the camera looks at a target from a distance, under an azimuth and an elevation, with the world's z up in
the picture, or the map's where a reconstruction's world lies anyhow. Every movement gives another rig, so that a view
is a handful of numbers that can be copied and pasted.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np
import pyrr
from numpy.typing import NDArray

from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.pipeline.scene import common_up

Float64 = NDArray[np.float64]
Point = tuple[float, float, float]

DEGREES_PER_PIXEL = 0.35
"""How far a drag orbits or looks around: across a window of 900 pixels, nearly once around."""
ZOOM_PER_STEP = 0.88
"""Factor on the distance of one step of the wheel towards the target."""
FOV_RANGE = (5.0, 120.0)
"""Degrees of vertical field of view."""
_ABOVE, _ASIDE = 0.06, 0.03
"""Shares of the image that the first view leaves free: above and below a map, and on each side of it."""
_FARTHEST = 5.0
"""In halves of the longest side of what is looked at: what lies beside it, but farther away, counts as so far away."""
_LEFT = 0.3, 0.5
"""Shares of the image's height that are left, at most, to what covers its upper and its lower edge."""
_STEEPEST = 90.0
_NEAREST = 1e-4  # metres between camera and target


@dataclass(frozen=True)
class Rig:
    """A camera that looks at a target."""

    target: Point
    """World coordinates of what the middle of the image shows, metres."""
    distance: float
    """From the camera to the target, metres."""
    azimuth: float = 25.0
    """Compass direction of the view, degrees: 0 looks along the world's y, 90 along its x, as they are after the
    shortest turn that takes the world's z to `up`."""
    elevation: float = 40.0
    """Degrees that the view is turned down from level: 90 looks straight down."""
    fov: float = 45.0
    """Vertical field of view, degrees."""
    up: Point = (0.0, 0.0, 1.0)
    """World direction that is up in the image, and about which the camera orbits; of any length but 0."""

    @classmethod
    def looking_at(
        cls,
        *surfaces: HeightMap,
        beside: Float64 | None = None,
        aspect: float = 1.5,
        covered: tuple[float, float] = (0.0, 0.0),
    ) -> Self:
        """A first view that shows all that has been seen of the surfaces, from the south-south-west and above.

        `beside` are world places (n, 3) of what is to be seen with them, such as cameras; of what is very far away,
        only the direction is shown.

        All of it stays in the image when the camera orbits, since two upright cylinders about one axis do: one contains
        the surfaces, the other what lies beside them. They fill an image of this `aspect`, width by height, but for
        margins and for what is `covered` at its upper and its lower edge, as shares of its height. The target lies on
        the axis, below the middle, because what is nearer takes up more of the image.
        """
        upright = cls((0.0, 0.0, 0.0), 1.0, up=common_up(surfaces))
        turned = se3.shortest_turn(upright.up)
        middle, cylinders = _cylinders_around(surfaces, beside, turned)
        lowered, distance = cls((0.0, 0.0, 0.0), 1.0)._fit(cylinders, aspect, covered)
        return replace(upright, target=_point(turned @ (middle - [0, 0, lowered])), distance=distance)

    def _fit(
        self, cylinders: Sequence["_Cylinder"], aspect: float, covered: tuple[float, float]
    ) -> tuple[float, float]:
        """How far below the origin the target has to lie, and how far from it the camera, metres, so that the cylinders
        fill the image; `aspect` and `covered` as of `looking_at`."""
        turn = np.linspace(0, 2 * np.pi, 72, endpoint=False)
        circle = np.column_stack([np.cos(turn), np.sin(turn)])
        rims = [np.insert(each.radius * circle, 2, z, axis=1) for each in cylinders for z in (each.bottom, each.top)]
        x, y, z = (np.concatenate(rims) @ self.T_world_camera[:3, :3]).T
        up = math.tan(math.radians(self.fov / 2))
        wide = (1 - 2 * _ASIDE) * aspect * up
        top, bottom = (
            (1 - 2 * min(max(_ABOVE, share + _ASIDE), most)) * up for share, most in zip(covered, _LEFT, strict=True)
        )
        # The camera is at (0, aside, ahead) where all lies between the planes through it and the borders of the image.
        below, above = (y - bottom * z).max(), (-y - top * z).max()
        ahead = min(-(below + above) / (bottom + top), -(x - wide * z).max() / wide)
        aside = (below + bottom * ahead - above - top * ahead) / 2
        lowered = aside / math.cos(math.radians(self.elevation))
        return lowered, lowered * math.sin(math.radians(self.elevation)) - ahead

    @property
    def T_world_camera(self) -> Float64:
        """(4, 4) camera (x right, y down, z forward) to world."""
        turn = pyrr.Quaternion.from_z_rotation(-math.radians(self.azimuth))
        tilt = pyrr.Quaternion.from_x_rotation(math.radians(90.0 - self.elevation))
        T = np.eye(4)
        for column, axis in enumerate(((1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, -1.0))):
            T[:3, column] = turn * tilt * pyrr.Vector3(axis)
        T[:3, :3] = se3.shortest_turn(self.up) @ T[:3, :3]
        T[:3, 3] = np.array(self.target) - self.distance * T[:3, 2]
        return T

    def camera(self, width: int, height: int, covered: float = 0.0) -> Camera:
        """The pinhole of an image of this size, its axis through the middle of what the `covered` pixels at its right
        border leave."""
        focal = 0.5 * height / math.tan(math.radians(self.fov / 2))
        centred = Camera.centred(width, height, focal)
        return replace(centred, cx=centred.cx - covered / 2)

    def orbit(self, right: float, down: float) -> Self:
        """Orbit around the target, by a drag of so many pixels: the ground follows the mouse."""
        return replace(
            self,
            azimuth=_wrapped(self.azimuth + DEGREES_PER_PIXEL * right),
            elevation=_clamped(self.elevation + DEGREES_PER_PIXEL * down),
        )

    def look(self, right: float, down: float) -> Self:
        """Turn the camera, which stays where it is, by a drag of so many pixels."""
        eye = self.T_world_camera[:3, 3]
        turned = replace(
            self,
            azimuth=_wrapped(self.azimuth + DEGREES_PER_PIXEL * right),
            elevation=_clamped(self.elevation + DEGREES_PER_PIXEL * down),
        )
        return replace(turned, target=_point(eye + self.distance * turned.T_world_camera[:3, 2]))

    def pan(self, right: float, down: float, image_height: int) -> Self:
        """Move along the image plane, by a drag of so many pixels: what is as far as the target follows the mouse."""
        metres = 2 * self.distance * math.tan(math.radians(self.fov / 2)) / image_height
        T = self.T_world_camera
        return replace(self, target=_point(np.array(self.target) - metres * (right * T[:3, 0] + down * T[:3, 1])))

    def zoom(self, steps: float) -> Self:
        """Move towards the target, by steps of the wheel."""
        return replace(self, distance=max(_NEAREST, self.distance * ZOOM_PER_STEP**steps))

    def fly(self, right: float, up: float, forward: float) -> Self:
        """Move with the target along the camera's axes, by multiples of the distance between the two."""
        T = self.T_world_camera
        way = right * T[:3, 0] - up * T[:3, 1] + forward * T[:3, 2]
        return replace(self, target=_point(np.array(self.target) + self.distance * way))

    def with_fov(self, fov: float) -> Self:
        """Take another field of view, degrees; the target stays as large in the image as it was."""
        fov = float(np.clip(fov, *FOV_RANGE))
        ratio = math.tan(math.radians(self.fov / 2)) / math.tan(math.radians(fov / 2))
        return replace(self, fov=fov, distance=self.distance * ratio)


class _Cylinder(NamedTuple):
    """An upright cylinder about the z axis, metres."""

    radius: float
    bottom: float
    top: float


def _cylinders_around(
    surfaces: Sequence[HeightMap], beside: Float64 | None, turned: Float64
) -> tuple[Float64, list[_Cylinder]]:
    """The middle (3,) of what `Rig.looking_at` has to show, in axes that `turned` (3, 3) takes to the world's, and the
    cylinders about it that contain the surfaces and, where there is anything, what lies beside them."""
    places = [_Places.of(surface, turned) for surface in surfaces]
    ends = np.array([[each.ends(axis) for axis in range(3)] for each in places])
    low, high = ends[..., 0].min(axis=0), ends[..., 1].max(axis=0)
    reach = _FARTHEST * (high - low).max() / 2 or surfaces[0].spacing
    points = _drawn_in((np.empty((0, 3)) if beside is None else beside) @ turned, low - reach, high + reach)
    corners = np.vstack([low, high, points])
    middle = (corners.min(axis=0) + corners.max(axis=0)) / 2
    radius = max(each.farthest(middle) for each in places) or surfaces[0].spacing
    cylinders = [_Cylinder(radius, low[2] - middle[2], high[2] - middle[2])]
    if len(points):
        around = points - middle
        radius = float(np.hypot(*around[:, :2].T).max())
        cylinders.append(_Cylinder(radius, around[:, 2].min(), around[:, 2].max()))
    return middle, cylinders


@dataclass(frozen=True, eq=False)
class _Places:
    """Where the vertices lie that have been seen, or all of them, at height 0, where none has been.

    Each axis is computed on its own: an array of all places would take most of the time in which a map of millions of
    vertices is opened.
    """

    surface: HeightMap
    heights: Float64
    T: Float64
    """(4, 4) from the map to the axes that are asked for."""

    @classmethod
    def of(cls, surface: HeightMap, turned: Float64) -> Self:
        """The places in axes that `turned` (3, 3) takes to the world's."""
        T = surface.pose.copy()
        T[:3] = turned.T @ T[:3]
        return cls(surface, surface.heights if np.isfinite(surface.heights).any() else np.zeros(surface.shape), T)

    def ends(self, axis: int) -> tuple[float, float]:
        """Least and greatest coordinate."""
        places = self._along(axis)
        return float(np.nanmin(places)), float(np.nanmax(places))

    def farthest(self, middle: Float64) -> float:
        """The greatest distance from an upright axis through `middle`."""
        return float(np.nanmax(np.hypot(*(self._along(axis) - middle[axis] for axis in range(2)))))

    def _along(self, axis: int) -> Float64:
        """(rows, cols) coordinate of each vertex; NaN of those that have not been seen."""
        x, y = self.surface.axes()
        along_x, along_y, along_z, offset = self.T[axis]
        return along_z * self.heights + (along_x * x + (along_y * y)[:, None] + offset)


def _drawn_in(points: Float64, low: Float64, high: Float64) -> Float64:
    """Points (n, 3), those that lie outside of a box at its border, as the box's middle sees them."""
    middle, half = (low + high) / 2, (high - low) / 2
    beyond = np.abs((points - middle) / half).max(axis=1, keepdims=True)
    return middle + (points - middle) / np.maximum(beyond, 1)


def _point(vector: Float64) -> Point:
    x, y, z = (float(value) for value in vector)
    return x, y, z


def _wrapped(degrees: float) -> float:
    return (degrees + 180.0) % 360.0 - 180.0


def _clamped(degrees: float) -> float:
    return float(np.clip(degrees, -_STEEPEST, _STEEPEST))
