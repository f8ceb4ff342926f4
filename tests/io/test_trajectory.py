"""Poses on file, and between two of them."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation, Slerp

from glrender.errors import InputError
from glrender.geometry import se3
from glrender.io.trajectory import Trajectory, read_pose, read_trajectory, write_trajectory

GOOD = "1 0 0 0 0 0 0 1\n2 1 2 3 0 0 0.7071068 0.7071068\n"


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "groundtruth.txt"
        path.write_text(text)
        return path

    return write


def test_a_third_of_the_time_is_a_third_of_the_way_and_of_the_turn(write):
    T = read_trajectory(write("# a comment\n" + GOOD)).at(1 + 1 / 3)
    np.testing.assert_allclose(T[:3, 3], [1 / 3, 2 / 3, 1])
    np.testing.assert_allclose(Rotation.from_matrix(T[:3, :3]).as_rotvec(degrees=True), [0, 0, 30], atol=1e-5)


def test_the_shorter_way_is_taken_whatever_the_quaternions_sign(write):
    T = read_trajectory(write("1 0 0 0 0 0 0 1\n2 0 0 0 0 0 -0.7071068 -0.7071068\n")).at(1.25)
    np.testing.assert_allclose(Rotation.from_matrix(T[:3, :3]).as_rotvec(degrees=True), [0, 0, 22.5], atol=1e-5)


def test_poses_are_the_given_ones_at_the_given_times_and_rigid_between():
    rng = np.random.default_rng(3)
    poses = np.stack([se3.exp(rng.normal(size=6)) for _ in range(5)])
    trajectory = Trajectory(np.cumsum(rng.uniform(0.1, 1, 5)), poses)
    for time, pose in zip(trajectory.times, poses, strict=True):
        np.testing.assert_array_equal(trajectory.at(time), pose)
    for time in rng.uniform(*trajectory.times[[0, -1]], 20):
        T = trajectory.at(time)
        np.testing.assert_allclose(T[:3, :3] @ T[:3, :3].T, np.eye(3), atol=1e-12)


def test_a_rotation_between_two_is_on_the_shortest_way_and_may_be_rounded():
    rng = np.random.default_rng(4)
    for _ in range(20):
        first, second = (se3.exp(rng.normal(size=6)) for _ in range(2))
        expected = Slerp([1, 3], Rotation.from_matrix(np.stack([first, second])[:, :3, :3]))(1.5).as_matrix()
        between = Trajectory(np.array([1.0, 3.0]), np.stack([first, second])).at(1.5)
        np.testing.assert_allclose(between[:3, :3], expected, atol=1e-12)
        np.testing.assert_allclose(between[:3, 3], 0.75 * first[:3, 3] + 0.25 * second[:3, 3], atol=1e-12)
        rounded = Trajectory(np.array([1.0, 3.0]), np.round(np.stack([first, second]), 5)).at(1.5)
        np.testing.assert_allclose(rounded[:3, :3], expected, atol=3e-5)


@pytest.mark.parametrize("time", [0.999999, 2.000001, np.nan])
def test_poses_are_never_extrapolated(write, time):
    trajectory = read_trajectory(write(GOOD))
    assert not trajectory.covers(time)
    with pytest.raises(InputError, match=r"outside the trajectory, which covers 1\.000000 to 2\.000000 s"):
        trajectory.at(time)


def test_where_poses_are_missing_there_is_a_gap():
    times = np.concatenate([np.arange(100), np.arange(140, 200)]) / 100
    trajectory = Trajectory(times, np.broadcast_to(np.eye(4), (len(times), 4, 4)))
    assert trajectory.gap(1.2) == pytest.approx(0.41)
    assert [trajectory.gap(time) for time in (0.99, 1.4, 0.505, -1.0, np.nan)] == [0] * 5
    assert Trajectory(100 * times, trajectory.poses).gap(120) == 41
    # Every tenth second, and now and then a photograph that has none.
    assert Trajectory(np.array([0.0, 10, 20, 40, 50]), np.broadcast_to(np.eye(4), (5, 4, 4))).gap(30) == 0


def test_a_trajectory_of_one_pose_knows_that_pose_only(write):
    trajectory = read_trajectory(write("1 4 5 6 0 0 0 1\n"))
    np.testing.assert_array_equal(trajectory.at(1.0)[:3, 3], [4, 5, 6])
    assert not trajectory.covers(1.1)
    assert trajectory.gap(1.0) == 0


def test_lines_in_another_order_and_repeated_ones_are_fine(write):
    trajectory = read_trajectory(write("2 1 2 3 0 0 0 1\n" + "1 0 0 0 0 0 0 1\n" * 2))
    np.testing.assert_array_equal(trajectory.times, [1, 2])
    np.testing.assert_allclose(trajectory.at(1.5)[:3, 3], [0.5, 1, 1.5])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("3 nan 0 0 0 0 0 1", "finite numbers"),
        ("3 0 0 inf 0 0 0 1", "finite numbers"),
        ("3 0 1e308 0 0 0 0 1", "1e+308 m away, expected at most 1e+12"),
        ("nan 0 0 0 0 0 0 1", "finite numbers"),
        ("3 0 0 0 0 0 0 0", "quaternion of length 0, expected 1"),
        ("3 0 0 0 1 2 3 4", "quaternion of length 5.48, expected 1"),
        ("3 0 0 0 0 0 1", "received 7 numbers, expected timestamp tx ty tz qx qy qz qw"),
        ("3 0 0 0 0 0 0 1 9", "received 9 numbers"),
        ("3,0,0,0,0,0,0,1", "expected timestamp"),
        ("2 9 9 9 0 0 0 1", "time 2.000000 s has another pose on an earlier line"),
    ],
)
def test_a_bad_line_is_named_by_file_and_number(write, line, message):
    with pytest.raises(InputError, match=r"groundtruth\.txt:3: ") as caught:
        read_trajectory(write(GOOD + line + "\n"))
    assert message in str(caught.value)


def test_a_file_without_poses_and_no_file_are_errors(write, tmp_path):
    with pytest.raises(InputError, match="holds no pose"):
        read_trajectory(write("# nothing here\n"))
    with pytest.raises(InputError, match="no such file"):
        read_trajectory(tmp_path / "none.txt")


def test_what_is_written_is_read_again(tmp_path):
    rng = np.random.default_rng(4)
    poses = np.stack([se3.exp(3 * rng.normal(size=6)) for _ in range(4)])
    written = Trajectory(1305033527 + np.arange(4) / 30, poses)
    write_trajectory(tmp_path / "t.txt", written)
    read = read_trajectory(tmp_path / "t.txt")
    np.testing.assert_allclose(read.times, written.times, atol=1e-6)
    np.testing.assert_allclose(read.poses, poses, atol=1e-8)


@pytest.mark.parametrize("times", [[0.0, 0.0], [1.0, 0.0], [0.0, np.nan]])
def test_times_must_increase(times):
    with pytest.raises(InputError, match="trajectory times"):
        Trajectory(np.array(times), np.stack([np.eye(4)] * 2))


def test_a_pose_file_is_read_and_a_bad_one_refused(tmp_path):
    path = tmp_path / "T_world_map.txt"
    T = se3.exp([1, 2, 3, 0.1, 0.2, 0.3])
    np.savetxt(path, T)
    np.testing.assert_allclose(read_pose(path), T)
    np.savetxt(path, T[:3])
    with pytest.raises(InputError, match=r"T_world_map\.txt: received 3 lines"):
        read_pose(path)
    np.savetxt(path, 2 * T)
    with pytest.raises(InputError, match=r"T_world_map\.txt: expected a rigid"):
        read_pose(path)
    path.write_text("1 0 0 0\n0 1 0\n")
    with pytest.raises(InputError, match=r"T_world_map\.txt:2: received 3 numbers, expected four"):
        read_pose(path)
