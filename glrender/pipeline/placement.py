"""Where a sequence's height map lies: its frame, its bounds and its spacing, from what the frames see."""

import math
from collections.abc import Callable
from collections.abc import Sequence as Sequence_
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glrender.checks import check_pose, check_positive
from glrender.errors import InputError
from glrender.frontend.planes import world_above
from glrender.geometry.camera import Camera
from glrender.io.selection import spread
from glrender.io.sequence import FrameEntry, Sequence
from glrender.pipeline.depth_points import DepthPoints, read_pixels

Float64 = NDArray[np.float64]
Bounds = tuple[float, float, float, float]

MAX_VERTICES = 1024
"""Most vertices along a side of a map whose bounds are found here."""

GROUND_VERTICES = 1536
"""The same for photographs alone: two dozen from the air see 200 to 300 m, at 7 cm a pixel, and cells are of 20 cm. A
map of so many a side still fits into 8 GB."""

CLIPPED = "clipped"
"""What `bounds_from` says where bounds do not hold all that the frames see."""

LEVEL_DEGREES = 15.0
"""A map keeps the world's z where the dominant plane is tilted by no more than this."""

_FRAMES, _PIXELS = 30, 3000  # looked at: in all, and of each frame; read in 0.3 s
_FARTHEST = 4.0  # times the camera's height over the ground
_STRAY = 0.2  # percent of the points beyond each side of the bounds
_FEWEST, _MOST = 2, 100  # cells along what is seen, and times as many as a map may have: else the unit is another
_CELL = 4.0  # pixels; a cell of the default spacing is then seen by a dozen pixels of a depth image
_GROUND_CELL = 3.0  # pixels of a photograph: a cell of more than 5, once rounded, blurs walls that matches tell apart
_TRIPLES, _SCORED, _SEED = 500, 5000, 0  # 500 triples meet a plane of a fifth of the points with 98 % certainty
_BAND = 0.03  # of the median depth: what lies this close to a plane belongs to it
_GROUND = 2 / 3  # of a wall's points: level ground that has as many is what a height map is made of


@dataclass(frozen=True, eq=False)
class GivenPlacement:
    """What is given of a placement; None: to be found."""

    T_world_map: ArrayLike | None = None
    """(4, 4) map to world."""
    bounds: Bounds | None = None
    """(x0, x1, y0, y1) metres in the map frame."""
    spacing: float | None = None
    """Metres between neighbouring vertices."""


@dataclass(frozen=True, eq=False)
class Placement:
    """A map frame and the part of it that a height map covers."""

    T_world_map: Float64
    """(4, 4) map to world."""
    bounds: Bounds
    """(x0, x1, y0, y1) metres in the map frame."""
    spacing: float
    """Metres between neighbouring vertices."""
    description: dict[str, Any]
    """These and how they were found, for `report.json`."""


def place_map(
    sequence: Sequence,
    posed: tuple[FrameEntry, ...],
    given: GivenPlacement,
    *,
    time_offset: float = 0.0,
) -> Placement:
    """Find what is not given, from the depth of up to 30 of the frames `posed` (see `Sequence.with_poses`).

    - The frame is the sequence's own; where it has none, the world's if the dominant plane is level within
      15 degrees, or level ground has two thirds as many points as that, which then is a wall's; else that plane's: z
      its normal towards the cameras, x along the world's x, the origin in its middle.
    - The spacing is the side of four pixels on the map's plane, the median, rounded to 1, 2 or 5 times a power of 10.
    - The bounds hold what the frames see but for 0.2 % of the points beyond each side; they are rounded outwards to the
      spacing, and clipped to `MAX_VERTICES` a side about the median point.

    `time_offset` (seconds) is added to a frame's time before its pose is looked up. Raises InputError where something
    is to be found and the frames have no depth to find it from.
    """
    look: Callable[[], _Sight] = cache(lambda: _look(sequence, posed, time_offset))
    frame, frame_source = given.T_world_map, "given"
    if frame is None:
        frame, frame_source = sequence.T_world_map, "T_world_map.txt"
    if frame is None:
        frame, frame_source = _find_frame(look())
    return _placed(sequence, look, replace(given, T_world_map=frame), frame_source)


def place_on_ground(
    sequence: Sequence,
    poses: Sequence_[Float64],
    level: float,
    given: GivenPlacement,
    frame_source: str,
) -> Placement:
    """`place_map` for photographs alone: they see the plane z = `level` (metres) of a map frame, which is given.

    `poses` are the photographs' T_world_camera, and `frame_source` says where the frame is from. The spacing is the
    side of three pixels. Ground farther away than four times the camera's height over it is left out, since oblique
    pixels tell little of it. InputError where no camera sees the plane from above.
    """
    assert given.T_world_map is not None
    T_world_map = check_pose("T_world_map", given.T_world_map)
    look: Callable[[], _Sight] = cache(lambda: _look_at_plane(sequence.camera, poses, level, T_world_map))
    return _placed(sequence, look, given, frame_source)


def frame_of(points: DepthPoints, time_offset: float) -> Float64:
    """T_world_map (4, 4) in which `place_map` would put a map, by some depth points and the poses of their frames.

    InputError where no plane shows in them.
    """
    posed = points.with_poses(time_offset, time_offset)
    if sum(map(len, posed.points)) < 3:
        raise InputError("depth images: next to nothing is measured by frames with poses; give T_world_map")
    poses = [posed.trajectory.at(time + time_offset) for time in posed.times]
    rays = [each @ T[:3, :3].T for each, T in zip(posed.points, poses, strict=True)]
    world = [ray + T[:3, 3] for ray, T in zip(rays, poses, strict=True)]
    depths = np.concatenate(posed.points)[:, 2]
    return _find_frame(_Sight(np.concatenate(world), np.concatenate(rays), depths, math.nan))[0]


def floor_of(camera: Camera, depth: NDArray[np.float32]) -> Float64:
    """T_world_camera (4, 4) of a world whose z points up from the plane that dominates a depth image.

    `depth` is (height, width) metres, 0 where nothing was measured. The origin is below the camera, on the plane, and
    x points to the camera's right. InputError where there is no plane.
    """
    pixels = _few_pixels(camera)
    z = depth[pixels].astype(np.float64)
    seen = np.isfinite(z) & (z > 0)
    if seen.sum() < 3:
        raise InputError("depth image: measured next to nothing, so no floor shows in it")
    points = camera.rays()[pixels][seen] * z[seen, None]
    normal, middle = _dominant_plane(_Sight.of(camera, [points], [points], [z[seen]]))
    return world_above(normal, -float(normal @ middle))


def _placed(
    sequence: Sequence,
    look: "Callable[[], _Sight]",
    given: GivenPlacement,
    frame_source: str,
) -> Placement:
    assert given.T_world_map is not None
    T = check_pose("T_world_map", given.T_world_map)
    spacing, spacing_source = given.spacing, "given"
    if spacing is None:
        spacing, spacing_source = _choose_spacing(look(), T), f"{look().cell:g} pixels on the ground, rounded"
    spacing = check_positive("spacing", spacing)
    bounds, bounds_source = given.bounds, "given"
    if bounds is None:
        bounds, clipped = _find_bounds(look(), T, spacing, spacing_source)
        most = look().most_vertices
        limit = f"{most} vertices or {(most - 1) * spacing:g} m a side"
        bounds_source = "what the frames see, " + (f"{CLIPPED} to {limit}" if clipped else f"within {limit}")
    description = {
        "T_world_map": T,
        "T_world_map_from": frame_source,
        "spacing": spacing,
        "spacing_from": spacing_source,
        "bounds": bounds,
        "bounds_from": bounds_source,
        "crs": sequence.crs,
    }
    return Placement(T, bounds, spacing, description)


@dataclass(frozen=True, eq=False)
class _Sight:
    """What a few pixels of a few frames see."""

    points: Float64
    """(n, 3) world."""
    rays: Float64
    """(n, 3) from the camera to each point, world axes, metres."""
    depths: Float64
    """(n,) camera z, metres."""
    focal: float
    """Pixels."""
    cell: float = _CELL
    """Pixels that a cell of the map is to be wide."""
    most_vertices: int = MAX_VERTICES
    """Along a side of the map."""

    @staticmethod
    def of(camera: Camera, points: list[Float64], rays: list[Float64], depths: list[Float64]) -> "_Sight":
        """What a camera sees in some frames, each an item of the lists."""
        focal = math.sqrt(camera.fx * camera.fy)
        return _Sight(np.concatenate(points), np.concatenate(rays), np.concatenate(depths), focal)


def _few_pixels(camera: Camera) -> tuple[slice, slice]:
    """About `_PIXELS` pixels, spread evenly over an image."""
    step = camera.step_leaving(_PIXELS)
    return np.s_[step // 2 :: step, step // 2 :: step]


def _look(sequence: Sequence, posed: tuple[FrameEntry, ...], time_offset: float) -> _Sight:
    """Back-project some pixels of frames spread over the sequence; damaged ones are left to whoever uses them."""
    deep = [entry for entry in posed if entry.depth_path is not None]
    if not deep:
        raise InputError(
            f"{sequence.folder}: no depth to place the map from; give T_world_map, the bounds and the spacing"
        )
    trajectory = sequence.given_trajectory()
    camera = sequence.camera
    rays, points, depths = [], [], []
    chosen = [deep[k] for k in spread(len(deep), _FRAMES)]
    for entry, directions, z in read_pixels(sequence, chosen, _few_pixels(camera)):
        T_world_camera = trajectory.at(entry.time + time_offset)
        ray = (directions * z[:, None]) @ T_world_camera[:3, :3].T
        rays.append(ray)
        points.append(ray + T_world_camera[:3, 3])
        depths.append(z)
    if sum(map(len, points)) < 3:
        raise InputError(
            f"{sequence.folder}: the depth images measured next to nothing, so the map cannot be placed from them; "
            "give T_world_map, the bounds and the spacing"
        )
    return _Sight.of(camera, points, rays, depths)


def _look_at_plane(camera: Camera, poses: Sequence_[Float64], level: float, T_world_map: Float64) -> _Sight:
    """What some pixels of some photographs see of the plane z = level of the map frame."""
    directions = camera.rays()[_few_pixels(camera)].reshape(-1, 3)
    rays, points, depths = [], [], []
    for k in spread(len(poses), _FRAMES):
        above = float((poses[k][:3, 3] - T_world_map[:3, 3]) @ T_world_map[:3, 2]) - level
        ray = directions @ poses[k][:3, :3].T
        with np.errstate(divide="ignore"):
            z = -above / (ray @ T_world_map[:3, 2])
        seen = (above > 0) & (z > 0) & (z * np.linalg.norm(ray, axis=1) < _FARTHEST * above)
        rays.append(ray[seen] * z[seen, None])
        points.append(rays[-1] + poses[k][:3, 3])
        depths.append(z[seen])
    if sum(map(len, points)) < 3:
        raise InputError(
            f"photographs: none of {len(poses)} cameras sees the ground at {level:.3g} m of the map frame from above; "
            "check the poses and the map frame"
        )
    return replace(_Sight.of(camera, points, rays, depths), cell=_GROUND_CELL, most_vertices=GROUND_VERTICES)


def tilt_of(normal: Float64) -> float:
    """Degrees between a unit normal (3,) and the world's z."""
    return math.degrees(math.acos(np.clip(normal[2], -1, 1)))


def frame_on(normal: Float64, middle: Float64) -> Float64:
    """T_world_map (4, 4) whose z is a unit normal (3,), with its origin at `middle` (3,)."""
    # The world's x seen along the normal; its y where x is the normal itself.
    x = next(axis - (axis @ normal) * normal for axis in np.eye(3) if abs(axis @ normal) < 0.99)
    x /= np.linalg.norm(x)
    T = np.eye(4)
    T[:3, :3] = np.stack([x, np.cross(normal, x), normal], axis=1)
    T[:3, 3] = middle
    return T


def _find_frame(sight: _Sight) -> tuple[Float64, str]:
    normal, middle = _dominant_plane(sight)
    tilt = tilt_of(normal)
    if tilt <= LEVEL_DEGREES:
        return np.eye(4), f"the world's: the dominant plane is level within {tilt:.1f} degrees"
    band = _BAND * float(np.median(sight.depths))
    share = float(np.mean(np.abs((sight.points - middle) @ normal) < band))
    level = _share_of_ground(sight, band)
    if level >= _GROUND * share:
        return np.eye(4), f"the world's: level ground is {level:.0%} of what is seen, and a wall {share:.0%}"
    return frame_on(normal, middle), f"the dominant plane, tilted by {tilt:.1f} degrees"


def _share_of_ground(sight: _Sight, band: float) -> float:
    """Part of the points that are at one height of the world, within `band` metres, and below the camera."""
    heights = np.sort(sight.points[sight.rays[:, 2] < 0, 2])
    within = np.searchsorted(heights, heights + 2 * band) - np.arange(len(heights))
    return int(within.max(initial=0)) / len(sight.points)


def _dominant_plane(sight: _Sight) -> tuple[Float64, Float64]:
    """(unit normal towards the cameras, middle of its points): the plane that most points are close to."""
    rng = np.random.default_rng(_SEED)
    band = _BAND * float(np.median(sight.depths))
    centre = sight.points.mean(axis=0)  # far from the origin, products of coordinates would lose digits
    points = sight.points - centre
    corners = points[rng.integers(len(points), size=(_TRIPLES, 3))]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    lengths = np.linalg.norm(normals, axis=1)
    wide = lengths > band**2  # of a thin triangle the normal is noise
    if not wide.any():
        raise InputError("depth images: all points lie on one line, so there is no plane; give T_world_map")
    normals = normals[wide] / lengths[wide, None]
    scored = points[rng.permutation(len(points))[:_SCORED]]
    distances = scored @ normals.T - np.einsum("ij,ij->i", corners[wide, 0], normals)
    best = int(np.argmin(np.minimum(np.square(distances), band**2).sum(axis=0)))
    normal, middle = normals[best], corners[wide, 0][best]
    for _ in range(5):  # least squares of the points that are close, which then are a few others
        close = points[np.abs((points - middle) @ normal) < band]
        middle = close.mean(axis=0)
        normal = np.linalg.svd(close - middle, full_matrices=False)[2][2]
    if np.median(sight.rays @ normal) > 0:
        normal = -normal
    return normal, middle + centre


def _choose_spacing(sight: _Sight, T_world_map: Float64) -> float:
    # A pixel covers (z / f)² where it faces the camera, and more where it meets the plane at an angle.
    obliqueness = np.abs(sight.rays @ T_world_map[:3, 2]) / sight.depths
    side = np.median(sight.depths / sight.focal / np.sqrt(np.maximum(obliqueness, 1e-6)))
    return _round_125(sight.cell * float(side))


def _round_125(value: float) -> float:
    """The nearest, by ratio, of 1, 2 and 5 times a power of 10."""
    power = math.floor(math.log10(value))
    choices = [float(f"{digit}e{exponent}") for exponent in (power, power + 1) for digit in (1, 2, 5)]
    return min(choices, key=lambda choice: abs(math.log(choice / value)))


def _find_bounds(sight: _Sight, T_world_map: Float64, spacing: float, spacing_source: str) -> tuple[Bounds, bool]:
    most_vertices = sight.most_vertices
    places = (sight.points - T_world_map[:3, 3]) @ T_world_map[:3, :2]
    seen = np.percentile(places, [_STRAY, 50, 100 - _STRAY], axis=0) / spacing
    wide, deep = cells = seen[2] - seen[0]
    if not _FEWEST <= cells.max() <= _MOST * most_vertices:
        raise InputError(
            f"spacing: received {spacing:g} m ({spacing_source}), but the frames see {wide * spacing:.3g} x "
            f"{deep * spacing:.3g} m, {wide:.3g} x {deep:.3g} cells; expected metres between vertices, metres in the "
            "trajectory, and in camera.yaml the depth_scale that makes metres of depths"
        )
    ends: list[float] = []
    clipped = False
    for low, middle, high in seen.T:
        first, last = math.floor(low), max(math.ceil(high), math.floor(low) + 1)
        if last - first > most_vertices - 1:
            clipped = True
            first = int(np.clip(round(middle) - most_vertices // 2, first, last - most_vertices + 1))
            last = first + most_vertices - 1
        ends += [round(first * spacing, 9), round(last * spacing, 9)]
    return (ends[0], ends[1], ends[2], ends[3]), clipped
