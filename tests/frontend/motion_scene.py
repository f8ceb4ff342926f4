"""What a moving camera sees of simulated ground whose depths are known, for the tests of depth from motion."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glrender.frontend.motion_depth import MotionDepth
from glrender.frontend.photograph import Photograph
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.geometry.intensity import intensity
from glrender.gl.context import Context
from glrender.render.forward import ForwardRenderer
from glrender.simulate.elevation import BUILTIN, read_elevation
from glrender.simulate.noise import NoiseModel, NoiseSource
from glrender.simulate.scene import with_texture
from glrender.simulate.terrain import make_terrain


@dataclass(frozen=True, eq=False)
class Views:
    """Photographs of one ground."""

    truth: HeightMap
    """The ground."""
    camera: Camera
    photographs: list[Photograph]
    """With the true poses."""
    depths: list[NDArray[np.float32]]
    """(height, width) each, true depths, metres."""

    def errors(self, found: MotionDepth, index: int) -> NDArray[np.float64]:
        """(confident pixels,) found minus true depth of a photograph, metres."""
        return (found.depth.astype(np.float64) - self.depths[index])[found.depth > 0]

    def pulls(self, found: MotionDepth, index: int) -> NDArray[np.float64]:
        """(confident pixels,) errors in units of their standard deviation."""
        return self.errors(found, index) / found.sigma[found.depth > 0]


def textured(size: tuple[float, float], relief: float, spacing: float, detail: int) -> tuple[HeightMap, HeightMap]:
    """(surface, truth): real terrain, rescaled, with a procedural texture; vertex (0, 0) is at (0, 0)."""
    terrain = make_terrain(read_elevation(BUILTIN), size, relief, spacing, (0.0, 0.0))
    return with_texture(terrain, detail, np.random.default_rng(0))


def pinhole(width: int, height: int, f: float) -> Camera:
    """A camera with its principal point in the middle."""
    return Camera.centred(width, height, f)


def photographed(
    context: Context,
    surface: HeightMap,
    truth: HeightMap,
    camera: Camera,
    poses: list[NDArray[np.float64]],
    grey_levels: float = 2.0,
) -> Views:
    """What `camera` sees of `surface`: the mean of four rays a pixel, with noise in grey levels."""
    fine = Camera(
        2 * camera.width, 2 * camera.height, 2 * camera.fx, 2 * camera.fy, 2 * camera.cx + 0.5, 2 * camera.cy + 0.5
    )
    noise = NoiseSource(NoiseModel(image=grey_levels), np.random.SeedSequence(1))
    twice, once = ForwardRenderer(context, fine), ForwardRenderer(context, camera)
    photographs, depths = [], []
    for pose in poses:
        image = twice.render(surface, pose).image
        image = image.reshape(camera.height, 2, camera.width, 2, -1).mean(axis=(1, 3))
        photographs.append(Photograph(intensity(noise.image(image).astype(np.float32)), pose))
        depths.append(once.render(surface, pose).depth)
    twice.release()
    once.release()
    return Views(truth, camera, photographs, depths)


def rover_views(context: Context, width: int = 160, baseline: float = 0.1, frames: int = 5) -> Views:
    """From 1 m above ground with 30 cm of relief, looking ahead and down, `baseline` metres from one to the next."""
    size = (2.4, 2.0)
    surface, truth = textured(size, 0.3, 0.02, 3)
    height = float(truth.heights.mean()) + 1.0
    poses = []
    for k in range(frames):
        x = size[0] / 2 + baseline * (k - frames // 2)
        poses.append(se3.look_at((x, 0.6, height), (x + 0.05 * np.sin(k), 1.0, height - 1.0)))
    return photographed(context, surface, truth, pinhole(width, width * 3 // 4, 0.9 * width), poses)


def aerial_views(context: Context) -> Views:
    """18 images in three lanes, 40 m above terrain with 10 m of relief, overlapping by 60 % both ways.

    Of 200 x 112 pixels, a quarter of 800 x 450 with f = 586: a pixel is 27 cm of ground.
    """
    surface, truth = textured((100.0, 94.0), 10.0, 0.4, 2)
    height = float(truth.heights.mean()) + 40.0
    poses = []
    for lane in range(3):
        for k in range(6) if lane % 2 == 0 else range(5, -1, -1):
            pose = np.diag([1.0, -1.0, -1.0, 1.0])  # looking down, the image's top to the north
            pose[:3, 3] = 28 + 21.8 * lane, 16 + 12.3 * k, height
            poses.append(pose)
    return photographed(context, surface, truth, pinhole(200, 112, 146.5), poses)
