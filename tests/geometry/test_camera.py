"""Projection, rays and what a camera refuses."""

import dataclasses

import numpy as np
import pytest

from glrender.errors import InputError
from glrender.geometry.camera import Camera

CAMERA = Camera(width=6, height=4, fx=50.0, fy=60.0, cx=2.0, cy=1.5)


def test_a_ray_goes_through_the_centre_of_its_pixel() -> None:
    rays = CAMERA.rays()
    assert rays.shape == (4, 6, 3)
    np.testing.assert_allclose(rays[1, 5], [(5 - 2) / 50, (1 - 1.5) / 60, 1])
    v, u = np.mgrid[:4, :6]
    for depth in (0.1, 7.0):
        np.testing.assert_allclose(CAMERA.project(rays * depth), np.stack([u, v], axis=-1), atol=1e-12)
    np.testing.assert_array_equal(CAMERA.rays_through(np.stack([u, v], axis=-1)), rays)


def test_x_points_right_and_y_down() -> None:
    u, v = CAMERA.project([1.0, 2.0, 10.0])
    assert (u, v) == (50 * 0.1 + 2, 60 * 0.2 + 1.5)


def test_matrix_projects_as_project_does() -> None:
    X = np.array([0.3, -0.2, 2.0])
    homogeneous = CAMERA.matrix @ X
    np.testing.assert_allclose(CAMERA.project(X), homogeneous[:2] / homogeneous[2])


def test_points_behind_the_camera_have_no_pixel() -> None:
    pixels = CAMERA.project([[0, 0, 1], [0, 0, 0], [0, 0, -1]])
    assert np.isfinite(pixels[0]).all()
    assert np.isnan(pixels[1:]).all()


def test_an_image_ends_at_the_centres_of_its_outermost_pixels() -> None:
    inside, outside = [[0, 0], [5, 3], [2.5, 1.2]], [[-0.1, 0], [0, -0.1], [5.1, 3], [5, 3.1], [np.nan, 1]]
    assert CAMERA.contains(inside).all()
    assert not CAMERA.contains(outside).any()
    np.testing.assert_array_equal(CAMERA.contains([inside[:2], outside[:2]]), [[True, True], [False, False]])
    np.testing.assert_array_equal(
        CAMERA.contains([[1, 1], [4, 2], [0.9, 1], [4, 2.1]], 1.0), [True, True, False, False]
    )


def test_the_axis_of_a_centred_camera_goes_through_the_middle() -> None:
    camera = Camera.centred(6, 4, 50.0)
    assert (camera.fx, camera.fy) == (50, 50)
    np.testing.assert_allclose(camera.rays()[::-1, ::-1, :2], -camera.rays()[..., :2])


def test_shape_is_that_of_an_image() -> None:
    assert CAMERA.shape == (4, 6)


def test_undistorted_images_keep_the_intrinsics() -> None:
    lens = dataclasses.replace(CAMERA, distortion=[0.1, -0.2, 0, 0, 0.01])
    assert lens.distortion == (0.1, -0.2, 0.0, 0.0, 0.01)
    assert lens != CAMERA
    assert lens.without_distortion() == CAMERA


def test_numbers_from_a_file_are_accepted() -> None:
    assert Camera(np.int64(6), 4.0, np.float32(50), 60, 2, np.array(1.5)) == CAMERA


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"width": 0}, "camera width: received 0, expected a finite number greater than 0"),
        ({"height": 4.5}, "camera height: received 4.5, expected a whole number"),
        ({"width": 70_000, "height": 70_000}, "camera: received 70000 x 70000 pixels, expected at most 2,147,483,647"),
        ({"fx": 1e308}, "camera fx: received 1e\\+308, expected a number from 1e-12 to 1e\\+12"),
        ({"fy": 1e-308}, "camera fy: received 1e-308, expected a number from 1e-12 to"),
        ({"fx": 0}, "camera fx: received 0, expected a finite number greater than 0"),
        ({"fy": -60.0}, "camera fy: received -60.0"),
        ({"fx": np.nan}, "camera fx: received nan"),
        ({"fx": "wide"}, "camera fx: received 'wide'"),
        ({"fx": True}, "camera fx: received True, expected a finite number"),
        ({"cx": np.inf}, "camera cx"),
        ({"cy": -1e300}, "camera cy: received -1e\\+300, expected at most 1e\\+12, whatever its sign"),
        ({"cy": "middle"}, "camera cy"),
        ({"cx": [1.0, 2.0]}, "camera cx: received shape"),
        ({"distortion": (0.1, 0.2)}, "received 2 coefficients, expected 4, 5 or 8"),
        ({"distortion": (0.1, np.nan, 0, 0)}, "camera distortion"),
    ],
)
def test_wrong_intrinsics_are_refused_by_name(wrong: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        dataclasses.replace(CAMERA, **wrong)


@pytest.mark.parametrize("value", ["six", None, np.nan, np.inf])
def test_a_size_that_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(InputError, match="camera width"):
        dataclasses.replace(CAMERA, width=value)


@pytest.mark.parametrize("times", [0, -1, 1.5])
def test_fewer_pixels_are_so_many_times_fewer(times: float) -> None:
    camera = Camera(640, 480, 525.0, 525.0, 319.5, 239.5)
    for fewer in (camera.binned, camera.every_nth_pixel):
        with pytest.raises(InputError, match=f"received {times}, expected a whole number of at least 1"):
            fewer(times)  # type: ignore[arg-type]


def test_of_a_binned_image_something_is_left() -> None:
    assert CAMERA.binned(4).shape == (1, 1)
    with pytest.raises(InputError, match="reduce: received 5, expected at most 4 for images of 6 x 4 pixels"):
        CAMERA.binned(5)
