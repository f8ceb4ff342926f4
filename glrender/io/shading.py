"""Heights as a shaded relief, computed on the host."""

import numpy as np
from numpy.typing import NDArray

LIGHT = np.array([-0.6, 0.6, 0.5292])
"""Towards the light in map axes, of unit length: from the upper left, as maps are shaded by custom."""

TYPICAL_SLOPE = 0.5
"""What the slope of steep cells (the 90th percentile) is exaggerated or flattened to."""


def relief(heights: NDArray[np.float64], spacing: float, colors: NDArray[np.float64]) -> NDArray[np.float64]:
    """(rows, cols, 3) `colors`, darkened where the ground turns away from the light and lightened where it faces it."""
    shade = slope_shade(heights, spacing)[..., None]
    return np.where(shade < 0, colors * (1 + shade), colors + (1 - colors) * shade)


def slope_shade(heights: NDArray[np.float64], spacing: float) -> NDArray[np.float64]:
    """(rows, cols) from -0.75 (turned away from the light) to 0.5 (towards it), 0 on level ground and beside gaps."""
    slope_y, slope_x = np.gradient(heights, spacing)
    known = np.isfinite(slope_x) & np.isfinite(slope_y)
    if not known.any():
        return np.zeros_like(heights)
    steep = float(np.percentile(np.hypot(slope_x, slope_y)[known], 90))
    scale = TYPICAL_SLOPE / max(steep, 1e-6)
    normal = np.stack([-scale * slope_x, -scale * slope_y, np.ones_like(heights)], axis=-1)
    towards = normal @ LIGHT / np.linalg.norm(normal, axis=-1) - LIGHT[2]
    return np.where(known, np.clip(1.3 * towards, -0.75, 0.5), 0)
