"""The solvers, on the heights' information as one frame of depth and a weak prior give it."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from glrender.assembly.residuals import Measurements, weigh
from glrender.assembly.stencil import normal_equations
from glrender.bench.scene import reference_scene
from glrender.bench.timing import Timing, take_turns
from glrender.gl.context import Context
from glrender.render.derivatives import DerivativeRenderer
from glrender.solve.linear import ConjugateGradient, DirectSolver
from glrender.solve.marginals import marginal_variances
from glrender.solve.priors import SmoothnessPrior
from glrender.solve.systems import NormalEquations

SIZES = (65, 129, 257)
"""Maps on which the solvers are timed."""

DIRECT, ITERATIVE, MARGINALS = "direct", "conjugate gradients", "marginal variances"
DEPTH_SIGMA = 0.005
SLOPE_SIGMA = 1.0


@dataclass(frozen=True)
class SolverTimes:
    """One size of map, heights alone."""

    vertices: int
    """The map has vertices x vertices of them."""
    timings: dict[str, Timing]
    """By solver."""
    iterations: int
    """Of conjugate gradients, down to a residual of 1e-8."""


def fusion_system(context: Context, vertices: int) -> NormalEquations:
    """The reference scene without colours, after one frame whose depth is off by 5 mm of noise."""
    scene = reference_scene(vertices)
    surface = replace(scene.surface, colors=None)
    renderer = DerivativeRenderer(context, scene.camera)
    buffers = renderer.render(surface, scene.T_world_camera, pose=False, edges=False)
    renderer.release()
    noise = np.random.default_rng(0).normal(0, DEPTH_SIGMA, scene.camera.shape)
    measured = Measurements(depth=(buffers.depth + noise).astype(np.float32), depth_sigma=DEPTH_SIGMA)
    frame = normal_equations(buffers, weigh(buffers, measured))
    return SmoothnessPrior(SLOPE_SIGMA * surface.spacing).add_to(frame, surface.heights[..., None])


def time_solvers(context: Context, vertices: int, rounds: int) -> SolverTimes:
    """Each solver on the same system."""
    system = fusion_system(context, vertices)
    direct, iterative = DirectSolver(), ConjugateGradient()
    candidates: dict[str, Callable[[], object]] = {
        DIRECT: lambda: direct.solve(system),
        ITERATIVE: lambda: iterative.solve(system),
        MARGINALS: lambda: marginal_variances(system.stencil),
    }
    timings = take_turns(candidates, rounds, warm_up=1)
    return SolverTimes(vertices, timings, iterative.solve(system).iterations)
