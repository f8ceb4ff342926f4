"""What disks around every cell of a grid of heights say: the plane that fits best, and the largest difference.

Cells that are not known, or lie beyond the grid, are left out.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from glrender.parallel import even_parts, run_parts

Float64 = NDArray[np.float64]

_SUMS = 8  # 1, x, x², z, x z, z², σ², and the row's own padding to eight doubles, a cache line


class Planes(NamedTuple):
    """The planes that fit the disks around cells best; each (rows, cols), NaN where there is none."""

    slope_x: Float64
    """Metres a metre along x."""
    slope_y: Float64
    """Metres a metre along y."""
    residual_variance: Float64
    """m²: sum of the squared residuals over n - 3, with n cells in the disk."""
    mean_variance: Float64
    """m²: the mean of the heights' variances in the disk."""
    slope_variance_ratio: Float64
    """1/m²: the variance of the slope along the gradient, over that of each height if all had the same."""


class Differences(NamedTuple):
    """The largest differences of height within disks around cells; each (rows, cols), NaN where there is no plane."""

    height: Float64
    """Metres, between the highest and the lowest cell once the plane's slope is taken off."""
    variance: Float64
    """m²: the sum of the variances of these two."""
    mean_variance: Float64
    """m²: the mean of the variances in the disk."""
    known: Float64
    """How many cells of the disk are known."""


def disk_half_widths(radius: float) -> NDArray[np.int64]:
    """(2 r + 1,): how many cells to each side of the middle a disk of `radius` cells has in each of its rows -r … r.

    A cell belongs to the disk if its centre does.
    """
    reach = int(np.floor(radius + 1e-9))
    rows = np.arange(-reach, reach + 1)
    return np.floor(np.sqrt(np.maximum(radius**2 - rows**2, 0)) + 1e-9).astype(np.int64)


def fit_planes(heights: Float64, variances: Float64, spacing: float, radius: float, least_share: float) -> Planes:
    """The plane that fits the disk of `radius` metres around each cell best, in least squares.

    `heights` (m) and `variances` (m²), both (rows, cols), have NaN at the same cells. There is no plane where the cell
    is not known, or less than `least_share` of the disk is.
    """
    rows, cols = heights.shape
    known = np.isfinite(heights)
    x = np.broadcast_to(spacing * (np.arange(cols) - cols / 2), heights.shape)
    # Sums of squares lose digits where all heights are far from zero.
    z = np.where(known, heights - np.median(heights[known]), 0.0)
    ones = known.astype(np.float64)
    fields = [ones, ones * x, ones * x**2, z, z * x, z**2, np.where(known, variances, 0.0)]
    sums = np.zeros((rows, cols + 1, _SUMS))
    for k, field in enumerate(fields):
        np.cumsum(field, axis=1, out=sums[:, 1:, k])
    widths = disk_half_widths(radius / spacing)
    least = max(3.0, least_share * float(np.sum(2 * widths + 1)))
    planes = np.full((len(Planes._fields), rows, cols), np.nan)
    run_parts(_fit_rows, even_parts(rows), known, sums, widths, spacing, least, planes)
    return Planes(*planes)


def largest_differences(
    heights: Float64, variances: Float64, planes: Planes, spacing: float, radius: float
) -> Differences:
    """The largest difference of height in the disk of `radius` metres around each cell, (rows, cols) each.

    Heights (rows, cols), metres, and their variances are taken as they lie above the slope that `planes` have there.
    """
    rows, cols = heights.shape
    differences = np.full((len(Differences._fields), rows, cols), np.nan)
    widths = disk_half_widths(radius / spacing)
    slopes = planes.slope_x, planes.slope_y
    run_parts(_compare_rows, even_parts(rows), heights, variances, *slopes, widths, spacing, differences)
    return Differences(*differences)


@njit(cache=True, nogil=True, error_model="numpy")
def _fit_rows(known, sums, widths, spacing, least, planes, first, last):  # type: ignore[no-untyped-def]
    rows, cols = known.shape
    reach = len(widths) // 2
    for i in range(first, last):
        top, bottom = max(i - reach, 0), min(i + reach + 1, rows)
        for j in range(cols):
            if not known[i, j]:
                continue
            n = x = xx = z = xz = zz = variance = 0.0
            y = yy = xy = yz = 0.0
            for k in range(top, bottom):
                w = widths[k - i + reach]
                a, b = max(j - w, 0), min(j + w + 1, cols)
                dy = spacing * (k - i)
                count = sums[k, b, 0] - sums[k, a, 0]
                along = sums[k, b, 1] - sums[k, a, 1]
                height = sums[k, b, 3] - sums[k, a, 3]
                n += count
                x += along
                xx += sums[k, b, 2] - sums[k, a, 2]
                z += height
                xz += sums[k, b, 4] - sums[k, a, 4]
                zz += sums[k, b, 5] - sums[k, a, 5]
                variance += sums[k, b, 6] - sums[k, a, 6]
                y += dy * count
                yy += dy * dy * count
                xy += dy * along
                yz += dy * height
            if n < least:
                continue
            xx -= x * x / n
            yy -= y * y / n
            xy -= x * y / n
            xz -= x * z / n
            yz -= y * z / n
            zz -= z * z / n
            determinant = xx * yy - xy * xy
            if determinant <= 1e-9 * (xx + yy) ** 2:  # on one line
                continue
            slope_x = (yy * xz - xy * yz) / determinant
            slope_y = (xx * yz - xy * xz) / determinant
            squares = max(zz - slope_x * xz - slope_y * yz, 0.0)
            steepness = slope_x * slope_x + slope_y * slope_y
            if steepness > 0:
                along = yy * slope_x * slope_x - 2 * xy * slope_x * slope_y + xx * slope_y * slope_y
                per_variance = along / (steepness * determinant)
            else:
                per_variance = 0.5 * (xx + yy) / determinant
            # In the order of `Planes`.
            planes[0, i, j] = slope_x
            planes[1, i, j] = slope_y
            planes[2, i, j] = squares / max(n - 3, 1.0)
            planes[3, i, j] = variance / n
            planes[4, i, j] = per_variance


@njit(cache=True, nogil=True)
def _compare_rows(heights, variances, slopes_x, slopes_y, widths, spacing, differences, first, last):  # type: ignore[no-untyped-def]
    rows, cols = heights.shape
    reach = len(widths) // 2
    for i in range(first, last):
        for j in range(cols):
            slope_x, slope_y = spacing * slopes_x[i, j], spacing * slopes_y[i, j]
            if np.isnan(slope_x):
                continue
            lowest, highest = np.inf, -np.inf
            low_variance = high_variance = total = 0.0
            count = 0
            for k in range(max(i - reach, 0), min(i + reach + 1, rows)):
                w = widths[k - i + reach]
                for m in range(max(j - w, 0), min(j + w + 1, cols)):
                    height = heights[k, m]
                    if np.isnan(height):
                        continue
                    height -= slope_x * (m - j) + slope_y * (k - i)
                    variance = variances[k, m]
                    count += 1
                    total += variance
                    if height < lowest:
                        lowest, low_variance = height, variance
                    if height > highest:
                        highest, high_variance = height, variance
            # In the order of `Differences`.
            differences[0, i, j] = highest - lowest
            differences[1, i, j] = low_variance + high_variance
            differences[2, i, j] = total / count
            differences[3, i, j] = count
