"""`glrender fuse --pose-sigma`: what is told of poses reaches the map and its report."""

import json
from pathlib import Path

import numpy as np
import pytest
from flights import fly, rough_ground

from glrender.cli.main import main
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context


@pytest.fixture(scope="module")
def folder(context: Context, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fly(context, rough_ground((0.6, 0.5)), width=80, frames=8).write(tmp_path_factory.mktemp("flight") / "seen")


def fused(folder: Path, out: Path, *options: str) -> tuple[HeightMap, dict[str, object]]:
    arguments = ["fuse", str(folder), "--out", str(out), "--spacing", "0.025", "--time-offset", "0", *options]
    assert main(arguments) == 0
    return HeightMap.load(out / "map.npz"), json.loads((out / "report.json").read_text())["shared_errors"]


def test_what_is_given_widens_sigma_and_is_reported(folder: Path, tmp_path: Path) -> None:
    exact, none = fused(folder, tmp_path / "exact", "--pose-sigma", "0", "0")
    wide, given = fused(folder, tmp_path / "wide", "--pose-sigma", "0.01", "0.5", "--offset-sigma", "0.002")
    assert none["source"] == given["source"] == "given"
    assert given["pose_sigma"] == {"translation": 0.01, "rotation": 0.5, "depth_offset": 0.002}
    np.testing.assert_array_equal(wide.heights, exact.heights)
    assert np.nanmin(wide.sigma / exact.sigma) > 1
    assert np.nanmedian(wide.sigma) > 0.003


def test_it_is_said(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fused(folder, tmp_path / "wide", "--pose-sigma", "0.01", "0.5")
    assert "sigma: frames are off as wholes by 10.0 mm, 0.50 degrees (given)" in capsys.readouterr().out
    fused(folder, tmp_path / "exact", "--pose-sigma", "0", "0")
    assert "sigma: frames agree as wholes within their noise (given)" in capsys.readouterr().out


def test_without_it_sigmas_are_estimated(folder: Path, tmp_path: Path) -> None:
    estimated, shared = fused(folder, tmp_path / "estimated")
    exact, _ = fused(folder, tmp_path / "exact", "--pose-sigma", "0", "0")
    assert shared["source"] == "estimated from how the frames disagree"
    assert shared["pose_sigma"] is None
    assert set(shared["shift"]) == {"sigma", "correlation"}
    np.testing.assert_allclose(estimated.sigma, exact.sigma, rtol=0.05)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--pose-sigma", "-1", "0"], "translation"),
        (["--pose-sigma", "0", "nan"], "rotation"),
        (["--offset-sigma", "0.1"], "--pose-sigma"),
    ],
)
def test_what_is_no_sigma_is_wrong_use(
    folder: Path, tmp_path: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fuse", str(folder), "--out", str(tmp_path / "out"), *options]) == 2
    assert message in capsys.readouterr().err
