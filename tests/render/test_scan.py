"""Visibility by scan conversion on the host: against rays, against the rasteriser, and whatever way the work is cut."""

from dataclasses import replace

import numpy as np
import pytest
from passes import derivative_renderer

from glrender.bench.scene import reference_scene
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.render import scan
from glrender.render.ray import eye_over
from glrender.render.scan import ScanConverter
from glrender.render.surface import HostSurface

CAMERA = Camera(160, 120, 110.0, 115.0, 78.0, 61.5)
NEAR = 1e-3
RELIEF = HeightMap(
    0.12 * np.random.default_rng(3).standard_normal((41, 51)),
    0.05,
    (-1.25, -1.0),
    T_world_map=se3.exp(np.array([0.1, -0.2, 0.05, 0.2, -0.1, 0.4])),
)
"""Ground on which most rays pass over something before they meet what they see."""


def scanned(surface: HeightMap, camera: Camera, T_world_camera: np.ndarray, near: float = NEAR) -> tuple:
    there = HostSurface.of(surface)
    eye = eye_over(surface, camera, T_world_camera, there.height_origin)
    triangles, nearness = ScanConverter().scan(there.heights, camera, eye, near)
    return triangles.copy(), nearness.copy()


def looking(eye: tuple, target: tuple) -> np.ndarray:
    return RELIEF.pose @ se3.look_at(eye, target)


def first_hit(surface: HeightMap, T_world_camera: np.ndarray, u: int, v: int, near: float) -> tuple[int, float, float]:
    """The triangle id + 1 that a pixel's ray meets first, its depth, and how near to an edge it passes."""
    T_camera_map = se3.inverse(T_world_camera) @ surface.pose
    corners = (surface.vertices() @ T_camera_map[:3, :3].T + T_camera_map[:3, 3])[surface.triangles]
    ray = np.array([(u - CAMERA.cx) / CAMERA.fx, (v - CAMERA.cy) / CAMERA.fy, 1.0])
    weights = np.linalg.solve(np.moveaxis(corners, 1, 2), np.broadcast_to(ray, (len(corners), 3))[..., None])[..., 0]
    depth = 1 / weights.sum(axis=1)
    facing = (
        np.einsum("ij,ij->i", np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), corners[:, 0]) < 0
    )
    margin = (weights * depth[:, None]).min(axis=1)
    met = facing & (margin >= 0) & (depth >= near)
    doubt = np.abs(margin).min()
    if not met.any():
        return 0, 0.0, doubt
    best = int(np.argmin(np.where(met, depth, np.inf)))
    return best + 1, float(depth[best]), doubt


VIEWS = {
    "from above": (RELIEF, looking((0.2, -0.3, 2.0), (0.0, 0.0, 0.0)), NEAR),
    "grazing": (RELIEF, looking((-1.5, -0.9, 0.35), (0.5, 0.3, 0.0)), NEAR),
    "from inside, with ground behind the camera": (RELIEF, looking((0.0, 0.0, 0.2), (0.8, 0.4, 0.0)), NEAR),
    "from below": (RELIEF, looking((0.3, 0.1, -0.7), (0.6, 0.2, 0.0)), NEAR),
    "with what is near cut off": (RELIEF, looking((0.0, 0.0, 0.5), (0.5, 0.3, 0.0)), 0.6),
}


@pytest.mark.parametrize("name", VIEWS)
def test_each_pixel_sees_the_first_triangle_that_its_ray_meets(name: str) -> None:
    surface, T_world_camera, near = VIEWS[name]
    triangles, nearness = scanned(surface, CAMERA, T_world_camera, near)
    pixels = [(u, v) for v in range(3, CAMERA.height, 13) for u in range(2, CAMERA.width, 17)]
    seen = decided = 0
    for u, v in pixels:
        expected, depth, doubt = first_hit(surface, T_world_camera, u, v, near)
        if doubt < 1e-7:  # float32 heights
            continue
        decided += 1
        assert triangles[v, u] == expected, f"pixel {u}, {v}"
        assert nearness[v, u] == pytest.approx(1 / depth if expected else 0.0, rel=1e-5)
        seen += expected > 0
    assert decided > 0.9 * len(pixels)
    assert seen > (0.2 if name != "from below" else 0.0) * len(pixels)


def test_what_touches_an_unseen_vertex_is_not_there() -> None:
    heights = RELIEF.heights.copy()
    heights[18:22, 20:30] = np.nan
    surface = RELIEF.with_values(heights, None)
    T_world_camera = looking((0.2, -0.3, 2.0), (0.0, 0.0, 0.0))
    triangles, _ = scanned(surface, CAMERA, T_world_camera)
    whole, _ = scanned(RELIEF, CAMERA, T_world_camera)
    touching = 1 + np.flatnonzero(np.isnan(surface.heights.ravel()[RELIEF.triangles]).any(axis=1))
    hidden = np.isin(whole, touching)
    assert hidden.sum() > 100
    assert not np.isin(triangles, touching).any()
    same = triangles == whole
    assert same[~hidden].all()


@pytest.mark.parametrize("vertices", [33, 129])
def test_the_rasteriser_sees_the_same_triangles(context: Context, vertices: int) -> None:
    """But for a few pixels: a vertex snapped to subpixels is settled by one neighbour only, and in float32."""
    scene = reference_scene(vertices)
    renderer = derivative_renderer(context, scene.camera, "compact")
    drawn = renderer.render(scene.surface, scene.T_world_camera, pose=False, edges=False).triangle_ids + 1
    renderer.release()
    triangles, _ = scanned(scene.surface, scene.camera, scene.T_world_camera)
    assert (triangles != drawn).mean() <= 2e-5
    assert (triangles > 0).mean() > 0.9


def test_it_makes_no_difference_how_the_image_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    T_world_camera = looking((-1.5, -0.9, 0.35), (0.5, 0.3, 0.0))
    expected = scanned(RELIEF, CAMERA, T_world_camera)
    for bands in ([(0, 120)], [(0, 1), (1, 77), (77, 77), (77, 120)]):
        monkeypatch.setattr(scan, "_bands", lambda *_, bands=bands: bands)
        for found, wanted in zip(scanned(RELIEF, CAMERA, T_world_camera), expected, strict=True):
            np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("name", ["grazing", "from inside, with ground behind the camera"])
def test_a_narrow_image_sees_what_a_wide_one_sees_there(name: str) -> None:
    """Triangles of one pixel and of a hundred, which are drawn in different ways, up to both ends of a row."""
    surface, T_world_camera, near = VIEWS[name]
    triangles, nearness = scanned(surface, CAMERA, T_world_camera, near)
    for width in (1, 2, 3, 4, 5, 7, 8, 40):
        for first in range(0, CAMERA.width - width + 1, 13):
            there = slice(first, first + width)
            narrow = replace(CAMERA, width=width, cx=CAMERA.cx - first)
            found, near_there = scanned(surface, narrow, T_world_camera, near)
            np.testing.assert_array_equal(found, triangles[:, there])
            np.testing.assert_allclose(near_there, nearness[:, there], rtol=1e-6)


@pytest.mark.parametrize("near", [0.1, 1 / 3, 0.7])
def test_what_is_a_millionth_nearer_than_may_be_is_not_seen(near: float) -> None:
    camera, surface = Camera(61, 61, 100.0, 100.0, 30.0, 30.0), HeightMap(np.zeros((9, 9)), 1.0, (-4.0, -4.0))
    T_world_camera = np.diag([1.0, -1.0, -1.0, 1.0])
    for depth, seen in ((near * (1 - 1e-6), False), (near * (1 + 1e-6), True)):
        T_world_camera[2, 3] = depth
        triangles, _ = scanned(surface, camera, T_world_camera, near)
        assert (triangles > 0).all() if seen else (triangles == 0).all()


@pytest.mark.parametrize("raised", [0.0, 0.01])
def test_edges_through_the_centres_of_pixels_leave_no_gap(raised: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells of 10 x 10 pixels that begin at the centre of one, also where the image is cut along an edge."""
    heights = np.zeros((9, 9))
    heights[2, 5] = raised
    camera, surface = Camera(61, 61, 100.0, 100.0, 30.0, 30.0), HeightMap(heights, 1.0, (-4.0, -4.0))
    T_world_camera = np.diag([1.0, -1.0, -1.0, 1.0])
    T_world_camera[2, 3] = 10.0
    for cut in range(62):
        monkeypatch.setattr(scan, "_bands", lambda *_, cut=cut: [(0, cut), (cut, 61)])
        triangles, _ = scanned(surface, camera, T_world_camera)
        assert (triangles > 0).all(), f"cut at {cut}: {np.argwhere(triangles == 0)}"
