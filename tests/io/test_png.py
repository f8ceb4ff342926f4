"""PNG files of our own making, read by others."""

import zlib
from io import BytesIO

import cv2
import numpy as np
import pytest
from matplotlib.image import imread
from numpy.typing import NDArray

from glrender.errors import InputError
from glrender.io.png import png_bytes


def decode(content: bytes) -> NDArray[np.generic]:
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert image is not None
    return image[..., ::-1] if image.ndim == 3 else image


def check(pixels: NDArray[np.generic]) -> bytes:
    content = png_bytes(pixels)
    found = decode(content)
    assert found.dtype == pixels.dtype
    np.testing.assert_array_equal(found.reshape(pixels.shape), pixels)
    return content


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [(), (1,), (3,)])
def test_any_pixels_come_back(dtype: type[np.generic], channels: tuple[int, ...]) -> None:
    rng = np.random.default_rng(len(channels))
    for _ in range(40):
        shape = (*rng.integers(1, 40, 2), *channels)
        spread = 10 ** rng.uniform(0, 5)  # from nearly blank to noise
        check(rng.normal(0, spread, shape).astype(np.int64).astype(dtype))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("width", [1, 2, 6, 7, 8, 257, 258, 259, 260, 261, 523, 5000])
def test_repetitions_of_any_length_come_back(dtype: type[np.generic], width: int) -> None:
    for value in (0, 7, 255):
        check(np.full((3, width), value, dtype))
        ends = np.full((3, width), value, dtype)
        ends[:, -1] = 9
        check(ends)


def test_large_images_come_back_though_only_a_part_of_them_is_counted() -> None:
    rng = np.random.default_rng(0)
    for pixels in (
        rng.integers(0, 256, (300, 400, 3)).astype(np.uint8),
        rng.integers(0, 65536, (300, 400)).astype(np.uint16),
        np.cumsum(rng.integers(-1, 2, (300, 400, 3)), axis=1).astype(np.uint8),
    ):
        check(pixels)
    calm = np.zeros((600, 400), np.uint8)
    calm[4096 // 401 + 2 : 30] = rng.integers(0, 256, (18, 400))  # noise where nothing is counted
    check(calm)


def test_the_rarest_symbols_have_codes_that_are_not_too_long() -> None:
    """Fibonacci's numbers as counts make Huffman's codes as long as they can be."""
    counts = [1, 1]
    while sum(counts) < 120_000:
        counts.append(counts[-1] + counts[-2])
    steps = np.concatenate([np.full(count, value, np.uint8) for value, count in enumerate(counts)])
    np.random.default_rng(1).shuffle(steps)
    check(np.cumsum(steps, dtype=np.uint8)[None])


def test_every_reader_takes_it_and_it_is_as_small_as_others() -> None:
    y, x = np.mgrid[0:240, 0:320]
    smooth = np.stack([128 + 100 * np.sin(x / 40 + y / 90), x * 0.7, y + 5.0], axis=-1).astype(np.uint8)
    content = check(smooth)
    np.testing.assert_array_equal(np.rint(255 * imread(BytesIO(content))), smooth)  # Pillow's, which is strict
    assert len(content) < 1.1 * len(cv2.imencode(".png", smooth)[1])
    blank = np.zeros((480, 640, 3), np.uint8)
    assert len(check(blank)) < 6000


def test_the_stream_is_whole() -> None:
    rows = inflated(png_bytes(np.arange(60, dtype=np.uint8).reshape(6, 10)))
    assert len(rows) == 6 * 11
    assert rows[::11] == b"\x01" * 6


@pytest.mark.parametrize("width", [1, 5550, 5551, 5552, 5553, 11103, 11104, 40_000])
def test_the_checksum_is_that_of_the_largest_differences_too(width: int) -> None:
    down = np.arange(width, 0, -1).astype(np.uint8)[None]  # each less than the one before: differences of 255
    assert inflated(png_bytes(down))[2:] == b"\xff" * (width - 1)


def inflated(content: bytes) -> bytes:
    """The rows as they were filtered, which is what zlib checks."""
    at = content.index(b"IDAT")
    length = int.from_bytes(content[at - 4 : at], "big")
    stream = zlib.decompressobj()
    rows = stream.decompress(content[at + 4 : at + 4 + length])
    assert stream.eof
    assert not stream.unused_data
    return rows


@pytest.mark.parametrize(
    "pixels", [np.zeros((2, 2), np.float32), np.zeros((2, 2, 4), np.uint8), np.zeros((0, 3), np.uint8)]
)
def test_what_is_no_image_is_refused(pixels: NDArray[np.generic]) -> None:
    with pytest.raises(InputError, match="png: received"):
        png_bytes(pixels)
