"""Every derivative of an alignment's residuals, against central differences and against the renderer's own."""

from dataclasses import replace

import numpy as np
import pytest
from moving_camera import CAMERA, along, drive, record, textured_ground
from scipy import ndimage

from glrender.frontend.comparison import photometric
from glrender.frontend.pyramid import Level, build_pyramid
from glrender.frontend.reference import ReferencePoints, depth_slopes, make_reference
from glrender.frontend.residuals import Exposure, geometric
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.gl.context import Context

EXPOSURE = Exposure(1.2, -0.05)
STEP = 1e-5
T_FRAME_REFERENCE = se3.exp((0.02, -0.03, 0.01, 0.02, 0.01, -0.03))


def plane_depth(
    T_world_camera: np.ndarray, tilt: tuple[float, float] = (0.1, -0.2), camera: Camera = CAMERA
) -> tuple[np.ndarray, np.ndarray]:
    """Depth and its slope of the plane z = tilt·(x, y), exactly."""
    n = T_world_camera[:3, :3].T @ np.array([-tilt[0], -tilt[1], 1.0])
    height = T_world_camera[2, 3] - np.dot(tilt, T_world_camera[:2, 3])
    facing = camera.rays() @ n
    return -height / facing, n / facing[..., None]


@pytest.fixture(scope="module")
def photograph() -> Level:
    """Of nothing in particular, but smooth."""
    v, u = np.mgrid[: CAMERA.height, : CAMERA.width]
    image = 0.5 + 0.2 * np.sin(0.31 * u + 0.1 * v) + 0.2 * np.cos(0.27 * v - 0.05 * u)
    return Level(CAMERA, image.astype(np.float32))


@pytest.fixture(scope="module")
def points(photograph: Level) -> ReferencePoints:
    depth, slope = plane_depth(drive(0.0))
    reference = make_reference((photograph,), depth.astype(np.float32), drive(0.0), slope.astype(np.float32), 300)
    return reference.levels[0]


def differences(value: np.ndarray, derivative: np.ndarray, plus: np.ndarray, minus: np.ndarray, step: float) -> float:
    """Length of the error over the length of the derivative, over what is there on all sides."""
    everywhere = ~np.isnan(value) & ~np.isnan(plus) & ~np.isnan(minus)
    assert everywhere.mean() > 0.5
    numeric = (plus - minus)[everywhere] / (2 * step)
    return float(np.linalg.norm(derivative[everywhere] - numeric) / np.linalg.norm(numeric))


@pytest.mark.parametrize("axis", range(3))
def test_what_a_photograph_shows_by_the_point(photograph: Level, points: ReferencePoints, axis: int) -> None:
    def at(step: float) -> tuple[np.ndarray, np.ndarray]:
        moved = replace(points, points=points.points + step * np.eye(3)[axis])
        _, found, _ = photometric(moved, photograph, np.eye(4), EXPOSURE)
        return found.intensity, found.gradient[:, axis]

    value, derivative = at(0.0)
    assert differences(value, derivative, at(STEP)[0], at(-STEP)[0], STEP) < 1e-3


@pytest.mark.parametrize("axis", range(6))
def test_intensities_by_the_twist_of_the_frame(photograph: Level, points: ReferencePoints, axis: int) -> None:
    def at(step: float) -> tuple[np.ndarray, np.ndarray]:
        T = se3.exp(step * np.eye(6)[axis]) @ T_FRAME_REFERENCE
        residuals, sighting, _ = photometric(points, photograph, T, EXPOSURE)
        return np.where(sighting.seen, residuals.value, np.nan), residuals.by[:, axis]

    value, derivative = at(0.0)
    assert differences(value, derivative, at(STEP)[0], at(-STEP)[0], STEP) < 1e-3


@pytest.mark.parametrize("axis", range(6))
def test_depths_by_the_twist_of_the_frame(points: ReferencePoints, axis: int) -> None:
    """On a plane; a pixel of the frame that is another one after the step is left out."""
    depth = plane_depth(drive(0.0) @ se3.inverse(T_FRAME_REFERENCE))[0].astype(np.float32) + np.float32(0.01)

    def at(step: float) -> tuple[np.ndarray, np.ndarray]:
        T = se3.exp(step * np.eye(6)[axis]) @ T_FRAME_REFERENCE
        residuals = geometric(points, depth, CAMERA, T)
        return np.where(residuals.weight > 0, residuals.value, np.nan), residuals.by[:, axis]

    value, derivative = at(0.0)
    plus, minus = at(STEP)[0], at(-STEP)[0]
    flipped = np.abs(plus - 2 * value + minus) > 1e-7
    assert flipped[~np.isnan(value)].mean() < 0.05
    assert differences(np.where(flipped, np.nan, value), derivative, plus, minus, STEP) < 3e-3  # of float32 depths
    np.testing.assert_allclose(value[~np.isnan(value)], 0.01, atol=1e-6)


def test_a_plane_is_the_same_plane_from_elsewhere(points: ReferencePoints) -> None:
    depth, slope = plane_depth(drive(0.0) @ se3.inverse(T_FRAME_REFERENCE))
    moved = points.seen_from(T_FRAME_REFERENCE)
    u, v = np.rint(CAMERA.project(moved.points)).astype(int).T
    np.testing.assert_allclose(moved.points[:, 2], depth[v, u], rtol=1e-6)
    np.testing.assert_allclose(moved.depth_slope, slope[v, u], rtol=1e-5, atol=1e-7)


def test_slopes_of_measured_depths_are_those_of_their_plane() -> None:
    depth, slope = plane_depth(drive(0.0))
    depth = depth.astype(np.float32)
    depth[40:44, 40:44] = 0
    depth[80:, :] += 0.3
    found = depth_slopes(CAMERA, depth)
    assert not found[36:48, 36:48].any()
    assert not found[78:82].any()
    np.testing.assert_allclose(found[10:30, 10:-10], slope[10:30, 10:-10], atol=2e-3)


def test_a_level_sees_what_the_one_before_it_sees(context: Context) -> None:
    recorded = record(context, textured_ground(0.0), along(drive, 1, 0.0), noise=0.0)
    pyramid = build_pyramid(CAMERA, recorded.photographs[0])
    assert [level.image.shape for level in pyramid] == [(120, 160), (60, 80), (30, 40)]
    fine, coarse = pyramid[:2]
    rays, expected = coarse.camera.rays()[5:-5, 5:-5].reshape(-1, 3), coarse.image[5:-5, 5:-5].ravel()
    n = len(rays)
    points = ReferencePoints(rays, expected.astype(float), np.zeros((n, 2)), np.zeros((n, 3)), np.zeros(n, np.int64))
    blurred = Level(fine.camera, ndimage.gaussian_filter(fine.image, 1.0))
    _, there, _ = photometric(points, blurred, np.eye(4), Exposure())
    np.testing.assert_allclose(there.intensity, expected, atol=0.02)
