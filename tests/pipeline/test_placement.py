"""Placing a map from depth images of a plane that is computed by hand."""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from glrender.errors import InputError
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.io.sequence import Sequence
from glrender.io.sequence_folder import open_sequence
from glrender.io.sequence_writer import SequenceWriter
from glrender.io.trajectory import Trajectory
from glrender.pipeline.placement import GivenPlacement, Placement, place_map, place_on_ground

CAMERA = Camera(80, 60, 70.0, 70.0, 39.5, 29.5)


@dataclass(frozen=True)
class Ground:
    """A plane of 2 m x 1 m seen whole from 1.5 m above it: T_world_ground places its middle, its z is the normal."""

    T_world_ground: NDArray[np.float64]

    def depth(self, T_world_camera: NDArray[np.float64]) -> NDArray[np.float64]:
        T_ground_camera = se3.inverse(self.T_world_ground) @ T_world_camera
        rays = CAMERA.rays() @ T_ground_camera[:3, :3].T
        eye = T_ground_camera[:3, 3]
        with np.errstate(divide="ignore"):
            depth = -eye[2] / rays[..., 2]
        x, y = np.moveaxis(eye + depth[..., None] * rays, -1, 0)[:2]
        return np.where((depth > 0) & (np.abs(x) <= 1) & (np.abs(y) <= 0.5), depth, 0)

    def poses(self, count: int = 12) -> list[NDArray[np.float64]]:
        eyes = [(x, -0.2, 1.5) for x in np.linspace(-0.8, 0.8, count)]
        return [self.T_world_ground @ se3.look_at(eye, (eye[0], 0.0, 0.0)) for eye in eyes]


def write(folder: Path, ground: Ground, noise: float = 0.0, stray: int = 0) -> Sequence:
    rng = np.random.default_rng(3)
    writer = SequenceWriter(folder, CAMERA, 5000)
    poses = ground.poses()
    for time, pose in enumerate(poses):
        depth = ground.depth(pose)
        depth = np.where(depth > 0, depth + noise * rng.normal(size=depth.shape), 0)
        depth[rng.integers(60, size=stray), rng.integers(80, size=stray)] = 9.0
        writer.add(time, None, depth)
    writer.finish(Trajectory(np.arange(float(len(poses))), np.stack(poses)))
    return open_sequence(folder)


def place(sequence: Sequence, **given: object) -> Placement:
    return place_map(sequence, sequence.with_poses(sequence.frames)[0], GivenPlacement(**given))  # type: ignore[arg-type]


def tilted(degrees: float, at: tuple[float, float, float] = (3.0, -2.0, 0.5)) -> NDArray[np.float64]:
    T = se3.exp([0, 0, 0, np.radians(degrees), 0, 0])
    T[:3, 3] = at
    return T


@pytest.mark.parametrize("degrees", [0.0, 14.0, -14.0])
def test_a_nearly_level_plane_keeps_the_worlds_z(tmp_path: Path, degrees: float) -> None:
    placement = place(write(tmp_path, Ground(tilted(degrees)), noise=0.005), spacing=0.02)
    np.testing.assert_array_equal(placement.T_world_map, np.eye(4))
    assert f"{abs(degrees):.0f}." in placement.description["T_world_map_from"]
    expected = (2.0, 4.0, -2 - 0.5 * np.cos(np.radians(degrees)), -2 + 0.5 * np.cos(np.radians(degrees)))
    np.testing.assert_allclose(placement.bounds, expected, atol=2.5 * placement.spacing)


@pytest.mark.parametrize("degrees", [16.0, 60.0, -90.0, 180.0])
def test_a_tilted_plane_is_the_maps_plane(tmp_path: Path, degrees: float) -> None:
    ground = Ground(tilted(degrees))
    placement = place(write(tmp_path, ground, noise=0.005), spacing=0.02)
    T_ground_map = se3.inverse(ground.T_world_ground) @ placement.T_world_map
    assert np.degrees(np.arccos(T_ground_map[2, 2])) < 0.5, "z is the plane's normal, towards the cameras"
    np.testing.assert_allclose(T_ground_map[:3, 0], (1, 0, 0), atol=0.01)
    assert abs(T_ground_map[2, 3]) < 0.002, "the origin lies on the plane"
    x0, x1, y0, y1 = placement.bounds
    offset = T_ground_map[:2, 3]
    np.testing.assert_allclose((x0 + offset[0], x1 + offset[0]), (-1, 1), atol=2.5 * placement.spacing)
    np.testing.assert_allclose((y0 + offset[1], y1 + offset[1]), (-0.5, 0.5), atol=2.5 * placement.spacing)


def test_a_wall_along_the_worlds_x(tmp_path: Path) -> None:
    ground = Ground(se3.exp([0, 0, 0, 0, np.pi / 2, 0]))
    placement = place(write(tmp_path, ground))
    np.testing.assert_allclose(placement.T_world_map[:3, 2], (1, 0, 0), atol=1e-3)
    np.testing.assert_allclose(placement.T_world_map[:3, 0], (0, 1, 0), atol=1e-3)


class Corner(Ground):
    """A floor at z = 0 and a wall at y = 0.6 of a world whose z is up, seen by a camera that looks ahead."""

    def depth(self, T_world_camera: NDArray[np.float64]) -> NDArray[np.float64]:
        rays, eye = CAMERA.rays() @ T_world_camera[:3, :3].T, T_world_camera[:3, 3]
        with np.errstate(divide="ignore"):
            floor, wall = -eye[2] / rays[..., 2], (0.6 - eye[1]) / rays[..., 1]
        return np.where((floor > 0) & (floor < wall), floor, wall)

    def poses(self, count: int = 12) -> list[NDArray[np.float64]]:
        height = self.T_world_ground[2, 3]
        return [se3.look_at((x, -1.0, 1.0), (x, 0.6, height)) for x in np.linspace(-0.8, 0.8, count)]


@pytest.mark.parametrize(
    ("looks_at", "source"), [(0.15, "the world's: level ground is"), (1.0, "the dominant plane, ")]
)
def test_level_ground_before_a_wall(tmp_path: Path, looks_at: float, source: str) -> None:
    """A height map is of the ground where that is seen about as much, and of the wall where little else is."""
    placement = place(write(tmp_path, Corner(tilted(0, (0.0, 0.0, looks_at))), noise=0.002))
    assert placement.description["T_world_map_from"].startswith(source)


def test_a_sequences_reference_system_is_told(tmp_path: Path) -> None:
    write(tmp_path, Ground(np.eye(4)))
    (tmp_path / "crs.txt").write_text("EPSG:32632\n")
    assert place(open_sequence(tmp_path), spacing=0.05).description["crs"] == "EPSG:32632"


def test_stray_points_do_not_stretch_the_bounds(tmp_path: Path) -> None:
    clean = place(write(tmp_path / "clean", Ground(np.eye(4)), noise=0.002))
    stray = place(write(tmp_path / "stray", Ground(np.eye(4)), noise=0.002, stray=4))
    np.testing.assert_allclose(stray.bounds, clean.bounds, atol=2 * clean.spacing)


def test_spacing_follows_the_footprint_and_bounds_lie_on_it(tmp_path: Path) -> None:
    sequence = write(tmp_path, Ground(np.eye(4)))
    placement = place(sequence)
    assert placement.spacing == 0.1  # 4 pixels of 1.5 m / 70 are 9 cm
    steps = np.array(placement.bounds) / placement.spacing
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-6)
    assert place(sequence, spacing=0.013).spacing == 0.013


@pytest.mark.parametrize("spacing", [50.0, 1e-7])
def test_a_spacing_in_another_unit_is_told_what_the_frames_see(tmp_path: Path, spacing: float) -> None:
    with pytest.raises(
        InputError, match=rf"spacing: received {spacing:g} m .given., but the frames see .* x .* m, .* cells"
    ):
        place(write(tmp_path, Ground(np.eye(4))), spacing=spacing)


def test_depths_in_another_unit_than_the_poses_are_told_of(tmp_path: Path) -> None:
    sequence = write(tmp_path, Ground(np.eye(4))).with_camera(CAMERA, 5e9)
    with pytest.raises(InputError, match=r"4 pixels on the ground, rounded\), but the frames see .* the depth_scale"):
        place(sequence)


def test_bounds_are_clipped_about_the_middle_and_say_so(tmp_path: Path) -> None:
    placement = place(write(tmp_path, Ground(np.eye(4))), spacing=5e-4)
    x0, x1, y0, y1 = placement.bounds
    np.testing.assert_allclose((x1 - x0, y1 - y0), 0.5115)
    np.testing.assert_allclose(x0 + x1, 0, atol=0.2)
    assert "clipped to 1024 vertices or 0.5115 m a side" in placement.description["bounds_from"]


def test_photographs_from_the_air_see_more_than_other_frames() -> None:
    """Two of them 40 m apart, 60 m above the ground at 7 cm a pixel, in cells of 10 cm: 1450 a side."""
    camera = Camera(width=1500, height=1000, fx=857.0, fy=857.0, cx=749.5, cy=499.5)
    sequence = cast(Sequence, SimpleNamespace(camera=camera, crs=None))
    poses = [se3.look_at((x, 0.0, 60.0), (x, 0.01, 0.0)) for x in (0.0, 40.0)]
    placement = place_on_ground(sequence, poses, 0.0, GivenPlacement(np.eye(4), spacing=0.1), "made up")
    x0, x1, y0, y1 = placement.bounds
    np.testing.assert_allclose((x0, x1, y0, y1), (-52.5, 92.5, -35.0, 35.0), atol=2)
    assert "within 1536 vertices" in placement.description["bounds_from"]


def test_cells_of_photographs_follow_their_pixels_and_are_never_wider_than_five() -> None:
    """At 8.75 cm a pixel four pixels would be rounded to half a metre, wider than the rim of a roof."""
    camera = Camera(width=80, height=60, fx=80.0, fy=80.0, cx=39.5, cy=29.5)
    sequence = cast(Sequence, SimpleNamespace(camera=camera, crs=None))
    for pixel in np.geomspace(0.01, 0.1, 20):
        poses = [se3.look_at((0.0, 0.0, 80 * pixel), (0.0, 0.01, 0.0))]
        placement = place_on_ground(sequence, poses, 0.0, GivenPlacement(np.eye(4)), "made up")
        assert 1.8 * pixel < placement.spacing < 5 * pixel
        assert placement.description["spacing_from"] == "3 pixels on the ground, rounded"


def test_what_is_given_is_kept(tmp_path: Path) -> None:
    T = tilted(40)
    sequence = write(tmp_path, Ground(np.eye(4)))
    placement = place(sequence, T_world_map=T, bounds=(0, 1, 2, 3), spacing=0.25)
    np.testing.assert_array_equal(placement.T_world_map, T)
    assert (placement.bounds, placement.spacing) == ((0, 1, 2, 3), 0.25)
    assert {placement.description[f"{name}_from"] for name in ("T_world_map", "bounds", "spacing")} == {"given"}
    np.savetxt(tmp_path / "T_world_map.txt", T)
    own = place(open_sequence(tmp_path))
    np.testing.assert_allclose(own.T_world_map, T, atol=1e-12)
    assert own.description["T_world_map_from"] == "T_world_map.txt"


def test_the_same_again(tmp_path: Path) -> None:
    sequence = write(tmp_path, Ground(tilted(50)), noise=0.01)
    np.testing.assert_array_equal(place(sequence).T_world_map, place(sequence).T_world_map)


def test_a_time_offset_moves_the_bounds(tmp_path: Path) -> None:
    sequence = write(tmp_path, Ground(np.eye(4)))
    offset = 0.5
    posed, _ = sequence.with_poses(sequence.frames, offset)
    moved = place_map(sequence, posed, GivenPlacement(), time_offset=offset)
    step = offset * 1.6 / 11  # metres between two poses
    assert moved.bounds[1] == pytest.approx(1 + step, abs=moved.spacing)


def test_damaged_frames_are_left_out(tmp_path: Path) -> None:
    sequence = write(tmp_path, Ground(np.eye(4)))
    expected = place(sequence)
    path = sequence.frames[5].depth_path
    assert path is not None
    path.write_bytes(path.read_bytes()[:200])
    np.testing.assert_allclose(place(sequence).bounds, expected.bounds, atol=2 * expected.spacing)


def test_without_depth_there_is_nothing_to_place_from(tmp_path: Path) -> None:
    writer = SequenceWriter(tmp_path, CAMERA)
    writer.add(0.0, np.zeros((*CAMERA.shape, 3)), None)
    writer.finish(Trajectory(np.zeros(1), np.eye(4)[None]))
    sequence = open_sequence(tmp_path)
    with pytest.raises(InputError, match="no depth to place the map from; give T_world_map, the bounds"):
        place(sequence)
    assert place(sequence, T_world_map=np.eye(4), bounds=(0, 1, 0, 1), spacing=0.1).spacing == 0.1


def test_empty_depth_images_and_bad_values(tmp_path: Path) -> None:
    away = Ground(np.eye(4))
    sequence = write(tmp_path / "empty", Ground(tilted(0, (50.0, 0.0, 0.0))))
    assert place(sequence).bounds[0] == pytest.approx(49, abs=0.1)
    writer = SequenceWriter(tmp_path / "nothing", CAMERA)
    writer.add(0.0, None, np.zeros(CAMERA.shape))
    writer.finish(Trajectory(np.zeros(1), away.poses(1)[0][None]))
    with pytest.raises(InputError, match="measured next to nothing"):
        place(open_sequence(tmp_path / "nothing"))
    with pytest.raises(InputError, match="spacing: received 0"):
        place(sequence, spacing=0)
    with pytest.raises(InputError, match="T_world_map: expected a rigid"):
        place(sequence, T_world_map=np.ones((4, 4)))


def test_fr1_floor() -> None:
    folder = Path(__file__).parents[3] / "shared/data/fr1_floor"
    if not folder.is_dir():
        pytest.skip(f"the real sequence is not at {folder}")
    sequence = open_sequence(folder)
    placement = place(sequence)
    np.testing.assert_array_equal(placement.T_world_map, np.eye(4))
    assert placement.spacing == 0.01
    x0, x1, y0, y1 = placement.bounds
    assert x0 <= 0.55
    assert x1 >= 2.05
    assert y0 <= -0.9
    assert y1 >= 1.5
    assert x1 - x0 < 2.2
    assert y1 - y0 < 3.2
