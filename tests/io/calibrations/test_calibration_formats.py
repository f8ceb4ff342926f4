"""Every format of calibrations, written by hand."""

import json
import struct

import cv2
import numpy as np
import pytest
import yaml

from glrender.errors import InputError, UsageError
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.io.calibrations.reading import FORMATS, calibration_format, read_calibration
from glrender.io.camera_file import CameraFile, write_camera
from glrender.io.poses.reading import read_poses

LENS = (-0.28, 0.07, 0.0002, 0.00002)
CAMERA = Camera(752, 480, 458.654, 457.296, 367.215, 248.375, LENS)
INTRINSICS = [CAMERA.fx, CAMERA.fy, CAMERA.cx, CAMERA.cy]
T = se3.exp([0.1, -0.2, 0.3, 0.5, 0.6, 0.7])


def dump(path, content):
    path.write_text(yaml.safe_dump(content))
    return path


def kalibr(**changes):
    return {
        "camera_model": "pinhole",
        "distortion_coeffs": list(LENS),
        "distortion_model": "radtan",
        "intrinsics": INTRINSICS,
        "resolution": [752, 480],
        "T_cam_imu": T.tolist(),
        "rostopic": "/cam0/image_raw",
    } | changes


def test_our_own(tmp_path):
    write_camera(tmp_path / "camera.yaml", CameraFile(CAMERA))
    assert read_calibration(tmp_path / "camera.yaml").cameras.color == CAMERA


def test_kalibr(tmp_path):
    calibration = read_calibration(dump(tmp_path / "camchain.yaml", {"cam0": kalibr()}))
    assert calibration.cameras.color == CAMERA
    np.testing.assert_allclose(calibration.T_base_camera @ T, np.eye(4), atol=1e-12)


def test_one_of_several_is_chosen_by_name(tmp_path):
    path = dump(tmp_path / "camchain.yaml", {"cam0": kalibr(), "cam1": kalibr(intrinsics=[1, 2, 3, 4])})
    with pytest.raises(InputError, match=r"has 2 cameras \(cam0, cam1\); say which one is meant"):
        read_calibration(path)
    assert read_calibration(path, camera="cam1").cameras.color.fy == 2
    with pytest.raises(InputError, match="has no camera 'cam2', but cam0, cam1"):
        read_calibration(path, camera="cam2")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"distortion_model": "equidistant"}, "lens model 'equidistant' is not one that glrender has.*undistort"),
        ({"camera_model": "omni"}, "camera model 'omni' is not one"),
        ({"intrinsics": [1, 2]}, "received 2 intrinsics"),
        ({"T_cam_imu": [[1]]}, "T_cam_imu: received shape"),
        ({"distortion_coeffs": ["a"]}, r"received the distortion \['a'\]"),
        ({"resolution": [0, 480]}, "width: received 0"),
    ],
)
def test_what_a_kalibr_file_may_have_wrong(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        read_calibration(dump(tmp_path / "camchain.yaml", {"cam0": kalibr(**changes)}))


def test_euroc(tmp_path):
    content = {
        "sensor_type": "camera",
        "T_BS": {"cols": 4, "rows": 4, "data": T.ravel().tolist()},
        "resolution": [752, 480],
        "camera_model": "pinhole",
        "intrinsics": INTRINSICS,
        "distortion_model": "radial-tangential",
        "distortion_coefficients": list(LENS),
    }
    calibration = read_calibration(dump(tmp_path / "sensor.yaml", content))
    assert calibration.cameras.color == CAMERA
    np.testing.assert_allclose(calibration.T_base_camera, T, atol=1e-12)
    content["T_BS"] = {"data": [1, 2]}
    with pytest.raises(InputError, match="T_BS: expected 'data' of 16 numbers"):
        read_calibration(dump(tmp_path / "sensor.yaml", content))


def ros(model="plumb_bob"):
    return {
        "image_width": 752,
        "image_height": 480,
        "camera_name": "front",
        "camera_matrix": {"rows": 3, "cols": 3, "data": CAMERA.matrix.ravel().tolist()},
        "distortion_model": model,
        "distortion_coefficients": {"rows": 1, "cols": 5, "data": [*LENS, 0.5]},
        "projection_matrix": {"rows": 3, "cols": 4, "data": [1.0] * 12},
    }


def test_ros(tmp_path):
    camera = read_calibration(dump(tmp_path / "front.yaml", ros())).cameras.color
    assert camera == Camera(752, 480, *INTRINSICS, (*LENS, 0.5))
    with pytest.raises(InputError, match="lens model 'equidistant'"):
        read_calibration(dump(tmp_path / "front.yaml", ros("equidistant")))


@pytest.mark.parametrize("suffix", ["yml", "xml"])
@pytest.mark.parametrize("sized", [True, False])
def test_opencv(tmp_path, suffix, sized):
    path = tmp_path / f"calibration.{suffix}"
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    if sized:
        storage.write("image_width", 752)
        storage.write("image_height", 480)
    storage.write("camera_matrix", CAMERA.matrix)
    storage.write("distortion_coefficients", np.array([[*LENS, 0.5]]).T)
    storage.release()
    assert calibration_format(path) == "opencv"
    camera = read_calibration(path, size=None if sized else (752, 480)).cameras.color
    assert camera == Camera(752, 480, *INTRINSICS, (*LENS, 0.5))
    if not sized:
        with pytest.raises(InputError, match="does not say the size of the images"):
            read_calibration(path)


@pytest.mark.parametrize(("count", "fits"), [(12, True), (14, True), (14, False)])
def test_coefficients_that_are_not_used_must_be_0(tmp_path, count, fits):
    path = tmp_path / "calibration.yml"
    lens = np.zeros(count)
    lens[:8] = 0.01
    lens[-1] = 0 if fits else 0.1
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    storage.write("camera_matrix", CAMERA.matrix)
    storage.write("distortion_coefficients", lens)
    storage.release()
    if fits:
        assert read_calibration(path, size=(752, 480)).cameras.color.distortion == (0.01,) * 8
    else:
        with pytest.raises(InputError, match=r"received 14 coefficients.*after the eighth"):
            read_calibration(path, size=(752, 480))


CENTRE = f"{CAMERA.cx + 0.5} {CAMERA.cy + 0.5}"
"""COLMAP has the centre of the first pixel at (0.5, 0.5)."""


@pytest.mark.parametrize(
    ("line", "lens"),
    [
        (f"PINHOLE 752 480 458.654 457.296 {CENTRE}", None),
        (f"OPENCV 752 480 458.654 457.296 {CENTRE} -0.28 0.07 0.0002 0.00002", LENS),
        (f"FULL_OPENCV 752 480 458.654 457.296 {CENTRE} 1 2 3 4 5 6 7 8", (1, 2, 3, 4, 5, 6, 7, 8)),
        (f"SIMPLE_PINHOLE 752 480 458.654 {CENTRE}", None),
        (f"SIMPLE_RADIAL 752 480 458.654 {CENTRE} 0.1", (0.1, 0, 0, 0)),
        (f"RADIAL 752 480 458.654 {CENTRE} 0.1 0.2", (0.1, 0.2, 0, 0)),
    ],
)
def test_colmap_text(tmp_path, line, lens):
    (tmp_path / "cameras.txt").write_text(f"# cameras\n3 {line}\n")
    camera = read_calibration(tmp_path).cameras.color
    assert (camera.cx, camera.cy) == pytest.approx((CAMERA.cx, CAMERA.cy))
    assert camera.fx == CAMERA.fx
    assert camera.fy == (CAMERA.fx if line.startswith(("SIMPLE", "RADIAL")) else CAMERA.fy)
    assert camera.distortion == lens


def test_colmap_binary(tmp_path):
    parameters = (*INTRINSICS[:2], CAMERA.cx + 0.5, CAMERA.cy + 0.5, *LENS)
    data = struct.pack("<Q", 2) + struct.pack("<iiQQ8d", 1, 4, 752, 480, *parameters)
    data += struct.pack("<iiQQ3d", 7, 0, 752, 480, 500, 376, 240)
    (tmp_path / "cameras.bin").write_bytes(data)
    with pytest.raises(InputError, match=r"has 2 cameras \(1, 7\)"):
        read_calibration(tmp_path)
    camera = read_calibration(tmp_path, camera="1").cameras.color
    assert (camera.fx, camera.cx) == pytest.approx((CAMERA.fx, CAMERA.cx))
    assert camera.distortion == LENS
    assert read_calibration(tmp_path, camera="7").cameras.color == Camera(752, 480, 500, 500, 375.5, 239.5)
    (tmp_path / "cameras.bin").write_bytes(data[:-9])
    with pytest.raises(InputError, match=r"cameras\.bin: cut short after 1 cameras"):
        read_calibration(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 OPENCV_FISHEYE 8 6 1 1 1 1 0 0 0 0\n", "camera model OPENCV_FISHEYE is not one.*undistort the images"),
        ("1 PINHOLE 8 6 1 1 1\n", r"cameras\.txt:1: received 5 numbers, expected CAMERA_ID.*\(4 of PINHOLE\)"),
        ("1 WIDE 8 6 1 1 1\n", "expected CAMERA_ID MODEL.*with one of SIMPLE_PINHOLE"),
        ("# none\n", "holds no camera"),
    ],
)
def test_what_colmap_cameras_may_have_wrong(tmp_path, text, message):
    (tmp_path / "cameras.txt").write_text(text)
    with pytest.raises(InputError, match=message):
        read_calibration(tmp_path)


def test_colmap_model_projects_as_its_documentation_says(tmp_path):
    """x = f X / Z + c of X = R (w, x, y, z) P + t, where the first pixel's centre is (0.5, 0.5)."""
    w, x, y, z = np.array([0.8, 0.3, -0.4, 0.2]) / np.linalg.norm([0.8, 0.3, -0.4, 0.2])
    R = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    t, point = np.array([0.5, -0.25, 4.0]), np.array([0.3, 0.6, -0.2])
    (tmp_path / "cameras.txt").write_text("1 PINHOLE 640 480 500 510 320 240\n")
    (tmp_path / "images.txt").write_text(f"1 {w} {x} {y} {z} 0.5 -0.25 4.0 1 a.png\n\n")
    X = R @ point + t
    theirs = np.array([500 * X[0] / X[2] + 320, 510 * X[1] / X[2] + 240])
    T_camera_world = se3.inverse(read_poses(tmp_path).of(0, "a.png"))
    ours = read_calibration(tmp_path).cameras.color.project(T_camera_world[:3, :3] @ point + T_camera_world[:3, 3])
    np.testing.assert_allclose(ours, theirs - 0.5, atol=1e-9)


def test_transforms_project_as_an_opengl_camera_does(tmp_path):
    """Along -z, y up: column = w/2 + f x / -z from the left edge, row = h/2 - f y / -z from the top edge."""
    T_world_opengl = se3.look_at((1.0, -2.0, 3.0), (0.0, 0.5, 0.0)) @ np.diag([1.0, -1, -1, 1])
    point = np.array([0.2, 0.3, 0.4])
    x, y, z = (np.linalg.inv(T_world_opengl) @ [*point, 1])[:3]
    theirs = np.array([400 + 500 * x / -z, 300 - 500 * y / -z])
    frames = [{"file_path": "a.png", "transform_matrix": T_world_opengl.tolist()}]
    path = tmp_path / "transforms.json"
    path.write_text(json.dumps({"w": 800, "h": 600, "fl_x": 500.0, "frames": frames}))
    T_camera_world = se3.inverse(read_poses(path).of(0, "a.png"))
    ours = read_calibration(path).cameras.color.project(T_camera_world[:3, :3] @ point + T_camera_world[:3, 3])
    np.testing.assert_allclose(ours, theirs - 0.5, atol=1e-9)


FRAME = {"file_path": "a.png", "transform_matrix": np.eye(4).tolist()}


def test_transforms_with_everything(tmp_path):
    values = {"w": 752, "h": 480, "fl_x": CAMERA.fx, "fl_y": CAMERA.fy, "cx": CAMERA.cx + 0.5, "cy": CAMERA.cy + 0.5}
    lens = dict(zip(("k1", "k2", "p1", "p2"), LENS, strict=True))
    path = tmp_path / "transforms.json"
    for content in (values | lens | {"frames": [FRAME]}, {"frames": [FRAME | values | lens] * 2}):
        path.write_text(json.dumps(content))
        camera = read_calibration(path).cameras.color
        assert (camera.fx, camera.fy, camera.cx, camera.cy) == pytest.approx(INTRINSICS)
        assert camera.distortion == (*LENS, 0)
    path.write_text(json.dumps({"frames": [FRAME | values, FRAME | values | {"fl_x": 3}]}))
    with pytest.raises(InputError, match="fl_x differs between frames"):
        read_calibration(path)


def test_transforms_with_an_angle_of_view(tmp_path):
    path = tmp_path / "transforms.json"
    path.write_text(json.dumps({"camera_angle_x": 2 * np.arctan(0.5), "frames": [FRAME]}))
    camera = read_calibration(path, size=(800, 600)).cameras.color
    assert camera.fx == camera.fy == pytest.approx(800)
    assert (camera.cx, camera.cy) == (399.5, 299.5)
    with pytest.raises(InputError, match="does not say w and h"):
        read_calibration(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"w": 8, "h": 6, "frames": [FRAME]}, "no focal length; expected fl_x, or camera_angle_x"),
        ({"w": 8, "h": 6, "fl_x": "wide", "frames": [FRAME]}, "fl_x: received 'wide', expected a number"),
        ({"camera_model": "OPENCV_FISHEYE", "frames": [FRAME]}, "lens model 'OPENCV_FISHEYE'"),
        ({"frames": []}, "no frames"),
    ],
)
def test_what_transforms_may_have_wrong(tmp_path, content, message):
    (tmp_path / "transforms.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=message):
        read_calibration(tmp_path / "transforms.json")


def opensfm(**changes):
    """Lengths in units of the longer side, from the middle of the image."""
    brown = {"projection_type": "brown", "width": 752, "height": 480, "k1": LENS[0], "k2": LENS[1], "p1": LENS[2]}
    brown |= {"p2": LENS[3], "k3": 0.0, "focal_x": CAMERA.fx / 752, "focal_y": CAMERA.fy / 752}
    brown |= {"c_x": (CAMERA.cx + 0.5 - 376) / 752, "c_y": (CAMERA.cy + 0.5 - 240) / 752}
    return [{"shots": {"a.jpg": {}}, "cameras": {"v2 brown": brown | changes}}]


def write_opensfm(path, content):
    path.write_text(json.dumps(content))
    return path


def test_opensfm(tmp_path):
    path = write_opensfm(tmp_path / "reconstruction.json", opensfm())
    assert calibration_format(path) == "opensfm"
    for size in (None, (752, 480)):
        camera = read_calibration(path, size=size).cameras.color
        assert (camera.width, camera.height) == (752, 480)
        assert (camera.fx, camera.fy, camera.cx, camera.cy) == pytest.approx(INTRINSICS)
        assert camera.distortion == pytest.approx((*LENS, 0))


def test_opensfm_of_photographs_that_were_made_smaller(tmp_path):
    """Pixels of half the size: the edge of the image, at -0.5, stays where it is."""
    path = write_opensfm(tmp_path / "r.json", opensfm())
    camera = read_calibration(path, size=(376, 240)).cameras.color
    assert (camera.fx, camera.fy) == pytest.approx((CAMERA.fx / 2, CAMERA.fy / 2))
    assert (camera.cx + 0.5, camera.cy + 0.5) == pytest.approx(((CAMERA.cx + 0.5) / 2, (CAMERA.cy + 0.5) / 2))
    with pytest.raises(InputError, match="is for 752 x 480 pixels, but the images have 480 x 480"):
        read_calibration(path, size=(480, 480))


def test_opensfm_with_one_focal_length(tmp_path):
    one = {"projection_type": "perspective", "width": 800, "height": 600, "focal": 0.8, "k1": -0.1, "k2": 0.01}
    path = write_opensfm(tmp_path / "r.json", [{"shots": {"a.jpg": {}}, "cameras": {"one": one, "other": one}}])
    with pytest.raises(InputError, match=r"has 2 cameras \(one, other\)"):
        read_calibration(path)
    camera = read_calibration(path, camera="other").cameras.color
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == pytest.approx((640, 640, 399.5, 299.5))
    assert camera.distortion == (-0.1, 0.01, 0, 0, 0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (opensfm(projection_type="fisheye_opencv"), "the projection 'fisheye_opencv' is not one that glrender has"),
        (opensfm(focal_x=None), "focal_x: received None, expected a number"),
        (opensfm(width=0), "v2 brown: received 0 x 480 pixels, expected a width and a height above 0"),
        (
            [{"shots": {"a.jpg": {}}, "cameras": {"one": [800, 600]}}],
            r"one: received \[800, 600\], expected the camera's",
        ),
        ([{"shots": {"a.jpg": {}}}], "r.json: no cameras"),
    ],
)
def test_what_opensfm_may_have_wrong(tmp_path, content, message):
    with pytest.raises(InputError, match=message):
        read_calibration(write_opensfm(tmp_path / "r.json", content))


@pytest.mark.parametrize("content", ["", "- 1\n", "a: 1\n", "just words"])
def test_a_file_of_no_known_format(tmp_path, content):
    path = tmp_path / "x.yaml"
    path.write_text(content)
    with pytest.raises(InputError, match=r"x\.yaml: no calibration that glrender knows; expected one of camera\.yaml"):
        read_calibration(path)


def test_files_that_are_not_there_or_broken(tmp_path):
    with pytest.raises(InputError, match="no such file or folder; expected a calibration"):
        read_calibration(tmp_path / "none.yaml")
    with pytest.raises(InputError, match=r"neither cameras\.bin nor cameras\.txt"):
        read_calibration(tmp_path)
    (tmp_path / "broken.yaml").write_text("a: [1")
    with pytest.raises(InputError, match=r"broken\.yaml: not YAML"):
        read_calibration(tmp_path / "broken.yaml")
    (tmp_path / "broken.xml").write_text("<?xml version='1.0'?><opencv_storage><camera_matrix>")
    with pytest.raises(InputError, match=r"broken\.xml: (OpenCV cannot read it|no 3 x 3 camera matrix)"):
        read_calibration(tmp_path / "broken.xml")


def test_the_format_may_be_said(tmp_path):
    path = dump(tmp_path / "front.yaml", ros())
    with pytest.raises(InputError, match="no EuRoC sensor.yaml"):
        read_calibration(path, "euroc")
    with pytest.raises(UsageError, match="calibration format: received 'matlab', expected one of 'camera'"):
        read_calibration(path, "matlab")
    with pytest.raises(UsageError, match="has one camera; leave it out"):
        read_calibration(path, camera="cam0")
    assert len(FORMATS) == 8
