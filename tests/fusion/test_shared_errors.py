"""Whether sigma is right where whole frames are wrong: on flights over known ground, and against dense covariances."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from flights import Flight, fly, rough_ground
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array

from glrender.assembly.usable import usable_pixels
from glrender.errors import InputError
from glrender.fusion.shared_errors import PoseSigma, SharedErrors
from glrender.geometry import se3
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.render.derivatives import DerivativeRenderer
from glrender.solve.losses import Squared

EXACT = PoseSigma(0.0, 0.0)


def disturbed(flight: Flight, sigma: PoseSigma, seed: int, together: int = 1) -> Flight:
    """The flight with errors of its poses and depths that `together` frames in a row share."""
    rng = np.random.default_rng(seed)
    count = -(-len(flight.poses) // together)
    scale = np.repeat([sigma.translation, np.radians(sigma.rotation)], 3)
    twists = np.repeat(scale * rng.normal(size=(count, 6)), together, axis=0)
    offsets = np.repeat(sigma.depth_offset * rng.normal(size=count), together)
    poses = np.stack([T @ se3.exp(twist) for T, twist in zip(flight.poses, twists, strict=False)])
    depths = np.where(flight.depths > 0, flight.depths + offsets[: len(poses), None, None], 0)
    return replace(flight, poses=poses, depths=depths.astype(np.float32))


@dataclass(frozen=True, eq=False)
class Outcome:
    """A map, and what its fusion says of its frames."""

    flight: Flight
    surface: HeightMap
    shared: SharedErrors

    @property
    def ratio(self) -> NDArray[np.float64]:
        """(4, cells / 4): errors over their sigma, in quarters from the smallest sigma to the largest."""
        assert self.surface.sigma is not None
        known = np.isfinite(self.surface.sigma)
        error = np.abs(self.surface.heights - self.flight.truth.heights)[known]
        order = np.argsort(self.surface.sigma[known])
        ratio = (error / self.surface.sigma[known])[order]
        return ratio[: len(ratio) // 4 * 4].reshape(4, -1)


def outcome(context: Context, flight: Flight, **options: object) -> Outcome:
    fusion = flight.fusion(context, **options)
    for pose, depth in zip(flight.poses, flight.depths, strict=True):
        fusion.integrate(pose, depth=depth)
    surface = fusion.map()
    fusion.release()
    assert fusion.shared is not None
    return Outcome(flight, surface, fusion.shared)


@pytest.fixture(scope="module")
def flights(context: Context) -> list[Flight]:
    truth = rough_ground((0.8, 0.64), 0.08, 0.02)
    return [fly(context, truth, width=96, frames=24, seed=seed) for seed in range(16)]


@pytest.mark.parametrize("given", [True, False])
def test_shares_within_sigma_in_every_quartile(context: Context, flights: list[Flight], given: bool) -> None:
    """A frame's errors move all of its cells together, so that it takes several maps to tell 68 % from 60 %."""
    sigma = PoseSigma(0.001, 0.05)
    ratio = np.concatenate(
        [
            outcome(context, disturbed(flight, sigma, 100 + k), pose_sigma=sigma if given else None).ratio
            for k, flight in enumerate(flights)
        ],
        axis=1,
    )
    within_1, within_2 = (ratio < 1).mean(axis=1), (ratio < 2).mean(axis=1)
    np.testing.assert_allclose(within_1, 0.68, atol=0.05)
    np.testing.assert_allclose(within_2, 0.95, atol=0.03)


def test_the_noise_alone_explains_far_less(context: Context, flights: list[Flight]) -> None:
    flight = disturbed(flights[0], PoseSigma(0.002, 0.1), 100)
    assert (outcome(context, flight, pose_sigma=EXACT).ratio < 1).mean() < 0.4


def test_exact_poses_cost_nothing(context: Context, flights: list[Flight]) -> None:
    for flight in flights[:3]:
        estimated, exact = outcome(context, flight), outcome(context, flight, pose_sigma=EXACT)
        assert estimated.shared.intrinsics is None
        np.testing.assert_allclose(estimated.surface.sigma, exact.surface.sigma, rtol=0.01)


def test_sigmas_are_estimated(context: Context, flights: list[Flight]) -> None:
    sigma = PoseSigma(0.002, 0.1)
    found = [outcome(context, disturbed(flight, sigma, 100 + k)).shared for k, flight in enumerate(flights[:10])]
    assert np.mean([shared.shift.sigma for shared in found]) == pytest.approx(0.002, rel=0.25)
    assert np.mean([shared.tilt.sigma for shared in found]) == pytest.approx(np.radians(0.1), rel=0.1)
    assert all(shared.intrinsics is None for shared in found), "what is independent casts no doubt on the camera"


def test_errors_that_last_do_not_average_out(context: Context, flights: list[Flight]) -> None:
    sigma = PoseSigma(0.002, 0.05)
    independent, lasting = (
        [outcome(context, disturbed(flight, sigma, 7 + k, together)) for k, flight in enumerate(flights[:4])]
        for together in (1, 8)
    )
    assert np.mean([each.shared.shift.correlation for each in independent]) < 0.3
    assert min(each.shared.shift.correlation for each in lasting) > 0.5
    medians = [np.mean([np.nanmedian(each.surface.sigma) for each in group]) for group in (independent, lasting)]
    assert medians[1] > 1.5 * medians[0]
    assert (np.concatenate([each.ratio for each in lasting], axis=1) < 2).mean() > 0.9


def test_given_sigmas_give_the_dense_covariance(context: Context) -> None:
    """Of the linearised problem with each frame's errors as considered states, from the pixels' own derivatives."""
    flight = fly(context, rough_ground((0.6, 0.5), 0.06, 0.02), width=128, frames=16)
    sigma = PoseSigma(0.002, 0.1, 0.003)
    exact = outcome(context, flight, pose_sigma=EXACT, depth_loss=Squared())
    found = outcome(context, flight, pose_sigma=sigma, depth_loss=Squared())
    surface = flight.truth
    n = surface.heights.size
    information, through = csr_array((n, n)), np.zeros((n, n))
    scale = np.array([sigma.translation] * 3 + [np.radians(sigma.rotation)] * 3 + [sigma.depth_offset])
    renderer = DerivativeRenderer(context, flight.camera)
    for pose, depth in zip(flight.poses, flight.depths, strict=True):
        buffers = renderer.render(replace(surface, colors=None), pose)
        used = np.flatnonzero(usable_pixels(buffers, 20.0) & (depth > 0))
        weight = flight.noise.sigma(depth).ravel()[used].astype(np.float64) ** -2
        J = buffers.jacobian("depth", "height")[used]
        states = np.c_[buffers.jacobian("depth", "pose")[used], np.ones(len(used))]
        information = information + J.T @ diags_array(weight) @ J
        moved = J.T @ (weight[:, None] * states) * scale
        through += moved @ moved.T
    renderer.release()
    inverse = np.linalg.inv(information.toarray() + 1.0 * np.eye(n))
    dense = np.sqrt(np.diag(inverse @ through @ inverse)).reshape(surface.shape)
    assert exact.surface.sigma is not None
    known = np.isfinite(exact.surface.sigma) & (exact.surface.sigma < 0.003)
    assert known.mean() > 0.9
    ratio = np.sqrt(found.shared.variance)[known] / dense[known]
    assert np.median(ratio) == pytest.approx(1, abs=0.06)
    assert np.quantile(ratio, 0.05) > 0.75
    assert np.quantile(ratio, 0.95) < 1.35


def test_more_frames_average_more_of_it_however_they_are_logged(context: Context, flights: list[Flight]) -> None:
    flight = flights[0]
    often = replace(flight, poses=np.tile(flight.poses, (5, 1, 1)), depths=np.tile(flight.depths, (5, 1, 1)))
    sigma = PoseSigma(0.002, 0.1)
    once, five_times = (outcome(context, each, pose_sigma=sigma).shared.variance for each in (flight, often))
    assert np.median(five_times / once) == pytest.approx(1 / 5, rel=0.1)


def test_a_calibrated_camera_is_as_uncertain_as_the_frames_leave_it(context: Context, flights: list[Flight]) -> None:
    plain, calibrated = (
        outcome(context, flights[0]),
        outcome(context, flights[0], intrinsics_covariance=np.diag([4.0, 4.0, 9.0, 0.0])),
    )
    assert calibrated.shared.intrinsics is not None
    assert (np.sqrt(calibrated.shared.intrinsics.diagonal()) < 0.02 * flights[0].camera.width).all()
    known = np.isfinite(plain.surface.sigma)
    assert (calibrated.surface.sigma >= plain.surface.sigma)[known].all()
    assert set(calibrated.shared.report()["intrinsics_sigma"]) == {"fx", "fy", "cx", "cy"}


def test_a_calibration_that_knows_more_than_the_blocks_counts(context: Context, flights: list[Flight]) -> None:
    tight = outcome(context, flights[0], intrinsics_covariance=np.diag([1e-4, 1e-4, 4e-4, 4e-4]))
    np.testing.assert_allclose(np.sqrt(tight.shared.intrinsics.diagonal()), [0.01, 0.01, 0.02, 0.02])
    held = outcome(context, flights[0], intrinsics_covariance=np.diag([1e-4, 1e-4, 0.0, 0.0]))
    assert (np.sqrt(held.shared.intrinsics.diagonal())[2:] > 0.1).all(), "what was held is not known exactly"


def test_the_same_frames_give_the_same_sigma_wherever_the_map_lies(context: Context, flights: list[Flight]) -> None:
    flight = disturbed(flights[0], PoseSigma(0.002, 0.1), 3)
    T = se3.exp([300.0, -200.0, 10.0, 0.1, -0.2, 2.0])
    elsewhere = replace(flight, truth=replace(flight.truth, T_world_map=T), poses=T @ flight.poses)
    a, b = outcome(context, flight), outcome(context, elsewhere)
    np.testing.assert_array_equal(a.surface.sigma, outcome(context, flight).surface.sigma)
    np.testing.assert_allclose(b.surface.sigma, a.surface.sigma, rtol=0.02)


@pytest.mark.parametrize("sigma", [(-0.1, 0.0), (0.0, np.nan), (0.0, 0.0, np.inf), ("a", 0.0)])
def test_sigmas_that_are_none_are_refused(sigma: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="pose sigma"):
        PoseSigma(*sigma)
