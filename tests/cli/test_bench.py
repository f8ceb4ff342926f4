"""`glrender bench`: good use and bad."""

import json
from pathlib import Path

import pytest

from glrender.bench.peers import PEERS
from glrender.cli import bench
from glrender.cli.main import main

SMALL = ["--sizes", "65", "--rounds", "1"]


def test_one_size_into_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bench.json"
    assert main(["bench", *SMALL, "--json", str(file)]) == 0
    out = capsys.readouterr().out
    assert "65 x 65 vertices" in out
    assert "129 x 129" not in out
    assert "block stencil" in out
    report = json.loads(file.read_text())
    assert [size["vertices"] for size in report["sizes"]] == [65]
    assert report["peers"] == {}
    assert report["first_calls"]["shaders"] > 0


def test_peers_that_are_not_installed_are_said_and_skipped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, (_, module, adapter) in PEERS.items():
        monkeypatch.setitem(PEERS, name, ("no-such-package", module, adapter))
    assert main(["bench", *SMALL, "--peers"]) == 0
    out = capsys.readouterr().out
    for name in PEERS:
        assert f"{name}: not installed: pip install glrender[bench]" in out


def test_the_solvers_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "solvers.json"
    assert main(["bench", "--solvers", "--sizes", "65", "--json", str(file)]) == 0
    out = capsys.readouterr().out
    assert "multigrid" in out
    assert "block stencil" not in out
    assert [size["vertices"] for size in json.loads(file.read_text())["times"]] == [65]


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (["--sizes", "64"], 2, ["--sizes: received 64", "65 129 257 513"]),
        (["--sizes", "1025"], 2, ["--sizes: received 1025", "65 129 257 513"]),
        (["--solvers", "--sizes", "64"], 2, ["--sizes: received 64", "513 1025"]),
        (["--sizes", "65", "1000", "7"], 2, ["--sizes: received 1000 7"]),
        (["--sizes", "65", "65"], 2, ["each size once"]),
        (["--sizes", "large"], 2, ["large"]),
        (["--sizes"], 2, ["--sizes"]),
        (["--rounds", "0"], 2, ["--rounds: received 0"]),
        (["--peer"], 2, ["--peer"]),
        (["--json", "no/such/folder/bench.json"], 1, ["no/such/folder", "no folder"]),
        (["--json", "."], 1, ["--json"]),
    ],
)
def test_bad_use_is_refused_before_anything_is_timed(
    options: list[str],
    status: int,
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("run_benchmark", "run_solver_benchmark"):
        monkeypatch.setattr(bench, name, lambda *_, **__: pytest.fail("timed"))
    assert main(["bench", *options]) == status
    err = capsys.readouterr().err
    assert err.startswith("glrender: error: ")
    assert err.count("\n") == 1
    for word in words:
        assert word in err


def test_help_names_the_sizes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "-h"]) == 0
    assert "65 129 257 513" in " ".join(capsys.readouterr().out.split())
