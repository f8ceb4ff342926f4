"""Poses that are off by more than a pixel, refined together about a map."""

from itertools import pairwise

import numpy as np
import pytest
from moving_camera import CAMERA, Recorded, along, drive, record, textured_ground, twist_between

from glrender.errors import InputError
from glrender.frontend.refine_poses import RefinedPoses, refine_poses
from glrender.geometry import se3
from glrender.gl.context import Context

FRAMES = 10
SIGMA = (0.006, 0.006)
"""One pixel of these photographs is 7 mrad, or 5 mm on the ground."""
MOUNT = np.array([0.01, -0.005, 0.0, 0.03, -0.02, 0.02])


@pytest.fixture(scope="module")
def recorded(context: Context) -> Recorded:
    return record(context, textured_ground(0.06), along(drive, FRAMES, 1.2))


def off(poses: np.ndarray, recorded: Recorded) -> np.ndarray:
    return np.stack([twist_between(a, b) for a, b in zip(poses, recorded.poses, strict=True)])


def relative(poses: np.ndarray, recorded: Recorded) -> np.ndarray:
    """(N - 1, 6): errors of the motions from frame to frame."""

    def motions(T: np.ndarray) -> np.ndarray:
        return np.stack([se3.inverse(a) @ b for a, b in pairwise(T)])

    return np.stack([twist_between(a, b) for a, b in zip(motions(poses), motions(recorded.poses), strict=True)])


@pytest.fixture(scope="module")
def given(recorded: Recorded) -> np.ndarray:
    """Each pose off by itself, and all of them alike: as though the camera sat otherwise on its carrier."""
    noise = np.repeat(SIGMA, 3) * np.random.default_rng(3).normal(size=(FRAMES, 6))
    return np.stack([T @ se3.exp(xi) @ se3.exp(MOUNT) for T, xi in zip(recorded.poses, noise, strict=True)])


@pytest.fixture(scope="module")
def refined(context: Context, recorded: Recorded, given: np.ndarray) -> RefinedPoses:
    return refine_poses(context, CAMERA, recorded.photographs, given, recorded.truth, SIGMA)


def test_motions_become_right_to_a_fraction_of_a_pixel(
    recorded: Recorded, given: np.ndarray, refined: RefinedPoses
) -> None:
    before, after = relative(given, recorded), relative(refined.poses, recorded)
    assert refined.converged
    assert refined.alone == ()
    assert np.sqrt(np.mean(after[:, 3:] ** 2)) < 0.1 * np.sqrt(np.mean(before[:, 3:] ** 2))
    assert np.sqrt(np.mean(after[:, :3] ** 2)) < 0.1 * np.sqrt(np.mean(before[:, :3] ** 2))
    assert refined.sigma_after < 0.5 * refined.sigma_before
    assert refined.moved_pixels > 0.5


def test_what_all_poses_had_wrong_is_found(recorded: Recorded, refined: RefinedPoses) -> None:
    rotation = off(refined.poses, recorded)[:, 3:]
    assert np.abs(rotation).max() < 4e-3
    np.testing.assert_allclose(refined.mount[3:], MOUNT[3:], atol=6e-3)


def test_covariances_are_honest_about_motions_and_places(recorded: Recorded, refined: RefinedPoses) -> None:
    error = off(refined.poses, recorded)
    sigma = np.sqrt(np.diagonal(refined.covariances, axis1=1, axis2=2))
    assert 0.4 < np.sqrt(np.mean((error / sigma) ** 2)) < 2.0


def test_a_photograph_of_something_else_stays_where_it_was(
    context: Context, recorded: Recorded, given: np.ndarray
) -> None:
    away = given.copy()
    away[-1, :3, 3] += (5.0, 0.0, 0.0)
    found = refine_poses(context, CAMERA, recorded.photographs, away, recorded.truth, SIGMA)
    assert found.alone == (FRAMES - 1,)
    np.testing.assert_allclose(twist_between(found.poses[-1], away[-1]), found.mount, atol=2e-3)


def test_wrong_numbers_are_refused(context: Context, recorded: Recorded, given: np.ndarray) -> None:
    with pytest.raises(InputError, match="poses"):
        refine_poses(context, CAMERA, recorded.photographs, given[:3], recorded.truth, SIGMA)
    with pytest.raises(InputError, match="at least two"):
        refine_poses(context, CAMERA, recorded.photographs[:1], given[:1], recorded.truth, SIGMA)
