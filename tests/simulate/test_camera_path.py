"""Every camera of every path is above the ground, looks at the terrain, and moves smoothly."""

import numpy as np
import pytest
from scipy import ndimage

from glrender.checks import check_pose
from glrender.errors import InputError, UsageError
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.simulate.elevation import read_elevation
from glrender.simulate.path import PATHS, make_path
from glrender.simulate.terrain import make_terrain

CAMERA = Camera(64, 48, 55.0, 55.0, 31.5, 23.5)


@pytest.fixture(scope="module", params=["default", "strip", "far", "hole"])
def terrain(request: pytest.FixtureRequest) -> HeightMap:
    elevation = read_elevation("builtin")
    match request.param:
        case "strip":
            return make_terrain(elevation, (8.0, 1.0), 0.3, 0.02)
        case "far":
            return make_terrain(elevation, (200.0, 300.0), 60.0, 2.0, (500_000.0, 4_000_000.0))
        case "hole":
            surface = make_terrain(elevation)
            heights = surface.heights.copy()
            heights[90:110, 90:110] = np.nan
            return HeightMap(heights, surface.spacing, surface.origin)
    return make_terrain(elevation)


def ground_at(terrain: HeightMap, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The ground's height; -inf beyond the terrain, 0 in a hole."""
    at = [(y - terrain.origin[1]) / terrain.spacing, (x - terrain.origin[0]) / terrain.spacing]
    return ndimage.map_coordinates(np.nan_to_num(terrain.heights), at, order=1, mode="constant", cval=-np.inf)


@pytest.mark.parametrize("kind", PATHS)
@pytest.mark.parametrize("frames", [1, 2, 25])
def test_cameras_look_at_the_terrain_from_above(terrain: HeightMap, kind: str, frames: int) -> None:
    poses = make_path(kind, terrain, CAMERA, frames)
    assert poses.shape == (frames, 4, 4)
    altitude = PATHS[kind].altitude * (min(terrain.shape) - 1) * terrain.spacing
    for pose in poses:
        check_pose("pose", pose)
        eye, axis = pose[:3, 3], pose[:3, 2]
        below = ground_at(terrain, *eye[:2, None])[0]
        assert eye[2] - below >= 0.999 * altitude
        ray = eye + np.linspace(0, 10 * altitude, 4000)[:, None] * axis
        assert (ground_at(terrain, ray[:, 0], ray[:, 1]) >= ray[:, 2]).any()


@pytest.mark.parametrize("kind", PATHS)
def test_frames_are_equally_far_apart(kind: str) -> None:
    poses = make_path(kind, make_terrain(read_elevation("builtin")), CAMERA, 100)
    steps = np.linalg.norm(np.diff(poses[:, :3, 3], axis=0), axis=1)
    assert steps.max() < 1.3 * np.median(steps)
    turns = np.einsum("nij,nij->n", poses[1:, :3, :3], poses[:-1, :3, :3])
    assert np.degrees(np.arccos((turns - 1) / 2)).max() < 20


@pytest.mark.parametrize("size", [(2.0, 2.0), (6.0, 3.0)])
def test_a_fly_over_sees_all_of_the_ground(size: tuple[float, float]) -> None:
    terrain = make_terrain(read_elevation("builtin"), size)
    vertices = terrain.vertices()[::7]
    seen = np.zeros(len(vertices), dtype=bool)
    for pose in make_path("flyover", terrain, CAMERA, 60, altitude=1.0):
        u, v = CAMERA.project((vertices - pose[:3, 3]) @ pose[:3, :3]).T
        seen |= (u >= 0) & (u <= CAMERA.width - 1) & (v >= 0) & (v <= CAMERA.height - 1)
    assert seen.mean() > 0.97


@pytest.mark.parametrize("kind", PATHS)
def test_altitude_and_pitch(kind: str) -> None:
    flat = HeightMap(np.zeros((101, 101)), 0.02, (-1.0, -1.0))
    poses = make_path(kind, flat, CAMERA, 9, altitude=0.3, pitch=60.0)
    np.testing.assert_allclose(poses[:, 2, 3], 0.3, atol=1e-9)
    np.testing.assert_allclose(np.degrees(np.arcsin(-poses[:, 2, 2])), 60, atol=1e-6)
    np.testing.assert_allclose(poses[:, 2, 0], 0, atol=1e-9)  # the horizon is level


def test_a_fly_over_may_look_straight_down() -> None:
    flat = HeightMap(np.zeros((101, 101)), 0.02, (-1.0, -1.0))
    for pose in make_path("flyover", flat, CAMERA, 5, pitch=90):
        np.testing.assert_allclose(pose[:3, :3], np.diag([1, -1, -1]), atol=1e-9)


def test_an_orbit_goes_round_once() -> None:
    flat = HeightMap(np.zeros((101, 101)), 0.02, (-1.0, -1.0))
    eyes = make_path("orbit", flat, CAMERA, 8, altitude=1.0, pitch=45.0)[:, :3, 3]
    np.testing.assert_allclose(np.hypot(eyes[:, 0], eyes[:, 1]), 1.0, atol=1e-9)
    np.testing.assert_allclose(eyes.mean(axis=0), (0, 0, 1), atol=1e-9)


def test_what_makes_no_path() -> None:
    flat = HeightMap(np.zeros((11, 11)), 0.2)
    with pytest.raises(UsageError, match="path: received 'zigzag', expected one of 'flyover', 'orbit', 'rover'"):
        make_path("zigzag", flat, CAMERA, 5)
    with pytest.raises(InputError, match="frames: received 0"):
        make_path("orbit", flat, CAMERA, 0)
    with pytest.raises(InputError, match="altitude: received -1"):
        make_path("orbit", flat, CAMERA, 5, altitude=-1)
    for kind, pitch in (("orbit", 90), ("rover", 90), ("flyover", 91), ("rover", 0)):
        with pytest.raises(InputError, match="pitch: received"):
            make_path(kind, flat, CAMERA, 5, pitch=pitch)
    with pytest.raises(InputError, match="needs [0-9]+ lanes, expected at most 200; fly higher"):
        make_path("flyover", flat, CAMERA, 5, altitude=1e-3)


def test_a_camera_that_sees_beyond_the_ground_flies_all_the_same() -> None:
    """What one image sees is then far more than the terrain, and so is the curve's rounding."""
    assert np.isfinite(make_path("flyover", HeightMap(np.zeros((11, 11)), 0.2), CAMERA, 3, pitch=1e-9)).all()
