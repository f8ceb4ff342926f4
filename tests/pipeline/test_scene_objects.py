"""Scenes of job files: where objects come from, how they are placed and coloured, and what is refused."""

from pathlib import Path

import cv2
import fsspec
import numpy as np
import pytest
import rasterio

from glrender.errors import InputError, UsageError
from glrender.geometry.heightmap import HeightMap
from glrender.io.color import srgb_to_linear
from glrender.pipeline.scene import HeightMapObject, Scene, file_digest, open_scene

T_WORLD_MAP = np.array([[0.0, -1, 0, 5], [1, 0, 0, 6], [0, 0, 1, 7], [0, 0, 0, 1]])


@pytest.fixture
def surface() -> HeightMap:
    rng = np.random.default_rng(1)
    heights = rng.uniform(0, 0.2, (5, 7)).astype(np.float32)
    heights[0, 0] = np.nan
    colors = rng.uniform(0, 1, (5, 7, 3)).astype(np.float32)
    return HeightMap(heights, 0.1, (1.0, 2.0), colors, T_WORLD_MAP)


def write_job(folder: Path, keys: str) -> Path:
    path = folder / "job.toml"
    path.write_text(f'[[scene]]\ntype = "heightmap"\n{keys}')
    return path


def test_a_map_comes_as_it_is(tmp_path: Path, surface: HeightMap) -> None:
    surface.save(tmp_path / "map.npz")
    for source in (tmp_path / "map.npz", write_job(tmp_path, 'source = "map.npz"')):
        (found,) = open_scene(source).objects
        assert found.name == "map"
        np.testing.assert_array_equal(found.surface.heights, surface.heights)
        np.testing.assert_array_equal(found.surface.colors, surface.colors)
        np.testing.assert_array_equal(found.surface.pose, T_WORLD_MAP)


def test_pose_and_colour_are_those_of_the_job(tmp_path: Path, surface: HeightMap) -> None:
    surface.save(tmp_path / "map.npz")
    keys = 'source = "map.npz"\nname = "ground"\ncolor = [1, 0.5, 0]\n'
    (found,) = open_scene(write_job(tmp_path, f"{keys}T_world_map = {np.eye(4).tolist()}")).objects
    assert found.name == "ground"
    np.testing.assert_array_equal(found.surface.pose, np.eye(4))
    assert found.surface.colors is not None
    np.testing.assert_allclose(found.surface.colors, np.broadcast_to(srgb_to_linear([1, 0.5, 0]), (5, 7, 3)))


def test_a_texture_lies_with_its_top_in_the_north(tmp_path: Path, surface: HeightMap) -> None:
    surface.save(tmp_path / "map.npz")
    image = np.zeros((5, 7, 3), np.uint8)
    image[0] = 255
    cv2.imwrite(str(tmp_path / "top.png"), image)
    (found,) = open_scene(write_job(tmp_path, 'source = "map.npz"\ntexture = "top.png"')).objects
    assert found.surface.colors is not None
    assert found.surface.colors[-1].min() == 1
    assert found.surface.colors[0].max() == 0


def test_elevations_get_a_size(tmp_path: Path) -> None:
    np.save(tmp_path / "dem.npy", np.random.default_rng(0).uniform(100, 900, (30, 40)))
    keys = 'source = "dem.npy"\nsize = [4, 3]\nrelief = 0.5\nspacing = 0.1\norigin = [10, 20]'
    (found,) = open_scene(write_job(tmp_path, keys)).objects
    assert found.surface.shape == (31, 41)
    low, high = found.bounds()
    np.testing.assert_allclose((low, high), ((10, 20, 0), (14, 23, 0.5)), atol=1e-6)


def write_raster(path: Path) -> None:
    """10 x 8 pixels of 2 m far from the origin, ground between 100 and 179 m."""
    profile = {"driver": "GTiff", "width": 10, "height": 8, "count": 1, "dtype": "float32", "crs": "EPSG:32632"}
    with rasterio.open(path, "w", **profile, transform=rasterio.Affine(2, 0, 500_000, 0, -2, 5_000_000)) as raster:
        raster.write(100 + np.arange(80, dtype=np.float32).reshape(8, 10), 1)


def test_a_raster_in_metres_lies_where_it_says_unless_it_is_given_a_size(tmp_path: Path) -> None:
    write_raster(tmp_path / "dem.tif")
    (found,) = open_scene(tmp_path / "dem.tif").objects
    assert (found.surface.shape, found.surface.spacing, found.note) == ((8, 10), 2, "")
    expected = (500_001, 5_000_000 - 15, 100), (500_019, 5_000_000 - 1, 179)
    np.testing.assert_allclose(found.bounds(), expected, rtol=0, atol=1e-6)
    (coarse,) = open_scene(tmp_path / "dem.tif", 4.5).objects
    assert (coarse.surface.shape, coarse.surface.spacing) == ((4, 5), 4.5)
    np.testing.assert_allclose(coarse.bounds()[0, :2], expected[0][:2])
    (model,) = open_scene(write_job(tmp_path, 'source = "dem.tif"\nsize = [1.8, 1.4]\nspacing = 0.2')).objects
    np.testing.assert_allclose(model.bounds(), ((-0.8, -0.6, 0), (1.0, 0.8, 0.175)), atol=1e-6)


def test_a_file_without_a_size_is_said_to_have_been_given_one(tmp_path: Path) -> None:
    np.save(tmp_path / "dem.npy", np.random.default_rng(0).uniform(100, 900, (30, 40)))
    (found,) = open_scene(tmp_path / "dem.npy").objects
    assert "2 x 2 m" in found.note
    np.testing.assert_allclose(np.ptp(found.bounds(), axis=0), (2, 2, 0.25), atol=1e-6)
    (sized,) = open_scene(write_job(tmp_path, 'source = "dem.npy"\nsize = [4, 3]')).objects
    assert sized.note == ""
    with pytest.raises(UsageError, match="spacing: received 0.1 for .*job.toml, a job, whose scene says it"):
        open_scene(tmp_path / "job.toml", 0.1)


def test_the_bounds_are_those_of_all_objects_in_the_world(surface: HeightMap) -> None:
    other = HeightMap(np.full((2, 2), -3.0), 1.0, (20.0, 20.0))
    low, high = Scene.of([surface, other]).bounds()
    # 90° about z: the map's x (1 to 1.6) becomes y, its y (2 to 2.4) becomes -x.
    np.testing.assert_allclose(low, (2.6, 7, -3), atol=1e-9)
    np.testing.assert_allclose(high[:2], (21, 21), atol=1e-9)


def test_sources_may_be_urls(surface: HeightMap, tmp_path: Path) -> None:
    surface.save(tmp_path / "map.npz")
    with fsspec.open("memory://scenes/map.npz", "wb") as file:
        file.write((tmp_path / "map.npz").read_bytes())
    (found,) = open_scene("memory://scenes/map.npz").objects
    np.testing.assert_array_equal(found.surface.heights, surface.heights)
    assert file_digest("memory://scenes/map.npz") == file_digest(str(tmp_path / "map.npz"))
    with pytest.raises(InputError, match="memory://scenes/other.npz: cannot be fetched"):
        open_scene("memory://scenes/other.npz")
    with pytest.raises(InputError, match="nowhere://x.npz: cannot be fetched: Protocol not known"):
        open_scene("nowhere://x.npz")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ('source = "none.npz"', "none.npz: no such file"),
        ('source = "map.npz"\ncolour = [1, 1, 1]', "unknown key 'colour'; did you mean 'color'?"),
        ('source = "map.npz"\ncolor = [1, 1, 1]\ntexture = "a.png"', "received both, expected one of them"),
        ('source = "map.npz"\ntexture = "a.png"', "a.png: no such file"),
        (
            'source = "map.npz"\nT_world_map = [[2, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]',
            "expected a rigid",
        ),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, surface: HeightMap, keys: str, message: str) -> None:
    surface.save(tmp_path / "map.npz")
    with pytest.raises(InputError) as caught:
        open_scene(write_job(tmp_path, keys))
    assert message in str(caught.value)


def test_other_types_and_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "job.toml"
    path.write_text('[[scene]]\ntype = "mesh"\nsource = "a.obj"')
    with pytest.raises(InputError, match="type: received 'mesh'; expected one of heightmap"):
        open_scene(path)
    path.write_text("[camera]\nwidth = 3")
    with pytest.raises(InputError, match="no key 'scene'"):
        open_scene(path)
    with pytest.raises(UsageError, match="expected 'builtin' or a file that ends in"):
        open_scene(tmp_path / "a.obj")
    with pytest.raises(InputError, match="every height is NaN"):
        Scene.of(HeightMap(np.full((2, 2), np.nan), 1.0)).bounds()
    with pytest.raises(InputError, match="nothing to draw"):
        Scene.of([])
    assert HeightMapObject("a.npz").beside(tmp_path).source == str(tmp_path / "a.npz")
