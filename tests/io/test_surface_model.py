"""Surface models of others, to judge maps by: where a raster's heights lie, and which rasters are refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from glrender.errors import InputError, UsageError
from glrender.geometry.heightmap import HeightMap
from glrender.geometry.sampling import sample_heights
from glrender.io.surface_model import read_surface

EAST, NORTH = 412_000.13, 5_812_000.42
"""Of the centre of the raster's south-western pixel: float32 would be off by a quarter of a metre."""
SIDE = 0.25


def plane(x: Any, y: Any) -> Any:
    return 80 + 0.1 * (x - EAST) + 0.03 * (y - NORTH)


def write_raster(path: Path, **changes: Any) -> Path:
    """A plane of 60 x 80 pixels with a hole at (10, 20) from the south-west."""
    x, y = EAST + SIDE * np.arange(80), NORTH + SIDE * np.arange(60)
    heights = plane(x, y[:, None]).astype(np.float32)
    heights[10, 20] = -9999
    profile: dict[str, Any] = {
        "transform": rasterio.Affine(SIDE, 0, EAST - SIDE / 2, 0, -SIDE, NORTH + 59.5 * SIDE),
        "crs": "EPSG:32632",
    } | changes
    with rasterio.open(
        path, "w", driver="GTiff", width=80, height=60, count=1, dtype="float32", nodata=-9999, **profile
    ) as raster:
        raster.write(heights[::-1], 1)
    return path


def map_at(x: float, y: float) -> HeightMap:
    """A map of 4 m x 3 m that is placed there, and begins a metre beside its frame's origin."""
    pose = np.eye(4)
    pose[:2, 3] = EAST + x - 1, NORTH + y
    return HeightMap(np.zeros((31, 41)), 0.1, (1.0, 0.0), T_world_map=pose)


def test_a_rasters_heights_lie_where_its_pixels_are(tmp_path: Path) -> None:
    surface = read_surface(write_raster(tmp_path / "dsm.tif"), map_at(3.0, 2.0), "EPSG:32632")
    places = np.array([[EAST + 3.01, NORTH + 2.02], [EAST + 6.9, NORTH + 4.9]])
    local = places - surface.pose[:2, 3]
    np.testing.assert_allclose(sample_heights(surface, *local.T), plane(*places.T), rtol=0, atol=1e-4)
    hole = np.array([EAST + 20 * SIDE, NORTH + 10 * SIDE]) - surface.pose[:2, 3]
    assert np.isnan(sample_heights(surface, *hole))
    # What lies beyond the map is not read: a model of a whole county may be judged by.
    assert surface.shape[0] <= 3.0 / SIDE + 3
    assert surface.shape[1] <= 4.0 / SIDE + 3


def test_at_the_rasters_border_what_there_is(tmp_path: Path) -> None:
    surface = read_surface(write_raster(tmp_path / "dsm.tif"), map_at(-3.0, -1.5))
    assert surface.pose[:2, 3] == pytest.approx((EAST, NORTH), abs=1e-6)
    assert surface.heights[0, 0] == pytest.approx(80, abs=1e-4)


def test_a_map_stays_a_map(tmp_path: Path) -> None:
    map_at(0, 0).save(tmp_path / "truth.npz")
    assert read_surface(tmp_path / "truth.npz", map_at(500, 0)).shape == (31, 41)


@pytest.mark.parametrize(
    ("changes", "crs", "error", "message"),
    [
        ({"crs": "EPSG:25832"}, "EPSG:32632", InputError, "is in EPSG:25832, and the map in EPSG:32632"),
        ({"crs": "EPSG:4326"}, None, UsageError, "coordinates are in degrees"),
        ({}, "EPSG:here", UsageError, "received 'EPSG:here', expected a reference system"),
        ({"transform": rasterio.Affine(0.25, 0, EAST, 0, -0.5, NORTH)}, None, InputError, "0.25 x 0.5 m"),
        ({"transform": rasterio.Affine(0.25, 0.01, EAST, 0, -0.25, NORTH)}, None, InputError, "north on top"),
        ({"transform": rasterio.Affine(0.25, 0, 0, 0, -0.25, 0)}, None, InputError, "they share no place"),
    ],
)
def test_rasters_that_say_nothing_about_the_map(
    tmp_path: Path, changes: Any, crs: str | None, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        read_surface(write_raster(tmp_path / "dsm.tif", **changes), map_at(3, 2), crs)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "dsm.tif").write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match=r"dsm\.tif: not a readable surface model"):
        read_surface(tmp_path / "dsm.tif", map_at(0, 0))
    with pytest.raises(InputError, match=r"none\.tif: no such file"):
        read_surface(tmp_path / "none.tif", map_at(0, 0))
