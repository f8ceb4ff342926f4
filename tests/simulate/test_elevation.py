"""Elevations come from files of every kind the right way up, and what is no elevation is refused by name."""

import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from glrender.errors import InputError, UsageError
from glrender.geometry.heightmap import HeightMap
from glrender.simulate.elevation import read_elevation

# Rows from south to north, so that the north-west corner is the last row's first.
HEIGHTS = np.array([[1.0, 2, 3], [4, 5, 6], [7, 8, 9], [10, 11, 13]])


def test_builtin_is_the_fault_with_north_up() -> None:
    elevation = read_elevation("builtin")
    assert elevation.heights.shape == (344, 403)
    assert np.ptp(elevation.heights) == 840
    # The Cumberland Plateau lies north-west of the fault and above it.
    assert elevation.heights[172:, :200].mean() > elevation.heights[:172, 200:].mean()
    # A degree of longitude is shorter than one of latitude: cos 36.6°.
    assert elevation.step[0] / elevation.step[1] == pytest.approx(0.803, abs=1e-3)


def test_arrays(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", HEIGHTS.astype(np.int16))
    np.savez(tmp_path / "one.npz", anything=HEIGHTS, scale=3.0)
    np.savez(tmp_path / "named.npz", elevation=HEIGHTS, other=HEIGHTS + 1)
    for name in ("a.npy", "one.npz", "named.npz"):
        elevation = read_elevation(tmp_path / name)
        np.testing.assert_array_equal(elevation.heights, HEIGHTS)
        assert elevation.map is None


def test_a_map_comes_with_its_metres_and_colours(tmp_path: Path) -> None:
    HeightMap(HEIGHTS, 0.5, (3.0, 4.0), colors=np.full((4, 3, 3), 0.25)).save(tmp_path / "map.npz")
    elevation = read_elevation(tmp_path / "map.npz")
    assert elevation.step == (0.5, 0.5)
    assert elevation.map is not None
    assert elevation.map.origin == (3.0, 4.0)
    assert elevation.map.colors is not None


def test_png_of_16_bits_has_north_on_top(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), HEIGHTS[::-1].astype(np.uint16))
    np.testing.assert_array_equal(read_elevation(tmp_path / "a.png").heights, HEIGHTS)


@pytest.mark.parametrize("image", [np.zeros((4, 5), np.uint8), np.zeros((4, 5, 3), np.uint16)])
def test_other_pngs_are_refused(tmp_path: Path, image: np.ndarray) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), image)
    with pytest.raises(InputError, match=r"a\.png: received .* expected a grey image of 16 bits"):
        read_elevation(tmp_path / "a.png")


def test_geotiff(tmp_path: Path) -> None:
    rasterio = pytest.importorskip("rasterio", reason="rasterio, an extra, is not installed")
    north_up = HEIGHTS[::-1].copy()
    north_up[0, 0] = -9999
    profile = {"driver": "GTiff", "height": 4, "width": 3, "count": 1, "dtype": "float32", "nodata": -9999}
    place = {"transform": rasterio.transform.from_origin(-84, 60.004, 0.001, 0.001), "crs": "EPSG:4326"}
    for name, extra in (("geo.tif", place), ("plain.tif", {})):
        with rasterio.open(tmp_path / name, "w", **profile, **extra) as raster:
            raster.write(north_up.astype(np.float32), 1)
        elevation = read_elevation(tmp_path / name)
        expected = HEIGHTS.copy()
        expected[3, 0] = np.nan
        np.testing.assert_array_equal(elevation.heights, expected)
    assert elevation.step == (1.0, 1.0)
    # At 60 degrees north a degree of longitude is half as long as one of latitude.
    assert read_elevation(tmp_path / "geo.tif").step[0] == pytest.approx(0.0005, rel=1e-3)
    (tmp_path / "broken.tif").write_bytes(b"II*\0 nothing")
    with pytest.raises(InputError, match=r"broken\.tif: not a readable elevation raster"):
        read_elevation(tmp_path / "broken.tif")


@pytest.mark.parametrize(
    ("changes", "unit", "metric"),
    [
        ({}, "", True),
        ({}, "m", True),
        ({}, "ft", False),
        ({"crs": "EPSG:2263"}, "", False),  # feet
        ({"crs": "EPSG:4326"}, "", False),  # degrees
        ({"crs": None}, "", False),  # which may be either
        ({"side": (0.5, 0.4)}, "", False),
    ],
    ids=["named nothing", "named metres", "heights in feet", "feet", "degrees", "no system", "not square"],
)
def test_a_raster_in_metres_has_a_size_and_a_place(
    tmp_path: Path, changes: dict[str, Any], unit: str, metric: bool
) -> None:
    rasterio = pytest.importorskip("rasterio", reason="rasterio, an extra, is not installed")
    across, down = changes.pop("side", (0.5, 0.5))
    place = {"crs": "EPSG:32632", "transform": rasterio.Affine(across, 0, 500_000, 0, -down, 5_000_000)} | changes
    with rasterio.open(
        tmp_path / "a.tif", "w", driver="GTiff", height=4, width=3, count=1, dtype="float32", **place
    ) as raster:
        raster.write(HEIGHTS[::-1].astype(np.float32), 1)
        raster.set_band_unit(1, unit)
    elevation = read_elevation(tmp_path / "a.tif")
    np.testing.assert_array_equal(elevation.heights, HEIGHTS)
    assert (elevation.map is not None) == metric
    if elevation.map is not None:
        np.testing.assert_array_equal(elevation.map.heights, HEIGHTS)
        assert elevation.map.spacing == 0.5
        # A vertex is a pixel's centre, the first that of the south-western one.
        np.testing.assert_array_equal(elevation.map.pose[:3, 3], (500_000.25, 5_000_000 - 3.5 * 0.5, 0))
    elif "crs" not in changes:
        assert elevation.step == (across, down)


def test_geotiff_without_rasterio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.tif").write_bytes(b"II*\0")
    monkeypatch.setitem(sys.modules, "rasterio", None)
    with pytest.raises(InputError, match=r"a\.tif: needs rasterio.*glrender\[dem\]"):
        read_elevation(tmp_path / "a.tif")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.npy: no such file"):
        read_elevation(tmp_path / "nowhere.npy")
    with pytest.raises(UsageError, match=r"'hills\.jpg', expected 'builtin' or a file that ends in \.npz"):
        read_elevation("hills.jpg")
    for kind in ("npz", "npy", "png"):
        for content in (b"", b"nonsense"):
            (tmp_path / f"bad.{kind}").write_bytes(content)
            with pytest.raises(InputError, match=rf"bad\.{kind}: not a readable"):
                read_elevation(tmp_path / f"bad.{kind}")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.full((5, 5), np.nan), "every height is NaN"),
        (np.ones((1, 9)), "at least 2 rows and 2 columns"),
        (np.ones(9), "expected \\(any, any\\)"),
        (np.ones((4, 4, 3)), "expected \\(any, any\\)"),
        (np.array([[0, np.inf], [0, 0]]), "infinite heights"),
        (np.array([["a", "b"], ["c", "d"]]), "expected numbers"),
        (np.array([[{}, {}], [{}, {}]], dtype=object), "not a readable"),
    ],
)
def test_arrays_that_are_no_elevation(tmp_path: Path, array: np.ndarray, message: str) -> None:
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(InputError, match=rf"a\.npy: .*{message}"):
        read_elevation(tmp_path / "a.npy")


def test_npz_that_leaves_a_choice_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", first=HEIGHTS, second=HEIGHTS)
    with pytest.raises(InputError, match=r"a\.npz: has the arrays first, second; expected the keys of a map"):
        read_elevation(tmp_path / "a.npz")
