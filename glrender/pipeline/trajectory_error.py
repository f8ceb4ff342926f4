"""How far a sequence's estimated poses are from the true ones, and its map in the true world."""

from dataclasses import dataclass, replace

import numpy as np

from glrender.errors import InputError
from glrender.geometry.heightmap import HeightMap
from glrender.geometry.level_map import level_map
from glrender.geometry.trajectory_alignment import TrajectoryAlignment, align_trajectories
from glrender.io.trajectory import Trajectory


@dataclass(frozen=True)
class TrajectoryEvaluation:
    """What `glrender eval` says of a trajectory; lengths after the best alignment of the two."""

    trajectory_poses: int
    """Estimated poses that the true trajectory covers."""
    trajectory_rmse_mm: float
    """Absolute trajectory error."""
    trajectory_length_m: float
    """Of the true positions, one after the other."""
    trajectory_scale: float
    """What estimated lengths have to be multiplied by to fit best; they were only if the map is up to scale."""


def evaluate_trajectory(
    estimated: Trajectory, true: Trajectory, *, scale: bool = False
) -> tuple[TrajectoryEvaluation, TrajectoryAlignment]:
    """Compare poses at the estimated times that `true` covers; `scale` frees the scale of the estimate.

    InputError where the two share no time, or too little to align them.
    """
    shared = [time for time in estimated.times if true.covers(time)]
    if not shared:
        spans = (f"{path.times[0]:.6f} to {path.times[-1]:.6f} s" for path in (estimated, true))
        raise InputError(
            "trajectories: the estimated one covers {}, the true one {}; expected an overlap".format(*spans)
        )
    positions, truth = (np.stack([path.at(time)[:3, 3] for time in shared]) for path in (estimated, true))
    alignment = align_trajectories(positions, truth, scale=scale)
    evaluation = TrajectoryEvaluation(
        trajectory_poses=len(shared),
        trajectory_rmse_mm=1000 * alignment.rmse,
        trajectory_length_m=float(alignment.distances[-1]),
        trajectory_scale=alignment.free_scale,
    )
    return evaluation, alignment


def moved_map(surface: HeightMap, alignment: TrajectoryAlignment) -> HeightMap:
    """A map of the estimated world in the true one, with heights along the true vertical."""
    s = alignment.scale
    pose = surface.pose.copy()
    pose[:3, 3] *= s
    moved = replace(
        surface,
        heights=s * surface.heights,
        spacing=s * surface.spacing,
        origin=(s * surface.origin[0], s * surface.origin[1]),
        T_world_map=alignment.T_true_estimated @ pose,
        sigma=None if surface.sigma is None else s * surface.sigma,
        local_sigma=None if surface.local_sigma is None else s * surface.local_sigma,
    )
    return level_map(moved)
