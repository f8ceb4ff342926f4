"""Whether sigma tells how far a real recording's later frames lie from the map of its earlier ones."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from glrender.geometry.heightmap import HeightMap
from glrender.geometry.sampling import sample_heights
from glrender.gl.context import Context
from glrender.io.sequence import Sequence
from glrender.io.sequence_folder import open_sequence
from glrender.pipeline.fuse import SequenceOptions, fuse_sequence

FOLDER = Path(__file__).parents[1] / ".." / "shared" / "data" / "fr1_floor"
REGION = np.array([(0.55, 2.05), (-0.9, 1.5), (-0.05, 0.35)])
"""The floor with its cables and the foot of a chair: x, y and z in world metres."""

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no recording in {FOLDER}")


def medians_above(surface: HeightMap, sequence: Sequence, selection: str, offset: float) -> NDArray[np.float64]:
    """(rows, cols) metres: the median of the frames' depth points above the map, NaN in cells with fewer than 5."""
    assert sequence.trajectory is not None
    rays = sequence.camera.rays()[::3, ::3].reshape(-1, 3)
    cells, above = [], []
    for entry in sequence.with_poses(sequence.select(selection), offset)[0]:
        depth = sequence.read(replace(entry, color_path=None)).depth
        assert depth is not None
        z = depth[::3, ::3].ravel()
        measured = (z > 0.3) & (z < 3)
        T = sequence.trajectory.at(entry.time + offset)
        points = np.einsum("nj,ij->ni", rays[measured] * z[measured, None], T[:3, :3]) + T[:3, 3]
        points = points[((points >= REGION[:, 0]) & (points <= REGION[:, 1])).all(axis=1)]
        height = sample_heights(surface, points[:, 0], points[:, 1])
        known = np.isfinite(height)
        column, row = np.rint((points[known, :2] - surface.origin) / surface.spacing).astype(int).T
        cells.append(row * surface.shape[1] + column)
        above.append((points[:, 2] - height)[known])
    cell, error = np.concatenate(cells), np.concatenate(above)
    result = np.full(surface.heights.size, np.nan)
    order = np.argsort(cell, kind="stable")
    for group in np.split(order, np.flatnonzero(np.diff(cell[order])) + 1):
        if len(group) >= 5:
            result[cell[group[0]]] = np.median(error[group])
    return result.reshape(surface.shape)


def test_the_second_half_lies_within_sigma_of_the_map_of_the_first(context: Context) -> None:
    """With the noise alone, 45 frames would make sigma a quarter of a millimetre, and none would lie within it."""
    sequence = open_sequence(FOLDER)
    fused = fuse_sequence(context, sequence, SequenceOptions(frames="first", use="depth", spacing=0.01))
    error = medians_above(fused.surface, sequence, "second", fused.report["time_offset"])
    assert fused.surface.sigma is not None
    judged = np.isfinite(error) & np.isfinite(fused.surface.sigma)
    error, sigma = np.abs(error[judged]), fused.surface.sigma[judged]
    assert error.size > 5000
    assert np.mean(error < sigma) == pytest.approx(0.68, abs=0.12)
    assert np.mean(error < 2 * sigma) == pytest.approx(0.95, abs=0.06)
    assert sigma.mean() < 1.5 * np.sqrt(np.mean(np.square(error)))
    shared = fused.report["shared_errors"]
    assert shared["intrinsics_sigma"] is not None, "errors that last cast doubt on the nominal camera"
