"""Images on file: their colours, and files that are damaged."""

import cv2
import numpy as np
import pytest
from media import gray, write_turned_jpeg

from glrender.errors import InputError
from glrender.io.images import FrameError, read_color, read_depth, write_color, write_depth


@pytest.fixture
def photograph(tmp_path):
    path = tmp_path / "photo.png"
    write_color(path, np.random.default_rng(0).uniform(size=(60, 80, 3)))
    return path


def test_colour_order_is_red_green_blue(tmp_path):
    path = tmp_path / "red.png"
    write_color(path, np.broadcast_to([1.0, 0.5, 0.0], (4, 5, 3)))
    np.testing.assert_array_equal(read_color(path)[2, 3], [255, 188, 0])  # 188: sRGB of linear 0.5


def test_pixels_count_as_they_are_stored_whatever_a_tag_asks_of_viewers(tmp_path):
    path = write_turned_jpeg(tmp_path / "turned.jpg", gray(30))
    assert cv2.imread(str(path)).shape == (32, 24, 3)  # viewers turn it
    pixels = read_color(path)
    assert pixels.shape == (24, 32, 3)
    assert pixels[1, 1, 0] > 200
    assert pixels[1, -2, 0] < 60


def test_depth_counts_survive(tmp_path):
    path = tmp_path / "depth.png"
    counts = np.arange(12, dtype=np.uint16).reshape(3, 4) * 5000
    write_depth(path, counts)
    np.testing.assert_array_equal(read_depth(path), counts)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.999])
def test_a_truncated_png_is_refused(photograph, share):
    whole = photograph.read_bytes()
    photograph.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(FrameError, match=r"photo\.png: (truncated PNG|neither PNG nor JPEG)"):
        read_color(photograph)


def test_a_png_that_lacks_only_its_end_is_refused(photograph):
    """The decoder alone would return it without a word."""
    photograph.write_bytes(photograph.read_bytes()[:-12])
    with pytest.raises(FrameError, match="truncated PNG"):
        read_color(photograph)


def test_a_flipped_bit_is_noticed(photograph):
    data = bytearray(photograph.read_bytes())
    data[len(data) // 2] ^= 4
    photograph.write_bytes(data)
    with pytest.raises(FrameError, match="wrong checksum"):
        read_color(photograph)


def test_jpeg_photographs_are_read_and_truncated_ones_refused(tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(cv2.imencode(".jpg", np.full((32, 32, 3), (0, 0, 200), np.uint8))[1].tobytes())
    assert np.abs(read_color(path)[16, 16].astype(int) - [200, 0, 0]).max() < 4
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(FrameError, match="truncated JPEG"):
        read_color(path)


@pytest.mark.parametrize("suffix", [".jpg", ".tif", ".pgm"])
def test_depth_in_another_format_is_told_which_it_has_to_be(tmp_path, suffix):
    path = tmp_path / f"depth{suffix}"
    cv2.imwrite(str(path), np.full((4, 5), 200, np.uint8 if suffix == ".jpg" else np.uint16))
    with pytest.raises(FrameError, match=r"no PNG \(\d+ bytes\), expected a 16-bit image of one channel as PNG"):
        read_depth(path)


def test_eight_bit_depth_is_refused(photograph):
    with pytest.raises(FrameError, match="expected a 16-bit image of one channel"):
        read_depth(photograph)


def test_a_depth_image_is_no_photograph(tmp_path):
    """Of a folder that has both, every second photograph would be nearly black."""
    write_depth(tmp_path / "depth.png", np.full((4, 5), 1500, np.uint16))
    with pytest.raises(FrameError, match="received 16 bits of one channel, as depth images have"):
        read_color(tmp_path / "depth.png")


def test_a_missing_file_and_a_text_are_refused(tmp_path):
    with pytest.raises(FrameError, match="No such file"):
        read_color(tmp_path / "none.png")
    (tmp_path / "text.png").write_text("not a picture, but long enough to be taken for one" * 10)
    with pytest.raises(InputError, match="neither PNG nor JPEG"):
        read_color(tmp_path / "text.png")
