"""How far photographs that see the same ground are from agreeing about its depth, pixel by pixel.

A pixel of one photograph, the reference, sees a point at the depth D that the map predicts. The other photographs see
the same point at pixels p_f(D), which move with D along epipolar lines, and their intensities there change by

    a_f = ∇I_f · dp_f/dD,    a = 0 for the reference.

Were D right, all intensities would be that of the point. It is not known, but it is one: with weights w_f, what is
left of the squares once it is eliminated is minimised by a step

    δD = -Σ w_f (a_f - ā) (I_f - Ī) / Λ,    Λ = Σ w_f (a_f - ā)² / σ²,

with means over the photographs: one Gauss-Newton step along the ray, and the information that it has. A single
photograph says nothing (Λ = 0), nor do several from one place.

The noise of images makes gradients too where there are none, whose squares would be taken for information. What it adds
to them on average, half its variance a pixel², is taken off, and where most of them is noise, nothing is said.
"""

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from glrender.parallel import even_parts, run_parts

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

FARTHEST_MOVE = 1.0
"""Pixels by which one standard deviation of the depth may move a point: derivatives of images hold about so far."""

FARTHEST_STEP = 3.0
"""Pixels by which a step may move it: three standard deviations."""

TAIL = 2.5
"""Standard deviations of an intensity at which its weight is one half."""

_STILL = 1e-6  # pixels a metre: rounding makes a camera that only turned this fast


@dataclass(frozen=True, eq=False)
class Views:
    """F photographs of one surface, the reference among them."""

    reference: int
    """Which of them it is."""
    depth: Float32
    """(height, width) metres: of the points that pixels of the reference see, 0 where there is none."""
    depth_sigma: Float32
    """(height, width) metres: its standard deviation; inf where nothing is known of it."""
    images: Float32
    """(F, height, width): intensities; NaN where unknown."""
    depths: Float32
    """(F, height, width) metres: what each sees of the surface, as rendered."""
    T_camera_reference: Float64
    """(F, 4, 4): poses."""
    lens: Float64
    """(4,): fx, fy, cx, cy of all, pixels."""
    nearest: float
    """Metres: a point that is further from what is rendered at its pixel is hidden there."""


@dataclass(frozen=True, eq=False)
class Sightings:
    """What each of F photographs shows of the points that the reference sees."""

    values: Float32
    """(F, height, width): intensity; NaN where the point is outside, hidden, or its depth too uncertain."""
    slopes: Float32
    """(F, height, width) 1/m: a_f, how the intensity changes with the depth."""
    speeds: Float32
    """(F, height, width): |dp_f/dD|, pixels a metre."""
    distrusted: int
    """How many were left out because the depth is too uncertain."""


def look_up(views: Views) -> Sightings:
    """Each photograph at the points that the reference sees, where a standard deviation moves them by little enough."""
    values, slopes, speeds = (np.empty_like(views.images) for _ in range(3))
    distrusted = np.zeros(len(views.depth), np.int64)
    run_parts(
        _look_up_rows,
        even_parts(len(views.depth)),
        views.depth,
        views.depth_sigma,
        views.images,
        views.depths,
        views.T_camera_reference,
        views.lens,
        views.reference,
        views.nearest,
        FARTHEST_MOVE,
        values,
        slopes,
        speeds,
        distrusted,
    )
    return Sightings(values, slopes, speeds, int(distrusted.sum()))


def steps_along_rays(seen: Sightings, noise: float, gradient_noise: float, fewest: int) -> tuple[Float32, Float32]:
    """δD (height, width) metres, Λ (height, width) 1/m²; both 0 where nothing is said.

    That is where fewer than `fewest` photographs see the point, where gradients are those of the noise, and where the
    step is longer than derivatives hold. `noise` is the standard deviation of intensities about each other,
    `gradient_noise` that of neighbouring pixels. Weights are Cauchy's, about the median at first, so that one
    photograph that shows something else is outvoted.
    """
    shape = seen.values.shape[1:]
    step, information = np.empty(shape, np.float32), np.empty(shape, np.float32)
    numbers = (noise, gradient_noise, TAIL, fewest, FARTHEST_STEP)
    arguments = (seen.values, seen.slopes, seen.speeds, *numbers, step, information)
    run_parts(_step_rows, even_parts(len(step)), *arguments)
    return step, information


@njit(cache=True, nogil=True)
def _look_up_rows(
    depth: Float32,
    depth_sigma: Float32,
    images: Float32,
    depths: Float32,
    T: Float64,
    lens: Float64,
    reference: int,
    nearest: float,
    farthest_move: float,
    values: Float32,
    slopes: Float32,
    speeds: Float32,
    distrusted: NDArray[np.int64],
    first: int,
    last: int,
) -> None:
    fx, fy, cx, cy = lens
    height, width = depth.shape
    for f in range(len(images)):
        for v in range(first, last):
            for u in range(width):
                values[f, v, u] = slopes[f, v, u] = np.nan
                speeds[f, v, u] = 0.0
                D = np.float64(depth[v, u])
                if not D > 0:
                    continue
                if f == reference:
                    values[f, v, u], slopes[f, v, u] = images[f, v, u], 0.0
                    continue
                x, y = (u - cx) / fx, (v - cy) / fy
                r0 = T[f, 0, 0] * x + T[f, 0, 1] * y + T[f, 0, 2]
                r1 = T[f, 1, 0] * x + T[f, 1, 1] * y + T[f, 1, 2]
                r2 = T[f, 2, 0] * x + T[f, 2, 1] * y + T[f, 2, 2]
                z = D * r2 + T[f, 2, 3]
                if not z > 0:
                    continue
                p = (D * r0 + T[f, 0, 3]) / z
                q = (D * r1 + T[f, 1, 3]) / z
                along_u, along_v = fx * (r0 - p * r2) / z, fy * (r1 - q * r2) / z
                p, q = fx * p + cx, fy * q + cy
                if not (p >= 1 and q >= 1 and p <= width - 2 and q <= height - 2):
                    continue
                if abs(depths[f, int(q + 0.5), int(p + 0.5)] - z) > nearest:
                    continue
                speed = math.hypot(along_u, along_v)
                if not speed * depth_sigma[v, u] <= farthest_move:
                    distrusted[v] += 1
                    continue
                values[f, v, u], speeds[f, v, u] = between(images[f], p, q), speed
                if speed < _STILL:
                    slopes[f, v, u] = 0.0
                    continue
                e, g = along_u / speed, along_v / speed
                ahead, behind = between(images[f], p + e, q + g), between(images[f], p - e, q - g)
                slopes[f, v, u] = 0.5 * speed * (ahead - behind)


@njit(cache=True, nogil=True, inline="always")
def between(image: Float32, p: float, q: float) -> float:
    """Bilinear interpolation at column p and row q, both inside by less than a pixel at most."""
    i, j = min(int(q), image.shape[0] - 2), min(int(p), image.shape[1] - 2)
    s, t = q - i, p - j
    above = (1 - t) * image[i, j] + t * image[i, j + 1]
    below = (1 - t) * image[i + 1, j] + t * image[i + 1, j + 1]
    return (1 - s) * above + s * below


@njit(cache=True, nogil=True, inline="always")
def _median(values: Float64, count: int) -> float:
    """Of the first `count` values; the upper of the two in the middle."""
    for n in range(count):
        below = 0
        for m in range(count):
            below += values[m] < values[n] or (values[m] == values[n] and m < n)
        if below == count // 2:
            return values[n]
    return values[0]


@njit(cache=True, nogil=True)
def _step_rows(
    values: Float32,
    slopes: Float32,
    speeds: Float32,
    noise: float,
    gradient_noise: float,
    k: float,
    fewest: int,
    farthest_step: float,
    step: Float32,
    information: Float32,
    first: int,
    last: int,
) -> None:
    count = len(values)
    c, a, w, s = np.zeros(count), np.zeros(count), np.zeros(count), np.zeros(count)
    for v in range(first, last):
        for u in range(values.shape[2]):
            step[v, u] = information[v, u] = 0.0
            count = 0
            for f in range(len(values)):
                if np.isfinite(values[f, v, u]) and np.isfinite(slopes[f, v, u]):
                    c[count], a[count], s[count] = values[f, v, u], slopes[f, v, u], speeds[f, v, u]
                    count += 1
            if count < fewest:
                continue
            center, slope = _median(c, count), 0.0
            for _ in range(3):
                total = sum_c = sum_a = 0.0
                for n in range(count):
                    w[n] = 1 / (1 + ((c[n] - center) / (k * noise)) ** 2)
                    total += w[n]
                    sum_c += w[n] * c[n]
                    sum_a += w[n] * a[n]
                center, slope = sum_c / total, sum_a / total
            pull = told = of_noise = fastest = 0.0
            for n in range(count):
                told += w[n] * (a[n] - slope) ** 2
                pull -= w[n] * (a[n] - slope) * (c[n] - center)
                of_noise += 0.5 * w[n] * (s[n] * gradient_noise) ** 2
                fastest = max(fastest, s[n])
            told -= of_noise
            if told > of_noise and fastest * abs(pull) <= farthest_step * told:
                step[v, u] = pull / told
                information[v, u] = told / noise**2
