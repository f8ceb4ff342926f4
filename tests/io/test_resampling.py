"""Images of one camera on the pixels of another."""

from dataclasses import replace

import numpy as np
import pytest

from glrender.geometry.camera import Camera
from glrender.geometry.row_motion import RowMotion
from glrender.io.resampling import Resampling

LENS = (0.26, -0.6, -0.005, 0.003, 0.3)
DISTORTED = Camera(160, 120, 130.0, 128.0, 78.0, 63.0, LENS)


def scene(x, y):
    """A smooth function of a ray's direction (x, y, 1)."""
    return 0.5 + 0.2 * np.sin(9 * x + 1) * np.cos(7 * y) + 0.3 * x * y


def seen_by(camera, turned=(0.0, 0.0, 0.0)):
    """(height, width) scene as a camera with a lens sees it: the lens formula is inverted at every pixel.

    From the first row to the last it is turned by a rotation vector, with the pose of its principal point's row.
    """
    k1, k2, p1, p2, k3 = camera.distortion
    distorted_x, distorted_y, _ = np.moveaxis(camera.rays(), -1, 0)
    x, y = distorted_x, distorted_y
    for _ in range(100):
        r2 = x * x + y * y
        radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
        x, y = (
            (distorted_x - 2 * p1 * x * y - p2 * (r2 + 2 * x * x)) / radial,
            (distorted_y - p1 * (r2 + 2 * y * y) - 2 * p2 * x * y) / radial,
        )
    late = y * camera.fy / camera.height
    rays = np.stack([x, y, np.ones_like(x)], axis=-1)
    rays -= late[..., None] * np.cross(turned, rays)
    return scene(rays[..., 0] / rays[..., 2], rays[..., 1] / rays[..., 2]).astype(np.float32)


@pytest.mark.parametrize("target", [DISTORTED.without_distortion(), Camera(160, 120, 150.0, 145.0, 81.0, 57.0)])
def test_the_lens_is_removed_and_the_same_rays_are_seen(target):
    image = np.repeat(seen_by(DISTORTED)[..., None], 3, axis=2)
    result = Resampling.between(DISTORTED, target).color(image)
    rays = target.rays()
    error = np.abs(result[..., 1] - scene(rays[..., 0], rays[..., 1]))[2:-2, 2:-2]
    assert np.nanmax(error) < 4e-3
    assert np.isfinite(error).mean() > 0.9


def test_what_the_lens_did_not_see_is_nan_in_colour_and_zero_in_depth():
    wide = Camera(160, 120, 90.0, 90.0, 80.0, 60.0)
    resampling = Resampling.between(Camera(160, 120, 130.0, 130.0, 80.0, 60.0), wide)
    color = resampling.color(np.ones((120, 160, 3), np.float32))
    depth = resampling.depth(np.ones((120, 160), np.float32))
    seen = np.abs(wide.rays()[..., 0]) <= 80 / 130
    np.testing.assert_array_equal(np.isnan(color[60, :, 0]), ~seen[60])
    np.testing.assert_array_equal(depth[60] == 0, ~seen[60])


def test_depth_is_never_interpolated():
    depth = np.where(np.arange(160) < 80, 1.0, 3.0).astype(np.float32)[None].repeat(120, axis=0)
    result = Resampling.between(DISTORTED, DISTORTED.without_distortion()).depth(depth)
    assert set(np.unique(result)) <= {0.0, 1.0, 3.0}


def test_equal_cameras_need_no_resampling():
    camera = DISTORTED.without_distortion()
    assert Resampling.between(camera, camera) is None


@pytest.mark.parametrize("camera", [DISTORTED, DISTORTED.without_distortion()])
def test_rows_that_were_exposed_one_after_the_other_are_put_where_they_belong(camera):
    turned = np.array([0.02, -0.03, 0.04])
    target = DISTORTED.without_distortion()
    seen = seen_by(camera, turned) if camera.distortion else seen_by(replace(camera, distortion=(0.0,) * 5), turned)
    lens = Resampling.between(camera, target)
    motion = RowMotion(np.r_[0.0, 0.0, 0.0, turned], np.array([0.0, 0.0, 1.0]))
    image = np.repeat(seen[..., None], 3, axis=2)
    result = Resampling.unrolled(target, motion, lens).color(image)
    as_it_was = image if lens is None else lens.color(image)
    true = scene(*np.moveaxis(target.rays(), -1, 0)[:2])
    before, after = (np.abs(each[..., 1] - true)[2:-2, 2:-2] for each in (as_it_was, result))
    # At the very border half a pixel is the one beside it.
    assert np.nanquantile(after, 0.99) < 2e-3
    assert np.nanquantile(before, 0.99) > 3e-2
    assert np.isfinite(after).mean() > 0.9
