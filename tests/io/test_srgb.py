"""Between sRGB and linear colour."""

import numpy as np
import pytest

from glrender.io.color import bytes_to_linear, linear_to_bytes, linear_to_srgb, srgb_to_linear


@pytest.mark.parametrize(
    ("srgb", "linear"),
    [(0, 0), (1, 1), (0.04045, 0.0031308049535603713), (0.5, 0.21404114048223255), (0.02, 0.02 / 12.92)],
)
def test_values_of_the_standard(srgb, linear):
    assert srgb_to_linear(srgb) == pytest.approx(linear, rel=1e-12)
    assert linear_to_srgb(linear) == pytest.approx(srgb, abs=1e-6)


def test_every_byte_survives_the_way_through_linear():
    image = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    linear = bytes_to_linear(image)
    assert linear.dtype == np.float32
    assert linear.shape == image.shape
    np.testing.assert_array_equal(linear_to_bytes(linear), image)
    np.testing.assert_allclose(linear, srgb_to_linear(image), atol=1e-7)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("channels", [1, 3])
def test_bytes_are_rounded_to_nearest_up_to_the_last_bit(dtype, channels):
    halves = srgb_to_linear((np.arange(255) + 0.5) / 255)
    rises = np.where(halves.astype(dtype) < halves, np.nextafter(halves.astype(dtype), dtype(np.inf)), halves)
    rises = rises.astype(dtype)
    values = np.concatenate([np.nextafter(rises, dtype(0)), rises]).reshape(-1, channels)
    expected = np.concatenate([np.arange(255), np.arange(1, 256)]).reshape(-1, channels)
    np.testing.assert_array_equal(linear_to_bytes(values), expected)
    wild = np.array([-1.0, -0.0, np.nan, np.inf, -np.inf, 2.0], dtype).reshape(-1, channels)
    np.testing.assert_array_equal(linear_to_bytes(wild).ravel(), [0, 0, 0, 255, 0, 255])


def test_colours_out_of_range_are_clipped_and_nan_is_kept():
    np.testing.assert_allclose(linear_to_srgb([-1.0, 2.0, np.nan]), [0, 1, np.nan], rtol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_the_first_channels_of_pixels_with_more(dtype, channels):
    pixels = np.random.default_rng(0).uniform(-0.1, 1.1, (11, 53, 4)).astype(dtype)
    expected = np.rint(255 * linear_to_srgb(pixels[..., :channels]))
    np.testing.assert_array_equal(linear_to_bytes(pixels, channels), expected)
    np.testing.assert_array_equal(linear_to_bytes(pixels[..., :channels]), expected)
    assert linear_to_bytes(pixels[:0], channels).shape == (0, 53, channels)
