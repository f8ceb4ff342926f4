"""Photographs are compared by one channel of even noise."""

import numpy as np
import pytest

from glrender.errors import InputError
from glrender.geometry.intensity import intensity


def test_noise_of_light_becomes_even() -> None:
    rng = np.random.default_rng(0)
    spreads = []
    for light in (0.05, 0.2, 0.8):
        photons = rng.poisson(5000 * light, (200, 200, 1)) / 5000
        spreads.append(intensity(photons.astype(np.float32)).std())
    assert max(spreads) / min(spreads) < 1.05


def test_grey_and_colour_of_one_light_are_alike_and_nan_stays() -> None:
    grey = np.array([[[0.0], [0.25], [np.nan], [2.0]]], np.float32)
    np.testing.assert_allclose(intensity(grey), [[0, 0.5, np.nan, 1]])
    np.testing.assert_allclose(intensity(np.repeat(grey, 3, axis=2)), intensity(grey), rtol=1e-6)


def test_colours_count_by_their_luminance_and_less_than_nothing_is_nothing() -> None:
    colors = np.array([[[0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5], [0.1, 0.2, 0.3], [-1, 0.1, 0.1]]], np.float32)
    light = [0.5 * 0.2126, 0.5 * 0.7152, 0.5 * 0.0722, 0.02126 + 0.14304 + 0.02166, 0]
    np.testing.assert_allclose(intensity(colors), [np.sqrt(light)], rtol=1e-6)


def test_other_shapes_are_refused() -> None:
    with pytest.raises(InputError, match="received shape"):
        intensity(np.zeros((4, 5), np.float32))
