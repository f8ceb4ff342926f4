"""`glrender convert` of bags: photographs beside depth images, and poses of what carries the camera."""

from pathlib import Path

import numpy as np
import pytest
from media import NOW, SIZE, BagWriter, gray

from glrender.cli.main import main
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.io.sequence_folder import open_sequence

CENTRE = (SIZE[0] - 1) / 2, (SIZE[1] - 1) / 2


def convert(*arguments: object) -> int:
    return main(["convert", *map(str, arguments)])


def test_a_bag_of_a_robot_with_depth(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bag_path, T_base_camera = tmp_path / "drive.bag", se3.exp([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    with BagWriter(bag_path, "ros1") as bag:
        bag.camera_info("/cam/camera_info", NOW, 30.0)
        for k in range(4):
            ns = NOW + k * 100_000_000
            bag.image("/cam/image_raw", ns, gray(10 * k), "rgb8")
            bag.image("/cam/depth", ns + 5_000_000, np.full(SIZE[::-1], 1000 + k, np.uint16), "16UC1")
            bag.pose("/odom", "Odometry", ns, [1.0 * k, 2.0, 3.0], [0.0, 0.0, 0.0, 1.0])
    np.savetxt(tmp_path / "T.txt", T_base_camera)
    out = tmp_path / "out"
    assert convert(bag_path, "--pose-topic", "/odom", "--T-base-camera", tmp_path / "T.txt", "--out", out) == 0
    printed = capsys.readouterr().out
    assert "4 photographs and 4 depth images" in printed
    assert (
        f"4 poses, of what carries the camera as {tmp_path / 'T.txt'} says: 3 of 4 frames have one" in printed
    )  # the last depth image is 5 ms after the last pose
    sequence = open_sequence(out)
    assert sequence.depth_scale == 1000
    frame = sequence.read(sequence.frames[2])
    assert frame.depth[5, 5] == pytest.approx(1.002)
    assert frame.color_time == pytest.approx((NOW + 200_000_000) * 1e-9, abs=1e-6)
    T = np.eye(4)
    T[:3, 3] = 2, 2, 3
    np.testing.assert_allclose(sequence.trajectory.at(sequence.trajectory.times[2]), T @ T_base_camera, atol=1e-8)


def test_a_bag_whose_depth_images_are_smaller_than_its_photographs(tmp_path: Path) -> None:
    """As depth cameras record them unless they are asked to align both."""
    large = 2 * SIZE[0], 2 * SIZE[1]
    with BagWriter(tmp_path / "camera.mcap", "mcap") as bag:
        bag.camera_info("/depth/camera_info", NOW, 30)
        bag.image("/depth/image_raw", NOW, np.full(SIZE[::-1], 1500, np.uint16), "16UC1")
        bag.image("/color/image_raw", NOW, gray(9, large), "rgb8")
        bag.camera_info("/color/camera_info", NOW, 60, size=large)
    assert convert(tmp_path / "camera.mcap", "--out", tmp_path / "out") == 0
    sequence = open_sequence(tmp_path / "out")
    assert (sequence.camera, sequence.binning) == (Camera(*SIZE, 30.0, 30.0, *CENTRE), 2)
    frame = sequence.read(sequence.frames[0])
    np.testing.assert_allclose(frame.depth, 1.5, atol=1e-6)
    assert frame.image.shape == (*SIZE[::-1], 3)
