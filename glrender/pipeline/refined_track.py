"""Tracked poses refined by what their photographs have in common, and what that leaves uncertain of the ground.

While the camera is followed, only the newest keyframes are adjusted together, in a world that is as level as the ground
was under the first of them. The bundle adjustment of all needs of the tracked poses nothing but their frame, that is
place, direction and roughly scale of all together, so that they are hardly a prior. Then all of the ground makes the
world level. The scale is told again by what told it at the start: the height above the level of what the first
photograph shows, the way from the first to the last of the start's photographs, or, by odometry, all of the way.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from glrender.assembly.statistics import SIGMA_PER_MEDIAN
from glrender.frontend.bootstrap import Start
from glrender.frontend.planes import levelled
from glrender.frontend.point_matches import Corners
from glrender.frontend.refine_poses import RefinedPoses, refine_poses
from glrender.fusion.displacement import Displacement
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.io.sequence import FrameEntry, FramePoses, Sequence, trajectory_of
from glrender.io.trajectory import Trajectory
from glrender.pipeline.ground import LEVEL
from glrender.pipeline.refined_start import RefinedStart, describe_refinement, level_seen, unread
from glrender.pipeline.refinement_turns import read_photographs, refine_in_turns

Float64 = NDArray[np.float64]

FREE = 0.2
"""Of the distance to the ground, and radians: what single poses are taken to be off by."""
PIECE = 0.25
"""Of the distance to the ground: of a way that odometry and photographs compare, so that wheels that slip spoil single
pieces, while a heading that drifts bends none of them."""
FEWEST_PIECES = 10
"""That tell by how much they disagree: of three the median deviation is often next to nothing, of ten seldom."""
FEWEST_PLACES = 6
"""Of the ground, that its level is told from; in the first photograph, that its height above the ground is."""


@dataclass(frozen=True, eq=False)
class RefinedTrack(RefinedStart):
    """Tracked poses, refined, and what the tracked ones were off by."""

    displaced: Displacement | None
    """`displacement` of a map made from the poses as they were tracked: with squares of what those were off by."""


@dataclass(frozen=True)
class Scale:
    """What lengths are to be multiplied by."""

    factor: float
    sigma: float
    """Standard deviation, as a share."""


def refine_track(
    sequence: Sequence,
    photographs: tuple[FrameEntry, ...],
    keyframes: tuple[FrameEntry, ...],
    poses: FramePoses,
    start: Start,
    started_by: tuple[FrameEntry, ...],
    odometry: Trajectory | None = None,
) -> RefinedTrack:
    """The photographs' poses at which they agree, see `glrender.frontend.refine_poses`, by the keyframes' corners.

    `poses` are tracked from `start` on, made of the photographs `started_by`; the ground of their world is about the
    plane z = 0. `odometry` is the camera's, where there is any. InputError if fewer than two of the photographs can be
    read, or if none shows a point of another.
    """
    entries, prepared = read_photographs(sequence, photographs, keyframes)
    given = np.stack([poses[entry.index] for entry in entries])
    times = np.array([entry.time for entry in entries])
    distance = float(np.median([LEVEL.distance(pose, np.eye(4)) for pose in given]))
    planes = np.stack([level_seen(LEVEL, pose, np.eye(4)) for pose in given])
    prior = FREE * distance, FREE

    def refine(prepared: list[Corners], given: Float64, before: RefinedPoses | None) -> RefinedPoses:
        return refine_poses(
            sequence.camera, prepared, given, planes, prior, times=times, mounted=False, free=True, before=before
        )

    settled = refine_in_turns(sequence, entries, prepared, keyframes, refine, lambda clock: given)
    numbers = {entry.index: k for k, entry in enumerate(entries)}
    first, last = (numbers.get(started_by[k].index) for k in (0, -1))
    refined = settled.refined
    places = refined.rounds[-1].ground.places
    if len(places) >= FEWEST_PLACES:
        turn = levelled(places, refined.poses[first or 0, :3, 3]).turn
        given, refined = turn @ given, _moved(refined, turn)
    driven = None
    if odometry is not None and start.scale == "odometry":
        driven = by_odometry(refined.poses[:, :3, 3], times, odometry, PIECE * distance)
    scale = driven or _scale(sequence.camera, refined, start, first, last)
    scaled = refined.poses.copy()
    scaled[:, :3, 3] *= scale.factor
    errors = refined.rounds[-1].ground
    places = scale.factor * errors.places
    from_middle = places - scaled[:, :3, 3].mean(axis=0)
    covariances = scale.factor**2 * errors.covariances
    covariances += scale.sigma**2 * from_middle[:, :, None] * from_middle[:, None, :]
    # To first order, all depths with them: and lengths that are to be multiplied by the factor are too short by it.
    off = -np.concatenate([se3.log(se3.inverse(a) @ b) for a, b in zip(refined.poses, given, strict=True)])
    displaced = (errors.by_poses @ off).reshape(-1, 3) + (1 - scale.factor) * from_middle
    by_index = {entry.index: pose for entry, pose in zip(entries, scaled, strict=True)}
    description = describe_refinement(settled, unread(photographs, entries))
    description["pose_refinement"] |= {"scaled_by": scale.factor, "scale_sigma": scale.sigma}
    return RefinedTrack(
        {**poses, **by_index},
        trajectory_of(entries, by_index),
        Displacement.in_frame(np.eye(4), places, covariances),
        {"poses_from": "tracked and refined"} | description,
        settled.shutter.scaled(scale.factor),
        settled.lens,
        Displacement.in_frame(np.eye(4), places / scale.factor, covariances + _around(places, displaced, distance)),
    )


def _moved(refined: RefinedPoses, T: Float64) -> RefinedPoses:
    """The same in a world that is moved by T (4, 4)."""
    last = refined.rounds[-1]
    state = replace(last.state, poses=T @ last.state.poses)
    moved = replace(last, state=state, ground=last.ground.moved(T), shift=T[:3, :3] @ last.shift @ T[:3, :3].T)
    return replace(refined, rounds=(*refined.rounds[:-1], moved))


def _around(places: Float64, displaced: Float64, distance: float) -> Float64:
    """(K, 3, 3): mean squares of what places (K, 3) are displaced by, over those within half of the camera's distance:
    what was off goes through 0 somewhere, and is no better known there."""
    if not len(places):
        return np.zeros((0, 3, 3))
    squares = displaced[:, :, None] * displaced[:, None, :]
    tree = KDTree(places)
    return np.stack([squares[near].mean(axis=0) for near in tree.query_ball_point(places, distance / 2)])


def _scale(camera: Camera, refined: RefinedPoses, start: Start, first: int | None, last: int | None) -> Scale:
    """As what told it at the start tells it now, of whose photographs these are the `first` and the `last`, if read."""
    if first is not None and start.scale in ("camera height", "scale", "unknown"):
        return _by_height(camera, refined, first, start)
    if first is not None and last is not None:
        return _by_way(refined, first, last, start)
    return Scale(1.0, start.scale_sigma)


def _by_height(camera: Camera, refined: RefinedPoses, first: int, start: Start) -> Scale:
    found = above_ground(camera, refined.poses[first], refined.rounds[-1].ground.places)
    if found is None:
        return Scale(1.0, start.scale_sigma)
    height, sigma = found
    # Without any measure the first camera's height is 1 by definition, and what 1 is in metres is said as it is.
    return Scale(start.camera_height / height, sigma / height if start.scale == "camera height" else 0.0)


def _by_way(refined: RefinedPoses, first: int, last: int, start: Start) -> Scale:
    way = float(np.linalg.norm(refined.poses[last, :3, 3] - refined.poses[first, :3, 3]))
    told = float(np.linalg.norm(start.poses[-1][:3, 3] - start.poses[0][:3, 3]))
    variance = sum(np.trace(refined.rounds[-1].ground.poses[k, :3, :3]) / 3 for k in (first, last))
    return Scale(told / way, float(np.sqrt(variance)) / way)


def by_odometry(places: Float64, times: Float64, odometry: Trajectory, piece: float) -> Scale | None:
    """What makes ways between the `places` (N, 3) at `times` (N,) as long as by odometry; None: too few pieces of it.

    The median of pieces that are about so long, in the unit of the places, since wheels slip. What odometry has wrong
    everywhere alike, such as the size of a wheel, no piece tells.
    """
    covered = [k for k, time in enumerate(times) if odometry.covers(time)]
    ratios, begin = [], covered[0] if covered else 0
    for k in covered:
        way = float(np.linalg.norm(places[k] - places[begin]))
        if way >= piece:
            driven = odometry.at(times[k])[:3, 3] - odometry.at(times[begin])[:3, 3]
            ratios.append(float(np.linalg.norm(driven)) / way)
            begin = k
    if len(ratios) < FEWEST_PIECES:
        return None
    factor = float(np.median(ratios))
    scatter = SIGMA_PER_MEDIAN * float(np.median(np.abs(np.array(ratios) - factor)))
    # A median's own standard deviation, of many that scatter normally.
    return Scale(factor, float(np.sqrt(np.pi / 2 / len(ratios))) * scatter / factor) if factor > 0 else None


def above_ground(camera: Camera, T_world_camera: Float64, places: Float64) -> tuple[float, float] | None:
    """How high a camera is above the ground on which what carries it stands, and the standard deviation.

    The places (K, 3), in the world, that its image shows have a level, and that ground differs from it as the quarters
    of the image do, each of which shows ground of its own (the variance of one more of them, s² (1 + 1/4)). None where
    there are too few.
    """
    pixels = camera.project(se3.transformed(se3.inverse(T_world_camera), places))
    shown = np.flatnonzero(camera.contains(pixels))
    if len(shown) < FEWEST_PLACES:
        return None
    halves = np.array_split(shown[np.argsort(pixels[shown, 1])], 2)
    quarters = [part for half in halves for part in np.array_split(half[np.argsort(pixels[half, 0])], 2)]
    # Medians: things that lie on the ground are not the ground, nor is a place whose depth is wrong.
    levels = [float(np.median(places[part, 2])) for part in quarters]
    height = float(T_world_camera[2, 3]) - float(np.median(places[shown, 2]))
    return height, float(np.std(levels, ddof=1)) * np.sqrt(1 + 1 / len(levels))
