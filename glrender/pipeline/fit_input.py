"""What a fit starts from: its options, the frames that can be used, the grid and the first estimate."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glrender.advance import Advance
from glrender.checks import check_choice, check_positive
from glrender.errors import InputError, UsageError
from glrender.fusion.grid import Grid, fill_from_nearest
from glrender.fusion.options import FusionOptions
from glrender.fusion.seed import seed_colors, seed_heights
from glrender.fusion.weighting import Weighting
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.io.sequence import FrameEntry, Sequence, Skipped
from glrender.pipeline.calibrate import CalibrationOptions
from glrender.pipeline.chosen_frames import USES, ChosenFrames, choose_frames, refuse_skipped
from glrender.pipeline.placement import Bounds, GivenPlacement, place_map
from glrender.pipeline.posed_frames import LoadedFrames, load_frames
from glrender.render.forward import ForwardRenderer

Float64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FitOptions:
    """Which frames of a sequence are fitted, and by which map."""

    frames: str = "::"
    """even, odd, first, second or a:b:c."""
    use: str | None = None
    """depth: heights alone; color: heights and colours from photographs alone; both; None: what the frames have."""
    spacing: float | None = None
    """Metres between vertices; None: from what the frames see."""
    bounds: Bounds | None = None
    """(x0, x1, y0, y1) in map metres; None: from what the frames see."""
    T_world_map: Float64 | None = None
    """(4, 4) map to world; None: the sequence's own, else the world's or the dominant plane's."""
    start: HeightMap | None = None
    """The heights to start from, on the grid to use; None: what the depth images see, the plane z = 0 without any."""
    time_offset: float | None = None
    """Seconds added to a frame's time before its pose is looked up; None: estimated."""
    calibration: CalibrationOptions | None = None
    """What to estimate of the depth camera, from depth images; None: nothing."""
    strict: bool = False
    """Whether a frame that cannot be used is an error rather than skipped."""
    weighting: Weighting = field(default_factory=Weighting)
    slope_sigma: float = FusionOptions.slope_sigma
    """Prior: standard deviation of the slope between neighbouring vertices."""
    iterations: int = 20
    """Steps to try at most."""

    def __post_init__(self) -> None:
        if self.use is not None:
            check_choice("use", self.use, USES)
        check_positive("slope_sigma", self.slope_sigma)
        given = [name for name in ("spacing", "bounds", "T_world_map") if getattr(self, name) is not None]
        if self.start is not None and given:
            raise UsageError(f"start: received a map and {', '.join(given)} as well; the map brings its own grid")

    @property
    def placement(self) -> GivenPlacement:
        """What is said of where the map lies."""
        return GivenPlacement(self.T_world_map, self.bounds, self.spacing)


@dataclass(frozen=True, eq=False)
class FitInput:
    """The frames to fit to, and the grid of the map."""

    use: str
    """One of USES."""
    chosen: ChosenFrames
    """With the sequence that they are read from, and the time offset."""
    loaded: LoadedFrames
    """With the depth images, if any, that heights are to start from."""
    skipped: tuple[Skipped, ...]
    """The selected frames that cannot be used."""
    grid: Grid
    placement: dict[str, Any]
    """Where the grid comes from, for `report.json`."""


def read_input(context: Context, sequence: Sequence, options: FitOptions, advance: Advance) -> FitInput:
    """Select the frames, find what is not given, and read the images; `advance` has (frames read, frames in all)."""
    selected = sequence.select(options.frames)
    use = _settle_use(sequence, selected, options.use)
    start = options.start
    chosen = choose_frames(
        context,
        sequence,
        options.frames,
        calibration=options.calibration,
        noise=options.weighting.depth_noise,
        of_depth=use != "color" or start is None,
        time_offset=options.time_offset,
        placement=options.placement if start is None else GivenPlacement(start.pose),
        strict=options.strict,
    )
    sequence, posed, offset = chosen.sequence, chosen.posed, chosen.offset
    entries, without_photograph = _with_files(posed, use, options)
    skipped = (*chosen.skipped, *without_photograph)
    if options.strict:
        refuse_skipped(sequence, skipped)
    if start is not None:
        grid = Grid(start.shape, start.spacing, start.origin, start.pose)
        placement: dict[str, Any] = {
            "T_world_map": start.pose,
            "T_world_map_from": "the map to start from",
            "crs": sequence.crs,
        }
    else:
        placed = place_map(sequence, posed, options.placement, time_offset=offset.seconds)
        grid = Grid.covering(placed.bounds, placed.spacing, placed.T_world_map)
        placement = placed.description
    loaded = load_frames(sequence, entries, offset.seconds, strict=options.strict, advance=advance)
    return FitInput(use, chosen, loaded, (*skipped, *loaded.skipped), grid, placement)


def first_estimate(
    context: Context, sequence: Sequence, task: FitInput, start: HeightMap | None
) -> tuple[Float64, str]:
    """(rows, cols, 1 + C) finite heights and, unless depth alone is used, colours; and where the heights come from."""
    grid, frames = task.grid, task.loaded.frames
    heights, source = np.zeros(grid.shape), "the plane z = 0 of the map frame"
    if start is not None:
        known = ~np.isnan(start.heights)
        if not known.any():
            raise InputError("start: every height is NaN, expected a map with heights to start from")
        heights, source = fill_from_nearest(start.heights, known), "the map given"
    else:
        seen = seed_heights(grid, sequence.camera, frames)
        if seen is not None:
            heights, source = seen, "the depth images"
    if task.use == "depth":
        return heights[..., None], source
    renderer = ForwardRenderer(context, sequence.camera)
    painted = seed_colors(grid, renderer, frames, heights, channels=3)
    renderer.release()
    return np.concatenate([heights[..., None], painted], axis=-1), source


def _settle_use(sequence: Sequence, selected: tuple[FrameEntry, ...], use: str | None) -> str:
    """What to use, or InputError where the frames do not have it."""
    has = {
        "depth": any(entry.depth_path is not None for entry in selected),
        "color": any(entry.color_path is not None for entry in selected),
    }
    if use is None:
        return "both" if all(has.values()) else next(kind for kind, there in has.items() if there)
    wanted = ("depth", "color") if use == "both" else (use,)
    for kind in wanted:
        if not has[kind]:
            images, other = {"depth": ("a depth image", "color"), "color": ("a photograph", "depth")}[kind]
            raise InputError(
                f"{sequence.folder}: received use {use!r}, expected {other!r}: none of the {len(selected)} selected "
                f"frames has {images}"
            )
    return use


def _with_files(
    posed: tuple[FrameEntry, ...], use: str, options: FitOptions
) -> tuple[tuple[FrameEntry, ...], tuple[Skipped, ...]]:
    """The entries with the files that are to be read, and those that have none to use."""
    if use == "depth":
        return tuple(replace(entry, color_path=None) for entry in posed), ()
    if use == "both":
        return posed, ()
    usable = tuple(entry for entry in posed if entry.color_path is not None)
    if options.start is not None:
        usable = tuple(replace(entry, depth_path=None) for entry in usable)
    bare = (entry for entry in posed if entry.color_path is None)
    return usable, tuple(
        Skipped(entry.index, entry.depth_path.name if entry.depth_path else "", "no photograph within 20 ms")
        for entry in bare
    )
