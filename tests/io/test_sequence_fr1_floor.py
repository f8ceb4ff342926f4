"""The reading of a real recording: 90 frames of a Kinect over a floor (TUM RGB-D benchmark, CC BY 4.0)."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from glrender.geometry.camera import Camera
from glrender.io.sequence_folder import open_sequence

FOLDER = Path(__file__).parents[2] / ".." / "shared" / "data" / "fr1_floor"

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no recording in {FOLDER}")


@pytest.fixture(scope="module")
def sequence():
    return open_sequence(FOLDER)


def test_all_frames_are_there_and_have_a_photograph_and_a_pose(sequence):
    assert len(sequence.frames) == sequence.line_count == 90
    assert sequence.problems == ()
    assert sequence.camera == Camera(640, 480, 525.0, 525.0, 319.5, 239.5)
    assert all(abs(entry.color_time - entry.time) < 0.008 for entry in sequence.frames)
    assert len({entry.color_path for entry in sequence.frames}) == 90
    posed, skipped = sequence.with_poses(sequence.frames)
    assert (len(posed), len(skipped)) == (90, 0)
    assert [len(sequence.select(s)) for s in ("even", "odd", "first", "second", "0:90:3")] == [45, 45, 45, 45, 30]


def test_every_frame_is_read(sequence):
    for entry in sequence.frames:
        frame = sequence.read(entry)
        assert frame.image.shape == (480, 640, 3)
        measured = frame.depth > 0
        assert measured.mean() > 0.5
        assert 0.4 < np.median(frame.depth[measured]) < 1.5


def test_the_floor_is_level_at_the_height_that_motion_capture_says(sequence):
    frame = sequence.read(sequence.frames[30])
    T = sequence.trajectory.at(frame.time)
    points = (sequence.camera.rays() * frame.depth[..., None])[frame.depth > 0] @ T[:3, :3].T + T[:3, 3]
    assert np.median(points[:, 2]) == pytest.approx(0.04, abs=0.02)


def test_photographs_lie_on_the_depth_images(sequence):
    """The photographs' edges are strongest where depth jumps: shifted by a few pixels either way they are weaker."""
    shifts = range(-8, 9, 4)
    strength = np.zeros((len(shifts), len(shifts)))
    for entry in sequence.frames[::10]:
        frame = sequence.read(entry)
        edges = np.clip(_gradient(cv2.GaussianBlur(frame.image.mean(axis=2), (0, 0), 2)), 0, 0.2)
        rows, cols = np.nonzero(_jumps(frame.depth)[40:-40, 40:-40])
        for a, dv in enumerate(shifts):
            for b, du in enumerate(shifts):
                strength[a, b] += edges[rows + 40 + dv, cols + 40 + du].sum()
    assert np.unravel_index(strength.argmax(), strength.shape) == (2, 2)


def _gradient(image):
    return np.hypot(cv2.Sobel(image, cv2.CV_32F, 1, 0), cv2.Sobel(image, cv2.CV_32F, 0, 1))


def _jumps(depth):
    """(height, width) where all of a pixel's neighbours are measured and they differ by more than 4 cm."""
    kernel = np.ones((3, 3), np.uint8)
    measured = cv2.erode((depth > 0).astype(np.uint8), kernel) > 0
    return measured & (cv2.dilate(depth, kernel) - cv2.erode(depth, kernel) > 0.04)
