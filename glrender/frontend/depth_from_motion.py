"""Depth from motion: how far away what a photograph shows is, from others of the same scene with known poses.

A plane sweep (Collins, *A Space-Sweep Approach to True Multi-Image Matching*, CVPR 1996) between the two surfaces of a
search, coarse to fine where these are far apart; semi-global aggregation; then windows that follow the surface found,
compared at a few fractions of a pixel around it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from glrender.checks import check_choice, check_positive
from glrender.errors import InputError, UsageError
from glrender.frontend.motion_depth import MotionDepth, Verdict
from glrender.frontend.photograph import Photograph
from glrender.frontend.refine import Agreement, refined, roughness, smoothed
from glrender.frontend.search import Bounds, Search
from glrender.frontend.semi_global import Penalties, semi_global
from glrender.frontend.sweep import HostSweep, Hypotheses, Sweep, make_warp
from glrender.frontend.sweep_compute import SweepCompute, fits
from glrender.frontend.sweep_levels import SweepLevel, enlarged, parallax, sweep_levels
from glrender.frontend.sweep_pass import SweepPass
from glrender.geometry.camera import Camera
from glrender.gl.context import Context
from glrender.gl.program import COMPUTE_VERSION
from glrender.render.forward import ForwardRenderer

Float32 = NDArray[np.float32]

AROUND = 17
"""Hypotheses around what the coarser level found, a pixel apart."""
REFINING = 7
"""Hypotheses around the surface found, `FRACTION` pixels apart: enough where weak texture left it a pixel off."""
FRACTION = 0.5
WIDER = (2, 4)
"""Times the radius: windows of the next tries, for pixels whose first window does not tell enough."""
NEXT_TRY = 0.02
"""Share of such pixels, and of those that the try before settled, from which on there is one."""
ROUGH = 1.2
"""Standard deviation, in units of the roughness within a window, of the error that comes of matching it as a whole:
what makes pulls nearly Gaussian on simulated ground."""


@dataclass(frozen=True)
class SweepOptions:
    """How photographs are compared, and what is believed."""

    radius: int = 2
    """Windows are 2 radius + 1 pixels a side."""
    penalties: Penalties = field(default_factory=Penalties)
    """Of the semi-global aggregation."""
    min_parallax: float = 3.0
    """Pixels by which a source sees the surface displaced against infinity, in the median; with less it is not used."""
    agreeing: int = 2
    """Sources that must match a pixel, or all that see it where these are fewer."""
    min_score: float = 0.6
    """Correlation from which on a source matches."""
    min_margin: float = 0.02
    """By how much any other hypothesis must be worse, in aggregated costs a direction, or the pixel is ambiguous."""
    max_sigma: float = 1.0
    """Standard deviation along the epipolar line, in pixels, beyond which a window has no texture to speak of."""
    min_region: int = 50
    """Confident pixels that must hang together, each within a pixel of the next; chance finds smaller islands."""
    scores: str | None = None
    """Where windows are compared: "gpu", "host", or None for where it is faster."""
    image_sigma: float = 1 / 255
    """Noise of the intensity, of which the score's residuals are never taken to have less."""

    def __post_init__(self) -> None:
        for name in ("radius", "agreeing", "min_region"):
            value = getattr(self, name)
            if not (isinstance(value, int) and value >= 1):
                raise UsageError(f"{name}: received {value!r}, expected a whole number of at least 1")
        for name in ("min_parallax", "min_score", "max_sigma", "image_sigma"):
            check_positive(name, getattr(self, name))
        if self.scores is not None:
            check_choice("scores", self.scores, ("gpu", "host"))


class _Settled(NamedTuple):
    """What was found of each pixel, (height, width) each."""

    w: Float32
    """Inverse depth, 1/metres."""
    sigma: Float32
    """Its standard deviation, 1/metres."""
    rough: Float32
    """The part of it that is due to roughness, 1/metres."""
    verdict: NDArray[np.uint8]
    window: Float32
    """Pixels that were compared."""

    @classmethod
    def nothing(cls, shape: tuple[int, int]) -> "_Settled":
        """For want of a baseline."""
        verdict = np.full(shape, Verdict.NO_BASELINE, np.uint8)
        w, sigma, rough = np.zeros((3, *shape), np.float32)
        return cls(w, sigma, rough, verdict, np.ones(shape, np.float32))

    @property
    def unclear(self) -> NDArray[np.bool_]:
        """(height, width): pixels of which a wider window might tell."""
        return (self.verdict == Verdict.NO_TEXTURE) | (self.verdict == Verdict.INCONSISTENT)

    def where(self, choice: NDArray[np.bool_], other: "_Settled") -> "_Settled":
        """`other` where chosen (height, width) and confident."""
        taken = choice & (other.verdict == Verdict.CONFIDENT)
        return _Settled(
            np.where(taken, other.w, self.w),
            np.where(taken, other.sigma, self.sigma),
            np.where(taken, other.rough, self.rough),
            np.where(taken, other.verdict, self.verdict),
            np.where(taken, other.window, self.window),
        )


class DepthFromMotion:
    """Depths of one pinhole camera's photographs; owned by `context`, whose renderer predicts what to look for."""

    def __init__(self, context: Context, camera: Camera, options: SweepOptions | None = None) -> None:
        self.camera = camera.without_distortion()
        self.options = options or SweepOptions()
        self._renderer = ForwardRenderer(context, self.camera)
        where = self.options.scores or ("host" if context.is_software else "gpu")
        self._sweep: Sweep = _sweep_on_gpu(context, self.options.radius) if where == "gpu" else HostSweep()

    def estimate(self, reference: Photograph, sources: Sequence[Photograph], search: Search) -> MotionDepth:
        """The depths of `reference` within `search`, from what `sources` see of the same.

        Raises InputError if there are no sources, or for an image that is not the camera's.
        """
        if not sources:
            raise InputError("depth from motion: received no sources, expected at least one other photograph")
        for photograph in (reference, *sources):
            if photograph.image.shape != self.camera.shape:
                raise InputError(
                    f"depth from motion: received an image {photograph.image.shape}, expected {self.camera.shape}"
                )
        bounds = search.bounds(reference.T_world_camera, self._renderer)
        searched = (bounds.near > bounds.far) & np.isfinite(reference.image)
        bounds = Bounds(*(np.where(searched, bound, np.float32(0)) for bound in bounds))
        warps = [make_warp(self.camera, reference, source) for source in sources]
        from_infinity, within = parallax(warps, bounds)
        usable = [k for k in range(len(sources)) if from_infinity[k] >= self.options.min_parallax]
        settled = _Settled.nothing(self.camera.shape)
        if searched.any() and usable:
            # The longest baseline decides how fine the steps are.
            pixels = max(within[k] for k in usable)
            levels = sweep_levels(self.camera, reference, [sources[k] for k in usable], bounds, pixels)
            settled = self._settled(levels[0], *self._found(levels))
        verdict = settled.verdict
        verdict[~searched] = Verdict.NOT_SEARCHED
        confident = verdict == Verdict.CONFIDENT
        depth = np.where(confident, 1 / np.where(confident, settled.w, 1), 0).astype(np.float32)
        sigma, rough = ((np.square(depth) * part).astype(np.float32) for part in (settled.sigma, settled.rough))
        return MotionDepth(depth, sigma, rough, verdict, reference.T_world_camera, len(usable), settled.window)

    def release(self) -> None:
        """Release what this made in its context; may be called twice."""
        self._renderer.release()
        self._sweep.release()

    def _found(self, levels: list[SweepLevel]) -> tuple[Float32, Float32]:
        """Inverse depth of each pixel to about a pixel, and the margin by which it was chosen; from coarse to fine."""
        coarsest = levels[-1]
        number = max(math.ceil(coarsest.pixels) + 1, 3)
        step = coarsest.step * np.float32(coarsest.pixels / (number - 1))
        w, margin = self._swept(coarsest, Hypotheses(coarsest.bounds.far, step, number))
        for level in reversed(levels[:-1]):
            middle = np.clip(enlarged(w, level.images.reference.shape), *level.bounds)
            w, margin = self._swept(level, Hypotheses(middle - (AROUND // 2) * level.step, level.step, AROUND))
        return w, margin

    def _swept(self, level: SweepLevel, hypotheses: Hypotheses) -> tuple[Float32, Float32]:
        scores = self._sweep.mean_scores(level.images, hypotheses, self.options.radius)
        chosen = semi_global(level.images.reference, scores, self.options.penalties)
        w = hypotheses.far + hypotheses.step * (chosen.hypothesis + chosen.offset).astype(np.float32)
        # Whatever stands alone among its neighbours is wrong.
        return cv2.medianBlur(w, 5).astype(np.float32, copy=False), chosen.margin

    def _settled(self, level: SweepLevel, w: Float32, margin: Float32) -> _Settled:
        options = self.options
        around = smoothed(w, level.step, 1)
        settled = self._compared(level, around, options.radius)
        unclear = settled.unclear
        for times in WIDER:
            if np.mean(unclear) <= NEXT_TRY:
                break
            settled = settled.where(unclear, self._compared(level, around, times * options.radius))
            before, unclear = unclear, settled.unclear
            if np.mean(before & ~unclear) <= NEXT_TRY:
                break
        verdict = settled.verdict
        confident = verdict == Verdict.CONFIDENT
        verdict[confident & (margin < options.min_margin)] = Verdict.AMBIGUOUS
        ends = level.bounds.far - level.step, level.bounds.near + level.step
        outside = (settled.w < ends[0]) | (settled.w > ends[1]) | (settled.w <= 0)
        verdict[confident & outside] = Verdict.INCONSISTENT
        verdict[_speckles(settled.w, level, verdict == Verdict.CONFIDENT, options.min_region)] = Verdict.INCONSISTENT
        return settled

    def _compared(self, level: SweepLevel, w: Float32, radius: int) -> _Settled:
        """Around a surface of inverse depths, by windows that follow it."""
        step = (FRACTION * level.step).astype(np.float32)
        hypotheses = Hypotheses(w - (REFINING // 2) * step, step, REFINING)
        scores = self._sweep.all_scores(level.images, hypotheses, radius)
        options = self.options
        found = refined(
            level.images.reference, scores, Agreement(options.agreeing, options.min_score, options.image_sigma, radius)
        )
        verdict = found.verdict
        verdict[(verdict == Verdict.CONFIDENT) & (found.sigma * FRACTION > options.max_sigma)] = Verdict.NO_TEXTURE
        w = w + found.offset * step
        rough = ROUGH * roughness(w, radius)
        return _Settled(
            w, np.hypot(step * found.sigma, rough), rough, verdict, np.full(w.shape, (2 * radius + 1) ** 2, np.float32)
        )


def _sweep_on_gpu(context: Context, radius: int) -> Sweep:
    if context.version_code >= COMPUTE_VERSION and fits(max(WIDER) * radius):
        return SweepCompute(context)
    return SweepPass(context)


def _speckles(w: Float32, level: SweepLevel, confident: NDArray[np.bool_], size: int) -> NDArray[np.bool_]:
    """(height, width): confident pixels of islands smaller than `size`."""
    step = np.where(level.step > 0, level.step, np.inf)
    finest = np.int16(16)
    pixels = np.where(confident, finest * (1 + (w - level.bounds.far) / step), 0)
    islands = np.clip(pixels, 0, np.iinfo(np.int16).max).astype(np.int16)
    cv2.filterSpeckles(islands, 0, size, float(finest))
    return confident & (islands == 0)
