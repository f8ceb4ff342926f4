"""Flights over simulated ground whose truth is known, for the tests of fusion and of what is built on it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glrender.fusion.heightmap import HeightMapFusion
from glrender.fusion.noise import DepthNoise
from glrender.fusion.options import FusionOptions
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.io.sequence_writer import SequenceWriter
from glrender.io.trajectory import Trajectory
from glrender.render.forward import ForwardRenderer
from glrender.simulate.elevation import BUILTIN, read_elevation
from glrender.simulate.path import make_path
from glrender.simulate.scene import with_texture
from glrender.simulate.terrain import make_terrain

NOISE = DepthNoise(0.002, 0.003)
DEPTH_SCALE = 10_000.0


@dataclass(frozen=True, eq=False)
class Flight:
    """What a camera saw of a ground, from known poses."""

    truth: HeightMap
    """With colours, on the grid that a fusion of the flight has."""
    camera: Camera
    noise: DepthNoise
    """That the depths have: independent and Gaussian."""
    poses: NDArray[np.float64]
    """(N, 4, 4) T_world_camera."""
    depths: NDArray[np.float32]
    """(N, height, width) metres with noise, 0 where nothing is."""
    images: NDArray[np.float32]
    """(N, height, width, 3) linear, without noise."""

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(x0, x1, y0, y1) of the truth, metres."""
        x, y = self.truth.axes()
        return float(x[0]), float(x[-1]), float(y[0]), float(y[-1])

    def fusion(self, context: Context, **options: object) -> HeightMapFusion:
        """An empty fusion on the grid, and with the noise, of the truth; `options` are fields of FusionOptions."""
        chosen = FusionOptions(depth_noise=self.noise, **options)  # type: ignore[arg-type]
        truth = self.truth
        return HeightMapFusion(context, self.camera, truth.spacing, self.bounds, truth.T_world_map, chosen)

    def write(self, folder: Path, rate: float = 10.0) -> Path:
        """The flight as a sequence, a frame every 1 / rate seconds from 0 on; returns the folder."""
        writer = SequenceWriter(folder, self.camera, DEPTH_SCALE)
        times = np.round(np.arange(len(self.poses)) / rate, 6)
        for time, image, depth in zip(times, self.images, self.depths, strict=True):
            writer.add(time, image, np.maximum(depth, 0))
        writer.finish(Trajectory(times, self.poses))
        return folder


def camera_of(width: int) -> Camera:
    """A camera of width x 3/4 width pixels that sees 58 degrees across."""
    height = width * 3 // 4
    return Camera.centred(width, height, 0.9 * width)


def rough_ground(
    size: tuple[float, float] = (1.0, 0.8), relief: float = 0.1, spacing: float = 0.025, seed: int = 0
) -> HeightMap:
    """Real terrain, rescaled, with a colour of its own at every vertex; vertex (0, 0) is at (0, 0)."""
    terrain = make_terrain(read_elevation(BUILTIN), size, relief, spacing, (0.0, 0.0))
    return with_texture(terrain, 1, np.random.default_rng(seed))[0]


def fly(
    context: Context,
    truth: HeightMap,
    *,
    width: int = 96,
    frames: int = 12,
    path: str | Callable[[Camera], NDArray[np.float64]] = "flyover",
    noise: DepthNoise = NOISE,
    seed: int = 0,
) -> Flight:
    """Record `truth` along a path of `glrender simulate`, or along the poses (N, 4, 4) that `path` makes."""
    camera = camera_of(width)
    poses = make_path(path, truth, camera, frames) if isinstance(path, str) else path(camera)
    renderer = ForwardRenderer(context, camera)
    views = [renderer.render(truth, pose) for pose in poses]
    renderer.release()
    clean = np.stack([view.depth for view in views])
    scatter = noise.sigma(clean) * np.random.default_rng(seed).normal(size=clean.shape)
    depths = np.where(clean > 0, clean + scatter, 0).astype(np.float32)
    return Flight(truth, camera, noise, poses, depths, np.stack([view.image for view in views]))


def placed(flight: Flight, T_world_map: NDArray[np.float64]) -> Flight:
    """The same flight, ground and all, elsewhere in the world."""
    return replace(flight, truth=replace(flight.truth, T_world_map=T_world_map), poses=T_world_map @ flight.poses)


def fused(fusion: HeightMapFusion, flight: Flight, *, color: bool = False) -> HeightMap:
    """The map after all frames of a flight."""
    for pose, depth, image in zip(flight.poses, flight.depths, flight.images, strict=True):
        fusion.integrate(pose, depth=depth, image=image if color else None)
    return fusion.map()
