"""Edge flags: pixels at occlusion boundaries, and only those."""

from collections.abc import Callable

import numpy as np
import pytest
from passes import WAYS
from random_scenes import SEEING_SCENES, Scene

from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.render.buffers import DerivativeBuffers
from glrender.render.derivatives import DerivativeRenderer

JUMP = 0.02
"""Of the nearer depth: what two neighbouring pixels may differ by on any surface."""

Render = Callable[[HeightMap, np.ndarray], DerivativeBuffers]
MakeRenderer = Callable[..., DerivativeRenderer]
CAMERA = Camera(64, 48, 60.0, 60.0, 31.5, 23.5)


def edges_by_hand(buffers: DerivativeBuffers) -> np.ndarray:
    """(h, w): a neighbour sees nothing, or its depth jumps and neither of their planes explains half of it."""
    depth, rays = buffers.depth.astype(np.float64), buffers.camera.rays()
    flags = np.zeros(depth.shape, bool)
    height, width = depth.shape

    def explains(here: tuple[int, int], there: tuple[int, int]) -> bool:
        normal = buffers.normal[here].astype(np.float64)
        on_plane = depth[here] * (normal @ rays[here]) / (normal @ rays[there])
        return bool(on_plane > 0 and abs(on_plane - depth[there]) < 0.5 * abs(depth[there] - depth[here]))

    for v, u in map(tuple, np.argwhere(buffers.visible)):
        for there in ((v, u + 1), (v, u - 1), (v + 1, u), (v - 1, u)):
            if not (0 <= there[0] < height and 0 <= there[1] < width):
                continue
            if not buffers.visible[there]:
                flags[v, u] = True
            elif abs(depth[there] - depth[v, u]) > JUMP * min(depth[there], depth[v, u]):
                flags[v, u] |= not (explains((v, u), there) or explains(there, (v, u)))
    return flags


def beside(region: np.ndarray) -> np.ndarray:
    """Pixels outside a region of pixels that have a 4-neighbour in it."""
    padded = np.pad(region, 1)
    touched = padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]
    return touched & ~region


@pytest.mark.parametrize("scene", SEEING_SCENES, ids=str)
@pytest.mark.parametrize("way", WAYS)
def test_edges_are_those_of_the_definition(
    scene: Scene, way: str, differentiate: Callable[..., DerivativeBuffers]
) -> None:
    buffers = differentiate(scene, way)
    differing = np.count_nonzero(buffers.edges != edges_by_hand(buffers))
    assert differing <= 1e-3 * buffers.edges.size, f"{differing} flags differ, by rounding only very few may"


@pytest.fixture
def render(renderer: MakeRenderer) -> Render:
    """Renders a map by CAMERA."""
    passes = renderer(CAMERA)
    return lambda surface, T_world_camera: passes.render(surface, T_world_camera, pose=False)


def test_the_border_of_the_map_is_flagged_and_that_of_the_image_is_not(render: Render) -> None:
    surface = HeightMap(np.zeros((9, 9)), 0.25, (-1, -1))
    all_of_it = render(surface, se3.look_at((0, 0, 5), (0, 0, 0)))
    np.testing.assert_array_equal(all_of_it.edges, beside(~all_of_it.visible))
    assert all_of_it.edges.any()
    its_middle = render(surface, se3.look_at((0, 0, 0.5), (0, 0, 0)))
    assert its_middle.visible.all()
    assert not its_middle.edges.any()


def test_a_crease_is_not_flagged(render: Render) -> None:
    """A steep wall that meets level ground: the depth of the wall's pixels jumps, but nothing is hidden."""
    heights = np.zeros((41, 41))
    heights[:, 20:] = 0.4 * np.arange(21)
    surface = HeightMap(heights, 0.1, (-2, -2))
    found = render(surface, se3.look_at((0.05, 0, 9), (0.05, 0.001, 0)))
    inside = ~beside(~found.visible) & found.visible
    steps = np.abs(np.diff(found.depth, axis=1)) > JUMP * np.minimum(found.depth[:, 1:], found.depth[:, :-1])
    assert (steps & inside[:, 1:] & inside[:, :-1]).any()
    assert not found.edges[inside].any()


def test_a_hole_is_flagged_all_round(render: Render) -> None:
    heights = np.zeros((21, 21))
    heights[9:12, 9:12] = np.nan
    buffers = render(HeightMap(heights, 0.25, (-2.5, -2.5)), se3.look_at((0, -0.2, 2), (0, 0, 0)))
    hole = ~buffers.visible
    assert hole[18:30, 25:38].any()
    np.testing.assert_array_equal(buffers.edges, beside(hole))


def test_a_step_that_hides_ground_is_flagged_on_both_sides(render: Render) -> None:
    """A plateau seen from beyond and above it: its rim hides the ground behind."""
    y = -2.5 + 0.1 * np.arange(51)
    heights = np.where(y < 0, 1.0, 0.0)[:, None] * np.ones((51, 51))
    surface = HeightMap(heights, 0.1, (-2.5, -2.5))
    buffers = render(surface, se3.look_at((0, -3, 3), (0, 0.3, 0.8)))
    jumps = np.abs(np.diff(buffers.depth, axis=0)) > 0.3
    jumps &= buffers.visible[1:] & buffers.visible[:-1]
    assert jumps.any(axis=0).sum() > 40
    assert buffers.edges[:-1][jumps].all()
    assert buffers.edges[1:][jumps].all()
    # On the plateau and on the ground, away from rim and border, there is none.
    calm = np.pad(jumps, ((1, 0), (0, 0))) | np.pad(jumps, ((0, 1), (0, 0))) | beside(~buffers.visible)
    assert not buffers.edges[~calm].any()


@pytest.mark.parametrize("elevation", [2.0, 5.0, 15.0])
def test_smooth_ground_seen_at_a_grazing_angle_is_not_flagged(render: Render, elevation: float) -> None:
    """From row to row its depth jumps far more than a step's does, but its own plane explains that."""
    x, y = np.meshgrid(np.linspace(-100, 100, 401), np.linspace(-100, 100, 401))
    surface = HeightMap(0.005 * np.sin(0.3 * x) * np.cos(0.2 * y), 0.5, (-100, -100))
    angle = np.radians(elevation)
    eye = np.array([0, -20 * np.cos(angle), 20 * np.sin(angle)])
    buffers = render(surface, se3.look_at(eye, (0, 0, 0)))
    border = beside(~buffers.visible)
    largest = np.abs(np.diff(buffers.depth, axis=0))[buffers.visible[1:] & buffers.visible[:-1]].max()
    assert largest > JUMP * buffers.depth.max()
    assert buffers.visible.sum() > 500
    assert not buffers.edges[~border].any()


def test_a_steep_but_visible_slope_is_not_flagged(render: Render) -> None:
    """A ramp of 60 degrees seen from straight above: depth jumps from column to column, nothing is hidden."""
    heights = np.tan(np.radians(60)) * 0.2 * np.arange(31)[None, :] * np.ones((31, 1))
    buffers = render(HeightMap(heights, 0.2, (-3, -3)), se3.look_at((0, 0, 12), (0, 0, 0)))
    jumps = np.abs(np.diff(buffers.depth, axis=1)) > JUMP * buffers.depth[:, 1:]
    assert (jumps & buffers.visible[:, 1:] & buffers.visible[:, :-1]).any()
    assert not buffers.edges[~beside(~buffers.visible)].any()


def test_one_pixel_has_no_neighbours(renderer: MakeRenderer) -> None:
    surface = HeightMap(np.zeros((2, 2)), 1.0)
    buffers = renderer(Camera(1, 1, 1.0, 1.0, 0.0, 0.0)).render(surface, se3.look_at((0.5, 0.5, 1), (0.5, 0.5, 0)))
    assert buffers.visible.all()
    assert not buffers.edges.any()
