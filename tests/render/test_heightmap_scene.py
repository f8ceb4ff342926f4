"""A height-map scene on which six independent renderers agree, and one triangle of PyTorch3D's.

z = 0.03 sin(3.1x + 0.5) cos(2.7y) + 0.02 sin(7.3xy + 1) + 0.01 cos(11(x - 0.3y)) on [-1, 1]², coloured
(0.5 + 0.4 sin(5x + 2y), 0.5 + 0.4 cos(4y - x), 0.5 + 0.3 sin(6xy)), seen from (0, -1.29, 1.3), pitched 50 degrees
down from +y, with a vertical field of view of 35 degrees. The loss is the sum of (I - 0.5)² over pixels and
channels and of (D - 1.5)² over pixels. The numbers below are those of a float64 reference whose gradients come
from automatic differentiation at fixed visibility; PyTorch3D reaches them to 3.5e-5, DRTK to 4.2e-5.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from passes import derivative_renderer

from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.render.buffers import DerivativeBuffers
from glrender.render.derivatives import DerivativeRenderer

REFERENCE = Path(__file__).parents[2] / "../shared/reference"
CAMERA = Camera(640, 480, 240 / np.tan(np.radians(17.5)), 240 / np.tan(np.radians(17.5)), 319.5, 239.5)


class Expected(NamedTuple):
    """Values of the loss and of its gradients to all vertex coordinates, to their z and to their colours."""

    image_loss: float
    depth_loss: float
    g_V: float
    """Euclidean norm."""
    g_z: float
    g_z_sum: float
    g_C: float


TABLE = {
    65: Expected(58514.30287, 38578.37430, 8732.56016, 6945.82727, -229830.01824, 6161.98011),
    129: Expected(58655.49868, 38578.54850, 4411.21058, 3501.48077, -229835.24109, 3116.44325),
    257: Expected(58690.83896, 38578.59596, 2215.55596, 1758.08130, -229839.89619, 1566.39682),
}
each_size = pytest.mark.parametrize("size", TABLE)


class Losses(NamedTuple):
    image: float
    depth: float
    g_V: np.ndarray
    """(vertices, 3)."""
    g_z: np.ndarray
    """(vertices,)."""
    g_C: np.ndarray
    """(vertices, 3)."""
    buffers: DerivativeBuffers


Evaluate = Callable[[int], Losses]


def scene(size: int) -> tuple[HeightMap, np.ndarray]:
    axis = np.linspace(-1, 1, size)
    x, y = np.meshgrid(axis, axis)
    z = 0.03 * np.sin(3.1 * x + 0.5) * np.cos(2.7 * y)
    z += 0.02 * np.sin(7.3 * x * y + 1) + 0.01 * np.cos(11 * (x - 0.3 * y))
    red, green, blue = 0.4 * np.sin(5 * x + 2 * y), 0.4 * np.cos(4 * y - x), 0.3 * np.sin(6 * x * y)
    colors = 0.5 + np.stack([red, green, blue], axis=-1)
    sine, cosine = np.sin(np.radians(50)), np.cos(np.radians(50))
    T_world_camera = np.eye(4)
    T_world_camera[:3, :3] = np.array([[1, 0, 0], [0, -sine, -cosine], [0, cosine, -sine]]).T
    T_world_camera[:3, 3] = 0, -1.29, 1.3
    return HeightMap(z, 2 / (size - 1), (-1, -1), colors), T_world_camera


@pytest.fixture(scope="module", params=["host", "compact"])
def losses(context: Context, request: pytest.FixtureRequest) -> Evaluate:
    """The losses of the scene at a size, and their gradients by this renderer, evaluated on the host and the GPU."""

    @cache
    def evaluate(size: int) -> Losses:
        surface, T_world_camera = scene(size)
        renderer = derivative_renderer(context, CAMERA, request.param)
        buffers = renderer.render(surface, T_world_camera)
        renderer.release()
        image_error = buffers.image.astype(np.float64) - 0.5
        depth_error = buffers.depth.astype(np.float64) - 1.5
        g_z = buffers.jacobian("depth", "height").T @ (2 * depth_error.ravel())
        g_z += buffers.jacobian("image", "height").T @ (2 * image_error.ravel())
        g_C = buffers.jacobian("image", "color").T @ (2 * image_error.ravel())
        # A vertex moves what is seen by its barycentric share of a translation of everything.
        assert buffers.pose is not None
        by_point = 2 * depth_error[..., None] * buffers.pose.depth_wrt_pose[..., :3]
        by_point += np.einsum("hwc,hwcd->hwd", 2 * image_error, buffers.pose.image_wrt_pose[..., :3])
        by_vertex = buffers.barycentric[..., None] * (by_point @ T_world_camera[:3, :3].T)[:, :, None]
        g_V = np.zeros((size * size, 3))
        np.add.at(g_V, buffers.vertex_ids.ravel(), by_vertex.reshape(-1, 3))
        image_loss, depth_loss = float(np.square(image_error).sum()), float(np.square(depth_error).sum())
        return Losses(image_loss, depth_loss, g_V, g_z, g_C.reshape(-1, 3), buffers)

    return evaluate


def vectors(size: int) -> dict[str, np.ndarray]:
    path = REFERENCE / f"heightmap_scene_{size}.npz"
    if not path.exists():
        pytest.skip(f"the reference vectors are not here: {path}")
    with np.load(path) as file:
        return dict(file)


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


@each_size
def test_the_map_fills_the_image(size: int, losses: Evaluate) -> None:
    assert losses(size).buffers.visible.all()


@each_size
def test_losses(size: int, losses: Evaluate) -> None:
    assert losses(size).image == pytest.approx(TABLE[size].image_loss, rel=1e-5)
    assert losses(size).depth == pytest.approx(TABLE[size].depth_loss, rel=1e-5)


@each_size
def test_gradient_norms(size: int, losses: Evaluate) -> None:
    found, expected = losses(size), TABLE[size]
    assert np.linalg.norm(found.g_z) == pytest.approx(expected.g_z, rel=1e-4)
    assert found.g_z.sum() == pytest.approx(expected.g_z_sum, rel=1e-4)
    assert np.linalg.norm(found.g_C) == pytest.approx(expected.g_C, rel=1e-4)
    assert np.linalg.norm(found.g_V) == pytest.approx(expected.g_V, rel=1e-4)


@each_size
def test_gradient_vectors(size: int, losses: Evaluate) -> None:
    found, expected = losses(size), vectors(size)
    assert relative(found.g_z, expected["g_V"][:, 2]) <= 1e-4
    assert relative(found.g_C, expected["g_C"]) <= 1e-4
    assert relative(found.g_V, expected["g_V"]) <= 1e-4


def test_image_and_depth(losses: Evaluate) -> None:
    found, expected = losses(65).buffers, vectors(65)
    np.testing.assert_allclose(found.depth, expected["depth"], rtol=0, atol=2e-5)
    np.testing.assert_allclose(found.image, expected["image"], rtol=0, atol=2e-4)
    assert np.abs(found.image - expected["image"]).mean() < 1e-6


def test_depths_of_one_triangle_seen_in_perspective(context: Context) -> None:
    """PyTorch3D's values for vertices (∓0.4, -0.4) at depth 10 and (0, 0.4) at depth 20, in an 11 x 11 image.

    Every triangle is the shadow of a right-angled one with equal legs, so this is a map of one triangle: with legs
    e1, e2, the map's up direction u has (e1·u)(e2·u) = e1·e2 and (e2·u)² - (e1·u)² = |e2|² - |e1|².
    """
    a, b, c = np.array([[-4.0, 4.0, 10.0], [4.0, 4.0, 10.0], [0.0, -8.0, 20.0]])  # depth times (x, -y, 1)
    e1, e2 = b - a, c - a
    normal = np.cross(e1, e2)
    if normal @ a > 0:
        a, e1, e2, normal = b, -e1, c - b, -normal
    root = np.sqrt(complex(e2 @ e2 - e1 @ e1, 2 * (e1 @ e2)))
    h1, h2 = root.imag, root.real
    within = np.linalg.solve(np.stack([e1, e2, normal]), [h1, h2, 0])
    u = within + np.sqrt(1 - within @ within) * normal / np.linalg.norm(normal)
    x, y = e1 - h1 * u, e2 - h2 * u
    spacing = float(np.linalg.norm(x))
    T_camera_map = np.eye(4)
    T_camera_map[:3] = np.stack([x / spacing, y / spacing, u, a], axis=1)
    surface = HeightMap(np.array([[0, h1], [h2, np.nan]]), spacing, T_world_map=T_camera_map)
    renderer = DerivativeRenderer(context, Camera(11, 11, 5.5, 5.5, 5, 5))
    depth = renderer.render(surface, np.eye(4)).depth
    renderer.release()
    np.testing.assert_allclose(depth[3:8, 5], [19.1304, 15.7143, 13.3333, 11.5789, 10.2326], rtol=1e-5)
    for row in depth:
        assert len(set(np.round(row[row > 0], 4))) <= 1
    assert not depth[:3].any()
    assert not depth[8:].any()
