"""Colours, estimated beside the heights: close to the truth, and silent about what they do not know."""

from dataclasses import replace

import numpy as np
import pytest
from flights import Flight, fly, fused, rough_ground

from glrender.fusion.heightmap import HeightMapFusion
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context


@pytest.fixture(scope="module")
def flight(context: Context) -> Flight:
    return fly(context, rough_ground(), path="orbit")


@pytest.fixture(scope="module")
def found(context: Context, flight: Flight) -> HeightMap:
    fusion = flight.fusion(context)
    result = fused(fusion, flight, color=True)
    fusion.release()
    return result


def errors(found: HeightMap, truth: HeightMap) -> np.ndarray:
    """(n, C): what the colours are off where they are known."""
    assert found.colors is not None
    known = np.isfinite(found.colors).all(axis=-1)
    return found.colors[known] - truth.colors[known]


def test_they_are_close_to_the_truth(flight: Flight, found: HeightMap) -> None:
    spread = flight.truth.colors.std()
    error = errors(found, flight.truth)
    assert len(error) > 0.9 * flight.truth.heights.size
    assert np.sqrt(np.mean(error**2)) < 0.25 * spread
    assert np.abs(np.median(error, axis=0)).max() < 0.005
    assert np.nanmin(found.colors) >= 0
    assert np.nanmax(found.colors) <= 1


def test_heights_are_those_of_depth_alone(fusion: HeightMapFusion, flight: Flight, found: HeightMap) -> None:
    alone = fused(fusion, flight)
    np.testing.assert_array_equal(alone.heights, found.heights)
    np.testing.assert_array_equal(alone.sigma, found.sigma)
    assert alone.colors is None


def test_a_colour_is_known_only_where_it_was_seen_and_the_height_too(
    fusion: HeightMapFusion, flight: Flight, found: HeightMap
) -> None:
    assert not (np.isfinite(found.colors).any(axis=-1) & np.isnan(found.heights)).any()
    image = flight.images[0].copy()
    image[:, 48:] = np.nan
    fusion.integrate(flight.poses[0], depth=flight.depths[0], image=image)
    half = fusion.map()
    known, colored = np.isfinite(half.heights), np.isfinite(half.colors).all(axis=-1)
    assert 0.2 < colored.sum() / known.sum() < 0.8
    assert not (colored & ~known).any()


def test_grey_images(fusion: HeightMapFusion, flight: Flight, found: HeightMap) -> None:
    grey = fused(fusion, replace(flight, images=flight.images[..., 1:2]), color=True)
    assert grey.colors.shape == (*flight.truth.shape, 1)
    # The weight of a pixel comes from the length of its residual, which has other channels here.
    np.testing.assert_allclose(grey.colors[..., 0], found.colors[..., 1], atol=0.05)
    assert np.sqrt(np.mean(np.square(errors(grey, replace(flight.truth, colors=flight.truth.colors[..., 1:2]))))) < 0.05


def test_photographs_without_depth_colour_what_is_there(
    fusion: HeightMapFusion, flight: Flight, found: HeightMap
) -> None:
    for pose, depth in zip(flight.poses, flight.depths, strict=True):
        fusion.integrate(pose, depth=depth)
    before = fusion.map()
    assert before.colors is None
    for pose, image in zip(flight.poses, flight.images, strict=True):
        report = fusion.integrate(pose, image=image)
        assert (report.measured, report.used, report.seeded) == (0, 0, 0)
    after = fusion.map()
    assert (np.isfinite(after.heights) ^ np.isfinite(before.heights)).mean() < 0.01
    assert np.nanmedian(np.abs(after.heights - before.heights) / before.sigma) < 0.01
    ours, theirs = np.abs(errors(after, flight.truth)), np.abs(errors(found, flight.truth))
    assert np.median(ours) < 1.1 * np.median(theirs)
    # Colours that no depth seeds start from grey, which a few cells at the border, of few pixels, remember.
    assert np.percentile(ours, 95) < 2 * np.percentile(theirs, 95)


def test_photographs_alone_make_no_height_known(fusion: HeightMapFusion, flight: Flight) -> None:
    for pose, image in zip(flight.poses, flight.images, strict=True):
        fusion.integrate(pose, image=image)
    found = fusion.map()
    assert np.isnan(found.heights).all()
    assert np.isnan(found.colors).all()


def test_now_and_then_a_photograph(fusion: HeightMapFusion, flight: Flight, found: HeightMap) -> None:
    for k, (pose, depth, image) in enumerate(zip(flight.poses, flight.depths, flight.images, strict=True)):
        fusion.integrate(pose, depth=depth, image=image if k % 3 == 0 else None)
    result = fusion.map()
    np.testing.assert_array_equal(result.heights, found.heights)
    assert np.sqrt(np.mean(np.square(errors(result, flight.truth)))) < 0.1


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_pixels_without_colour(fusion: HeightMapFusion, flight: Flight, found: HeightMap, value: float) -> None:
    images = flight.images.copy()
    rng = np.random.default_rng(3)
    images[rng.uniform(size=images.shape) < 0.1] = value  # any of the three channels
    result = fused(fusion, replace(flight, images=images), color=True)
    np.testing.assert_array_equal(result.heights, found.heights)
    assert np.sqrt(np.mean(np.square(errors(result, flight.truth)))) < 0.05


def test_a_hand_in_one_photograph(fusion: HeightMapFusion, flight: Flight, found: HeightMap) -> None:
    images = flight.images.copy()
    images[4, 20:50, 30:60] = (1.0, 0.0, 0.0)
    result = fused(fusion, replace(flight, images=images), color=True)
    assert np.nanmedian(np.abs(result.colors - flight.truth.colors)) < 1.5 * np.nanmedian(
        np.abs(found.colors - flight.truth.colors)
    )
