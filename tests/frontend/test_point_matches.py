"""What a photograph would look like from elsewhere, over a surface through its points."""

import numpy as np
from flights import camera_of
from scipy.interpolate import RegularGridInterpolator

from glrender.frontend import point_matches
from glrender.frontend.point_matches import surface_through
from glrender.geometry import se3

CAMERA = camera_of(160)
PLANE = np.array([0.1, 0.5, 1.2])
T_CAMERA_ANCHOR = se3.exp((0.2, -0.1, 0.15, 0.05, 0.02, -0.1))


def pixels() -> tuple[np.ndarray, np.ndarray]:
    v, u = np.mgrid[: CAMERA.height, : CAMERA.width]
    return u.astype(np.float64), v.astype(np.float64)


def rays(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return CAMERA.rays_through(np.stack([u, v], axis=-1))


def test_a_surface_stands_out_of_its_plane_between_knots_as_points_around_do() -> None:
    rng = np.random.default_rng(0)
    corners = rng.uniform((0, 0), (CAMERA.width - 1, CAMERA.height - 1), (80, 2))
    own = rays(*corners.T)
    w = own @ PLANE + 0.05 * np.sin(corners[:, 0] / 20)
    found = surface_through(CAMERA, corners, own, w, PLANE)
    height, width = CAMERA.shape
    step = 0.7 * np.sqrt(height * width / 300)
    knots = [np.linspace(0, size - 1, int(np.ceil(2 * size / step)) + 1) for size in (height, width)]
    apart = np.square(knots[0][:, None, None] - corners[:, 1]) + np.square(knots[1][:, None] - corners[:, 0])
    weights = np.exp(-0.5 * apart / step**2)
    standing = weights @ (w - own @ PLANE) / (weights.sum(axis=-1) + 0.1)
    u, v = pixels()
    expected = RegularGridInterpolator(knots, standing)((v, u)) + rays(u, v) @ PLANE
    np.testing.assert_allclose(found, np.maximum(expected, w.min()), atol=1e-5)
    assert np.ptp(expected - rays(u, v) @ PLANE) > 0.05
    assert (expected < w.min()).any()


def test_where_another_camera_sees_what_pixels_show() -> None:
    u, v = pixels()
    w = (rays(u, v) @ PLANE).astype(np.float32)
    w[:10] = 50.0  # so near that the other camera has it behind it
    turned = se3.exp((0.0, 0.0, -0.3, 0.0, 0.0, 0.0)) @ T_CAMERA_ANCHOR
    x, y, seen = point_matches._seen_from(CAMERA, turned, w)
    points = rays(u, v) / w[..., None] @ turned[:3, :3].T + turned[:3, 3]
    before = points[..., 2] > 0
    assert not before[:10].any()
    assert before[10:].all()
    expected = CAMERA.project(points[before])
    np.testing.assert_allclose(np.stack([x, y], axis=-1)[before], expected, rtol=1e-4, atol=1e-3)
    assert (x[~before] == -1).all()
    assert not seen[~before].any()
    edge = (CAMERA.width - 1, CAMERA.height - 1)
    clearly = ((np.abs(expected) > 1e-2) & (np.abs(expected - edge) > 1e-2)).all(axis=1)
    inside = ((expected >= 0) & (expected <= edge)).all(axis=1)
    np.testing.assert_array_equal(seen[before][clearly], inside[clearly])
    assert 0.3 < inside.mean() < 0.95
