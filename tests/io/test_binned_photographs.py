"""Photographs made smaller: the same rays, and means of the colours that there were."""

from pathlib import Path

import numpy as np
import pytest

from glrender.geometry.camera import Camera
from glrender.io.camera_file import CameraFile
from glrender.io.color import bytes_to_linear
from glrender.io.images import FrameError, encode_png
from glrender.io.sequence import Sequence
from glrender.io.sequence_folder import open_sequence
from glrender.io.sequence_writer import SequenceWriter

LENS = (0.05, -0.02, 0.001, 0.002)
LARGE = Camera(62, 47, 50.0, 51.0, 30.2, 22.9)


def written(folder: Path, camera: Camera, pixels: np.ndarray) -> Sequence:
    writer = SequenceWriter(folder, CameraFile(camera))
    writer.add_file("rgb", 0.0, encode_png(pixels), ".png")
    writer.add_file("rgb", 1.0, encode_png(pixels[:, :-9]), ".png", taken_by=Camera(53, 47, 70.0, 70.0, 26.0, 23.0))
    writer.finish(None)
    return open_sequence(folder, only="rgb")


def test_colours_are_means_of_light_and_points_stay_where_they_are(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (47, 62, 3), np.uint8)
    small = written(tmp_path, LARGE, pixels).binned(3)
    assert small.camera.shape == (15, 20)
    image = small.read(small.frames[0]).image
    means = bytes_to_linear(pixels)[:45, :60].reshape(15, 3, 20, 3, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(image, means, atol=1e-6)
    point = np.array([0.2, -0.3, 1.0])
    np.testing.assert_allclose(small.camera.project(point), (LARGE.project(point) + 0.5) / 3 - 0.5)


def test_the_lens_and_other_cameras_stay_what_they_are(tmp_path: Path) -> None:
    """A ramp of light along x: as steep after the lens is undone, whatever the size."""
    camera = Camera(*(62, 47), 50.0, 51.0, 30.2, 22.9, LENS)
    ramp = np.broadcast_to(np.linspace(60, 200, 62).astype(np.uint8)[:, None], (47, 62, 3))
    large = written(tmp_path, camera, ramp)
    small = large.binned(2)
    assert small.color_camera.distortion == LENS
    assert small.own_cameras[1].fx == 35
    for index in (0, 1):
        fine, coarse = (each.read(each.frames[index]).image for each in (large, small))
        assert fine is not None
        assert coarse is not None
        means = fine[:46, :62].reshape(23, 2, 31, 2, 3).mean(axis=(1, 3))
        both = np.isfinite(means) & np.isfinite(coarse)
        assert both.mean() > 0.4
        assert np.abs(means - coarse)[both].max() < 0.02


@pytest.mark.parametrize(("most", "factor"), [(62 * 47, 1), (62 * 47 - 1, 2), (62 * 47 // 9, 4), (62 * 47 // 9 + 1, 3)])
def test_at_most_so_many_pixels_are_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, factor: int
) -> None:
    monkeypatch.setattr("glrender.io.sequence.MOST_PIXELS", most)
    assert written(tmp_path, LARGE, np.zeros((47, 62, 3), np.uint8)).reduced().binning == factor


def test_a_photograph_of_another_size_is_refused(tmp_path: Path) -> None:
    sequence = written(tmp_path, LARGE, np.zeros((47, 62, 3), np.uint8)).binned(2)
    (tmp_path / "rgb" / "0.000000.png").write_bytes(encode_png(np.zeros((47, 70, 3), np.uint8)))
    with pytest.raises(FrameError, match=r"70 x 47 pixels, but camera\.yaml says 62 x 46"):
        sequence.read(sequence.frames[0])
