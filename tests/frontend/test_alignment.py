"""Where a camera was, from one photograph with depth and another."""

import numpy as np
import pytest
from moving_camera import CAMERA, Recorded, along, drive, record, textured_ground, twist_between

from glrender.errors import InputError
from glrender.frontend.alignment import Alignment, PosePrior, align
from glrender.frontend.pyramid import build_pyramid
from glrender.frontend.reference import Reference, depth_slopes, make_reference
from glrender.geometry import se3
from glrender.gl.context import Context

START = se3.exp((0.01, -0.01, 0.005, 0.01, -0.01, 0.01))


@pytest.fixture(scope="module")
def recorded(context: Context) -> Recorded:
    """Four photographs, 5 cm apart."""
    return record(context, textured_ground(0.06), along(drive, 4, 0.5))


def reference_of(recorded: Recorded, k: int = 0) -> Reference:
    return make_reference(
        build_pyramid(CAMERA, recorded.photographs[k]), recorded.depths[k], recorded.poses[k], recorded.slopes[k]
    )


def aligned(recorded: Recorded, k: int = 2, image: np.ndarray | None = None, **options: object) -> Alignment:
    pyramid = build_pyramid(CAMERA, recorded.photographs[k] if image is None else image)
    return align([reference_of(recorded)], pyramid, recorded.poses[k] @ START, **options)  # type: ignore[arg-type]


def error(found: Alignment, recorded: Recorded, k: int = 2) -> tuple[float, float]:
    """(metres, radians)."""
    off = twist_between(found.T_world_camera, recorded.poses[k])
    return float(np.linalg.norm(off[:3])), float(np.linalg.norm(off[3:]))


def test_the_pose_is_found(recorded: Recorded) -> None:
    found = aligned(recorded)
    assert found.converged
    assert found.correlation > 0.95
    assert found.inliers > 0.8
    assert 0.5 < found.overlap < 1
    metres, radians = error(found, recorded)
    assert metres < 1e-3
    assert radians < 1.5e-3


@pytest.mark.parametrize(("gain", "bias"), [(0.6, 0.02), (1.4, -0.1)])
def test_an_exposure_jump_changes_no_pose(recorded: Recorded, gain: float, bias: float) -> None:
    before = aligned(recorded)
    after = aligned(recorded, image=(recorded.photographs[2] - np.float32(bias)) / np.float32(gain))
    assert after.exposures[0].gain / before.exposures[0].gain == pytest.approx(gain, rel=1e-2)
    assert np.abs(twist_between(before.T_world_camera, after.T_world_camera)).max() < 1e-4


def test_what_moves_has_no_say(recorded: Recorded) -> None:
    image = recorded.photographs[2].copy()
    image[20:80, 30:80] = recorded.photographs[2][40:100, 90:140]
    found = aligned(recorded, image=image)
    assert found.inliers < aligned(recorded).inliers - 0.05
    metres, radians = error(found, recorded)
    assert metres < 2e-3
    assert radians < 3e-3


def test_depths_take_part(recorded: Recorded) -> None:
    """Of a sensor, whose own normals tell what its depths say; nothing is seen of the texture."""
    slopes = depth_slopes(CAMERA, recorded.depths[0], reach=2)
    flat = np.full(CAMERA.shape, 0.5, np.float32)
    grained = flat + 0.1 * np.random.default_rng(0).uniform(-1, 1, CAMERA.shape).astype(np.float32)
    reference = make_reference(build_pyramid(CAMERA, grained), recorded.depths[0], recorded.poses[0], slopes)
    rng = np.random.default_rng(1)
    depth = (recorded.depths[2] + 0.001 * rng.normal(size=CAMERA.shape) * (recorded.depths[2] > 0)).astype(np.float32)
    start = recorded.poses[2] @ se3.exp((0, 0, 0.02, 0.02, 0.01, 0))
    found = align([reference], build_pyramid(CAMERA, flat), start, depth=depth, coarsest=1)
    assert found.depth_sigma == pytest.approx(0.001, rel=0.8)
    off = twist_between(found.T_world_camera, recorded.poses[2])
    # How far away and how tilted the ground is; hardly where on it, which its relief of 6 cm tells a little.
    normal = recorded.poses[2][2, :3]
    assert abs(off[:3] @ normal) < 2e-3
    assert np.linalg.norm(np.cross(off[3:], normal)) < 4e-3


def test_a_prior_stands_where_nothing_is_seen(recorded: Recorded) -> None:
    prior = PosePrior(recorded.poses[2], np.diag([1e-4] * 3 + [4e-4] * 3))
    flat = np.full(CAMERA.shape, 0.5, np.float32)
    found = align([reference_of(recorded)], build_pyramid(CAMERA, flat), recorded.poses[2] @ START, prior=prior)
    assert np.abs(twist_between(found.T_world_camera, prior.T_world_camera)).max() < 1e-6
    np.testing.assert_allclose(found.covariance, prior.covariance, rtol=1e-3, atol=1e-9)
    assert found.correlation == pytest.approx(0.0, abs=1e-6)


def test_a_prior_and_an_image_share_the_say(recorded: Recorded) -> None:
    free = aligned(recorded)
    sigma = np.sqrt(free.covariance[5, 5])
    off = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 4 * sigma])
    covariance = np.diag([1.0] * 5 + [sigma**2])
    held = aligned(recorded, prior=PosePrior(free.T_world_camera @ se3.exp(off), covariance))
    moved = twist_between(free.T_world_camera, held.T_world_camera)[5]
    assert abs(moved) == pytest.approx(2 * sigma, rel=0.5)
    assert held.covariance[5, 5] < 0.7 * free.covariance[5, 5]


def test_two_references_know_more_than_one(recorded: Recorded) -> None:
    pyramid = build_pyramid(CAMERA, recorded.photographs[2])
    both = align([reference_of(recorded, 0), reference_of(recorded, 1)], pyramid, recorded.poses[2] @ START)
    assert len(both.exposures) == 2
    assert np.trace(both.covariance) < np.trace(aligned(recorded).covariance)
    assert max(error(both, recorded)) < 1.5e-3


def test_covariances_are_honest(context: Context) -> None:
    """The normalised squared error has 6 degrees of freedom, over many places and noises."""
    ground = textured_ground(0.06)
    squares = []
    for seed in range(8):
        at = 0.2 * seed
        poses = np.stack([drive(at + t) @ se3.exp(0.02 * np.random.default_rng(seed).normal(size=6)) for t in (0, 0.2)])
        recorded = record(context, ground, poses)
        for a, b in ((0, 1), (1, 0)):
            pyramid = build_pyramid(CAMERA, recorded.photographs[b])
            found = align([reference_of(recorded, a)], pyramid, poses[b] @ START)
            off = twist_between(found.T_world_camera, poses[b])
            squares.append(off @ np.linalg.solve(found.covariance, off))
    assert 3 < np.mean(squares) < 12, squares


def test_nothing_to_align_with_is_refused(recorded: Recorded) -> None:
    with pytest.raises(InputError, match="no reference"):
        align([], build_pyramid(CAMERA, recorded.photographs[0]), recorded.poses[0])
