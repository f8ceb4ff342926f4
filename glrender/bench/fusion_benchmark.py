"""Fusion frame by frame over sizes of image and map, with Open3D integrating the same frames beside it."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glrender.assembly.on_gpu import largest_buffer
from glrender.bench.ceilings import HOST_COPY, HostCopy
from glrender.bench.peers import VolumePeer
from glrender.bench.recording import Recording
from glrender.bench.roofline import Point, points
from glrender.bench.scene import Scene
from glrender.bench.timing import Timing, numbers, take_turns
from glrender.bench.work import Work, frame_work, load_of
from glrender.fusion.heightmap import HeightMapFusion
from glrender.fusion.linearization import FrameReport
from glrender.gl.context import Context
from glrender.gl.equations_path import equations_path
from glrender.render.derivatives import DerivativeRenderer

OURS = "glrender"
WARM_UP = 7
"""First frames that do not count. With the seventh, the first leaves the window; from then on, one does every time."""


@dataclass(frozen=True)
class FusionTimes:
    """One recording into one map."""

    recording: str
    """Its name."""
    image: tuple[int, int]
    """Width and height, pixels."""
    shape: tuple[int, int]
    """Rows and columns of the map."""
    spacing: float
    """Metres between vertices; a peer's voxels are as large."""
    timings: dict[str, Timing]
    """Times of a frame, for OURS and for each "<peer>, <volume>"."""
    stages: dict[str, Timing]
    """Times of the stages that OURS is made of."""
    agreement: dict[str, float]
    """By peer and volume: median vertical distance of its surface to ours, metres."""
    unusable: tuple[str, ...]
    """Volumes that integrate nothing, of peers that are installed."""
    work: dict[str, Work]
    """By stage that the host does, what there is to do for the last frame."""
    copies: Timing
    """Times of copying on the host, in the same rounds."""

    def points(self) -> list[Point]:
        """What fusion achieves of the ceilings: all of a frame where the host does it, else the solution alone.

        The host does two stages at a time, so that none has a time of its own.
        """
        if "normal_equations" in self.work:
            timings, work = {"fusion: a frame": self.timings[OURS]}, {"fusion: a frame": _sum(self.work)}
        else:
            timings, work = {"fusion: solve": self.stages["solve"]}, {"fusion: solve": self.work["solve"]}
        vertices = round(float(np.sqrt(self.shape[0] * self.shape[1])))
        return points(timings, work, {"host": self.copies}, self.image, vertices)

    @property
    def ratios(self) -> dict[str, float]:
        """How many times as long a frame of ours takes: the ratio of the medians, since frames differ."""
        return {name: self.timings[OURS].median / self.timings[name].median for name in self.agreement}

    @property
    def fastest_peer(self) -> str | None:
        """The name of the peer and volume whose median is least; None without peers."""
        return min(self.agreement, key=lambda name: self.timings[name].median, default=None)

    def account(self) -> dict[str, Any]:
        """What a JSON file keeps of it, with what follows worked out."""
        return vars(self) | {
            "timings": numbers(self.timings),
            "copies": numbers({HOST_COPY: self.copies})[HOST_COPY],
            "stages": numbers(self.stages),
            "frames_per_second": 1e3 / self.timings[OURS].median,
            "ratios": self.ratios,
        }


def time_fusion(
    context: Context,
    recording: Recording,
    spacing: float,
    rounds: int,
    peers: Mapping[str, VolumePeer] | None = None,
) -> FusionTimes:
    """Fuse `rounds` pairs of frames, of which the second is timed, after a few; peers take turns with us."""
    reports: list[FrameReport] = []
    with ExitStack() as stack:
        fusion = new_fusion(context, recording, spacing)
        stack.callback(fusion.release)
        candidates: dict[str, Callable[[], object]] = {OURS: Feeder(context, fusion, recording, reports.append)}
        volumes, unusable = {}, []
        for name, peer in (peers or {}).items():
            for volume in peer.start(spacing):
                volumes[f"{name}, {volume}"] = peer, volume
                candidates[f"{name}, {volume}"] = partial(_integrate_next, peer, volume, count())
            unusable += [f"{name}, {volume}" for volume in peer.unusable]
        timings = take_turns(candidates | {HOST_COPY: HostCopy()}, rounds, warm_up=WARM_UP, in_a_row=True)
        copies = timings.pop(HOST_COPY)
        agreement = {name: distance(fusion, peer.points(volume)) for name, (peer, volume) in volumes.items()}
        return FusionTimes(
            recording=recording.name,
            image=(recording.camera.width, recording.camera.height),
            shape=fusion.grid.shape,
            spacing=spacing,
            timings=timings,
            stages=_stage_times(reports[2 * WARM_UP + 1 :: 2]),  # of the frames that are timed, see `take_turns`
            agreement=agreement,
            unusable=tuple(unusable),
            work=_work(context, fusion, recording),
            copies=copies,
        )


def _work(context: Context, fusion: HeightMapFusion, recording: Recording) -> dict[str, Work]:
    """The work of the last frame, by the stages that the host does."""
    camera, surface = recording.camera, fusion.surface
    T_world_camera = recording.frames[-1].T_world_camera
    renderer = DerivativeRenderer(context, camera)
    triangles = renderer.render(surface, T_world_camera, pose=False, edges=False).triangle_ids
    renderer.release()
    work = frame_work(load_of(Scene(surface, camera, T_world_camera), triangles))
    if equations_path(context, largest_buffer(camera, surface.shape, 3, separate=True)).on_gpu:
        del work["normal_equations"]
    return work


def _sum(work: Mapping[str, Work]) -> Work:
    first, *others = work.values()
    return sum(others, first)


def new_fusion(context: Context, recording: Recording, spacing: float) -> HeightMapFusion:
    """An empty map of what a recording sees."""
    return HeightMapFusion(context, recording.camera, spacing, recording.bounds, recording.T_world_map)


class Feeder:
    """Gives a fusion one frame of a recording after the other, a frame a call.

    On the host the frame that leaves the window is still under way when a call returns.
    """

    def __init__(
        self,
        context: Context,
        fusion: HeightMapFusion,
        recording: Recording,
        keep: Callable[[FrameReport], object] = lambda report: None,
    ) -> None:
        self.context, self.fusion, self.recording, self.keep = context, fusion, recording, keep
        self.frames = 0

    def __call__(self) -> None:
        frame = self.recording.frames[self.recording.index(self.frames)]
        self.frames += 1
        self.keep(self.fusion.integrate(frame.T_world_camera, image=frame.image, depth=frame.depth))
        self.context.mgl.finish()


def first_frames(context: Context, recording: Recording) -> float:
    """Milliseconds that WARM_UP first frames take, with loops and shaders that fusion has not used before."""
    fusion = new_fusion(context, recording, spacing=(recording.bounds[1] - recording.bounds[0]) / 16)
    start = time.perf_counter()
    feed = Feeder(context, fusion, recording)
    for _ in range(WARM_UP):
        feed()
    fusion.release()
    return 1e3 * (time.perf_counter() - start)


def _stage_times(reports: Sequence[FrameReport]) -> dict[str, Timing]:
    """Times by stage, over the frames; 0 in a frame that had no use for it."""
    names = dict.fromkeys(name for report in reports for name in report.milliseconds)
    return {name: Timing(np.array([report.milliseconds.get(name, 0.0) for report in reports])) for name in names}


def distance(fusion: HeightMapFusion, points: NDArray[np.float64]) -> float:
    """Median vertical distance of points (N, 3) in the world to the observed map, metres; NaN where none is over it."""
    grid = fusion.grid
    x, y, z = (np.linalg.inv(grid.T_world_map) @ np.column_stack([points, np.ones(len(points))]).T)[:3]
    j = np.rint((x - grid.origin[0]) / grid.spacing).astype(int)
    i = np.rint((y - grid.origin[1]) / grid.spacing).astype(int)
    rows, cols = grid.shape
    over = (i >= 0) & (i < rows) & (j >= 0) & (j < cols)
    over[over] = fusion.observed[i[over], j[over]]
    return float(np.median(np.abs(z[over] - fusion.surface.heights[i[over], j[over]]))) if over.any() else np.nan


def _integrate_next(peer: VolumePeer, volume: str, numbers: "count[int]") -> None:
    peer.integrate(volume, next(numbers))
