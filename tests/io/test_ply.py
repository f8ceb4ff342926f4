"""Maps as meshes."""

import numpy as np
import pytest
import trimesh

from glrender.errors import InputError
from glrender.geometry import se3
from glrender.geometry.heightmap import HeightMap
from glrender.io.color import linear_to_bytes
from glrender.io.ply import write_ply


@pytest.fixture
def surface():
    rng = np.random.default_rng(0)
    heights = rng.normal(size=(4, 5))
    heights[1, 2] = np.nan
    return HeightMap(
        heights,
        0.5,
        (1.0, 2.0),
        colors=rng.uniform(size=(4, 5, 3)),
        T_world_map=se3.exp([1, 2, 3, 0.3, 0.2, 0.1]),
        sigma=np.arange(20.0).reshape(4, 5),
    )


def test_the_mesh_is_the_map_in_world_coordinates_without_its_gaps(tmp_path, surface):
    write_ply(tmp_path / "map.ply", surface)
    mesh = trimesh.load(tmp_path / "map.ply", process=False)
    seen = ~np.isnan(surface.heights).ravel()
    local = (mesh.vertices - surface.pose[:3, 3]) @ surface.pose[:3, :3]
    np.testing.assert_allclose(local, surface.vertices()[seen], atol=1e-12)
    np.testing.assert_array_equal(
        mesh.visual.vertex_colors[:, :3], linear_to_bytes(surface.colors).reshape(-1, 3)[seen]
    )
    assert len(mesh.faces) == 24 - 6  # the six triangles around the gap are left out
    np.testing.assert_array_equal(mesh.metadata["_ply_raw"]["vertex"]["data"]["sigma"].ravel(), np.arange(20)[seen])


def test_triangles_face_upwards_and_cover_the_map(tmp_path):
    write_ply(tmp_path / "map.ply", HeightMap(np.zeros((3, 4)), 0.25))
    mesh = trimesh.load(tmp_path / "map.ply", process=False)
    assert mesh.area == pytest.approx(0.5 * 0.75)
    np.testing.assert_allclose(mesh.face_normals, [[0, 0, 1]] * 12, atol=1e-12)


def test_far_from_the_origin_nothing_is_rounded(tmp_path):
    write_ply(tmp_path / "map.ply", HeightMap(np.full((2, 2), 0.001), 0.01, (500000.0, 4100000.0)))
    mesh = trimesh.load(tmp_path / "map.ply", process=False)
    np.testing.assert_allclose(mesh.vertices.max(axis=0), [500000.01, 4100000.01, 0.001], rtol=0, atol=1e-8)


@pytest.mark.parametrize("colors", [None, np.full((2, 3, 3), np.nan), np.full((2, 3, 1), 0.5)])
def test_unknown_colours_are_grey_and_so_is_a_grey_map(tmp_path, colors):
    write_ply(tmp_path / "map.ply", HeightMap(np.zeros((2, 3)), 1.0, colors=colors))
    colors = trimesh.load(tmp_path / "map.ply", process=False).visual.vertex_colors
    np.testing.assert_array_equal(colors[:, :3], 188)


def test_an_array_of_heights_is_no_map(tmp_path):
    with pytest.raises(InputError, match="surface: received ndarray, expected HeightMap"):
        write_ply(tmp_path / "map.ply", np.zeros((3, 3)))


def test_a_map_that_nobody_has_seen_is_an_empty_mesh(tmp_path):
    write_ply(tmp_path / "map.ply", HeightMap(np.full((2, 3), np.nan), 1.0))
    assert b"element vertex 0\n" in (tmp_path / "map.ply").read_bytes()
    assert b"element face 0\n" in (tmp_path / "map.ply").read_bytes()
