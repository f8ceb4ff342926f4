"""Where the cameras of a job stand: lists, trajectories, and paths made by formula.

Orbits, spirals, grids and random views are arranged about the direction that is up in the scene. Their x, y and z are
the world's; for a reconstruction whose world lies anyhow, they are what the world's axes become by the shortest turn
that takes the world's z to the map's (`Scene.upright`). Targets are always given in the world.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glrender.checks import check_pose, check_positive
from glrender.errors import InputError
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.io.poses.reading import read_poses
from glrender.io.remote import is_remote, local_file
from glrender.io.selection import selected_lines
from glrender.pipeline.scene import Matrix, Scene
from glrender.render.forward import NEAR

Poses = NDArray[np.float64]
Point = tuple[float, float, float]

MOST = 10_000_000
"""The most views that are worked out at once: the poses of so many take 1.3 GB."""

LARGEST = 16384
"""The most pixels along a side of an image, as many as framebuffers have."""

SMALLEST_FOV = 1e-3
"""The least field of view, degrees: for less, the focal length would be more pixels than float32 can count."""


@dataclass(frozen=True)
class CameraSpec:
    """A pinhole camera: its image and either `fov` or `fx`."""

    width: int
    """Pixels."""
    height: int
    """Pixels."""
    fov: float | None = None
    """Horizontal field of view, degrees."""
    fx: float | None = None
    """Focal length, pixels."""
    fy: float | None = None
    """Focal length, pixels; fx unless said."""
    cx: float | None = None
    """Principal point, pixels; the middle unless said."""
    cy: float | None = None
    """Principal point, pixels; the middle unless said."""
    near: float = NEAR
    """What is nearer is not visible, metres."""

    def __post_init__(self) -> None:
        if (self.fov is None) == (self.fx is None):
            raise InputError("fov, fx: expected one of them")
        if self.fov is not None and not SMALLEST_FOV <= self.fov < 180:
            raise InputError(f"fov: received {self.fov:g}, expected {SMALLEST_FOV:g} to less than 180 degrees")
        check_positive("near", self.near)
        if max(self.width, self.height) > LARGEST:
            raise InputError(f"width, height: received {self.width}, {self.height}, expected at most {LARGEST} pixels")
        self.camera()

    def camera(self) -> Camera:
        """The camera; InputError if it cannot be one."""
        fx = self.fx if self.fov is None else self.width / 2 / math.tan(math.radians(self.fov) / 2)
        assert fx is not None
        cx = (self.width - 1) / 2 if self.cx is None else self.cx
        cy = (self.height - 1) / 2 if self.cy is None else self.cy
        return Camera(self.width, self.height, fx, fx if self.fy is None else self.fy, cx, cy)


class Views(Protocol):
    """Cameras that stand somewhere."""

    @property
    def camera(self) -> CameraSpec | None:
        """The camera of these views alone; None: the job's."""

    @property
    def files(self) -> tuple[str, ...]:
        """The files and URLs that these views are read from."""

    def beside(self, folder: Path) -> Self:
        """The same views, whose relative file names are relative to `folder`."""

    def poses(self, scene: Scene) -> Poses:
        """(N, 4, 4) T_world_camera."""


@dataclass(frozen=True)
class _Computed:
    """Views that need no file."""

    @property
    def files(self) -> tuple[str, ...]:
        return ()

    def beside(self, folder: Path) -> Self:
        return self


@dataclass(frozen=True)
class PoseList(_Computed):
    """Given poses."""

    T_world_camera: tuple[Matrix, ...]
    """(N, 4, 4) camera to world."""
    camera: CameraSpec | None = None

    def __post_init__(self) -> None:
        for k, pose in enumerate(self.T_world_camera):
            check_pose(f"T_world_camera[{k}]", pose)

    def poses(self, scene: Scene) -> Poses:
        return np.array(self.T_world_camera, np.float64).reshape(-1, 4, 4)


@dataclass(frozen=True)
class LookAt(_Computed):
    """Given places, each looking at a target."""

    eyes: tuple[Point, ...]
    """(N, 3) metres."""
    targets: tuple[Point, ...]
    """(N, 3) metres; or (1, 3), the same for all."""
    up: Point = (0.0, 0.0, 1.0)
    """What is up in the image."""
    camera: CameraSpec | None = None

    def __post_init__(self) -> None:
        if len(self.targets) not in (1, len(self.eyes)):
            raise InputError(
                f"targets: received {len(self.targets)} for {len(self.eyes)} eyes, expected as many or one"
            )

    def poses(self, scene: Scene) -> Poses:
        return _look(np.array(self.eyes).reshape(-1, 3), np.array(self.targets).reshape(-1, 3), self.up)


@dataclass(frozen=True)
class TrajectoryFile:
    """The poses of a recorded trajectory."""

    source: str
    """A file of poses of the camera in any format that is read, told by its content; or its URL."""
    frames: str = "::"
    """Which of its poses: even, odd, first, second or a:b:c."""
    camera: CameraSpec | None = None

    @property
    def files(self) -> tuple[str, ...]:
        return (self.source,)

    def beside(self, folder: Path) -> Self:
        return self if is_remote(self.source) else replace(self, source=str(folder / self.source))

    def poses(self, scene: Scene) -> Poses:
        with local_file(self.source) as path:
            poses = read_poses(path).poses
        return poses[list(selected_lines(self.frames, len(poses)))]


@dataclass(frozen=True)
class Orbit(_Computed):
    """A circle, or a part of one, around a target."""

    count: int
    """How many views, at equal angles."""
    radius: float | None = None
    """Metres from the target; the diagonal of the scene unless said."""
    elevation: float = 45.0
    """Degrees above the target's horizon."""
    target: Point | None = None
    """What is looked at, metres; the middle of the scene unless said."""
    start: float = 0.0
    """Degrees from the x axis towards y at which the first view stands."""
    turn: float = 360.0
    """Degrees to go; of a whole turn, the last view is one step before the first."""
    camera: CameraSpec | None = None

    def __post_init__(self) -> None:
        _check_counts(count=self.count)
        _check_elevations(self.elevation)

    def poses(self, scene: Scene) -> Poses:
        whole = abs(self.turn) >= 360
        azimuth = self.start + self.turn * _fractions(self.count, whole)
        elevation = np.full(self.count, self.elevation)
        return _around(scene, self.target, azimuth, elevation, np.full(self.count, _radius(scene, self.radius)))


@dataclass(frozen=True)
class Spiral(_Computed):
    """Turns around a target that rise or fall, near or widen."""

    count: int
    """How many views, at equal angles."""
    turns: float = 3.0
    """How often round; negative: clockwise, seen from above."""
    radius: tuple[float, float] | None = None
    """Metres from the target, at the first and the last view; the diagonal of the scene unless said."""
    elevation: tuple[float, float] = (20.0, 80.0)
    """Degrees above the target's horizon, at the first and the last view."""
    target: Point | None = None
    """What is looked at, metres; the middle of the scene unless said."""
    camera: CameraSpec | None = None

    def __post_init__(self) -> None:
        _check_counts(count=self.count)
        _check_elevations(*self.elevation)

    def poses(self, scene: Scene) -> Poses:
        along = _fractions(self.count, False)
        first, last = self.radius or (_radius(scene, None),) * 2
        low, high = self.elevation
        radius, elevation = first + (last - first) * along, low + (high - low) * along
        return _around(scene, self.target, 360 * self.turns * along, elevation, radius)


@dataclass(frozen=True)
class Grid(_Computed):
    """A survey from above: rows and columns of views at one height, over a rectangle."""

    rows: int
    """Along y."""
    columns: int
    """Along x."""
    altitude: float
    """Metres above the highest point of the scene."""
    pitch: float = 90.0
    """Degrees below the horizontal."""
    heading: float = 90.0
    """Degrees from the x axis towards y: where the top of the image points."""
    bounds: tuple[float, float, float, float] | None = None
    """x0, x1, y0, y1 of the outermost views, metres; those of the scene unless said."""
    camera: CameraSpec | None = None

    def __post_init__(self) -> None:
        _check_counts(rows=self.rows, columns=self.columns)
        _check_counts(**{"rows x columns": self.rows * self.columns})
        check_positive("altitude", self.altitude)
        if not 0 < self.pitch <= 90:
            raise InputError(f"pitch: received {self.pitch:g}, expected more than 0 and at most 90 degrees")

    def poses(self, scene: Scene) -> Poses:
        (x0, y0, _), (x1, y1, top) = scene.bounds(scene.upright)
        if self.bounds is not None:
            x0, x1, y0, y1 = self.bounds
        x, y = np.meshgrid(_spread(x0, x1, self.columns), _spread(y0, y1, self.rows))
        eyes = np.column_stack([x.ravel(), y.ravel(), np.full(x.size, top + self.altitude)])
        pitch, heading = math.radians(self.pitch), math.radians(self.heading)
        ahead = np.array([math.cos(heading), math.sin(heading), 0])
        forward = math.cos(pitch) * ahead - math.sin(pitch) * np.array([0, 0, 1])
        up = math.sin(pitch) * ahead + math.cos(pitch) * np.array([0, 0, 1])
        return _turned(scene, _look(eyes, eyes + forward, up))


@dataclass(frozen=True)
class Random(_Computed):
    """Views all around a target, equally likely in every direction between two elevations."""

    count: int
    """How many."""
    seed: int
    """The same seed gives the same views."""
    radius: tuple[float, float] | None = None
    """Least and greatest metres from the target; 0.75 to 1.25 diagonals of the scene unless said."""
    elevation: tuple[float, float] = (20.0, 80.0)
    """Least and greatest degrees above the target's horizon."""
    target: Point | None = None
    """What is looked at, metres; the middle of the scene unless said."""
    spread: float = 0.0
    """Standard deviation of what is looked at from the target, along each axis, metres."""
    camera: CameraSpec | None = None

    def __post_init__(self) -> None:
        _check_counts(count=self.count)
        _check_elevations(*self.elevation)
        _check_range("elevation", *self.elevation)
        if self.radius is not None:
            _check_range("radius", *self.radius)
        if self.seed < 0 or self.spread < 0:
            raise InputError(f"seed, spread: received {self.seed}, {self.spread:g}, expected 0 or more")

    def poses(self, scene: Scene) -> Poses:
        rng = np.random.default_rng(self.seed)
        diagonal = _radius(scene, None)
        nearest, farthest = self.radius or (0.75 * diagonal, 1.25 * diagonal)
        # Equal areas of a sphere lie between equal steps of height.
        low, high = np.sin(np.radians(self.elevation))
        elevation = np.degrees(np.arcsin(rng.uniform(low, high, self.count)))
        azimuth = rng.uniform(0, 360, self.count)
        radius = rng.uniform(nearest, farthest, self.count)
        aside = self.spread * rng.standard_normal((self.count, 3))
        return _around(scene, self.target, azimuth, elevation, radius, aside)


VIEWS: Mapping[str, type[Views]] = {
    "poses": PoseList,
    "look_at": LookAt,
    "trajectory": TrajectoryFile,
    "orbit": Orbit,
    "spiral": Spiral,
    "grid": Grid,
    "random": Random,
}
"""The kinds of views, by the `type` that a job file gives."""


def _around(
    scene: Scene,
    target: Point | None,
    azimuth: NDArray[np.float64],
    elevation: NDArray[np.float64],
    radius: NDArray[np.float64],
    aside: ArrayLike = 0.0,
) -> Poses:
    """Cameras around a target, at angles (N,) in degrees and distances (N,), that look at a point `aside` of it."""
    if (radius <= 0).any():
        raise InputError(f"radius: received {radius.min():g}, expected more than 0")
    middle = scene.bounds(scene.upright).mean(axis=0) if target is None else np.array(target) @ scene.upright
    azimuth, elevation = np.radians(azimuth), np.radians(elevation)
    directions = (np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation))
    eyes = middle + radius[:, None] * np.column_stack(directions)
    return _turned(scene, _look(eyes, np.broadcast_to(middle + np.asarray(aside), eyes.shape), (0.0, 0.0, 1.0)))


def _turned(scene: Scene, poses: Poses) -> Poses:
    """Poses in the world, from those (N, 4, 4) whose z is what is up in the scene; these are overwritten."""
    poses[:, :3] = scene.upright @ poses[:, :3]
    return poses


def _look(eyes: Poses, targets: Poses, up: ArrayLike) -> Poses:
    pairs = zip(eyes, np.broadcast_to(targets, eyes.shape), strict=True)
    return np.array([se3.look_at(eye, target, up) for eye, target in pairs]).reshape(-1, 4, 4)


def _radius(scene: Scene, given: float | None) -> float:
    return float(np.linalg.norm(np.diff(scene.bounds(scene.upright), axis=0))) if given is None else given


def _fractions(count: int, whole: bool) -> NDArray[np.float64]:
    """(count,) equal steps from 0 to 1, or to one step before it."""
    return np.linspace(0, 1, count, endpoint=not whole)


def _spread(low: float, high: float, count: int) -> NDArray[np.float64]:
    return np.linspace(low, high, count) if count > 1 else np.array([(low + high) / 2])


def _check_counts(**counts: int) -> None:
    for name, count in counts.items():
        if not 1 <= count <= MOST:
            raise InputError(f"{name}: received {count}, expected 1 to {MOST:,} views")


def _check_range(name: str, low: float, high: float) -> None:
    if low > high:
        raise InputError(f"{name}: received {low:g} to {high:g}, expected the lesser first")


def _check_elevations(*elevations: float) -> None:
    for elevation in elevations:
        if not -90 <= elevation <= 90:
            raise InputError(f"elevation: received {elevation:g}, expected -90 to 90 degrees")
