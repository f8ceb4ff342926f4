"""Fusion with the normal equations made by compute shaders: the same map, and nothing left behind."""

import numpy as np
import pytest
from flights import Flight, fly, fused, rough_ground
from passes import need_compute

from glrender.errors import InputError, UsageError
from glrender.fusion.options import FusionOptions
from glrender.gl.context import Context


@pytest.fixture(scope="module")
def flight(context: Context) -> Flight:
    need_compute(context)
    return fly(context, rough_ground(), frames=9)


def test_it_is_the_map_of_the_host(context: Context, flight: Flight) -> None:
    maps = []
    for where in ("host", "gpu"):
        before = context.live_objects
        fusion = flight.fusion(context, equations=where)
        maps.append(fused(fusion, flight, color=True))
        assert (context.live_objects > before) == (where == "gpu")
        fusion.release()
        assert context.live_objects == before
    host, gpu = maps
    assert (np.isfinite(host.heights) ^ np.isfinite(gpu.heights)).mean() < 0.01
    # The robust scale of a frame is a median over all pixels there, and over every fourth one here.
    difference = np.abs(gpu.heights - host.heights) / host.sigma
    assert np.nanmedian(difference) < 0.05
    assert np.nanpercentile(difference, 95) < 0.3
    np.testing.assert_allclose(np.nanmedian(gpu.sigma / host.sigma), 1, atol=0.02)
    assert np.nanmedian(np.abs(gpu.colors - host.colors)) < 1e-3


def test_the_same_bits_again(context: Context, flight: Flight) -> None:
    runs = []
    for _ in range(2):
        fusion = flight.fusion(context, equations="gpu")
        runs.append(fused(fusion, flight, color=True))
        fusion.release()
    np.testing.assert_array_equal(runs[0].heights, runs[1].heights)
    np.testing.assert_array_equal(runs[0].sigma, runs[1].sigma)
    np.testing.assert_array_equal(runs[0].colors, runs[1].colors)


def test_only_the_last_frames_stay_on_the_gpu(context: Context, flight: Flight) -> None:
    fusion = flight.fusion(context, equations="gpu")
    live = []
    for k in range(18):
        n = k % len(flight.poses)
        fusion.integrate(flight.poses[n], depth=flight.depths[n], image=flight.images[n])
        live.append(context.live_objects)
    assert len(set(live[8:])) == 1
    fusion.release()


def test_elsewhere_is_refused(context: Context, flight: Flight) -> None:
    with pytest.raises(UsageError, match="equations: received 'cloud', expected one of 'gpu', 'host'"):
        flight.fusion(context, equations="cloud")
    assert FusionOptions().equations is None


def test_a_frame_that_fails_leaves_nothing_on_the_gpu(context: Context, flight: Flight) -> None:
    before = context.live_objects
    fusion = flight.fusion(context, equations="gpu")
    fusion.integrate(flight.poses[0], depth=flight.depths[0], image=flight.images[0])
    live = context.live_objects
    for _ in range(2):
        with pytest.raises(InputError, match="depth_sigma: .* measured pixels have a value that is not greater than 0"):
            fusion.integrate(flight.poses[1], depth=flight.depths[1], depth_sigma=np.zeros_like(flight.depths[1]))
        assert context.live_objects == live
    fusion.release()
    assert context.live_objects == before
