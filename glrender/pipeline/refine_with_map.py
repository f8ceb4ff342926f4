"""Given poses refined together with the map of what the photographs show from them."""

from collections.abc import Sequence as Sequence_
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glrender.errors import InputError
from glrender.frontend.refine_poses import RefinedPoses, refine_poses
from glrender.geometry import se3
from glrender.geometry.heightmap import HeightMap
from glrender.geometry.intensity import intensity
from glrender.gl.context import Context
from glrender.io.images import FrameError
from glrender.io.sequence import FrameEntry, Sequence
from glrender.pipeline.fuse import SequenceOptions
from glrender.pipeline.ground import Ground
from glrender.pipeline.keyframe_fusion import KeyframeFusion, Poses
from glrender.pipeline.placement import Placement

Float64 = NDArray[np.float64]

POSITION_SIGMA = 0.02
"""Of the distance to the ground: what given positions are taken to be off by, unless it is said."""
ROTATION_SIGMA = 0.01
"""Radians that given rotations are taken to be off by, beside what all have wrong alike, unless it is said."""
LEVEL_SIGMA = np.radians(0.5)
"""Radians that ground which was taken to be level may be tilted by."""
SCALE_SIGMA = 0.05
"""By what share poses that were refined about ground of an assumed height may be too far apart, or too near."""


@dataclass(frozen=True, eq=False)
class RefinedWithMap:
    """Poses, and how they came about."""

    poses: Poses
    options: SequenceOptions
    """To fuse with: what `pose_sigma` said of the given poses does not hold of these."""
    description: dict[str, Any]
    """For `report.json`."""


def refine_with_map(
    context: Context,
    sequence: Sequence,
    keyframes: tuple[FrameEntry, ...],
    poses: Poses,
    ground: Ground,
    placement: Placement,
    options: SequenceOptions,
) -> RefinedWithMap:
    """The keyframes' poses at which they agree: on level ground first, then on the relief that comes of that.

    After each round the poses are laid over the given positions again, since poses that were refined about ground of an
    assumed level and tilt agree with that. InputError if fewer than two of the photographs can be read.
    """
    entries, photographs = _read(sequence, keyframes)
    given = np.stack([poses[entry.index] for entry in entries])
    distance = float(np.median([ground.distance(pose, placement.T_world_map) for pose in given]))
    said = options.fusion.pose_sigma
    prior = POSITION_SIGMA * distance, ROTATION_SIGMA
    if said is not None:
        prior = max(said.translation, 1e-6), max(np.radians(said.rotation), 1e-6)
        # What is left of it after refining is for fusion to find.
        options = replace(options, fusion=replace(options.fusion, pose_sigma=None))
    rounds = [refine_poses(context, sequence.camera, photographs, given, _level(ground, placement), prior)]
    laid = _laid_over(rounds[0].poses, given, prior[0])
    first = KeyframeFusion(context, sequence, options, placement, ground)
    try:
        first.add_all(entries, _by_index(entries, laid), lambda done, total: None)
        surface = first.surface
    finally:
        first.release()
    rounds.append(refine_poses(context, sequence.camera, photographs, laid, surface, prior))
    laid = _laid_over(rounds[1].poses, given, prior[0])
    return RefinedWithMap(
        _by_index(entries, laid), options, {"poses_from": "refined with the map"} | _describe(rounds, given, laid)
    )


def _read(
    sequence: Sequence, keyframes: tuple[FrameEntry, ...]
) -> tuple[tuple[FrameEntry, ...], list[NDArray[np.float32]]]:
    entries, photographs = [], []
    for entry in keyframes:
        try:
            image = sequence.read(entry).image
        except FrameError:
            continue  # told of by whoever fuses it
        assert image is not None
        entries.append(entry)
        photographs.append(intensity(image))
    if len(entries) < 2:
        raise InputError(
            f"{sequence.folder}: {len(entries)} of {len(keyframes)} photographs can be read, expected at least two to "
            "refine their poses"
        )
    return tuple(entries), photographs


def _level(ground: Ground, placement: Placement) -> HeightMap:
    """The level ground, as far around the map as photographs may look."""
    x0, x1, y0, y1 = placement.bounds
    side = 3 * max(x1 - x0, y1 - y0)
    corner = (x0 + x1 - side) / 2, (y0 + y1 - side) / 2
    return HeightMap(np.full((33, 33), ground.height), side / 32, corner, T_world_map=placement.T_world_map)


def _laid_over(poses: Float64, given: Float64, position_sigma: float) -> Float64:
    """The poses (N, 4, 4) moved, turned and scaled as one so that their positions are near the given ones.

    Least squares with priors of `LEVEL_SIGMA` on the rotation and `SCALE_SIGMA` on the scale: a camera that moved along
    a straight line does not tell how the world is turned about it.
    """
    p, q = poses[:, :3, 3], given[:, :3, 3]
    middle = p.mean(axis=0)
    arms = p - middle
    turned = [-se3.hat(arm) for arm in arms]  # a rotation omega moves p by -hat(p) omega
    A = np.concatenate([turned, arms[..., None]], axis=2).reshape(-1, 4) / position_sigma
    b = ((q - q.mean(axis=0)) - arms).reshape(-1) / position_sigma
    prior = np.diag(1 / np.square([LEVEL_SIGMA, LEVEL_SIGMA, LEVEL_SIGMA, SCALE_SIGMA]))
    *omega, scale = np.linalg.solve(A.T @ A + prior, A.T @ b)
    R = se3.exp(np.array([0.0, 0.0, 0.0, *omega]))[:3, :3]
    laid = poses.copy()
    laid[:, :3, :3] = R @ poses[:, :3, :3]
    laid[:, :3, 3] = q.mean(axis=0) + np.exp(scale) * arms @ R.T
    return laid


def _by_index(entries: tuple[FrameEntry, ...], poses: Float64) -> Poses:
    return {entry.index: pose for entry, pose in zip(entries, poses, strict=True)}


def _describe(rounds: Sequence_[RefinedPoses], given: Float64, laid: Float64) -> dict[str, Any]:
    moved = np.linalg.norm(laid[:, :3, 3] - given[:, :3, 3], axis=1)
    return {
        "pose_refinement": {
            "moved_pixels": [each.moved_pixels for each in rounds],
            "intensity_sigma": [rounds[0].sigma_before, *(each.sigma_after for each in rounds)],
            "positions_moved_m_rms": float(np.sqrt(np.mean(np.square(moved)))),
            "mount": rounds[0].mount,
            "pairs": len(rounds[-1].pairs),
            "alone": [len(each.alone) for each in rounds],
            "converged": [each.converged for each in rounds],
        }
    }
