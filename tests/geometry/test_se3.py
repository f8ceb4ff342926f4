"""Rigid transformations against the matrix exponential."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.linalg import expm

from glrender.errors import InputError
from glrender.geometry import se3

vectors = arrays(np.float64, 3, elements=st.floats(-1, 1, allow_subnormal=False))
twists = arrays(np.float64, 6, elements=st.floats(-1.5, 1.5, allow_subnormal=False))


def generator(twist: np.ndarray) -> np.ndarray:
    """The 4x4 matrix whose exponential is the transformation, written out."""
    (vx, vy, vz), (x, y, z) = twist[:3], twist[3:]
    return np.array([[0, -z, y, vx], [z, 0, -x, vy], [-y, x, 0, vz], [0, 0, 0, 0]])


@given(vectors, vectors)
def test_hat_is_the_cross_product(a: np.ndarray, b: np.ndarray) -> None:
    np.testing.assert_allclose(se3.hat(a) @ b, np.cross(a, b), atol=1e-15)


@given(twists)
@settings(max_examples=50, deadline=None)
def test_exp_is_the_matrix_exponential_and_log_its_inverse(twist: np.ndarray) -> None:
    T = se3.exp(twist)
    np.testing.assert_allclose(T, expm(generator(twist)), atol=1e-12)
    np.testing.assert_allclose(se3.log(T), twist, atol=1e-9)


@pytest.mark.parametrize("angle", [0.0, 1e-12, 0.9e-5, 1.1e-5, 1e-4, 1.1e-4, 1e-2, 1.0, 3.0, np.pi - 1e-6, np.pi])
def test_every_angle_is_exact(angle: float) -> None:
    twist = np.concatenate([[1.0, -2.0, 3.0], angle * np.array([2.0, -1.0, 2.0]) / 3])
    T = se3.exp(twist)
    np.testing.assert_allclose(T, expm(generator(twist)), atol=2e-14)
    np.testing.assert_allclose(se3.exp(se3.log(T)), T, atol=1e-12)


def test_a_twist_is_translation_first_and_moves_points_by_v_plus_omega_cross_x() -> None:
    v, omega, X = np.array([0.3, -0.2, 0.5]), np.array([0.1, 0.4, -0.3]), np.array([1.0, 2.0, 3.0])
    h = 1e-6
    moved = (se3.exp(h * np.concatenate([v, omega])) @ np.append(X, 1))[:3]
    np.testing.assert_allclose((moved - X) / h, v + np.cross(omega, X), atol=1e-5)


@given(twists)
@settings(max_examples=25, deadline=None)
def test_inverse_undoes(twist: np.ndarray) -> None:
    T = se3.exp(twist)
    np.testing.assert_allclose(se3.inverse(T) @ T, np.eye(4), atol=1e-14)


def test_a_quaternion_has_its_real_part_last_and_any_length() -> None:
    T = se3.from_quaternion((1, 2, 3), (0, 0, 2, 2))  # a quarter turn about z
    np.testing.assert_allclose(T @ [1, 0, 0, 1], [1, 3, 3, 1], atol=1e-15)


def test_look_at_has_x_right_y_down_z_forward() -> None:
    T = se3.look_at((0, -2, 0), (0, 0, 0))
    np.testing.assert_allclose(T[:3, :3], np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]]).T, atol=1e-15)
    np.testing.assert_array_equal(T[:3, 3], [0, -2, 0])


@given(vectors, vectors)
@settings(max_examples=50, deadline=None)
def test_look_at_centres_its_target_and_keeps_up_upward(eye: np.ndarray, target: np.ndarray) -> None:
    if np.linalg.norm(target - eye) < 1e-6:
        return
    T = se3.look_at(eye, target)
    np.testing.assert_allclose(T[:3, :3] @ T[:3, :3].T, np.eye(3), atol=1e-9)
    assert np.linalg.det(T[:3, :3]) > 0
    seen = se3.inverse(T) @ np.append(target, 1)
    np.testing.assert_allclose(seen[:2], 0, atol=1e-9)
    assert seen[2] > 0
    assert T[2, 1] <= 1e-9  # the image's downward axis does not point up


@pytest.mark.parametrize(
    ("target", "up", "upward"),
    [((0, 0, -1), (0, 0, 1), (0, 1, 0)), ((0, 0, 1), (0, 0, 1), (0, 1, 0)), ((0, 1, 0), (0, 1, 0), (0, 0, 1))],
)
def test_a_view_along_up_takes_another_axis_as_up(target: tuple, up: tuple, upward: tuple) -> None:
    T = se3.look_at((0, 0, 0), target, up)
    np.testing.assert_allclose(T[:3, 1], -np.array(upward), atol=1e-15)
    np.testing.assert_allclose(T[:3, 2], target, atol=1e-15)


@given(arrays(np.int64, 3, elements=st.integers(-9, 9)).filter(np.any), st.sampled_from([1e-300, 1e-200, 1.0, 1e300]))
@settings(max_examples=200)
def test_the_shortest_turn_to_a_direction_of_any_length(direction: np.ndarray, length: float) -> None:
    R, goal = se3.shortest_turn(direction * length), direction / np.linalg.norm(direction)
    np.testing.assert_allclose(R[:, 2], goal, atol=1e-13)
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-13)
    assert np.linalg.det(R) > 0
    # By the shortest way, the angle is that between z and the goal.
    np.testing.assert_allclose((np.trace(R) - 1) / 2, goal[2], atol=1e-13)


def test_turns_of_nothing_and_of_half_a_turn() -> None:
    np.testing.assert_array_equal(se3.shortest_turn((0, 0, 5)), np.eye(3))
    np.testing.assert_array_equal(se3.shortest_turn((0, 0, -5)), np.diag([1, -1, -1]))
    nearly = se3.shortest_turn((0, 1e-12, -1))
    np.testing.assert_allclose(nearly, np.diag([1, -1, -1]), atol=1e-11)
    np.testing.assert_array_equal(se3.shortest_turn((1e-160, 0, -1)), np.diag([1, -1, -1]))
    with pytest.raises(InputError, match="up: received 0, 0, 0, expected a direction"):
        se3.shortest_turn((0, 0, 0))


def test_what_is_no_rigid_transformation_is_refused() -> None:
    with pytest.raises(InputError, match="zero quaternion"):
        se3.from_quaternion((0, 0, 0), (0, 0, 0, 0))
    with pytest.raises(InputError, match="quaternion: .* NaN"):
        se3.from_quaternion((0, 0, 0), (0, 0, np.nan, 1))
    for wrong in (np.diag([2.0, 1, 1, 1]), np.diag([-1.0, 1, 1, 1]), np.eye(4) + np.eye(4)[::-1]):
        with pytest.raises(InputError, match="rigid"):
            se3.inverse(wrong)
    with pytest.raises(InputError, match=r"received shape \(3, 3\), expected \(4, 4\)"):
        se3.log(np.eye(3))
    with pytest.raises(InputError, match=r"the same point, \((-?\d+\.\d+, ){2}-?\d+\.\d+\)"):
        se3.look_at((1, 2, 3), (1, 2, 3))
    with pytest.raises(InputError, match="twist"):
        se3.exp([1, 2, 3])
