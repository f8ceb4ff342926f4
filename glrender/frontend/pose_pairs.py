"""Which photographs of a set are compared with each other, and what each pair says about its two poses."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glrender.frontend.normal_equations import BlockEquations, block_equations, inflation, solved
from glrender.frontend.overlap import share_in_view
from glrender.frontend.pyramid import Level
from glrender.frontend.reference import ReferencePoints
from glrender.frontend.residuals import FEWEST, Exposure, by_reference_twist, photometric
from glrender.frontend.texture import BLOCKS
from glrender.geometry import se3
from glrender.geometry.camera import Camera

Float64 = NDArray[np.float64]

OVERLAPS = (0.9, 0.75, 0.6, 0.3)
"""Shares of a photograph that those it is compared with should show, before it and after it: far ones hold a trajectory
together, and the lanes of a flight, and near ones are seen from about the same side."""
LEAST_OVERLAP = 0.2


def choose_pairs(camera: Camera, poses: Float64, points: Sequence[Float64]) -> list[tuple[int, int]]:
    """(reference, frame) indices: each with its neighbours, and on both sides with those nearest to `OVERLAPS`.

    `poses` (N, 4, 4) are T_world_camera, `points` (n, 3) what each photograph shows, in its camera's coordinates.
    """
    shares = _overlap_matrix(camera, poses, points)
    N = len(poses)
    pairs = {(k, k + 1) for k in range(N - 1)} | {(k + 1, k) for k in range(N - 1)}
    for i in range(N):
        for side in (np.arange(i), np.arange(i + 1, N)):
            both = np.minimum(shares[i, side], shares[side, i])
            usable = side[both >= LEAST_OVERLAP]
            for wanted in OVERLAPS if len(usable) else ():
                off = np.abs(np.minimum(shares[i, usable], shares[usable, i]) - wanted)
                pairs.add((i, int(usable[off.argmin()])))
    return sorted(pairs)


def _overlap_matrix(camera: Camera, poses: Float64, points: Sequence[Float64]) -> Float64:
    """(N, N): the share of the points of photograph i that lie in the image of j."""
    T_camera_world = np.stack([se3.inverse(pose) for pose in poses])
    views = zip(poses, points, strict=True)
    return np.stack([share_in_view(camera, T_camera_world @ pose, seen) for pose, seen in views])


@dataclass(frozen=True, eq=False)
class PairTerm:
    """What one pair says: normal equations over the twists of the reference's and the frame's camera; exposure
    eliminated, divided by what neighbouring differences err together."""

    matrix: Float64
    """(12, 12)."""
    vector: Float64
    """(12,)."""
    exposure: Exposure
    """Of the frame with the reference, better by one step."""
    inflation: float
    """By how much neighbouring differences err together."""


def compare(
    reference: ReferencePoints,
    level: Level,
    T_camera_reference: Float64,
    before: PairTerm | None,
) -> PairTerm | None:
    """The term of one pair, at a pose (4, 4) between them; None: too little in common to say anything.

    `before` is what the pair said one step before, with its exposure and inflation.
    """
    exposure = None if before is None else before.exposure
    residuals, sighting, exposure = photometric(reference, level, T_camera_reference, exposure)
    if np.count_nonzero(residuals.weight) < FEWEST:
        return None
    by = [by_reference_twist(reference, sighting, exposure, T_camera_reference), residuals.by[:, :6]]
    columns = np.vstack([each.T for each in (*by, residuals.by[:, 6:])])
    blocks = block_equations(columns.T, residuals.weight, residuals.value, reference.block, BLOCKS[0] * BLOCKS[1])
    full, pull = blocks.matrices.sum(axis=0), blocks.vectors.sum(axis=0)
    # The exposure that fits best for each change of the others.
    P = len(pull) - 2
    gained = np.linalg.solve(full[P:, P:], np.column_stack([full[P:, :P], pull[P:]]))
    matrix = full[:P, :P] - full[:P, P:] @ gained[:, :P]
    vector = pull[:P] - full[:P, P:] @ gained[:, P]
    larger = _inflation(blocks, full, pull) if before is None else before.inflation
    better = Exposure(exposure.gain + gained[0, P], exposure.bias + gained[1, P])
    return PairTerm(matrix / larger, vector / larger, better, larger)


def _inflation(blocks: BlockEquations, full: Float64, pull: Float64) -> float:
    # Where these two alone would go: what others hold against them is no scatter of theirs.
    alone = np.array([*range(6, 12), len(pull) - 2, len(pull) - 1])
    information = full[np.ix_(alone, alone)]
    own = BlockEquations(blocks.matrices[:, alone[:, None], alone], blocks.vectors[:, alone])
    return inflation(information, own.scores(solved(information, pull[alone])))
