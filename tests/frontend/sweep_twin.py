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
    height, width = camera.shape
    scores = np.full((height, width, hypotheses.number), np.nan)
    for k in range(hypotheses.number):
        with np.errstate(divide="ignore", invalid="ignore"):
            depth = 1 / (hypotheses.far.astype(np.float64) + k * hypotheses.step)
        points = camera.rays() * depth[..., None] @ T[:3, :3].T + T[:3, 3]
        u, v = np.moveaxis(camera.project(points), -1, 0)
        inside = (u >= 0) & (u <= width - 1) & (v >= 0) & (v <= height - 1) & (hypotheses.step > 0)
        at = [np.where(inside, coordinate, 0) for coordinate in (v, u)]
        warped = ndimage.map_coordinates(source.image.astype(np.float64), at, order=1, mode="nearest")
        warped[~inside] = np.nan
        for i, j in np.ndindex(height, width):
            window = slice(max(i - radius, 0), i + radius + 1), slice(max(j - radius, 0), j + radius + 1)
            a, b = reference.image[window].ravel().astype(np.float64), warped[window].ravel()
            if np.isfinite(b).all():
                scores[i, j, k] = np.corrcoef(a, b)[0, 1]
    return scores
