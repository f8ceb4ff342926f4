"""ROS bags, written by rosbags: of ROS 1, and of ROS 2 in sqlite3 and in mcap."""

import struct
import sys

import cv2
import numpy as np
import pytest
from media import NOW, SIZE, BagWriter, gray
from scipy.spatial.transform import Rotation

from glrender.errors import InputError
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.io.camera_file import CameraFile
from glrender.io.images import FrameError
from glrender.io.recordings.bag import open_bag
from glrender.io.recordings.opening import recording_format

STEP = 100_000_000
"""Nanoseconds from image to image."""
MILLIMETRES = np.arange(SIZE[0] * SIZE[1], dtype=np.uint16).reshape(SIZE[1], SIZE[0]) + 500
CENTRE = (SIZE[0] - 1) / 2, (SIZE[1] - 1) / 2


def camera(focal, lens=None):
    return Camera(*SIZE, focal, focal, *CENTRE, lens)


@pytest.fixture(params=["ros1", "sqlite3", "mcap"])
def kind(request):
    return request.param


@pytest.fixture
def path(tmp_path, kind):
    return tmp_path / ("a.bag" if kind == "ros1" else "a")


def pixels_of(bag):
    return [picture.pixels() for picture in bag.pictures()]


def test_colour_depth_cameras_and_poses(path, kind):
    T = se3.from_quaternion([1, 2, 3], Rotation.from_euler("zyx", [70, -20, 130], degrees=True).as_quat())
    with BagWriter(path, kind) as bag:
        bag.camera_info("/cam/color/camera_info", NOW, 30.0, lens=(0.1, -0.2, 0.001, 0.002, 0.0))
        bag.camera_info("/cam/depth/camera_info", NOW, 28.0)
        for k in range(3):
            bag.image("/cam/color/image_raw", NOW + k * STEP, gray(10 * k), "rgb8", received=NOW + k * STEP + 7)
            bag.image("/cam/depth/image_raw", NOW + k * STEP + 1000, MILLIMETRES + k, "16UC1")
            quaternion = Rotation.from_matrix(T[:3, :3]).as_quat()
            bag.pose("/pose", "PoseStamped", NOW + k * STEP, [1.0 + k, 2.0, 3.0], quaternion)
    assert recording_format(path) == "bag"
    opened = open_bag(path, pose_topic="/pose")
    assert opened.kinds == ("rgb", "depth")
    assert opened.count == 6
    assert opened.depth_scale == 1000
    color = camera(30, (0.1, -0.2, 0.001, 0.002, 0.0))
    assert opened.cameras == CameraFile(color, camera(28), registered=False, depth_scale=1000)
    assert any("the depth camera is another one" in problem for problem in opened.problems)
    np.testing.assert_allclose(opened.poses.poses[0], T, atol=1e-12)
    assert opened.poses.poses[2, 0, 3] == 3

    pictures = list(opened.pictures())
    assert [picture.kind for picture in pictures] == ["rgb", "depth"] * 3
    assert [picture.time for picture in pictures[::2]] == pytest.approx([(NOW + k * STEP) * 1e-9 for k in range(3)])
    assert pictures[4].name == "/cam/color/image_raw 2"
    np.testing.assert_array_equal(pictures[4].pixels(), gray(20))
    np.testing.assert_array_equal(pictures[5].pixels(), MILLIMETRES + 2)


@pytest.mark.parametrize("kind", ["mcap"])
def test_an_mcap_alone_and_its_folder_are_the_same(path, kind):
    with BagWriter(path, kind) as bag:
        bag.image("/image", NOW, gray(50), "rgb8")
    (alone,) = path.glob("*.mcap")
    for source in (path, alone):
        np.testing.assert_array_equal(pixels_of(open_bag(source))[0], gray(50))


@pytest.mark.parametrize("kind", ["sqlite3"])
class TestEncodings:
    COLOR = np.array([200, 100, 50], np.uint8)

    def color(self, path, kind, pixels, encoding, **options):
        with BagWriter(path, kind) as bag:
            bag.image("/image", NOW, pixels, encoding, **options)
        return pixels_of(open_bag(path))[0]

    @pytest.mark.parametrize(
        ("encoding", "order"),
        [
            ("rgb8", [0, 1, 2]),
            ("bgr8", [2, 1, 0]),
            ("rgba8", [0, 1, 2, 0]),
            ("bgra8", [2, 1, 0, 0]),
            ("8UC3", [2, 1, 0]),
        ],
    )
    @pytest.mark.parametrize("padding", [0, 5])
    def test_orders_of_channels_and_padded_rows(self, path, kind, encoding, order, padding):
        sent = gray(9)
        sent[10, 20] = self.COLOR
        received = self.color(path, kind, sent[..., order], encoding, padding=padding)
        np.testing.assert_array_equal(received, sent)

    def test_grey(self, path, kind):
        np.testing.assert_array_equal(self.color(path, kind, gray(9)[..., :1], "mono8"), gray(9))

    @pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
    def test_bayer(self, path, kind, pattern):
        raw = np.zeros((*SIZE[::-1], 1), np.uint8)
        for place, channel in enumerate(pattern):
            raw[place // 2 :: 2, place % 2 :: 2] = self.COLOR["rgb".index(channel)]
        assert (self.color(path, kind, raw, f"bayer_{pattern}8")[8:16, 8:16] == self.COLOR).all()

    @pytest.mark.parametrize(("encoding", "luma"), [("yuv422", 1), ("yuv422_yuy2", 0)])
    def test_yuv(self, path, kind, encoding, luma):
        raw = np.full((*SIZE[::-1], 2), 128, np.uint8)
        raw[..., luma] = 235
        assert self.color(path, kind, raw, encoding).min() > 250

    def test_an_encoding_that_is_not_known_is_named(self, path, kind):
        with BagWriter(path, kind) as bag:
            bag.image("/image", NOW, gray(9), "nv21")
        (picture,) = open_bag(path).pictures()
        with pytest.raises(FrameError, match=r"the encoding 'nv21' is not one.*reads: rgb8, "):
            picture.pixels()

    def test_too_few_bytes(self, path, kind):
        with BagWriter(path, kind) as bag:
            header = bag.header(NOW)
            bag.write(
                "/image", "sensor_msgs/msg/Image", NOW, header=header, height=24, width=32, encoding="rgb8",
                is_bigendian=0, step=96, data=np.zeros(500, np.uint8),
            )  # fmt: skip
        (picture,) = open_bag(path).pictures()
        with pytest.raises(FrameError, match="500 bytes for 32 x 24 pixels of 3 bytes, 96 a row"):
            picture.pixels()

    def test_depth_in_metres(self, path, kind):
        metres = np.full(SIZE[::-1], 1.25, np.float32)
        metres[0, :4] = np.nan, np.inf, -1, 20
        with BagWriter(path, kind) as bag:
            bag.image("/depth", NOW, metres, "32FC1")
        opened = open_bag(path)
        assert (opened.kinds, opened.depth_scale) == (("depth",), 5000)
        (counts,) = pixels_of(opened)
        assert counts[0, :4].tolist() == [0, 65535, 0, 65535]
        assert counts[5, 5] == 6250

    def test_mono16_is_depth_if_it_is_said(self, path, kind):
        with BagWriter(path, kind) as bag:
            bag.image("/infrared", NOW, MILLIMETRES, "mono16")
        assert open_bag(path).kinds == ("rgb",)
        opened = open_bag(path, "none", "/infrared")
        assert opened.kinds == ("depth",)
        np.testing.assert_array_equal(pixels_of(opened)[0], MILLIMETRES)

    def test_depth_with_the_high_byte_first(self, path, kind):
        with BagWriter(path, kind) as bag:
            bag.image("/depth", NOW, MILLIMETRES.astype(">u2"), "16UC1")
        np.testing.assert_array_equal(pixels_of(open_bag(path))[0], MILLIMETRES)


@pytest.mark.parametrize("kind", ["mcap"])
def test_compressed_images_are_taken_over_as_they_are(path, kind):
    jpeg = cv2.imencode(".jpg", gray(90))[1].tobytes()
    png = cv2.imencode(".png", MILLIMETRES)[1].tobytes()
    with BagWriter(path, kind) as bag:
        bag.camera_info("/cam/camera_info", NOW, 30)
        bag.compressed("/cam/image_raw/compressed", NOW, jpeg, "rgb8; jpeg compressed bgr8")
        bag.compressed("/cam/image_raw/compressed", NOW + STEP, jpeg[:200], "rgb8; jpeg compressed bgr8")
        bag.compressed("/depth/compressedDepth", NOW, bytes(12) + png, "16UC1; compressedDepth png")
    opened = open_bag(path)
    assert opened.cameras.color == camera(30)
    pictures = {(picture.kind, picture.index): picture for picture in opened.pictures()}
    assert pictures["rgb", 0].as_file().data == jpeg
    np.testing.assert_array_equal(pictures["depth", 0].pixels(), MILLIMETRES)
    with pytest.raises(FrameError, match="/cam/image_raw/compressed 1: truncated JPEG"):
        pictures["rgb", 1].as_file()


@pytest.mark.parametrize("kind", ["sqlite3"])
def test_compressed_depth_in_metres_is_of_inverse_depth(path, kind):
    a, b = 120.0, 3.0
    counts = np.full(SIZE[::-1], 100, np.uint16)
    counts[0, 0] = 0
    data = struct.pack("<iff", 0, a, b) + cv2.imencode(".png", counts)[1].tobytes()
    with BagWriter(path, kind) as bag:
        bag.compressed("/depth/compressedDepth", NOW, data, "32FC1; compressedDepth png")
    (received,) = pixels_of(open_bag(path))
    assert received[0, 0] == 0
    assert received[5, 5] == round(5000 * a / (100 - b))


@pytest.mark.parametrize("kind", ["ros1"])
@pytest.mark.parametrize("pose", ["PoseStamped", "PoseWithCovarianceStamped", "Odometry", "TransformStamped"])
def test_every_kind_of_pose(path, kind, pose):
    with BagWriter(path, kind) as bag:
        bag.image("/image", NOW, gray(0), "rgb8")
        bag.pose("/where", pose, NOW, [1.0, 2.0, 3.0], [0.0, 0.0, np.sqrt(0.5), np.sqrt(0.5)])
    opened = open_bag(path)
    assert opened.poses is None
    assert opened.problems == ["poses are there, and not asked for: /where"]
    T = open_bag(path, pose_topic="/where").poses.poses[0]
    np.testing.assert_allclose(T[:3], [[0, -1, 0, 1], [1, 0, 0, 2], [0, 0, 1, 3]], atol=1e-12)


@pytest.mark.parametrize("kind", ["mcap"])
def test_which_topic_is_meant(path, kind):
    with BagWriter(path, kind) as bag:
        for side in ("left", "right"):
            bag.image(f"/{side}/image_raw", NOW, gray(50), "rgb8")
            bag.camera_info(f"/{side}/camera_info", NOW, 30 if side == "left" else 40)
    with pytest.raises(
        InputError, match=r"2 topics have photographs: /left/image_raw, /right/image_raw; say .*--topic"
    ):
        open_bag(path)
    assert open_bag(path, "/right/image_raw").cameras.color.fx == 40
    for wrong in ("/middle", "/left/camera_info"):
        with pytest.raises(
            InputError, match=rf"no images in a topic '{wrong}'; the topics are .*/left/image_raw \(sensor"
        ):
            open_bag(path, wrong)
    with pytest.raises(InputError, match=r"no poses in a topic '/pose'; there is no such topic"):
        open_bag(path, "/left/image_raw", pose_topic="/pose")
    with pytest.raises(InputError, match=r"no topic of images to take; the topics are"):
        open_bag(path, "none")


@pytest.mark.parametrize("kind", ["sqlite3"])
def test_a_topic_and_its_compressed_twin_are_one(path, kind):
    with BagWriter(path, kind) as bag:
        bag.image("/image_raw", NOW, gray(50), "rgb8")
        bag.compressed("/image_raw/compressed", NOW, cv2.imencode(".png", gray(50))[1].tobytes(), "png")
    assert list(open_bag(path).topics) == ["/image_raw"]
    assert list(open_bag(path, "/image_raw/compressed").topics) == ["/image_raw/compressed"]


@pytest.mark.parametrize("kind", ["ros1"])
def test_rectified_images_have_another_camera_and_no_lens(path, kind):
    with BagWriter(path, kind) as bag:
        bag.camera_info("/cam/camera_info", NOW, 30, lens=(0.1, 0, 0, 0, 0))
        for name in ("image_raw", "image_rect_color"):
            bag.image(f"/cam/{name}", NOW, gray(50), "rgb8")
    assert open_bag(path, "/cam/image_raw").cameras.color == camera(30, (0.1, 0, 0, 0, 0))
    assert open_bag(path, "/cam/image_rect_color").cameras.color == camera(60)


@pytest.mark.parametrize("kind", ["ros1"])
def test_a_fisheye_is_refused_by_name(path, kind):
    with BagWriter(path, kind) as bag:
        bag.image("/cam/image_raw", NOW, gray(50), "rgb8")
        bag.camera_info("/cam/camera_info", NOW, 30, "equidistant", (0.1, 0, 0, 0))
    bag = open_bag(path)
    assert len(list(bag.pictures())) == 1
    with pytest.raises(InputError, match="/cam/camera_info: the lens model 'equidistant' is not one"):
        assert bag.cameras


@pytest.mark.parametrize("kind", ["ros1"])
def test_a_camera_that_nobody_has_calibrated_is_none(path, kind):
    with BagWriter(path, kind) as bag:
        bag.image("/cam/image_raw", NOW, gray(50), "rgb8")
        bag.camera_info("/cam/camera_info", NOW, 0.0)
    assert open_bag(path).cameras is None


@pytest.mark.parametrize("kind", ["ros1"])
def test_images_without_a_stamp_have_the_time_of_their_recording(path, kind):
    with BagWriter(path, kind) as bag:
        bag.image("/image", 0, gray(50), "rgb8", received=NOW)
    opened = open_bag(path)
    (picture,) = opened.pictures()
    assert picture.time == pytest.approx(NOW * 1e-9)
    assert opened.problems == ["1 images have no time of their own: theirs is when they were recorded"]


def cut(path, kind, share):
    """The file of a bag of noise of which only a share is left."""
    rng = np.random.default_rng(0)
    with BagWriter(path, kind) as bag:
        for k in range(20):
            bag.image("/image", NOW + k * STEP, rng.integers(0, 255, (*SIZE[::-1], 3), np.uint8), "rgb8")
    file = path if kind == "ros1" else next(file for file in path.iterdir() if file.suffix in (".mcap", ".db3"))
    data = file.read_bytes()
    file.write_bytes(data[: int(share * len(data))])
    return file


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_a_bag_that_is_cut_short(path, kind, share):
    file = cut(path, kind, share)
    with pytest.raises(InputError, match="file is empty|cannot be read as a ROS bag: .*if it was cut .* may mend it"):
        open_bag(file)


@pytest.mark.parametrize("kind", ["sqlite3"])
def test_of_a_database_whose_end_is_lost_there_is_the_beginning(path, kind):
    bag = open_bag(cut(path, kind, 0.97))
    assert 10 < len(list(bag.pictures())) < 20
    assert any("the bag is cut short or damaged after" in problem for problem in bag.problems)


@pytest.mark.parametrize("kind", ["ros1"])
def test_without_rosbags_the_extra_is_named(path, kind, monkeypatch):
    path.write_bytes(b"#ROSBAG")
    monkeypatch.setitem(sys.modules, "rosbags.highlevel", None)
    with pytest.raises(InputError, match=r"needs rosbags, .*pip install 'glrender\[bags\]'"):
        open_bag(path)
