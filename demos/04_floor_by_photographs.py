"""A real floor by photographs alone, and by a depth camera: how much of its relief does one moving camera see?

The recording is 3 s of the TUM RGB-D benchmark's freiburg1_floor, or any other with colour, depth and rough poses. Its
photographs become a map with `fuse_photographs`: the poses, off by a pixel, are refined by what photographs share,
and every keyframe gets its depth from its neighbours. The depth images become another, with a calibrated camera; it is
the judge. A plane would look good on a floor, so what counts is the relief: the cells that stand out of the plane by
15 mm or more, and the skill there, which is 0 for a plane and 1 for the judge itself.
"""

from pathlib import Path

import numpy as np
from panels import parse_recording, save, show_values

import glrender as gr
from glrender.io.figure import new_figure
from glrender.io.sequence_folder import open_sequence
from glrender.pipeline.calibrate import CalibrationOptions
from glrender.pipeline.evaluate import evaluate_against_truth
from glrender.pipeline.fuse import MotionOptions, SequenceOptions, fuse_sequence
from glrender.pipeline.photographs import fuse_photographs
from glrender.pipeline.relief import evaluate_relief

SPACING, RELIEF = 0.01, 0.015  # metres


def main(recording: Path, out: Path) -> None:
    with gr.Context() as context:
        by_depth = SequenceOptions(spacing=SPACING, calibration=CalibrationOptions())
        judge = fuse_sequence(context, open_sequence(recording), by_depth).surface
        x, y = judge.axes()
        by_photographs = SequenceOptions(
            use="color", spacing=SPACING, bounds=(x[0], x[-1], y[0], y[-1]), motion=MotionOptions(refine_poses=True)
        )
        photographs = open_sequence(recording, only="rgb")
        finished = fuse_photographs(context, photographs, by_photographs)

    found = finished.surface
    overall = evaluate_against_truth(found, judge, remove_offset=True)
    offset = overall.removed_offset_mm / 1000
    relief = evaluate_relief(found, judge, RELIEF, offset)
    print(f"{finished.report['frames_used']} of {finished.report['frames']} photographs are keyframes")
    print(f"height offset taken off: {overall.removed_offset_mm:.1f} mm")
    print(f"all cells: median |error| {overall.summary.median_abs_mm:.1f} mm, {overall.completeness:.0%} known")
    print(
        f"relief: median |error| {relief.relief_median_abs_mm:.1f} mm, {relief.relief_completeness:.0%} known, "
        f"skill {relief.relief_skill:.2f}"
    )

    figure = new_figure(18, 8, "One floor, by photographs alone and by a depth camera")
    panels = figure.subplots(1, 3)
    low, high = np.nanpercentile(judge.heights, [1, 99])
    limits = {"limits": (float(low), float(high))}
    show_values(panels[0], found.heights - offset, "by photographs", "height [m]", surface=found, **limits)
    show_values(panels[1], judge.heights, "by depth images", "height [m]", surface=judge, **limits)
    show_values(panels[2], 1000 * overall.height_errors, "difference", "mm", surface=found, limits=(-50, 50))
    save(out / "04_floor_by_photographs.png", figure)


if __name__ == "__main__":
    main(*parse_recording(__doc__))
