"""A sequence becomes a height map that all of its frames are fitted to at once."""

from collections.abc import Callable
from dataclasses import asdict, fields
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glrender.advance import Advance, silently
from glrender.fusion import colors
from glrender.fusion.certainty import certain_map
from glrender.fusion.joint import FrameResiduals, JointProblem
from glrender.fusion.posed_frame import PosedFrame
from glrender.fusion.weighting import Weighting
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.interrupt import interruptible_after
from glrender.io.sequence import FrameEntry, Sequence
from glrender.pipeline.descent import Descent, FitStep
from glrender.pipeline.fit_input import FitInput, FitOptions, first_estimate, read_input
from glrender.pipeline.outputs import FinishedMap, Keep, keep_nowhere, predict_view
from glrender.pipeline.posed_frames import LoadedFrames
from glrender.render.derivatives import DerivativeRenderer
from glrender.solve.priors import GaussianPrior, Prior, SmoothnessPrior

Float64 = NDArray[np.float64]


def fit_sequence(
    context: Context,
    sequence: Sequence,
    options: FitOptions,
    advance: Advance = silently,
    on_step: Callable[[FitStep], None] = lambda step: None,
    keep: Keep = keep_nowhere,
) -> FinishedMap:
    """Fit heights, and colours unless depth alone is used, to all frames at once.

    `advance` is called with (frames read, frames in all), then `on_step` with every estimate, `keep` with what is
    returned. A KeyboardInterrupt ends the fit with the last estimate, and none comes before that is kept; before there
    is one, it is passed on. Raises InputError where there is nothing to fit to, no pose, or (with `strict`) any frame
    that cannot be used.
    """
    started = perf_counter()
    task = read_input(context, sequence, options, advance)
    sequence = task.chosen.sequence
    context.check_texture_size("height map", *task.grid.shape[::-1])
    task.grid.check_memory()
    read = perf_counter()
    x, start_source = first_estimate(context, sequence, task, options.start)
    seeded = perf_counter()
    loaded = task.loaded.without_depth() if task.use == "color" else task.loaded

    renderer = DerivativeRenderer(context, sequence.camera)
    priors = _priors(options.slope_sigma * task.grid.spacing, x)
    descent = Descent(
        lambda x: JointProblem(renderer, task.grid, loaded.frames, x, options.weighting), priors, x, on_step
    )
    try:
        descent.run(options.iterations)
        partial = False
    except KeyboardInterrupt:
        partial = True
    descended = perf_counter()

    with interruptible_after():
        problem, data = descent.finish()
        surface, exact = certain_map(task.grid, descent.x, data, priors, problem.threshold)
        residuals = problem.residuals(descent.x)
        prediction = photograph = None
        if surface.colors is not None and (view := _best_view(loaded, residuals)) is not None:
            prediction, photograph = predict_view(context, sequence.camera, surface, view.T_world_camera), view.image
        renderer.release()
        ended = perf_counter()
        stages = {name: float(np.median(times)) for name, times in descent.stages.items()}
        stages |= {"read": read - started, "seed": seeded - read, "finish": ended - descended}
        report = {
            **_describe_input(options, task),
            "frames_per_second": len(loaded.entries) / (ended - started),
            "stages": {f"{name}_ms": 1e3 * seconds for name, seconds in stages.items()},
            "residuals": _summary(loaded.entries, residuals),
            "renderer": context.renderer,
            "start": start_source,
            "steps": descent.steps,
            "converged": descent.converged,
            "ended": descent.reason,
            **_describe_sigma(surface, exact),
            "partial": partial,
        }
        finished = FinishedMap(surface, prediction, photograph, report, partial)
        keep(finished)
    return finished


def _priors(slope_sigma: float, x: Float64) -> list[Prior]:
    """What is known without any frame; `slope_sigma` is that of the difference of two neighbours' heights, metres."""
    priors: list[Prior] = [SmoothnessPrior(slope_sigma)]
    if x.shape[2] > 1:
        priors.append(GaussianPrior(np.full_like(x, colors.MEAN), np.inf, colors.SIGMA))
    return priors


def _best_view(loaded: LoadedFrames, residuals: list[FrameResiduals]) -> PosedFrame | None:
    """The frame with a photograph that sees most of the map."""
    best, most = None, 0
    for frame, fitted in zip(loaded.frames, residuals, strict=True):
        if frame.image is not None and fitted.measurements > most:
            best, most = frame, fitted.measurements
    return best


def _describe_input(options: FitOptions, task: FitInput) -> dict[str, Any]:
    return task.chosen.description() | {
        "frames_used": len(task.loaded.entries),
        "frames_skipped": task.skipped,
        "placement": task.placement,
        "use": task.use,
        "options": {name: value for name, value in _values(options).items() if name != "start"}
        | {"weighting": {name: str(value) for name, value in _values(options.weighting).items()}},
    }


def _describe_sigma(surface: HeightMap, exact: bool) -> dict[str, Any]:
    assert surface.sigma is not None
    sigma = surface.sigma[np.isfinite(surface.sigma)]
    return {
        "observed": sigma.size / surface.sigma.size,
        "median_sigma": float(np.median(sigma)) if sigma.size else None,
        "sigma_of": "the heights with all colours unknown" if exact else "the heights with all colours known",
    }


def _values(options: FitOptions | Weighting) -> dict[str, Any]:
    return {each.name: getattr(options, each.name) for each in fields(options)}


def _summary(entries: tuple[FrameEntry, ...], residuals: list[FrameResiduals]) -> dict[str, Any]:
    """Over all frames, and of each."""

    def over_frames(name: str) -> NDArray[np.float64]:
        values = np.array([getattr(frame, name) for frame in residuals])
        return values[np.isfinite(values)]

    def middle(values: NDArray[np.float64]) -> float | None:
        return float(np.median(values)) if values.size else None

    def rms(values: NDArray[np.float64]) -> float | None:
        return float(np.sqrt(np.mean(np.square(values)))) if values.size else None

    return {
        "median_abs_m": middle(over_frames("median_abs_depth")),
        "median_m_rms_over_frames": rms(over_frames("median_depth")),
        "color_rms": rms(over_frames("rms_color")),
        "frames": [{"index": entry.index} | asdict(fitted) for entry, fitted in zip(entries, residuals, strict=True)],
    }
