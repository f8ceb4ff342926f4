"""Photographs through another lens than is said, from the air: told from them, and undone."""

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from flights import camera_of

from glrender.geometry import se3
from glrender.gl.context import Context
from glrender.io.sequence import Sequence
from glrender.io.sequence_folder import open_sequence
from glrender.io.sequence_writer import SequenceWriter
from glrender.io.trajectory import Trajectory
from glrender.pipeline.fuse import SequenceOptions
from glrender.pipeline.ground import Ground
from glrender.pipeline.refined_start import RefinedStart, refine_start
from glrender.render.forward import ForwardRenderer
from glrender.simulate.elevation import BUILTIN, read_elevation
from glrender.simulate.scene import with_texture
from glrender.simulate.terrain import make_terrain

CAMERA = camera_of(240)
K1 = 0.03
"""Of a lens that nobody tells of: a pixel in the corners."""
RELIEF = 0.08


def flown() -> np.ndarray:
    """Three lanes of five photographs each, to and fro, 0.7 m above the ground."""
    xs = np.linspace(-0.36, 0.36, 5)
    places = [(x, y) for y, along in ((-0.2, xs), (0.0, xs[::-1]), (0.2, xs)) for x in along]
    return np.stack([se3.look_at((x, y, 0.74), (x + 0.01, y + 0.02, 0.0)) for x, y in places])


def recorded(context: Context, folder: Path, k1: float) -> Sequence:
    """With poses that are off by a tenth of a pixel."""
    terrain = make_terrain(read_elevation(BUILTIN), (2.0, 1.4), RELIEF, 0.02)
    surface = with_texture(terrain, 4, np.random.default_rng(1))[0]
    renderer, rng, poses = ForwardRenderer(context, CAMERA), np.random.default_rng(3), flown()
    pixels = np.stack(np.meshgrid(np.arange(240.0), np.arange(180.0)), axis=-1).reshape(-1, 1, 2)
    seen = cv2.undistortPoints(pixels, CAMERA.matrix, np.array([k1, 0, 0, 0]), P=CAMERA.matrix)
    seen = seen.reshape(*CAMERA.shape, 2).astype(np.float32)
    writer = SequenceWriter(folder, CAMERA)
    for k, pose in enumerate(poses):
        image = cv2.remap(renderer.render(surface, pose).image, seen[..., 0], seen[..., 1], cv2.INTER_CUBIC)
        writer.add(float(k), np.clip(image * (1 + 0.01 * rng.normal(size=image.shape)), 0, 1), None)
    renderer.release()
    off = np.repeat([4e-4, 4e-4], 3) * rng.normal(size=(len(poses), 6))
    given = np.stack([T @ se3.exp(twist) for T, twist in zip(poses, off, strict=True)])
    writer.finish(Trajectory(np.arange(len(poses), dtype=np.float64), given))
    return open_sequence(folder)


def refined(sequence: Sequence) -> RefinedStart:
    assert sequence.trajectory is not None
    poses = {entry.index: sequence.trajectory.at(entry.time) for entry in sequence.frames}
    level = Ground(RELIEF / 2, 1.0, 1)
    return refine_start(sequence, sequence.frames, sequence.frames, poses, level, np.eye(4), SequenceOptions())


def turned_off(found: RefinedStart) -> float:
    """Radians by which photographs are turned against the one before, root mean square."""
    true = flown()
    steps = [
        [se3.inverse(a) @ b for a, b in pairwise(each)] for each in (true, [found.poses[k] for k in range(len(true))])
    ]
    off = [se3.log(se3.inverse(a) @ b)[3:] for a, b in zip(*steps, strict=True)]
    return float(np.sqrt(np.square(off).mean()))


def test_a_lens_that_nobody_told_of_is_told_and_undone(context: Context, tmp_path: Path) -> None:
    found = refined(recorded(context, tmp_path, K1))
    told = found.description["pose_refinement"]["lens_k1"]
    assert told["sigma"] < 0.15 * K1
    assert told["undone"] == found.lens.applied == pytest.approx(K1, rel=0.2)
    assert abs(told["missing"] - told["undone"]) < 3 * told["sigma"]
    # Or photographs would turn against each other by what the lens bends, some mrad from one to the next.
    assert turned_off(found) < 1e-3


def test_a_lens_that_is_as_it_was_said_to_be_stays(context: Context, tmp_path: Path) -> None:
    found = refined(recorded(context, tmp_path, 0.0))
    assert found.lens.applied == 0
    assert turned_off(found) < 0.6e-3
