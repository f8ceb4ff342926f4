"""Heights from photographs: what a group of them says about the map, linearised where the map is.

Each group counts once, by the parallax of its photographs against the one in its middle (`parallax`). Were photographs
compared with the image of the map instead, texture that is finer than the map's cells would have no unknowns, and the
vertices would move to imitate it. On the flight of tests/fusion/test_photometric_fusion.py, over texture four times
finer than the cells, depth alone errs by 1.3 mm (median); all frames fitted jointly, heights and the intensities of
vertices, by 2.0 mm though they start from the truth; groups bring the 1.3 mm down to 0.45.

A derivative of an image tells how it changes over about a pixel. So a photograph counts where one standard deviation of
the map's height moves the point by no more than that. Where most would not, the photographs are reduced; a group goes
from coarse to fine as far as its own word allows.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from glrender.assembly.residuals import Residuals
from glrender.assembly.robust import loss_parameters, weigh_depth
from glrender.assembly.statistics import SIGMA_PER_MEDIAN
from glrender.assembly.stencil import normal_equations
from glrender.assembly.usable import usable_pixels
from glrender.fusion.exposure import NOMINAL, RelativeExposure, estimate_exposure
from glrender.fusion.grid import Grid
from glrender.fusion.parallax import FARTHEST_MOVE, Sightings, Views, look_up, steps_along_rays
from glrender.fusion.photographs import FEWEST, Photograph
from glrender.fusion.pose_nuisance import align
from glrender.fusion.weighting import Weighting
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.render.buffers import CompactBuffers
from glrender.render.derivatives import DerivativeRenderer
from glrender.solve.losses import Cauchy, Huber, Tukey
from glrender.solve.patch import LocalEquations, Patch

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

COARSEST = 8
"""The coarsest images have every so many-th pixel."""

_HIDDEN = 2.0  # cells between a point and what is rendered at its pixel


@dataclass(frozen=True)
class PhotographReport:
    """What a group of photographs did to the map."""

    photographs: int
    """Compared with each other."""
    step: int
    """Every so many-th pixel was compared."""
    compared: int
    """Pixels of the reference whose point at least three of them see."""
    used: int
    """Of these, pixels that tell a height, and went in with a robust weight of at least one half."""
    distrusted: int
    """Times that a photograph was left out at a pixel since the map's height was too uncertain."""
    exposures: tuple[RelativeExposure | None, ...]
    """Of each photograph against the reference; None: it has nothing to do with it."""
    noise: float
    """Standard deviation of the intensities about each other."""


@dataclass(frozen=True, eq=False)
class GroupEquations:
    """What a group says at an estimate."""

    heights: LocalEquations
    """About the whole grid."""
    report: PhotographReport


class PhotographLinearizer:
    """Compares groups of photographs by `camera` over a map on `grid`; owned by `context`."""

    def __init__(self, context: Context, camera: Camera, grid: Grid, weighting: Weighting, noise: float) -> None:
        self._context, self._camera, self._grid = context, camera, grid
        self._weighting, self._noise = weighting, noise
        self._renderers: dict[int, DerivativeRenderer] = {}

    def linearize(
        self, group: tuple[Photograph, ...], heights: Float64, sigma: Float64, step: int | None = None
    ) -> GroupEquations:
        """At `heights` (rows, cols) metres, known to within `sigma` (rows, cols), inf where they are not.

        `step` None takes the finest at which most pixels may be compared.
        """
        surface = self._grid.surface(heights)
        if step is None:
            step = self._finest(group, surface, sigma)
        renderer = self._renderer_at(step)
        camera, reference = renderer.camera, len(group) // 2
        poses = [photograph.T_world_camera for photograph in group]
        depths = [renderer.render(surface, pose, pose=False, edges=False).depth for pose in poses]
        buffers = renderer.render(surface, poses[reference], pose=False)
        assert isinstance(buffers, CompactBuffers)
        usable = usable_pixels(buffers, self._weighting.max_depth_slope)
        views = Views(
            reference,
            buffers.depth,
            np.where(usable, _along_rays(buffers, sigma), np.float32(np.inf)),
            np.stack([photograph.reduced(step) for photograph in group]),
            np.stack(depths),
            np.stack([se3.inverse(pose) @ poses[reference] for pose in poses]),
            np.array([camera.fx, camera.fy, camera.cx, camera.cy]),
            _HIDDEN * self._grid.spacing,
        )
        seen, exposures = _unified(look_up(views), reference)
        views = _aligned(views, exposures, _scatter(seen, reference))
        seen, exposures = _unified(look_up(views), reference)
        scatter = _scatter(seen, reference)
        noise = max(self._noise, scatter)
        change, information = steps_along_rays(seen, noise, scatter, FEWEST)
        residuals, used = self._weighed(buffers, change, information, usable)
        equations = normal_equations(buffers, residuals)
        equations = replace(equations, vector=equations.vector + equations.matvec(heights[..., None]))
        compared = int(np.count_nonzero(np.isfinite(seen.values).sum(axis=0) >= FEWEST))
        report = PhotographReport(len(group), step, compared, used, seen.distrusted, exposures, noise)
        return GroupEquations(LocalEquations(Patch.whole(self._grid.shape), equations), report)

    def release(self) -> None:
        """Release what was made in the context; may be called twice."""
        for renderer in self._renderers.values():
            renderer.release()
        self._renderers = {}

    def _weighed(
        self, buffers: CompactBuffers, change: Float32, information: Float32, usable: NDArray[np.bool_]
    ) -> tuple[Residuals, int]:
        """The steps along rays as depths that were measured, robustly weighed; how many have at least half a weight."""
        told = usable & (information > 0)
        with np.errstate(divide="ignore"):
            sigma = (1 / np.sqrt(information)).astype(np.float32)
        loss = self._weighting.depth_loss
        if told.any() and isinstance(loss, Huber | Cauchy | Tukey):
            # As with depth: a group that disagrees as a whole is no collection of outliers.
            scale = SIGMA_PER_MEDIAN * float(np.median(np.abs(change[told]) / sigma[told]))
            loss = replace(loss, k=loss.k * max(1.0, scale))
        depth, weight = np.empty_like(change), np.empty_like(change)
        measured = np.where(told, buffers.depth + change, 0).astype(np.float32)
        kind, k = loss_parameters(loss)
        cost, count, _ = weigh_depth(buffers.attachments["image"], measured, sigma, told, kind, k, depth, weight)
        used = int(np.count_nonzero(weight[told] >= 0.5 * information[told]))
        colorless = np.zeros((*change.shape, 0), np.float32)
        return Residuals(depth, weight, colorless, np.zeros_like(change), cost, count), used

    def _finest(self, group: tuple[Photograph, ...], surface: HeightMap, sigma: Float64) -> int:
        """The least step at which half of what the middle photograph sees moves by no more than `FARTHEST_MOVE`."""
        middle = group[len(group) // 2].T_world_camera
        buffers = self._renderer_at(COARSEST).render(surface, middle, pose=False, edges=False)
        assert isinstance(buffers, CompactBuffers)
        depth_sigma, depth = _along_rays(buffers, sigma), buffers.depth
        known = (depth > 0) & np.isfinite(depth_sigma)
        if not known.any():
            return COARSEST
        way = max(float(np.linalg.norm(p.T_world_camera[:3, 3] - middle[:3, 3])) for p in group)
        move = float(np.median(self._camera.fx * way * depth_sigma[known] / np.square(depth[known])))
        step = 1
        while step < COARSEST and move > FARTHEST_MOVE * step:
            step *= 2
        return step

    def _renderer_at(self, step: int) -> DerivativeRenderer:
        if step not in self._renderers:
            self._renderers[step] = DerivativeRenderer(self._context, self._camera.every_nth_pixel(step))
        return self._renderers[step]


def _aligned(views: Views, exposures: tuple[RelativeExposure | None, ...], scatter: float) -> Views:
    """With the poses of all photographs put right."""
    poses = views.T_camera_reference.copy()
    for f, exposure in enumerate(exposures):
        if f != views.reference and exposure is not None:
            poses[f] = align(views, f, exposure.undone(views.images[f]), scatter)
    return replace(views, T_camera_reference=poses)


def _along_rays(buffers: CompactBuffers, sigma: Float64) -> Float32:
    """(height, width) metres: what `sigma` (rows, cols) of the heights is for the depth; inf where nothing is seen."""
    ids = np.where(buffers.visible[..., None], buffers.vertex_ids, 0)
    largest = sigma.ravel()[ids].max(axis=-1)
    with np.errstate(invalid="ignore"):
        result = largest * np.abs(buffers.depth_factor)
    return np.where(buffers.visible, result, np.inf).astype(np.float32)


def _unified(seen: Sightings, reference: int) -> tuple[Sightings, tuple[RelativeExposure | None, ...]]:
    """With the exposure of the reference in all photographs, and what each had; NaN where that makes no sense."""
    values, slopes = seen.values.copy(), seen.slopes.copy()
    exposures: list[RelativeExposure | None] = []
    for f in range(len(values)):
        common = np.isfinite(values[f]) & np.isfinite(values[reference])
        exposure = NOMINAL if f == reference else estimate_exposure(values[reference][common], values[f][common])
        exposures.append(exposure)
        if exposure is None:
            values[f] = np.nan
        elif exposure != NOMINAL:
            values[f] = exposure.undone(values[f])
            slopes[f] /= np.float32(exposure.gain)
    return replace(seen, values=values, slopes=slopes), tuple(exposures)


def _scatter(seen: Sightings, reference: int) -> float:
    """Robust standard deviation of one intensity, from how photographs differ from the reference."""
    difference = np.delete(seen.values, reference, axis=0) - seen.values[reference]
    difference = difference[np.isfinite(difference)]
    return SIGMA_PER_MEDIAN * float(np.median(np.abs(difference))) / math.sqrt(2) if difference.size else 0.0
