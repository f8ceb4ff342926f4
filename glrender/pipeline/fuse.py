"""A sequence becomes a height map, frame by frame."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glrender.checks import check_choice
from glrender.errors import InputError
from glrender.fusion.heightmap import FrameReport, FusionOptions, HeightMapFusion
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.interrupt import interruptible_after
from glrender.io.images import FrameError
from glrender.io.sequence import Frame, FrameEntry, Sequence, Skipped
from glrender.pipeline.chosen_frames import choose_frames, describe_skipped
from glrender.pipeline.outputs import FinishedMap, predict_view
from glrender.pipeline.placement import Bounds, place_map

USES = ("depth", "both")


@dataclass(frozen=True)
class SequenceOptions:
    """Which frames of a sequence become which map."""

    frames: str = "::"
    """even, odd, first, second or a:b:c."""
    use: str = "both"
    """depth: heights alone; both: heights from depth, and colours beside them where there are photographs."""
    spacing: float | None = None
    """Metres between vertices; None: from what the frames see."""
    bounds: Bounds | None = None
    """(x0, x1, y0, y1) in map metres; None: from what the frames see."""
    T_world_map: NDArray[np.float64] | None = None
    """(4, 4) map to world; None: the sequence's own, else the world's or the dominant plane's."""
    time_offset: float | None = None
    """Seconds added to a frame's time before its pose is looked up; None: estimated."""
    strict: bool = False
    """Whether a frame that cannot be used is an error rather than skipped."""
    fusion: FusionOptions = field(default_factory=FusionOptions)


def fuse_sequence(
    context: Context,
    sequence: Sequence,
    options: SequenceOptions,
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> FinishedMap:
    """Fuse a sequence's frames; a KeyboardInterrupt between two frames ends it with the map so far.

    Raises InputError where there is no depth, no pose, or (with `strict`) any frame that cannot be used.
    """
    check_choice("use", options.use, USES)
    selected = sequence.select(options.frames)
    if not any(entry.depth_path is not None for entry in selected):
        raise InputError(
            f"{sequence.folder}: none of the {len(selected)} selected frames has a depth image, and heights are fused "
            "from depth; `glrender fit --use color` fits heights to photographs from a good start"
        )
    where: dict[str, Any] = {"T_world_map": options.T_world_map, "bounds": options.bounds, "spacing": options.spacing}
    chosen = choose_frames(sequence, options.frames, time_offset=options.time_offset, strict=options.strict, **where)
    offset, skipped = chosen.offset, list(chosen.skipped)
    placement = place_map(sequence, chosen.posed, time_offset=offset.seconds, **where)
    fusion = HeightMapFusion(
        context, sequence.camera, placement.spacing, placement.bounds, placement.T_world_map, options.fusion
    )
    run = _Run(sequence, fusion, offset.seconds, with_color=options.use == "both")
    started = perf_counter()
    partial = False
    try:
        for done, entry in enumerate(chosen.posed):
            with interruptible_after():
                try:
                    run.add(entry)
                except FrameError as error:
                    if options.strict:
                        raise
                    skipped.append(Skipped(entry.index, str(entry.depth_path), str(error)))
            advance(done + 1, len(chosen.posed))
    except KeyboardInterrupt:
        if not run.reports:
            raise
        partial = True
    with interruptible_after():
        elapsed = perf_counter() - started
        if not run.reports:
            raise InputError(f"{sequence.folder}: no frame could be fused, the first is {describe_skipped(skipped[0])}")
        surface = run.finish()
        assert surface.sigma is not None
        sigma = surface.sigma[np.isfinite(surface.sigma)]
        view = run.best_view
        prediction = None
        if view is not None and surface.colors is not None:
            prediction = predict_view(context, sequence.camera, surface, run.pose(view))
        report = run.report() | {
            "frames_skipped": skipped,
            "frames_per_second": len(run.reports) / elapsed,
            "time_offset": offset.seconds,
            "time_offset_from": offset.reason,
            "renderer": context.renderer,
            "placement": placement.description,
            "observed": sigma.size / surface.sigma.size,
            "median_sigma": float(np.median(sigma)) if sigma.size else None,
            "partial": partial,
            "options": {"sequence": str(sequence.folder.resolve())}
            | {key: value for key, value in asdict(options).items() if key != "fusion"}
            | {"fusion": options.fusion},
        }
        fusion.release()
    photograph = view.image if view is not None and prediction is not None else None
    return FinishedMap(surface, prediction, photograph, report, partial)


class _Run:
    """The frames on their way into the map, and what became of them."""

    def __init__(self, sequence: Sequence, fusion: HeightMapFusion, time_offset: float, *, with_color: bool) -> None:
        self.sequence, self.fusion, self.time_offset, self.with_color = sequence, fusion, time_offset, with_color
        self.reports: dict[int, FrameReport] = {}
        self.best_view: Frame | None = None
        self.stages: dict[str, list[float]] = {"read": [], "fuse": [], "finish": []}

    def pose(self, frame: Frame | FrameEntry) -> NDArray[np.float64]:
        assert self.sequence.trajectory is not None
        return self.sequence.trajectory.at(frame.time + self.time_offset)

    def add(self, entry: FrameEntry) -> None:
        start = perf_counter()
        frame = self.sequence.read(entry)
        read = perf_counter()
        image = frame.image if self.with_color else None
        if frame.depth is None and image is None:
            return
        report = self.fusion.integrate(self.pose(frame), image=image, depth=frame.depth)
        self.stages["read"].append(1e3 * (read - start))
        self.stages["fuse"].append(1e3 * (perf_counter() - read))
        # The view to show is the photograph that sees most of the map.
        best = self.best_view
        if image is not None and (best is None or report.measured > self.reports[best.index].measured):
            self.best_view = frame
        self.reports[entry.index] = report

    def finish(self) -> HeightMap:
        start = perf_counter()
        surface = self.fusion.map()
        self.stages["finish"].append(1e3 * (perf_counter() - start))
        return surface

    def report(self) -> dict[str, Any]:
        camera = self.sequence.camera
        frames = list(self.reports.values())
        return {
            "frames_used": len(frames),
            "stages": {f"{name}_ms": float(np.median(times)) for name, times in self.stages.items()},
            "residuals": {
                "median_abs_m": float(np.nanmedian([frame.median_abs_residual for frame in frames])),
                "median_m_rms_over_frames": float(np.sqrt(np.nanmean(np.square([f.median_residual for f in frames])))),
                "frames": [{"index": index} | asdict(report) for index, report in self.reports.items()],
            },
            "camera": {name: getattr(camera, name) for name in ("fx", "fy", "cx", "cy")},
        }
