"""PNG files of others' making, read by our decoder."""

import struct
import zlib
from itertools import pairwise

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from glrender.io.images import FrameError, decode_color, decode_depth
from glrender.io.png import png_bytes
from glrender.io.png_decoder import PNG_SIGNATURE, decode_plain_png, png_damage

GREY, RGB, PALETTE, RGBA = 0, 2, 3, 6


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(
    rows: bytes,
    width: int,
    height: int,
    bits: int,
    color: int,
    interlaced: int = 0,
    *,
    pieces: int = 1,
    more: bytes = b"",
) -> bytes:
    """A file of filtered rows, deflated into as many chunks."""
    header = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, interlaced)
    stream = zlib.compress(rows)
    cuts = [k * len(stream) // pieces for k in range(pieces + 1)]
    data = b"".join(chunk(b"IDAT", stream[a:b]) for a, b in pairwise(cuts))
    return PNG_SIGNATURE + chunk(b"IHDR", header) + more + data + chunk(b"IEND", b"")


def filtered(row: list[int], above: list[int], kind: int, step: int) -> bytes:
    """A row as the standard's section 9 filters it, a byte at a time."""
    result = [kind]
    for k, byte in enumerate(row):
        a, b, c = (row[k - step] if k >= step else 0), above[k], (above[k - step] if k >= step else 0)
        paeth = min((a, b, c), key=lambda value: abs(a + b - c - value))
        result.append((byte - (0, a, b, (a + b) // 2, paeth)[kind]) % 256)
    return bytes(result)


def file_of(pixels: NDArray[np.uint8] | NDArray[np.uint16], kinds: list[int], pieces: int = 1) -> bytes:
    """A PNG of these pixels, each row filtered in its own way."""
    height, width = pixels.shape[:2]
    big_endian = pixels.astype(pixels.dtype.newbyteorder(">")).tobytes()
    rows = np.frombuffer(big_endian, np.uint8).reshape(height, -1).tolist()
    step = len(rows[0]) // width
    before = [[0] * len(rows[0]), *rows]
    data = b"".join(filtered(*each, kind, step) for *each, kind in zip(rows, before, kinds, strict=False))
    return png(data, width, height, 8 * pixels.dtype.itemsize, RGB if pixels.ndim == 3 else GREY, pieces=pieces)


@pytest.fixture(params=["colour", "depth"])
def pixels(request: pytest.FixtureRequest) -> NDArray[np.uint8] | NDArray[np.uint16]:
    rng = np.random.default_rng(1)
    smooth = np.cumsum(rng.integers(-2000, 2001, (23, 31, 3)), axis=1)  # so that Paeth has three ways to choose from
    return (smooth % 256).astype(np.uint8) if request.param == "colour" else (smooth[..., 0] % 65536).astype(np.uint16)


@pytest.mark.parametrize("kind", range(5))
@pytest.mark.parametrize("pieces", [1, 3])
def test_each_filter_is_undone(pixels: NDArray[np.uint8] | NDArray[np.uint16], kind: int, pieces: int) -> None:
    data = file_of(pixels, [kind] * len(pixels), pieces)
    found = decode_plain_png(data)
    assert found is not None
    assert found.dtype == pixels.dtype
    np.testing.assert_array_equal(found, pixels)
    by_opencv = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(by_opencv[..., ::-1] if pixels.ndim == 3 else by_opencv, found)


def test_rows_may_be_filtered_each_in_its_own_way(pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> None:
    kinds = [int(kind) for kind in np.random.default_rng(0).integers(0, 5, len(pixels))]
    found = decode_plain_png(file_of(pixels, kinds))
    np.testing.assert_array_equal(found, pixels)


def test_what_opencv_and_we_write_is_decoded(pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> None:
    by_opencv = cv2.imencode(".png", pixels[..., ::-1] if pixels.ndim == 3 else pixels)[1].tobytes()
    for data in (by_opencv, png_bytes(pixels), by_opencv + b"what comes behind the end is nobody's business"):
        np.testing.assert_array_equal(decode_plain_png(data), pixels)


@pytest.mark.parametrize(
    ("bits", "color", "interlaced", "size"),
    [(8, GREY, 0, 5), (8, RGBA, 0, 17), (16, RGB, 0, 25), (8, RGB, 1, 13), (16, GREY, 1, 9), (1, GREY, 0, 2)],
)
def test_other_kinds_are_left_alone(bits: int, color: int, interlaced: int, size: int) -> None:
    data = png(bytes(4 * size), 4, 4, bits, color, interlaced)
    assert png_damage(data) is None
    assert decode_plain_png(data) is None


def test_other_kinds_are_read_by_opencv() -> None:
    grey = np.arange(30, dtype=np.uint8).reshape(5, 6)
    np.testing.assert_array_equal(decode_color("grey.png", png_bytes(grey)), np.stack([grey] * 3, axis=-1))
    palette = chunk(b"PLTE", bytes([10, 20, 30, 40, 50, 60]))
    data = png(bytes([0, 0, 1]) * 2, 2, 2, 8, PALETTE, more=palette)
    np.testing.assert_array_equal(decode_color("palette.png", data)[0], [[10, 20, 30], [40, 50, 60]])


def test_depth_as_a_photograph_and_a_photograph_as_depth_are_told_apart() -> None:
    counts = np.full((4, 5), 0x1234, np.uint16)
    with pytest.raises(FrameError, match=r"depth\.png: received 16 bits of one channel, as depth images have"):
        decode_color("depth.png", png_bytes(counts))
    with pytest.raises(FrameError, match=r"received uint8 of shape \(4, 5, 3\), expected a 16-bit image"):
        decode_depth("photo.png", png_bytes(np.zeros((4, 5, 3), np.uint8)))


@pytest.mark.parametrize(
    "data",
    [
        png(bytes(13 * 3), 4, 4, 8, RGB),  # a row is missing
        png(bytes([7, *bytes(12)] * 4), 4, 4, 8, RGB),  # no such filter
        png(b"", 2**31 - 1, 2**31 - 1, 8, RGB),  # room for no machine
        PNG_SIGNATURE + chunk(b"IEND", b""),
        PNG_SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 8, RGB, 0, 0, 0)) + chunk(b"IEND", b""),
        PNG_SIGNATURE
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 8, RGB, 0, 0, 0))
        + chunk(b"IDAT", b"no deflate")
        + chunk(b"IEND", b""),
    ],
    ids=["short", "filter", "large", "empty", "no data", "no deflate"],
)
def test_pixels_that_are_not_what_the_header_says_are_not_made_up(data: bytes) -> None:
    assert png_damage(data) is None
    assert decode_plain_png(data) is None


def test_more_pixels_than_any_image_has() -> None:
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, RGB, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    with pytest.raises(FrameError, match=r"a\.png: cannot be decoded; the file is damaged"):
        decode_color("a.png", PNG_SIGNATURE + chunks)
