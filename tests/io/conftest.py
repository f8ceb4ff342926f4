"""A small sequence on file, and its camera."""

from pathlib import Path

import numpy as np
import pytest

from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.io.sequence_writer import SequenceWriter
from glrender.io.trajectory import Trajectory


@pytest.fixture
def small_camera() -> Camera:
    return Camera(width=8, height=6, fx=7.0, fy=7.5, cx=3.5, cy=2.5)


@pytest.fixture
def small_sequence(tmp_path: Path, small_camera: Camera) -> Path:
    """Six frames, 0.1 s apart from 100 s on; frame k is k metres deep, has the red level k / 10 and is at x = k."""
    folder = tmp_path / "sequence"
    writer = SequenceWriter(folder, small_camera)
    for k in range(6):
        image = np.full((6, 8, 3), (k / 10, 0.2, 0.9))
        writer.add(100 + 0.1 * k, image, np.full((6, 8), float(k)))
    times = 100 + 0.1 * np.arange(6)
    poses = np.stack([se3.from_quaternion([k, 0, 0], [0, 0, np.sin(0.1 * k), np.cos(0.1 * k)]) for k in range(6)])
    writer.finish(Trajectory(times, poses))
    return folder
