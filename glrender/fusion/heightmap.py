"""Recursive fusion: every frame's depth and colour into one height map, in information form.

The map's memory is a block stencil and a vector of the grid's size, whatever number of frames went in:
a frame that is linearised at x with normal equations H dx = g adds H to the stencil and H x + g to the
vector, after which it is forgotten (the information filter of Zienkiewicz, Davison and Leutenegger,
IROS 2016). The estimate is the solution of the sum, and its covariance the inverse.

What is forgotten cannot be linearised again, and the first frames are linearised at a poor estimate. So the
last few frames stay in a sliding window. They count at once, but enter the memory for good only when they leave
the window, relinearised where the frames after them have put the map. And a cell that the first frame to see it
saw wrongly, because somebody walked by, is put right by the others while that frame is in the window.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glrender.assembly.residuals import Measurements
from glrender.checks import check_kind, check_pose
from glrender.errors import InputError, UsageError
from glrender.fusion.colors import ColorMemory
from glrender.fusion.displacement import Displacement
from glrender.fusion.frame_log import FrameLog, attenuation
from glrender.fusion.grid import Grid, fill_from_nearest
from glrender.fusion.height_memory import HeightMemory
from glrender.fusion.linearization import NOTHING, FrameLinearizer, FrameReport, Linearized, MeasuredFrame
from glrender.fusion.options import FusionOptions
from glrender.fusion.photograph_memory import PhotographMemory
from glrender.fusion.photometry import PhotographLinearizer, PhotographReport
from glrender.fusion.posed_frame import PosedFrame, copied_frame, why_nothing
from glrender.fusion.shared_errors import SharedErrors, shared_errors
from glrender.fusion.sightings import disputed
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.parallel import run_together
from glrender.recycle import Recycler
from glrender.solve.marginals import marginal_variances_at
from glrender.solve.multigrid import MultigridSolver
from glrender.solve.patch import LocalEquations, Patch
from glrender.solve.priors import SmoothnessPrior
from glrender.stopwatch import Stopwatch

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _HeldFrame:
    """A frame in the window."""

    frame: MeasuredFrame
    sighting: Float64
    """(rows, cols) of its patch: mean height that it saw around each vertex; NaN where it saw nothing, or where the
    map was known."""
    linearized: Linearized
    """What it adds to the memory for now."""
    cells: NDArray[np.bool_] | None
    """(rows, cols) of its patch: the only cells whose heights it may change; None: all."""


class HeightMapFusion:
    """Fuses frames with known poses into a height map; owned by `context`, in whose thread it is used.

    It is released with the context at the latest, by `release`, or at the end of a `with` block.

    `bounds` are (x0, x1, y0, y1) in metres of the map frame, which `T_world_map` places. Heights come from depth, and
    where `FusionOptions.heights_from` says so, from photographs; colours are estimated beside them. Memory and the cost
    of a frame do not depend on how many frames there were, nor the cost on how large the map is: what is improved is a
    patch around what the last few frames see. (Where photographs tell heights, it is all of the map.)
    """

    def __init__(
        self,
        context: Context,
        camera: Camera,
        spacing: float = 0.01,
        bounds: tuple[float, float, float, float] = (-1.0, 1.0, -1.0, 1.0),
        T_world_map: ArrayLike | None = None,
        options: FusionOptions | None = None,
    ) -> None:
        check_kind("context", context, Context)
        check_kind("camera", camera, Camera)
        self.camera = camera
        self.options = FusionOptions() if options is None else options
        check_kind("options", self.options, FusionOptions)
        pose = None if T_world_map is None else check_pose("T_world_map", T_world_map)
        self.grid = Grid.covering(bounds, spacing, pose)
        context.check_texture_size("height map", *self.grid.shape[::-1])
        self.grid.check_memory()
        self._linearizer = FrameLinearizer(context, camera, self.grid, self.options, self.options.equations)
        self._recycler = Recycler(alike=2 * (self.options.window + 2))  # a depth and a sigma of each frame that is held
        self._heights = np.zeros(self.grid.shape)
        self._seeded = np.zeros(self.grid.shape, bool)
        self._whole = Patch.whole(self.grid.shape)
        slopes = self.options.slope_sigma, self.options.step_slope
        prior = SmoothnessPrior(*(slope * self.grid.spacing for slope in slopes))
        self._memory = HeightMemory(self.grid.shape, prior, self.options.observed_ratio)
        self._window: deque[_HeldFrame] = deque()
        # The first frame of a full window, relinearised at the estimate as it was when the last call ended, and on the
        # host since then; the next call absorbs the result.
        self._leaving: Callable[[], Linearized] | None = None
        # Of the frames in the window, of the one absorbed last, which heights do not follow yet, and of a new frame.
        self._recent_patches: deque[Patch] = deque(maxlen=self.options.window + 3)
        self._colors: ColorMemory | None = None
        self._photographs: PhotographMemory | None = None
        if self.options.heights_from != "depth":
            linearizer = PhotographLinearizer(context, camera, self.grid, self.options, self.options.intensity_noise)
            self._photographs = PhotographMemory(linearizer, camera)
        self._log = FrameLog(self.grid.shape, self.grid.spacing)
        self._attenuation = attenuation(self.options.depth_loss)
        self.displacement: Displacement | None = None
        """How far the poses of all frames together may displace the ground; None: not at all. `map()` counts it in."""
        self.shared: SharedErrors | None = None
        """What the frames of the last `map()` have wrong as wholes; None where nothing was observed."""
        self.noise_excess = 1.0
        """The variance of the heights in the last `map()`, over what it would be if readings erred independently.

        The median over the cells; above 1 where neighbouring readings err together, see `FrameLog.noise_excess`."""
        self.observed_of_seen = 1.0
        """The share of the cells seen by any frame of the last `map()` that is observed."""

    @property
    def surface(self) -> HeightMap:
        """The current estimate with a finite height in every cell, also where nobody has looked."""
        return self.grid.surface(self._heights, self._colors.estimate if self._colors else None)

    @property
    def color_share(self) -> float:
        """Part of the information about heights so far that photographs brought."""
        return self._memory.color_share()

    @property
    def observed(self) -> NDArray[np.bool_]:
        """(rows, cols): cells about whose height the data say enough, see `FusionOptions.observed_ratio`."""
        return self._memory.observed(self._whole)

    def integrate(
        self,
        T_world_camera: ArrayLike,
        image: ArrayLike | None = None,
        depth: ArrayLike | None = None,
        depth_sigma: ArrayLike | None = None,
    ) -> FrameReport:
        """Fuse one frame; what it says about unseen cells seeds them.

        `image` is (height, width, 3 or 1) linear colour, `depth` (height, width) camera z in metres; 0 or not
        finite where a pixel measured nothing. `depth_sigma` (height, width) metres is the standard deviation of each
        depth, where it is not `FusionOptions.depth_noise` that says it: greater than 0 where a depth was measured, and
        infinite where that says nothing. Raises InputError for arrays of another shape, of whole numbers (bytes,
        millimetres) or of bytes as floats, sigmas that are not greater than 0 or a pose that is not rigid, UsageError
        for neither image nor depth, a `depth_sigma` without depth, or an image with other channels than the ones
        before. Raises GLError in another thread than the context's, and after `release`, as `map` does.
        MemoryError may be that of an earlier frame, relinearised on the host meanwhile; this one is then fused, too.
        """
        self._linearizer.use()
        given = copied_frame(self.camera, T_world_camera, image, depth, depth_sigma, self._recycler)
        assert given.depth is not None
        if given.image is not None:
            self._check_channels(given.image.shape[2])
        watch = Stopwatch()
        with watch.stage("seed"):
            patch = self._linearizer.patch(given.T_world_camera, given.depth, painted=given.image is not None)
        # What does not see the map takes no place in the window either, and no time.
        report = NOTHING if patch is None else self._fuse(given, given.depth, patch, watch)
        photographs = None
        if self._photographs is not None and given.image is not None:
            with watch.stage("photographs"):
                photographs = self._add_photograph(self._photographs, given.T_world_camera, given.image)
        report = replace(report, photographs=photographs, milliseconds=watch.milliseconds)
        if depth is not None and report.measured == 0:
            reason = why_nothing(given.depth, given.depth_sigma, seen=patch is not None)
            report = replace(report, nothing_because=reason)
        return replace(report, color_share=self.color_share)

    def map(self) -> HeightMap:
        """The map so far: height, sigma and colour, NaN in cells that are not observed.

        Sigma is marginal, and that of the noise, as frames scatter, together with what whole frames have wrong (see
        `shared_errors`).
        """
        self._linearizer.use()
        # Nothing of this is kept: what comes out does not depend on how often it was asked for.
        heights, colors = self._heights_and_colors()
        memory, estimate = self._memory.copy(), None
        for held in self._window:
            if colors is not None:
                # At colours that the frames before have put right: a robust loss makes little of what is far off.
                colors.solve()
                estimate = colors.estimate
            linearized = self._linearizer.prepare(held.frame, heights, estimate, held.cells)()
            memory.relinearize(held.linearized.heights, linearized.heights)
            if colors is not None:
                colors.add(held.frame.patch, linearized.colors)
        waiting = None if self._photographs is None else self._photographs.compared(heights, self._solving(memory))
        if waiting is not None:
            memory.add(waiting[1].heights, by_photographs=True)
        return self._map_of(memory, heights, colors)

    def rescued_map(self) -> HeightMap:
        """The map so far without rendering anything, for when OpenGL has failed.

        The last few frames count as they were linearised at first, and their images not at all.
        """
        return self._map_of(self._memory, *self._heights_and_colors())

    def _map_of(self, memory: HeightMemory, heights: Float64, colors: ColorMemory | None) -> HeightMap:
        heights = memory.solved(self._whole, _TO_THE_END, heights)
        observed, seen = memory.observed(self._whole), memory.observed(self._whole, 1e-6)
        self.observed_of_seen = float(observed.sum() / seen.sum()) if seen.any() else 1.0
        sigma, local = np.full(self.grid.shape, np.nan), None
        self.shared, self.noise_excess = None, 1.0
        if observed.any():  # without any data, the prior alone has no covariance
            equations, excess = memory.equations(self._whole, heights), self._log.noise_excess(self.options.depth_loss)
            self.noise_excess = float(np.median(excess[observed]))
            excess = 1 + (excess - 1) * (1 - memory.share_of_photographs())  # which do not err with their neighbours
            sigma = np.sqrt(marginal_variances_at(equations.stencil, observed) * excess)
            by_noise = self.grid.surface(np.where(observed, heights, np.nan), sigma=sigma)
            pose_sigma, intrinsics = self.options.pose_sigma, self.options.intrinsics_covariance
            self.shared = shared_errors(self._log, by_noise, self.camera, pose_sigma, intrinsics, self.displacement)
            sigma = np.sqrt(np.square(sigma) + self.shared.variance)
            local = None if self.displacement is None else np.sqrt(np.square(sigma) - self.shared.common)
        known = None
        if colors is not None:
            colors.solve()
            known = np.where(observed[..., None], colors.known(), np.nan)
        return self.grid.surface(np.where(observed, heights, np.nan), known, sigma, local)

    def release(self) -> None:
        """Release what this fusion made in its context; it can then no longer be used."""
        self._linearizer.release()
        if self._photographs is not None:
            self._photographs.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _fuse(self, given: PosedFrame, depth: Float32, patch: Patch, watch: Stopwatch) -> FrameReport:
        """Seed cells from a frame, add its equations, update the estimate, and absorb the first frame of the window.

        On the host that one has been relinearised beside all of this, since the frame before was done: one thread would
        leave a core idle. The heights follow it when the next frame updates them.
        """
        T, image = given.T_world_camera, given.image
        self._recent_patches.append(patch)
        with watch.stage("seed"):
            if given.depth_sigma is None:
                self._memory.threshold.add_readings(depth, self.options.depth_noise)
            alone = self.options.heights_from == "color"
            uncertain = ~self._memory.observed(patch, 1 if alone else _WELL_KNOWN)
            cells = uncertain if alone else None
            sigma = self.options.depth_noise.sigma(depth) if given.depth_sigma is None else given.depth_sigma
            wanted = uncertain | self._memory.is_new(patch)
            seen = self.grid.part(patch).means(self.camera, T, depth, image, depth_sigma=sigma, wanted=wanted)
            seeded = self._seed(patch, seen, uncertain)
        frame = self._linearizer.hold(T, patch, Measurements(depth, sigma, image, self.options.color_noise))
        with watch.stage("normal_equations"):
            try:
                linearized = self._linearizer.prepare(frame, self._heights, cells=cells)()
                if self._leaving is not None and self._linearizer.on_gpu:
                    self._leaving()  # now, so that neither frame is taken in where OpenGL fails
            except BaseException:
                self._linearizer.let_go(frame)
                raise
        self._memory.add(linearized.heights)
        self._window.append(_HeldFrame(frame, seen[..., 0].copy(), linearized, cells))
        with watch.stage("solve"):
            T_map_camera = se3.inverse(self.grid.T_world_map) @ T
            before = self._heights[patch.slices].copy()
            independent = given.depth_sigma is None
            opinion = T_map_camera, linearized.heights, before, ~uncertain, self._attenuation, independent
            note = partial(self._log.add, *opinion)
            self._update(Patch.hull(self._recent_patches), note)
        with watch.stage("normal_equations"):
            self._slide()
        return replace(linearized.report, seeded=seeded)

    def _seed(self, patch: Patch, seen: Float64, where: NDArray[np.bool_]) -> int:
        """Set the cells `where` to what is finite of a patch's heights and colours (rows, cols, 1 + C).

        Returns how many of them are seen for the first time.
        """
        heights, seeded = self._heights[patch.slices], self._seeded[patch.slices]
        known = where & np.isfinite(seen[..., 0])
        np.copyto(heights, seen[..., 0], where=known)
        if self._colors is not None and seen.shape[2] > 1:
            self._colors.seed(patch, seen[..., 1:], where)
        first = int(np.count_nonzero(known & ~seeded))
        if first:
            # With the first of all cells, all others get a height; from then on those around what a frame sees.
            filled = patch if self._seeded.any() else self._whole
            seeded |= known
            heights, seeded = self._heights[filled.slices], self._seeded[filled.slices]
            heights[:] = fill_from_nearest(heights, seeded)
        return first

    def _heights_and_colors(self) -> tuple[Float64, ColorMemory | None]:
        """Copies of both, with the new cells' heights that `_outvote_first_sightings` gives them."""
        heights = self._heights.copy()
        self._outvote_first_sightings(heights)
        return heights, None if self._colors is None else self._colors.copy()

    def _outvote_first_sightings(self, heights: Float64) -> None:
        """Set new cells to what most frames in the window saw, where that contradicts `heights`."""
        if self._window:
            seen = Patch.hull(held.frame.patch for held in self._window)
            rows, cols = np.nonzero(self._memory.is_new(seen) & self._seeded[seen.slices])
            rows, cols = rows + seen.top, cols + seen.left
            sightings = np.column_stack([held.frame.patch.at(rows, cols, held.sighting) for held in self._window])
            majority = disputed(heights[rows, cols], sightings, self.grid.spacing)
            heights[rows, cols] = np.where(np.isfinite(majority), majority, heights[rows, cols])

    def _check_channels(self, channels: int) -> None:
        if channels not in (1, 3):
            raise InputError(f"integrate: received an image of {channels} channels, expected 1 (grey) or 3")
        if self._colors is None:
            self._colors = ColorMemory(self.grid.shape, channels)
        elif self._colors.channels != channels:
            raise UsageError(
                f"integrate: received an image of {channels} channels, but images before had {self._colors.channels}"
            )

    def _add_photograph(self, memory: PhotographMemory, T: Float64, image: Float32) -> PhotographReport | None:
        """Let a photograph wait; once there are enough of them, take in what they say."""
        memory.add(T, image, self.surface)
        compared = memory.compared(self._heights, self._solving(self._memory)) if memory.complete else None
        if compared is None:
            return None
        heights, said = compared
        memory.forget()
        if said.heights.equations.count == 0:
            return said.report
        self._heights = heights
        self._memory.add(said.heights, by_photographs=True)
        T_map_camera = se3.inverse(self.grid.T_world_map) @ T
        self._log.add(T_map_camera, said.heights, self._heights, self.observed, self._attenuation, independent=False)
        self._heights = self._memory.solved(self._whole, _FEW_STEPS, self._heights)
        return said.report

    def _solving(self, memory: HeightMemory) -> Callable[[LocalEquations | None], tuple[Float64, Float64]]:
        def solve(said: LocalEquations | None) -> tuple[Float64, Float64]:
            known = memory
            if said is not None:
                known = memory.copy()
                known.add(said)
            return known.solved(self._whole, _SOME_STEPS, self._heights), known.information(self._whole)

        return solve

    def _slide(self) -> None:
        """Absorb the frame that has been relinearised, once the next one has begun to be.

        Where that failed, the frame stays in the window and is begun again.
        """
        leaving, self._leaving = self._leaving, None
        ready = None if leaving is None else (leaving(), self._window.popleft())
        try:
            if len(self._window) > self.options.window:
                self._leaving = self._relinearize_first()
        finally:
            if ready is not None:
                self._absorb(*ready)

    def _relinearize_first(self) -> Callable[[], Linearized]:
        """Begin to linearise the window's first frame at the estimate as it is now; what is returned waits for it."""
        self._outvote_first_sightings(self._heights)
        first, colors = self._window[0], None if self._colors is None else self._colors.estimate
        return self._linearizer.begin(self._linearizer.prepare(first.frame, self._heights, colors, first.cells))

    def _absorb(self, linearized: Linearized, held: _HeldFrame) -> None:
        """Let a frame that has left the window go; `linearized` takes its place in the memory for good."""
        self._memory.relinearize(held.linearized.heights, linearized.heights)
        if self._colors is not None:
            self._colors.add(held.frame.patch, linearized.colors)
        self._linearizer.let_go(held.frame)

    def _update(self, patch: Patch, note: Callable[[], None]) -> None:
        """Move heights and colours of a patch towards the memory's solution, while `note` logs the frame."""
        solve = partial(self._memory.solved, patch, _FEW_STEPS, self._heights)
        relax = partial(self._colors.relax, patch) if self._colors is not None else lambda: None
        self._heights[patch.slices], _, _ = run_together(solve, relax, note)


# A cell takes its height from each frame's points again until the data say this many times more than makes it
# observed: one that a first glance across a ridge put centimetres off would find no way back by small steps.
_WELL_KNOWN = 8.0

# A frame's few cycles start from the last estimate, and what they leave is taken up by the next frame's.
_FEW_STEPS = MultigridSolver(tolerance=0.03, max_iterations=2, truncated=True, sweeps=2)
_SOME_STEPS = MultigridSolver(tolerance=0.01, max_iterations=8, truncated=True)
_TO_THE_END = MultigridSolver()
