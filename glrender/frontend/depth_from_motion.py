"""Depth from motion: how far away what a photograph shows is, from others of the same scene with known poses.

A plane sweep (Collins, *A Space-Sweep Approach to True Multi-Image Matching*, CVPR 1996) between the two surfaces of a
search, coarse to fine where these are far apart; semi-global aggregation; then windows that follow the surface found,
compared at a few fractions of a pixel around it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from glrender.checks import check_positive
from glrender.errors import InputError, UsageError
from glrender.frontend.motion_depth import MotionDepth, Verdict
from glrender.frontend.photograph import Photograph
from glrender.frontend.refine import Agreement, refined, roughness, smoothed
from glrender.frontend.search import Bounds, Search
from glrender.frontend.semi_global import Penalties, semi_global
from glrender.frontend.sweep import Hypotheses, Warp, all_scores, make_warp, mean_scores
from glrender.geometry.camera import Camera
from glrender.gl.context import Context
from glrender.render.forward import ForwardRenderer

Float32 = NDArray[np.float32]

NARROW = 32
"""Hypotheses of a sweep at full resolution at most; twice as many at half of it, and so on."""
WIDEST = 128
"""Hypotheses of any sweep at most."""
AROUND = 17
"""Hypotheses around what the coarser level found, a pixel apart."""
REFINING = 5
"""Hypotheses around the surface found, `FRACTION` pixels apart."""
FRACTION = 0.5
ROUGH = 1.2
"""Standard deviation, in units of the roughness within a window, of the error that comes of matching it as a whole. On
simulated ground fits of the errors gave 0.7 to 1.7; with it, pulls are nearly Gaussian."""


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
    min_margin: float = 0.04
    """By how much any other hypothesis must be worse, in aggregated costs a direction, or the pixel is ambiguous."""
    max_sigma: float = 0.5
    """Standard deviation along the epipolar line, in pixels, beyond which a window has no texture to speak of."""
    min_region: int = 50
    """Confident pixels that must hang together, each within a pixel of the next; chance finds smaller islands."""
    image_sigma: float = 1 / 255
    """Noise of the intensity, of which the score's residuals are never taken to have less."""

    def __post_init__(self) -> None:
        for name in ("radius", "agreeing", "min_region"):
            value = getattr(self, name)
            if not (isinstance(value, int) and value >= 1):
                raise UsageError(f"{name}: received {value!r}, expected a whole number of at least 1")
        for name in ("min_parallax", "min_score", "max_sigma", "image_sigma"):
            check_positive(name, getattr(self, name))


class DepthFromMotion:
    """Depths of one pinhole camera's photographs; owned by `context`, whose renderer predicts what to look for."""

    def __init__(self, context: Context, camera: Camera, options: SweepOptions | None = None) -> None:
        self.camera = camera.without_distortion()
        self.options = options or SweepOptions()
        self._renderer = ForwardRenderer(context, self.camera)

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
        against_infinity, within = _parallax(warps, bounds)
        usable = [k for k in range(len(sources)) if against_infinity[k] >= self.options.min_parallax]
        verdict = np.full(self.camera.shape, Verdict.NO_BASELINE, np.uint8)
        w = spread = np.zeros(self.camera.shape, np.float32)
        if searched.any() and usable:
            # The longest baseline decides how fine the steps are.
            pixels = max(within[k] for k in usable)
            levels = _pyramid(self.camera, reference, [sources[k] for k in usable], bounds, pixels)
            w, margin = self._found(levels)
            w, spread, verdict = self._settled(levels[0], w, margin)
        verdict[~searched] = Verdict.NOT_SEARCHED
        confident = verdict == Verdict.CONFIDENT
        depth = np.where(confident, 1 / np.where(confident, w, 1), 0).astype(np.float32)
        sigma = np.where(confident, np.square(depth) * spread, 0).astype(np.float32)
        window = float((2 * self.options.radius + 1) ** 2)
        return MotionDepth(depth, sigma, verdict, reference.T_world_camera, len(usable), window)

    def release(self) -> None:
        """Release what this made in its context; may be called twice."""
        self._renderer.release()

    def _found(self, levels: "list[_Level]") -> tuple[Float32, Float32]:
        """Inverse depth of each pixel to about a pixel, and the margin by which it was chosen; from coarse to fine."""
        coarsest = levels[-1]
        number = max(math.ceil(coarsest.pixels) + 1, 3)
        step = coarsest.step * np.float32(coarsest.pixels / (number - 1))
        w, margin = self._swept(coarsest, Hypotheses(coarsest.bounds.far, step, number))
        for level in reversed(levels[:-1]):
            middle = np.clip(_enlarged(w, level.reference.shape), *level.bounds)
            w, margin = self._swept(level, Hypotheses(middle - (AROUND // 2) * level.step, level.step, AROUND))
        return w, margin

    def _swept(self, level: "_Level", hypotheses: Hypotheses) -> tuple[Float32, Float32]:
        scores = mean_scores(level.reference, level.sources, level.warps, hypotheses, self.options.radius)
        chosen = semi_global(level.reference, scores, self.options.penalties)
        w = hypotheses.far + hypotheses.step * (chosen.hypothesis + chosen.offset).astype(np.float32)
        # Whatever stands alone among its neighbours is wrong.
        return cv2.medianBlur(w, 5).astype(np.float32, copy=False), chosen.margin

    def _settled(self, level: "_Level", w: Float32, margin: Float32) -> tuple[Float32, Float32, NDArray[np.uint8]]:
        """Inverse depths to fractions of a pixel, their standard deviations, and the verdicts."""
        options = self.options
        w = smoothed(w, level.step, 1)
        step = (FRACTION * level.step).astype(np.float32)
        hypotheses = Hypotheses(w - (REFINING // 2) * step, step, REFINING)
        scores = all_scores(level.reference, level.sources, level.warps, hypotheses, options.radius)
        agreement = Agreement(options.agreeing, options.min_score, options.image_sigma, options.radius)
        found = refined(level.reference, scores, agreement)
        w = w + found.offset * step
        sigma = np.hypot(step * found.sigma, ROUGH * roughness(w, options.radius))
        verdict = found.verdict
        confident = verdict == Verdict.CONFIDENT
        verdict[confident & (found.sigma * FRACTION > options.max_sigma)] = Verdict.NO_TEXTURE
        verdict[confident & (margin < options.min_margin)] = Verdict.AMBIGUOUS
        outside = (w < level.bounds.far - level.step) | (w > level.bounds.near + level.step) | (w <= 0)
        verdict[confident & outside] = Verdict.INCONSISTENT
        verdict[_speckles(w, level, verdict == Verdict.CONFIDENT, options.min_region)] = Verdict.INCONSISTENT
        return w, sigma, verdict


@dataclass(frozen=True, eq=False)
class _Level:
    """One resolution of all that is compared."""

    reference: Float32
    sources: Float32
    warps: list[Warp]
    bounds: Bounds
    pixels: float
    """From far to near, along the epipolar lines of the source with the longest baseline."""

    @property
    def step(self) -> Float32:
        """(height, width) inverse depth of about a pixel."""
        return ((self.bounds.near - self.bounds.far) / max(self.pixels, 1e-3)).astype(np.float32)


def _speckles(w: Float32, level: _Level, confident: NDArray[np.bool_], size: int) -> NDArray[np.bool_]:
    """(height, width): confident pixels of islands smaller than `size`."""
    step = np.where(level.step > 0, level.step, np.inf)
    finest = np.int16(16)
    pixels = np.where(confident, finest * (1 + (w - level.bounds.far) / step), 0)
    islands = np.clip(pixels, 0, np.iinfo(np.int16).max).astype(np.int16)
    cv2.filterSpeckles(islands, 0, size, float(finest))
    return confident & (islands == 0)


def _parallax(warps: list[Warp], bounds: Bounds) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(sources,) pixels each: against infinity, of the middle of the search, median; and from far to near, 90 %."""
    v, u = (axis.ravel() for axis in np.mgrid[4 : bounds.far.shape[0] : 8, 4 : bounds.far.shape[1] : 8])
    far, near = bounds.far[v, u], bounds.near[v, u]
    looked = near > far
    u, v, far, near = u[looked], v[looked], far[looked], near[looked]
    against_infinity, within = np.zeros(len(warps)), np.zeros(len(warps))
    if len(u) == 0:
        return against_infinity, within
    for k, warp in enumerate(warps):
        base = warp.H @ np.stack([u, v, np.ones_like(u)])

        def at(w: Float32, base: NDArray[np.float64] = base, warp: Warp = warp) -> NDArray[np.float64]:
            x, y, z = base + warp.e[:, None] * w
            with np.errstate(divide="ignore", invalid="ignore"):
                return np.where(z > 0, np.stack([x, y]) / z, np.nan)

        for result, ends, share in ((against_infinity, (0 * far, (far + near) / 2), 50), (within, (far, near), 90)):
            moved = np.linalg.norm(at(ends[1]) - at(ends[0]), axis=0)
            known = moved[np.isfinite(moved)]
            result[k] = np.percentile(known, share) if known.size else 0
    return against_infinity, within


def _pyramid(
    camera: Camera, reference: Photograph, sources: Sequence[Photograph], bounds: Bounds, pixels: float
) -> list[_Level]:
    """From fine to coarse: as many levels as it takes to sweep the coarsest with few enough hypotheses."""
    images = np.stack([photograph.image for photograph in (reference, *sources)])
    levels: list[_Level] = []
    while True:
        warps = [make_warp(camera, reference, source) for source in sources]
        levels.append(_Level(np.ascontiguousarray(images[0]), np.ascontiguousarray(images[1:]), warps, bounds, pixels))
        if pixels <= min(NARROW << (len(levels) - 1), WIDEST) or min(camera.shape) < 64:
            return levels
        images = _halved(images)
        camera = Camera(
            width=camera.width // 2,
            height=camera.height // 2,
            fx=camera.fx / 2,
            fy=camera.fy / 2,
            cx=(camera.cx + 0.5) / 2 - 0.5,
            cy=(camera.cy + 0.5) / 2 - 0.5,
        )
        bounds = Bounds(*(_halved(bound[None])[0] for bound in bounds))
        pixels /= 2


def _halved(images: Float32) -> Float32:
    """(n, height // 2, width // 2): means of two by two pixels; NaN where one of them is."""
    height, width = images.shape[1] // 2 * 2, images.shape[2] // 2 * 2
    return images[:, :height, :width].reshape(-1, height // 2, 2, width // 2, 2).mean(axis=(2, 4), dtype=np.float32)


def _enlarged(w: Float32, shape: tuple[int, int]) -> Float32:
    """Twice as many pixels a side, linear between the centres of those there are; one more repeated where odd."""
    height, width = w.shape
    large = cv2.resize(w, (2 * width, 2 * height), interpolation=cv2.INTER_LINEAR)
    return np.pad(large, ((0, shape[0] - 2 * height), (0, shape[1] - 2 * width)), mode="edge")
