"""What `glrender fuse` warns of: results that are there, and are probably wrong."""

from collections.abc import Iterator, Mapping, Sequence
from math import degrees
from statistics import median
from typing import Any

_STRAINED = 2.0
"""Times what poses were taken to be off by: about 1 at most where that is right, so that more is another error."""
_CONTRADICTED = 2 / 3
"""Of the pixels, those whose depth another photograph denies: what lies behind edges is less than half of them."""
_SCATTERED = 10.0
"""Times the noise of a depth, by which depths lie off the map: 1 to 4 for poses that are off by some millimetres."""
_LOST = 0.1
"""Of the frames, those that may have no pose: single ones are of no use in any recording."""
_ASKEW = 1.2
"""Degrees by which frames are tilted against each other: 0.2 to 0.8 where poses are the camera's, 1.8 to 3.3 where they
are those of another recording of about the same way."""
_UPRIGHT = 2 / 3
"""Of the depths, those that say nothing of the map: of a floor next to none, of a room a half and more."""
_HELD = 1 / 2
"""Of the cells that are seen, those that are observed at least: nine of ten where cells are of some pixels each."""


def warnings_of(report: Mapping[str, Any]) -> Iterator[str]:
    """In words, what the report of a finished map gives reason to doubt."""
    yield from _about_tracking(report.get("tracking"))
    held = report.get("observed_of_seen", 1.0)
    if held < _HELD:
        yield (
            f"{1 - held:.0%} of the cells that are seen are left unknown, since too little is measured of each: choose "
            "a larger --spacing"
        )
    scale, reading = report.get("likelier_depth_scale"), report.get("likelier_reading")
    if scale is not None:
        yield (
            f"the depths fit the poses far better by {scale:g} counts a metre than by {report['depth_scale']:g}: check "
            "depth_scale in camera.yaml, and that the trajectory is in metres"
        )
    elif reading is not None:
        yield f"the map is wrong: frames agree far better where {reading}"
    elif "depth_from_motion" not in report:
        yield from _about_depths(report.get("residuals", {}).get("frames", ()), report.get("shared_errors"))
    refinement = report.get("pose_refinement", {})
    strained = report.get("poses_from") == "refined" and refinement["strain"] > _STRAINED
    if strained:
        sigma = refinement["prior_sigma"]
        yield (
            f"photographs move the poses by {refinement['strain']:.0f} times what these were taken to be off by "
            f"({1e3 * sigma['metres']:.1f} mm, {sigma['degrees']:.2f} degrees): the map may be wrong. Is the "
            "trajectory this camera's (--T-base-camera of convert), camera to world, and its clock right "
            "(--time-offset)? --pose-sigma says how rough it is"
        )
    spread = refinement.get("depth_spread")
    if spread is not None and spread.refined_are_worse:
        yield (
            "the poses are kept as given: by what photographs make of them, the depths of level ground scatter by "
            f"{1e3 * spread.refined:.1f} instead of {1e3 * spread.given:.1f} mm. Check that nothing has stabilised the "
            "photographs, and camera.yaml"
        )
    share = report.get("depth_from_motion", {}).get("shares", {}).get("inconsistent", 0.0)
    if share > _CONTRADICTED:
        more = "" if refinement else ", and try --refine-poses"
        check = f"Check the poses (camera to world), their clock and the camera{more}"
        if "tracking" in report:
            check = "Most of what a followed camera sees has to be ground, and stand still; and check camera.yaml"
        yield f"{share:.0%} of the pixels have a depth that other photographs deny: the map is probably wrong. {check}"
    found = refinement.get("focal_length")
    if found is not None and found["wrong"]:
        missing, sigma = 100 * found["share_missing"], 100 * found["sigma"]
        yield (
            "the photographs and their poses agree best with a focal length that is "
            f"{abs(missing):.1f} ± {sigma:.1f} % {'longer' if missing > 0 else 'shorter'} than the photographs have in "
            "camera.yaml; check it, or calibrate the camera"
            # Either makes up for some of what the other has wrong.
            + (", unless it is the poses that are wrong" if strained else "")
        )


def _about_tracking(tracking: Mapping[str, Any] | None) -> Iterator[str]:
    """Where a camera that was followed was lost."""
    if tracking is None:
        return
    at_end, all_of_them = tracking["lost_at_end"], sum(tracking["states"].values())
    on_the_way = tracking["states"].get("lost", 0) - at_end
    told = []
    if on_the_way > _LOST * all_of_them:
        told.append(f"the camera was lost on the way: {on_the_way} of {all_of_them} frames have no pose. ")
    if at_end:
        told.append(
            f"the camera was lost after {tracking['last_found']} and never found again: what the last {at_end} of "
            f"{all_of_them} frames show is not in the map. "
        )
    if told:
        yield "".join(told) + "More frames a second, slower and sharper ones, and texture in all of them help"


def _about_depths(frames: Sequence[Mapping[str, Any]], shared: Mapping[str, Any] | None) -> Iterator[str]:
    """What a sensor's depths say of the map; `frames` are those of the report's residuals, `shared` its errors."""
    measured = sum(frame["measured"] for frame in frames)
    if not measured:
        return
    share, scale = 1 - sum(frame["used"] for frame in frames) / measured, median(f["robust_scale"] for f in frames)
    if share > _UPRIGHT:  # and so what the map is compared with
        yield (
            f"{share:.0%} of the depths say nothing of the map: they are of walls and other sides, of what lies behind "
            "edges or below something, or far off it. A height map holds one height a cell, seen from above; of open "
            "ground, check the poses, their clock (--time-offset) and the camera (--calibrate)"
        )
        return
    check = (
        "the map may be wrong. Check that the trajectory is this recording's, its clock (--time-offset), the camera "
        "(--calibrate), and whether the map's z points up (--T-world-map)"
    )
    shift, tilt = (0.0, 0.0) if shared is None else (shared["shift"].sigma, degrees(shared["tilt"].sigma))
    if scale > _SCATTERED:
        off = median(frame["median_abs_residual"] for frame in frames if frame["measured"])
        yield f"depths lie off the map by {scale:.0f} times their noise ({1e3 * off:.0f} mm, median): {check}"
    elif tilt > _ASKEW:
        yield f"frames disagree as wholes by {1e3 * shift:.0f} mm and {tilt:.1f} degrees: {check}"
