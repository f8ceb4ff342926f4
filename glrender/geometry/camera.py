"""A pinhole camera, and optionally the lens of the images that are read for it."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glrender.checks import LARGEST, check_array, check_positive
from glrender.errors import InputError

INTRINSICS = ("fx", "fy", "cx", "cy")
"""Names of the intrinsics of a `Camera`, pixels, in the order in which arrays of them have them."""
MOST_PIXELS = 2**31 - 1
"""How many pixels an image may have: they are counted in 32 bits."""


@dataclass(frozen=True)
class Camera:
    """Intrinsics in pixels; the centre of pixel (column u, row v) is at (u, v), row 0 on top.

    Camera frame as in OpenCV: x right, y down, z forward. A point (X, Y, Z) is seen at
    (fx X/Z + cx, fy Y/Z + cy). Rendering is always pinhole with the same K, whatever the lens.
    """

    width: int
    """Columns of the image."""
    height: int
    """Rows of the image."""
    fx: float
    """Focal length along the rows."""
    fy: float
    """Focal length along the columns."""
    cx: float
    """Column of the principal point."""
    cy: float
    """Row of the principal point."""
    distortion: tuple[float, ...] | None = None
    """Lens distortion of the images on file: OpenCV's (k1, k2, p1, p2), also with k3, or with k3, k4, k5 and k6. None:
    the images are free of distortion."""

    def __post_init__(self) -> None:
        for name in ("width", "height"):
            value = check_positive(f"camera {name}", getattr(self, name))
            if int(value) != value:
                raise InputError(f"camera {name}: received {value!r}, expected a whole number of pixels")
            object.__setattr__(self, name, int(value))
        if self.width * self.height > MOST_PIXELS:
            raise InputError(f"camera: received {self.width} x {self.height} pixels, expected at most {MOST_PIXELS:,}")
        for name in ("fx", "fy"):
            object.__setattr__(self, name, check_positive(f"camera {name}", getattr(self, name)))
        for name in ("cx", "cy"):
            centre = float(check_array(f"camera {name}", getattr(self, name), (), finite=True))
            if abs(centre) > LARGEST:
                raise InputError(f"camera {name}: received {centre:g}, expected at most {LARGEST:g}, whatever its sign")
            object.__setattr__(self, name, centre)
        if self.distortion is not None:
            lens = check_array("camera distortion", self.distortion, (None,), finite=True)
            if len(lens) not in (4, 5, 8):
                raise InputError(
                    f"camera distortion: received {len(lens)} coefficients, expected 4, 5 or 8 (k1, k2, p1, p2, k3, …)"
                )
            object.__setattr__(self, "distortion", tuple(float(k) for k in lens))

    @staticmethod
    def centred(width: int, height: int, focal: float) -> "Camera":
        """A camera with square pixels whose axis goes through the middle of the image; `focal` is fx and fy, pixels."""
        return Camera(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2)

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width): the shape of this camera's images."""
        return self.height, self.width

    @property
    def matrix(self) -> NDArray[np.float64]:
        """The (3, 3) matrix K that takes camera coordinates to homogeneous pixels."""
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1.0]])

    def rays(self) -> NDArray[np.float64]:
        """(height, width, 3): r = ((u-cx)/fx, (v-cy)/fy, 1), so that a pixel of depth D sees the point D r."""
        x = (np.arange(self.width) - self.cx) / self.fx
        y = (np.arange(self.height) - self.cy) / self.fy
        rays = np.ones((self.height, self.width, 3))
        rays[..., 0], rays[..., 1] = np.meshgrid(x, y)
        return rays

    def rays_through(self, pixels: ArrayLike) -> NDArray[np.float64]:
        """(…, 3): the rays through places (u, v) (…, 2) of the image, as `rays` has them for its pixels."""
        places = np.asarray(pixels)
        rays = np.ones((*places.shape[:-1], 3))
        rays[..., :2] = (places - (self.cx, self.cy)) / (self.fx, self.fy)
        return rays

    def project(self, points: ArrayLike) -> NDArray[np.float64]:
        """(…, 3) camera coordinates to (…, 2) pixels (u, v); a point with z <= 0 gives NaN."""
        X = np.asarray(points, dtype=np.float64)
        z = np.where(X[..., 2] > 0, X[..., 2], np.nan)
        return np.stack([self.fx * X[..., 0] / z + self.cx, self.fy * X[..., 1] / z + self.cy], axis=-1)

    def contains(self, pixels: ArrayLike, margin: float = 0.0) -> NDArray[np.bool_]:
        """(…,): whether places (u, v) (…, 2) lie within the centres of the image's outermost pixels, by `margin` pixels
        at least; those that are NaN do not."""
        places = np.asarray(pixels)
        with np.errstate(invalid="ignore"):
            return np.all((places >= margin) & (places <= (self.width - 1 - margin, self.height - 1 - margin)), axis=-1)

    def every_nth_pixel(self, step: int) -> "Camera":
        """The camera of every `step`-th pixel of an image along u and v: the same rays, but fewer; without a lens."""
        _check_whole_number("step", step)
        return Camera(
            width=-(-self.width // step),
            height=-(-self.height // step),
            fx=self.fx / step,
            fy=self.fy / step,
            cx=self.cx / step,
            cy=self.cy / step,
        )

    def step_leaving(self, pixels: int) -> int:
        """The `step` with which `every_nth_pixel` leaves about `pixels` pixels of an image."""
        return max(1, round(math.sqrt(self.width * self.height / pixels)))

    def binned(self, factor: int) -> "Camera":
        """The camera of images of which each `factor` x `factor` pixels have been averaged to one; with the same lens.

        InputError where the image is smaller than that.
        """
        _check_whole_number("factor", factor)
        if factor > min(self.width, self.height):
            raise InputError(
                f"reduce: received {factor}, expected at most {min(self.width, self.height)} for images of "
                f"{self.width} x {self.height} pixels"
            )
        return Camera(
            width=self.width // factor,
            height=self.height // factor,
            fx=self.fx / factor,
            fy=self.fy / factor,
            cx=(self.cx + 0.5) / factor - 0.5,
            cy=(self.cy + 0.5) / factor - 0.5,
            distortion=self.distortion,
        )

    def without_distortion(self) -> "Camera":
        """The camera of images that have been undistorted: the same K, no lens."""
        return replace(self, distortion=None)


def _check_whole_number(name: str, value: int) -> None:
    if not (isinstance(value, (int, np.integer)) and value >= 1):
        raise InputError(f"{name}: received {value!r}, expected a whole number of at least 1")
