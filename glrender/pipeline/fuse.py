"""A sequence becomes a height map, frame by frame."""

from dataclasses import asdict, dataclass, field, replace
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glrender.advance import Advance, silently
from glrender.checks import check_choice, check_kind
from glrender.errors import GLError, InputError, UsageError
from glrender.frontend.bootstrap import KnownScale
from glrender.fusion.displacement import Displacement
from glrender.fusion.heightmap import HeightMapFusion
from glrender.fusion.linearization import FrameReport
from glrender.fusion.options import FusionOptions
from glrender.fusion.rehearsal import rehearse_fusion
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.interrupt import interruptible_after
from glrender.io.sequence import Frame, FrameEntry, Sequence, Skipped
from glrender.pipeline.calibrate import CalibrationOptions
from glrender.pipeline.chosen_frames import USES, ChosenFrames, choose_frames, describe_skipped
from glrender.pipeline.misread import likelier_depth_scale, likelier_reading
from glrender.pipeline.outputs import FinishedMap, Keep, keep_nowhere, predict_view
from glrender.pipeline.placement import Bounds, GivenPlacement, Placement, place_map
from glrender.pipeline.read_ahead import LATE, Pace, ReadFrame, read_ahead


@dataclass(frozen=True)
class MotionOptions:
    """Depth from photographs whose camera moves."""

    track: KnownScale | None = None
    """What is known of the scale where poses are to be estimated; None: poses are given."""
    odometry: bool = False
    """Whether, with `track`, the sequence's trajectory is the camera's odometry, of which the scale and a prior of each
    step are taken."""
    refine_poses: bool = False
    """Whether to refine given poses by what the photographs have in common, those of depth images too; poses tracked by
    photographs alone always are, unless live."""
    height_range: tuple[float, float] | None = None
    """Lowest and highest ground that is looked for, metres in the map frame; None: around the level on which most of
    the photographs agree."""


@dataclass(frozen=True)
class SequenceOptions:
    """Which frames of a sequence become which map."""

    frames: str = "::"
    """even, odd, first, second or a:b:c."""
    use: str = "both"
    """depth: heights alone; both: heights from depth, and colours beside them where there are photographs; color:
    heights and colours from photographs alone, see `glrender.pipeline.photographs`."""
    spacing: float | None = None
    """Metres between vertices; None: from what the frames see."""
    bounds: Bounds | None = None
    """(x0, x1, y0, y1) in map metres; None: from what the frames see."""
    T_world_map: NDArray[np.float64] | None = None
    """(4, 4) map to world; None: the sequence's own, else the world's or the dominant plane's."""
    time_offset: float | None = None
    """Seconds added to a frame's time before its pose is looked up; None: estimated."""
    realtime: bool = False
    """Whether frames come at the pace at which they were recorded, and are dropped where fusion falls behind."""
    calibration: CalibrationOptions | None = None
    """What to estimate of the depth camera; None: nothing."""
    motion: MotionOptions = field(default_factory=MotionOptions)
    """How poses are found or refined, and with use = color, depth."""
    strict: bool = False
    """Whether a frame that cannot be used is an error rather than skipped."""
    fusion: FusionOptions = field(default_factory=FusionOptions)

    def __post_init__(self) -> None:
        if self.calibration is not None:
            check_kind("calibration", self.calibration, CalibrationOptions)
        check_kind("motion", self.motion, MotionOptions)
        check_kind("fusion", self.fusion, FusionOptions)

    @property
    def placement(self) -> GivenPlacement:
        """What is said of where the map lies."""
        return GivenPlacement(self.T_world_map, self.bounds, self.spacing)


@dataclass(frozen=True, eq=False)
class FusionStart:
    """A map that nothing has been fused into, and the frames that are to be."""

    chosen: ChosenFrames
    placement: Placement
    fusion: HeightMapFusion
    """Whoever starts it releases it."""

    @property
    def sequence(self) -> Sequence:
        """To read the frames from."""
        return self.chosen.sequence

    def pose(self, frame: Frame) -> NDArray[np.float64]:
        """T_world_camera (4, 4) of a frame."""
        assert self.sequence.trajectory is not None
        return self.sequence.trajectory.at(frame.time + self.chosen.offset.seconds)


def start_fusion(context: Context, sequence: Sequence, options: SequenceOptions) -> FusionStart:
    """Choose the frames and place the map; InputError where there is no depth, no pose, or (with `strict`) a gap."""
    check_choice("use", options.use, USES)
    if options.use == "color":
        raise UsageError("use: received 'color', which glrender.pipeline.photographs.fuse_photographs does")
    if options.motion.refine_poses:
        raise UsageError("refine_poses: received True, which glrender.pipeline.refined_depth.fuse_refined_depth does")
    selected = sequence.select(options.frames)
    if not any(entry.depth_path is not None for entry in selected):
        raise InputError(
            f"{sequence.folder}: none of the {len(selected)} selected frames has a depth image, and heights are fused "
            "from depth; `glrender fuse --use color` makes maps of photographs alone"
        )
    chosen = choose_frames(
        context,
        sequence,
        options.frames,
        calibration=options.calibration,
        noise=options.fusion.depth_noise,
        of_depth=True,
        time_offset=options.time_offset,
        placement=options.placement,
        strict=options.strict,
    )
    sequence = chosen.sequence
    placement = place_map(sequence, chosen.posed, options.placement, time_offset=chosen.offset.seconds)
    calibrated = None if chosen.calibration is None else chosen.calibration.final
    fusion = HeightMapFusion(
        context,
        sequence.camera,
        placement.spacing,
        placement.bounds,
        placement.T_world_map,
        replace(options.fusion, intrinsics_covariance=None if calibrated is None else calibrated.covariance[:4, :4]),
    )
    return FusionStart(chosen, placement, fusion)


def check_arguments(sequence: object, options: object) -> None:
    """InputError for what is no sequence, as a folder's name is none, or no options of one."""
    if not isinstance(sequence, Sequence):
        raise InputError(f"sequence: received {sequence!r}, expected one by glrender.io.sequence_folder.open_sequence")
    check_kind("options", options, SequenceOptions)


def fuse_sequence(
    context: Context,
    sequence: Sequence,
    options: SequenceOptions,
    advance: Advance = silently,
    keep: Keep = keep_nowhere,
    displacement: Displacement | None = None,
) -> FinishedMap:
    """Fuse a sequence's frames; a KeyboardInterrupt, or OpenGL that fails, ends it with the map so far.

    `advance` is called with (frames done, frames in all), `keep` with what is returned: no KeyboardInterrupt comes
    between the last frame and its end, so that what it writes is written. `displacement` is what the poses of all
    frames together leave uncertain of where the ground is, in the map's frame; None: nothing. Raises InputError where
    there is no depth, no pose, (with `strict`) any frame that cannot be used, or nothing that falls on the map.
    """
    check_arguments(sequence, options)
    missing_photographs = sequence.missing_photographs if options.use == "both" else ()
    if options.strict and missing_photographs:
        raise InputError(
            f"{sequence.folder}: {len(missing_photographs)} photographs that rgb.txt names are not there, "
            f"the first is {missing_photographs[0].name}"
        )
    start = start_fusion(context, sequence, options)
    sequence, fusion = start.sequence, start.fusion
    fusion.displacement = displacement
    try:
        run = _Run(start, options)
        run.rehearse(context)
        run.add_all(advance)
        with interruptible_after():
            surface = run.finish()
            prediction = photograph = None
            if surface.colors is not None and run.best_view is not None and run.failure is None:
                prediction = predict_view(context, sequence.camera, surface, start.pose(run.best_view))
                photograph = run.best_view.image
            report = run.report() | {
                "photographs_missing": missing_photographs,
                "renderer": context.renderer,
                "placement": start.placement.description,
                "options": describe_options(sequence, options),
            }
            report |= describe_map(fusion, surface)
            finished = FinishedMap(surface, prediction, photograph, report, run.partial, failure=run.failure)
            keep(finished)
    finally:
        fusion.release()
    return finished


def describe_options(sequence: Sequence, options: SequenceOptions) -> dict[str, Any]:
    """What was asked for, for `report.json`."""
    plain = {key: value for key, value in asdict(options).items() if key != "fusion"}
    return {"sequence": str(sequence.folder.resolve())} | plain | {"fusion": options.fusion}


def describe_map(fusion: HeightMapFusion, surface: HeightMap) -> dict[str, Any]:
    """What is known of a map that `fusion` made, for `report.json`."""
    assert surface.sigma is not None
    return {
        "observed": float(np.isfinite(surface.heights).mean()),
        "observed_of_seen": fusion.observed_of_seen,
        "median_sigma": float(np.nanmedian(surface.sigma)),
        "median_local_sigma": None if surface.local_sigma is None else float(np.nanmedian(surface.local_sigma)),
        "color_share": fusion.color_share,
        "noise_excess": fusion.noise_excess,
        "shared_errors": None if fusion.shared is None else fusion.shared.report(),
    }


class _Run:
    """The frames on their way into the map, and what became of them."""

    def __init__(self, start: FusionStart, options: SequenceOptions) -> None:
        self.start, self.options = start, options
        self.sequence, self.fusion, self.chosen = start.sequence, start.fusion, start.chosen
        self.entries = start.chosen.posed
        if options.use == "depth":
            self.entries = tuple(replace(entry, color_path=None) for entry in self.entries)
        self.skipped = list(start.chosen.skipped)
        self.reports: dict[int, FrameReport] = {}
        self.best_view: Frame | None = None
        self.stages: dict[str, list[float]] = {}
        self.seconds = 0.0
        self.partial = False
        self.failure: GLError | None = None

    def rehearse(self, context: Context) -> None:
        """Have everything loaded that frames ask for, so that the first one takes no longer than the others."""
        began = perf_counter()
        colored = any(entry.color_path is not None for entry in self.entries)
        rehearse_fusion(context, self.fusion.options, 3 if colored else 0)
        self._took("rehearse", 1e3 * (perf_counter() - began))

    def add_all(self, advance: Advance) -> None:
        """Fuse frame after frame; KeyboardInterrupt or GLError ends it, and is passed on where none was fused yet."""
        entries = self.entries
        pace = Pace(entries) if self.options.realtime else None
        started = perf_counter()
        try:
            for done, read in enumerate(read_ahead(self.sequence, entries, pace), start=1):
                if read.late:
                    self._skip(read.entry, LATE)
                else:
                    with interruptible_after():
                        self._add(read)
                        self.seconds = perf_counter() - started
                advance(done, len(entries))
        except (KeyboardInterrupt, GLError) as error:
            if not self.reports:
                raise
            self.partial = True
            if isinstance(error, GLError):
                self.failure = error

    def finish(self) -> HeightMap:
        """The map of all frames that were added; InputError if there is nothing on it."""
        if not self.reports:
            first = describe_skipped(self.skipped[0])
            raise InputError(f"{self.sequence.folder}: no frame could be fused, the first is {first}")
        start = perf_counter()
        try:
            surface = self.fusion.map() if self.failure is None else self.fusion.rescued_map()
        except GLError as error:
            self.partial, self.failure = True, error
            surface = self.fusion.rescued_map()
        self._took("finish", 1e3 * (perf_counter() - start))
        if np.isnan(surface.heights).all():
            raise InputError(f"{self.sequence.folder}: {self._why_nothing(surface)}")
        return surface

    def report(self) -> dict[str, Any]:
        """What became of the frames."""
        frames = list(self.reports.values())
        # In this order: poses that are misread often agree better by another unit, too, but not the other way round.
        reading = self._likelier_reading()
        return {
            "frames_used": len(frames),
            "frames_skipped": self.skipped,
            "frames_per_second": len(frames) / self.seconds,
            "partial": self.partial,
            "failure": None if self.failure is None else str(self.failure),
            "stages": {f"{name}_ms": float(np.median(times)) for name, times in self.stages.items()},
            "residuals": {
                "median_abs_m": float(np.nanmedian([frame.median_abs_residual for frame in frames])),
                "median_m_rms_over_frames": float(np.sqrt(np.nanmean(np.square([f.median_residual for f in frames])))),
                "frames": [{"index": index} | asdict(report) for index, report in self.reports.items()],
            },
            "likelier_depth_scale": self._likelier_depth_scale() if reading is None else None,
            "likelier_reading": reading,
        } | self.chosen.description()

    def _likelier_depth_scale(self) -> float | None:
        assert self.chosen.points is not None
        return likelier_depth_scale(self.chosen.points, self.start.placement.T_world_map, self.chosen.offset.seconds)

    def _likelier_reading(self) -> str | None:
        points, offset = self.chosen.points, self.chosen.offset.seconds
        assert points is not None
        clock = self.options.time_offset or 0.0
        return likelier_reading(points, self.start.placement.T_world_map, offset, clock)

    def _why_nothing(self, surface: HeightMap) -> str:
        if any(report.measured for report in self.reports.values()):
            return (
                f"the frames say too little about any cell of a map with a spacing of {surface.spacing:g} m; "
                "choose a larger spacing"
            )
        x, y = surface.axes()
        scale = self._likelier_depth_scale()
        return (
            f"none of the {len(self.reports)} frames sees the map, which covers x {x[0]:g} to {x[-1]:g} and "
            f"y {y[0]:g} to {y[-1]:g} m in its frame; check the bounds and T_world_map, or leave them to be found"
            + (f", and depth_scale: depths fit the poses by {scale:g} counts a metre" if scale else "")
        )

    def _took(self, stage: str, milliseconds: float) -> None:
        self.stages.setdefault(stage, []).append(milliseconds)

    def _skip(self, entry: FrameEntry, reason: str) -> None:
        self.skipped.append(Skipped(entry.index, entry.name, reason))

    def _add(self, read: ReadFrame) -> None:
        entry, frame = read.entry, read.frame
        if frame is None:
            assert read.error is not None
            if self.options.strict:
                raise read.error
            self._skip(entry, str(read.error))
            return
        start = perf_counter()
        report = self.fusion.integrate(self.start.pose(frame), image=frame.image, depth=frame.depth)
        self._took("read", read.milliseconds)
        self._took("fuse", 1e3 * (perf_counter() - start))
        for stage, milliseconds in report.milliseconds.items():
            self._took(f"fuse_{stage}", milliseconds)
        # The view to show is the photograph that sees most of the map.
        best = self.best_view
        if frame.image is not None and (best is None or report.measured > self.reports[best.index].measured):
            self.best_view = frame
        self.reports[entry.index] = report
