"""Scores of a plane sweep by the book, in numpy and float64: points, projections, windows one by one."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from glrender.frontend.photograph import Photograph
from glrender.frontend.sweep import Hypotheses
from glrender.geometry import se3
from glrender.geometry.camera import Camera


def correlations(
    camera: Camera, reference: Photograph, source: Photograph, hypotheses: Hypotheses, radius: int
) -> NDArray[np.float64]:
    """(height, width, number): correlation coefficients; NaN where a window is not seen as a whole."""
    T = se3.inverse(source.T_world_camera) @ reference.T_world_camera
    own = _windows(reference.image.astype(np.float64), radius)
    scores = np.empty((*camera.shape, hypotheses.number))
    for k in range(hypotheses.number):
        with np.errstate(divide="ignore", invalid="ignore"):
            depth = 1 / (hypotheses.far.astype(np.float64) + k * hypotheses.step)
        points = camera.rays() * depth[..., None] @ T[:3, :3].T + T[:3, 3]
        u, v = np.moveaxis(camera.project(points), -1, 0)
        inside = (u >= 0) & (u <= camera.width - 1) & (v >= 0) & (v <= camera.height - 1) & (hypotheses.step > 0)
        at = [np.where(inside, coordinate, 0) for coordinate in (v, u)]
        warped = ndimage.map_coordinates(source.image.astype(np.float64), at, order=1, mode="nearest")
        warped[~inside] = np.nan
        other = _windows(warped, radius)
        a, b = (window - window.mean(axis=-1, keepdims=True) for window in (own, other))
        correlation = np.ma.sum(a * b, axis=-1) / np.ma.sqrt((a**2).sum(axis=-1) * (b**2).sum(axis=-1))
        scores[..., k] = correlation.filled(np.nan)
    return scores


def _windows(image: NDArray[np.float64], radius: int) -> np.ma.MaskedArray:
    """(height, width, pixels): each pixel's window; what lies beyond the image is masked, NaN is not."""
    side = 2 * radius + 1
    padded = np.pad(image, radius)
    beyond = np.pad(np.zeros(image.shape, bool), radius, constant_values=True)
    windows, masks = (np.lib.stride_tricks.sliding_window_view(each, (side, side)) for each in (padded, beyond))
    shape = (*image.shape, side * side)
    return np.ma.MaskedArray(windows.reshape(shape), masks.reshape(shape))
