"""How much of the ground's relief a map has: where the ground is nearly flat, a plane would look good as well."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glrender.checks import check_positive
from glrender.errors import InputError
from glrender.geometry.heightmap import HeightMap
from glrender.geometry.sampling import sample_heights
from glrender.pipeline.error_summary import median

Float64 = NDArray[np.float64]

CAP = 0.05
"""Metres: an error counts as no more than this, so that a few spikes do not decide."""

_ROUNDS, _SMALL = 50, 1e-4  # of the plane's fit; metres that a cell may lie off it and still count as on it


@dataclass(frozen=True)
class ReliefEvaluation:
    """Errors at the true map's cells that depart from its plane; millimetres, and shares from 0 to 1."""

    relief_cells: int
    """Of the truth, that depart from its plane by the relief asked for, or more."""
    relief_share: float
    """Of the truth's known cells."""
    relief_completeness: float
    """Share of these cells that the map has a height for."""
    relief_median_abs_mm: float
    """Median |error| of the map there."""
    relief_skill: float
    """1 less the sum of the map's squared errors, each capped at 5 cm, over that of the truth's plane, both at the
    relief cells that the map has a height for: 1 is perfect, 0 no better than a plane."""
    plane_median_abs_mm: float
    """Median |error| of the plane at all of the truth's known cells."""


def evaluate_relief(estimate: HeightMap, truth: HeightMap, relief: float, offset: float = 0.0) -> ReliefEvaluation:
    """Judge `estimate`, less `offset` (metres), at the cells where `truth` departs by `relief` metres from its plane.

    The plane is fitted robustly to the truth's heights. InputError if no cell departs so far.
    """
    check_positive("relief", relief)
    known = np.isfinite(truth.heights)
    x, y, z = truth.vertices()[known.ravel()].T
    departure = z - _robust_plane(x, y, z)
    standing_out = np.abs(departure) >= relief
    if not standing_out.any():
        raise InputError(
            f"relief: no cell of the truth departs from its plane by {relief:g} m or more; the largest departure is "
            f"{np.abs(departure).max():.3g} m"
        )
    points = np.column_stack([x, y, z])[standing_out]
    T_map_truth = np.linalg.inv(estimate.pose) @ truth.pose
    at = np.einsum("nj,ij->ni", points, T_map_truth[:3, :3]) + T_map_truth[:3, 3]
    error = sample_heights(estimate, at[:, 0], at[:, 1]) - offset - at[:, 2]
    judged = np.isfinite(error)
    of_plane = np.square(np.minimum(np.abs(departure[standing_out][judged]), CAP)).sum()
    return ReliefEvaluation(
        relief_cells=len(points),
        relief_share=float(standing_out.mean()),
        relief_completeness=float(judged.mean()),
        relief_median_abs_mm=1000 * median(np.abs(error[judged])),
        relief_skill=1 - float(np.square(np.minimum(np.abs(error[judged]), CAP)).sum() / of_plane),
        plane_median_abs_mm=1000 * median(np.abs(departure)),
    )


def _robust_plane(x: Float64, y: Float64, z: Float64) -> Float64:
    """(N,) heights of the plane with the least sum of absolute distances, by reweighted least squares."""
    A = np.column_stack([x - x.mean(), y - y.mean(), np.ones_like(x)])
    plane = np.full_like(z, np.median(z))
    for _ in range(_ROUNDS):
        weight = 1 / np.maximum(np.abs(z - plane), _SMALL)
        plane = A @ np.linalg.solve(A.T @ (weight[:, None] * A), A.T @ (weight * z))
    return plane
