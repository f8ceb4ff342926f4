"""Flights over ground whose texture is finer than the cells of its map, with images as a camera makes them."""

import cv2
import numpy as np
from flights import Flight, camera_of
from numpy.typing import NDArray

from glrender.fusion.noise import DepthNoise
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.render.forward import ForwardRenderer
from glrender.simulate.elevation import BUILTIN, read_elevation
from glrender.simulate.noise import NoiseModel, NoiseSource
from glrender.simulate.path import make_path
from glrender.simulate.scene import with_texture
from glrender.simulate.terrain import make_terrain

FINER = 3
"""Rays a pixel along each side."""


def textured_ground(detail: int = 4) -> tuple[HeightMap, HeightMap]:
    """(surface, truth): 0.5 m x 0.4 m of real terrain, its texture `detail` times finer than the truth's vertices."""
    terrain = make_terrain(read_elevation(BUILTIN), (0.5, 0.4), 0.06, 0.0125, (0.0, 0.0))
    return with_texture(terrain, detail, np.random.default_rng(0))


def photograph(
    context: Context,
    surface: HeightMap,
    truth: HeightMap,
    *,
    width: int = 144,
    frames: int = 11,
    path: str = "flyover",
    depth_sigma: float = 0.01,
    known: float = 0.25,
    noise: NoiseModel | None = None,
    seed: int = 0,
) -> Flight:
    """Images with noise, each pixel the mean over its area, and depths as from motion: a part of them, and poor."""
    rng = np.random.default_rng(seed)
    camera = camera_of(width)
    poses = make_path(path, truth, camera, frames)
    fine = Camera(
        FINER * width,
        FINER * camera.height,
        FINER * camera.fx,
        FINER * camera.fy,
        FINER * (camera.cx + 0.5) - 0.5,
        FINER * (camera.cy + 0.5) - 0.5,
    )
    renderer = ForwardRenderer(context, fine)
    views = [renderer.render(surface, pose) for pose in poses]
    renderer.release()
    clean = np.stack([view.depth[FINER // 2 :: FINER, FINER // 2 :: FINER] for view in views])
    there = (clean > 0) & (rng.uniform(size=clean.shape) < known)
    depths = np.where(there, clean + depth_sigma * rng.normal(size=clean.shape), 0).astype(np.float32)
    source = NoiseSource(noise or NoiseModel(image=2.0), np.random.SeedSequence(seed))
    images = [cv2.resize(view.image, (width, camera.height), interpolation=cv2.INTER_AREA) for view in views]
    noisy = np.stack([source.image(image) for image in images]).astype(np.float32)
    measured = np.stack([source.pose(pose) for pose in poses])
    return Flight(truth, camera, DepthNoise(depth_sigma, 0.0), measured, depths, noisy)


def errors(found: HeightMap, flight: Flight) -> NDArray[np.float64]:
    """(n,) metres: of the heights that are known."""
    known = np.isfinite(found.heights)
    return (found.heights - flight.truth.heights)[known]
