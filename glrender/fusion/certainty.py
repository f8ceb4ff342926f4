"""From an estimate and its information to a map that says what is known, and how well."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from glrender.fusion import colors
from glrender.fusion.grid import Grid
from glrender.fusion.observation import Threshold
from glrender.geometry.heightmap import HeightMap
from glrender.solve.marginals import marginal_variances
from glrender.solve.patch import Patch
from glrender.solve.priors import Prior
from glrender.solve.stencil import BlockStencil
from glrender.solve.systems import NormalEquations

Float64 = NDArray[np.float64]

EXACT = 250_000
"""Up to so many unknowns, sigma takes the colours for unknown too; 200 000 take 5 s and 0.5 GB."""


def _observed_cells(data: BlockStencil, threshold: Threshold) -> NDArray[np.bool_]:
    """(rows, cols): cells about whose height the measurements alone pass `threshold`, once the cell's own colours are
    estimated from the same measurements."""
    height, color, cross = data.matrix[:, :, 0, 0], data.matrix[:, :, 0, 1:2], data.matrix[:, :, 0, 2:]
    explained = np.divide(np.square(cross), color, out=np.zeros_like(cross), where=color > 0).sum(axis=-1)
    return np.asarray(height - explained > threshold.at(Patch.whole(data.shape)))


def certain_map(
    grid: Grid, x: Float64, data: NormalEquations, priors: Sequence[Prior], threshold: Threshold
) -> tuple[HeightMap, bool]:
    """The map of x (rows, cols, 1 + C) with its marginal sigma, NaN where nothing was observed.

    `data` are the equations of all measurements at x, without the priors; cells that do not pass `threshold` by them
    are not observed. The second result says whether sigma takes the colours for unknown; above `EXACT` unknowns they
    count as known, and sigma is a little too small.
    """
    information = data
    for prior in priors:
        information = prior.add_to(information, x)
    exact = x.size <= EXACT or x.shape[2] == 1
    stencil = information.stencil if exact else information.stencil.heights_only()
    observed = _observed_cells(data.stencil, threshold)
    heights = np.where(observed, x[..., 0], np.nan)
    sigma = np.where(observed, np.sqrt(marginal_variances(stencil)), np.nan)
    if x.shape[2] == 1:
        return grid.surface(heights, None, sigma), exact
    known = observed & (data.stencil.matrix[:, :, 0, 1] > colors.SIGMA**-2)
    painted = np.where(known[..., None], np.clip(x[..., 1:], 0, 1), np.nan)
    return grid.surface(heights, painted, sigma), exact
