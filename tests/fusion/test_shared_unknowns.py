"""The columns of the shared unknowns are the derivatives of what is rendered, and fit those of the heights."""

import numpy as np
import pytest
from numpy.typing import NDArray

from glrender.assembly.residuals import Residuals
from glrender.fusion.shared_unknowns import NAMES, SharedUnknowns, camera_velocity, linearize_frame, smooth_slopes
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.io.trajectory import Trajectory
from glrender.render.buffers import CompactBuffers
from glrender.render.derivatives import DerivativeRenderer

CAMERA = Camera(64, 48, 60.0, 57.0, 30.5, 24.5)
VELOCITY = np.array([0.3, -0.2, 0.1, 0.2, -0.1, 0.4])
T_WORLD_CAMERA = se3.look_at((0.2, -0.9, 1.1), (0.05, 0.0, 0.0))
STEPS = dict(zip(NAMES, (0.2, 0.2, 0.2, 0.2, 0.003, 0.003), strict=True))


def hills() -> HeightMap:
    """Smooth ground whose cells are finer than the pixels, in a frame of its own."""
    y, x = np.mgrid[-1.5:1.5:301j, -1.5:1.5:301j]
    T_world_map = se3.exp([0.02, -0.01, 0.03, 0.05, -0.08, 0.4])
    return HeightMap(0.08 * np.sin(3 * x) * np.cos(2 * y), 0.01, (-1.5, -1.5), T_world_map=T_world_map)


def render(context: Context, unknowns: SharedUnknowns) -> CompactBuffers:
    """What a camera sees that has moved on for `time_offset` seconds."""
    renderer = DerivativeRenderer(context, unknowns.camera(CAMERA))
    T_camera_world = se3.exp(VELOCITY * unknowns.time_offset) @ se3.inverse(T_WORLD_CAMERA)
    buffers = renderer.render(hills(), se3.inverse(T_camera_world), pose=False)
    renderer.release()
    assert isinstance(buffers, CompactBuffers)
    return buffers


def slopes_of(buffers: CompactBuffers) -> NDArray[np.float64]:
    surface = buffers.surface
    return smooth_slopes(surface.heights, surface.spacing, np.ones(surface.shape, bool))


def residuals_of(depth: NDArray[np.float64], seen: NDArray[np.bool_]) -> Residuals:
    """`depth` as residuals, all of weight 1."""
    values = np.where(seen, depth, 0).astype(np.float32)
    nothing = np.zeros((*CAMERA.shape, 0), np.float32)
    weight = seen.astype(np.float32)
    return Residuals(values, weight, nothing, np.zeros(CAMERA.shape, np.float32), 0.0, int(seen.sum()))


@pytest.mark.parametrize("name", NAMES)
def test_the_columns_are_derivatives(context: Context, name: str) -> None:
    """Against central differences: the residual that a change makes is what the equations attribute to it alone."""
    here = SharedUnknowns.of(CAMERA, 0.0)
    k, step = NAMES.index(name), STEPS[name]
    low, high = (SharedUnknowns(here.values + sign * step * np.eye(6)[k]) for sign in (-1, 1))
    images = [unknowns.depth_scale * render(context, unknowns).depth.astype(float) for unknowns in (low, high)]
    difference = (images[1] - images[0]) / (2 * step)
    buffers = render(context, here)
    assert buffers.edges is not None
    seen = buffers.visible & ~buffers.edges
    frame = linearize_frame(buffers, residuals_of(difference, seen), VELOCITY, 1.0, slopes_of(buffers))
    square = float(np.sum(np.square(difference[seen])))
    assert square > 0
    assert frame.vector[k] == pytest.approx(square, rel=0.02)
    assert frame.corner[k, k] == pytest.approx(square, rel=0.02)


def test_the_corner_is_symmetric_and_all_of_it_is_there(context: Context) -> None:
    buffers = render(context, SharedUnknowns.of(CAMERA, 0.0))
    frame = linearize_frame(buffers, residuals_of(buffers.depth, buffers.visible), VELOCITY, 1.0, slopes_of(buffers))
    np.testing.assert_allclose(frame.corner, frame.corner.T)
    assert (np.abs(frame.corner) > 0).all()
    assert (np.abs(frame.vector) > 0).all()
    assert all(np.any(part) for part in frame.border)


def test_the_border_is_that_of_the_heights(context: Context) -> None:
    """Raising all of the map is what raising each vertex sums up to."""
    buffers = render(context, SharedUnknowns.of(CAMERA, 0.0))
    raised = residuals_of(buffers.depth_factor.astype(float), buffers.visible)
    frame = linearize_frame(buffers, raised, VELOCITY, 1.0, slopes_of(buffers))
    np.testing.assert_allclose(frame.border.sum(axis=(1, 2, 3)), frame.vector, rtol=1e-4)
    np.testing.assert_allclose(
        frame.heights.vector.sum(), frame.heights.matvec(np.ones((301, 301, 1))).sum(), rtol=1e-4
    )


def test_pixels_of_no_weight_say_nothing(context: Context) -> None:
    buffers = render(context, SharedUnknowns.of(CAMERA, 0.0))
    frame = linearize_frame(
        buffers, residuals_of(buffers.depth, np.zeros(CAMERA.shape, bool)), VELOCITY, 1.0, slopes_of(buffers)
    )
    assert not frame.corner.any()
    assert not frame.vector.any()
    assert not frame.border.any()


class TestSmoothSlopes:
    y, x = np.mgrid[:20, :30] * 0.05
    plane = 0.3 * x - 0.2 * y

    def test_a_plane_has_its_own_up_to_the_border(self) -> None:
        slopes = smooth_slopes(self.plane + 2.0, 0.05, np.ones((20, 30), bool))
        np.testing.assert_allclose(slopes, np.broadcast_to([0.3, -0.2], (20, 30, 2)), atol=2e-3)

    def test_a_step_that_is_left_out_has_no_part_in_them(self) -> None:
        """As far as what is beside it is left out, two cells to each side."""
        stepped = self.plane + np.where(self.x > 0.72, 0.7, 0)
        known = np.abs(self.x - 0.725) > 0.1
        slopes = smooth_slopes(stepped, 0.05, known)
        np.testing.assert_allclose(slopes[known], np.broadcast_to([0.3, -0.2], (known.sum(), 2)), atol=2e-3)
        assert not slopes[~known].any()

    def test_too_little_for_a_plane_is_level(self) -> None:
        known = np.zeros((20, 30), bool)
        known[7, 8] = True
        np.testing.assert_allclose(smooth_slopes(self.plane, 0.05, known), 0, atol=1e-9)


class TestCameraVelocity:
    times = np.arange(0.0, 1.0, 0.05)

    def trajectory(self) -> Trajectory:
        """Along a twist, for ever the same."""
        T_camera_world = [se3.exp(VELOCITY * time) @ se3.inverse(T_WORLD_CAMERA) for time in self.times]
        return Trajectory(self.times, np.stack([se3.inverse(T) for T in T_camera_world]))

    @pytest.mark.parametrize("time", [0.0, 0.33, 0.5, 0.95])
    def test_a_steady_motion(self, time: float) -> None:
        np.testing.assert_allclose(camera_velocity(self.trajectory(), time), VELOCITY, atol=2e-3)

    def test_a_single_pose_stands_still(self) -> None:
        trajectory = Trajectory(np.array([0.5]), T_WORLD_CAMERA[None])
        np.testing.assert_array_equal(camera_velocity(trajectory, 0.5), np.zeros(6))
