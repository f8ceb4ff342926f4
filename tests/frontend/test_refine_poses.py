"""Poses that are off by more than a pixel, refined together by points that their photographs share."""

from itertools import pairwise

import cv2
import numpy as np
import pytest
from moving_camera import CAMERA, Recorded, along, drive, record, refine_twice, textured_ground, twist_between

from glrender.errors import InputError
from glrender.frontend.bundle_adjustment import BundlePrior
from glrender.frontend.point_matches import Corners, find_corners, without_corners
from glrender.frontend.refine_poses import RefinedPoses, refine_poses
from glrender.geometry import se3
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context

FRAMES = 10
SIGMA = (0.006, 0.006)
"""One pixel of these photographs is 7 mrad, or 5 mm on the ground."""
MOUNT = np.array([0.01, -0.005, 0.0, 0.03, -0.02, 0.02])


@pytest.fixture(scope="module")
def recorded(context: Context) -> Recorded:
    return record(context, textured_ground(0.06), along(drive, FRAMES, 1.2))


@pytest.fixture(scope="module")
def photographs(recorded: Recorded) -> list[Corners]:
    return [find_corners(CAMERA, each) for each in recorded.photographs]


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


def level(poses: np.ndarray, truth: HeightMap) -> np.ndarray:
    """(N, 3): the mean height of the ground, as each camera sees it."""
    below = poses[:, 2, 3] - np.nanmean(truth.heights)
    return -poses[:, 2, :3] / below[:, None]


@pytest.fixture(scope="module")
def refined(recorded: Recorded, photographs: list[Corners], given: np.ndarray) -> RefinedPoses:
    return refine_twice(CAMERA, photographs, given, level(given, recorded.truth), SIGMA)


def test_motions_become_right_to_a_fraction_of_a_pixel(
    recorded: Recorded, given: np.ndarray, refined: RefinedPoses
) -> None:
    before, after = relative(given, recorded), relative(refined.poses, recorded)
    assert all(each.converged for each in refined.rounds)
    assert refined.alone == ()
    assert refined.matched > 2000
    assert np.sqrt(np.mean(after[:, 3:] ** 2)) < 0.1 * np.sqrt(np.mean(before[:, 3:] ** 2))
    assert np.sqrt(np.mean(after[:, :3] ** 2)) < 0.1 * np.sqrt(np.mean(before[:, :3] ** 2))


def test_the_strain_tells_that_poses_were_worse_than_said(given: np.ndarray, refined: RefinedPoses) -> None:
    last = refined.rounds[-1]
    assert 0.4 < last.strain < 1.5
    said = np.repeat(1 / np.square(np.array(SIGMA) / 6), 3)
    stricter = BundlePrior(given, np.tile(np.diag(said), (FRAMES, 1, 1)), np.eye(6))
    assert stricter.strain(last.state) == pytest.approx(6 * last.strain, rel=0.3)
    # Of the mount alone, which all poses share.
    firm = BundlePrior(given, np.tile(1e-6 * np.eye(6), (FRAMES, 1, 1)), 1e6 * np.eye(6))
    assert firm.strain(last.state) > 10


@pytest.mark.parametrize("times", [1, 8])
def test_how_well_poses_are_known_is_told_whatever_was_said(
    recorded: Recorded, photographs: list[Corners], times: int
) -> None:
    noise = np.repeat(SIGMA, 3) * np.random.default_rng(4).normal(size=(FRAMES, 6))
    poses = np.stack([T @ se3.exp(xi) for T, xi in zip(recorded.poses, noise, strict=True)])
    said = (times * SIGMA[0], times * SIGMA[1])
    found = refine_twice(CAMERA, photographs, poses, level(poses, recorded.truth), said, mounted=False)
    np.testing.assert_allclose(found.rounds[-1].given_sigma, SIGMA, rtol=0.35)


def test_what_all_poses_had_wrong_is_found(recorded: Recorded, photographs: list[Corners], given: np.ndarray) -> None:
    """As well as the positions tell: they are the better known here."""
    known = given.copy()
    known[:, :3, 3] = (recorded.poses @ se3.exp(MOUNT))[:, :3, 3]
    found = refine_twice(CAMERA, photographs, known, level(known, recorded.truth), (0.0005, SIGMA[1]))
    np.testing.assert_allclose(found.rounds[-1].state.mount[3:], MOUNT[3:], atol=8e-3)
    assert np.abs(off(found.poses, recorded)[:, 3:]).max() < 8e-3


def test_covariances_are_honest_about_motions_and_places(recorded: Recorded, refined: RefinedPoses) -> None:
    error = off(refined.poses, recorded)
    sigma = np.sqrt(np.diagonal(refined.rounds[-1].ground.poses, axis1=1, axis2=2))
    assert 0.4 < np.sqrt(np.mean((error / sigma) ** 2)) < 2.0


def test_exact_rotations_are_kept_and_noise_of_positions_averages_out(
    recorded: Recorded, photographs: list[Corners]
) -> None:
    noisy = recorded.poses.copy()
    noisy[:, :3, 3] += 0.01 * np.random.default_rng(5).normal(size=(FRAMES, 3))
    planes = level(noisy, recorded.truth)
    found = refine_twice(CAMERA, photographs, noisy, planes, (0.01, 1e-6), mounted=False)
    error = found.poses[:, :3, 3] - recorded.poses[:, :3, 3]
    given = noisy[:, :3, 3] - recorded.poses[:, :3, 3]
    np.testing.assert_allclose(found.poses[:, :3, :3], recorded.poses[:, :3, :3], atol=1e-4)
    shift = found.rounds[-1].shift
    np.testing.assert_allclose(np.sqrt(shift[0, 0]), 0.01 / np.sqrt(FRAMES), rtol=0.3)
    # What all share is the mean of the noise, and cannot be told; beside it next to nothing is left.
    assert np.linalg.norm(error.mean(axis=0) - given.mean(axis=0)) < 0.5e-3
    assert np.sqrt(np.mean(np.square(error - error.mean(axis=0)))) < 0.15 * 0.01


def test_photographs_between_tell_where_all_of_them_are(recorded: Recorded, photographs: list[Corners]) -> None:
    """Only every third has corners; the noise of all averages out."""
    noisy = recorded.poses.copy()
    noisy[:, :3, 3] += 0.01 * np.random.default_rng(5).normal(size=(FRAMES, 3))
    prepared = [
        each if k % 3 == 0 else without_corners(photograph)
        for k, (each, photograph) in enumerate(zip(photographs, recorded.photographs, strict=True))
    ]
    found = refine_twice(CAMERA, prepared, noisy, level(noisy, recorded.truth), (0.01, 1e-6), mounted=False)
    assert found.alone == ()
    error = found.poses[:, :3, 3] - recorded.poses[:, :3, 3]
    given = noisy[:, :3, 3] - recorded.poses[:, :3, 3]
    assert np.linalg.norm(error.mean(axis=0) - given.mean(axis=0)) < 0.5e-3
    assert np.sqrt(np.mean(np.square(error - error.mean(axis=0)))) < 0.15 * 0.01


def test_a_photograph_of_something_else_stays_where_it_was(
    recorded: Recorded, photographs: list[Corners], given: np.ndarray
) -> None:
    away = given.copy()
    away[-1, :3, 3] += (5.0, 0.0, 0.0)
    found = refine_twice(CAMERA, photographs, away, level(away, recorded.truth), SIGMA)
    assert found.alone == (FRAMES - 1,)
    np.testing.assert_allclose(twist_between(found.poses[-1], away[-1]), found.rounds[-1].state.mount, atol=1e-5)


def test_a_photograph_in_which_others_are_found_by_chance_alone_stays_where_it_was(
    recorded: Recorded, photographs: list[Corners], given: np.ndarray
) -> None:
    """As crowns of trees are: some corners always look like one of theirs, and lead back to where they began."""
    leaves = cv2.GaussianBlur(np.random.default_rng(6).normal(size=CAMERA.shape), (0, 0), 1.5)
    leaves = (0.4 + 0.15 * leaves / leaves.std()).astype(np.float32)
    among = [*photographs[:-1], find_corners(CAMERA, leaves)]
    found = refine_twice(CAMERA, among, given, level(given, recorded.truth), (0.1, 0.1), mounted=False)
    assert found.alone == (FRAMES - 1,)
    np.testing.assert_allclose(found.poses[-1], given[-1], atol=1e-9)


def test_wrong_numbers_are_refused(recorded: Recorded, photographs: list[Corners], given: np.ndarray) -> None:
    planes = level(given, recorded.truth)
    with pytest.raises(InputError, match="poses"):
        refine_poses(CAMERA, photographs, given[:3], planes, SIGMA)
    with pytest.raises(InputError, match="planes"):
        refine_poses(CAMERA, photographs, given, planes[:3], SIGMA)
    with pytest.raises(InputError, match="at least two"):
        refine_poses(CAMERA, photographs[:1], given[:1], planes[:1], SIGMA)


def test_photographs_of_nothing_common_are_refused(
    recorded: Recorded, photographs: list[Corners], given: np.ndarray
) -> None:
    apart = given.copy()
    apart[:, 0, 3] += 10.0 * np.arange(FRAMES)
    with pytest.raises(InputError, match="shows a point of another"):
        refine_poses(CAMERA, photographs, apart, level(apart, recorded.truth), SIGMA)
