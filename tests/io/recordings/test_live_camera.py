"""Photographs of a camera that is plugged in, by a camera that is not."""

import itertools

import numpy as np
import pytest
from media import SIZE, gray, write_video

from glrender.errors import InputError
from glrender.geometry.camera import Camera
from glrender.io.camera_file import CameraFile
from glrender.io.conversion import convert
from glrender.io.recordings.live import LiveCamera, open_live_camera
from glrender.io.recordings.photographs import photographs
from glrender.io.recordings.thinning import PictureSelection
from glrender.io.recordings.video import open_video
from glrender.io.sequence import open_sequence

CAMERA = Camera(*SIZE, 30, 30, 15.5, 11.5, (0.4, 0.1, 0, 0))


class FakeCapture:
    """Five images, blue first, of which the third is damaged; then the camera is unplugged."""

    def __init__(self):
        self.taken = -1
        self.released = False

    def grab(self):
        self.taken += 1
        return self.taken < 5

    def retrieve(self):
        image = np.full((4, 5, 3), (10 * self.taken, 100, 200), np.uint8)
        return self.taken != 2, image

    def release(self):
        self.released = True


def test_images_come_one_by_one_with_the_time_of_their_arrival():
    capture = FakeCapture()
    with LiveCamera(capture, "0", clock=itertools.count(50.0, 0.1).__next__) as camera:
        coming = camera.pictures()
        first = next(coming)
        assert capture.taken == 0  # nothing is read ahead
        assert first.time == 50
        np.testing.assert_array_equal(first.pixels()[0, 0], [200, 100, 0])
        rest = list(coming)
    assert [picture.time for picture in rest] == pytest.approx([50.1, 50.3, 50.4])
    assert camera.problems == ["1 images of the camera are damaged", "the camera gives no more images after 4"]
    assert capture.released


def test_a_video_file_stands_in_for_a_camera(tmp_path):
    path = write_video(tmp_path / "a.mkv", [0, 100, 200])
    with open_live_camera(str(path)) as camera:
        images = [picture.pixels() for picture in camera.pictures()]
    assert len(images) == 3
    np.testing.assert_allclose(images[2][15, 20], gray(20)[15, 20], atol=3)
    with pytest.raises(InputError, match=r"asked for 999 x 555 pixels, but it gives 32 x 24"):
        open_live_camera(str(path), (999, 555))


def test_a_camera_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"none\.mkv: cannot be opened; expected the index of a camera"):
        open_live_camera(str(tmp_path / "none.mkv"))


def test_photographs_out_of_a_recording_are_those_of_its_conversion(tmp_path):
    path = write_video(tmp_path / "a.mkv", [0, 100, 200])
    frames = list(photographs(open_video(path), CAMERA))
    convert(open_video(path), tmp_path / "out", lambda size, name: CameraFile(CAMERA), None, PictureSelection())
    sequence = open_sequence(tmp_path / "out", only="rgb")
    assert len(frames) == len(sequence.frames) == 3
    for frame, entry in zip(frames, sequence.frames, strict=True):
        assert frame.time == pytest.approx(entry.time)
        np.testing.assert_array_equal(frame.image, sequence.read(entry).image)
        assert np.isnan(frame.image).any()  # beyond the lens


def test_photographs_of_another_size_and_damaged_ones(tmp_path):
    with (
        LiveCamera(FakeCapture(), "0") as camera,
        pytest.raises(InputError, match="5 x 4 pixels, but the camera has 32"),
    ):
        next(photographs(camera, CAMERA))
