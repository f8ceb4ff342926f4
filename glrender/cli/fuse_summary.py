"""What `glrender fuse` says about the map that it has made, in lines."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from glrender.cli.options import describe_camera, describe_time_offset, print_skipped
from glrender.fusion.shared_errors import UNKNOWN
from glrender.pipeline.outputs import FinishedMap
from glrender.pipeline.placement import CLIPPED
from glrender.pipeline.read_ahead import LATE


def print_summary(folder: Path, finished: FinishedMap) -> None:
    """What came of a run whose files are in `folder`: the map, what it was made with, and what was left out."""
    report, surface = finished.report, finished.surface
    rows, cols = surface.shape
    print(
        f"{folder}: {report['frames_used']} frames fused{_why_partial(finished)}, "
        f"{report['frames_per_second']:.1f} a second\n"
        f"  map of {rows} x {cols} cells of {1e3 * surface.spacing:g} mm, {report['observed']:.1%} observed"
        + describe_disputed(report)
        + _describe_sigma(report)
        + f"\n  {describe_camera(report)}{_describe_reduced(report)}\n"
        f"  {describe_time_offset(report)}\n"
        + _describe_shares(report)
        + describe_noise(report["noise_excess"])
        + _describe_shared(report["shared_errors"])
        + describe_poses(report)
        + _describe_rate(report)
        + f"  frame: {report['placement']['T_world_map_from']}"
        + _describe_clipping(report["placement"]["bounds_from"])
    )
    print_skipped(report["frames_skipped"])
    if report["photographs_missing"]:
        print(f"  {len(report['photographs_missing'])} photographs that rgb.txt names are not there")
    print("  wrote " + ", ".join(finished.files) + ": look at " + str(folder / "preview.png"))


def _why_partial(finished: FinishedMap) -> str:
    if not finished.partial:
        return ""
    return " (interrupted: partial)" if finished.failure is None else " (failed: partial)"


def _describe_reduced(report: Mapping[str, Any]) -> str:
    """What a photograph on file was before its pixels became fewer."""
    factor = report.get("reduced", 1)
    return f", photographs made {factor} times smaller (--reduce 1 keeps them as they are)" if factor > 1 else ""


def _describe_clipping(bounds_from: str) -> str:
    """A line where the map leaves out some of what the frames see."""
    return f"\n  bounds: {bounds_from}; give --bounds, or a larger --spacing" if CLIPPED in bounds_from else ""


def describe_disputed(report: Mapping[str, Any]) -> str:
    """How much more there would be, did not photographs disagree about it by more than sigma says."""
    share = report.get("disputed", 0.0)
    return f" ({share:.1%} left out as disputed)" if share >= 5e-4 else ""


def _describe_sigma(report: Mapping[str, Any]) -> str:
    """The median of sigma, and of what neighbouring cells do not share of it where that is known apart."""
    if not report["median_sigma"]:
        return ""
    local = report["median_local_sigma"]
    apart = "" if local is None else f", {1e3 * local:.2f} mm without what displaces neighbouring cells together"
    return f", median sigma {1e3 * report['median_sigma']:.2f} mm{apart}"


def _describe_shared(shared: Mapping[str, Any] | None) -> str:
    """What sigma takes whole frames to have wrong, as a line."""
    if shared is None:
        return ""
    if shared["source"] == UNKNOWN:
        return f"  sigma: does not know what whole frames have wrong: {UNKNOWN}\n"
    given = shared["pose_sigma"]
    if given is not None:
        along, about = given.translation, given.rotation
    else:
        along, about = shared["shift"].sigma, math.degrees(shared["tilt"].sigma)
    camera = "" if shared["intrinsics_sigma"] is None else ", and by the camera's intrinsics"
    if along == about == 0 and not camera:
        return f"  sigma: frames agree as wholes within their noise ({shared['source']})\n"
    off = f"{1e3 * along:.1f} mm, {about:.2f} degrees{camera}"
    return f"  sigma: frames are off as wholes by {off} ({shared['source']})\n"


def describe_noise(excess: float) -> str:
    """A line where neighbouring depths err together."""
    if excess == 1:
        return ""
    times = f"{math.sqrt(excess):.1f} times what their noise alone makes"
    return f"  sigma: neighbouring depths err together: frames scatter by {times}\n"


def _describe_shares(report: Mapping[str, Any]) -> str:
    """What photographs brought for heights, as a line; nothing where they were not asked."""
    if report["options"]["fusion"].heights_from == "depth":
        return ""
    return f"  photographs brought {report['color_share']:.1%} of the information about heights\n"


def describe_poses(report: Mapping[str, Any]) -> str:
    """Where estimated poses and their scale are from, as lines; nothing where poses were given."""
    source = report.get("poses_from", "given")
    if source == "given":
        return ""
    states = report.get("tracking", {}).get("states", {})
    counts = ", ".join(f"{count} {state}" for state, count in states.items())
    scale = ""
    if "scale_from" in report:
        scale = "; of unknown scale" if report["up_to_scale"] else f"; scale from {report['scale_from']}"
    refinement = report.get("pose_refinement", {})
    failed = refinement.get("failed")
    unknown = f"  sigma does not know what the poses are off by: {failed}\n" if failed else ""
    shutter, rows = refinement.get("shutter_readout"), ""
    if shutter is not None and shutter["undone"]:
        took = f"{1e3 * shutter['undone']:.1f} ± {1e3 * shutter['sigma']:.1f} ms"
        rows = f"  shutter: {took} from the first row to the last, undone in the photographs\n"
    lens = refinement.get("lens_k1")
    if lens is not None and lens["undone"]:
        rows += f"  lens: k1 larger by {lens['undone']:.4f} ± {lens['sigma']:.4f}, undone in the photographs\n"
    if not refinement.get("settled", True):
        rows += "  shutter, lens and clock: had not settled when given up, see pose_refinement in report.json\n"
    moved = ""
    if "moved_m_rms" in refinement:
        moved = f": moved by {1e3 * refinement['moved_m_rms']:.1f} mm, {refinement['turned_degrees_rms']:.2f} degrees"
        if refinement["alone"]:
            them = "photograph shares" if refinement["alone"] == 1 else "photographs share"
            moved += f"; {refinement['alone']} {them} no points with others: no change of pose"
        if refinement["unread"]:
            moved += f"; {len(refinement['unread'])} photographs cannot be read, the first is {refinement['unread'][0]}"
    photographs = refinement.get("photographs", {})
    if "time_offset" in photographs:
        rows += f"  photographs' {describe_time_offset(photographs)}\n"
    return f"  poses {source}{f' ({counts})' if counts else ''}{moved}{scale}\n{rows}{unknown}"


def _describe_rate(report: Mapping[str, Any]) -> str:
    """How long following a camera by its photographs took, as lines; nothing where it was not followed."""
    stages = report["stages"]
    kinds = {"track_ms": "a frame", "track_keyframe_ms": "a frame that becomes a keyframe"}
    taken = [f"{stages[name]:.0f} ms {kind}" for name, kind in kinds.items() if name in stages]
    if not taken:
        return ""
    line = f"  tracking {', '.join(taken)}"
    if "depth_ms" in stages and "fuse_ms" in stages:  # not where the last frames alone got a depth
        line += f"; depth {stages['depth_ms']:.0f} and fusion {stages['fuse_ms']:.0f} ms a fused frame"
    line += (
        f" (medians): up to {report['tracking']['frames_per_second']:.0f} frames a second, were they to come as fast"
    )
    live = report.get("live")
    if live is None:
        return f"{line}\n"
    dropped = sum(frame.reason == LATE for frame in report["frames_skipped"])
    size = "full resolution" if live["pixels"] == 1 else f"1/{live['pixels']} of the resolution"
    return (
        f"{line}\n"
        f"  live: {report['frames']} frames followed, {dropped} dropped to keep up, {live['behind_s']:.1f} s behind at "
        f"last; {live['keyframes'] - live['keyframes_without_depth']} of {live['keyframes']} keyframes had time for a "
        f"depth, at {size}\n"
    )
