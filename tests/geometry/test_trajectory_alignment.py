"""An estimated trajectory is laid over the true one, and what remains is its error."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from glrender.errors import InputError
from glrender.geometry import se3
from glrender.geometry.trajectory_alignment import align_trajectories


def places(seed: int, count: int = 12) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=(count, 3))


@given(st.integers(0, 1000), st.floats(0.1, 10))
def test_a_moved_and_scaled_trajectory_is_found_again(seed: int, factor: float) -> None:
    true = places(seed)
    T = se3.exp(np.random.default_rng(seed + 1).normal(size=6))
    estimated = (true - T[:3, 3]) @ T[:3, :3] / factor
    found = align_trajectories(estimated, true, scale=True)
    np.testing.assert_allclose(found.T_true_estimated, T, atol=1e-9)
    assert (found.scale, found.free_scale) == pytest.approx((factor, factor))
    assert found.rmse < 1e-9
    rigid = align_trajectories(factor * estimated, true)
    assert (rigid.scale, rigid.rmse) == (1.0, pytest.approx(0, abs=1e-9))


def test_what_no_motion_explains_remains() -> None:
    true = places(3, 400)
    estimated = true + 0.01 * places(4, 400)
    found = align_trajectories(estimated, true)
    assert found.rmse == pytest.approx(0.01 * np.sqrt(3), rel=0.1)
    assert found.free_scale == pytest.approx(1, abs=2e-3)
    assert found.scale == 1


def test_a_wrong_scale_is_told_and_not_hidden() -> None:
    true = places(5)
    found = align_trajectories(true / 1.1, true)
    assert found.free_scale == pytest.approx(1.1)
    assert found.rmse > 0.05


def test_a_mirrored_trajectory_is_not_taken_for_a_rotated_one() -> None:
    true = places(6)
    found = align_trajectories(true * (1, 1, -1), true)
    assert np.linalg.det(found.T_true_estimated[:3, :3]) == pytest.approx(1)
    assert found.rmse > 0.1


@pytest.mark.parametrize("positions", [np.zeros((2, 3)), np.zeros((5, 3)), np.outer(np.arange(5.0), (1, 2, 3))])
def test_what_tells_no_rotation_is_refused(positions: NDArray[np.float64]) -> None:
    with pytest.raises(InputError, match="expected"):
        align_trajectories(positions, positions)
