"""`glrender fuse --use color`: photographs alone, with poses and without, and what they cannot tell."""

import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from focal_lengths import with_focal_length_off

from glrender.cli.main import main
from glrender.geometry.heightmap import HeightMap
from glrender.io.sequence import FrameEntry
from glrender.io.trajectory import Trajectory, read_trajectory, write_trajectory
from glrender.pipeline.live_fusion import LiveFusion
from glrender.pipeline.outputs import FILES, TRAJECTORY
from glrender.pipeline.pursuit import FARTHEST_GAP, LONGEST_GAP, Pursuit, Step

SCENE = ("--size", "1.6", "1.2", "--width", "160", "--height", "120", "--altitude", "0.6")


def simulated(folder: Path, *options: str) -> Path:
    assert main(["simulate", str(folder), *SCENE, *options]) == 0
    return folder


@pytest.fixture(scope="module")
def flight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve photographs of a flight over a hill, and their depth images, which are not to be looked at."""
    return simulated(tmp_path_factory.mktemp("photographs") / "flight", "--relief", "0.08", "--frames", "12")


@pytest.fixture(scope="module")
def glide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A camera that moves little from frame to frame, over ground that is roughly level, as tracking needs it."""
    return simulated(
        tmp_path_factory.mktemp("photographs") / "glide",
        "--relief",
        "0.02",
        "--frames",
        "80",
        "--rate",
        "30",
        "--path",
        "orbit",
    )


def fused(sequence: Path, out: Path, *options: str) -> dict[str, Any]:
    assert main(["fuse", str(sequence), "--use", "color", "--out", str(out), "--spacing", "0.02", *options]) == 0
    report: dict[str, Any] = json.loads((out / "report.json").read_text())
    return report


def judged(capsys: pytest.CaptureFixture[str], sequence: Path, out: Path, *options: str) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["eval", str(out / "map.npz"), "--truth", str(sequence / "truth.npz"), *options, "--json"]) == 0
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def test_a_photograph_whose_pose_is_below_the_ground_is_left_out(flight: Path, tmp_path: Path) -> None:
    given = read_trajectory(flight / "groundtruth.txt")
    poses = given.poses.copy()
    poses[6, 2, 3] = -0.5
    write_trajectory(tmp_path / "poses.txt", Trajectory(given.times, poses))
    report = fused(flight, tmp_path / "out", "--trajectory", str(tmp_path / "poses.txt"))
    skipped = {each["index"]: each["reason"] for each in report["frames_skipped"]}
    assert skipped == {6: "its pose is below the ground, and so a wrong one"}


def test_photographs_with_poses_become_a_map(flight: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = fused(flight, tmp_path / "map")
    assert {path.name for path in (tmp_path / "map").iterdir()} == set(FILES)
    assert report["poses_from"] == "given"
    assert report["depth_from_motion"]["shares"]["confident"] > 0.3
    result = judged(capsys, flight, tmp_path / "map")
    assert result["rmse_mm"] < 6
    assert result["completeness"] > 0.4
    assert HeightMap.load(tmp_path / "map" / "map.npz").colors is not None


def test_poses_that_are_off_are_refined(flight: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    off = tmp_path / "off"
    shutil.copytree(flight, off)
    noisy = read_trajectory(off / "groundtruth.txt")
    noisy.poses[:, :3, 3] += np.random.default_rng(0).normal(scale=0.006, size=(len(noisy.times), 3))
    write_trajectory(off / "groundtruth.txt", Trajectory(noisy.times, noisy.poses))
    fused(off, tmp_path / "given")
    report = fused(off, tmp_path / "refined", "--refine-poses")
    assert report["poses_from"] == "refined"
    assert report["time_offset"] == 0
    assert "how the photographs turn" in report["time_offset_from"]
    assert (tmp_path / "refined" / TRAJECTORY).exists()
    given = judged(capsys, off, tmp_path / "given", "--remove-offset")
    refined = judged(capsys, off, tmp_path / "refined", "--remove-offset")
    assert refined["rmse_mm"] < 0.8 * given["rmse_mm"]


def test_photographs_alone_become_a_trajectory_and_a_map(
    glide: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = fused(glide, tmp_path / "map", "--track", "--frames", "0:20")
    assert (report["poses_from"], report["up_to_scale"]) == ("tracked and refined", True)
    assert report["tracking"]["states"]["tracking"] == 19
    rate = report["tracking"]["frames_per_second"]
    assert 1 < rate < 1e3
    assert f"up to {rate:.0f} frames a second" in capsys.readouterr().out
    result = judged(
        capsys, glide, tmp_path / "map", "--truth-trajectory", str(glide / "truth_trajectory.txt"), "--remove-offset"
    )
    assert result["trajectory_rmse_mm"] < 10
    assert result["median_abs_mm"] < 6


@pytest.mark.parametrize("share", [0.0, 0.05, -0.05])
def test_a_wrong_focal_length_of_a_followed_camera_is_told(
    glide: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], share: float
) -> None:
    wrong = with_focal_length_off(glide, tmp_path / "wrong", share)
    options = ("--track", "--camera-height", "0.6", "--frames", "0:40:2")
    found = fused(wrong, tmp_path / "map", *options)["pose_refinement"]["focal_length"]
    warned = "agree best with a focal length" in capsys.readouterr().err
    assert found["wrong"] == warned == (share != 0)
    assert found["share_missing"] == pytest.approx(share, abs=0.015)


def test_odometry_gives_the_scale(glide: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    odometry = str(glide / "truth_trajectory.txt")
    report = fused(glide, tmp_path / "map", "--track", "--odometry", odometry, "--frames", "0:20:2")
    assert (report["up_to_scale"], report["scale_from"]) == (False, "odometry")
    options = ("--truth-trajectory", odometry)
    assert judged(capsys, glide, tmp_path / "map", *options)["trajectory_scale"] == pytest.approx(1, abs=0.04)


def test_colour_and_depth_are_tracked_without_poses(
    glide: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "map"
    assert main(["fuse", str(glide), "--track", "--out", str(out), "--spacing", "0.02", "--frames", "0:40:4"]) == 0
    result = judged(capsys, glide, out, "--truth-trajectory", str(glide / "truth_trajectory.txt"))
    assert result["trajectory_rmse_mm"] < 5
    assert result["trajectory_scale"] == pytest.approx(1, abs=0.01)


def test_a_camera_that_only_turns_tells_no_depth(
    flight: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every frame claims to have been taken from the place of the first."""
    still = tmp_path / "still"
    shutil.copytree(flight, still)
    lines = (still / "groundtruth.txt").read_text().splitlines()
    first = next(line for line in lines if not line.startswith("#")).split()
    moved = [
        line if line.startswith("#") else " ".join([line.split()[0], *first[1:4], *line.split()[4:]]) for line in lines
    ]
    (still / "groundtruth.txt").write_text("\n".join(moved) + "\n")
    assert main(["fuse", str(still), "--use", "color", "--out", str(tmp_path / "out")]) == 1
    assert "stands in one place" in capsys.readouterr().err
    # Tracking looks at the images, and at only one of them.
    assert (
        main(["fuse", str(still), "--use", "color", "--track", "--frames", "0:1", "--out", str(tmp_path / "out")]) == 1
    )
    assert "do not tell where the camera is: no baseline yet" in capsys.readouterr().err


@pytest.mark.parametrize("refined", [[], ["--refine-poses"]], ids=["given", "refined"])
def test_damaged_photographs_are_left_out_and_told(flight: Path, tmp_path: Path, refined: list[str]) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(flight, broken)
    picture = sorted((broken / "rgb").iterdir())[4]
    picture.write_bytes(picture.read_bytes()[:200])
    report = fused(broken, tmp_path / "map", "--frames", "0:7", *refined)
    assert [skipped["index"] for skipped in report["frames_skipped"]] == [4]
    assert main(["fuse", str(broken), "--use", "color", "--strict", "--out", str(tmp_path / "strict"), *refined]) == 1


class Keeping:
    """A `Pace` of such a machine; the process that follows the camera gets it."""

    behind = 0.0

    def __init__(self, *arguments: object) -> None:
        pass

    def __setattr__(self, name: str, value: float) -> None:
        assert name == "longest_gap"
        with open(os.environ["TOLD_GAPS"], "a") as file:
            print(value, file=file)

    def wait_for(self, entry: FrameEntry) -> bool:
        return entry.index % 7 != 5


LIVE = (
    "--track",
    "--realtime",
    "--bounds",
    "-1",
    "1",
    "-0.5",
    "1",
    "--frames",
    "0:20",
    "--camera-height",
    "0.6",
)


def test_a_live_camera_is_mapped_while_it_is_followed(
    glide: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine that keeps up with everything but every seventh frame."""
    told = tmp_path / "gaps"
    monkeypatch.setenv("TOLD_GAPS", str(told))
    monkeypatch.setattr("glrender.pipeline.tracked_photographs.Pace", Keeping)
    report = fused(glide, tmp_path / "map", *LIVE)
    dropped = [skipped["index"] for skipped in report["frames_skipped"] if "dropped to keep up" in skipped["reason"]]
    assert dropped == [5, 12, 19]
    # Before there is a start, nobody knows how fast the camera is: 3.7 radians a second.
    gaps = [float(line) for line in told.read_text().split()]
    assert gaps[0] == LONGEST_GAP
    assert gaps[-1] == pytest.approx(FARTHEST_GAP / 3.7, rel=0.05)
    assert report["frames_used"] > 2
    result = judged(capsys, glide, tmp_path / "map", "--truth-trajectory", str(glide / "truth_trajectory.txt"))
    assert result["trajectory_rmse_mm"] < 20


class Killed:
    """A `Pace` by which the process that follows the camera comes to its end."""

    behind = 0.0

    def __init__(self, *arguments: object) -> None:
        pass

    def wait_for(self, entry: FrameEntry) -> bool:
        if entry.index == int(os.environ["KILLED_AT"]):
            os.kill(os.getpid(), signal.SIGKILL)
        return True


def killed(monkeypatch: pytest.MonkeyPatch, glide: Path, out: Path, frame: int) -> int:
    """Exit status of a camera followed live, where what follows it is killed when a frame comes."""
    monkeypatch.setenv("KILLED_AT", str(frame))
    monkeypatch.setattr("glrender.pipeline.tracked_photographs.Pace", Killed)
    return main(["fuse", str(glide), "--use", "color", "--out", str(out), "--spacing", "0.02", *LIVE])


def test_whoever_follows_a_live_camera_is_killed_and_the_map_so_far_is_written(
    glide: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "map"
    assert killed(monkeypatch, glide, out, 18) == 1
    printed = capsys.readouterr()
    assert "frames fused (failed: partial)" in printed.out
    assert "error: following: its process was killed by SIGKILL; was there too little memory?" in printed.err
    assert f"; {out} holds the map of the frames before" in printed.err
    assert {path.name for path in out.iterdir()} == {*FILES, TRAJECTORY}
    report = json.loads((out / "report.json").read_text())
    assert report["partial"]
    assert "killed by SIGKILL" in report["failure"]
    assert report["frames_used"] > 2
    assert 10 < len(read_trajectory(out / TRAJECTORY).times) == sum(report["tracking"]["states"].values()) <= 18
    result = judged(capsys, glide, out, "--truth-trajectory", str(glide / "truth_trajectory.txt"))
    assert result["trajectory_rmse_mm"] < 20


class Slow(Killed):
    """A `Pace` at which there is time to fuse."""

    def wait_for(self, entry: FrameEntry) -> bool:
        time.sleep(0.05)
        return True


def test_ctrl_c_while_what_has_come_is_taken_loses_none_of_it(
    glide: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take, taken, begun, sent = Pursuit.take, list[int](), list[int](), list[int]()

    class Begun(LiveFusion):
        def __init__(self, *arguments: Any) -> None:
            begun.append(len(taken))
            super().__init__(*arguments)

    def interrupted(pursuit: Pursuit, step: Step) -> None:
        taken.append(step.entry.index)
        if begun and len(taken) > begun[0] + 20 and not sent:  # some keyframes are in the map
            sent.append(step.entry.index)
            os.kill(os.getpid(), signal.SIGINT)
        take(pursuit, step)

    monkeypatch.setattr(Pursuit, "take", interrupted)
    monkeypatch.setattr("glrender.pipeline.tracked_photographs.LiveFusion", Begun)
    monkeypatch.setattr("glrender.pipeline.tracked_photographs.Pace", Slow)
    out = tmp_path / "map"
    options = ("--use", "color", "--out", str(out), "--spacing", "0.02", *LIVE, "--frames", "0:80")
    assert main(["fuse", str(glide), *options]) == 1
    assert 20 < sent[0] < 79
    report = json.loads((out / "report.json").read_text())
    assert report["partial"]
    assert report["failure"] is None
    assert taken == list(range(len(taken)))
    assert sum(report["tracking"]["states"].values()) == len(taken)


def test_whoever_follows_a_live_camera_is_killed_before_there_is_a_map(
    glide: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert killed(monkeypatch, glide, tmp_path / "map", 1) == 1
    assert "error: following: its process was killed by SIGKILL" in capsys.readouterr().err
    assert not (tmp_path / "map").exists()
