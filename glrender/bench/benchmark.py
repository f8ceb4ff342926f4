"""The whole measurement: our stages, the solvers and fusion, with peers beside them, and what the machine can do."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from glrender.advance import Advance, silently
from glrender.bench.aging import Aging, age
from glrender.bench.batch_benchmark import BatchReport, time_batches
from glrender.bench.ceilings import HOST_COPY, matrix_product_flops
from glrender.bench.fusion_benchmark import WARM_UP, FusionTimes, first_frames, time_fusion
from glrender.bench.peers import DIFFERENTIABLE, PEER_SIZES, RENDERERS, VOLUMES, load_peers
from glrender.bench.recording import SIDE, Recording, load_recording, simulate_flight
from glrender.bench.roofline import Ceilings, Point
from glrender.bench.scene import reference_scene
from glrender.bench.solver_benchmark import SolverReport, run_solver_benchmark
from glrender.bench.stage_benchmark import SizeReport, time_stages
from glrender.bench.stages import FirstCalls, Stages
from glrender.gl.context import Context

PARTS = ("stages", "solvers", "fusion", "batch")
STAGES, SOLVING, FUSION, BATCH = PARTS
USUAL_PARTS = PARTS[:-1]
"""The parts that are timed unless others are asked for: a batch's processes want the machine for themselves."""
SIZES = (65, 129, 257, 513, 1025)
"""Vertices along each side of the maps that can be timed."""
SMALLER_SIZES = SIZES[:-1]
"""The sizes that are timed unless others are asked for."""
IMAGES = ((1280, 960), (640, 480), (320, 240))
"""Width and height of the images that can be timed, pixels."""
SMALLER_IMAGES = IMAGES[1:]
"""The images that are timed unless others are asked for."""


@dataclass(frozen=True)
class Plan:
    """What to measure."""

    parts: tuple[str, ...] = USUAL_PARTS
    """Which of PARTS are measured."""
    sizes: tuple[int, ...] = SMALLER_SIZES
    """Vertices along each side of the maps."""
    images: tuple[tuple[int, int], ...] = SMALLER_IMAGES
    """Width and height, pixels; solvers know no image."""
    rounds: int = 20
    """How often stages and frames are timed."""
    solver_rounds: int = 5
    """How often solvers are timed."""
    batch_rounds: int = 5
    """How often worker processes run."""
    peers: bool = False
    """Whether to time others beside ours."""
    sequence: Path | None = None
    """A recording to fuse instead of simulated flights."""
    spacing: float | None = None
    """Metres between the vertices of the recording's map; None: from what the frames see."""
    aging: int = 0
    """Frames of an aged map; 0: do not age any."""


@dataclass(frozen=True)
class Report:
    """Everything that was measured."""

    renderer: str
    """OpenGL's name of what draws."""
    cores: int
    """Processors that this process may use."""
    load: tuple[float, float]
    """How many processes wanted to run, on average over a minute, before and after; above 1 before: not alone."""
    rounds: int
    """How often stages and frames were timed."""
    stage_peers: dict[str, str] = field(default_factory=dict)
    """For each differentiable renderer, its version, or why it is missing; empty unless asked for."""
    fusion_peers: dict[str, str] = field(default_factory=dict)
    """The same for peers that integrate frames into volumes."""
    batch_peers: dict[str, str] = field(default_factory=dict)
    """The same for peers that render without derivatives."""
    first_calls: FirstCalls | None = None
    """What the timings of stages leave out."""
    stages: tuple[SizeReport, ...] = ()
    """One for each size of image and map."""
    solvers: SolverReport | None = None
    """None unless asked for, as what follows."""
    fusion: tuple[FusionTimes, ...] = ()
    """One for each size of image and map."""
    first_frames: float | None = None
    """Milliseconds of fusion's first frames in this process, which its timings leave out."""
    aging: Aging | None = None
    """What a frame costs in a map that has had many."""
    batch: BatchReport | None = None
    """What views of a batch cost."""
    ceilings: Ceilings | None = None
    """None where nothing was copied."""

    @property
    def points(self) -> tuple[Point, ...]:
        """What stages, solvers and fusion achieve of the ceilings."""
        of_stages = [point for size in self.stages for point in size.points]
        of_solvers = [point for times in (self.solvers.times if self.solvers else ()) for point in times.points()]
        of_fusion = [point for times in self.fusion for point in times.points()]
        return (*of_stages, *of_solvers, *of_fusion)

    @property
    def noisy(self) -> tuple[int, int]:
        """How many medians exceed the minimum by far, of how many; frames differ among themselves and do not count."""
        timings = [timing for size in self.stages for timing in size.timings.values()]
        timings += [timing for size in (self.solvers.times if self.solvers else ()) for timing in size.timings.values()]
        return sum(timing.noisy for timing in timings), len(timings)

    def account(self) -> dict[str, Any]:
        """The report with medians, minima and ratios worked out, for a file."""
        return vars(self) | {
            "stages": [size.account() for size in self.stages],
            "solvers": self.solvers and self.solvers.account(),
            "fusion": [times.account() for times in self.fusion],
            "aging": self.aging and self.aging.account(),
            "batch": self.batch and self.batch.account(),
            "points": [point.account() for point in self.points],
        }


def run_benchmark(plan: Plan, advance: Advance = silently) -> Report:
    """Measure what is planned; `advance(done, total)` is called as it goes on."""
    before = os.getloadavg()[0]
    steps = _Steps(plan, advance)
    found: dict[str, Any] = {}
    with Context() as context:
        renderer = context.renderer
        if STAGES in plan.parts:
            found |= _run_stages(context, plan, steps)
        if SOLVING in plan.parts:
            found["solvers"] = run_solver_benchmark(
                context, plan.sizes, peers=plan.peers, rounds=plan.solver_rounds, advance=lambda *_: steps.done()
            )
        if FUSION in plan.parts:
            found |= _run_fusion(context, plan, steps)
        if BATCH in plan.parts:
            found |= _run_batches(context, plan, steps)
    copies = [size.copies for size in found.get("stages", ())]
    copies += [{"host": times.timings[HOST_COPY]} for times in (found["solvers"].times if "solvers" in found else ())]
    copies += [{"host": times.copies} for times in found.get("fusion", ())]
    return Report(
        renderer=renderer,
        cores=len(os.sched_getaffinity(0)),
        load=(before, os.getloadavg()[0]),
        rounds=plan.rounds,
        ceilings=Ceilings.of(copies, matrix_product_flops()) if copies else None,
        **found,
    )


class _Steps:
    """Counts what is done of a plan."""

    def __init__(self, plan: Plan, advance: Advance) -> None:
        self._advance = advance
        maps = len(plan.sizes)
        fused = 1 if plan.sequence else len(plan.images) * maps
        each = {STAGES: len(plan.images) * maps, SOLVING: maps, FUSION: fused + (plan.aging > 0), BATCH: 1}
        self._total, self._done = sum(each[part] for part in plan.parts), 0

    def done(self) -> None:
        self._done += 1
        self._advance(self._done, self._total)


# Peers are loaded when it is their turn: some bring threads and libraries that others would rather be without.


def _run_stages(context: Context, plan: Plan, steps: _Steps) -> dict[str, Any]:
    adapters, versions = load_peers(DIFFERENTIABLE) if plan.peers else ({}, {})
    with Stages(context, reference_scene(9)) as stages:
        first_calls = stages.first_calls
    sizes = []
    for image in plan.images:
        for n in plan.sizes:
            sizes.append(time_stages(context, image, n, adapters if n in PEER_SIZES else {}, plan.rounds))
            steps.done()
    return {
        "stage_peers": versions,
        "first_calls": first_calls,
        "stages": tuple(sizes),
    }


def _run_fusion(context: Context, plan: Plan, steps: _Steps) -> dict[str, Any]:
    adapters, versions = load_peers(VOLUMES) if plan.peers else ({}, {})
    count = WARM_UP + plan.rounds
    if plan.sequence is not None:
        recordings = [load_recording(plan.sequence, plan.spacing, count)]
    else:
        recordings = [simulate_flight(context, image, count) for image in plan.images]
    found: dict[str, Any] = {"fusion_peers": versions, "first_frames": first_frames(context, recordings[0])}
    times = []
    for recording in recordings:
        peers = {name: adapter(recording) for name, adapter in adapters.items()}
        for spacing in _spacings(plan, recording):
            times.append(time_fusion(context, recording, spacing, plan.rounds, peers))
            steps.done()
    if plan.aging:
        spacings = _spacings(plan, recordings[0])
        middle = spacings[len(spacings) // 2]
        found["aging"] = age(context, recordings[0], middle, plan.aging, plan.rounds)
        steps.done()
    return found | {"fusion": tuple(times)}


def _run_batches(context: Context, plan: Plan, steps: _Steps) -> dict[str, Any]:
    adapters, versions = load_peers(RENDERERS) if plan.peers else ({}, {})
    report = time_batches(context, adapters, plan.rounds, plan.batch_rounds)
    steps.done()
    return {"batch_peers": versions, "batch": report}


def _spacings(plan: Plan, recording: Recording) -> list[float]:
    return [recording.spacing] if recording.spacing else [SIDE / (n - 1) for n in plan.sizes]
