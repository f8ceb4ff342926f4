"""The frames that fusion is timed on: a flight over real terrain made in memory, or a recording of the user's."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glrender.errors import InputError
from glrender.fusion.noise import DepthNoise
from glrender.fusion.posed_frame import PosedFrame
from glrender.geometry.camera import Camera
from glrender.gl.context import Context
from glrender.io.sequence_folder import open_sequence
from glrender.pipeline.placement import Bounds, GivenPlacement, place_map
from glrender.pipeline.posed_frames import load_frames
from glrender.render.forward import ForwardRenderer
from glrender.simulate.elevation import BUILTIN, read_elevation
from glrender.simulate.path import make_path
from glrender.simulate.scene import with_texture
from glrender.simulate.terrain import make_terrain

SIDE = 2.0
"""Metres along each side of the ground that is flown over."""

_RELIEF, _GROUND_SPACING, _TEXTURE = 0.2, SIDE / 128, 2  # metres; metres; texels a vertex
_FOCAL = 0.82  # of the image's width: 63 degrees across, as a first Kinect sees


@dataclass(frozen=True, eq=False)
class Recording:
    """Frames with their poses, and the ground that they see."""

    name: str
    """What tables call it."""
    camera: Camera
    """The pinhole camera of all frames."""
    frames: tuple[PosedFrame, ...]
    """In the order in which they were taken."""
    bounds: Bounds
    """(x0, x1, y0, y1) of the map, metres in its frame."""
    T_world_map: NDArray[np.float64]
    """(4, 4) map to world."""
    spacing: float | None
    """Metres between the map's vertices; None: any."""

    def __post_init__(self) -> None:
        assert self.frames, "a recording has frames"

    @property
    def period(self) -> int:
        """Frames there and back, until the first comes again."""
        return max(2 * len(self.frames) - 2, 1)

    def index(self, k: int) -> int:
        """Which frame is the k-th on the way through all of them, there and back again and again: nothing jumps."""
        k %= self.period
        return min(k, self.period - k)


def simulate_flight(context: Context, image: tuple[int, int], count: int) -> Recording:
    """`count` frames of image = (width, height) pixels, with colour, of a flight in lanes 1 m above a real terrain."""
    terrain = make_terrain(read_elevation(BUILTIN), (SIDE, SIDE), _RELIEF, _GROUND_SPACING, (-SIDE / 2, -SIDE / 2))
    rng = np.random.default_rng(0)
    ground, _ = with_texture(terrain, _TEXTURE, rng)
    width, height = image
    camera = Camera.centred(width, height, _FOCAL * width)
    noise = DepthNoise()
    renderer = ForwardRenderer(context, camera)
    frames = []
    for pose in make_path("flyover", terrain, camera, count):
        seen = renderer.render(ground, pose)
        scatter = noise.sigma(seen.depth) * rng.standard_normal(camera.shape, np.float32)
        frames.append(PosedFrame(pose, np.where(seen.depth > 0, seen.depth + scatter, 0), seen.image))
    renderer.release()
    half = SIDE / 2
    return Recording("simulated flight", camera, tuple(frames), (-half, half, -half, half), np.eye(4), None)


def load_recording(folder: Path, spacing: float | None, count: int) -> Recording:
    """The first `count` frames of a sequence that have depth and a pose, where `glrender fuse` would place the map.

    The trajectory's clock is taken as it is: what fusion costs does not depend on milliseconds. InputError where the
    folder is no sequence, or has no depth or poses.
    """
    sequence = open_sequence(folder)
    entries = tuple(entry for entry in sequence.select("::") if entry.depth_path is not None)
    if not entries:
        raise InputError(f"{folder}: no frame has a depth image, and heights are fused from depth")
    posed, _ = sequence.with_poses(entries)
    placed = place_map(sequence, posed, GivenPlacement(spacing=spacing))
    loaded = load_frames(sequence, posed[:count])
    return Recording(
        folder.resolve().name,
        sequence.camera,
        tuple(loaded.frames),
        placed.bounds,
        placed.T_world_map,
        placed.spacing,
    )
