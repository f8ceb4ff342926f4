"""The solvers, on the information that one frame of depth and a weak prior give about the heights of a map."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from glrender.assembly.residuals import Measurements, weigh
from glrender.assembly.stencil import normal_equations
from glrender.bench.ceilings import HOST_COPY, HostCopy
from glrender.bench.peers import SolverPeer
from glrender.bench.roofline import Point, points
from glrender.bench.scene import reference_scene
from glrender.bench.timing import Timing, numbers, take_turns
from glrender.bench.work import multigrid_setup, multigrid_solve
from glrender.gl.context import Context
from glrender.render.derivatives import DerivativeRenderer
from glrender.solve.linear import ConjugateGradient, DirectSolver
from glrender.solve.marginals import marginal_variances
from glrender.solve.multigrid import Multigrid, MultigridSolver
from glrender.solve.priors import GaussianPrior, SmoothnessPrior
from glrender.solve.systems import NormalEquations

FEW = 3
"""Cycles of multigrid that are timed alone."""
MULTIGRID, SETUP, CYCLES = "multigrid", "its set-up", f"{FEW} cycles of it"
DIRECT, ITERATIVE, MARGINALS = "direct", "conjugate gradients", "marginal variances"
TOLERANCE = 1e-6
"""Residual down to which iterative solvers go."""
LARGEST = {DIRECT: 257, ITERATIVE: 257, MARGINALS: 257, "PyAMG": 513}
"""Vertices along each side of the largest map on which a solver is timed: on larger ones these take seconds."""

# The noise of depths, metres, and of colours; and what is expected of slopes.
DEPTH_SIGMA = 0.005
COLOR_SIGMA = 0.02
SLOPE_SIGMA = 1.0


@dataclass(frozen=True)
class SolverTimes:
    """One size of map, heights alone."""

    vertices: int
    """The map has vertices x vertices of them."""
    timings: dict[str, Timing]
    """Times by solver, those of peers by "<peer>, <solver>"; and of a copy beside them."""
    iterations: dict[str, int]
    """For each solver that iterates, how many iterations took it down to a residual of `TOLERANCE`."""
    agreement: dict[str, float]
    """By solver of a peer: relative L2 difference of its solution to ours."""

    def per_unknown(self, solver: str) -> float:
        """Nanoseconds for each unknown, median."""
        return 1e6 * self.timings[solver].median / self.vertices**2

    def account(self) -> dict[str, Any]:
        """What a JSON file keeps of it, with what follows worked out."""
        plain = {name: value for name, value in vars(self).items() if name != "timings"}
        return plain | {"milliseconds": numbers(self.timings), "ratios": self.ratios}

    def points(self) -> list[Point]:
        """What multigrid achieves of the bandwidth of copying, which takes its turns too."""
        n = self.vertices**2
        work = {
            MULTIGRID: multigrid_solve(n, self.iterations[MULTIGRID]),
            SETUP: multigrid_setup(n),
            CYCLES: multigrid_solve(n, FEW),
        }
        return points(self.timings, work, {"host": self.timings[HOST_COPY]}, None, self.vertices)

    @property
    def ratios(self) -> dict[str, float]:
        """How many times as long our multigrid, set-up and all, takes as each peer's solver."""
        return {name: self.timings[MULTIGRID].ratio(self.timings[name]) for name in self.agreement}


def fusion_system(context: Context, vertices: int, *, coverage: float = 1.0, colors: bool = False) -> NormalEquations:
    """The reference scene after one frame whose depth is off by 5 mm of noise, and whose colours by 0.02.

    `coverage` is the share of the pixels that measured, picked at random.
    """
    scene = reference_scene(vertices)
    surface = scene.surface if colors else replace(scene.surface, colors=None)
    renderer = DerivativeRenderer(context, scene.camera)
    buffers = renderer.render(surface, scene.T_world_camera, pose=False, edges=False)
    renderer.release()
    rng = np.random.default_rng(0)
    depth = buffers.depth + rng.normal(0, DEPTH_SIGMA, scene.camera.shape)
    image = buffers.image + rng.normal(0, COLOR_SIGMA, buffers.image.shape)
    measured = Measurements(
        depth=depth.astype(np.float32),
        depth_sigma=DEPTH_SIGMA,
        image=image.astype(np.float32) if colors else None,
        color_sigma=COLOR_SIGMA,
        mask=rng.random(scene.camera.shape) < coverage,
    )
    frame = normal_equations(buffers, weigh(buffers, measured))
    x = surface.heights[..., None]
    if colors:
        assert surface.colors is not None
        x = np.concatenate([x, surface.colors], axis=-1)
    smooth = SmoothnessPrior(SLOPE_SIGMA * surface.spacing).add_to(frame, x)
    return GaussianPrior(np.full_like(x, 0.5), np.inf, 0.5).add_to(smooth, x) if colors else smooth


def iteration_counts(context: Context, vertices: int) -> dict[str, int]:
    """Multigrid's iterations down to `TOLERANCE`, by what there is to solve."""
    solver = MultigridSolver(TOLERANCE)
    systems = {
        "heights": fusion_system(context, vertices),
        "heights, 2 % of the pixels": fusion_system(context, vertices, coverage=0.02),
        "heights, 0.01 % of the pixels": fusion_system(context, vertices, coverage=1e-4),
    }
    if vertices <= 513:  # at 1025, they are four million unknowns
        systems["with three colours"] = fusion_system(context, vertices, colors=True)
        systems["with three colours, 2 %"] = fusion_system(context, vertices, coverage=0.02, colors=True)
    return {name: solver.solve(system).iterations for name, system in systems.items()}


def time_solvers(context: Context, vertices: int, rounds: int, adapters: Mapping[str, type]) -> SolverTimes:
    """Each solver, and those of the peers, on the same system."""
    system = fusion_system(context, vertices)
    grids = Multigrid(system.stencil)
    multigrid, few = MultigridSolver(TOLERANCE), MultigridSolver(max_iterations=FEW, truncated=True)
    direct, iterative = DirectSolver(), ConjugateGradient(TOLERANCE)
    solution = grids.solve(system.rhs, tolerance=1e-3 * TOLERANCE).x.ravel()
    candidates: dict[str, Callable[[], object]] = {
        MULTIGRID: lambda: multigrid.solve(system),
        SETUP: lambda: Multigrid(system.stencil),
        CYCLES: lambda: few.solve(system),
        DIRECT: lambda: direct.solve(system),
        ITERATIVE: lambda: iterative.solve(system),
        MARGINALS: lambda: marginal_variances(system.stencil),
        HOST_COPY: HostCopy(),
    }
    candidates = {name: run for name, run in candidates.items() if vertices <= LARGEST.get(name, vertices)}
    iterations = {MULTIGRID: multigrid.solve(system).iterations}
    if ITERATIVE in candidates:
        iterations[ITERATIVE] = iterative.solve(system).iterations
    agreement = {}
    with ExitStack() as stack:
        for peer, adapter in adapters.items():
            if vertices > LARGEST.get(peer, vertices):
                continue
            loaded: SolverPeer = adapter(system, TOLERANCE)
            stack.callback(loaded.release)
            for solver in loaded.solvers:
                name = f"{peer}, {solver}"
                candidates[name] = partial(loaded.solve, solver)
                x, iterations[name] = loaded.solve(solver)
                agreement[name] = float(np.linalg.norm(x - solution) / np.linalg.norm(solution))
        timings = take_turns(candidates, rounds, warm_up=1)
    return SolverTimes(vertices, timings, iterations, agreement)
