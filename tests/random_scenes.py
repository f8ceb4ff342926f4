"""Height maps and camera poses by seed, for every test that wants to try many of them.

A scene is made in the map's own frame and then placed in the world, so that far origins and tilted maps
differ from near and level ones in nothing but their placement.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation

from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap

CHANNELS = (3, 1, 0)
VIEWS = ("above", "oblique", "inside")
UNSEEING_VIEWS = ("below", "away", "beside")
UTM = (448_262.75, 5_411_932.5)
"""Easting and northing of a place on Earth, metres."""


@dataclass(frozen=True, eq=False)
class Scene:
    """A map and a camera over it."""

    name: str
    surface: HeightMap
    camera: Camera
    T_world_camera: NDArray[np.float64]
    """(4, 4) camera to world."""

    def __str__(self) -> str:
        return self.name


def random_scene(
    seed: int,
    *,
    view: str = "above",
    channels: int = 3,
    shape: tuple[int, int] = (13, 17),
    image: tuple[int, int] = (40, 30),
    roughness: float = 0.3,
    smoothing: float = 0.0,
    holes: float = 0.0,
    placed: bool = False,
    origin: tuple[float, float] = (-0.7, 0.4),
) -> Scene:
    """A scene that depends on `seed` and on what is asked for, and on nothing else.

    `view`: "above" looks steeply down, "oblique" across the map from beside it, "inside" stands on it (part
    of the map lies behind the camera); of VIEWS all see the map, of UNSEEING_VIEWS none. `channels`: 3, 1, or 0
    for a map without colours. `shape` (rows, cols), `image` (width, height). `roughness`: standard deviation
    of the heights in units of the spacing; `smoothing`: cells that they are filtered over. `holes`: share of NaN
    heights. `placed`: give the map a T_world_map with any rotation.
    """
    rng = np.random.default_rng(seed)
    surface = _random_map(rng, channels, shape, roughness, smoothing, holes, placed, origin)
    width, height = image
    focal = rng.uniform(0.8, 1.3) * max(width, 8)
    cx, cy = (width - 1) / 2 + rng.uniform(-2, 2), (height - 1) / 2 + rng.uniform(-2, 2)
    camera = Camera(width, height, focal, focal * rng.uniform(0.9, 1.1), cx, cy)
    T_map_camera = _random_pose(rng, view, surface)
    name = f"{seed}-{view}-{channels}-{shape[0]}x{shape[1]}"
    return Scene(name, surface, camera, surface.pose @ T_map_camera)


def _random_map(
    rng: np.random.Generator,
    channels: int,
    shape: tuple[int, int],
    roughness: float,
    smoothing: float,
    holes: float,
    placed: bool,
    origin: tuple[float, float],
) -> HeightMap:
    spacing = rng.uniform(0.05, 0.2)
    heights = gaussian_filter(rng.normal(size=shape), smoothing)
    heights *= roughness * spacing / heights.std()
    heights += rng.uniform(-1, 1)
    colors = rng.uniform(size=(*shape, channels)) if channels else None
    heights[rng.uniform(size=shape) < holes] = np.nan
    T_world_map = None
    if placed:
        T_world_map = np.eye(4)
        T_world_map[:3, :3] = Rotation.random(random_state=int(rng.integers(1 << 31))).as_matrix()
        T_world_map[:3, 3] = rng.uniform(-20, 20, 3)
    return HeightMap(heights, spacing, origin, colors, T_world_map)


def _random_pose(rng: np.random.Generator, view: str, surface: HeightMap) -> NDArray[np.float64]:
    """T_map_camera (4, 4)."""
    rows, cols = surface.shape
    size = surface.spacing * np.array([cols - 1, rows - 1])
    reach = min(size)
    level, top = np.nanmean(surface.heights), np.nanmax(surface.heights)
    target = np.array([*(surface.origin + size * rng.uniform(0.35, 0.65, 2)), level])
    angle = rng.uniform(0, 2 * np.pi)
    heading = np.array([np.cos(angle), np.sin(angle), 0.0])
    up = np.array([0.0, 0.0, 1.0])
    match view:
        case "above":
            eye = target + reach * (rng.uniform(0.7, 1.1) * up + rng.uniform(0, 0.4) * heading)
        case "oblique":
            eye = target - max(size) * heading + (top - level + rng.uniform(0.3, 0.6) * max(size)) * up
        case "inside":
            eye = target + (top - level + rng.uniform(0.5, 1.5) * surface.spacing) * up
            target = eye + reach * (heading - rng.uniform(0.2, 0.7) * up)
        case "below":
            eye = target - (top - level + rng.uniform(2, 20) * surface.spacing + reach) * up
        case "away":
            eye = target + (top - level + reach) * up
            target = eye + heading + 2 * up
        case "beside":
            eye = target + 3 * max(size) * heading + reach * up
            target = eye + heading
        case _:
            raise ValueError(f"view: received {view!r}")
    T = se3.look_at(eye, target)
    roll = np.eye(4)
    roll[:3, :3] = Rotation.from_rotvec([0, 0, rng.uniform(-np.pi, np.pi)]).as_matrix()
    return T if view in ("away", "beside") else T @ roll


SEEING_SCENES = (
    random_scene(1),
    random_scene(2, channels=1),
    random_scene(3, channels=0),
    random_scene(4, view="oblique", roughness=1.0),
    random_scene(5, view="oblique", channels=1, smoothing=2.0),
    random_scene(6, view="oblique", channels=0),
    random_scene(7, view="inside"),
    random_scene(8, view="inside", channels=1, holes=0.1),
    random_scene(9, view="inside", channels=0, smoothing=1.0),
    random_scene(10, holes=0.1),
    random_scene(11, placed=True),
    random_scene(12, view="oblique", channels=1, holes=0.1, placed=True),
    random_scene(13, view="inside", placed=True),
    random_scene(14, origin=UTM),
    random_scene(15, view="inside", channels=1, origin=UTM),
    random_scene(16, view="oblique", channels=0, origin=UTM, placed=True),
    random_scene(17, roughness=2.0),
    random_scene(18, roughness=0.02, channels=1),
    random_scene(19, view="oblique", smoothing=3.0),
    random_scene(20, image=(1, 1)),
    random_scene(21, image=(50, 1), channels=1),
    random_scene(22, shape=(2, 2)),
    random_scene(23, shape=(2, 3), channels=0),
    random_scene(24, shape=(2, 200)),
    random_scene(25, shape=(150, 3), channels=1),
    random_scene(26, shape=(60, 50)),
    random_scene(27, shape=(60, 50), view="oblique", channels=1),
)
"""Scenes that are seen: every kind of colour, view, roughness, placement and of odd sizes."""

UNSEEN_SCENES = tuple(
    random_scene(seed, view=UNSEEING_VIEWS[seed % 3], channels=CHANNELS[seed // 3], placed=seed % 2 == 1)
    for seed in range(9)
)
"""Scenes of which no pixel sees anything."""
