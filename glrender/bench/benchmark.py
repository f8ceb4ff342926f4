"""The whole measurement: our stages, the peers beside them, and the solvers."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from glrender.bench import solvers
from glrender.bench.gradient import Gradient
from glrender.bench.peers import PEERS, load_peers, make_peer
from glrender.bench.peers import SIZES as PEER_SIZES
from glrender.bench.scene import reference_scene
from glrender.bench.solvers import SolverTimes, time_solvers
from glrender.bench.stages import COMPACT, PARTS, PLAIN, TOTAL, FirstCalls, Stages
from glrender.bench.timing import Timing, numbers, take_turns
from glrender.gl.context import Context

SIZES = (65, 129, 257, 513)
"""Vertices along each side of the maps that are timed."""

FORWARD, BACKWARD = "forward", "forward + backward"


@dataclass(frozen=True)
class SizeReport:
    """One size of map."""

    vertices: int
    """The map has vertices x vertices of them."""
    timings: dict[str, Timing]
    """By stage; a peer's are "<peer> forward" and "<peer> forward + backward"."""
    agreement: dict[str, tuple[float, float]]
    """By peer: relative L2 difference of its gradient by heights and by colours to ours."""

    @property
    def shares(self) -> dict[str, float]:
        """What each part takes of the total; parts are timed one by one, so they need not add up to 1."""
        return {part: self.timings[part].ratio(self.timings[TOTAL]) for part in PARTS if part in self.timings}

    @property
    def fastest_peer(self) -> str | None:
        """The name of the peer whose forward + backward takes least; None without peers."""
        return min(self.agreement, key=lambda name: self.timings[f"{name} {BACKWARD}"].median, default=None)

    @property
    def ratios(self) -> dict[str, float]:
        """The ratios that matter; those to peers only where there are any."""
        timings = self.timings
        ratios = {"derivative pass / plain pass": timings[COMPACT].ratio(timings[PLAIN])}
        if "DEODR" in self.agreement:
            ratios["plain pass / DEODR forward"] = timings[PLAIN].ratio(timings[f"DEODR {FORWARD}"])
        if (peer := self.fastest_peer) is not None:
            ratios["total / fastest peer forward + backward"] = timings[TOTAL].ratio(timings[f"{peer} {BACKWARD}"])
        return ratios


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
    """How often each stage was timed."""
    peers: dict[str, str]
    """By peer: its version, or why it is missing; empty unless asked for."""
    first_calls: FirstCalls
    """What the timings leave out."""
    sizes: tuple[SizeReport, ...]
    """By size of map."""
    solvers: tuple[SolverTimes, ...]
    """By size of map."""

    def account(self) -> dict[str, Any]:
        """The report with medians, minima and ratios worked out, for a file."""

        sizes = [
            {
                "vertices": size.vertices,
                "milliseconds": numbers(size.timings),
                "shares": size.shares,
                "ratios": size.ratios,
                "fastest_peer": size.fastest_peer,
                "agreement": {name: dict(zip(Gradient._fields, e, strict=True)) for name, e in size.agreement.items()},
            }
            for size in self.sizes
        ]
        solvers = [size.account() for size in self.solvers]
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
        return plain | {"sizes": sizes, "solvers": solvers}


def run_benchmark(
    sizes: Sequence[int],
    *,
    peers: bool,
    rounds: int,
    solver_rounds: int = 5,
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """Time everything on maps of the given `sizes`; `advance(done, total)` is called as it goes on."""
    before = os.getloadavg()[0]
    solver_sizes = [n for n in sizes if n in solvers.SIZES]
    steps = len(sizes) + len(solver_sizes)
    adapters, versions = load_peers(PEERS) if peers else ({}, {})
    with Context() as context:
        with Stages(context, reference_scene(9)) as stages:
            first_calls = stages.first_calls
        size_reports, solver_reports = [], []
        for n in sizes:
            size_reports.append(time_size(context, n, adapters if n in PEER_SIZES else {}, rounds))
            advance(len(size_reports), steps)
        for n in solver_sizes:
            solver_reports.append(time_solvers(context, n, solver_rounds))
            advance(len(sizes) + len(solver_reports), steps)
        return Report(
            renderer=context.renderer,
            cores=len(os.sched_getaffinity(0)),
            load=(before, os.getloadavg()[0]),
            rounds=rounds,
            peers=versions,
            first_calls=first_calls,
            sizes=tuple(size_reports),
            solvers=tuple(solver_reports),
        )


def time_size(context: Context, vertices: int, adapters: Mapping[str, type], rounds: int) -> SizeReport:
    """Our stages and the peers, taking turns on one map."""
    scene = reference_scene(vertices)
    with Stages(context, scene) as stages:
        own = stages.gradient()
        candidates, agreement = stages.candidates(), {}
        for name, adapter in adapters.items():
            peer = make_peer(adapter, scene)
            agreement[name] = peer.gradient().errors(own)
            candidates |= {f"{name} {FORWARD}": peer.forward, f"{name} {BACKWARD}": peer.forward_backward}
        return SizeReport(vertices, take_turns(candidates, rounds), agreement)
