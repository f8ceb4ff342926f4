"""Given poses refined by what their photographs have in common, before anything is made of them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glrender.errors import InputError
from glrender.frontend.estimate import RadialError, TimeEstimate
from glrender.frontend.point_matches import Corners
from glrender.frontend.refine_poses import RefinedPoses, refine_poses
from glrender.fusion.displacement import Displacement
from glrender.fusion.shared_errors import PoseSigma
from glrender.geometry import se3
from glrender.io.sequence import FrameEntry, FramePoses, Sequence, trajectory_of
from glrender.io.trajectory import Trajectory
from glrender.pipeline.fuse import SequenceOptions
from glrender.pipeline.ground import Ground
from glrender.pipeline.refinement_turns import AS_SAID, Settled, read_photographs, refine_in_turns
from glrender.pipeline.shutter import Shutter
from glrender.pipeline.turning_clock import UNKNOWN, compare_turns

Float64 = NDArray[np.float64]

POSITION_SIGMA = 0.02
"""Of the distance to the ground: what given positions are taken to be off by, first and at most, unless it is said."""
ROTATION_SIGMA = 0.01
"""Radians that given rotations are taken to be off by in the same way, beside what all have wrong alike."""
FARTHEST = 1000.0
"""Times the distance to the ground: positions that are said to be off by more leave nothing but rounding of what holds
all photographs together."""
_SETTLED = 0.8  # of what poses were taken to be off by: photographs that tell more than that of it tell no less
_LEAST = 0.005  # of both: where photographs tell that poses are off by less, it is what windows err by


@dataclass(frozen=True, eq=False)
class RefinedStart:
    """Poses, and how they came about."""

    poses: FramePoses
    """Of all photographs: those that cannot be read keep theirs, until whoever fuses them tells."""
    trajectory: Trajectory
    """Of those that were refined."""
    displacement: Displacement | None
    """What they leave uncertain of where the ground is, in the map's frame, which no frame can tell; None: nothing."""
    description: dict[str, Any]
    """For `report.json`."""
    shutter: Shutter
    """That of the photographs at these poses, which are those of the principal point's row."""
    lens: RadialError
    """Theirs, as told."""


@dataclass(frozen=True, eq=False)
class _ErrorsOfGiven:
    """What given poses are taken to be off by, along (metres) and about (radians) each axis of the camera: (2,)."""

    most: Float64
    """At first, and at most."""
    are_said: bool
    """Whether that is all that is known of them, so that photographs are not asked."""

    @staticmethod
    def said_by(sigma: PoseSigma, distance: float) -> "_ErrorsOfGiven":
        """By somebody, of cameras `distance` metres above the ground; InputError for what no pose can be off by."""
        if sigma.translation > FARTHEST * distance or sigma.rotation > 180:
            raise InputError(
                f"pose sigma: received {sigma.translation:g} m and {sigma.rotation:g} degrees, expected at most "
                f"{FARTHEST * distance:.0f} m ({FARTHEST:g} times the distance to the ground) and 180 degrees"
            )
        return _ErrorsOfGiven(np.maximum((sigma.translation, np.radians(sigma.rotation)), 1e-6), True)

    @staticmethod
    def to_be_told(distance: float) -> "_ErrorsOfGiven":
        """By photographs, `distance` metres above the ground."""
        return _ErrorsOfGiven(np.array([POSITION_SIGMA * distance, ROTATION_SIGMA]), False)

    def prior(self, before: RefinedPoses | None) -> tuple[Float64, bool]:
        """For a round after the one `before`, and whether the camera sits otherwise on its carrier in it."""
        if self.are_said or before is None:
            return self.most, False
        # What nobody has said, the photographs do: poses by a reconstruction are a hundred times better than most.
        # Beside a mount they are off by no more than without one, but hardly tell by how much.
        highest = before.prior_sigma[0] if before.mounted else self.most
        prior = np.clip(before.rounds[-1].given_sigma, _LEAST * self.most, highest)
        mounted = before.mounted or before.asks_for_mount
        evidence = before.rounds[-1].mount_evidence
        if mounted and evidence is not None:
            # As though each pose had an error of its own, or a mount would be made of those that last.
            prior *= np.sqrt(evidence.lasting)
        return prior, mounted

    def have_settled(self, refined: RefinedPoses) -> bool:
        """Whether they were taken to be what they are: each round tells a part of what is too much."""
        if self.are_said:
            return True
        told = np.maximum(refined.rounds[-1].given_sigma, _LEAST * self.most)
        return bool((told >= _SETTLED * refined.prior_sigma[0]).all()) and not refined.asks_for_mount


def refine_start(
    sequence: Sequence,
    photographs: tuple[FrameEntry, ...],
    keyframes: tuple[FrameEntry, ...],
    poses: FramePoses,
    ground: Ground,
    T_world_map: Float64,
    options: SequenceOptions,
) -> RefinedStart:
    """The photographs' poses at which they agree, see `glrender.frontend.refine_poses`, by the keyframes' corners.

    What `pose_sigma` says of them, if it says anything, is all that they are off by; else photographs tell by how much
    each is, the camera sits otherwise on its carrier, too, where the poses ask for it (`glrender.frontend.mount`), and
    their clock may be off, unless `options` or depth images say by how much. InputError if fewer than two of the
    photographs can be read, and for a `pose_sigma` beyond anything that poses can be off by.
    """
    entries, prepared = read_photographs(sequence, photographs, keyframes)
    raw = np.stack([poses[entry.index] for entry in entries])
    distance = float(np.median([ground.distance(pose, T_world_map) for pose in raw]))
    if options.fusion.pose_sigma is None:
        errors_of_given = _ErrorsOfGiven.to_be_told(distance)
    else:
        errors_of_given = _ErrorsOfGiven.said_by(options.fusion.pose_sigma, distance)
    times = np.array([entry.time for entry in entries])
    alone = all(entry.depth_path is None for entry in entries)
    has_clock = not errors_of_given.are_said and options.time_offset is None and alone
    trajectory = sequence.trajectory
    assert trajectory is not None

    def refine(prepared: list[Corners], given: Float64, before: RefinedPoses | None) -> RefinedPoses:
        planes = np.stack([level_seen(ground, pose, T_world_map) for pose in given])
        prior, mounted = errors_of_given.prior(before)
        return refine_poses(
            sequence.camera, prepared, given, planes, prior, times=times, mounted=mounted, before=before
        )

    settled = refine_in_turns(
        sequence,
        entries,
        prepared,
        keyframes,
        refine,
        given_by=lambda clock: _looked_up(trajectory, times, raw, clock),
        clock_of=lambda refined: compare_turns(trajectory, times, refined.poses) if has_clock else UNKNOWN,
        lens_of=lambda refined: refined.rounds[-1].radial_error if alone else AS_SAID,
        has_settled=errors_of_given.have_settled,
    )
    refined = settled.refined
    by_index = {entry.index: pose for entry, pose in zip(entries, refined.poses, strict=True)}
    axes = T_world_map[:3, :3]
    errors, shift = refined.rounds[-1].ground, axes.T @ refined.rounds[-1].shift @ axes
    description = {"poses_from": "refined"} | describe_refinement(settled, unread(photographs, entries))
    if has_clock:
        beyond = sum(not trajectory.covers(time + settled.clock.applied) for time in times)
        description |= _describe_clock(settled.clock, settled.asked_for, beyond)
    elif options.time_offset is None and errors_of_given.are_said:
        description["time_offset_from"] = "kept at 0: what is said of the poses' errors is all that they are off by"
    description["pose_refinement"]["ground_shift_sigma"] = np.sqrt(shift.diagonal())
    displacement = Displacement.in_frame(T_world_map, errors.places, errors.covariances)
    return RefinedStart(
        {**poses, **by_index},
        trajectory_of(entries, by_index),
        displacement,
        description,
        settled.shutter,
        settled.lens,
    )


def level_seen(ground: Ground, T_world_camera: Float64, T_world_map: Float64) -> Float64:
    """(3,): the level ground seen from a camera, p with p·r = 1/depth on its ray r."""
    up = T_world_map[:3, 2] @ T_world_camera[:3, :3]
    return -up / ground.camera_height(T_world_camera, T_world_map)


def _looked_up(trajectory: Trajectory, times: Float64, raw: Float64, clock: TimeEstimate) -> Float64:
    """(N, 4, 4) poses at `times` (N,) by a clock, `raw` ones where the trajectory has none then."""
    if not clock.is_certain:
        return raw
    at = times + clock.seconds
    return np.stack([trajectory.at(t) if trajectory.covers(t) else pose for t, pose in zip(at, raw, strict=True)])


def _describe_clock(offset: TimeEstimate, asked_for: TimeEstimate, beyond: int) -> dict[str, Any]:
    """The one that poses were looked up by, and what is asked for where that is none."""
    if offset.is_certain:
        reason = "how the photographs turn"
        if beyond:
            reason += f"; photographs then beyond the trajectory, which keep the poses of their own times: {beyond}"
        return {"time_offset": offset.seconds, "time_offset_sigma": offset.sigma, "time_offset_from": reason}
    if not np.isfinite(asked_for.sigma):
        return {"time_offset_from": "kept at 0: how the photographs turn does not tell"}
    asked = f"{1e3 * asked_for.seconds:+.1f} ± {1e3 * asked_for.sigma:.1f} ms"
    return {"time_offset_from": f"kept at 0: how the photographs turn asks for {asked}"}


def unread(photographs: tuple[FrameEntry, ...], entries: tuple[FrameEntry, ...]) -> tuple[str, ...]:
    """The names of the photographs that are not among the `entries` which could be read."""
    return tuple(entry.name for entry in photographs if entry not in entries)


def describe_refinement(settled: Settled, unread: tuple[str, ...]) -> dict[str, Any]:
    """What became of the poses that were given, for `report.json`; `unread`: photographs that could not be read."""
    refined, last = settled.refined, settled.refined.rounds[-1]
    off = np.stack([se3.log(se3.inverse(T) @ G) for T, G in zip(refined.poses, settled.given, strict=True)])
    moved, turned = (float(np.sqrt(np.square(part).sum(axis=1).mean())) for part in (off[:, :3], off[:, 3:]))
    along, about = refined.prior_sigma[0]  # alike for all
    return {
        "pose_refinement": {
            "prior_sigma": {"metres": along, "degrees": np.degrees(about)},
            "moved_m_rms": moved,
            "turned_degrees_rms": np.degrees(turned),
            "strain": last.strain,
            "sigma_rms": {"metres": _rms(last.ground.poses[:, :3, :3]), "radians": _rms(last.ground.poses[:, 3:, 3:])},
            "matches_err_together": last.ground.inflation,
            "mount": last.state.mount if refined.mounted else None,
            "focal_length": {
                "share_missing": last.focal_error.share,
                "sigma": last.focal_error.sigma,
                "wrong": last.focal_error.is_wrong,
            },
            "matches": refined.matched,
            "pairs": refined.pairs,
            "alone": len(refined.alone),
            "unread": unread,
            "match_sigma_pixels": [each.sigma for each in refined.rounds],
            "inliers": [each.inliers for each in refined.rounds],
            "converged": [each.converged for each in refined.rounds],
            "shutter_readout": settled.shutter.description(settled.told),
            "lens_k1": {
                "missing": settled.lens_told.k1,
                "sigma": settled.lens_told.sigma,
                "undone": settled.lens.applied,
            },
            "settled": settled.confirmed,
        }
    }


def _rms(covariances: Float64) -> float:
    """Over N covariances (N, 3, 3), what the length of a vector is off by."""
    return float(np.sqrt(np.einsum("nii->n", covariances).mean()))
