"""What photographs say about the depth of each other's pixels, and silence where there is nothing to say."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from glrender.fusion.parallax import Sightings, Views, look_up, steps_along_rays
from glrender.fusion.pose_nuisance import align
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.render.forward import ForwardRenderer

Float32 = NDArray[np.float32]
CAMERA = Camera(96, 72, 90.0, 90.0, 47.5, 35.5)
LENS = np.array([CAMERA.fx, CAMERA.fy, CAMERA.cx, CAMERA.cy])
REFERENCE = 1


def looked(views: Views, depth: Float32, sigma: float = 1e-3) -> Sightings:
    return look_up(replace(views, depth=depth, depth_sigma=np.full(depth.shape, sigma, np.float32)))


def see(context: Context, texture: float) -> Views:
    """Three photographs of rolling ground with a texture of some pixels, free of noise."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-0.6:0.6:241j, -0.8:0.8:321j]
    pattern = gaussian_filter(rng.normal(size=x.shape), 4)
    colors = np.clip(0.5 + texture * pattern / pattern.std(), 0, 1)[..., None]
    ground = HeightMap(0.03 * np.sin(7 * x) * np.cos(9 * y), 0.005, (-0.8, -0.6), colors)
    eyes = ((-0.15, 0.02, 0.8), (0.0, 0.0, 0.8), (0.1, 0.12, 0.78))
    poses = [se3.look_at(eye, (0.0, 0.0, 0.0), (0, 1, 0)) for eye in eyes]
    renderer = ForwardRenderer(context, CAMERA)
    views = [renderer.render(ground, pose) for pose in poses]
    renderer.release()
    relative = np.stack([se3.inverse(pose) @ poses[REFERENCE] for pose in poses])
    images, depths = np.stack([v.image[..., 0] for v in views]), np.stack([v.depth for v in views])
    exact = np.full(depths.shape[1:], 1e-3, np.float32)
    return Views(REFERENCE, depths[REFERENCE], exact, images, depths, relative, LENS, 0.05)


@pytest.fixture(scope="module")
def views(context: Context) -> Views:
    return see(context, 0.1)


def steps(seen: Sightings, noise: float = 0.01) -> tuple[Float32, Float32]:
    return steps_along_rays(seen, noise, 0.001, 3)


def test_all_photographs_show_the_same_point(views: Views) -> None:
    seen = look_up(views)
    everywhere = np.isfinite(seen.values).all(axis=0)
    assert everywhere.mean() > 0.5
    assert seen.distrusted == 0
    np.testing.assert_array_equal(seen.values[REFERENCE], views.images[REFERENCE])
    assert not seen.slopes[REFERENCE].any()
    for f in (0, 2):
        difference = (seen.values[f] - seen.values[REFERENCE])[everywhere]
        assert np.median(np.abs(difference)) < 0.05 * views.images[REFERENCE].std()


def test_slopes_are_central_differences_by_depth(views: Views) -> None:
    step = np.float32(0.01)
    slopes = look_up(views).slopes
    ahead, behind = (looked(views, views.depth + sign * step).values for sign in (1, -1))
    difference = (ahead - behind) / (2 * step)
    for f in (0, 2):
        there = np.isfinite(difference[f] + slopes[f])
        assert there.mean() > 0.5
        error = (difference[f] - slopes[f])[there]
        # One differs over a pixel, the other over a third of one.
        assert np.sqrt(np.mean(error**2)) < 0.25 * np.std(slopes[f][there])


def test_a_step_leads_to_the_truth(views: Views) -> None:
    wrong = np.where(views.depth > 0, views.depth + 0.003, 0).astype(np.float32)
    step, information = steps(looked(views, wrong))
    told = information > np.percentile(information[information > 0], 50)
    assert told.mean() > 0.15
    assert np.median(step[told]) == pytest.approx(-0.003, abs=0.0006)
    assert np.median(np.abs(step[told] + 0.003)) < 0.001
    step, information = steps(look_up(views))
    assert np.median(np.abs(step[told])) < 0.001


def test_information_is_that_of_the_noise(views: Views) -> None:
    """With noise of the stated size, steps scatter by the stated sigma."""
    noise, seen = 0.01, look_up(views)
    scatter = noise * np.random.default_rng(1).normal(size=seen.values.shape).astype(np.float32)
    clean, told = steps(seen, noise)
    noisy, _ = steps(replace(seen, values=seen.values + scatter), noise)
    known = (told > 1e4) & (noisy != 0)
    assert known.sum() > 500
    normalised = (noisy - clean)[known] * np.sqrt(told[known])
    assert 0.85 < 1.4826 * np.median(np.abs(normalised)) < 1.25


@pytest.mark.parametrize("twist", [np.zeros(6), np.array([0, 0, 0, 0.02, -0.03, 0.1])], ids=["still", "turned"])
def test_from_one_place_nothing_is_said(views: Views, twist: NDArray[np.float64]) -> None:
    poses = np.stack([np.eye(4), np.eye(4), se3.exp(twist)])
    depths = np.stack([views.depth, views.depth, np.full_like(views.depth, 0.8)])
    seen = look_up(replace(views, T_camera_reference=poses, depths=depths))
    assert np.isfinite(seen.values).all(axis=0).mean() > 0.3
    assert not steps(seen)[1].any()


def test_ground_without_texture_says_nothing(context: Context, views: Views) -> None:
    """Gradients of the noise are no information."""
    plain, rng = see(context, 0.0), np.random.default_rng(2)
    noisy = (plain.images + 0.01 * rng.normal(size=plain.images.shape)).astype(np.float32)
    seen = look_up(replace(plain, images=noisy))
    _, believed = steps_along_rays(seen, 0.01, 0.0, 3)
    _, information = steps_along_rays(seen, 0.01, 0.01, 3)
    assert information.sum() < 0.5 * believed.sum()
    # Some gradients are large by chance; what they say is next to nothing beside a texture of ten times the noise.
    assert information.sum() < 0.02 * steps(look_up(views))[1].sum()


def test_one_that_shows_something_else_is_outvoted(views: Views) -> None:
    order = [0, 1, 2, 0]
    images = views.images[order]
    images[2, 20:50, 30:60] = 1.0
    four = replace(views, images=images, depths=views.depths[order], T_camera_reference=views.T_camera_reference[order])
    wrong = np.where(views.depth > 0, views.depth + 0.02, 0).astype(np.float32)
    step, information = steps(looked(four, wrong))
    inside = np.zeros(step.shape, bool)
    inside[28:42, 38:52] = True
    told = inside & (information > np.median(information[inside]))
    assert told.sum() > 50
    assert np.median(step[told]) == pytest.approx(-0.02, abs=0.006)


def test_unknown_pixels_hidden_points_and_uncertain_depths_are_left_out(views: Views) -> None:
    images, depths = views.images.copy(), views.depths.copy()
    images[:, :, 30] = np.nan
    depths[0, :, 40:] = 0.3  # something stands before it
    usual, spoilt = look_up(views), look_up(replace(views, images=images, depths=depths))
    assert np.isnan(spoilt.values[REFERENCE][:, 30]).all()
    assert np.isfinite(spoilt.values[0]).sum() < 0.6 * np.isfinite(usual.values[0]).sum()
    unsure = looked(views, views.depth, sigma=0.05)
    assert unsure.distrusted > 0.5 * np.isfinite(usual.values[[0, 2]]).sum()
    assert not np.isfinite(looked(views, np.zeros_like(views.depth)).values).any()


class TestPoses:
    def aligned(self, views: Views, T: NDArray[np.float64], image: Float32) -> NDArray[np.float64]:
        poses = np.stack([T, *views.T_camera_reference[1:]])
        return align(replace(views, T_camera_reference=poses), 0, image, 0.05)

    def test_a_pose_is_put_right(self, views: Views) -> None:
        true = views.T_camera_reference[0]
        twist = np.array([0.002, -0.003, 0.001, 0.002, -0.004, 0.003])
        found = self.aligned(views, se3.exp(twist) @ true, views.images[0])
        points = views.depth[..., None] * CAMERA.rays()
        given, there, where = (
            CAMERA.project(points @ T[:3, :3].T + T[:3, 3]) for T in (se3.exp(twist) @ true, found, true)
        )
        assert np.nanmedian(np.linalg.norm(given - where, axis=-1)) > 0.3, "pixels"
        assert np.nanmedian(np.linalg.norm(there - where, axis=-1)) < 0.03

    def test_one_that_is_right_stays(self, views: Views) -> None:
        true = views.T_camera_reference[0]
        np.testing.assert_allclose(self.aligned(views, true, views.images[0]), true, atol=5e-4)

    def test_something_in_the_way_moves_nothing(self, views: Views) -> None:
        image, true = views.images[0].copy(), views.T_camera_reference[0]
        image[20:50, 30:60] = 1.0
        np.testing.assert_allclose(self.aligned(views, true, image), true, atol=1e-3)

    def test_too_little_in_common(self, views: Views) -> None:
        T = se3.exp([0.3, 0.0, 0.0, 0.0, 0.0, 0.0]) @ views.T_camera_reference[0]
        nothing = np.full_like(views.images[0], np.nan)
        np.testing.assert_array_equal(self.aligned(views, T, nothing), T)
