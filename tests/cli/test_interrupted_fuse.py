"""Ctrl-C and SIGTERM while `glrender fuse` runs: real signals to a real process."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from flights import fly, rough_ground

from glrender.cli.main import main
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.io.report import read_report
from glrender.pipeline import chosen_frames
from glrender.pipeline.outputs import FILES

FRAMES, LONG = 6, 3000
QUICK = ["--spacing", "0.05", "--bounds", "0", "1", "0", "0.8", "--time-offset", "0"]


@pytest.fixture
def sequence(context: Context, tmp_path: Path) -> Path:
    return fly(context, rough_ground(spacing=0.05), width=64, frames=FRAMES).write(tmp_path / "hill")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def long(sequence: Path) -> Path:
    """A recording of minutes: a camera at rest that takes the same picture again and again."""
    times = [f"{k / 10:.6f}" for k in range(LONG)]
    for kind in ("rgb", "depth"):
        (sequence / f"{kind}.txt").write_text("".join(f"{time} {kind}/0.300000.png\n" for time in times))
    pose = (sequence / "groundtruth.txt").read_text().splitlines()[5].partition(" ")[2]
    (sequence / "groundtruth.txt").write_text("".join(f"{time} {pose}\n" for time in (times[0], times[-1])))
    return sequence


def interrupted(command: list[str], name: signal.Signals) -> tuple[int, str, str]:
    """Exit status, stdout and what the terminal showed, of a command that is stopped after a few frames."""
    terminal, end = pty.openpty()
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=end, text=True)
    os.close(end)
    shown, sent, deadline = "", False, time.monotonic() + 120
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 0.1)[0]:
            if running.poll() is not None:
                break
            continue
        try:
            shown += os.read(terminal, 4096).decode(errors="replace")
        except OSError:  # the last writer has closed the terminal
            break
        if not sent and re.search(rf"\b([4-9]|\d\d+)/{LONG}\b", shown):
            running.send_signal(name)
            sent = True
    assert sent
    printed, _ = running.communicate(timeout=60)
    os.close(terminal)
    return running.returncode, printed, shown


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
def test_the_map_so_far_is_written_and_marked_partial(long: Path, out: Path, name: signal.Signals) -> None:
    command = [sys.executable, "-m", "glrender", "fuse", str(long), "--out", str(out), *QUICK]
    status, printed, shown = interrupted(command, name)
    assert status == 1
    assert "frames fused (interrupted: partial)" in printed
    assert "Traceback" not in shown
    assert {path.name for path in out.iterdir()} == set(FILES)
    report = read_report(out / "report.json")
    assert report["partial"]
    assert 4 <= report["frames_used"] < LONG
    assert len(report["residuals"]["frames"]) == report["frames_used"]
    assert np.isfinite(HeightMap.load(out / "map.npz").heights).mean() > 0.2


def test_before_the_first_frame_nothing_is_written(
    sequence: Path, out: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1)

    monkeypatch.setattr(chosen_frames, "estimate_time_offset", stop)
    assert main(["fuse", str(sequence), "--out", str(out), "--spacing", "0.05"]) == 1
    assert capsys.readouterr().err == "glrender: error: interrupted\n"
    assert not out.exists()


def test_while_files_are_written_they_are_finished(
    sequence: Path, out: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    save = HeightMap.save

    def stop(surface: HeightMap, path: Path) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        save(surface, path)

    monkeypatch.setattr(HeightMap, "save", stop)
    assert main(["fuse", str(sequence), "--out", str(out), *QUICK]) == 1
    told = f"glrender: error: interrupted; {out} holds the map of {FRAMES} frames\n"
    assert capsys.readouterr().err == told
    assert {path.name for path in out.iterdir()} == set(FILES)
    assert json.loads((out / "report.json").read_text())["frames_used"] == FRAMES
