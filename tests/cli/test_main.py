"""The command line around the verbs: which one runs, what it is handed, and how what goes wrong is told."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from complaints import complaint

from glrender.cli import main as cli

FAKE_VERB = '''
"""A verb that shows what it was given, or goes wrong as it is told."""
import os, sys, time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional

from glrender.cli.progress import progress
from glrender.errors import InputError, UsageError


@dataclass(frozen=True)
class Options:
    """Show what was given."""

    sequence: Positional[Path]
    """Folder of the sequence."""
    T_world_map: Path | None = None
    """Where the map lies."""
    time_offset: float | Literal["auto"] = 0.0
    """Seconds."""
    size: tuple[float, float] | None = None
    """Metres."""
    noise: tuple[float, float] = (0.0, 0.0)
    """Metres and degrees."""
    frames: int = 1
    """How many."""
    rate: float = 1.0
    """A second."""
    kind: Literal["round", "flat"] | None = None
    """Of what kind."""
    strict: bool = False
    """Fail at the first."""
    do: str = "nothing"
    """What goes wrong."""


def run(options: Options) -> int:
    print(options)
    if options.do == "input":
        raise InputError("camera.yaml: no fx\\n  expected a number")
    if options.do == "usage":
        raise UsageError("--bounds: wrong way round")
    if options.do == "bug":
        raise ZeroDivisionError("division by zero")
    if options.do == "memory":
        raise MemoryError("Unable to allocate 37 GiB")
    if options.do == "file":
        raise PermissionError(13, "Permission denied", "secret.txt")
    if options.do == "interrupt":
        raise KeyboardInterrupt
    if options.do == "three":
        return 3
    if options.do == "wait":
        try:
            print("ready", flush=True)
            time.sleep(60)
        except KeyboardInterrupt:
            print("kept", flush=True)
            return 1
    if options.do == "progress":
        with progress("frames") as advance:
            for done in range(1, 6):
                advance(done, 5)
                time.sleep(0.05)
    if options.do == "flood":
        for number in range(100_000):
            print(number)
    return 0
'''


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fake_verb.py").write_text(FAKE_VERB, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(cli, "VERBS", {**cli.VERBS, "show": ("fake_verb", "show what was given")})


@pytest.fixture
def process(tmp_path: Path) -> list[str]:
    """The command line that runs the fake verb in a process of its own."""
    (tmp_path / "fake_verb.py").write_text(FAKE_VERB, encoding="utf-8")
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from glrender.cli import main as cli; "
        "cli.VERBS['show'] = ('fake_verb', 'show'); sys.exit(cli.main())"
    )
    return [sys.executable, "-c", program, "show", "folder", "--do"]


def glrender(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "glrender", *arguments]
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)


def test_the_version() -> None:
    done = glrender("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split()[0] == "glrender"
    assert done.stdout.split()[1][0].isdigit()


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_the_help_names_every_verb(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([flag]) == 0
    out = capsys.readouterr().out
    assert all(f"\n  {verb} " in out for verb in cli.VERBS)
    assert "--debug" in out


def test_the_help_imports_no_verb() -> None:
    program = (
        "import sys; from glrender.cli.main import main; main(['-h']); "
        "sys.exit(any(name in sys.modules for name in ('numpy', 'tyro', 'moderngl')))"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=False).returncode == 0


def test_no_verb_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 2
    assert "usage: glrender VERB" in capsys.readouterr().err


def test_an_unknown_verb_lists_the_verbs_and_the_likely_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["fues", "folder"]) == 2
    line = complaint(capsys)
    assert "did you mean 'fuse'?" in line
    assert ", ".join(cli.VERBS) in line


def test_an_option_before_the_verb_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--verbose", "info"]) == 2
    assert "'--verbose'" in complaint(capsys)


def test_a_real_verb_runs() -> None:
    done = glrender("info")
    assert (done.returncode, done.stderr) == (0, "")
    assert "OpenGL" in done.stdout


@pytest.mark.usefixtures("fake")
class TestOptions:
    def test_they_reach_the_verb(self, capsys: pytest.CaptureFixture[str]) -> None:
        given = ["show", "folder", "--T-world-map", "T.txt", "--time-offset", "auto", "--strict"]
        assert cli.main(given) == 0
        out = capsys.readouterr().out
        for part in ("sequence=PosixPath('folder')", "PosixPath('T.txt')", "time_offset='auto'", "strict=True"):
            assert part in out

    def test_a_negative_number_is_a_value(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.main(["show", "folder", "--time-offset", "-0.02"]) == 0
        assert "time_offset=-0.02" in capsys.readouterr().out

    def test_the_help_shows_names_and_docstrings(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.main(["show", "-h"]) == 0
        out = capsys.readouterr().out
        for part in ("SEQUENCE", "Show what was given.", "--T-world-map PATH", "--time-offset", "Seconds."):
            assert part in out
        assert "--no-strict" not in out

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            ([], "Missing from glrender show: SEQUENCE Folder of the sequence."),
            (["folder", "--stict"], "Unrecognized options: --stict; Perhaps you meant: --strict"),
            (["folder", "--time-offset", "soon"], "--time-offset: received 'soon', expected FLOAT|auto (see"),
            (["folder", "--size", "1"], "--size: received '1', expected FLOAT FLOAT (see"),
            (["folder", "--noise", "a", "b"], "--noise: received 'a', 'b', expected FLOAT FLOAT (see"),
            (["folder", "--frames", "1.5"], "--frames: received '1.5', expected INT (see"),
            (["folder", "--rate", ""], "--rate: received '', expected FLOAT (see"),
            (["folder", "--kind", "oval"], "--kind: received 'oval', expected one of flat, round (see"),
            (
                ["folder", "--rate", "-1e308"],
                "--rate: received -1e+308, expected at most 1e+12, whatever its sign (see",
            ),
            (["folder", "--frames", "1" + 30 * "0"], "expected at most 1e+12, whatever its sign (see"),
            (["folder", "--size", "1", "1e13"], "--size: received 10000000000000.0, expected at most 1e+12"),
            (["folder", "more"], "Unrecognized options: more"),
            (["folder", "--T-world-map"], "Missing value for argument '--T-world-map'"),
        ],
        ids=[
            "missing",
            "misspelt",
            "not a number",
            "too few",
            "no pair",
            "no whole number",
            "nothing",
            "no choice",
            "huge",
            "huge whole number",
            "huge one of two",
            "too many",
            "no value",
        ],
    )
    def test_wrong_ones_are_refused_in_one_line(
        self, arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert cli.main(["show", *arguments]) == 2
        line = complaint(capsys)
        assert told in line
        assert line.endswith("(see glrender show -h)")
        assert not set("│╭╰─").intersection(line)


@pytest.mark.usefixtures("fake")
class TestEnd:
    @pytest.mark.parametrize(
        ("what", "status", "told"),
        [
            ("input", 1, "glrender: error: camera.yaml: no fx; expected a number\n"),
            ("usage", 2, "glrender: error: --bounds: wrong way round\n"),
            ("interrupt", 1, "glrender: error: interrupted\n"),
            (
                "memory",
                1,
                "glrender: error: out of memory: Unable to allocate 37 GiB; "
                "smaller images or a coarser map take less\n",
            ),
            ("file", 1, "glrender: error: secret.txt: Permission denied\n"),
            (
                "bug",
                1,
                "glrender: error: unexpected ZeroDivisionError: division by zero "
                "(run again with --debug for the traceback)\n",
            ),
        ],
    )
    def test_an_error_is_one_line(self, what: str, status: int, told: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.main(["show", "folder", "--do", what]) == status
        assert capsys.readouterr().err == told

    @pytest.mark.parametrize("before", [True, False], ids=["before the verb", "after it"])
    def test_debug_shows_the_traceback(self, before: bool, capsys: pytest.CaptureFixture[str]) -> None:
        command = ["show", "folder", "--do", "usage"]
        assert cli.main(["--debug", *command] if before else [*command, "--debug"]) == 2
        error = capsys.readouterr().err
        assert "Traceback" in error
        assert "in run" in error

    def test_the_status_is_the_verbs_own(self) -> None:
        assert cli.main(["show", "folder", "--do", "three"]) == 3

    def test_signal_handlers_are_put_back(self) -> None:
        before = signal.getsignal(signal.SIGTERM)
        cli.main(["show", "folder"])
        assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
def test_a_verb_may_keep_its_work_when_it_is_stopped(name: signal.Signals, process: list[str]) -> None:
    with subprocess.Popen([*process, "wait"], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        while "ready" not in running.stdout.readline():
            assert running.poll() is None
        running.send_signal(name)
        assert "kept" in running.stdout.read()
    assert running.returncode == 1


def test_a_reader_that_leaves_early_causes_no_noise(process: list[str]) -> None:
    with subprocess.Popen([*process, "flood"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.readline()
        running.stdout.close()
        assert running.stderr.read() == ""
    assert running.returncode == 1


@pytest.mark.parametrize(
    ("closed", "said"), [(">&-", ""), ("2>&-", "Options"), (">&- 2>&-", ""), ("<&- 2>&-", "Options")]
)
def test_where_a_stream_was_closed_a_verb_does_its_work(process: list[str], closed: str, said: str) -> None:
    command = ["sh", "-c", f'exec "$@" {closed}', "sh", *process, "progress"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(said)


def test_progress_is_shown_on_a_terminal_only(process: list[str]) -> None:
    piped = subprocess.run([*process, "progress"], capture_output=True, text=True, check=False)
    assert (piped.returncode, piped.stderr) == (0, "")

    terminal, end = os.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    shown = subprocess.Popen([*process, "progress"], stdout=subprocess.DEVNULL, stderr=end, env=environment)
    os.close(end)
    text = b""
    deadline = time.monotonic() + 60
    while b"5/5" not in text and time.monotonic() < deadline:
        try:
            text += os.read(terminal, 4096)
        except OSError:  # the last writer has closed the terminal
            break
    assert shown.wait(timeout=60) == 0
    os.close(terminal)
    assert b"frames" in text
    assert b"5/5" in text
