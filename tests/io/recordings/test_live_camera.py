"""Photographs of a camera that is plugged in, by a camera that is not."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from media import gray, write_video

from glrender.errors import InputError, UsageError
from glrender.io.recordings.live import LiveCamera
from glrender.io.recordings.opening import RecordingOptions, open_recording


class FakeCapture:
    """Five images, blue first, of which the third is damaged; then the camera is unplugged."""

    def __init__(self) -> None:
        self.taken = -1
        self.released = False

    def grab(self) -> bool:
        self.taken += 1
        return self.taken < 5

    def retrieve(self) -> tuple[bool, np.ndarray]:
        image = np.full((4, 5, 3), (10 * self.taken, 100, 200), np.uint8)
        return self.taken != 2, image

    def release(self) -> None:
        self.released = True


def test_images_come_one_by_one_with_the_time_of_their_arrival() -> None:
    capture = FakeCapture()
    camera = LiveCamera(capture, "0", clock=itertools.count(50.0, 0.1).__next__)
    coming = camera.pictures()
    first = next(coming)
    assert capture.taken == 0  # nothing is read ahead
    assert first.time == 50
    np.testing.assert_array_equal(first.pixels()[0, 0], [200, 100, 0])
    assert not capture.released
    rest = list(coming)
    assert [picture.time for picture in rest] == pytest.approx([50.1, 50.3, 50.4])
    assert camera.problems == ["1 images of the camera are damaged", "the camera gives no more images after 4"]
    assert capture.released


def test_the_camera_is_let_go_where_reading_stops() -> None:
    capture = FakeCapture()
    coming = LiveCamera(capture, "0").pictures()
    next(coming)
    coming.close()
    assert capture.released


def test_a_video_file_stands_in_for_a_camera(tmp_path: Path) -> None:
    path = Path(f"camera:{write_video(tmp_path / 'a.mkv', [0, 100, 200])}")
    images = [picture.pixels() for picture in open_recording(path).pictures()]
    assert len(images) == 3
    np.testing.assert_allclose(images[2][15, 20], gray(20)[15, 20], atol=3)
    with pytest.raises(InputError, match=r"asked for 999 x 555 pixels, but it gives 32 x 24"):
        open_recording(path, options=RecordingOptions(size=(999, 555)))


def test_a_camera_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.mkv: cannot be opened; expected the index of a camera"):
        open_recording(Path(f"camera:{tmp_path / 'none.mkv'}"))
    with pytest.raises(InputError, match="camera 97: cannot be opened"):
        open_recording(Path("camera:97"))


def test_no_other_recording_is_asked_for_a_size(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", [0])
    with pytest.raises(UsageError, match=r"size: it is for a camera that is plugged in .* is a video"):
        open_recording(path, options=RecordingOptions(size=(32, 24)))
