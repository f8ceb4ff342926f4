"""A sequence folder and its frames."""

import cv2
import numpy as np
import pytest
import yaml

from glrender.errors import InputError, UsageError
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.io.color import linear_to_bytes
from glrender.io.images import write_color, write_depth
from glrender.io.sequence_folder import open_sequence


def test_a_frame_holds_what_was_written(small_sequence, small_camera):
    sequence = open_sequence(small_sequence)
    assert sequence.camera == sequence.color_camera == small_camera
    assert sequence.problems == ()
    assert [entry.index for entry in sequence.frames] == list(range(6))
    frame = sequence.read(sequence.frames[3])
    assert frame.index == 3
    assert frame.time == frame.color_time == pytest.approx(100.3, abs=1e-6)
    assert frame.depth.dtype == frame.image.dtype == np.float32
    np.testing.assert_array_equal(frame.depth, np.full((6, 8), 3, np.float32))
    np.testing.assert_array_equal(linear_to_bytes(frame.image[2, 5]), linear_to_bytes([0.3, 0.2, 0.9]))


def test_depth_alone_and_colour_alone_are_sequences(small_sequence):
    (small_sequence / "rgb.txt").rename(small_sequence / "other.txt")
    sequence = open_sequence(small_sequence)
    frame = sequence.read(sequence.frames[2])
    assert frame.image is None
    assert frame.color_time is None
    assert frame.depth[0, 0] == 2

    (small_sequence / "other.txt").rename(small_sequence / "rgb.txt")
    (small_sequence / "depth.txt").unlink()
    sequence = open_sequence(small_sequence)
    frame = sequence.read(sequence.frames[2])
    assert frame.depth is None
    assert frame.time == frame.color_time == pytest.approx(100.2)
    assert frame.image.shape == (6, 8, 3)


def test_photographs_may_be_larger_than_depth_images(small_sequence):
    """Of each pixel of depth, the mean of the photograph's that are as wide as it is, and there."""
    left, right = (np.tile(np.repeat([level, 1 - level], [1, 15]), (12, 1)) for level in (0.2, 0.4))
    for path in (small_sequence / "rgb").iterdir():
        write_color(path, np.stack([left, right, right], axis=-1))
    camera = yaml.safe_load((small_sequence / "camera.yaml").read_text())
    with pytest.raises(InputError, match=r"16 x 12 pixels, but camera\.yaml says 8 x 6$"):
        open_sequence(small_sequence)
    own = {key: camera[key] for key in ("width", "height", "fx", "fy", "cx", "cy")}
    twice = own | {key: 2 * own[key] for key in ("width", "height", "fx", "fy")}
    twice |= {key: 2 * own[key] + 0.5 for key in ("cx", "cy")}
    (small_sequence / "camera.yaml").write_text(yaml.safe_dump(camera | twice))
    with pytest.raises(InputError, match=r"8 x 6 .* says 16 x 12; depth images of another size .* depth: {width: "):
        open_sequence(small_sequence)
    (small_sequence / "camera.yaml").write_text(yaml.safe_dump(camera | twice | {"depth": own}))
    sequence = open_sequence(small_sequence)
    assert sequence.camera.shape == (6, 8)
    frame = sequence.read(sequence.frames[2])
    assert np.all(frame.depth == 2)
    np.testing.assert_allclose(frame.image[3, 0], [0.5, 0.5, 0.5], atol=0.005)
    np.testing.assert_allclose(frame.image[3, 1:], np.broadcast_to([0.8, 0.6, 0.6], (7, 3)), atol=0.005)
    alone = open_sequence(small_sequence, only="rgb")
    assert (alone.camera.shape, alone.read(alone.frames[0]).image.shape) == ((12, 16), (12, 16, 3))
    assert open_sequence(small_sequence, only="depth").camera == sequence.camera


def test_photographs_none_of_which_can_be_used_are_refused_with_the_reason(small_sequence):
    for path in (small_sequence / "rgb").iterdir():
        cv2.imwrite(str(path), np.full((6, 8), 30000, np.uint16))
    assert open_sequence(small_sequence).frames, "depth images can be used"
    with pytest.raises(InputError, match="no image can be used, the first since .*16 bits of one channel"):
        open_sequence(small_sequence, only="rgb")


def test_depth_scale_is_applied_and_a_saturated_count_is_no_measurement(small_sequence):
    counts = np.full((6, 8), 1500, np.uint16)
    counts[0, :3] = 0, 65535, 65534
    write_depth(small_sequence / "depth" / "100.000000.png", counts)
    _set_camera(small_sequence, "depth_scale", 1000)
    depth = open_sequence(small_sequence).read(open_sequence(small_sequence).frames[0]).depth
    np.testing.assert_allclose(depth[0, :4], [0, 0, 65.534, 1.5], rtol=1e-6)


def test_a_photograph_further_than_20_ms_away_does_not_belong(small_sequence):
    lines = (small_sequence / "rgb.txt").read_text().replace("100.300000 ", "100.321000 ")
    (small_sequence / "rgb.txt").write_text(lines.replace("100.400000 ", "100.419000 "))
    entries = open_sequence(small_sequence).frames
    assert entries[3].color_path is None
    assert entries[4].color_time == pytest.approx(100.419)
    assert entries[4].time == pytest.approx(100.4)


def test_selection_counts_the_lines_of_the_list_before_any_frame_is_skipped(small_sequence):
    listing = small_sequence / "depth.txt"
    lines = listing.read_text().splitlines()
    listing.write_text("\n".join([*lines[:3], "# a comment in between", "", *lines[3:]]))
    (small_sequence / "depth" / "100.200000.png").unlink()
    sequence = open_sequence(small_sequence)
    assert [entry.index for entry in sequence.frames] == [0, 1, 3, 4, 5]
    assert [entry.index for entry in sequence.select("even")] == [0, 4]
    assert [entry.index for entry in sequence.select("odd")] == [1, 3, 5]
    assert [entry.index for entry in sequence.select("first")] == [0, 1]
    assert [entry.index for entry in sequence.select("1:4")] == [1, 3]
    with pytest.raises(InputError, match=r"none of the 1 frames of '2:3' has its files"):
        sequence.select("2:3")
    with pytest.raises(UsageError, match="expected even, odd"):
        sequence.select("some")


def test_poses_are_those_of_the_folder_or_of_the_given_file(small_sequence, tmp_path):
    sequence = open_sequence(small_sequence)
    np.testing.assert_allclose(sequence.trajectory.at(100.25)[:3, 3], [2.5, 0, 0], atol=1e-9)
    other = tmp_path / "other.txt"
    other.write_text("100 7 8 9 0 0 0 1\n")
    np.testing.assert_array_equal(open_sequence(small_sequence, other).trajectory.at(100)[:3, 3], [7, 8, 9])
    (small_sequence / "groundtruth.txt").unlink()
    assert open_sequence(small_sequence).trajectory is None


def test_frames_without_a_pose_are_parted_from_those_with_one(small_sequence):
    sequence = open_sequence(small_sequence)
    assert sequence.with_poses(sequence.frames) == (sequence.frames, ())
    posed, skipped = sequence.with_poses(sequence.frames, time_offset=-0.15)
    assert [entry.index for entry in posed] == [2, 3, 4, 5]
    assert [(s.index, s.name) for s in skipped] == [(0, "depth/100.000000.png"), (1, "depth/100.100000.png")]
    assert all("outside the trajectory" in s.reason for s in skipped)


def test_frames_in_a_gap_of_the_trajectory_have_no_pose(small_sequence, tmp_path):
    """A straight line over what a hand-held camera did in half a second is no pose."""
    times = [t for t in np.arange(99.5, 101, 0.005) if not 100.05 < t < 100.25]
    poses = tmp_path / "poses.txt"
    poses.write_text("".join(f"{t:.4f} 0 0 1 0 0 0 1\n" for t in times))
    sequence = open_sequence(small_sequence, poses)
    posed, skipped = sequence.with_poses(sequence.frames)
    assert [entry.index for entry in posed] == [0, 3, 4, 5]
    assert [(s.index, s.reason) for s in skipped] == [
        (k, "no pose: in a gap of 0.20 s of the trajectory") for k in (1, 2)
    ]


def test_the_placement_of_the_map_is_read_where_there_is_one(small_sequence):
    assert open_sequence(small_sequence).T_world_map is None
    T = se3.exp([1, 2, 3, 0.1, 0.2, 0.3])
    np.savetxt(small_sequence / "T_world_map.txt", T)
    np.testing.assert_allclose(open_sequence(small_sequence).T_world_map, T)


def test_the_reference_system_of_the_poses_is_read_where_there_is_one(small_sequence):
    assert open_sequence(small_sequence).crs is None
    (small_sequence / "crs.txt").write_text("# UTM zone 32 north\nEPSG:32632\n")
    assert open_sequence(small_sequence).crs == "EPSG:32632"
    for text in ("", "EPSG:32632\nEPSG:25832\n"):
        (small_sequence / "crs.txt").write_text(text)
        with pytest.raises(InputError, match=r"crs\.txt: received . lines, expected one reference system"):
            open_sequence(small_sequence)
    for text in ("EPSG:here", "here", "EPSG:4326"):
        (small_sequence / "crs.txt").write_text(text)
        with pytest.raises(InputError, match=rf"crs\.txt: crs: received '{text}', .*expected a"):
            open_sequence(small_sequence)


OWN = Camera(width=8, height=6, fx=9.0, fy=9.0, cx=3.0, cy=2.0)


def test_depth_with_its_own_intrinsics_fits_the_photograph_pixel_by_pixel(small_sequence):
    pixels = np.random.default_rng(1).uniform(size=(6, 8, 3))
    write_color(small_sequence / "rgb" / "100.000000.png", pixels)
    _set_camera(small_sequence, "depth", "{fx: 9, fy: 9, cx: 3, cy: 2}")
    _set_camera(small_sequence, "distortion", "[0.3, 0, 0, 0]")
    sequence = open_sequence(small_sequence)
    assert sequence.camera == OWN
    assert sequence.color_camera.distortion == (0.3, 0, 0, 0)
    image = sequence.read(sequence.frames[0]).image
    np.testing.assert_array_equal(linear_to_bytes(image), linear_to_bytes(pixels))


def test_images_that_are_not_registered_are_joined_by_their_rays(small_sequence, small_camera):
    rays = small_camera.rays()
    write_color(small_sequence / "rgb" / "100.000000.png", 0.5 + 0.5 * rays / 2)
    _set_camera(small_sequence, "depth", "{fx: 9, fy: 9, cx: 3, cy: 2, registered: false}")
    sequence = open_sequence(small_sequence)
    frame = sequence.read(sequence.frames[0])
    np.testing.assert_allclose(frame.image[..., :2], 0.5 + 0.5 * OWN.rays()[..., :2] / 2, atol=0.01)


def test_a_lens_shared_by_both_is_taken_out_of_both(small_sequence):
    counts = (np.arange(48).reshape(6, 8) + 1).astype(np.uint16)
    write_depth(small_sequence / "depth" / "100.000000.png", counts)
    _set_camera(small_sequence, "distortion", "[-1.0, 0, 0, 0]")
    _set_camera(small_sequence, "depth_scale", 1)
    sequence = open_sequence(small_sequence)
    assert sequence.camera.distortion is None
    depth = sequence.read(sequence.frames[0]).depth
    assert not np.array_equal(depth, counts)
    assert set(depth.ravel()) <= {0, *counts.ravel().astype(float)}
    assert depth[2, 3] == counts[2, 3]  # beside the optical axis the lens does nothing


@pytest.mark.parametrize("registered", ["true", "false"])
def test_photographs_only_is_what_the_colour_camera_alone_would_have_recorded(small_sequence, small_camera, registered):
    pixels = np.random.default_rng(2).uniform(size=(6, 8, 3))
    write_color(small_sequence / "rgb" / "100.000000.png", pixels)
    _set_camera(small_sequence, "depth", f"{{fx: 9, fy: 9, cx: 3, cy: 2, registered: {registered}}}")
    _set_camera(small_sequence, "distortion", "[-1.0, 0, 0, 0]")
    listing = small_sequence / "rgb.txt"
    listing.write_text(listing.read_text() + "200.0 rgb/100.500000.png\n")  # a line that no depth image is near
    sequence = open_sequence(small_sequence, only="rgb")
    assert sequence.camera == small_camera
    assert [entry.index for entry in sequence.frames] == list(range(7))
    assert [entry.time for entry in sequence.frames[-2:]] == pytest.approx([100.5, 200])
    frame = sequence.read(sequence.frames[0])
    assert frame.depth is None

    (small_sequence / "depth.txt").unlink()
    alone = open_sequence(small_sequence)
    np.testing.assert_array_equal(frame.image, alone.read(alone.frames[0]).image)
    assert not np.array_equal(linear_to_bytes(np.nan_to_num(frame.image)), linear_to_bytes(pixels))  # the lens is out


def test_photographs_only_need_no_depth_and_no_poses(small_sequence):
    (small_sequence / "groundtruth.txt").unlink()
    (small_sequence / "depth.txt").write_text("nonsense")
    assert len(open_sequence(small_sequence, only="rgb").frames) == 6
    (small_sequence / "rgb.txt").unlink()
    with pytest.raises(InputError, match=r"no rgb\.txt, whose images are asked for"):
        open_sequence(small_sequence, only="rgb")


def test_depth_alone_does_not_ask_for_photographs_of_its_time(small_sequence):
    """Nor that there are any."""
    listing = small_sequence / "rgb.txt"
    listing.write_text("".join(f"9{line}\n" for line in listing.read_text().splitlines() if line[0].isdigit()))
    with pytest.raises(InputError, match="lies within 20 ms .* or take one of them alone"):
        open_sequence(small_sequence)
    sequence = open_sequence(small_sequence, only="depth")
    assert all(entry.color_path is None for entry in sequence.frames)
    assert sequence.read(sequence.frames[0]).depth is not None
    assert sequence.missing_photographs == ()
    (small_sequence / "depth.txt").unlink()
    with pytest.raises(InputError, match=r"no depth\.txt, whose images are asked for"):
        open_sequence(small_sequence, only="depth")
    with pytest.raises(UsageError, match="only: received 'color', expected one of 'rgb', 'depth'"):
        open_sequence(small_sequence, only="color")


def test_a_sequence_without_poses_says_so(small_sequence):
    (small_sequence / "groundtruth.txt").unlink()
    sequence = open_sequence(small_sequence)
    with pytest.raises(InputError, match=r"no groundtruth\.txt; give a trajectory"):
        sequence.with_poses(sequence.frames)


def _set_camera(folder, key, value):
    path = folder / "camera.yaml"
    lines = [line for line in path.read_text().splitlines() if not line.startswith(f"{key}:")]
    path.write_text("\n".join([*lines, f"{key}: {value}\n"]))
