"""Every format of poses, written by hand: orders of quaternions, camera axes, which way poses go."""

import json
import struct

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from glrender.errors import InputError, UsageError
from glrender.geometry import se3
from glrender.io.poses.image_poses import ImagePoses
from glrender.io.poses.reading import FORMATS, carried, pose_format, read_poses
from glrender.io.trajectory import Trajectory

T_WORLD_CAMERA = se3.from_quaternion(
    [1.0, 2.0, 3.0], Rotation.from_euler("zyx", [70, -20, 130], degrees=True).as_quat()
)
"""No axis alone, so that no order of columns can pass for another."""
X, Y, Z, W = Rotation.from_matrix(T_WORLD_CAMERA[:3, :3]).as_quat()
NOW = 1403636579763555584
"""Nanoseconds."""


def words(*numbers):
    return " ".join(f"{number:.9f}" for number in numbers)


def write(path, text):
    path.write_text(text)
    return path


def test_tum(tmp_path):
    path = write(tmp_path / "poses.txt", f"# comment\n12.5 {words(1, 2, 3, X, Y, Z, W)}\n")
    poses = read_poses(path)
    assert isinstance(poses, Trajectory)
    np.testing.assert_array_equal(poses.times, [12.5])
    np.testing.assert_allclose(poses.poses[0], T_WORLD_CAMERA, atol=1e-8)


def test_kitti(tmp_path):
    first = words(*np.eye(4)[:3].ravel())
    poses = read_poses(write(tmp_path / "00.txt", f"{first}\n{words(*T_WORLD_CAMERA[:3].ravel())}\n"))
    assert isinstance(poses, ImagePoses)
    np.testing.assert_allclose(poses.of(1, "000001.png"), T_WORLD_CAMERA, atol=1e-8)
    assert poses.of(2, "000002.png") is None


def test_whole_matrices_are_kitti_poses_too(tmp_path):
    """As Replica's trajectories have them."""
    poses = read_poses(write(tmp_path / "traj.txt", words(*T_WORLD_CAMERA.ravel()) + "\n"))
    np.testing.assert_allclose(poses.of(0, "frame000000.jpg"), T_WORLD_CAMERA, atol=1e-8)
    turned = words(*T_WORLD_CAMERA.T.ravel())
    with pytest.raises(InputError, match=r"turned\.txt:1: "):
        read_poses(write(tmp_path / "turned.txt", turned + "\n"))


def test_euroc(tmp_path):
    header = "#timestamp, p_RS_R_x [m], p_RS_R_y [m], p_RS_R_z [m], q_RS_w [], q_RS_x [], q_RS_y [], q_RS_z [], v_x\n"
    line = ",".join([str(NOW), *words(1, 2, 3, W, X, Y, Z, 0.1).split()])
    poses = read_poses(write(tmp_path / "data.csv", header + line + "\n"))
    assert poses.times[0] == pytest.approx(1403636579.763556, abs=1e-6)
    np.testing.assert_allclose(poses.poses[0], T_WORLD_CAMERA, atol=1e-8)
    T_base_camera = se3.exp([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    np.testing.assert_allclose(
        carried(poses, T_base_camera).at(poses.times[0]), T_WORLD_CAMERA @ T_base_camera, atol=1e-8
    )
    with pytest.raises(InputError, match="T_base_camera: expected a rigid"):
        carried(poses, 2 * T_base_camera)


def colmap_numbers():
    """What COLMAP has of the pose: the inverse, w first."""
    T_camera_world = se3.inverse(T_WORLD_CAMERA)
    x, y, z, w = Rotation.from_matrix(T_camera_world[:3, :3]).as_quat()
    return w, x, y, z, *T_camera_world[:3, 3]


def test_colmap_text_has_a_line_of_points_after_each_image_that_may_be_empty(tmp_path):
    (tmp_path / "sparse" / "0").mkdir(parents=True)
    text = (
        f"# list\n1 {words(*colmap_numbers())} 1 left/a b.png\n\n2 {words(1, 0, 0, 0, 0, 0, -4)} 1 c.png\n1.5 2.5 -1\n"
    )
    path = write(tmp_path / "sparse" / "0" / "images.txt", text)
    for place in (path, path.parent, tmp_path):
        poses = read_poses(place)
        assert poses.names == ("left/a b.png", "c.png")
        np.testing.assert_allclose(poses.of(7, "a b.png"), T_WORLD_CAMERA, atol=1e-8)
        np.testing.assert_allclose(poses.of(7, "c.png")[:3, 3], [0, 0, 4])


def colmap_binary(points=2):
    head = struct.pack("<Q", 2)
    images = b""
    for k, name in enumerate((b"left/a.png", b"c.png")):
        images += struct.pack("<I7dI", k + 1, *colmap_numbers(), 1) + name + b"\0"
        images += struct.pack("<Q", points) + struct.pack("<ddq", 1.5, 2.5, -1) * points
    return head + images


def test_colmap_binary(tmp_path):
    (tmp_path / "images.bin").write_bytes(colmap_binary())
    poses = read_poses(tmp_path)
    assert poses.names == ("left/a.png", "c.png")
    for k in range(2):
        np.testing.assert_allclose(poses.poses[k], T_WORLD_CAMERA, atol=1e-12)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.55, 0.8])
def test_a_colmap_binary_that_is_cut_short(tmp_path, share):
    whole = colmap_binary()
    (tmp_path / "images.bin").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(InputError, match=r"images\.bin: cut short after \d images"):
        read_poses(tmp_path)


def transforms(*names, T=T_WORLD_CAMERA):
    """Frames of the same pose, with OpenGL's camera: x right, y up, z backward."""
    T_world_opengl = np.array(T)
    T_world_opengl[:3, 1] *= -1
    T_world_opengl[:3, 2] *= -1
    return {"frames": [{"file_path": name, "transform_matrix": T_world_opengl.tolist()} for name in names]}


def test_transforms_json(tmp_path):
    path = write(tmp_path / "transforms.json", json.dumps(transforms("./images/0001", "images/0002.jpg")))
    poses = read_poses(path)
    for name in ("0001.png", "images/0001.png", "0002.jpg", "0002.png"):
        np.testing.assert_allclose(poses.of(0, name), T_WORLD_CAMERA, atol=1e-12)
    assert poses.of(0, "0003.jpg") is None


def opensfm(*names, T=T_WORLD_CAMERA):
    """A reconstruction of shots of the same pose: world to camera, as rotation vector and translation."""
    T_camera_world = np.linalg.inv(T)
    vector = Rotation.from_matrix(T_camera_world[:3, :3]).as_rotvec()
    shot = {"rotation": vector.tolist(), "translation": T_camera_world[:3, 3].tolist(), "camera": "v2"}
    return {"shots": dict.fromkeys(names, shot), "cameras": {"v2": {}}, "points": {}}


@pytest.mark.parametrize(
    ("system", "crs"),
    [
        ("WGS84 UTM 32N", "EPSG:32632"),
        ("WGS84 UTM 7S", "EPSG:32707"),
        ("EPSG:25832", "EPSG:25832"),
        ("'+proj=utm +zone=32 +datum=WGS84'", "+proj=utm +zone=32 +datum=WGS84"),
    ],
)
@pytest.mark.parametrize("place", ["opensfm", "opensfm/undistorted"])
def test_a_project_of_opendronemap_tells_the_reference_system(tmp_path, system, crs, place):
    (tmp_path / place).mkdir(parents=True)
    (tmp_path / "odm_georeferencing").mkdir()
    path = write(tmp_path / place / "reconstruction.json", json.dumps([opensfm("a.jpg")]))
    write(tmp_path / "odm_georeferencing" / "coords.txt", f"{system}\n412364 5432164\n1.5 2 500\n")
    local = read_poses(path)  # not georeferenced yet
    assert local.crs is None
    np.testing.assert_allclose(local.poses[0], T_WORLD_CAMERA, atol=1e-9)
    write(tmp_path / "opensfm" / "reconstruction.topocentric.json", "[]")
    poses = read_poses(path)
    assert poses.crs == poses.taken_by("v2").crs == crs
    np.testing.assert_allclose(poses.poses[0, :3, 3] - T_WORLD_CAMERA[:3, 3], (412364, 5432164, 0), atol=1e-6)
    np.testing.assert_allclose(poses.poses[0, :3, :3], T_WORLD_CAMERA[:3, :3], atol=1e-9)


@pytest.mark.parametrize("text", ["WGS84 UTM 32N\n", "somewhere\n1 2\n", "WGS84 UTM 32N\n1 2 3\n"])
def test_a_project_whose_offset_is_malformed(tmp_path, text):
    for folder in ("opensfm", "odm_georeferencing"):
        (tmp_path / folder).mkdir()
    for name in ("reconstruction.json", "reconstruction.topocentric.json"):
        write(tmp_path / "opensfm" / name, json.dumps([opensfm("a.jpg")]))
    write(tmp_path / "odm_georeferencing" / "coords.txt", text)
    with pytest.raises(InputError, match=r"coords\.txt: received .*, expected a reference system"):
        read_poses(tmp_path / "opensfm" / "reconstruction.json")


def test_opensfm_of_several_reconstructions_the_largest(tmp_path):
    far = opensfm("c.jpg", T=np.eye(4))
    path = write(tmp_path / "reconstruction.json", "\n " + json.dumps([far, opensfm("a.jpg", "b.JPG")]))
    assert pose_format(path) == "opensfm"
    poses = read_poses(path)
    np.testing.assert_allclose(poses.of(0, "b.JPG"), T_WORLD_CAMERA, atol=1e-12)
    assert poses.of(0, "c.jpg") is None


def test_names_that_agree_only_in_part_are_told_apart_by_their_folders():
    poses = ImagePoses(
        np.stack([se3.exp([k, 0, 0, 0, 0, 0]) for k in range(3)]), ("left/1.png", "right/1.png", "2.png")
    )
    assert poses.of(0, "left/1.jpg")[0, 3] == 0
    assert poses.of(0, "right/1.png")[0, 3] == 1
    assert poses.of(0, "1.png") is None
    assert poses.of(0, "up/2.png")[0, 3] == 2


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("p.txt", "", "p.txt: holds no pose; expected one of TUM: timestamp tx .*; transforms.json"),
        ("p.txt", "# nothing\n", "holds no pose"),
        ("p.txt", "1 2 3\n", "p.txt: its first line of data has 3 columns; expected one of TUM"),
        ("p.txt", "1 0 0 0 0 0 0 1.2\n", "p.txt:1: quaternion of length 1.2, expected 1"),
        ("p.txt", "1 0 0 0 0 0 0 1\n1 2 3\n", "p.txt:2: received 3 numbers"),
        ("p.txt", "1 0 0 0 0 1 0 0 0 0 2 0\n", "p.txt:1: expected a rigid 4x4"),
        ("p.csv", "1000,0,0,0,0.5,0,0,0\n", "p.csv:1: quaternion of length 0.5, expected 1"),
        ("p.csv", "1000,0,0,0,1,0,0,0\n2000,0\n", "p.csv:2: received 2 numbers"),
        ("p.csv", "1.5,0,0,0,1,0,0,0\n", "p.csv:1: received the time 1.5, expected whole nanoseconds"),
        ("p.csv", "time,x,y,z,w,x,y,z\n", "p.csv:1: received 'time x"),
        ("images.txt", "# none\n", "images.txt: holds no image"),
        ("images.txt", "1 1 0 0 0 0 0 0 1\n", "images.txt:1: received '1 1 0 .*expected IMAGE_ID QW"),
        ("images.txt", "1 2 0 0 0 0 0 0 1 a.png\n", "images.txt:1: quaternion of length 2, expected 1"),
        ("t.json", "", "t.json: cannot be read as JSON"),
        ("t.json", "{}", "t.json: no frames"),
        ("t.json", '{"frames": [{"file_path": "a"}]}', r"frames\[0\]: no key transform_matrix"),
        (
            "t.json",
            '{"frames": [{"file_path": "a", "transform_matrix": [[1]]}]}',
            r"transform_matrix: received shape \(1, 1\)",
        ),
        ("r.json", "[]", "r.json: no shots; expected a reconstruction.json"),
        ("r.json", "[1", "r.json: cannot be read as JSON"),
        ("r.json", '[{"shots": {"a.jpg": {"rotation": [1, 2]}}}]', "r.json: a.jpg: no rotation of three"),
        ("r.json", '[{"shots": {"a.jpg": {"rotation": [1, 2, 3]}}}]', "r.json: a.jpg: no translation of three"),
    ],
)
def test_what_cannot_be_used_is_told_with_its_place(tmp_path, name, content, message):
    with pytest.raises(InputError, match=message):
        read_poses(write(tmp_path / name, content))


def test_times_in_any_order_are_sorted_and_two_poses_of_one_time_are_refused(tmp_path):
    lines = [f"{NOW + ns},{k},0,0,1,0,0,0\n" for k, ns in enumerate((5_000_000, 0, 10_000_000))]
    path = write(tmp_path / "p.csv", "".join(lines))
    np.testing.assert_array_equal(read_poses(path).poses[:, 0, 3], [1, 0, 2])
    path.write_text("".join([*lines, f"{NOW},7,0,0,1,0,0,0\n"]))
    with pytest.raises(InputError, match=r"p\.csv:4: time 1403636579\.\d+ s has another pose"):
        read_poses(path)


def test_the_format_may_be_said(tmp_path):
    path = write(tmp_path / "p.json", f"1 {words(1, 2, 3, X, Y, Z, W)}\n")
    assert pose_format(path) == "transforms"
    np.testing.assert_allclose(read_poses(path, "tum").poses[0], T_WORLD_CAMERA, atol=1e-8)
    with pytest.raises(UsageError, match="pose format: received 'g2o', expected one of 'tum', 'kitti'"):
        read_poses(path, "g2o")
    assert set(FORMATS) == {"tum", "kitti", "euroc", "colmap", "transforms", "opensfm"}


def test_no_file_and_a_folder_that_is_no_model(tmp_path):
    with pytest.raises(InputError, match="no such file or folder; expected poses"):
        read_poses(tmp_path / "none.txt")
    with pytest.raises(InputError, match=r"neither images\.bin nor images\.txt, there or in sparse/0"):
        read_poses(tmp_path)
