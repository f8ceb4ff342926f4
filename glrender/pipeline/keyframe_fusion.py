"""Keyframes with known poses become a map: the depth of each from its neighbours, fused one after the other."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glrender.advance import Advance
from glrender.errors import GLError, GlrenderError, InputError
from glrender.frontend.depth_from_motion import DepthFromMotion
from glrender.frontend.motion_depth import MotionDepth
from glrender.frontend.photograph import Photograph
from glrender.frontend.search import Search
from glrender.fusion.displacement import Displacement
from glrender.fusion.heightmap import HeightMapFusion
from glrender.fusion.linearization import FrameReport
from glrender.fusion.scatter import Scatter
from glrender.geometry.heightmap import HeightMap
from glrender.geometry.intensity import intensity
from glrender.gl.context import Context
from glrender.interrupt import interruptible_after
from glrender.io.sequence import FrameEntry, FramePoses, Sequence, Skipped
from glrender.io.trajectory import Trajectory
from glrender.pipeline.chosen_frames import describe_skipped
from glrender.pipeline.fuse import SequenceOptions, describe_map, describe_options
from glrender.pipeline.ground import Ground
from glrender.pipeline.keyframes import Gallery, KeyframeDepths, PosedPhotograph
from glrender.pipeline.outputs import FinishedMap, predict_view
from glrender.pipeline.placement import Placement
from glrender.pipeline.read_ahead import ReadFrame, read_ahead

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

OBSERVED = 0.001
"""`FusionOptions.observed_ratio` at most: where matched depths leave a height uncertain, sigma says so, and the prior
may help to know it. What a larger ratio would lose is noted beside the benchmarks (glrender/bench/NOTES.md, depth from
motion)."""
STEP = 1.0
"""`FusionOptions.step_slope` at most: of a wall's two sides, windows tell no more than the prior does."""
HELD = 12
"""`FusionOptions.window` at least, unless frames come live. Edges are first seen from afar, where windows blur them,
and a robust estimate stays where it began, so that frames must be held for long enough to put them right. 24 do a
little better, for twice the memory."""
RELIEF = 0.3
"""How far above and below the ground's level depths are searched for, as a share of the camera's height over it."""


@dataclass(frozen=True, eq=False)
class FusedKeyframe:
    """A keyframe that is in the map."""

    keyframe: PosedPhotograph
    depth: MotionDepth
    sigma: Float32
    """(height, width) standard deviation that each depth was fused with, metres."""
    report: FrameReport


class KeyframeFusion:
    """Keyframes on their way into the map, and what became of them; owned by `context`.

    `has_time` is asked when a keyframe's turn comes, and says whether it is to get a depth.
    """

    def __init__(
        self,
        context: Context,
        sequence: Sequence,
        options: SequenceOptions,
        placement: Placement,
        ground: Ground,
        has_time: Callable[[], bool] = lambda: True,
    ) -> None:
        self._context, self._sequence, self._options = context, sequence, options
        self._placement, self._ground = placement, ground
        self._depth_from_motion = DepthFromMotion(context, sequence.camera)
        window = options.fusion.window if options.realtime else max(options.fusion.window, HELD)
        fusion = replace(
            options.fusion,
            observed_ratio=min(options.fusion.observed_ratio, OBSERVED),
            step_slope=min(options.fusion.step_slope, STEP),
            window=window,
        )
        self._fusion = HeightMapFusion(
            context, sequence.camera, placement.spacing, placement.bounds, placement.T_world_map, fusion
        )
        # Live, poses are rough, and frames scatter about the map for that reason; sigma says so once the drive is over.
        self._scatter = None if options.realtime else Scatter(sequence.camera, self._fusion.grid)
        self._depths = KeyframeDepths(self._depth_from_motion, self._search, has_time)
        self._skipped: list[Skipped] = []
        self._reports: dict[int, FrameReport] = {}
        self._shares: list[Mapping[str, float]] = []
        self._best_view: PosedPhotograph | None = None
        self.added: dict[FrameEntry, Float64] = {}
        """T_world_camera (4, 4) of each keyframe so far."""
        self.latest: FusedKeyframe | None = None
        """What was fused last."""
        self._stages: dict[str, list[float]] = {}
        self._seconds = 0.0
        self._partial = False
        self._failure: GlrenderError | None = None

    def expect(self, keyframes: tuple[FrameEntry, ...], poses: FramePoses) -> None:
        """Make known which keyframes will come, and with which poses, so that they can help those before them to
        depths."""
        self._depths.gallery = Gallery(self._sequence, keyframes, poses)

    def add_all(self, keyframes: tuple[FrameEntry, ...], poses: FramePoses, advance: Advance) -> None:
        """Read and fuse keyframe after keyframe, see `kept`."""
        self.expect(keyframes, poses)
        with self.kept():
            for done, read in enumerate(read_ahead(self._sequence, keyframes), start=1):
                with interruptible_after():
                    if read.frame is None:
                        self.skip(read)
                    else:
                        assert read.frame.image is not None
                        self.took("read", read.milliseconds)
                        self.add(read.entry, read.frame.image, poses[read.entry.index])
                advance(done, len(keyframes))

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keyframes are fused within such a block. A KeyboardInterrupt or GLError ends it and keeps the map; it is
        passed on where there is no map yet."""
        started = perf_counter()
        try:
            yield
            with interruptible_after():
                self.fuse_waiting()
        except (KeyboardInterrupt, GLError) as error:
            self.break_off(error)
        finally:
            self._seconds = perf_counter() - started

    def break_off(self, error: KeyboardInterrupt | GlrenderError) -> None:
        """Keep the map of the keyframes so far, since no more will come; the error is raised where there are none."""
        if not self._reports:
            raise error
        self._partial = True
        # What failed first tells what still works: OpenGL does not, whatever else has failed since.
        if self._failure is None and isinstance(error, GlrenderError):
            self._failure = error

    def add(self, entry: FrameEntry, image: Float32, T_world_camera: Float64) -> None:
        """Take a photograph (height, width, 3), linear, as a keyframe, and fuse the keyframes that only waited for
        it."""
        self.added[entry] = T_world_camera
        distance = self._ground.distance(T_world_camera, self._placement.T_world_map)
        if distance <= 0:
            self._skipped.append(Skipped(entry.index, entry.name, "its pose is below the ground, and so a wrong one"))
            return
        keyframe = PosedPhotograph(entry, image, Photograph(intensity(image), T_world_camera), distance)
        start = perf_counter()
        finished = list(self._depths.add(keyframe))
        if finished:
            self.took("depth", 1e3 * (perf_counter() - start))
        for each, depth in finished:
            self._fuse(each, depth)

    def move(self, poses: Mapping[float, Float64]) -> None:
        """Put keyframes that are not in the map yet at other poses (4, 4), by their times."""
        self._depths.move(poses)
        for entry in self.added:
            if entry.time in poses and entry.index not in self._reports:
                self.added[entry] = poses[entry.time]

    def fuse_waiting(self) -> None:
        """Fuse the keyframes that still wait for others: no further one will come."""
        for keyframe, depth in self._depths.finish():
            self._fuse(keyframe, depth)

    def skip(self, read: ReadFrame) -> None:
        """Tell of a file that cannot be read; with `strict` its error is raised."""
        assert read.error is not None
        if self._options.strict:
            raise read.error
        self._skipped.append(Skipped(read.entry.index, read.entry.name, str(read.error)))

    def took(self, stage: str, milliseconds: float) -> None:
        """Note how many milliseconds a stage took for a frame."""
        self._stages.setdefault(stage, []).append(milliseconds)

    def finish(
        self,
        skipped: tuple[Skipped, ...],
        description: dict[str, Any],
        trajectory: Trajectory | None,
        stages: Mapping[str, list[float]],
        seconds: float = 0.0,
    ) -> FinishedMap:
        """The map of all keyframes that were added; InputError if there is nothing on it.

        `skipped`, `description` and `trajectory` are what is known besides: of other frames, for the report, and the
        poses where they were estimated. `stages` are milliseconds that others took for frames, `seconds` those before
        the fusion began.
        """
        skipped = (*skipped, *self._skipped)
        if not self._reports:
            first = describe_skipped(skipped[0])
            raise InputError(f"{self._sequence.folder}: no photograph could be fused, the first is {first}")
        draws = not isinstance(self._failure, GLError)
        known = self._fusion.map() if draws else self._fusion.rescued_map()
        surface = self._without_disputed(known)
        if np.isnan(surface.heights).all():
            nothing = np.isnan(known.heights).all()
            says = "say too little about any cell" if nothing else "disagree about every cell"
            raise InputError(
                f"{self._sequence.folder}: {len(self._reports)} photographs {says} of the map: "
                f"{_words(self._mean_shares())} of their pixels; check poses, camera and bounds, or take a larger "
                "spacing"
            )
        prediction = photograph = None
        best = self._best_view
        if surface.colors is not None and best is not None and draws:
            prediction = predict_view(self._context, self._sequence.camera, surface, best.photograph.T_world_camera)
            photograph = best.image
        stages = {**stages, **self._stages}
        report = description | {
            "frames_used": len(self._reports),
            "frames_skipped": skipped,
            "frames_per_second": description["frames"] / (seconds + self._seconds),
            "partial": self._partial,
            "failure": None if self._failure is None else str(self._failure),
            "stages": {f"{name}_ms": float(np.median(times)) for name, times in stages.items()},
            "residuals": {
                "median_abs_m": float(np.nanmedian([report.median_abs_residual for report in self._reports.values()])),
            },
            "depth_from_motion": {"shares": self._mean_shares(), "ground": self._ground},
            "disputed": float(np.mean(np.isfinite(known.heights) & np.isnan(surface.heights))),
            "photographs_missing": self._sequence.missing_photographs,
            "reduced": self._sequence.binning,
            "renderer": self._context.renderer,
            "placement": self._placement.description,
            "options": describe_options(self._sequence, self._options),
        }
        report |= describe_map(self._fusion, surface)
        return FinishedMap(surface, prediction, photograph, report, self._partial, trajectory, self._failure)

    def displaced_by(self, displacement: Displacement | None) -> None:
        """Include in sigma, from now on, what the poses of all keyframes together leave uncertain of where the ground
        is."""
        self._fusion.displacement = displacement

    @property
    def surface(self) -> HeightMap:
        """The map so far, with a finite height in every cell."""
        return self._fusion.surface

    @property
    def observed(self) -> NDArray[np.bool_]:
        """(rows, cols): cells that the photographs say enough about."""
        return self._fusion.observed

    def map(self) -> HeightMap:
        """The map so far as it would be saved: with its sigma, NaN where too little is known, or disputed."""
        return self._without_disputed(self._fusion.map())

    def _without_disputed(self, surface: HeightMap) -> HeightMap:
        return surface if self._scatter is None else self._scatter.undisputed(surface)

    def release(self) -> None:
        """Release what this made in the context."""
        self._fusion.release()
        self._depth_from_motion.release()

    def _search(self, keyframe: PosedPhotograph) -> Search:
        T = self._placement.T_world_map
        if self._options.motion.height_range is not None:
            return Search.heights(T, *self._options.motion.height_range)
        reach = RELIEF * self._ground.camera_height(keyframe.photograph.T_world_camera, T)
        return Search.heights(T, self._ground.height - reach, self._ground.height + reach)

    def _fuse(self, keyframe: PosedPhotograph, depth: MotionDepth | None) -> None:
        entry = keyframe.entry
        if depth is None:
            self._skipped.append(Skipped(entry.index, entry.name, "no other photograph shows the same from elsewhere"))
            return
        self._shares.append(depth.shares)
        if not depth.depth.any():
            self._skipped.append(Skipped(entry.index, entry.name, f"no depth: {_words(depth.shares)} of the pixels"))
            return
        sigma = np.where(
            depth.depth > 0, depth.fusion_sigma(self._sequence.camera, self._placement.spacing), np.float32(1)
        )
        start = perf_counter()
        report = self._fusion.integrate(
            keyframe.photograph.T_world_camera,
            image=keyframe.image,
            depth=depth.depth,
            depth_sigma=sigma,
        )
        if self._scatter is not None:
            self._scatter.add(keyframe.photograph.T_world_camera, depth.depth, sigma)
        self.took("fuse", 1e3 * (perf_counter() - start))
        best = self._best_view
        if best is None or report.measured > self._reports[best.entry.index].measured:
            self._best_view = keyframe
        self._reports[entry.index] = report
        self.latest = FusedKeyframe(keyframe, depth, sigma, report)

    def _mean_shares(self) -> dict[str, float]:
        names = sorted({name for shares in self._shares for name in shares})
        return {name: float(np.mean([shares.get(name, 0.0) for shares in self._shares])) for name in names}


def _words(shares: Mapping[str, float]) -> str:
    """Shares of pixels, the largest first."""
    largest = sorted(shares.items(), key=lambda item: -item[1])
    return ", ".join(f"{name.replace('_', ' ')} {share:.0%}" for name, share in largest if share >= 0.005)
