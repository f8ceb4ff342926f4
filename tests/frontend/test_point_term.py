"""Where points of one photograph are in others, by poses, inverse depths and focal length, against differences."""

from dataclasses import replace

import numpy as np
import pytest
from moving_camera import CAMERA, drive

from glrender.frontend.point_matches import Matches
from glrender.frontend.point_term import Views, derivatives, point_term
from glrender.geometry import se3
from glrender.geometry.camera import Camera

STEP = 1e-6
POSES = np.stack([drive(t) for t in (0.0, 0.4, 0.9)])
CORNERS = np.random.default_rng(0).uniform((20, 20), (140, 100), size=(12, 2))
DEPTHS = np.random.default_rng(1).uniform(1.0, 2.0, size=12)


def looked_for(camera: Camera = CAMERA) -> Matches:
    """Corners of the first of three photographs, which the others show at pixel (0, 0)."""
    rays = np.column_stack([(CORNERS - (camera.cx, camera.cy)) / (camera.fx, camera.fy), np.ones(12)])
    return Matches(0, (1, 2), rays, np.zeros((2, 12, 2)), np.ones((2, 12), bool))


def predicted(poses: np.ndarray = POSES, w: np.ndarray = DEPTHS, camera: Camera = CAMERA) -> np.ndarray:
    """(2, 12, 2) pixels."""
    return -Views.of(camera, looked_for(camera), w, poses).off


def moved(unknown: int, step: float) -> np.ndarray:
    """`predicted` where one of the 6 · 3 twists, or then the focal length, is changed."""
    if unknown == 18:
        longer = replace(CAMERA, fx=CAMERA.fx * np.exp(step), fy=CAMERA.fy * np.exp(step))
        return predicted(camera=longer)
    poses = POSES.copy()
    twist = np.zeros(6)
    twist[unknown % 6] = step
    poses[unknown // 6] = poses[unknown // 6] @ se3.exp(-twist)
    return predicted(poses)


@pytest.mark.parametrize("unknown", range(19))
def test_derivatives_are_differences(unknown: int) -> None:
    J, _ = derivatives(CAMERA, looked_for(), Views.of(CAMERA, looked_for(), DEPTHS, POSES), DEPTHS)
    differences = (moved(unknown, STEP) - moved(unknown, -STEP)) / (2 * STEP)
    assert np.abs(differences).max() > 1
    np.testing.assert_allclose(J[..., unknown], differences, rtol=1e-6, atol=1e-5)


def test_derivatives_by_inverse_depth_are_differences() -> None:
    _, by_depth = derivatives(CAMERA, looked_for(), Views.of(CAMERA, looked_for(), DEPTHS, POSES), DEPTHS)
    differences = (predicted(w=DEPTHS + STEP) - predicted(w=DEPTHS - STEP)) / (2 * STEP)
    assert np.abs(differences).min(axis=(0, 1)).max() > 0.1
    np.testing.assert_allclose(by_depth, differences, rtol=1e-6, atol=1e-6)


def test_elimination_gives_the_joint_solution() -> None:
    """Of the whole least squares problem, with every inverse depth an unknown like the others."""
    exact = replace(looked_for(), pixels=predicted() + np.random.default_rng(2).normal(scale=0.1, size=(2, 12, 2)))
    views = Views.of(CAMERA, exact, DEPTHS, POSES)
    term = point_term(CAMERA, exact, views, DEPTHS, sigma=1e3)  # so large that all weights are 1
    J, by_depth = derivatives(CAMERA, exact, views, DEPTHS)
    dense = np.zeros((2, 12, 2, 19 + 12))
    dense[..., :19] = J
    dense[:, np.arange(12), :, 19 + np.arange(12)] = by_depth.swapaxes(0, 1)
    dense = dense.reshape(-1, 31) / 1e3
    prior = np.diag(np.r_[np.full(19, 1e-2), np.zeros(12)])
    joint = np.linalg.solve(dense.T @ dense + prior, dense.T @ views.off.ravel() / 1e3)
    reduced = np.linalg.solve(term.matrix + prior[:19, :19], term.vector)
    np.testing.assert_allclose(reduced, joint[:19], rtol=1e-6, atol=1e-12)
    without_focal = np.linalg.solve((term.matrix + prior[:19, :19])[:18, :18], term.vector[:18])
    joint = np.linalg.solve((dense.T @ dense + prior)[np.ix_(KEPT, KEPT)], (dense.T @ views.off.ravel() / 1e3)[KEPT])
    np.testing.assert_allclose(term.steps(without_focal.reshape(3, 6)), joint[18:], rtol=1e-6, atol=1e-12)


KEPT = np.r_[0:18, 19:31]
"""Unknowns but for the focal length."""
