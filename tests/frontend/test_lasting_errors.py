"""How long errors of given poses last, and what their mean then knows of a motion of all of them."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from scipy.signal import lfilter

from glrender.frontend.ground_errors import similarities
from glrender.frontend.lasting_errors import LastingErrors
from glrender.geometry import se3

COUNT = 60
SIGMA = np.repeat((0.02, 0.005), 3)
"""Of each pose, metres and radians."""
NONE = np.zeros((7, 7))
DRAWS = 24


def driven() -> np.ndarray:
    """(COUNT, 4, 4): a way of 6 m in an S, looking ahead."""
    s = np.linspace(0, 1, COUNT)
    heading = 1.5 * np.sin(2 * np.pi * s)
    places = np.cumsum(0.1 * np.stack([np.cos(heading), np.sin(heading), 0 * s], axis=1), axis=0)
    ahead = places + np.stack([np.cos(heading), np.sin(heading), 0 * s - 0.5], axis=1)
    return np.stack([se3.look_at(eye, target) for eye, target in zip(places, ahead, strict=True)])


POSES = driven()
MOTIONS = similarities(POSES)


def lasting(r: float) -> Callable[[np.random.Generator], np.ndarray]:
    """Along and about the axes of the world, each correlated with the next by r."""

    def draw(rng: np.random.Generator) -> np.ndarray:
        new = SIGMA * rng.normal(size=(COUNT + 200, 6))
        errors = lfilter([np.sqrt(1 - r**2)], [1, -r], new, axis=0)[200:]
        R = POSES[:, :3, :3]
        turned = [np.einsum("nji,nj->ni", R, part) for part in (errors[:, :3], errors[:, 3:])]
        return np.concatenate(turned, axis=1)

    return draw


def drifting(rng: np.random.Generator) -> np.ndarray:
    """Of a way whose steps are each off by something else."""
    found, given = [np.zeros(6)], POSES[0]
    for before, after in pairwise(POSES):
        given = given @ se3.inverse(before) @ after @ se3.exp(0.1 * SIGMA * rng.normal(size=6))
        found.append(se3.log(se3.inverse(after) @ given))
    return np.stack(found)


def told(off: np.ndarray) -> LastingErrors:
    """By what photographs leave of errors (COUNT, 6), which is all but a motion of all: poses are taken to be that far
    off, as after some rounds."""
    left = off - MOTIONS @ found(off)
    sigma = np.repeat([np.sqrt(np.square(part).mean()) for part in (left[:, :3], left[:, 3:])], 3)
    information = np.tile(np.diag(1 / np.square(sigma)), (COUNT, 1, 1))
    return LastingErrors.told(information, left, POSES, MOTIONS, NONE)


def found(off: np.ndarray) -> np.ndarray:
    """(7,): the motion of all that errors (COUNT, 6) are taken for, if each is a pose's own."""
    rows = (MOTIONS / SIGMA[:, None]).reshape(-1, 7)
    return np.linalg.lstsq(rows, (off / SIGMA).ravel(), rcond=None)[0]


def over_variances(draw: Callable[[np.random.Generator], np.ndarray], *, counted: bool) -> float:
    """Mean squares of motions over their variances, of many draws; 1 where these are honest."""
    squares = []
    for seed in range(DRAWS):
        off = draw(np.random.default_rng(seed))
        kind, motion = told(off), found(off)
        weighted = (kind.roots[..., None] * MOTIONS).reshape(-1, 7)
        covariance = np.linalg.inv(weighted.T @ weighted)
        if counted:
            covariance += kind.excess_of_motions(MOTIONS, NONE)
        squares.append(motion @ np.linalg.solve(covariance, motion) / 7)
    return float(np.mean(squares))


def test_errors_of_their_own_do_not_last() -> None:
    none = [not told(lasting(0.0)(np.random.default_rng(seed))).correlations.any() for seed in range(DRAWS)]
    assert np.mean(none) >= 0.95
    assert over_variances(lasting(0.0), counted=True) == pytest.approx(1.0, abs=0.2)


@pytest.mark.parametrize("r", [0.6, 0.8])
def test_how_long_errors_last_is_told(r: float) -> None:
    each = [told(lasting(r)(np.random.default_rng(seed))) for seed in range(DRAWS)]
    reach = np.median([1 / (1 - one.correlations) for one in each], axis=0)
    np.testing.assert_allclose(reach, 1 / (1 - r), rtol=0.3)
    assert over_variances(lasting(r), counted=False) > 2
    assert over_variances(lasting(r), counted=True) == pytest.approx(1.0, abs=0.35)


def test_a_way_that_drifts_is_known_as_badly_as_it_is() -> None:
    assert over_variances(drifting, counted=False) > 30
    assert over_variances(drifting, counted=True) == pytest.approx(1.0, abs=0.5)


@pytest.mark.parametrize("drifts", [False, True])
def test_what_sums_of_errors_vary_by_is_that_of_the_process(drifts: bool) -> None:
    """Against its covariance, all of it written out."""
    rng = np.random.default_rng(0)
    kind = told(drifting(rng) if drifts else lasting(0.8)(rng))
    r, scale = np.repeat(kind.correlations, 3), np.repeat(np.sqrt(kind.larger), 3)
    assert (r > 0.5).all()
    by_new = np.zeros((COUNT, 6, COUNT, 6))
    for k in range(COUNT):
        by_new[k, :, k] = np.diag(scale / kind.roots[k] * (np.sqrt(1 - r**2) if k else 1.0))
        if k:
            step = np.linalg.solve(kind.carried[k], kind.carried[k - 1]) * r
            by_new[k] += np.tensordot(step, by_new[k - 1], 1)
    by_new = by_new.reshape(6 * COUNT, -1)
    by = rng.normal(size=(COUNT, 6, 4))
    flat = by.reshape(-1, 4)
    expected = flat.T @ (by_new @ by_new.T - np.diag(1 / np.square(kind.roots).ravel())) @ flat
    np.testing.assert_allclose(kind.excess(by), expected, rtol=1e-8, atol=1e-10 * np.abs(expected).max())


def test_two_poses_tell_of_nothing_that_lasts() -> None:
    off = np.random.default_rng(1).normal(size=(2, 6))
    of_two = LastingErrors.told(np.tile(np.diag(1 / np.square(SIGMA)), (2, 1, 1)), off, POSES[:2], MOTIONS[:2], NONE)
    np.testing.assert_array_equal(of_two.correlations, [0, 0])


def test_far_from_the_origin_the_same_is_told() -> None:
    far = POSES.copy()
    far[:, :3, 3] += (5e5, 5e6, 300)
    off = drifting(np.random.default_rng(2))
    both = [
        LastingErrors.told(np.tile(np.diag(1 / np.square(SIGMA)), (COUNT, 1, 1)), off, poses, similarities(poses), NONE)
        for poses in (POSES, far)
    ]
    near, there = (kind.excess_of_motions(MOTIONS, NONE) for kind in both)
    np.testing.assert_allclose(there, near, rtol=1e-4, atol=1e-6 * np.abs(near).max())
