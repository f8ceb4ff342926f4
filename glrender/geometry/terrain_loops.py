"""What disks around every cell of a grid of heights say: the plane that fits best, and the largest difference.

Cells that are not known, or lie beyond the grid, are left out.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from glrender.parallel import even_parts, run_parts

Float64 = NDArray[np.float64]

_SUMS = 8  # 1, x, x², z, x z, z², σ², and the row's own padding to eight doubles, a cache line


def disk_half_widths(radius: float) -> NDArray[np.int64]:
    """(2 r + 1,) cells to each side that a disk of `radius` cells has in rows -r … r, by where their centres are."""
    reach = int(np.floor(radius + 1e-9))
    rows = np.arange(-reach, reach + 1)
    return np.floor(np.sqrt(np.maximum(radius**2 - rows**2, 0)) + 1e-9).astype(np.int64)


def fit_planes(heights: Float64, variances: Float64, spacing: float, radius: float, least_share: float) -> Float64:
    """(rows, cols, 5): the plane that fits the disk of `radius` metres around each cell best, in least squares.

    Its slopes along x and y; the mean square of the residuals over n - 3; the mean variance in the disk; the variance
    of the slope along the gradient per unit of that. `heights` and `variances` (rows, cols) have NaN at the same cells.
    NaN where the cell is not known, and where less than `least_share` of the disk is.
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
    planes = np.full((rows, cols, 5), np.nan)
    run_parts(_fit_rows, even_parts(rows), known, sums, widths, spacing, least, planes)
    return planes


def largest_differences(
    heights: Float64, variances: Float64, planes: Float64, spacing: float, radius: float
) -> Float64:
    """(rows, cols, 4): the largest difference of height in the disk of `radius` metres around each cell.

    Heights count from the slopes that `planes` (see `fit_planes`) have at the cell. The difference; the sum of the two
    variances; the mean variance in the disk; and how many of its cells are known. NaN where there is no plane.
    """
    rows, cols = heights.shape
    differences = np.full((rows, cols, 4), np.nan)
    widths = disk_half_widths(radius / spacing)
    run_parts(_compare_rows, even_parts(rows), heights, variances, planes, widths, spacing, differences)
    return differences


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
            planes[i, j, 0] = slope_x
            planes[i, j, 1] = slope_y
            planes[i, j, 2] = squares / max(n - 3, 1.0)
            planes[i, j, 3] = variance / n
            planes[i, j, 4] = per_variance


@njit(cache=True, nogil=True)
def _compare_rows(heights, variances, planes, widths, spacing, differences, first, last):  # type: ignore[no-untyped-def]
    rows, cols = heights.shape
    reach = len(widths) // 2
    for i in range(first, last):
        for j in range(cols):
            slope_x, slope_y = spacing * planes[i, j, 0], spacing * planes[i, j, 1]
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
            differences[i, j, 0] = highest - lowest
            differences[i, j, 1] = low_variance + high_variance
            differences[i, j, 2] = total / count
            differences[i, j, 3] = count
