"""Depths that bring their own standard deviations, as those from motion do: sparse, and of very different worth."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from flights import Flight, camera_of, fly, rough_ground
from numpy.typing import NDArray
from passes import need_compute

from glrender.errors import InputError, UsageError
from glrender.fusion.grid import Grid
from glrender.fusion.joint import JointProblem
from glrender.fusion.noise import DepthNoise
from glrender.fusion.posed_frame import PosedFrame
from glrender.fusion.seed import seed_heights
from glrender.fusion.weighting import Weighting
from glrender.geometry import se3
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.render.derivatives import DerivativeRenderer

ABOVE = se3.look_at((0.3, 0.2, 1.0), (0.3, 0.2, 0.0), (0, 1, 0))


@dataclass(frozen=True, eq=False)
class Sparse:
    """A flight of which a few pixels have a depth, with noise of 3 to 30 mm."""

    flight: Flight
    sigmas: NDArray[np.float32]
    """(N, height, width) metres."""


@pytest.fixture(scope="module")
def sparse(context: Context) -> Sparse:
    rng = np.random.default_rng(4)
    exact = fly(context, rough_ground((0.8, 0.6), 0.1, 0.0125), width=120, frames=16, noise=DepthNoise(1e-9, 0.0))
    clean = exact.depths
    sigmas = np.exp(rng.uniform(np.log(0.003), np.log(0.03), clean.shape)).astype(np.float32)
    known = (clean > 0) & (rng.uniform(size=clean.shape) < 0.3)
    depths = np.where(known, clean + sigmas * rng.normal(size=clean.shape), 0).astype(np.float32)
    return Sparse(replace(exact, depths=depths, noise=DepthNoise(0.015, 0.0)), sigmas)


@pytest.fixture(scope="module")
def flight(context: Context) -> Flight:
    return fly(context, rough_ground(), frames=7)


@pytest.fixture(params=["host", "gpu"])
def where(context: Context, request: pytest.FixtureRequest) -> str:
    if request.param == "gpu":
        need_compute(context)
    return str(request.param)


def fused(context: Context, flight: Flight, sigmas: NDArray[np.float32] | None, **options: object) -> HeightMap:
    fusion = flight.fusion(context, **options)
    for k, (pose, depth) in enumerate(zip(flight.poses, flight.depths, strict=True)):
        fusion.integrate(pose, depth=depth, depth_sigma=None if sigmas is None else sigmas[k])
    found = fusion.map()
    fusion.release()
    return found


def test_what_the_noise_model_says_pixel_by_pixel(context: Context, flight: Flight, where: str) -> None:
    by_model = fused(context, flight, None, equations=where)
    mistaken = replace(flight, noise=DepthNoise(1.0, 0.0))
    by_pixel = fused(context, mistaken, flight.noise.sigma(flight.depths), equations=where)
    known = np.isfinite(by_model.heights) & np.isfinite(by_pixel.heights)
    assert known.mean() > 0.9
    # Seeds count by their sigma now, which moves the point where a frame is linearised at first.
    assert np.max(np.abs(by_pixel.heights - by_model.heights)[known] / by_model.sigma[known]) < 0.5
    assert np.median(np.abs(by_pixel.heights - by_model.heights)[known] / by_model.sigma[known]) < 0.01
    # And which pixels are edges, of which single cells may have few others.
    ratio = by_pixel.sigma[known] / by_model.sigma[known]
    assert np.mean(np.abs(ratio - 1) > 0.05) < 2e-3
    np.testing.assert_allclose(ratio, 1, atol=0.2)


def test_what_is_uncertain_counts_for_less(context: Context, sparse: Sparse, where: str) -> None:
    truth = sparse.flight.truth.heights
    options = {"equations": where, "observed_ratio": 0.2}
    alike, weighed = (fused(context, sparse.flight, s, **options) for s in (None, sparse.sigmas))
    known = np.isfinite(alike.heights) & np.isfinite(weighed.heights)
    assert known.mean() > 0.8
    rms = [float(np.sqrt(np.mean(np.square(found.heights - truth)[known]))) for found in (alike, weighed)]
    assert rms[1] < 0.85 * rms[0]


def test_sigma_stays_calibrated_and_more_is_known_where_less_is_asked(context: Context, sparse: Sparse) -> None:
    """With cells as large as the noise, a lower `observed_ratio` keeps cells that the prior helps to know."""
    truth, shares = sparse.flight.truth.heights, []
    for ratio in (5.0, 0.5):
        found = fused(context, sparse.flight, sparse.sigmas, observed_ratio=ratio)
        known = np.isfinite(found.heights)
        error = np.abs(found.heights - truth)[known] / found.sigma[known]
        assert 0.63 < np.mean(error < 1) < 0.78
        assert 0.93 < np.mean(error < 2) < 0.99
        shares.append(known.mean())
    assert shares[1] > 0.9
    assert shares[1] > 1.1 * shares[0]


def test_infinite_sigma_is_no_measurement(context: Context, flight: Flight, where: str) -> None:
    silent = np.random.default_rng(5).uniform(size=flight.depths.shape) < 0.4
    sigmas = np.where(silent, np.inf, 0.005).astype(np.float32)
    left_out = replace(flight, depths=np.where(silent, 0, flight.depths).astype(np.float32))
    expected = fused(context, left_out, np.full_like(sigmas, 0.005), equations=where)
    found = fused(context, flight, sigmas, equations=where)
    np.testing.assert_array_equal(found.heights, expected.heights)
    np.testing.assert_array_equal(found.sigma, expected.sigma)


@pytest.mark.parametrize("nothing", [0.0, -1.0, np.nan])
def test_what_stands_where_nothing_was_measured_does_not_matter(
    context: Context, sparse: Sparse, where: str, nothing: float
) -> None:
    flight = replace(sparse.flight, poses=sparse.flight.poses[:2], depths=sparse.flight.depths[:2])
    marked = np.where(flight.depths > 0, sparse.sigmas[:2], np.float32(nothing))
    expected = fused(context, flight, sparse.sigmas[:2], equations=where)
    np.testing.assert_array_equal(fused(context, flight, marked, equations=where).heights, expected.heights)


def test_the_callers_array_is_its_own(context: Context, sparse: Sparse) -> None:
    flight, sigma = sparse.flight, np.empty_like(sparse.sigmas[0])
    fusion = flight.fusion(context)
    for k, (pose, depth) in enumerate(zip(flight.poses, flight.depths, strict=True)):
        sigma[:] = sparse.sigmas[k]
        fusion.integrate(pose, depth=depth, depth_sigma=sigma)
        sigma[:] = 1e-6
    np.testing.assert_array_equal(fusion.map().heights, fused(context, flight, sparse.sigmas).heights)
    fusion.release()


@pytest.mark.parametrize(
    ("sigma", "told"),
    [
        (np.ones((72, 95)), r"depth_sigma: received shape \(72, 95\), expected \(72, 96\)"),
        (0.01, r"depth_sigma: received shape \(\), expected \(72, 96\)"),
        (np.zeros((72, 96)), "depth_sigma: .* measured pixels have a value that is not greater than 0"),
        (np.full((72, 96), np.nan), "depth_sigma: .* measured pixels have a value that is not greater than 0"),
        (np.ones((72, 96), int), "depth_sigma: received int64, expected metres as float"),
    ],
)
def test_wrong_ones_are_refused_and_change_nothing(context: Context, flight: Flight, sigma: object, told: str) -> None:
    fusion = flight.fusion(context)
    with pytest.raises(InputError, match=told):
        fusion.integrate(flight.poses[0], depth=flight.depths[0], depth_sigma=sigma)  # type: ignore[arg-type]
    assert not fusion.observed.any()
    with pytest.raises(UsageError, match="depth_sigma without depth"):
        fusion.integrate(flight.poses[0], image=flight.images[0], depth_sigma=np.ones(flight.camera.shape))
    fusion.release()


class TestPosedFrames:
    depth = np.full(camera_of(64).shape, 0.98, np.float32)

    def test_a_frame_keeps_what_its_depths_are_worth(self) -> None:
        frame = PosedFrame(np.eye(4), self.depth, depth_sigma=np.full(self.depth.shape, 0.01))
        assert frame.depth_sigma is not None
        assert frame.depth_sigma.dtype == np.float32
        with pytest.raises(InputError, match="not greater than 0"):
            PosedFrame(np.eye(4), self.depth, depth_sigma=np.zeros_like(self.depth))
        with pytest.raises(UsageError, match="without depth"):
            PosedFrame(np.eye(4), depth_sigma=np.ones_like(self.depth))

    def test_all_frames_together_weigh_them_by_it(self, context: Context, flight: Flight) -> None:
        renderer = DerivativeRenderer(context, flight.camera)
        grid, x = flight.fusion(context).grid, flight.truth.heights[..., None]
        model, mistaken = Weighting(flight.noise), Weighting(DepthNoise(1.0, 0.0))
        plain = [PosedFrame(pose, depth) for pose, depth in zip(flight.poses, flight.depths, strict=True)]
        own = [replace(frame, depth_sigma=flight.noise.sigma(frame.depth)) for frame in plain]
        by_model = JointProblem(renderer, grid, plain, x, model).linearize(x)
        by_pixel = JointProblem(renderer, grid, own, x, mistaken).linearize(x)
        np.testing.assert_array_equal(by_pixel.stencil.matrix, by_model.stencil.matrix)
        renderer.release()

    def test_seeds_are_means_by_worth(self) -> None:
        """Two depths fall on one vertex; the one of a third of the sigma counts nine times."""
        grid, camera = Grid.covering((0.0, 0.6, 0.0, 0.4), 0.1, None), camera_of(64)
        depth, sigma = np.zeros_like(self.depth), np.full_like(self.depth, 0.03)
        depth[24, 31:33] = 0.9, 1.0
        sigma[24, 31] = 0.01
        means = grid.means(camera, ABOVE, depth, depth_sigma=sigma)[..., 0]
        (value,) = means[np.isfinite(means)]
        assert value == pytest.approx(0.9 * 0.1 + 0.1 * 0.0, abs=1e-6)
        frame = PosedFrame(ABOVE, depth, depth_sigma=sigma)
        np.testing.assert_allclose(seed_heights(grid, camera, [frame]), value)
