"""`glrender eval`: against a truth, against a sequence, what it takes from a report, and bad use."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from complaints import complaint

from glrender.cli.main import main
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.io.images import read_color
from glrender.io.report import KEYS, write_report
from glrender.io.sequence_writer import SequenceWriter
from glrender.io.trajectory import Trajectory, write_trajectory

PROMISED = {"median_abs_mm", "rmse_5cm_band_mm", "completeness", "within_1_sigma", "within_2_sigma"}
CAMERA = Camera(20, 16, 20.0, 20.0, 9.5, 7.5)
RISE = 0.1
"""m/s: the speed at which the camera leaves the ground, from a height of 1 m at time 0."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """`map.npz`, 4 mm above the flat ground of `truth.npz` and of `sequence`, with a sigma of 3 mm."""
    truth = HeightMap(np.zeros((41, 51)), 0.05, (-1.25, -1.0), sigma=np.zeros((41, 51)))
    truth.save(tmp_path / "truth.npz")
    replace(truth, heights=np.full((41, 51), 0.004), sigma=np.full((41, 51), 0.003)).save(tmp_path / "map.npz")
    replace(truth, heights=np.full((41, 51), np.nan)).save(tmp_path / "empty.npz")
    times = 0.1 * np.arange(10)
    writer = SequenceWriter(tmp_path / "sequence", CAMERA, 20000)
    for time in times:
        writer.add(time, None, np.full(CAMERA.shape, 1 + RISE * time))
    poses = np.tile(np.diag([1.0, -1.0, -1.0, 1.0]), (12, 1, 1))
    around = np.array([-1.0, *times, 2.0])
    poses[:, 2, 3] = 1 + RISE * around
    writer.finish(Trajectory(around, poses))
    return tmp_path


def report(path: Path, time_offset: object = 0.0, fx: object = 20.0, **options: object) -> None:
    camera = {"fx": fx, "fy": 20.0, "cx": 9.5, "cy": 7.5}
    values = dict.fromkeys(KEYS) | {"camera": camera, "time_offset": time_offset, "options": options}
    write_report(path, values)


def evaluated(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    """The one JSON object that `glrender eval … --json` prints."""
    assert main(["eval", *map(str, arguments), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert set(result) >= PROMISED
    return result


def test_against_the_truth(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = evaluated(capsys, folder / "map.npz", "--truth", folder / "truth.npz")
    assert result["median_abs_mm"] == pytest.approx(4)
    assert result["rmse_mm"] == result["mae_mm"] == result["offset_mm"] == result["rmse_5cm_band_mm"]
    assert result["rmse_without_offset_mm"] == pytest.approx(0, abs=1e-4)
    assert (result["completeness"], result["within_1_sigma"], result["within_2_sigma"]) == (1, 0, 1)
    assert len(result["sigma_quartiles"]) == 4
    assert result["picture"] == str(folder / "map_error_truth.png")
    assert read_color(Path(result["picture"])).shape[1] > 1000


def test_against_a_sequence(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The map lies too high, so its depth is too small, at every pixel of the odd frames."""
    options = ["--frames", "odd", "--step", "2", "--depth-noise", "0.001", "0", "--depth-range", "0.3", "3"]
    region = ["--region", "-0.2", "0.2", "-1", "1", "-0.1", "0.1"]
    result = evaluated(capsys, folder / "map.npz", "--sequence", folder / "sequence", *options, *region)
    assert (result["offset_mm"], result["median_abs_mm"]) == pytest.approx((-4, 4), abs=0.03)
    assert result["error"] == "depth of the map minus measured depth, along the camera's z"
    assert (result["completeness"], result["within_1_sigma"], result["within_2_sigma"]) == (1, 0, 1)
    assert (result["map_sigma_median_mm"], result["sensor_sigma_median_mm"]) == pytest.approx((3, 1), rel=1e-3)
    assert (result["frames"], result["skipped"], result["time_offset"], result["step"]) == (5, [], 0, 2)
    assert 5 * 8 * 2 < result["pixels"] < 5 * 8 * 6
    assert result["region"] == [-0.2, 0.2, -1, 1, -0.1, 0.1]
    assert result["camera"] == {"fx": 20, "fy": 20, "cx": 9.5, "cy": 7.5}
    assert Path(result["picture"]) == folder / "map_error_frames.png"
    assert Path(result["picture"]).is_file()


def test_tables_for_people(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "sequence/depth/0.200000.png").unlink()
    out = folder / "new" / "pictures"
    for reference in ("truth.npz", "sequence"):
        kind = reference.removesuffix(".npz")
        assert main(["eval", str(folder / "map.npz"), f"--{kind}", str(folder / reference), "--out", str(out)]) == 0
        printed = capsys.readouterr().out
        for text in ("4.00 mm", "completeness", "100.0%", "within 2 sigma", "quarter by sigma", "offset"):
            assert text in printed
        assert f"picture: {out}/map_error_" in printed
    assert "skipped frame 2, depth/0.200000.png: no such file" in printed
    assert f"camera from {folder}/sequence/camera.yaml; time offset +0.0 ms" in printed
    assert sorted(path.name for path in out.iterdir()) == ["map_error_frames.png", "map_error_truth.png"]
    assert not list(folder.glob("*.png"))


def test_without_sigma(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with np.load(folder / "map.npz") as data:
        arrays = dict(data) | {"sigma": np.full((41, 51), np.nan, np.float32)}
    np.savez(folder / "plain.npz", **arrays)
    arguments = [folder / "plain.npz", "--truth", folder / "truth.npz"]
    result = evaluated(capsys, *arguments)
    assert (result["within_1_sigma"], result["within_2_sigma"], result["sigma_quartiles"]) == (None, None, [])
    assert main(["eval", *map(str, arguments)]) == 0
    assert "unknown" in capsys.readouterr().out


def test_camera_and_clock_are_those_of_the_report(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [folder / "map.npz", "--sequence", folder / "sequence", "--frames", ":8"]
    report(folder / "report.json", 0.15, fx=25.0, sequence=str(folder / "sequence"))
    result = evaluated(capsys, *arguments)
    assert (result["time_offset"], result["camera"]["fx"]) == (0.15, 25)
    assert result["offset_mm"] == pytest.approx(-4 + 1000 * RISE * 0.15, abs=0.03)
    assert result["calibration"] == str(folder / "report.json")
    result = evaluated(capsys, *arguments, "--time-offset", "-0.02")
    assert (result["time_offset"], result["camera"]["fx"]) == (-0.02, 25)
    assert result["offset_mm"] == pytest.approx(-6, abs=0.03)

    report(folder / "report.json", 0.15, fx=25.0, sequence=str(folder / "elsewhere"))
    result = evaluated(capsys, *arguments)
    assert (result["time_offset"], result["camera"]["fx"]) == (0, 20)
    assert "the map was made of another sequence" in result["calibration"]


def test_frames_are_looked_for_where_the_map_was_made_from(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By the poses beside it, unless the map was made by those of the sequence, or others are given."""
    times = 0.1 * np.arange(10)
    poses = np.tile(np.diag([1.0, -1.0, -1.0, 1.0]), (10, 1, 1))
    for name, lower in (("trajectory.txt", 0.03), ("other.txt", 0.05)):
        poses[:, 2, 3] = 1 + RISE * times - lower
        write_trajectory(folder / name, Trajectory(times, poses))
    arguments = [folder / "map.npz", "--sequence", folder / "sequence"]
    made = dict.fromkeys(KEYS) | {
        "camera": {"fx": 20, "fy": 20, "cx": 9.5, "cy": 7.5},
        "time_offset": 0.0,
        "options": {"sequence": str(folder / "sequence")},
    }
    write_report(folder / "report.json", made | {"poses_from": "refined"})
    result = evaluated(capsys, *arguments)
    assert result["offset_mm"] == pytest.approx(-34, abs=0.03)
    assert result["calibration"] == f"{folder / 'report.json'}, poses from {folder / 'trajectory.txt'}"
    result = evaluated(capsys, *arguments, "--trajectory", folder / "other.txt")
    assert result["offset_mm"] == pytest.approx(-54, abs=0.03)
    write_report(folder / "report.json", made)
    assert evaluated(capsys, *arguments)["offset_mm"] == pytest.approx(-4, abs=0.03)


def test_a_map_with_a_local_sigma(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    surface = HeightMap.load(folder / "map.npz")
    assert surface.sigma is not None
    replace(surface, local_sigma=surface.sigma / 2).save(folder / "local.npz")
    for reference in ("truth.npz", "sequence"):
        kind = f"--{reference.removesuffix('.npz')}"
        result = evaluated(capsys, folder / "local.npz", kind, folder / reference)
        assert result["median_abs_mm"] == pytest.approx(4, abs=0.03)


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["map.npz"], 2, "received neither of --truth and --sequence"),
        (["map.npz", "--truth", "truth.npz", "--sequence", "sequence"], 2, "received both of --truth and --sequence"),
        (["nothing.npz", "--truth", "truth.npz"], 1, "nothing.npz: no such file; expected a map.npz"),
        (["map.npz", "--truth", "nothing.npz"], 1, "nothing.npz: no such file"),
        (["noise.npz", "--truth", "truth.npz"], 1, "noise.npz: not a readable map.npz"),
        (["map.npz", "--truth", "array.npz"], 1, "array.npz: no key height"),
        (["empty.npz", "--truth", "truth.npz"], 1, "map: every height is NaN"),
        (["empty.npz", "--sequence", "sequence"], 1, "map: every height is NaN"),
        (["map.npz", "--truth", "empty.npz"], 1, "truth: every height is NaN"),
        (["map.npz", "--sequence", "nowhere"], 1, "nowhere: no such folder"),
        (["map.npz", "--sequence", "sequence", "--frames", "70:"], 2, "'70:' selects none of the 10 frames"),
        (["map.npz", "--sequence", "sequence", "--frames", "some"], 2, "frames: received 'some', expected even"),
        (["map.npz", "--sequence", "sequence", "--region", *"112233"], 2, "--region: received 1 1 2 2 3 3"),
        (["map.npz", "--sequence", "sequence", "--region", *"565656"], 1, "none of these in the region"),
        (["map.npz", "--sequence", "sequence", "--depth-range", "3", "1"], 2, "--depth-range: received 3 1"),
        (["map.npz", "--sequence", "sequence", "--depth-range", "nan", "1"], 2, "expected 0 <= NEAR < FAR"),
        (["map.npz", "--sequence", "sequence", "--step", "0"], 2, "--step: received 0, expected at least 1"),
        (["map.npz", "--sequence", "sequence", "--time-offset", "nan"], 2, "--time-offset: received nan"),
        (["map.npz", "--sequence", "sequence", "--time-offset", "9"], 1, "no frame lies within the trajectory"),
        (
            ["map.npz", "--sequence", "sequence", "--depth-noise", "0", "1"],
            2,
            "--depth-noise: depth noise base",
        ),
        (["map.npz", "--truth", "truth.npz", "--step", "2"], 2, "--step belongs to --sequence"),
        (["map.npz", "--truth", "truth.npz", "--time-offset", "0"], 2, "--time-offset belongs to --sequence"),
        (["map.npz", "--truth", "truth.npz", "--out", "truth.npz"], 1, "truth.npz: cannot be written to"),
        (["map.npz", "--thruth", "truth.npz"], 2, "--thruth"),
    ],
)
def test_bad_use(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    status: int,
    message: str,
) -> None:
    monkeypatch.chdir(folder)
    Path("noise.npz").write_bytes(b"nothing of the kind")
    np.savez("array.npz", heights=np.zeros((3, 3)))
    assert main(["eval", *arguments]) == status
    assert message in complaint(capsys)
    assert not list(folder.glob("*.png"))


@pytest.mark.parametrize(("time_offset", "fx"), [("soon", 20.0), (None, 20.0), (0.0, None), (0.0, -3.0)])
def test_a_report_without_camera_or_clock(
    folder: Path, capsys: pytest.CaptureFixture[str], time_offset: object, fx: object
) -> None:
    report(folder / "report.json", time_offset, fx)
    assert main(["eval", str(folder / "map.npz"), "--sequence", str(folder / "sequence")]) == 1
    assert f"glrender: error: {folder / 'report.json'}: received camera" in capsys.readouterr().err


def test_relief_and_offset(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A map of the right form that lies too high is judged by its form alone; a plane has no skill."""
    truth = HeightMap.load(folder / "truth.npz")
    ridge = np.where(np.arange(51) < 10, 0.03, 0.0) + np.zeros((41, 1))
    replace(truth, heights=ridge).save(folder / "ridge.npz")
    replace(truth, heights=ridge + 0.1).save(folder / "high.npz")
    options = ("--truth", folder / "ridge.npz", "--remove-offset", "--relief", "0.015")
    result = evaluated(capsys, folder / "high.npz", *options)
    assert (result["removed_offset_mm"], result["relief_skill"]) == pytest.approx((100, 1), abs=1e-3)
    assert (result["relief_cells"], result["relief_completeness"]) == (410, 1)
    assert result["relief_median_abs_mm"] == pytest.approx(0, abs=1e-3)
    flat = evaluated(capsys, folder / "map.npz", *options)
    assert (flat["relief_skill"], flat["relief_median_abs_mm"]) == pytest.approx((0, 30), abs=0.2)
    assert flat["median_abs_mm"] == pytest.approx(0, abs=1e-3)
    assert main(["eval", str(folder / "map.npz"), *map(str, options)]) == 0
    assert "relief: skill" in capsys.readouterr().out


def test_a_map_of_estimated_poses_is_moved_into_the_true_world(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = HeightMap.load(folder / "truth.npz")
    heights = 0.05 * np.random.default_rng(0).random(truth.shape)
    replace(truth, heights=heights).save(folder / "rough.npz")
    T = se3.exp((0.3, -0.2, 0.5, 0.0, 0.0, 0.7))
    replace(truth, heights=heights, T_world_map=se3.inverse(T)).save(folder / "moved.npz")
    times, rng = np.arange(8.0), np.random.default_rng(1)
    poses = np.stack([se3.exp(rng.normal(size=6)) for _ in times])
    write_trajectory(folder / "true.txt", Trajectory(times, poses))
    write_trajectory(folder / "trajectory.txt", Trajectory(times, se3.inverse(T) @ poses))
    options = ("--truth", folder / "rough.npz", "--truth-trajectory", folder / "true.txt")
    result = evaluated(capsys, folder / "moved.npz", *options)
    assert result["trajectory_rmse_mm"] == pytest.approx(0, abs=0.01)
    assert (result["trajectory_scale"], result["trajectory_poses"]) == pytest.approx((1, 8))
    assert result["rmse_mm"] < 0.1
    # The same, smaller by half: known to be up to scale, it is made larger first.
    small = np.concatenate([np.concatenate([T[:3, :3].T, -0.5 * T[:3, :3].T @ T[:3, 3:]], 1), [[0, 0, 0, 1]]])
    half = HeightMap(0.5 * heights, 0.5 * truth.spacing, (-0.625, -0.5), T_world_map=small)
    half.save(folder / "half.npz")
    shrunk = poses.copy()
    shrunk[:, :3, 3] *= 0.5
    shrunk = np.concatenate([T[:3, :3].T @ shrunk[:, :3, :3], (shrunk[:, :3, 3] @ T[:3, :3])[..., None]], axis=2)
    shrunk[:, :, 3] += small[:3, 3]
    shrunk = np.concatenate([shrunk, np.tile([[[0, 0, 0, 1.0]]], (8, 1, 1))], axis=1)
    write_trajectory(folder / "trajectory.txt", Trajectory(times, shrunk))
    write_report(folder / "report.json", dict.fromkeys(KEYS) | {"up_to_scale": True})
    result = evaluated(capsys, folder / "half.npz", *options)
    assert result["trajectory_scale"] == pytest.approx(2)
    assert (result["rmse_mm"], result["trajectory_rmse_mm"]) == pytest.approx((0, 0), abs=0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--truth", "truth.npz", "--relief", "0"), "greater than 0"),
        (("--truth", "truth.npz", "--relief", "0.5"), "no cell of the truth departs"),
        (("--truth", "truth.npz", "--trajectory", "a.txt"), "give both"),
        (("--truth", "truth.npz", "--truth-trajectory", "sequence/groundtruth.txt"), "trajectory.txt"),
        (("--sequence", "sequence", "--remove-offset"), "belongs to --truth"),
    ],
)
def test_bad_use_of_what_belongs_to_a_truth(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, options: Any, message: str
) -> None:
    monkeypatch.chdir(folder)
    assert main(["eval", "map.npz", *options]) in (1, 2)
    assert message in capsys.readouterr().err
