"""`glrender bench`: good use and bad."""

import json
from pathlib import Path

import cv2
import pytest
from complaints import complaint

from glrender.bench import peers
from glrender.bench.benchmark import Plan
from glrender.bench.peers import DIFFERENTIABLE, VOLUMES
from glrender.cli import bench
from glrender.cli.main import main

SMALL = ["--sizes", "65", "--images", "320x240", "--rounds", "1"]


def test_stages_of_one_size_into_a_file_and_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, picture = tmp_path / "bench.json", tmp_path / "bench.png"
    assert main(["bench", *SMALL, "--only", "stages", "--json", str(file), "--plot", str(picture)]) == 0
    out = capsys.readouterr().out
    assert "65 x 65 vertices, 320 x 240 pixels" in out
    assert "129 x 129" not in out
    assert "block stencil" in out
    assert "multigrid" not in out
    assert "frames/s" not in out
    report = json.loads(file.read_text())
    assert [size["vertices"] for size in report["stages"]] == [65]
    assert (report["stage_peers"], report["solvers"], report["fusion"]) == ({}, None, [])
    assert report["first_calls"]["shaders"] > 0
    assert cv2.imread(str(picture)) is not None


class Planned(Exception):
    """Instead of measuring."""


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[Plan]:
    """What would have been measured."""
    plans: list[Plan] = []

    def measure(plan: Plan, advance: object) -> None:
        plans.append(plan)
        raise Planned

    monkeypatch.setattr(bench, "run_benchmark", measure)
    return plans


def test_what_is_measured_unless_said(plans: list[Plan]) -> None:
    assert main(["bench"]) == 1
    assert plans == [Plan()]


def test_options_become_a_plan(plans: list[Plan]) -> None:
    options = [
        "--only",
        "fusion",
        "solvers",
        "--sizes",
        "1025",
        "65",
        "--images",
        "1280x960",
        "--rounds",
        "3",
        "--peers",
    ]
    assert main(["bench", *options, "--aging", "1000"]) == 1
    assert plans == [Plan(("solvers", "fusion"), (1025, 65), ((1280, 960),), 3, peers=True, aging=1000)]


def test_fusion_alone_with_an_aged_map(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", *SMALL, "--only", "fusion", "--aging", "11"]) == 0
    out = capsys.readouterr().out
    assert "simulated flight" in out
    assert "65 x 65" in out
    assert "resident memory" in out
    assert "block stencil" not in out


def test_peers_that_are_not_installed_are_said_and_skipped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    known = {"DIFFERENTIABLE": DIFFERENTIABLE, "VOLUMES": VOLUMES}
    for kind, some in known.items():
        for name, (_, module, adapter) in some.items():
            monkeypatch.setitem(getattr(peers, kind), name, ("no-such-package", module, adapter))
    assert main(["bench", *SMALL, "--only", "stages", "fusion", "--peers"]) == 0
    out = capsys.readouterr().out
    for name in (*DIFFERENTIABLE, *VOLUMES):
        assert f"{name}: not installed: pip install glrender[bench]" in out


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (["--sizes", "64"], 2, ["--sizes: received 64", "65 129 257 513 1025"]),
        (["--sizes", "65", "1000", "7"], 2, ["--sizes: received 1000 7"]),
        (["--sizes", "65", "65"], 2, ["each once"]),
        (["--sizes", "large"], 2, ["large"]),
        (["--sizes"], 2, ["--sizes"]),
        (["--images", "640x481"], 2, ["--images: received 640x481", "640x480"]),
        (["--only", "everything"], 2, ["everything"]),
        (["--only"], 2, ["--only"]),
        (["--only", "fusion", "fusion"], 2, ["--only: received fusion fusion, expected each once"]),
        (["--rounds", "0"], 2, ["--rounds: received 0"]),
        (["--aging", "5"], 2, ["--aging: received 5, expected more than 10"]),
        (["--aging", "-3"], 2, ["--aging: received -3"]),
        (["--only", "stages", "--aging", "1000"], 2, ["--aging", "--only leaves fusion out"]),
        (["--only", "stages", "--sequence", "."], 2, ["--sequence", "--only leaves fusion out"]),
        (["--spacing", "0.01"], 2, ["--spacing", "--sequence"]),
        (["--sequence", ".", "--spacing", "0"], 2, ["--spacing: received 0"]),
        (["--sequence", "no/such/folder"], 1, ["no/such/folder"]),
        (["--peer"], 2, ["--peer"]),
        (["--json", "no/such/folder/bench.json"], 1, ["no/such/folder", "no folder"]),
        (["--json", "."], 1, ["--json"]),
        (["--plot", "bench.pdf"], 2, ["--plot: received bench.pdf", ".png"]),
        (["--only", "batch", "--plot", "bench.png"], 2, ["--plot", "--only leaves them out"]),
        (["--plot", "no/such/folder/bench.png"], 1, ["no/such/folder", "no folder"]),
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
    monkeypatch.setattr(bench, "run_benchmark", lambda *_, **__: pytest.fail("timed"))
    assert main(["bench", *options]) == status
    told = complaint(capsys)
    for word in words:
        assert word in told


def test_help_names_parts_sizes_and_images(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "-h"]) == 0
    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for words in ("stages solvers fusion", "65 129 257 513", "640x480 320x240"):
        assert words in text
