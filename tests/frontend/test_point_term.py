"""Where points of one photograph are in others, by poses, inverse depths and the camera, against differences."""

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
RATES = np.random.default_rng(3).normal(size=(3, 6))
DEPTHS = np.random.default_rng(1).uniform(1.0, 2.0, size=12)


def looked_for(camera: Camera = CAMERA) -> Matches:
    """Corners of the first of three photographs, which the others show at pixel (0, 0)."""
    return Matches(0, (1, 2), camera.rays_through(CORNERS), np.zeros((2, 12, 2)), np.ones((2, 12), bool))


def viewed(poses: np.ndarray = POSES, w: np.ndarray = DEPTHS, camera: Camera = CAMERA) -> Views:
    return Views.of(camera, looked_for(camera), w, poses, RATES)


def predicted(poses: np.ndarray = POSES, w: np.ndarray = DEPTHS, camera: Camera = CAMERA) -> np.ndarray:
    """(2, 12, 2) pixels."""
    return -viewed(poses, w, camera).off


def row_by_row(step: float) -> np.ndarray:
    """`predicted` where every row is exposed later than that before it, each point by itself."""
    seen = predicted()
    late = lambda v: step * (v - CAMERA.cy) / CAMERA.height  # noqa: E731
    pixels = np.empty_like(seen)
    for n in range(12):
        for f in range(2):
            poses = POSES.copy()
            poses[0] = poses[0] @ se3.exp(-late(CORNERS[n, 1]) * RATES[0])
            poses[1 + f] = poses[1 + f] @ se3.exp(-late(seen[f, n, 1]) * RATES[1 + f])
            pixels[f, n] = predicted(poses)[f, n]
    return pixels


def bent(step: float) -> np.ndarray:
    """`predicted` where the lens bends rays (x, y) to (1 + step |(x, y)|²) (x, y)."""
    lens, centre = np.array([CAMERA.fx, CAMERA.fy]), np.array([CAMERA.cx, CAMERA.cy])
    matches = looked_for()
    rays = matches.rays.copy()
    rays[:, :2] *= 1 - step * np.square(rays[:, :2]).sum(axis=1, keepdims=True)
    seen = (-Views.of(CAMERA, replace(matches, rays=rays), DEPTHS, POSES, RATES).off - centre) / lens
    return seen * (1 + step * np.square(seen).sum(axis=-1, keepdims=True)) * lens + centre


def moved(unknown: int, step: float) -> np.ndarray:
    """`predicted` where one of the 6 · 3 twists, or then the focal length, how late rows are, or k1 is changed."""
    if unknown == 20:
        return bent(step)
    if unknown == 18:
        return predicted(camera=replace(CAMERA, fx=CAMERA.fx * np.exp(step), fy=CAMERA.fy * np.exp(step)))
    if unknown == 19:
        return row_by_row(step)
    poses = POSES.copy()
    twist = np.zeros(6)
    twist[unknown % 6] = step
    poses[unknown // 6] = poses[unknown // 6] @ se3.exp(-twist)
    return predicted(poses)


def by_all(views: Views) -> np.ndarray:
    """(2, 12, 2, 21): the derivatives by all three twists, the focal length, how late rows are, and k1."""
    J, _ = derivatives(CAMERA, looked_for(), views, DEPTHS)
    full = np.zeros((2, 12, 2, 21))
    full[..., :6], full[..., 18:] = J[..., :6], J[..., 12:]
    for f in range(2):
        full[f, ..., 6 + 6 * f : 12 + 6 * f] = J[f, ..., 6:12]
    return full


@pytest.mark.parametrize("unknown", range(21))
def test_derivatives_are_differences(unknown: int) -> None:
    J = by_all(viewed())
    differences = (moved(unknown, STEP) - moved(unknown, -STEP)) / (2 * STEP)
    assert np.abs(differences).max() > 0.5
    np.testing.assert_allclose(J[..., unknown], differences, rtol=1e-6, atol=1e-5)


def test_derivatives_by_inverse_depth_are_differences() -> None:
    _, by_depth = derivatives(CAMERA, looked_for(), viewed(), DEPTHS)
    differences = (predicted(w=DEPTHS + STEP) - predicted(w=DEPTHS - STEP)) / (2 * STEP)
    assert np.abs(differences).min(axis=(0, 1)).max() > 0.1
    np.testing.assert_allclose(by_depth, differences, rtol=1e-6, atol=1e-6)


def test_elimination_gives_the_joint_solution() -> None:
    """Of the whole least squares problem, with every inverse depth an unknown like the others."""
    exact = replace(looked_for(), pixels=predicted() + np.random.default_rng(2).normal(scale=0.1, size=(2, 12, 2)))
    views = Views.of(CAMERA, exact, DEPTHS, POSES, RATES)
    term = point_term(CAMERA, exact, views, DEPTHS, sigma=1e3)  # so large that all weights are 1
    _, by_depth = derivatives(CAMERA, exact, views, DEPTHS)
    dense = np.zeros((2, 12, 2, 21 + 12))
    dense[..., :21] = by_all(views)
    dense[:, np.arange(12), :, 21 + np.arange(12)] = by_depth.swapaxes(0, 1)
    dense = dense.reshape(-1, 33) / 1e3
    prior = np.diag(np.r_[np.full(21, 1e-2), np.zeros(12)])
    joint = np.linalg.solve(dense.T @ dense + prior, dense.T @ views.off.ravel() / 1e3)
    reduced = np.linalg.solve(term.matrix + prior[:21, :21], term.vector)
    np.testing.assert_allclose(reduced, joint[:21], rtol=1e-6, atol=1e-12)
    without_focal = np.linalg.solve((term.matrix + prior[:21, :21])[:18, :18], term.vector[:18])
    joint = np.linalg.solve((dense.T @ dense + prior)[np.ix_(KEPT, KEPT)], (dense.T @ views.off.ravel() / 1e3)[KEPT])
    np.testing.assert_allclose(term.steps(without_focal.reshape(3, 6)), joint[18:], rtol=1e-6, atol=1e-12)


KEPT = np.r_[0:18, 21:33]
"""Unknowns but for those of the camera."""
