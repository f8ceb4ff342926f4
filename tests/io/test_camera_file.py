"""`camera.yaml`: what it says, and what it may not."""

import pytest

from glrender.errors import InputError
from glrender.geometry.camera import Camera
from glrender.io.camera_file import CameraFile, read_camera, write_camera

PLAIN = {"width": 640, "height": 480, "fx": 517.3, "fy": 516.5, "cx": 318.6, "cy": 255.3}


@pytest.fixture
def write(tmp_path):
    def write(content):
        path = tmp_path / "camera.yaml"
        path.write_text(content if isinstance(content, str) else "\n".join(f"{k}: {v}" for k, v in content.items()))
        return path

    return write


def test_six_keys_are_enough(write):
    assert read_camera(write(PLAIN)) == CameraFile(Camera(**PLAIN), depth=None, registered=True, depth_scale=5000)


def test_every_key_is_read(write):
    full = PLAIN | {
        "distortion": "[0.26, -0.95, -0.005, 0.002, 1.16]",
        "depth_scale": 1000,
        "depth": "{fx: 525, fy: 526, cx: 319.5, cy: 239.5, registered: false}",
    }
    camera = read_camera(write(full))
    assert camera.color == Camera(**PLAIN, distortion=(0.26, -0.95, -0.005, 0.002, 1.16))
    assert camera.depth == Camera(640, 480, 525, 526, 319.5, 239.5)
    assert not camera.registered
    assert camera.depth_scale == 1000


def test_numbers_may_be_written_as_people_write_them(write):
    camera = read_camera(write(PLAIN | {"fx": "5.2e2", "distortion": "[1e-3, 1e-5, 0, 0]"})).color
    assert camera.fx == 520
    assert camera.distortion == (1e-3, 1e-5, 0, 0)


@pytest.mark.parametrize("key", PLAIN)
def test_a_missing_key_is_named(write, key):
    with pytest.raises(InputError, match=rf"camera\.yaml: no key {key}; the keys are width, height, fx"):
        read_camera(write({k: v for k, v in PLAIN.items() if k != key}))


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"distorsion": "[0, 0, 0, 0]"}, "unknown key distorsion; the keys are width.*optionally distortion"),
        ({"depth": "{fx: 1, fy: 1, cx: 1, cy: 1, cz: 1}"}, "depth: unknown key cz; the keys are fx, fy, cx, cy"),
        ({"depth": "{fx: 1, fy: 1}"}, "depth: no key cx, cy"),
        ({"fy": "-480.0"}, "whose y axis points up, as ICL-NUIM's.*fy: 480, and ty, qx and qz of all poses"),
        ({"depth": 5000}, "depth: received 5000, expected keys and values"),
        ({"depth": "{fx: 1, fy: 1, cx: 1, cy: 1, registered: maybe}"}, "expected true or false"),
        (
            {"depth": "{width: 320, height: 240, fx: 1, fy: 1, cx: 1, cy: 1, registered: true}"},
            "depth: registered: received true for 320 x 240 pixels beside photographs of 640 x 480, expected false",
        ),
        ({"depth": "{width: 320.5, fx: 1, fy: 1, cx: 1, cy: 1}"}, "depth: camera width: received 320.5"),
        ({"depth_scale": 0}, "depth_scale: received 0, expected a finite number greater than 0"),
        ({"fx": "wide"}, "fx: received 'wide'"),
        ({"fx": -3}, "fx: received -3"),
        ({"width": 640.5}, "width: received 640.5, expected a whole number"),
        ({"distortion": "[1, 2]"}, "received 2 coefficients"),
        ({"cx": ".nan"}, "cx"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(write, extra, message):
    with pytest.raises(InputError, match=rf"camera\.yaml: .*{message}"):
        read_camera(write(PLAIN | extra))


@pytest.mark.parametrize("content", ["", "- 640\n- 480\n", "fx: [1, 2", "\tfx: 1"])
def test_what_is_no_mapping_is_refused(write, content):
    with pytest.raises(InputError, match=r"camera\.yaml: (not YAML|received)"):
        read_camera(write(content))


def test_no_file_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"camera\.yaml: no such file; expected a camera\.yaml with width, height"):
        read_camera(tmp_path / "camera.yaml")


@pytest.mark.parametrize("lens", [None, (0.1, -0.2, 0.001, 0.002, 0.0)])
@pytest.mark.parametrize(
    ("depth", "registered"),
    [
        (None, True),
        (Camera(640, 480, 525, 526, 319.5, 239.5), True),
        (Camera(640, 480, 525, 526, 319.5, 239.5), False),
        (Camera(256, 192, 200, 201, 127.5, 95.5), False),
    ],
)
def test_what_is_written_is_read_again(tmp_path, lens, depth, registered):
    cameras = CameraFile(Camera(**PLAIN, distortion=lens), depth, registered, depth_scale=1234.5)
    write_camera(tmp_path / "camera.yaml", cameras)
    assert read_camera(tmp_path / "camera.yaml") == cameras


def test_depth_images_of_another_size_follow_their_own_intrinsics(write):
    camera = read_camera(write(PLAIN | {"depth": "{width: 256, height: 192, fx: 200, fy: 201, cx: 127.5, cy: 95.5}"}))
    assert not camera.registered
    assert camera.of("depth") == camera.depth == Camera(256, 192, 200, 201, 127.5, 95.5)
    assert camera.of("rgb") == camera.color
    assert read_camera(write(PLAIN)).of("depth") == Camera(**PLAIN)
