"""`glrender layers`: what it writes, what it says, and bad use."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from complaints import complaint

from glrender.cli.main import main
from glrender.geometry.heightmap import HeightMap
from glrender.io import layers_png
from glrender.io.report import KEYS, write_report


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """`map.npz`: a floor with a kerb of 3 cm."""
    heights = np.zeros((30, 40))
    heights[:, 20:] = 0.03
    HeightMap(heights, 0.02, (1.0, 2.0), sigma=np.full((30, 40), 1e-4)).save(tmp_path / "map.npz")
    return tmp_path


def test_everything_that_it_writes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = folder / "new" / "layers"
    arguments = ["layers", str(folder / "map.npz"), "--out", str(out), "--crs", "EPSG:32632"]
    for _ in range(2):  # the second time in place of the first
        assert main(arguments) == 0
        printed = capsys.readouterr()
        assert printed.err == ""
        assert "30 x 40 cells of 20 mm" in printed.out
        assert f"look at {out}/layers.png" in printed.out
    expected = {"layers.npz", "layers.tif", "layers_ros2", "layers.png", *layers_png.FILES}
    assert {path.name for path in out.iterdir()} == expected
    with rasterio.open(out / "layers.tif") as raster:
        assert raster.crs.to_epsg() == 32632


def test_the_robot_decides(folder: Path) -> None:
    found = []
    for step in ("0.02", "0.05"):
        robot = ["--max-step", step, "--max-slope", "25", "--wheel", "0.2", "--footprint", "0.12"]
        assert main(["layers", str(folder / "map.npz"), "--out", str(folder), "--formats", "npz", *robot]) == 0
        with np.load(folder / "layers.npz") as data:
            found.append(float(data["occupancy"][15, 20]))
            assert (data["max_slope"], data["wheel_diameter"], data["footprint_radius"]) == (25, 0.2, 0.12)
    assert found == [1, 0]


def test_the_reference_system_comes_from_the_sequence(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By way of the report beside the map; --crs is stronger."""
    arguments = ["layers", str(folder / "map.npz"), "--out", str(folder), "--formats", "tif"]
    for crs, given, expected in (("EPSG:25833", [], 25833), (None, [], None), ("x", ["--crs", "EPSG:32632"], 32632)):
        write_report(folder / "report.json", dict.fromkeys(KEYS) | {"placement": {"crs": crs}})
        assert main([*arguments, *given]) == 0
        with rasterio.open(folder / "layers.tif") as raster:
            assert (raster.crs.to_epsg() if raster.crs else None) == expected
    assert main(arguments) == 1
    assert "report.json: crs: received 'x', expected a reference system" in capsys.readouterr().err


def test_a_map_of_poses_that_lie_anyhow_may_have_its_own_up(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    upright = HeightMap.load(folder / "map.npz")
    quarter = np.eye(4)
    quarter[1:3, 1:3] = [[0, -1], [1, 0]]
    replace(upright, T_world_map=quarter).save(folder / "quarter.npz")
    write_report(folder / "report.json", dict.fromkeys(KEYS) | {"placement": {"crs": "EPSG:25833"}})
    arguments = ["layers", str(folder / "quarter.npz"), "--formats", "npz", "tif", "--out"]
    assert main([*arguments, str(folder / "out")]) == 1
    assert "tilted by 90 degrees, expected at most 60: the world's z must point up" in complaint(capsys)
    # Of this one, too, whose degrees would be refused: the map's own frame is in none.
    write_report(folder / "report.json", dict.fromkeys(KEYS) | {"placement": {"crs": "EPSG:4326"}})
    assert main([*arguments, str(folder / "own"), "--up", "map"]) == 0
    (folder / "report.json").unlink()
    assert main(["layers", str(folder / "map.npz"), "--formats", "npz", "--out", str(folder / "level")]) == 0
    with np.load(folder / "own" / "layers.npz") as own, np.load(folder / "level" / "layers.npz") as level:
        for name in level:
            np.testing.assert_array_equal(own[name], level[name])
    with rasterio.open(folder / "own" / "layers.tif") as raster:
        assert raster.crs is None
    capsys.readouterr()
    assert main([*arguments, str(folder / "no"), "--up", "map", "--crs", "EPSG:32632"]) == 2
    assert "--crs: received it with --up map" in complaint(capsys)


def test_sigma_that_counts_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    surface = HeightMap.load(folder / "map.npz")
    arguments = ["layers", str(folder / "map.npz"), "--formats", "npz", "--out", str(folder)]
    assert main(arguments) == 0
    assert "\n  of sigma 0% is a cell's own" in capsys.readouterr().out
    replace(surface, local_sigma=surface.sigma / 2).save(folder / "map.npz")
    assert main(arguments) == 0
    assert "\n  of sigma without what displaces neighbouring cells together, 0% is" in capsys.readouterr().out


def test_a_map_without_a_scale_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_report(folder / "report.json", dict.fromkeys(KEYS) | {"up_to_scale": True})
    assert main(["layers", str(folder / "map.npz"), "--out", str(folder / "out")]) == 1
    assert "report.json: the map is up to scale" in capsys.readouterr().err
    assert not (folder / "out").exists()


def test_without_its_packages_it_says_what_is_left_out(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("rasterio", "rosbags"):
        monkeypatch.setitem(sys.modules, package, None)
    assert main(["layers", str(folder / "map.npz"), "--out", str(folder / "out")]) == 0
    printed = capsys.readouterr().out
    assert "not written: layers.tif, which needs rasterio (pip install 'glrender[dem]')" in printed
    assert "not written: layers_ros2, which needs rosbags (pip install 'glrender[bags]')" in printed
    assert not (folder / "out" / "layers.tif").exists()
    assert main(["layers", str(folder / "map.npz"), "--out", str(folder / "tif"), "--formats", "npz", "tif"]) == 1
    assert "layers.tif: needs rasterio, which is not installed" in capsys.readouterr().err
    assert not (folder / "tif").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["map.npz"], 2, "--out"),
        (["missing.npz", "--out", "out"], 1, "missing.npz: no such file"),
        (["noise.npz", "--out", "out"], 1, "noise.npz: not a readable map.npz"),
        (["empty.npz", "--out", "out"], 1, "no cell has a height"),
        (["down.npz", "--out", "out"], 1, "tilted by 180 degrees"),
        (["map.npz", "--out", "map.npz"], 1, "map.npz: cannot be written to"),
        (["map.npz", "--out", "out", "--max-step", "0"], 2, "--max-step: received 0"),
        (["map.npz", "--out", "out", "--max-step", "nan"], 2, "--max-step: received nan"),
        (["map.npz", "--out", "out", "--max-slope", "-1"], 2, "--max-slope: received -1"),
        (["map.npz", "--out", "out", "--max-slope", "90"], 2, "--max-slope: received 90, expected less than 90"),
        (["map.npz", "--out", "out", "--wheel", "0"], 2, "--wheel: received 0"),
        (["map.npz", "--out", "out", "--wheel", "2"], 2, "--wheel: received 2, expected at most the footprint's"),
        (["map.npz", "--out", "out", "--footprint", "inf"], 2, "--footprint: received inf"),
        (["map.npz", "--out", "out", "--footprint", "15"], 1, "than the map, which is 0.8 x 0.6 m"),
        (["map.npz", "--out", "out", "--formats", "jpg"], 2, "jpg"),
        (["map.npz", "--out", "out", "--crs", "EPSG:4326"], 2, "--crs: received 'EPSG:4326', whose coordinates are in"),
        (["map.npz", "--out", "out", "--crs", "here"], 2, "--crs: received 'here', expected a reference system"),
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
    surface = HeightMap.load("map.npz")
    replace(surface, heights=np.full(surface.shape, np.nan)).save("empty.npz")
    replace(surface, T_world_map=np.diag([1.0, -1, -1, 1])).save("down.npz")
    Path("noise.npz").write_bytes(b"nothing of the kind")
    assert main(["layers", *arguments]) == status
    assert message in complaint(capsys)
    assert not Path("out").exists()
