"""Where the camera goes: a fly-over in lanes, an orbit, or a rover's drive, always looking at the terrain."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from glrender.checks import check_choice, check_positive
from glrender.errors import InputError
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.simulate.terrain import fill_unknown

Points = NDArray[np.float64]

DENSE = 4000
"""Points along a path's curve before its frames are spaced equally on it."""

MOST_LANES = 200
"""The most lanes of a fly-over: with so many, there are still ten points of the curve on each."""


@dataclass(frozen=True)
class PathDefaults:
    """How a path runs where nothing else is said."""

    altitude: float
    """Height above the ground, as a share of the terrain's shorter side."""
    pitch: float
    """Degrees below the horizontal."""


PATHS = {
    "flyover": PathDefaults(altitude=0.5, pitch=70.0),
    "orbit": PathDefaults(altitude=0.5, pitch=55.0),
    "rover": PathDefaults(altitude=0.15, pitch=40.0),
}


def make_path(
    kind: str,
    surface: HeightMap,
    camera: Camera,
    frames: int,
    altitude: float | None = None,
    pitch: float | None = None,
) -> NDArray[np.float64]:
    """(frames, 4, 4) poses T_world_camera above `surface`, whose map frame must be the world.

    `flyover` follows lanes along y that together see the terrain, heading +y; `orbit` goes round the middle
    once; `rover` drives a figure of eight, looking ahead and leaning with the ground. Every camera is at
    least `altitude` metres above the ground below it and looks at a point of the ground about `pitch` degrees below
    the horizontal; what is left out comes from PATHS. Raises InputError on numbers that make no path.
    """
    check_choice("path", kind, PATHS)
    if frames < 1:
        raise InputError(f"frames: received {frames}, expected at least 1")
    short = (min(surface.shape) - 1) * surface.spacing
    altitude = PATHS[kind].altitude * short if altitude is None else check_positive("altitude", altitude)
    pitch = PATHS[kind].pitch if pitch is None else check_positive("pitch", pitch)
    if pitch > 90 or (pitch == 90 and kind != "flyover"):
        limit = "at most 90 degrees" if kind == "flyover" else "less than 90 degrees"
        raise InputError(f"pitch: received {pitch:g}, expected {limit} below the horizontal for the path {kind!r}")

    ground = _Ground(surface, altitude / 3 if kind == "rover" else altitude)
    # Over the smoothed ground the path is smooth; raised by its highest bump it is clear of the ground as it is.
    height = altitude + ground.bump
    reach = height * math.cos(math.radians(pitch)) / math.sin(math.radians(pitch))
    if kind == "flyover":
        eyes, targets = _flyover(ground, camera, frames, height, math.radians(pitch), reach)
    elif kind == "orbit":
        eyes, targets = _orbit(ground, frames, reach)
    else:
        eyes, targets = _rover(ground, frames, reach)

    eyes_3d = np.column_stack([eyes, ground.level(eyes) + height])
    targets_3d = np.column_stack([targets, ground.level(targets)])
    up = ground.normals(eyes) if kind == "rover" else np.tile((0.0, 0.0, 1.0), (frames, 1))
    return np.stack([se3.look_at(*view) for view in zip(eyes_3d, targets_3d, up, strict=True)])


class _Ground:
    """The smoothed ground at any place (x, y); beyond the terrain that of its nearest edge."""

    def __init__(self, surface: HeightMap, smoothing: float) -> None:
        heights = fill_unknown(surface.heights)
        # Beyond the size of the terrain more smoothing changes nothing, but its kernel would take all memory.
        self._heights = ndimage.gaussian_filter(
            heights, min(smoothing / surface.spacing, max(surface.shape)), mode="nearest"
        )
        self._along_y, self._along_x = np.gradient(self._heights, surface.spacing)
        self.bump = float(np.max(heights - self._heights))
        """By how much the ground itself rises above the smoothed one, metres."""
        self._spacing = surface.spacing
        self.low = np.array(surface.origin)
        """(2,) smallest x and y of the terrain, metres."""
        self.size = (np.array(surface.shape[::-1]) - 1) * surface.spacing
        """(2,) extent along x and y, metres."""
        self.middle = self.low + self.size / 2
        """(2,) x and y of the middle, metres."""

    def level(self, places: Points) -> Points:
        """(N,) heights of the smoothed ground, metres."""
        return self._look_up(self._heights, places)

    def normals(self, places: Points) -> Points:
        """(N, 3) upward normals of the smoothed ground, not of unit length."""
        slopes = [-self._look_up(along, places) for along in (self._along_x, self._along_y)]
        return np.column_stack([*slopes, np.ones(len(places))])

    def _look_up(self, layer: Points, places: Points) -> Points:
        at = ((places - self.low) / self._spacing).T[::-1]
        return ndimage.map_coordinates(layer, at, order=1, mode="nearest")


def _flyover(
    ground: _Ground, camera: Camera, frames: int, height: float, pitch: float, reach: float
) -> tuple[Points, Points]:
    # What one image sees of level ground: to each side of its middle, and behind and ahead of it.
    half = math.atan2(camera.height / 2, camera.fy)
    aside = height / math.sin(pitch) * camera.width / 2 / camera.fx
    behind = reach - height / math.tan(min(pitch + half, math.radians(150)))
    ahead = height / math.tan(max(pitch - half, math.radians(30))) - reach
    # Lanes and turns stay inside by a little less, for the sake of the border, and of the relief, which hides some of
    # the ground; neighbouring lanes share at least half of what they see.
    low = ground.low + 0.8 * np.array([aside, behind])
    high = ground.low + ground.size - 0.8 * np.array([aside, ahead])
    inside = np.maximum(high - low, 0.0)
    lanes = math.ceil(inside[0] / aside) + 1
    if lanes > MOST_LANES:
        raise InputError(
            f"altitude: {height:g} m above the ground a fly-over needs {lanes} lanes, expected at most {MOST_LANES}; "
            "fly higher, look wider, or over less terrain"
        )
    across = np.linspace(-0.5, 0.5, lanes) if lanes > 1 else np.zeros(1)
    corners = [(x, y) for k, x in enumerate(across) for y in ((-0.5, 0.5) if k % 2 == 0 else (0.5, -0.5))]
    lines = np.where(inside > 0, (low + high) / 2, ground.middle) + inside * np.array(corners)
    targets = _equally_spaced(lines, frames, rounding=aside / 2)
    return targets - (0.0, reach), targets


def _orbit(ground: _Ground, frames: int, reach: float) -> tuple[Points, Points]:
    angle = 2 * np.pi * np.arange(frames) / frames - np.pi / 2
    eyes = ground.middle + reach * np.column_stack([np.cos(angle), np.sin(angle)])
    return eyes, np.tile(ground.middle, (frames, 1))


def _rover(ground: _Ground, frames: int, reach: float) -> tuple[Points, Points]:
    # A lemniscate, half as wide again as Bernoulli's: of the figures of eight it has about the gentlest turns.
    t = np.linspace(0, 2 * np.pi, DENSE)
    eight = np.column_stack([np.sin(t), 1.5 * np.sin(t) * np.cos(t)]) / (1 + np.cos(t)[:, None] ** 2)
    eight = ground.middle + 0.65 * ground.size / 2 * eight
    # One more than asked for: the last would be the first again.
    eyes = _equally_spaced(eight, frames + 1)
    ahead = _equally_spaced(eight, 100 * frames + 1)[1 : 100 * frames : 100] - eyes[:-1]
    heading = ahead / np.linalg.norm(ahead, axis=1, keepdims=True)
    margin = 0.05 * ground.size
    # Near the edge it looks inwards rather than past the terrain.
    targets = np.clip(eyes[:-1] + reach * heading, ground.low + margin, ground.low + ground.size - margin)
    return eyes[:-1], targets


def _equally_spaced(line: Points, count: int, rounding: float = 0.0) -> Points:
    """(count, 2) points at equal distances along a line (…, 2), its corners rounded over about `rounding` metres."""
    line = _at_equal_distances(line, DENSE)
    step = np.linalg.norm(np.diff(line, axis=0), axis=1).sum() / DENSE
    if rounding and step:
        # Beyond the length of the line more rounding changes nothing, but its kernel would take all memory.
        width = min(rounding / 3 / step, DENSE)
        line = _at_equal_distances(ndimage.gaussian_filter1d(line, width, axis=0, mode="nearest"), DENSE)
    return _at_equal_distances(line, count)


def _at_equal_distances(line: Points, count: int) -> Points:
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    at = np.linspace(0, along[-1], count) if count > 1 else np.array([along[-1] / 2])
    return np.column_stack([np.interp(at, along, line[:, axis]) for axis in (0, 1)])
