"""Noise has the standard deviations that were asked for, and a depth scale leaves room for it."""

import math
from dataclasses import replace

import numpy as np
import pytest

from glrender.errors import InputError
from glrender.geometry import se3
from glrender.io.color import linear_to_srgb, srgb_to_linear
from glrender.simulate.noise import NoiseModel, NoiseSource, choose_depth_scale

MODEL = NoiseModel(3.0, 0.002, 0.001, 0.01, 0.02, 0.5)


def source(model: NoiseModel, seed: int = 3) -> NoiseSource:
    return NoiseSource(model, np.random.SeedSequence(seed))


def test_no_noise_changes_nothing() -> None:
    quiet = source(NoiseModel())
    image, depth = np.linspace(0, 1, 24).reshape(2, 4, 3), np.array([[0.0, 1.5], [2.5, 0.0]])
    np.testing.assert_allclose(quiet.image(image), image, atol=1e-12)
    np.testing.assert_array_equal(quiet.depth(depth), depth)
    np.testing.assert_array_equal(quiet.pose(np.eye(4)), np.eye(4))


def test_image_noise_is_in_grey_levels() -> None:
    for level in (60, 180):
        noisy = 255 * linear_to_srgb(source(MODEL).image(np.full((100, 100, 3), srgb_to_linear(level / 255))))
        assert noisy.mean() == pytest.approx(level, abs=0.1)
        assert noisy.std() == pytest.approx(3.0, rel=0.03)
    white = source(MODEL).image(np.ones((100, 100, 3)))
    assert white.max() <= 1


def test_depth_noise_grows_with_the_square_of_the_depth() -> None:
    model = replace(MODEL, depth_offset=0.0)
    for z in (0.5, 4.0):
        noisy = source(model).depth(np.full((150, 150), z))
        assert noisy.mean() == pytest.approx(z, abs=0.0005)
        assert noisy.std() == pytest.approx(0.002 + 0.001 * z * z, rel=0.03)


def test_a_frame_shares_its_offset() -> None:
    offsets = source(NoiseModel(depth_offset=0.05))
    depth = np.array([[1.0, 2.0], [0.0, 3.0]])
    drawn = [offsets.depth(depth) - depth for _ in range(400)]
    for difference in drawn:
        np.testing.assert_allclose(difference[depth > 0], difference[0, 0], atol=1e-12)
        assert difference[1, 0] == 0
    assert np.std([difference[0, 0] for difference in drawn]) == pytest.approx(0.05, rel=0.1)


def test_nothing_is_measured_behind_the_camera() -> None:
    noisy = source(NoiseModel(depth_constant=1.0)).depth(np.full((50, 50), 0.5))
    assert noisy.min() == 0


def test_pose_noise() -> None:
    T = se3.exp([1, 2, 3, 0.4, 0.5, 0.6])
    noise = source(MODEL)
    twists = np.array([se3.log(se3.inverse(T) @ noise.pose(T)) for _ in range(500)])
    sigma = [0.02] * 3 + [math.radians(0.5)] * 3
    np.testing.assert_allclose(twists.std(axis=0), sigma, rtol=0.12)


def test_streams_are_independent_and_reproducible() -> None:
    """The depth noise of a seed does not depend on how much noise the poses and images have."""
    depth = np.ones((3, 3))
    one, other = source(MODEL), source(replace(MODEL, image=0.0, pose_translation=0.0))
    one.image(np.zeros((5, 5, 3)))
    one.pose(np.eye(4))
    np.testing.assert_array_equal(one.depth(depth), other.depth(depth))
    assert not np.allclose(source(MODEL, 3).depth(depth), source(MODEL, 4).depth(depth))


@pytest.mark.parametrize("deepest", [0.02, 0.7, 2.4, 9.9, 140.0, 1e5])
def test_depth_scale_is_round_fine_and_never_saturates(deepest: float) -> None:
    model = NoiseModel(depth_constant=deepest / 1000, depth_quadratic=0.003 / deepest, depth_offset=deepest / 500)
    scale = choose_depth_scale(deepest, model)
    most = deepest + 6 * (0.004 * deepest + deepest / 500)
    assert scale * most < 65535
    assert scale * most > 65535 / 2.6
    assert float(f"{scale:.0e}") == scale
    assert f"{scale:.0e}"[0] in "125"
    assert 1 / scale < float(model.depth_sigma(0)) / 5


def test_noise_that_is_none() -> None:
    for name in ("image", "depth_constant", "pose_rotation"):
        for value in (-1.0, math.nan, math.inf):
            with pytest.raises(InputError, match=f"noise {name}: received"):
                NoiseModel(**{name: value})


@pytest.mark.parametrize(("deepest", "offset"), [(1e20, 0.0), (2.0, 1e308)])
def test_depths_that_no_image_holds_are_refused(deepest: float, offset: float) -> None:
    with pytest.raises(InputError, match=r"depth: up to .* m, which no depth image can hold"):
        choose_depth_scale(deepest, NoiseModel(depth_offset=offset))
