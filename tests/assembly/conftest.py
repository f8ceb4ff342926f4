"""Frames: what was rendered of a random scene, and what a sensor might have measured of it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from passes import derivative_renderer
from random_scenes import Scene

from glrender.assembly.residuals import Measurements
from glrender.gl.context import Context
from glrender.render.buffers import DerivativeBuffers

DEPTH_SIGMA, COLOR_SIGMA = 0.01, 0.05


@dataclass(frozen=True, eq=False)
class Frame:
    """A rendering and a measurement of the same view."""

    buffers: DerivativeBuffers
    measurements: Measurements
    """Noise of one sigma, with some outliers, and gaps of every kind."""


def measure(buffers: DerivativeBuffers) -> Measurements:
    """Depth and colour with noise, 5 % outliers, 4 % gaps (0, NaN, infinite, negative), a mask and a sigma a pixel."""
    rng = np.random.default_rng(0)
    shape = buffers.camera.shape
    depth_sigma = (DEPTH_SIGMA * rng.uniform(0.5, 2, shape)).astype(np.float32)
    depth = buffers.depth + depth_sigma * rng.normal(size=shape) * np.where(rng.uniform(size=shape) < 0.05, 30, 1)
    image = buffers.image + COLOR_SIGMA * rng.normal(size=(*shape, buffers.surface.channels))
    image[rng.uniform(size=shape) < 0.05] += 1
    for gap in (0.0, np.nan, np.inf, -1.0):
        depth[rng.uniform(size=shape) < 0.01] = gap
    for gap in (np.nan, np.inf):
        image[rng.uniform(size=image.shape) < 0.005] = gap
    mask = rng.uniform(size=shape) > 0.1
    return Measurements(depth.astype(np.float32), depth_sigma, image.astype(np.float32), COLOR_SIGMA, mask)


@pytest.fixture(scope="session")
def frame(context: Context) -> Callable[..., Frame]:
    """A scene as it is rendered and as it is measured; `way` is one of the WAYS."""

    @cache
    def make(scene: Scene, way: str = "compact") -> Frame:
        renderer = derivative_renderer(context, scene.camera, way)
        buffers = renderer.render(scene.surface, scene.T_world_camera, pose=False, edges=False)
        renderer.release()
        return Frame(buffers, measure(buffers))

    return make
