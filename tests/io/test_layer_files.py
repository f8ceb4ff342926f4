"""Terrain layers on file: each format read back by whoever else reads it, where the world has them."""

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import rasterio
import yaml
from rosbags.highlevel import AnyReader

from glrender.errors import InputError, UsageError
from glrender.geometry.heightmap import HeightMap
from glrender.geometry.terrain_layers import UNITS, Robot, TerrainLayers, terrain_layers
from glrender.io.geotiff import write_geotiff
from glrender.io.grid_map_bag import DEFINITIONS, TOPIC, grid_map_types, write_ros1_bag, write_ros2_bag
from glrender.io.images import read_color
from glrender.io.layers_npz import write_layers_npz
from glrender.io.layers_picture import FREE_COLOR, OBSTACLE_COLOR, write_layers_picture
from glrender.io.layers_png import FILES, write_layer_images

UTM = (500_000.5, 4_100_000.25)
"""Where cell (0, 0) lies: float32 would be a quarter of a metre off."""

SPACING = 0.05
WRITERS = {
    "npz": write_layers_npz,
    "tif": write_geotiff,
    "bag": write_ros1_bag,
    "ros2": write_ros2_bag,
}


@pytest.fixture(scope="module")
def layers() -> TerrainLayers:
    """A floor with a wall in the north, unseen in a corner, far from the origin."""
    heights = np.random.default_rng(0).normal(scale=0.002, size=(31, 45)) + 100
    heights[20:] += 0.5
    heights[:6, :8] = np.nan
    sigma = np.where(np.isnan(heights), np.nan, 0.002)
    pose = np.eye(4)
    pose[:3, 3] = *UTM, 0
    return terrain_layers(HeightMap(heights, SPACING, T_world_map=pose, sigma=sigma), Robot(0.05, 20, 0.2, 0.2))


def place(i: int, j: int) -> tuple[float, float]:
    """The world's x and y of cell (i, j)."""
    return UTM[0] + j * SPACING, UTM[1] + i * SPACING


CELLS = [(0, 0), (7, 3), (19, 44), (20, 10), (30, 44)]


def test_a_geotiff_has_each_layer_at_its_place(tmp_path: Path, layers: TerrainLayers) -> None:
    write_geotiff(tmp_path / "layers.tif", layers, "EPSG:32632")
    with rasterio.open(tmp_path / "layers.tif") as raster:
        assert raster.crs.to_epsg() == 32632
        assert raster.descriptions == tuple(UNITS)
        assert raster.units == tuple(UNITS.values())
        assert set(raster.dtypes) == {"float32"}
        assert np.isnan(raster.nodata)
        assert raster.transform.e == -SPACING  # north on top
        for i, j in CELLS:
            x, y = place(i, j)
            assert raster.xy(*raster.index(x, y)) == pytest.approx((x, y), abs=1e-6, rel=0)
            (sample,) = raster.sample([(x, y)])
            expected = [values[i, j] for values in layers.layers.values()]
            np.testing.assert_allclose(sample, expected, rtol=1e-6)


def test_a_geotiff_needs_no_reference_system(tmp_path: Path, layers: TerrainLayers) -> None:
    write_geotiff(tmp_path / "layers.tif", layers)
    with rasterio.open(tmp_path / "layers.tif") as raster:
        assert raster.crs is None
        assert raster.transform.c == UTM[0] - SPACING / 2


@pytest.mark.parametrize(
    ("crs", "message"),
    [
        ("EPSG:4326", "coordinates are in degrees"),
        ("EPSG:2225", "coordinates are in US survey foot"),
        ("EPSG:999999", "expected a reference system such as EPSG:32632"),
        ("somewhere", "received 'somewhere', expected a reference system"),
        ("EPSG:here", "received 'EPSG:here', expected a reference system"),
        ("", "received '', expected a reference system"),
    ],
)
def test_a_reference_system_that_is_none_in_metres(
    tmp_path: Path, layers: TerrainLayers, crs: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        write_geotiff(tmp_path / "layers.tif", layers, crs)
    assert list(tmp_path.iterdir()) == []


def test_a_grid_map_has_each_layer_at_its_place(tmp_path: Path, layers: TerrainLayers) -> None:
    """By grid_map's own convention: index (r, c) is at the middle + half the length - (index + 1/2) resolution."""
    for version, write, name in ((1, write_ros1_bag, "layers.bag"), (2, write_ros2_bag, "layers")):
        write(tmp_path / name, layers)
        message = only_message(tmp_path / name, version)
        info = message.info
        header = info.header if version == 1 else message.header
        assert (header.frame_id, header.stamp.sec) == ("map", 0)
        assert message.layers == list(UNITS)
        assert message.basic_layers == ["elevation"]
        assert (message.outer_start_index, message.inner_start_index) == (0, 0)
        assert (info.pose.orientation.w, info.pose.position.z) == (1, 0)
        for layer, array in zip(message.layers, message.data, strict=True):
            outer, inner = array.layout.dim
            assert (outer.label, inner.label) == ("column_index", "row_index")
            assert (outer.stride, inner.stride) == (outer.size * inner.size, inner.size)
            matrix = array.data.reshape((inner.size, outer.size), order="F")
            assert matrix.shape == pytest.approx((info.length_x / info.resolution, info.length_y / info.resolution))
            for i, j in CELLS:
                x, y = place(i, j)
                r = (info.pose.position.x + info.length_x / 2 - x) / info.resolution - 0.5
                c = (info.pose.position.y + info.length_y / 2 - y) / info.resolution - 0.5
                assert (r, c) == pytest.approx((round(r), round(c)), abs=1e-6)
                np.testing.assert_allclose(matrix[round(r), round(c)], layers.layers[layer][i, j], rtol=1e-6)


def only_message(path: Path, version: int) -> Any:
    """Read by the definitions that the bag itself carries."""
    with AnyReader([path]) as reader:
        ((connection, time, data),) = reader.messages()
        assert (connection.topic, connection.msgtype, time) == (TOPIC, "grid_map_msgs/msg/GridMap", 0)
        if version == 1:
            assert connection.ext.latching == 1
        else:
            assert connection.ext.offered_qos_profiles[0].durability.name == "TRANSIENT_LOCAL"
        return reader.deserialize(data, connection.msgtype)


def test_the_message_is_the_one_that_ros_knows() -> None:
    """ROS 1 compares types by this checksum of grid_map_msgs/GridMap."""
    store = grid_map_types(1, Path("layers.bag"))
    assert store.generate_msgdef("grid_map_msgs/msg/GridMap")[1] == "95681e052b1f73bf87b7eb984382b401"
    assert set(DEFINITIONS) == {1, 2}


def test_images_with_what_their_greys_mean(tmp_path: Path, layers: TerrainLayers) -> None:
    write_layer_images(tmp_path, layers)
    assert {path.name for path in tmp_path.iterdir()} == set(FILES)
    content = yaml.safe_load((tmp_path / "layers.yaml").read_text())
    assert content["origin"] == pytest.approx([UTM[0] - SPACING / 2, UTM[1] - SPACING / 2, 0], abs=1e-9, rel=0)
    for name, entry in content["layers"].items():
        counts = cv2.imread(str(tmp_path / entry["image"]), cv2.IMREAD_UNCHANGED)
        assert counts.dtype == np.uint16
        values = np.where(counts == 0, np.nan, entry["offset"] + entry["scale"] * counts)[::-1]
        np.testing.assert_allclose(values, layers.layers[name], atol=0.51 * entry["scale"] + 1e-12)
        assert entry["unit"] == UNITS[name]


def test_an_occupancy_image_as_map_servers_read_it(tmp_path: Path, layers: TerrainLayers) -> None:
    write_layer_images(tmp_path, layers)
    content = yaml.safe_load((tmp_path / "occupancy.yaml").read_text())
    greys = cv2.imread(str(tmp_path / content["image"]), cv2.IMREAD_UNCHANGED)[::-1]
    occupied = (255 - greys / 1.0) / 255  # negate 0: dark is occupied
    assert content["negate"] == 0
    np.testing.assert_array_equal(occupied > content["occupied_thresh"], layers.occupancy == 1)
    np.testing.assert_array_equal(occupied < content["free_thresh"], layers.occupancy == 0)
    assert content["resolution"] == SPACING
    assert {0.0, 1.0} < set(np.unique(layers.occupancy))


def test_an_npz_that_numpy_reads(tmp_path: Path, layers: TerrainLayers) -> None:
    write_layers_npz(tmp_path / "layers.npz", layers, "EPSG:32632")
    with np.load(tmp_path / "layers.npz") as data:
        for name, values in layers.layers.items():
            np.testing.assert_allclose(data[name], values, rtol=1e-6)
            assert data[name].dtype == np.float32
        np.testing.assert_array_equal(data["origin"], UTM)
        assert (data["spacing"], data["max_step"], data["wheel_diameter"]) == (SPACING, 0.05, 0.2)
        assert str(data["crs"]) == "EPSG:32632"


def test_a_picture_with_north_on_top(tmp_path: Path, layers: TerrainLayers) -> None:
    """The floor is green, the wall's foot red above it."""
    write_layers_picture(tmp_path / "layers.png", layers, "a wall in the north")
    left = read_color(tmp_path / "layers.png")[:, :800].astype(float) / 255
    red = np.abs(left / left.max(axis=-1, keepdims=True) - np.array(OBSTACLE_COLOR) / max(OBSTACLE_COLOR)).max(axis=-1)
    green = np.abs(left - FREE_COLOR).max(axis=-1)
    assert (green < 0.1).mean() > 0.1
    assert (red < 0.1).mean() > 0.01
    assert np.nonzero(red < 0.1)[0].mean() < np.nonzero(green < 0.1)[0].mean()


@pytest.mark.parametrize("shape", [(6, 300), (200, 9), (30, 30)], ids=str)
def test_a_picture_of_any_shape_and_of_unknown_ground(
    tmp_path: Path, shape: tuple[int, int], recwarn: pytest.WarningsRecorder
) -> None:
    noise = np.random.default_rng(0).normal(size=shape)
    layers = terrain_layers(HeightMap(noise, SPACING, UTM, sigma=np.full(shape, 1.0)))
    write_layers_picture(tmp_path / "layers.png", layers, "noise")
    assert read_color(tmp_path / "layers.png").std() > 5
    assert [str(w.message) for w in recwarn] == []


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_is_replaced_whole_or_not_at_all(
    tmp_path: Path, layers: TerrainLayers, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / name
    WRITERS[name](path, layers)
    WRITERS[name](path, layers)
    assert list(tmp_path.iterdir()) == [path]
    before = contents(path)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match="No space left on device"):
        WRITERS[name](path, layers)
    assert contents(path) == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", WRITERS)
def test_a_path_may_be_text(tmp_path: Path, layers: TerrainLayers, name: str) -> None:
    for kind in (str, Path):
        (tmp_path / kind.__name__).mkdir()
        WRITERS[name](kind(tmp_path / kind.__name__ / name), layers)
    sizes = [len(each) for each in contents(tmp_path / "str" / name)]
    assert sizes
    assert min(sizes) > 0
    assert sizes == [len(each) for each in contents(tmp_path / "Path" / name)]


def test_a_folder_of_images_may_be_text(tmp_path: Path, layers: TerrainLayers) -> None:
    write_layer_images(str(tmp_path), layers)
    assert {path.name for path in tmp_path.iterdir()} == set(FILES)


@pytest.mark.parametrize("write", [*WRITERS.values(), write_layer_images, partial(write_layers_picture, title="")])
def test_a_map_has_no_layers(tmp_path: Path, layers: TerrainLayers, write: Callable[[Path, Any], None]) -> None:
    with pytest.raises(InputError, match="layers: received HeightMap, expected TerrainLayers"):
        write(tmp_path / "map", layers.surface)
    assert list(tmp_path.iterdir()) == []


def contents(path: Path) -> list[bytes]:
    return [file.read_bytes() for file in sorted([path] if path.is_file() else path.iterdir())]


@pytest.mark.parametrize("name", WRITERS)
def test_a_folder_that_is_not_there_is_named(tmp_path: Path, layers: TerrainLayers, name: str) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        WRITERS[name](tmp_path / "missing" / name, layers)


def test_a_folder_that_is_no_bag_is_left_alone(tmp_path: Path, layers: TerrainLayers) -> None:
    (tmp_path / "bag").mkdir()
    (tmp_path / "bag" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="a folder that is no bag is in the way"):
        write_ros2_bag(tmp_path / "bag", layers)
    assert (tmp_path / "bag" / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [("tif", "rasterio", "dem"), ("bag", "rosbags.rosbag1", "bags"), ("ros2", "rosbags.rosbag2", "bags")],
)
def test_what_is_not_installed_is_named_with_its_extra(
    tmp_path: Path, layers: TerrainLayers, monkeypatch: pytest.MonkeyPatch, name: str, module: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    package = module.split(".")[0]
    message = rf"{name}: needs {package}, which is not installed; pip install 'glrender\[{extra}\]'"
    with pytest.raises(InputError, match=message):
        WRITERS[name](tmp_path / name, layers)
    assert list(tmp_path.iterdir()) == []
