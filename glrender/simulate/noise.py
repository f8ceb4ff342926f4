"""What a real recording adds to the truth: noise in images, depth and poses, and errors that a frame shares."""

import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glrender.errors import InputError
from glrender.geometry import se3
from glrender.io.color import linear_to_srgb, srgb_to_linear
from glrender.io.images import SATURATED

LEAST_SCALE = 1e-11
"""Counts per metre: a smaller scale would be rounded to 0."""


@dataclass(frozen=True)
class NoiseModel:
    """Standard deviations of independent Gaussian errors; 0 is none."""

    image: float = 0.0
    """Of each pixel and channel, in grey levels of the 8-bit sRGB image."""
    depth_constant: float = 0.0
    """a of a pixel's depth noise a + b z², metres."""
    depth_quadratic: float = 0.0
    """b of a pixel's depth noise a + b z², 1/metres; a triangulating sensor's error grows like this."""
    depth_offset: float = 0.0
    """Of the error that all depths of one frame share, metres."""
    pose_translation: float = 0.0
    """Of a camera's position along each axis, metres."""
    pose_rotation: float = 0.0
    """Of a camera's orientation about each axis, degrees."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not (math.isfinite(value) and value >= 0):
                raise InputError(f"noise {field.name}: received {value!r}, expected a finite number, 0 or more")

    def depth_sigma(self, z: ArrayLike) -> NDArray[np.float64]:
        """Standard deviation of a pixel's own error at depth z, metres."""
        return self.depth_constant + self.depth_quadratic * np.square(np.asarray(z, dtype=np.float64))


class NoiseSource:
    """Draws a model's errors, each kind from its own stream: changing one kind leaves the others as they were."""

    def __init__(self, model: NoiseModel, seed: np.random.SeedSequence) -> None:
        self._model = model
        self._image, self._depth, self._offset, self._pose = map(np.random.default_rng, seed.spawn(4))

    def image(self, linear: NDArray[np.floating]) -> NDArray[np.float64]:
        """A linear image with noise, within [0, 1]; the noise is added in sRGB, where a camera's levels are."""
        noise = self._model.image / 255 * self._image.standard_normal(linear.shape)
        return srgb_to_linear(np.clip(linear_to_srgb(linear) + noise, 0.0, 1.0))

    def depth(self, z: NDArray[np.floating]) -> NDArray[np.float64]:
        """A depth image (metres, 0 where nothing is) with noise; what would lie behind the camera is 0."""
        noise = self._model.depth_sigma(z) * self._depth.standard_normal(z.shape)
        offset = self._model.depth_offset * self._offset.standard_normal()
        return np.where(z > 0, np.maximum(z + noise + offset, 0.0), 0.0)

    def pose(self, T_world_camera: ArrayLike) -> NDArray[np.float64]:
        """A pose with an error along and about the camera's axes."""
        sigma = np.repeat([self._model.pose_translation, math.radians(self._model.pose_rotation)], 3)
        return np.asarray(T_world_camera) @ se3.exp(sigma * self._pose.standard_normal(6))


def choose_depth_scale(deepest: float, model: NoiseModel) -> float:
    """Counts per metre so that depths up to `deepest` metres fit 16 bits with their noise: 1, 2 or 5 times 10^k.

    Of those the largest that never saturates (noise of six standard deviations included), which
    makes one count at most a 26,000th of that reach.
    """
    reach = deepest + 6 * (float(model.depth_sigma(deepest)) + model.depth_offset)
    limit = (SATURATED - 1) / reach
    if not limit > LEAST_SCALE:
        raise InputError(
            f"depth: up to {deepest:g} m, with noise {reach:g} m, which no depth image can hold; expected a terrain, "
            "an altitude or a noise that is less"
        )
    power = 10.0 ** math.floor(math.log10(limit))
    scale = max(digit * power for digit in (1, 2, 5) if digit * power <= limit)
    return round(scale, 12)
