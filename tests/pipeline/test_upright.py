"""A map frame whose z points up is found for photographs, whichever way their world lies."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from glrender.errors import InputError
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.geometry.intensity import intensity
from glrender.gl.context import Context
from glrender.pipeline.upright import find_upright
from glrender.render.forward import ForwardRenderer

CAMERA = Camera(96, 72, 84.0, 84.0, 47.5, 35.5)
Float64 = NDArray[np.float64]
Images = list[NDArray[np.float32]]


@pytest.fixture(scope="module")
def ground() -> HeightMap:
    """Level at 0.3 m, 4 m a side, of random colours that are smooth over 4 to 40 cm."""
    rng = np.random.default_rng(0)
    colors = sum(np.kron(rng.random((201 // k + 1, 201 // k + 1)), np.ones((k, k)))[:201, :201] for k in (2, 6, 20)) / 3
    return HeightMap(np.full((201, 201), 0.3), 0.02, (-2.0, -2.0), colors[..., None])


def photographs(context: Context, ground: HeightMap, poses: list[Float64]) -> Images:
    renderer = ForwardRenderer(context, CAMERA)
    images = [intensity(renderer.render(ground, pose).image) for pose in poses]
    renderer.release()
    return images


def lanes(ahead: float = 0.02) -> list[Float64]:
    """Two, 1.5 m up, looking `ahead` metres beside straight down."""
    places = [(x, y) for y, along in ((-0.3, 1), (0.3, -1)) for x in np.linspace(-0.8, 0.8, 5)[::along]]
    return [se3.look_at((x, y, 1.5), (x, y + ahead, 0.3)) for x, y in places]


def turned(rotation: tuple[float, float, float], scale: float) -> Float64:
    """A similarity (4, 4) of another world."""
    T = se3.exp(np.array([3.0, -2.0, 5.0, *rotation]))
    T[:3, :3] *= scale
    return T


def in_world(S: Float64, pose: Float64) -> Float64:
    T = S @ pose
    T[:3, :3] /= np.cbrt(np.linalg.det(T[:3, :3]))
    return T


@pytest.mark.parametrize("rotation", [(np.pi, 0.0, 0.0), (np.pi / 2, 0.0, 0.0), (1.1, -0.7, 0.4)])
def test_a_world_that_lies_anyhow(context: Context, ground: HeightMap, rotation: tuple[float, float, float]) -> None:
    """Upside down as COLMAP's worlds begin, y up, and just so; of another scale."""
    poses, S = lanes(), turned(rotation, 0.04)
    found = find_upright(CAMERA, [in_world(S, pose) for pose in poses], photographs(context, ground, poses).__getitem__)
    up = S[:3, :3] @ (0, 0, 1) / 0.04
    assert found.T_world_map[:3, 2] @ up > np.cos(np.radians(2))
    # The origin is on the ground.
    height = (np.linalg.inv(S) @ found.T_world_map)[2, 3]
    assert height == pytest.approx(0.3, abs=0.04)
    assert found.ground.height == 0.0
    assert "against the world's" in found.source


@pytest.mark.parametrize("ahead", [0.02, 0.6])
def test_a_world_whose_z_points_up_is_kept(context: Context, ground: HeightMap, ahead: float) -> None:
    """However obliquely the camera looks."""
    poses = lanes(ahead)
    found = find_upright(CAMERA, poses, photographs(context, ground, poses).__getitem__)
    assert np.array_equal(found.T_world_map, np.eye(4))
    assert found.ground.height == pytest.approx(0.3, abs=0.04)
    assert found.source == "the world's, whose z is taken to point up"


def test_one_lane_in_a_world_upside_down(context: Context, ground: HeightMap) -> None:
    """Where the camera moved on a line, its looking decides."""
    poses, S = lanes()[:5], turned((np.pi, 0.0, 0.0), 1.0)
    found = find_upright(CAMERA, [in_world(S, pose) for pose in poses], photographs(context, ground, poses).__getitem__)
    assert found.T_world_map[2, 2] == pytest.approx(-1, abs=0.01)


def test_photographs_that_agree_on_nothing_say_so() -> None:
    rng = np.random.default_rng(1)
    with pytest.raises(InputError, match="agree on no level"):
        find_upright(CAMERA, lanes(), [rng.random(CAMERA.shape).astype(np.float32) for _ in lanes()].__getitem__)


def test_cameras_that_all_look_at_the_origin_say_so_too() -> None:
    """By the inverses of their poses, which are tried, they all stand in one place."""
    rng = np.random.default_rng(1)
    ring = [se3.look_at((np.cos(a), np.sin(a), 0.8), (0.0, 0.0, 0.0)) for a in np.linspace(0, 6, 12)]
    with pytest.raises(InputError, match="agree on no level|expected"):
        find_upright(CAMERA, ring, [rng.random(CAMERA.shape).astype(np.float32) for _ in ring].__getitem__)


@pytest.mark.parametrize(
    ("read", "words"),
    [
        (np.linalg.inv, "world to camera"),
        (lambda pose: pose @ np.array([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]]), "those of a body"),
    ],
)
def test_poses_by_which_photographs_would_agree_are_told(
    context: Context, ground: HeightMap, read: Callable[[Float64], Float64], words: str
) -> None:
    poses, S = lanes(), turned((0.2, 0.1, 0.4), 1.0)
    seen = photographs(context, ground, poses)
    with pytest.raises(InputError, match=f"agree on no level.*; they agree where the poses are taken for {words}"):
        find_upright(CAMERA, [read(in_world(S, pose)) for pose in poses], seen.__getitem__)
