"""`glrender convert`: each kind of recording, poses and calibrations together, what is left out, and bad use."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from complaints import complaint
from media import NOW, SIZE, gray, write_turned_jpeg, write_video

from glrender.cli.main import main
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.io.camera_file import CameraFile, write_camera
from glrender.io.images import read_color
from glrender.io.sequence_folder import open_sequence
from glrender.io.sequence_writer import SequenceWriter
from glrender.io.staged_folder import STAGE
from glrender.io.trajectory import Trajectory, write_trajectory

CENTRE = (SIZE[0] - 1) / 2, (SIZE[1] - 1) / 2
CAMERA = Camera(*SIZE, 30.0, 31.0, *CENTRE, (0.1, -0.2, 0.001, 0.002))


@pytest.fixture
def calibration(tmp_path: Path) -> Path:
    path = tmp_path / "calibration.yaml"
    write_camera(path, CameraFile(CAMERA))
    return path


def poses_at(times: list[float]) -> Trajectory:
    """At x = time."""
    return Trajectory(np.array(times), np.stack([se3.from_quaternion([t, 0, 0], [0, 0, 0, 1]) for t in times]))


def convert(*arguments: object) -> int:
    return main(["convert", *map(str, arguments)])


def test_a_folder_with_a_rate_becomes_a_sequence(
    images: Path, calibration: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert convert(images, "--rate", "10", "--calibration", calibration, "--out", out) == 0
    printed = capsys.readouterr().out
    assert f"{out}: 5 photographs of 0.40 s, from 0.000000 s on" in printed
    assert "camera 32 x 24: fx 30.00, fy 31.00, cx 15.50, cy 11.50, lens 0.1 -0.2 0.001 0.002" in printed
    assert "no poses" in printed
    sequence = open_sequence(out)
    assert sequence.color_camera == CAMERA
    assert sequence.trajectory is None
    assert [entry.time for entry in sequence.frames] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert sequence.frames[3].color_path.read_bytes() == (images / "3.png").read_bytes()
    record = json.loads((out / "conversion.json").read_text())
    assert record["photographs"] == 5
    assert set(record["files"]) == {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}


def test_a_video_with_poses_on_another_clock(calibration: Path, tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mkv", [0, 100, 250, 300])
    write_trajectory(tmp_path / "poses.txt", poses_at([50.0, 50.5]))
    command = [video, "--poses", tmp_path / "poses.txt", "--calibration", calibration, "--out", tmp_path / "out"]
    assert convert(*command, "--time-offset", "50.1") == 0
    sequence = open_sequence(tmp_path / "out")
    assert [entry.time for entry in sequence.frames] == pytest.approx([50.1, 50.2, 50.35, 50.4])
    posed, skipped = sequence.with_poses(sequence.frames)
    assert (len(posed), len(skipped)) == (4, 0)
    assert sequence.trajectory.at(50.2)[0, 3] == pytest.approx(50.2, abs=1e-6)
    np.testing.assert_allclose(read_color(sequence.frames[2].color_path)[15, 20], 20, atol=3)


def test_a_camera_that_is_plugged_in_is_recorded_until_ctrl_c(
    calibration: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    camera = f"camera:{write_video(tmp_path / 'a.mkv', [0, 100, 200, 300])}"  # a file stands in for it
    write, written = SequenceWriter.add_file, []

    def press_ctrl_c_after_two(*picture: object) -> None:
        written.append(write(*picture))
        if len(written) == 2:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(SequenceWriter, "add_file", press_ctrl_c_after_two)
    assert convert(camera, "--calibration", calibration, "--out", tmp_path / "out") == 0
    assert "2 photographs of" in capsys.readouterr().out
    first, second = open_sequence(tmp_path / "out").frames
    assert abs(first.time - time.time()) < 60
    assert first.time < second.time
    record = json.loads((tmp_path / "out" / "conversion.json").read_text())
    assert record["source"] == camera
    assert not record["partial"]


def test_a_tum_folder_without_a_camera_and_every_other_frame_of_it(
    calibration: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "tum"
    for kind in ("rgb", "depth"):
        (source / kind).mkdir(parents=True)
        names = [f"{10 + 0.1 * k:.6f}" for k in range(6)]
        (source / f"{kind}.txt").write_text("".join(f"{name} {kind}/{name}.png\n" for name in reversed(names)))
        for name in names:
            cv2.imwrite(
                str(source / kind / f"{name}.png"), gray(9) if kind == "rgb" else np.full(SIZE[::-1], 5000, np.uint16)
            )
    write_trajectory(source / "groundtruth.txt", poses_at([9.0, 11.0]))
    np.savetxt(source / "T_world_map.txt", np.eye(4))
    (source / "crs.txt").write_text("EPSG:32632\n")
    assert convert(source, "--out", tmp_path / "out") == 1
    assert "nothing says which camera took its images of 32 x 24 pixels; give --calibration" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    command = [source, "--out", tmp_path / "out", "--calibration", calibration, "--every", "2", "--start", "0.15"]
    assert convert(*command, "--depth-scale", "2500") == 0
    sequence = open_sequence(tmp_path / "out")
    assert [entry.time for entry in sequence.frames] == pytest.approx([10.2, 10.4])
    assert all(entry.color_path is not None for entry in sequence.frames)
    assert np.nanmax(sequence.read(sequence.frames[0]).depth) == 2
    assert len(sequence.trajectory.times) == 2
    np.testing.assert_array_equal(sequence.T_world_map, np.eye(4))
    assert sequence.crs == "EPSG:32632"


def write_transforms(path: Path, names: list[str], **values: object) -> None:
    frames = []
    for k, name in enumerate(names):
        matrix = se3.exp([k, 0, 0, 0, 0, 0]) @ np.diag([1.0, -1, -1, 1])
        frames.append({"file_path": name, "transform_matrix": matrix.tolist()})
    path.write_text(json.dumps(values | {"frames": frames}))


def test_poses_by_image_name_bring_their_camera_and_leave_out_images_without_one(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "transforms.json"
    write_transforms(path, ["./images/4.png", "images/0", "images/1"], fl_x=30.0, cx=16.0, cy=12.0)
    assert convert(images, "--poses", path, "--out", tmp_path / "out") == 0
    printed = capsys.readouterr().out
    assert "3 poses, taken for the camera's: 3 of 3 frames have one" in printed
    assert "left out 2.png: no pose belongs to it" in printed
    assert "counting, 1 a second" in printed
    assert f"mind: the world is that of {path}; its scale and its up are those of the reconstruction" in printed
    sequence = open_sequence(tmp_path / "out")
    assert sequence.camera == Camera(*SIZE, 30, 30, *CENTRE)
    x = {round(entry.time): sequence.trajectory.at(entry.time)[0, 3] for entry in sequence.frames}
    assert x == {0: 1, 1: 2, 4: 0}
    np.testing.assert_allclose(sequence.trajectory.poses[0][:3, :3], np.eye(3), atol=1e-9)


def test_a_colmap_model_and_a_rate(images: Path, tmp_path: Path) -> None:
    model = tmp_path / "sparse" / "0"
    model.mkdir(parents=True)
    (model / "cameras.txt").write_text("1 SIMPLE_RADIAL 32 24 30 16 12 0.1\n")
    (model / "images.txt").write_text("".join(f"{k} 1 0 0 0 {-k} 0 0 1 {k}.png\n\n" for k in range(5)))
    assert convert(images, "--rate", "4", "--poses", tmp_path, "--out", tmp_path / "out") == 0
    sequence = open_sequence(tmp_path / "out")
    assert sequence.color_camera == Camera(*SIZE, 30, 30, *CENTRE, (0.1, 0, 0, 0))
    np.testing.assert_array_equal(sequence.trajectory.times, [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(sequence.trajectory.poses[:, 0, 3], range(5))


def test_kitti_poses_belong_to_images_by_their_number_also_where_some_are_not_taken(
    images: Path, calibration: Path, tmp_path: Path
) -> None:
    (images / "times.txt").write_text("".join(f"{0.1 * k:e}\n" for k in range(5)))
    (tmp_path / "00.txt").write_text("".join(f"1 0 0 {k} 0 1 0 0 0 0 1 0\n" for k in range(5)))
    command = [images, "--poses", tmp_path / "00.txt", "--calibration", calibration, "--out", tmp_path / "out"]
    assert convert(*command, "--every", "2", "--start", "0.1") == 0
    sequence = open_sequence(tmp_path / "out")
    np.testing.assert_allclose(sequence.trajectory.times, [0.1, 0.3])
    np.testing.assert_allclose(sequence.trajectory.poses[:, 0, 3], [1, 3])


def test_euroc_takes_the_cameras_place_on_the_body_from_the_calibration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cam0 = tmp_path / "mav0" / "cam0"
    (cam0 / "data").mkdir(parents=True)
    T_body_camera = se3.exp([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    for k in range(3):
        cv2.imwrite(str(cam0 / "data" / f"{NOW + k * 10**8}.png"), gray(10 * k))
    sensor = {
        "camera_model": "pinhole",
        "intrinsics": [30.0, 31.0, *CENTRE],
        "resolution": list(SIZE),
        "distortion_model": "radial-tangential",
        "distortion_coefficients": [0.1, 0, 0, 0],
        "T_BS": {"data": T_body_camera.ravel().tolist()},
    }
    (cam0 / "sensor.yaml").write_text(yaml.safe_dump(sensor))
    lines = "".join(f"{NOW + k * 10**8},{k},0,0,1,0,0,0\n" for k in range(3))
    (tmp_path / "data.csv").write_text("#timestamp,x,y,z,w,x,y,z\n" + lines)
    command = [cam0, "--poses", tmp_path / "data.csv", "--out", tmp_path / "out"]
    assert convert(*command, "--calibration", cam0 / "sensor.yaml") == 0
    assert "3 poses, of what carries the camera as " in capsys.readouterr().out
    sequence = open_sequence(tmp_path / "out")
    assert len(sequence.with_poses(sequence.frames)[0]) == 3
    np.testing.assert_allclose(sequence.trajectory.poses[1], se3.exp([1, 0, 0, 0, 0, 0]) @ T_body_camera, atol=1e-8)

    write_camera(tmp_path / "ours.yaml", CameraFile(CAMERA))
    assert convert(*command, "--calibration", tmp_path / "ours.yaml") == 2
    assert "--T-base-camera: " in capsys.readouterr().err


def test_what_is_wrong_with_single_images_is_told(
    images: Path, calibration: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (images / "1.png").write_bytes((images / "1.png").read_bytes()[:-20])
    cv2.imwrite(str(images / "2.png"), gray(0, (16, 12)))
    (images / "times.txt").write_text("1.0\n1.1\n1.2\n0.9\n1.0\n")
    assert convert(images, "--calibration", calibration, "--out", tmp_path / "out") == 0
    printed = capsys.readouterr().out
    assert "left out 1.png: truncated PNG" in printed
    assert "left out 2.png: 16 x 12 pixels, but the camera has 32 x 24" in printed
    assert "left out 4.png: there is another one of 1.000000 s" in printed
    assert "mind: times of rgb images run backwards 1 times; they are sorted now" in printed
    assert [entry.time for entry in open_sequence(tmp_path / "out").frames] == [0.9, 1.0]
    record = json.loads((tmp_path / "out" / "conversion.json").read_text())
    assert [left["name"] for left in record["left_out"]] == ["1.png", "2.png", "4.png"]


def test_a_tag_that_asks_viewers_to_turn_photographs_turns_nothing(
    calibration: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = tmp_path / "phone"
    images.mkdir()
    for k in range(2):
        write_turned_jpeg(images / f"{k}.jpg", gray(10 * k))
    assert convert(images, "--rate", "1", "--calibration", calibration, "--out", tmp_path / "out") == 0
    sequence = open_sequence(tmp_path / "out")
    assert sequence.read(sequence.frames[1]).image.shape == (24, 32, 3)

    upright = tmp_path / "upright.yaml"
    write_camera(upright, CameraFile(Camera(24, 32, 30.0, 30.0, 11.5, 15.5)))
    assert convert(images, "--rate", "1", "--calibration", upright, "--out", tmp_path / "none") == 1
    printed = capsys.readouterr().err
    assert "32 x 24 pixels, but the camera has 24 x 32: its orientation tag would turn it to that" in printed


def test_a_video_that_is_cut_short_is_told(
    calibration: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video = write_video(tmp_path / "a.mkv", [100 * k for k in range(12)])
    video.write_bytes(video.read_bytes()[: int(0.7 * video.stat().st_size)])
    assert convert(video, "--calibration", calibration, "--out", tmp_path / "out") == 0
    assert "mind: the video is cut short" in capsys.readouterr().out
    assert len(open_sequence(tmp_path / "out").frames) >= 3


def test_again_into_the_same_folder_and_into_another(
    images: Path, calibration: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [images, "--rate", "10", "--calibration", calibration, "--out", tmp_path / "out"]
    assert convert(*command) == 0
    assert convert(*command, "--every", "2") == 0
    assert len(open_sequence(tmp_path / "out").frames) == 3
    assert not (tmp_path / "out" / "rgb" / "0.100000.png").exists()
    assert convert(*command[:-1], images) == 1
    assert "holds other things" in capsys.readouterr().err
    assert len(list(images.iterdir())) == 5


def interrupted(images: Path, calibration: Path, out: Path) -> tuple[int, str]:
    """Convert some thousands of images, and press Ctrl-C after the first."""
    for k in range(5, 3000):
        os.link(images / "0.png", images / f"{k}.png")
    command = [sys.executable, "-m", "glrender", "convert", str(images), "--rate", "10", "--out", str(out)]
    process = subprocess.Popen(
        [*command, "--calibration", str(calibration)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        if (out / STAGE / "rgb/0.500000.png").exists():
            process.send_signal(signal.SIGINT)
            break
        time.sleep(0.01)
    printed, complaints = process.communicate(timeout=60)
    return process.returncode, printed + complaints


def test_ctrl_c_keeps_the_images_that_are_done(images: Path, calibration: Path, tmp_path: Path) -> None:
    status, printed = interrupted(images, calibration, tmp_path / "out")
    assert status == 1, printed
    assert "photographs (interrupted)" in printed
    sequence = open_sequence(tmp_path / "out")
    assert 5 <= len(sequence.frames) < 3000
    assert sequence.problems == ()
    assert json.loads((tmp_path / "out" / "conversion.json").read_text())["partial"]


def test_ctrl_c_leaves_an_earlier_conversion(images: Path, calibration: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert convert(images, "--rate", "10", "--calibration", calibration, "--out", out) == 0
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    status, printed = interrupted(images, calibration, out)
    assert status == 1
    assert "is left as it was" in printed
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["--rate", "0"], 2, "--rate: received 0, expected a finite number greater than 0"),
        (["--every", "0"], 2, "--every: received 0, expected at least 1"),
        (["--start", "3", "--end", "2"], 2, "--start, --end: received 3 and 2"),
        (["--time-offset", "nan"], 2, "--time-offset: received nan"),
        (["--size", "0", "24"], 2, "--size: received 0 24, expected pixels across and down"),
        (["--size", "32", "24"], 2, "size: it is for a camera that is plugged in"),
        (["--depth-scale", "-1"], 2, "--depth-scale: received -1"),
        (["--topic", "/image"], 2, "topic: it is for a ROS 1 or 2 bag"),
        (["--pose-format", "tum"], 2, "--pose-format: received it without --poses"),
        (["--calibration-format", "ros"], 2, "--calibration-format: received it without --calibration"),
        (["--rate", "1", "--camera", "cam0"], 2, "--camera: received 'cam0', but there is nothing to choose from"),
        (
            ["--rate", "1", "--camera", "a", "--calibration", "FOLDER/c.yaml"],
            2,
            "c.yaml (camera.yaml of a sequence) has one",
        ),
        (["--poses", "FOLDER/poses.txt", "--pose-topic", "/p"], 2, "--pose-topic: received it with --poses"),
        (["--T-base-camera", "FOLDER/T.txt", "--rate", "1"], 2, "--T-base-camera: received it, but there are no poses"),
        (["--source-format", "raw"], 2, "'raw'"),
        ([], 1, "nothing says when the 5 images were taken"),
        (
            ["--rate", "1"],
            1,
            "nothing says which camera took its images of 32 x 24 pixels; give --calibration: camera.yaml",
        ),
        (["--rate", "1", "--calibration", "FOLDER/small.yaml"], 1, "0.png: 32 x 24 pixels, but the camera has 16 x 12"),
        (["--rate", "1", "--start", "9"], 1, "no picture can be taken over: the selection holds none"),
        (["--rate", "1", "--poses", "FOLDER/poses.txt", "--calibration", "FOLDER/c.yaml"], 1, "none has a pose"),
        (
            ["--rate", "1", "--poses", "FOLDER/ms.txt", "--calibration", "FOLDER/c.yaml"],
            1,
            "the poses: its times, 0.000000 to 4000.000000, look like milliseconds beside those of the pictures",
        ),
        (["--rate", "1", "--poses", "FOLDER/t.json"], 1, "no picture can be taken over (5 left out): 0.png: no pose"),
        (["--poses", "FOLDER/empty.txt"], 1, "empty.txt: holds no pose"),
    ],
)
def test_bad_use_leaves_nothing(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], status: int, message: str
) -> None:
    write_trajectory(tmp_path / "poses.txt", poses_at([50.0, 50.5]))
    write_trajectory(tmp_path / "ms.txt", poses_at([0.0, 1000.0, 2000.0, 3000.0, 4000.0]))
    write_transforms(tmp_path / "t.json", ["other.png"], fl_x=30.0)
    write_camera(tmp_path / "small.yaml", CameraFile(Camera(16, 12, 15, 15, 7.5, 5.5)))
    write_camera(tmp_path / "c.yaml", CameraFile(CAMERA))
    np.savetxt(tmp_path / "T.txt", np.eye(4))
    (tmp_path / "empty.txt").write_text("")
    options = [option.replace("FOLDER", str(tmp_path)) for option in options]
    assert convert(images, "--out", tmp_path / "out", *options) == status
    assert message in complaint(capsys)
    assert not (tmp_path / "out").exists()
