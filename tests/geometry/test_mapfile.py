"""Maps on file: they come back as they were, and what is damaged is refused."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from glrender.errors import InputError
from glrender.geometry.heightmap import HeightMap
from glrender.geometry.mapfile import SHAPES

HEIGHTS = np.array([[0.125, 1.5, np.nan], [2.25, -3.0, 4.0]])
SIGMA = np.array([[0.5, 0.25, np.nan], [1.0, 0.125, 2.0]])


def make_map(channels: int | None = 3) -> HeightMap:
    pose = np.eye(4)
    pose[:3, :3] = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    pose[:3, 3] = 500000.123456, 4000000.654321, 100
    colors = None if channels is None else np.arange(6.0 * channels).reshape(2, 3, channels) / 32
    return HeightMap(HEIGHTS, 0.01, (1.25, -2.5), colors, pose, SIGMA)


def test_a_map_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    before = make_map()
    before.save(tmp_path / "map.npz")
    after = HeightMap.load(tmp_path / "map.npz")
    np.testing.assert_array_equal(after.heights, before.heights)
    np.testing.assert_array_equal(after.sigma, before.sigma)
    np.testing.assert_array_equal(after.colors, before.colors)
    np.testing.assert_array_equal(after.pose, before.pose)  # in float64: it may be far from the origin
    assert (after.spacing, after.origin) == (before.spacing, before.origin)
    assert [path.name for path in tmp_path.iterdir()] == ["map.npz"]


def test_the_file_has_the_documented_keys_types_and_shapes(tmp_path: Path) -> None:
    make_map(1).save(tmp_path / "map.npz")
    with np.load(tmp_path / "map.npz") as data:
        arrays = dict(data)
    assert set(arrays) == set(SHAPES)
    assert arrays["height"].dtype == arrays["sigma"].dtype == arrays["color"].dtype == np.float32
    assert arrays["origin"].dtype == arrays["spacing"].dtype == arrays["T_world_map"].dtype == np.float64
    assert arrays["color"].shape == (2, 3, 3)
    assert arrays["spacing"].shape == ()
    np.testing.assert_array_equal(arrays["color"][..., 0], arrays["color"][..., 2])  # grey, three times


def test_what_heights_do_not_share_comes_back_where_it_is_known(tmp_path: Path) -> None:
    replace(make_map(), local_sigma=SIGMA / 4).save(tmp_path / "map.npz")
    np.testing.assert_array_equal(HeightMap.load(tmp_path / "map.npz").local_sigma, SIGMA / 4)
    make_map().save(tmp_path / "map.npz")
    assert HeightMap.load(tmp_path / "map.npz").local_sigma is None


def test_what_a_map_lacks_has_its_neutral_value(tmp_path: Path) -> None:
    HeightMap(HEIGHTS, 1.0).save(tmp_path / "map.npz")
    after = HeightMap.load(tmp_path / "map.npz")
    assert after.colors is None
    np.testing.assert_array_equal(after.pose, np.eye(4))
    np.testing.assert_array_equal(after.sigma, np.where(np.isnan(HEIGHTS), np.nan, 0))


def test_saving_replaces_the_file(tmp_path: Path) -> None:
    make_map().save(tmp_path / "map.npz")
    HeightMap(HEIGHTS + 1, 1.0).save(tmp_path / "map.npz")
    np.testing.assert_array_equal(HeightMap.load(tmp_path / "map.npz").heights, HEIGHTS + 1)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        make_map().save(tmp_path / "missing" / "map.npz")
    with pytest.raises(InputError, match="no such file"):
        HeightMap.load(tmp_path / "missing.npz")


def test_a_failed_save_leaves_the_old_map(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_map().save(tmp_path / "map.npz")

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(InputError, match="No space left on device"):
        HeightMap(HEIGHTS + 1, 1.0).save(tmp_path / "map.npz")
    np.testing.assert_array_equal(HeightMap.load(tmp_path / "map.npz").heights, HEIGHTS)
    assert [path.name for path in tmp_path.iterdir()] == ["map.npz"]


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "map.npz", height=HEIGHTS, sigma=SIGMA)
    with pytest.raises(InputError, match="no key color, origin, spacing, T_world_map; a map has height"):
        HeightMap.load(tmp_path / "map.npz")


@pytest.mark.parametrize("key", SHAPES)
def test_an_array_of_another_shape_is_named_with_its_file(tmp_path: Path, key: str) -> None:
    path = tmp_path / "map.npz"
    make_map().save(path)
    with np.load(path) as data:
        arrays = dict(data)
    for wrong in (np.zeros((2, 2, 2, 2)), np.array("text")):
        np.savez(path, **(arrays | {key: wrong}))
        with pytest.raises(InputError, match=rf"map\.npz: {key}: "):
            HeightMap.load(path)


def test_a_folder_is_no_map_and_what_may_be_meant_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is a folder; expected a map\.npz, such as .*/map\.npz"):
        HeightMap.load(tmp_path)


def test_a_damaged_file_is_refused_whatever_is_broken(tmp_path: Path) -> None:
    """Cut off, with flipped bits, another format: never another exception, never another map."""
    path = tmp_path / "map.npz"
    make_map().save(path)
    good, rng = path.read_bytes(), np.random.default_rng(0)
    for trial in range(200):
        damaged = bytearray(good)
        damaged[rng.integers(len(damaged))] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged[: rng.integers(len(damaged))] if trial % 4 == 0 else damaged)
        with suppress(InputError):
            np.testing.assert_array_equal(HeightMap.load(path).heights, HEIGHTS)  # a bit that says nothing
    with open(path, "wb") as file:
        np.save(file, HEIGHTS)
    with pytest.raises(InputError, match="not a readable map"):
        HeightMap.load(path)
    path.write_text("no map")
    with pytest.raises(InputError, match=r"not a readable map\.npz: it is no \.npz archive$"):
        HeightMap.load(path)
