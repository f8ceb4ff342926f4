"""`glrender batch` as a user meets it: real processes, real files, real signals."""

import json
import multiprocessing
import os
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from glrender.batch import run
from glrender.batch.cameras import VIEWS
from glrender.batch.interruption import Interruption
from glrender.batch.job import Job, make_plan, read_job
from glrender.batch.manifest import FileRecord, Manifest
from glrender.batch.outputs import OUTPUTS, film_of
from glrender.batch.pool import Pool
from glrender.batch.run import BYTES_PER_WORKER
from glrender.batch.video import _encode
from glrender.checks import MEMORY
from glrender.cli.batch import Options
from glrender.cli.main import main
from glrender.errors import InputError, UsageError
from glrender.gl.egl import devices
from glrender.io.files import DiskFullError

WriteJob = Callable[..., Path]


def batch(*arguments: object) -> int:
    return main(["batch", *map(str, arguments)])


def start(*arguments: object) -> subprocess.Popen[str]:
    """The command as a process of its own, in a group of its own."""
    command = [sys.executable, "-m", "glrender", "batch", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def wait_for(condition: Callable[[], bool], seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "nothing came"
        time.sleep(0.02)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder but the manifest, by name."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "manifest.jsonl"
    }


def views(folder: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    return [line for line in lines if "view" in line]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.mark.usefixtures("in_this_process")
def test_a_second_run_makes_only_what_is_missing(
    write_job: WriteJob, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("av", reason="an extra that is not installed here")
    job = write_job(outputs=[{"type": "image"}, {"type": "depth"}, {"type": "video", "name": "film"}])
    assert batch(job, "--out", out) == 0
    made = contents(out)
    # One file gone, one damaged: these two views are made again, and nothing else is touched.
    capsys.readouterr()
    times = {path: (out / path).stat().st_mtime_ns for path in made}
    (out / "image/000001.png").unlink()
    (out / "depth/000004.png").write_bytes(made["depth/000004.png"][:-1] + b"x")
    assert batch(job, "--out", out) == 0
    assert "6 of 6 views, 4 of them from an earlier run" in capsys.readouterr().out
    assert contents(out) == made
    changed = {path for path in made if (out / path).stat().st_mtime_ns != times[path]}
    assert {path for path in changed if path != "film.mp4"} == {
        path for path in made if path[-10:-4] in ("000001", "000004")
    }
    assert batch(job, "--out", out) == 0, "and then there is nothing to do"
    assert "6 of 6 views, 6 of them from an earlier run" in capsys.readouterr().out


@pytest.mark.usefixtures("in_this_process")
def test_a_film_has_all_views_in_order(write_job: WriteJob, out: Path) -> None:
    av = pytest.importorskip("av", reason="an extra that is not installed here")
    video = {"type": "video", "quality": 1, "rate": 10}
    job = write_job(outputs=[video, {"type": "image"}], camera={"width": 96, "height": 64, "fov": 50})
    assert batch(job, "--out", out, "--workers", 1) == 0
    assert sorted(path.name for path in out.iterdir()) == ["image", "manifest.jsonl", "video.mp4"]
    with av.open(str(out / "video.mp4")) as film:
        assert film.streams.video[0].average_rate == 10
        frames = [frame.to_ndarray(format="bgr24") for frame in film.decode(video=0)]
    assert len(frames) == 6
    for k, frame in enumerate(frames):
        images = [cv2.imread(str(out / f"image/{n:06d}.png")).astype(float) for n in range(6)]
        nearest = np.argmin([np.abs(frame - image).mean() for image in images])
        assert nearest == k
        assert np.abs(frame - images[k]).mean() < 6


def test_a_film_has_the_same_bytes_each_time(write_job: WriteJob, tmp_path: Path) -> None:
    """Whatever lies in the memory that its encoder is given: one in two or more had been another."""
    pytest.importorskip("av", reason="an extra that is not installed here")
    camera, views = {"width": 80, "height": 64, "fov": 50}, [{"type": "orbit", "count": 20}]
    job = write_job(outputs=[{"type": "video"}], camera=camera, views=views)
    plan, rng = make_plan(read_job(str(job))), np.random.default_rng(0)
    (video,) = plan.job.videos
    for index in range(plan.count):
        path = tmp_path / plan.path(video, index)
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), np.clip(rng.normal(128, 40, (64, 80, 3)), 0, 255).astype(np.uint8))
    films = set()
    for run_of in range(60):
        blocks = [np.full(size, run_of, np.uint8) for size in rng.integers(1000, 40000, 50)]
        del blocks
        _encode(plan, tmp_path, video)
        films.add((tmp_path / film_of(video)).read_bytes())
    assert len(films) == 1


def test_a_view_that_fails_is_told_and_a_full_disk_ends_the_run(
    write_job: WriteJob, out: Path, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full, whose disk is always full")
    below = {"type": "look_at", "eyes": [[0, 0, 0]], "targets": [[1, 0, 0]]}
    job = write_job(views=[{"type": "orbit", "count": 3}, below, {"type": "orbit", "count": 36}])
    (out / "image").mkdir(parents=True)
    # Where the file of view 30 is to be written first, there is no room.
    (out / "image/000030.png.part").symlink_to("/dev/full")
    assert batch(job, "--out", out, "--workers", 1, "--force") == 1
    said = capsys.readouterr()
    problem = "view 3: the camera at (0, 0, 0) is 0.1 m below the surface of 'map', which shows its upper side"
    assert problem in said.err
    assert "failed: 3\n" in said.out
    assert "image/000030.png: cannot be written: No space left on device" in said.out
    assert "the same command again renders what is missing" in said.out
    done = len(views(out))
    assert 5 < done < 39
    request.getfixturevalue("in_this_process")
    assert batch(job, "--out", out) == 1, "now there is room, but one view still cannot be made"
    said = capsys.readouterr()
    assert problem in said.err
    assert "again renders" not in said.out, "it would fail again"
    assert f"39 of 40 views, {done} of them from an earlier run" in said.out
    assert sorted(line["view"] for line in views(out)) == [view for view in range(40) if view != 3]


@pytest.mark.usefixtures("in_this_process")
def test_the_folder_of_another_job_is_not_touched_unless_forced(
    write_job: WriteJob, out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = write_job(views=[{"type": "orbit", "count": 2}])
    assert batch(job, "--out", out, "--workers", 1) == 0
    (out / "mine.txt").write_text("not of any job")
    before = contents(out)
    other = write_job(views=[{"type": "orbit", "count": 1}], outputs=[{"type": "image"}])
    assert batch(other, "--out", out) == 2
    assert f"{out}: holds another job (other kinds, views, poses, outputs" in capsys.readouterr().err
    assert contents(out) == before
    assert batch(other, "--out", out, "--workers", 1, "--force") == 0
    assert set(contents(out)) == {"image/000000.png", "mine.txt"}
    (tmp_path / "full").mkdir()
    (tmp_path / "full/a.txt").write_text("a")
    assert batch(other, "--out", tmp_path / "full") == 2
    assert "full: holds files, but no job's" in capsys.readouterr().err


@pytest.mark.usefixtures("in_this_process")
def test_a_damaged_manifest_is_told_and_a_line_that_was_cut_off_is_no_line(
    write_job: WriteJob, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = write_job(views=[{"type": "orbit", "count": 2}], outputs=[{"type": "depth"}])
    assert batch(job, "--out", out, "--workers", 1) == 0
    manifest = out / "manifest.jsonl"
    whole = manifest.read_bytes()
    manifest.write_bytes(whole[:-20])
    assert batch(job, "--out", out, "--workers", 1) == 0
    assert "2 of 2 views, 1 of them from an earlier run" in capsys.readouterr().out
    manifest.write_bytes(whole.replace(b'{"view"', b'{"vi', 1).replace(b'"bytes"', b"bytes", 1))
    assert batch(job, "--out", out, "--workers", 1) == 1
    assert "manifest.jsonl: is damaged at" in capsys.readouterr().err


@pytest.mark.parametrize(
    "line",
    [
        [1, 2],
        {"view": 0},
        {"view": "0", "files": {}},
        {"view": 0, "files": {"depth/0.png": {"bytes": 1}}},
        {"view": 0, "files": {"../mine.txt": {"bytes": 1, "sha256": ""}}},
        {"files": {"/etc/mine.txt": {"bytes": 1, "sha256": ""}}},
    ],
)
def test_a_manifest_that_speaks_of_other_things_removes_nothing(read: Callable[..., Job], out: Path, line: Any) -> None:
    mine = out.parent / "mine.txt"
    mine.write_text("mine")
    plan = make_plan(read())
    with Manifest(out, plan) as manifest:
        manifest.add_view(0, [])
    with (out / "manifest.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")
    for force in (False, True):
        with pytest.raises(InputError, match=r"manifest\.jsonl: is damaged at"):
            Manifest(out, plan, force=force)
    assert mine.read_text() == "mine"


def test_two_runs_do_not_write_into_one_folder(read: Callable[..., Job], out: Path) -> None:
    plan = make_plan(read())
    with Manifest(out, plan) as manifest:
        with pytest.raises(UsageError, match="out: another run is writing into it; wait until it is done"):
            Manifest(out, plan, force=True)
        manifest.add_view(0, [])
    with Manifest(out, plan) as manifest:
        assert manifest.done == {0}


def test_a_line_that_there_is_half_a_room_for_is_no_line(read: Callable[..., Job], out: Path) -> None:
    plan, files = make_plan(read()), [FileRecord("depth/000000.png", 1, "0" * 64)]
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Manifest(out, plan) as manifest:
        manifest.add_view(0, files)
        resource.setrlimit(resource.RLIMIT_FSIZE, ((out / "manifest.jsonl").stat().st_size + 40, unlimited[1]))
        try:
            with pytest.raises(DiskFullError, match=r"manifest\.jsonl: cannot be written"):
                manifest.add_view(1, files)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
        assert manifest.done == {0}
        manifest.add_view(2, files)
    assert [line["view"] for line in views(out)] == [0, 2]


WRONG_USE: list[tuple[list[str], str]] = [
    (["--workers", "0"], "workers: received 0, expected 1 to "),
    (["--workers", "9999999999"], "workers: received 9999999999, expected 1 to "),
    (
        ["--workers", str(MEMORY // BYTES_PER_WORKER + 1)],
        f"1 to {MEMORY // BYTES_PER_WORKER}, for which {MEMORY / 2**30:.0f} GiB of memory do",
    ),
    (["--devices", "0,x"], "--devices: received '0,x', expected numbers with commas between them"),
    (["--scheduler", "tcp://a:1", "--workers", "2"], "--workers: received with --scheduler"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG_USE)
def test_wrong_use_is_told(
    write_job: WriteJob, out: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert batch(write_job(), "--out", out, *arguments) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_a_device_that_does_not_exist_is_told_with_those_that_do(
    write_job: WriteJob, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert batch(write_job(), "--out", out, "--devices", "0,99") == 2
    listed = ", ".join(f"{device.index} ({device.name})" for device in devices())
    assert f"devices: received 99, but the EGL devices of this machine are {listed}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scene": [{"type": "heightmap", "source": "no.npz"}]}, "no.npz: no such file"),
        ({"outptus": []}, "unknown key 'outptus'; did you mean 'outputs'?"),
        ({"views": [{"type": "orbit", "count": 0}]}, "count: received 0, expected 1 to 10,000,000 views"),
        ({"outputs": [{"type": "video"}], "camera": {"width": 33, "height": 20, "fov": 50}}, "even width and height"),
    ],
)
def test_a_bad_job_is_told_before_anything_is_written(
    write_job: WriteJob, out: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], message: str
) -> None:
    assert batch(write_job(**changes), "--out", out) == 1
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_two_workers_write_what_this_process_does_though_they_are_killed(
    write_job: WriteJob, out: Path, tmp_path: Path, in_this_process: None
) -> None:
    """kill -9 again and again, whenever there is some progress: every view comes out as it would have.

    `tools/kill_workers.py` does more of it.
    """
    pytest.importorskip("av", reason="an extra that is not installed here")
    outputs = [{"type": name} for name in ("image", "depth", "ids", "normals")]
    outputs += [{"type": "jacobian", "of": "depth", "wrt": "height"}, {"type": "video", "name": "film"}]
    plan = make_plan(read_job(str(write_job(views=[{"type": "orbit", "count": 60}], outputs=outputs))))
    told, killed = [], []

    def advance(done: int, total: int) -> None:
        # One after the other: whoever was killed may live on for a while. Beyond 45, nobody would need to replace it.
        if len(told) == len(killed) < 2 and 5 + 25 * len(killed) < done < 45:
            killed.append(next(child for child in multiprocessing.active_children() if child not in killed))
            killed[-1].kill()

    with pytest.MonkeyPatch.context() as real:
        real.setattr(run, "Pool", Pool)
        outcome = run.run_job(plan, out, run.Workers(2, (0,)), advance=advance, tell=told.append)
    assert (outcome.done, outcome.failed, outcome.complete) == (60, {}, True)
    assert killed
    assert told == ["a worker died: killed by SIGKILL; another takes its place"] * len(killed)
    made = contents(out)
    assert len(made) == 5 * 60 + 1
    assert {name for line in views(out) for name in line["files"] if "film" not in name} == set(made) - {"film.mp4"}
    run.run_job(plan, tmp_path / "here", run.Workers(1, (0,)))
    assert contents(tmp_path / "here") == made


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_something_to_wait_for(name: signal.Signals) -> None:
    before = signal.getsignal(name)
    with Interruption() as interruption:
        assert select.select([interruption.fd], [], [], 0)[0] == []
        os.kill(os.getpid(), name)
        assert select.select([interruption.fd], [], [], 10)[0] == [interruption.fd]
        assert interruption.arrived
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), name)  # the second time, it is meant
    assert signal.getsignal(name) is before


def test_an_interruption_leaves_a_state_that_can_be_resumed(write_job: WriteJob, out: Path) -> None:
    job = write_job(views=[{"type": "orbit", "count": 2000}])
    running = start(job, "--out", out, "--workers", 1)
    manifest = out / "manifest.jsonl"
    wait_for(lambda: manifest.exists() and manifest.read_bytes().count(b'"view"') > 5)
    os.killpg(running.pid, signal.SIGTERM)  # all its processes get it, as from a batch system
    said, told = running.communicate(timeout=240)
    assert running.returncode == 1
    assert told == ""
    assert "interrupted\n  the same command again renders what is missing" in said
    done = views(out)
    assert 5 < len(done) < 2000
    files = contents(out)
    assert set(files) == {path for line in done for path in line["files"]}, "and no half of a view"


def test_help_has_the_keys_of_every_type() -> None:
    said = " ".join((Options.__doc__ or "").split())
    for types, common in ((VIEWS, "camera"), (OUTPUTS, "name")):
        for kind, made in types.items():
            keys = [field.name for field in fields(made) if field.init and field.name != common]
            own = [key for key in keys if (kind, key) not in (("normals", "buffers"), ("ids", "buffers"))]
            needed = [field.name for field in fields(made) if field.name in own and is_needed(field)]
            others = [key for key in own if key not in needed]
            listed = " ".join(filter(None, (", ".join(needed), f"({', '.join(others)})" if others else "")))
            assert f" {kind} {listed}" in said, f"{kind} {listed}"


def is_needed(field: Field[object]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING
