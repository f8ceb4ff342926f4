"""`glrender fuse` as a user runs it: the files, the summary, and bad input in one line."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from complaints import complaint
from flights import Flight, fly, rough_ground

from glrender.cli.main import main
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.io.report import read_report
from glrender.pipeline import placement
from glrender.pipeline.outputs import FILES

FRAMES = 8
QUICK = ["--spacing", "0.05", "--bounds", "0", "1", "0", "0.8", "--time-offset", "0", "--depth-noise", "0.002", "0.003"]


@pytest.fixture(scope="module")
def flight(context: Context) -> Flight:
    return fly(context, rough_ground(spacing=0.05), width=64, frames=FRAMES)


@pytest.fixture(scope="module")
def sequence(flight: Flight, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return flight.write(tmp_path_factory.mktemp("sequences") / "hill")


@pytest.fixture
def copy(sequence: Path, tmp_path: Path) -> Path:
    """The same sequence, to be damaged."""
    return Path(shutil.copytree(sequence, tmp_path / "copy"))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "new" / "out"


class TestGoodUse:
    def test_the_files_agree_with_each_other_and_the_truth(
        self, sequence: Path, flight: Flight, out: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["fuse", str(sequence), "--out", str(out), *QUICK]) == 0
        assert {path.name for path in out.iterdir()} == set(FILES)
        surface, report = HeightMap.load(out / "map.npz"), read_report(out / "report.json")
        assert (surface.shape, surface.spacing, surface.origin) == (flight.truth.shape, 0.05, (0.0, 0.0))
        known = np.isfinite(surface.heights)
        assert known.mean() > 0.95
        np.testing.assert_array_equal(known, np.isfinite(surface.sigma))
        assert np.median(np.abs(surface.heights - flight.truth.heights)[known]) < 0.002
        assert np.nanmedian(np.abs(surface.colors - flight.truth.colors)) < 0.02
        assert report["observed"] == pytest.approx(known.mean())
        assert report["median_sigma"] == pytest.approx(np.nanmedian(surface.sigma), rel=1e-5)
        assert (report["frames_used"], report["frames_skipped"], report["partial"]) == (FRAMES, [], False)
        assert report["camera"] == pytest.approx({"fx": 57.6, "fy": 57.6, "cx": 31.5, "cy": 23.5})
        assert report["time_offset"] == 0
        assert report["renderer"]
        assert {"read_ms", "fuse_ms", "fuse_normal_equations_ms", "fuse_solve_ms", "finish_ms"} <= set(report["stages"])
        assert len(report["residuals"]["frames"]) == FRAMES
        assert report["options"]["bounds"] == [0, 1, 0, 0.8]
        assert report["options"]["fusion"]["depth_noise"] == {"base": 0.002, "quadratic": 0.003}

        printed = capsys.readouterr()
        assert printed.err == ""
        assert printed.out.startswith(f"{out}: 8 frames fused, ")
        assert f"map of 17 x 21 cells of 50 mm, {report['observed']:.1%} observed, median sigma" in printed.out
        assert "time offset +0.0 ms (given)" in printed.out
        assert printed.out.endswith(f"wrote map.npz, map.ply, preview.png, report.json: look at {out}/preview.png\n")

    def test_with_nothing_but_the_sequence(self, sequence: Path, out: Path) -> None:
        assert main(["fuse", str(sequence), "--out", str(out)]) == 0
        report = read_report(out / "report.json")
        assert report["frames_used"] == FRAMES
        assert report["placement"]["bounds_from"].startswith("what the frames see")
        assert report["time_offset_from"].startswith("kept at 0")

    def test_twice_into_the_same_folder(self, sequence: Path, out: Path) -> None:
        assert main(["fuse", str(sequence), "--out", str(out), *QUICK]) == 0
        (out / "notes.txt").write_text("mine")
        first = (out / "map.npz").read_bytes()
        assert main(["fuse", str(sequence), "--out", str(out), *QUICK, "--frames", "even"]) == 0
        assert {path.name for path in out.iterdir()} == {*FILES, "notes.txt"}
        assert (out / "map.npz").read_bytes() != first
        assert read_report(out / "report.json")["frames_used"] == FRAMES // 2

    @pytest.mark.parametrize(
        ("selection", "indices"),
        [("even", [0, 2, 4, 6]), ("odd", [1, 3, 5, 7]), ("second", [4, 5, 6, 7]), ("1:6:3", [1, 4])],
    )
    def test_frames(self, sequence: Path, out: Path, selection: str, indices: list[int]) -> None:
        assert main(["fuse", str(sequence), "--out", str(out), *QUICK, "--frames", selection]) == 0
        report = read_report(out / "report.json")
        assert [frame["index"] for frame in report["residuals"]["frames"]] == indices

    def test_depth_alone(self, sequence: Path, out: Path) -> None:
        assert main(["fuse", str(sequence), "--out", str(out), *QUICK, "--use", "depth"]) == 0
        with np.load(out / "map.npz") as data:
            assert np.isnan(data["color"]).all()
            assert np.isfinite(data["height"]).any()

    def test_photographs_tell_heights_where_they_are_asked(
        self, sequence: Path, out: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        share = {}
        for heights_from in ("depth", "both", "color"):
            assert main(["fuse", str(sequence), "--out", str(out), *QUICK, "--heights-from", heights_from]) == 0
            share[heights_from] = read_report(out / "report.json")["color_share"]
            assert ("photographs brought" in capsys.readouterr().out) == (heights_from != "depth")
        assert share["depth"] == 0 < share["both"] < share["color"] <= 1

    def test_a_map_frame_and_its_bounds(self, sequence: Path, flight: Flight, out: Path, tmp_path: Path) -> None:
        T = np.array([[0, -1, 0, 0.9], [1, 0, 0, 0.1], [0, 0, 1, 0.05], [0, 0, 0, 1.0]])
        np.savetxt(tmp_path / "T.txt", T)
        options = ["--spacing", "0.05", "--bounds", "0", "0.5", "0.1", "0.7", "--time-offset", "0", "--frames", "0:6"]
        assert main(["fuse", str(sequence), "--out", str(out), *options, "--T-world-map", str(tmp_path / "T.txt")]) == 0
        surface = HeightMap.load(out / "map.npz")
        np.testing.assert_array_equal(surface.pose, T)
        assert (surface.shape, surface.origin) == ((13, 11), (0.0, 0.1))
        x, y, z = (surface.vertices() @ T[:3, :3].T + T[:3, 3]).T
        truth = flight.truth.heights[np.rint(y / 0.05).astype(int), np.rint(x / 0.05).astype(int)]
        assert np.nanmedian(np.abs(z - truth)) < 0.003
        assert read_report(out / "report.json")["placement"]["T_world_map_from"] == "given"

    def test_bounds_that_leave_some_out_are_told(
        self, sequence: Path, out: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        options = ["fuse", str(sequence), "--out", str(out), "--frames", "0:2", "--spacing", "0.05"]
        assert main(options) == 0
        assert "bounds:" not in capsys.readouterr().out
        look = placement._look
        monkeypatch.setattr(placement, "_look", lambda *seen: replace(look(*seen), most_vertices=11))
        assert main(options) == 0
        assert "bounds: what the frames see, clipped to" in capsys.readouterr().out

    def test_another_trajectory_and_its_clock(self, copy: Path, out: Path, flight: Flight) -> None:
        lines = [line.split() for line in (copy / "groundtruth.txt").read_text().splitlines() if line[0] != "#"]
        later = "\n".join(" ".join([f"{float(time) - 7:.6f}", *pose]) for time, *pose in lines)
        (copy / "groundtruth.txt").rename(copy / "elsewhere.txt")
        (copy / "mine.txt").write_text(later)
        options = [*QUICK, "--trajectory", str(copy / "mine.txt"), "--time-offset", "-7"]
        assert main(["fuse", str(copy), "--out", str(out), *options]) == 0
        report = read_report(out / "report.json")
        assert (report["time_offset"], report["frames_used"]) == (-7, FRAMES)
        error = HeightMap.load(out / "map.npz").heights - flight.truth.heights
        assert np.nanmedian(np.abs(error)) < 0.002

    def test_help(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["fuse", "-h"]) == 0
        text = capsys.readouterr().out
        for part in ("SEQUENCE", "--out", "--frames", "--spacing M", "--bounds X0 X1 Y0 Y1", "--T-world-map FILE"):
            assert part in text
        for part in ("--time-offset S|auto", "--use {depth,color,both}", "--strict", "(default: auto)"):
            assert part in text


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


class TestDamagedFrames:
    def test_a_truncated_png_is_skipped_counted_and_named(
        self, copy: Path, out: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = copy / "depth/0.300000.png"
        cut_off(path)
        assert main(["fuse", str(copy), "--out", str(out), *QUICK]) == 0
        printed = capsys.readouterr().out
        assert f"{out}: 7 frames fused" in printed
        assert f"skipped frame 3 (depth/0.300000.png): {path}: truncated PNG" in printed
        report = read_report(out / "report.json")
        assert report["frames_used"] == 7
        assert [(frame["index"], frame["name"]) for frame in report["frames_skipped"]] == [(3, "depth/0.300000.png")]
        assert main(["fuse", str(copy), "--out", str(out), *QUICK, "--strict"]) == 1
        assert complaint(capsys).startswith(f"{path}: truncated PNG: ")

    def test_many_are_told_in_short(self, copy: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
        for k in range(7):
            cut_off(copy / f"depth/0.{k}00000.png")
        assert main(["fuse", str(copy), "--out", str(out), *QUICK, "--T-world-map", str(identity(copy))]) == 0
        printed = capsys.readouterr().out
        assert printed.count("  skipped frame") == 5
        assert "  … and 2 more, see report.json" in printed

    def test_photographs_that_are_not_there(self, copy: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
        for k in (2, 3):
            (copy / f"rgb/0.{k}00000.png").unlink()
        assert main(["fuse", str(copy), "--out", str(out), *QUICK]) == 0
        assert "2 photographs that rgb.txt names are not there" in capsys.readouterr().out
        report = read_report(out / "report.json")
        assert [photograph["name"] for photograph in report["photographs_missing"]] == [
            "rgb/0.200000.png",
            "rgb/0.300000.png",
        ]
        assert main(["fuse", str(copy), "--out", str(out), *QUICK, "--strict"]) == 1
        assert "2 photographs that rgb.txt names are not there, the first is rgb/0.200000.png" in complaint(capsys)

    def test_depth_images_that_are_not_there(self, copy: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (copy / "depth/0.500000.png").unlink()
        assert main(["fuse", str(copy), "--out", str(out), *QUICK]) == 0
        assert "skipped frame 5 (depth/0.500000.png): no such file" in capsys.readouterr().out
        assert main(["fuse", str(copy), "--out", str(out), *QUICK, "--strict"]) == 1
        assert "1 frames cannot be used, the first is frame 5 (depth/0.500000.png): no such file" in complaint(capsys)


def identity(folder: Path) -> Path:
    np.savetxt(folder / "identity.txt", np.eye(4))
    return folder / "identity.txt"


def rewrite(name: str, pattern: str, replacement: str) -> Callable[[Path], None]:
    """Something that replaces what matches in a file of the sequence, at least once."""

    def apply(folder: Path) -> None:
        text, count = re.subn(pattern, replacement, (folder / name).read_text(), flags=re.MULTILINE)
        assert count
        (folder / name).write_text(text)

    return apply


def empty(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


class TestBadInput:
    @pytest.mark.parametrize(
        ("damage", "told"),
        [
            (shutil.rmtree, r"copy: no such folder; expected one with rgb.txt and/or depth.txt and camera.yaml"),
            (empty, r"copy: neither rgb.txt nor depth.txt; expected a sequence in the TUM RGB-D format, such as"),
            (lambda folder: shutil.rmtree(folder / "rgb"), "copy: none of the 8 images that rgb.txt names is there"),
            (
                lambda folder: shutil.rmtree(folder / "depth"),
                "copy: none of the 8 images that depth.txt names is there",
            ),
            (rewrite("rgb.txt", "^0", "900"), "copy: no image of rgb.txt lies within 20 ms of one of depth.txt"),
            (rewrite("groundtruth.txt", "^0", "900"), "copy: no frame lies within the trajectory, which covers 900"),
            (
                rewrite("groundtruth.txt", r"^0.2\S+ \S+", "0.200000 nan"),
                "groundtruth.txt:5: .* expected finite numbers",
            ),
            (
                rewrite("groundtruth.txt", r"^(\d\S*(?: \S+){3})(?: \S+){4}$", r"\1 0 0 0 0"),
                "groundtruth.txt:3: quaternion of length 0, expected 1",
            ),
            (lambda folder: (folder / "groundtruth.txt").unlink(), "copy: no groundtruth.txt; give a trajectory"),
            (lambda folder: (folder / "camera.yaml").unlink(), "camera.yaml: no such file"),
            (rewrite("camera.yaml", "^fx.*\n", ""), "camera.yaml: no key fx; the keys are width, height, fx"),
            (rewrite("camera.yaml", "^fx:", "fax:"), "camera.yaml: unknown key fax; the keys are width, height, fx"),
            (rewrite("camera.yaml", "width: 64", "width: 640"), "64 x 48 pixels, but camera.yaml says 640 x 48"),
            (rewrite("camera.yaml", "^fx: .*", "fx: -1"), "camera.yaml: camera fx: received -1"),
            (lambda folder: (folder / "depth.txt").unlink(), "none of the 8 selected frames has a depth image"),
        ],
        ids=[
            "no folder",
            "an empty one",
            "no photographs",
            "no depth images",
            "photographs of another time",
            "poses of another time",
            "NaN in the trajectory",
            "a zero quaternion",
            "no trajectory",
            "no camera",
            "no fx",
            "a misspelt key",
            "another image size",
            "a negative focal length",
            "photographs alone",
        ],
    )
    def test_a_sequence_that_is_none(
        self,
        copy: Path,
        out: Path,
        capsys: pytest.CaptureFixture[str],
        damage: Callable[[Path], None],
        told: str,
    ) -> None:
        damage(copy)
        assert main(["fuse", str(copy), "--out", str(out), *QUICK]) == 1
        assert re.search(told, complaint(capsys))
        assert not out.exists()

    @pytest.mark.parametrize(
        ("options", "status", "told"),
        [
            (["--spacing", "0"], 2, "--spacing: received 0, expected a finite number greater than 0"),
            (["--spacing", "fine"], 2, "--spacing"),
            (["--bounds", "1", "0", "0", "1"], 2, "--bounds: received 1 0 0 1, expected X0 X1 Y0 Y1 with X0 < X1"),
            (["--bounds", "0", "1", "0", "inf"], 2, "--bounds: received 0 1 0 inf"),
            (["--bounds", "0", "1", "0"], 2, "--bounds"),
            (["--frames", "evn"], 2, "frames: received 'evn', expected even, odd, first, second or a:b:c"),
            (["--frames", "50:"], 2, "frames: '50:' selects none of the 8 frames"),
            (["--time-offset", "soon"], 2, "--time-offset: received 'soon', expected a number of seconds or auto"),
            (["--time-offset", "nan"], 2, "--time-offset: received 'nan'"),
            (["--depth-noise", "0", "0.001"], 2, "--depth-noise: depth noise base: received 0.0"),
            (["--depth-noise", "0.001", "-1"], 2, "--depth-noise: depth noise quadratic: received -1.0"),
            (["--use", "color", "--calibrate"], 2, "--calibrate: received with --use color, which has no depth images"),
            (["--use", "color", "--realtime"], 2, "--realtime: received with --use color"),
            (["--use", "color", "--height-range", "1", "0"], 2, "--height-range: received 1 0, expected finite metres"),
            (["--height-range", "0", "1"], 2, "--height-range: received without --use color"),
            (["--use", "depth", "--track"], 2, "--track: received with --use depth, which reads no photographs"),
            (["--refine-poses", "--track"], 2, "--track: received with --refine-poses, which looks at all photographs"),
            (["--refine-poses", "--realtime"], 2, "--realtime: received with --refine-poses"),
            (["--camera-height", "1", "--track"], 2, "--camera-height: received without --use color"),
            (["--use", "color", "--camera-height", "1"], 2, "--camera-height: received without --track"),
            (["--use", "color", "--odometry", "a.txt"], 2, "--odometry: received without --track"),
            (["--use", "color", "--track", "--trajectory", "a.txt"], 2, "--trajectory: received with --track"),
            (["--use", "color", "--track", "--baseline", "0"], 2, "--baseline: received 0, expected a finite number"),
            (["--use", "color", "--track", "--baseline", "1", "--camera-height", "1"], 2, "one of them is the scale"),
            (["--use", "color", "--track", "--scale", "1", "--baseline", "1"], 2, "--baseline, --scale: received tog"),
            (["--use", "color", "--track", "--scale", "-1"], 2, "--scale: received -1, expected a finite number"),
            (["--scale", "2", "--track"], 2, "--scale: received without --use color"),
            (["--use", "depth", "--heights-from", "both"], 2, "received both with --use depth, which reads no"),
            (["--use", "color", "--heights-from", "both"], 2, "received both with --use color, which has its depth"),
            (["--use", "sound"], 2, "'sound'"),
            (["--stict"], 2, "Unrecognized options: --stict"),
            (["--T-world-map", "nowhere.txt"], 1, "nowhere.txt: no such file"),
            (["--T-world-map", "FOLDER/two.txt"], 1, "two.txt: received 2 lines of numbers, expected 4"),
            (["--T-world-map", "FOLDER/scaled.txt"], 1, "scaled.txt: expected a rigid 4x4 transformation"),
            (["--trajectory", "nowhere.txt"], 1, "nowhere.txt: no such file"),
            (["--time-offset", "100"], 1, "no frame lies within the trajectory, which covers 0.000000 to 0.700000 s"),
            (["--bounds", "7", "8", "0", "1"], 1, "none of the 8 frames sees the map, which covers x 7 to 8"),
            (
                ["--spacing", "0.00001", "--bounds", "0", "1", "0", "0.0001"],
                1,
                "height map: received 100001 x 11, but textures of",
            ),
            (["--spacing", "0.000001"], 1, "height map: received 1000001 x 800001, but textures of"),
        ],
    )
    def test_options_that_make_no_sense(
        self,
        sequence: Path,
        tmp_path: Path,
        out: Path,
        capsys: pytest.CaptureFixture[str],
        options: list[str],
        status: int,
        told: str,
    ) -> None:
        np.savetxt(tmp_path / "two.txt", np.eye(4)[:2])
        np.savetxt(tmp_path / "scaled.txt", 2 * np.eye(4))
        options = [option.replace("FOLDER", str(tmp_path)) for option in options]
        assert main(["fuse", str(sequence), "--out", str(out), *QUICK, *options]) == status
        assert told in complaint(capsys)
        assert not out.exists()

    def test_without_an_output_folder(self, sequence: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["fuse", str(sequence), *QUICK]) == 2
        assert "--out" in complaint(capsys)

    def test_an_output_folder_that_cannot_be_written(
        self, sequence: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "file").write_text("mine")
        for folder in (tmp_path / "file", tmp_path / "file/out", Path("/proc/out")):
            assert main(["fuse", str(sequence), "--out", str(folder), *QUICK]) == 1
            assert complaint(capsys).startswith(f"{folder}: cannot be written to: ")
        assert (tmp_path / "file").read_text() == "mine"

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_an_output_folder_of_somebody_else(
        self, sequence: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "locked").mkdir(mode=0o555)
        assert main(["fuse", str(sequence), "--out", str(tmp_path / "locked"), *QUICK]) == 1
        assert "locked: cannot be written to: Permission denied; choose another" in complaint(capsys)

    def test_no_opengl_at_all(self, sequence: Path, out: Path) -> None:
        command = [sys.executable, "-m", "glrender", "fuse", str(sequence), "--out", str(out), *QUICK]
        environment = os.environ | {"__EGL_VENDOR_LIBRARY_FILENAMES": "/nonexistent"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert done.stderr.startswith("glrender: error: no OpenGL here: ")
        assert "apt-get install -y --no-install-recommends libegl1 libgl1" in done.stderr
        assert done.stderr.count("\n") == 1
        assert done.stdout == ""
