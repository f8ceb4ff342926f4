"""Plane sweep: how well each pixel's neighbourhood matches its sources at each of its hypotheses, on the host.

Hypothesis k of a pixel is the inverse depth w = far + k step, with far and step of its own (see `search`). A pixel at
homogeneous coordinates (u, v, 1) is seen by a source at K (R K^-1 (u, v, 1) + w t): one matrix and one vector a source.
The score is the zero-mean normalised cross-correlation of a square window, in which every pixel is warped by its own
hypothesis k; gain and offset of the exposure drop out of it.

A sample that the source does not have is NaN and stays so through the sums, which are therefore made anew for every
pixel: what is left of running sums would never recover.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
from numba import njit
from numpy.typing import NDArray

from glrender.frontend.photograph import Photograph
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.parallel import even_parts, run_parts
from glrender.recycle import Recycler

Float32 = NDArray[np.float32]

FLAT = 1e-6
"""Variance of a window, intensity², below which nothing can be compared: a quarter of a grey level, squared."""

UNSEEN = -2.0
"""Score where a source does not see all of a window, or nothing of it can be compared."""

_recycler = Recycler()


class Warp(NamedTuple):
    """Where pixels of the reference are in a source: at H (u, v, 1) + w e, homogeneous."""

    H: Float32
    """(3, 3) K R_source_reference K^-1."""
    e: Float32
    """(3,) K t_source_reference."""


class SweepImages(NamedTuple):
    """A photograph, and the sources that it is compared with. Arrays that were given once must not be changed."""

    reference: Float32
    """(height, width)."""
    sources: Float32
    """(sources, height, width)."""
    warps: list[Warp]
    """From the reference to each source."""


class Hypotheses(NamedTuple):
    """Inverse depths far + k step, k = 0 … number - 1."""

    far: Float32
    """(height, width) 1/metres."""
    step: Float32
    """(height, width) 1/metres; 0 where nothing is looked for."""
    number: int


def make_warp(camera: Camera, reference: Photograph, source: Photograph) -> Warp:
    """From one photograph to another of the same camera."""
    T_source_reference = se3.inverse(source.T_world_camera) @ reference.T_world_camera
    K = camera.matrix
    H = K @ T_source_reference[:3, :3] @ np.linalg.inv(K)
    return Warp(H.astype(np.float32), (K @ T_source_reference[:3, 3]).astype(np.float32))


class Sweep(Protocol):
    """What compares windows: `HostSweep`, `sweep_compute.SweepCompute` or `sweep_pass.SweepPass`.

    Windows are 2 radius + 1 pixels a side.
    """

    def mean_scores(self, images: SweepImages, hypotheses: Hypotheses, radius: int) -> Float32:
        """(height, width, number): mean score, at least 0 each, of the sources that see a window; UNSEEN if none does.

        A source from which the window is hidden matches nowhere and adds about the same to all hypotheses. The mean of
        only the best two would be that of the two nearest sources, which match well over many hypotheses, and would
        leave out those that tell them apart.
        """

    def all_scores(self, images: SweepImages, hypotheses: Hypotheses, radius: int) -> Float32:
        """(sources, height, width, number): each source's score."""

    def release(self) -> None: ...


class HostSweep:
    """By compiled loops on all cores."""

    def mean_scores(self, images: SweepImages, hypotheses: Hypotheses, radius: int) -> Float32:
        """See `Sweep`."""
        scores = _recycler.empty((*images.reference.shape, hypotheses.number), np.float32)
        _run(_mean_rows, images, hypotheses, radius, scores)
        return scores

    def all_scores(self, images: SweepImages, hypotheses: Hypotheses, radius: int) -> Float32:
        """See `Sweep`."""
        scores = _recycler.empty((*images.sources.shape, hypotheses.number), np.float32)
        _run(_all_rows, images, hypotheses, radius, scores)
        return scores

    def release(self) -> None:
        """Nothing is held."""


def _run(loop: Callable[..., None], images: SweepImages, hypotheses: Hypotheses, radius: int, scores: Float32) -> None:
    H, e = (np.stack(parts) for parts in zip(*images.warps, strict=True))
    arguments = (images.reference, images.sources, H, e, *hypotheses, radius, scores)
    run_parts(loop, even_parts(len(images.reference)), *arguments)


@njit(cache=True, nogil=True, fastmath={"contract", "nsz", "arcp"}, error_model="numpy")
def _mean_rows(
    reference: Float32,
    sources: Float32,
    H: NDArray[np.float32],
    e: NDArray[np.float32],
    far: Float32,
    step: Float32,
    count: int,
    radius: int,
    scores: Float32,
    first: int,
    last: int,
) -> None:
    width = reference.shape[1]
    rows = 2 * radius + 1
    warped = np.empty((len(sources), count, rows, width), np.float32)
    window = _window_buffer(radius, width)
    total, seen = np.empty((count, width), np.float32), np.empty((count, width), np.float32)
    row_scores, places = np.empty(width, np.float32), np.empty((2, width), np.float32)
    for v in range(first, last):
        total[:] = 0
        seen[:] = 0
        _reference_sums(reference, v, radius, window)
        for s in range(len(sources)):
            _warp_window(sources[s], H[s], e[s], far, step, v, v == first, places, warped[s])
            for k in range(count):
                _score_row(reference, warped[s, k], v, radius, window, row_scores)
                for u in range(width):
                    score = row_scores[u]
                    total[k, u] += max(score, np.float32(0))
                    seen[k, u] += np.float32(1) if score > UNSEEN else np.float32(0)
        for u in range(width):
            for k in range(count):
                scores[v, u, k] = total[k, u] / seen[k, u] if seen[k, u] > 0 else np.float32(UNSEEN)


@njit(cache=True, nogil=True, fastmath={"contract", "nsz", "arcp"}, error_model="numpy")
def _all_rows(
    reference: Float32,
    sources: Float32,
    H: NDArray[np.float32],
    e: NDArray[np.float32],
    far: Float32,
    step: Float32,
    count: int,
    radius: int,
    scores: Float32,
    first: int,
    last: int,
) -> None:
    width = reference.shape[1]
    rows = 2 * radius + 1
    warped = np.empty((count, rows, width), np.float32)
    window = _window_buffer(radius, width)
    row_scores, places = np.empty(width, np.float32), np.empty((2, width), np.float32)
    for s in range(len(sources)):
        for v in range(first, last):
            _reference_sums(reference, v, radius, window)
            _warp_window(sources[s], H[s], e[s], far, step, v, v == first, places, warped)
            for k in range(count):
                _score_row(reference, warped[k], v, radius, window, row_scores)
                for u in range(width):
                    scores[s, v, u, k] = row_scores[u]


@njit(cache=True, nogil=True, fastmath={"contract", "nsz", "arcp"}, error_model="numpy")
def _warp_window(
    source: Float32,
    H: Float32,
    e: Float32,
    far: Float32,
    step: Float32,
    v: int,
    anew: bool,
    places: Float32,
    warped: Float32,
) -> None:
    """Samples of the source for windows around row v, into the ring `warped` (hypotheses, 2 radius + 1, width).

    The ring holds those around row v - 1, of which all but one serve again, unless it is made `anew`.
    """
    count, rows = warped.shape[:2]
    radius = rows // 2
    for row in range(v - radius if anew else v + radius, v + radius + 1):
        if 0 <= row < len(far):
            for k in range(count):
                _warp_row(source, H, e, far, step, k, row, places, warped[k, row % rows])


@njit(cache=True, nogil=True, fastmath={"contract", "nsz", "arcp"}, error_model="numpy")
def _warp_row(
    source: Float32,
    H: Float32,
    e: Float32,
    far: Float32,
    step: Float32,
    k: int,
    v: int,
    places: Float32,
    out: Float32,
) -> None:
    """Samples of the source at hypothesis k of every pixel of a row, bilinear; NaN outside.

    `places` (2, width) is scratch: the first of two loops becomes vector instructions and leaves the second nothing but
    the loads.
    """
    height, width = source.shape
    x0 = H[0, 1] * np.float32(v) + H[0, 2]
    y0 = H[1, 1] * np.float32(v) + H[1, 2]
    z0 = H[2, 1] * np.float32(v) + H[2, 2]
    last_x, last_y = np.float32(width - 1), np.float32(height - 1)
    hypothesis = np.float32(k)
    xs, ys, fars, steps = places[0], places[1], far[v], step[v]
    for u in range(out.shape[0]):
        w = fars[u] + hypothesis * steps[u]
        column = np.float32(u)
        z = H[2, 0] * column + z0 + w * e[2]
        over = np.float32(1) / z
        x = (H[0, 0] * column + x0 + w * e[0]) * over
        y = (H[1, 0] * column + y0 + w * e[1]) * over
        inside = (z > 0) & (x >= 0) & (x <= last_x) & (y >= 0) & (y <= last_y) & (steps[u] != 0)
        xs[u] = x if inside else np.float32(-1)
        ys[u] = y
    texels = source.ravel()
    row, right = np.uint32(width), np.uint32(1)
    most_i, most_j = np.uint32(height - 2), np.uint32(width - 2)
    for u in range(out.shape[0]):
        x, y = xs[u], ys[u]
        if x < 0:
            out[u] = np.nan
            continue
        j, i = min(np.uint32(x), most_j), min(np.uint32(y), most_i)
        a, b = x - np.float32(j), y - np.float32(i)
        at = i * row + j
        below = at + row
        upper = texels[at] + a * (texels[at + right] - texels[at])
        lower = texels[below] + a * (texels[below + right] - texels[below])
        out[u] = upper + b * (lower - upper)


@njit(cache=True, nogil=True)
def _window_buffer(radius: int, width: int) -> Float32:
    """(9, width + 2 radius): what `_reference_sums` finds of a row of windows, and scratch."""
    return np.zeros((9, width + 2 * radius), np.float32)


@njit(cache=True, nogil=True, fastmath={"contract", "nsz", "arcp"}, error_model="numpy")
def _reference_sums(reference: Float32, v: int, radius: int, window: Float32) -> None:
    """Mean, N variance and 1 / N of the reference's windows around a row of pixels, into the first rows of `window`."""
    height, width = reference.shape
    top, bottom = max(v - radius, 0), min(v + radius, height - 1)
    mean, spread, share = window[0], window[1], window[2]
    once, square = window[3], window[4]
    once[:] = 0
    square[:] = 0
    for row in range(top, bottom + 1):
        for u in range(width):
            value = reference[row, u]
            once[u + radius] += value
            square[u + radius] += value * value
    for u in range(width):
        a, b = np.float32(0), np.float32(0)
        for d in range(2 * radius + 1):
            a += once[u + d]
            b += square[u + d]
        pixels = (bottom + 1 - top) * (min(u + radius, width - 1) + 1 - max(u - radius, 0))
        share[u] = np.float32(1.0) / np.float32(pixels)
        mean[u] = a * share[u]
        spread[u] = b - a * mean[u]


@njit(cache=True, nogil=True, fastmath={"contract", "nsz", "arcp"}, error_model="numpy")
def _score_row(reference: Float32, warped: Float32, v: int, radius: int, window: Float32, out: Float32) -> None:
    """Scores of one row at one hypothesis, from the ring of the source's warped rows (2 radius + 1, width)."""
    height, width = reference.shape
    rows = 2 * radius + 1
    mean, spread, share = window[0], window[1], window[2]
    once, square, product = window[3], window[4], window[5]
    a, b, c = window[6], window[7], window[8]
    once[:] = 0
    square[:] = 0
    product[:] = 0
    for row in range(max(v - radius, 0), min(v + radius, height - 1) + 1):
        line = warped[row % rows]
        for u in range(width):
            value = line[u]
            once[u + radius] += value
            square[u + radius] += value * value
            product[u + radius] += value * reference[row, u]
    a[:] = 0
    b[:] = 0
    c[:] = 0
    for d in range(rows):
        for u in range(width):
            a[u] += once[u + d]
            b[u] += square[u + d]
            c[u] += product[u + d]
    for u in range(width):
        variance = b[u] - a[u] * a[u] * share[u]
        covariance = c[u] - a[u] * mean[u]
        least = np.float32(FLAT) / share[u]
        if variance > least and spread[u] > least:  # neither if a sample is NaN
            out[u] = covariance / np.sqrt(variance * spread[u])
        else:
            out[u] = UNSEEN
