"""What a bundle adjustment leaves uncertain, against what it has wrong over many draws of its matches' errors."""

from collections.abc import Callable

import numpy as np
import pytest
from moving_camera import CAMERA, along, drive, twist_between
from scipy.sparse import csr_array

from glrender.frontend import ground_errors
from glrender.frontend.bundle_adjustment import Adjusted, BundlePrior, BundleState, adjust
from glrender.frontend.point_matches import Matches
from glrender.frontend.point_term import PointTerm, Views, point_term
from glrender.geometry import se3

COUNT = 8
POSES = along(drive, COUNT, 1.2)
FREE = 0.2
"""Metres and radians."""
DRAWS = 12
PIXELS = 0.3


def looked_for() -> tuple[list[Matches], list[np.ndarray]]:
    """Rough ground in eight photographs, each a few pixels across: matches without errors, and inverse depths."""
    rng = np.random.default_rng(7)
    u, v = (each.ravel() for each in np.meshgrid(np.linspace(15, 145, 9), np.linspace(12, 108, 7)))
    rays = CAMERA.rays_through(np.column_stack([u, v]))
    matches, depths = [], []
    for i, T in enumerate(POSES):
        down = rays @ T[:3, :3].T
        w = down[:, 2] / (rng.uniform(0.03, 0.08, size=len(u)) - T[2, 3])
        frames = tuple(j for j in range(COUNT) if j != i and abs(i - j) <= 3)
        empty = Matches(i, frames, rays, np.zeros((len(frames), len(u), 2)), np.ones((len(frames), len(u)), bool))
        pixels = -Views.of(CAMERA, empty, w, POSES, np.zeros((COUNT, 6))).off
        inside = ((pixels > 2) & (pixels < (157, 117))).all(axis=2)
        matches.append(Matches(i, frames, rays, pixels, inside))
        depths.append(w)
    return matches, depths


MATCHES, DEPTHS = looked_for()


def alone(rng: np.random.Generator) -> list[np.ndarray]:
    """(F, n, 2) pixels of each anchor: errors of no two matches have anything in common."""
    return [PIXELS * rng.normal(size=each.pixels.shape) for each in MATCHES]


def of_places(rng: np.random.Generator) -> list[np.ndarray]:
    """The same size, but one error for all that lies on one tile of the ground, in all photographs that are as far from
    the anchor: as where a window is not as flat as it is taken to be."""
    errors = PIXELS * rng.normal(size=(7, 40, 40, 2))
    side = ground_errors._SIDE / float(np.median(np.concatenate(DEPTHS)))
    found = []
    for each, w in zip(MATCHES, DEPTHS, strict=True):
        X = (each.rays / w[:, None]) @ POSES[each.anchor, :3, :3].T + POSES[each.anchor, :3, 3]
        tile = np.floor(X[:, :2] / side).astype(int)
        apart = np.array(each.frames)[:, None] - each.anchor
        found.append(errors[apart + 3, tile[:, 0] + 20, tile[:, 1] + 20])
    return found


def adjusted(errors: list[np.ndarray]) -> Adjusted:
    matches = [
        Matches(each.anchor, each.frames, each.rays, each.pixels + off, each.found)
        for each, off in zip(MATCHES, errors, strict=True)
    ]
    prior = BundlePrior(POSES, np.tile(np.eye(6) / FREE**2, (COUNT, 1, 1)), 1e12 * np.eye(6), free=True)
    start = BundleState(POSES, np.zeros(6), tuple(DEPTHS))
    return adjust(CAMERA, matches, prior, start, np.zeros((COUNT, 6)))


def terms_of(poses: np.ndarray, depths: list[np.ndarray]) -> list[PointTerm]:
    still = np.zeros((COUNT, 6))
    return [
        point_term(CAMERA, each, Views.of(CAMERA, each, w, poses, still), w, 1.0)
        for each, w in zip(MATCHES, depths, strict=True)
    ]


def ground_at(poses: np.ndarray, depths: list[np.ndarray]) -> ground_errors._Ground:
    return ground_errors._Ground.of(MATCHES, terms_of(poses, depths), poses, depths, 6 * COUNT + 6)


def test_ground_goes_along_where_all_cameras_move_alike() -> None:
    """Along and about all axes, and where everything grows: so motions of the whole move points, and depths follow."""
    ground = ground_at(POSES, DEPTHS)
    motions = np.zeros((6 * COUNT + 6, 7))
    motions[: 6 * COUNT] = ground_errors.similarities(POSES).reshape(-1, 7)
    assert len(ground.places) > 20
    np.testing.assert_allclose(ground.by_poses @ motions, ground.by_motions.reshape(-1, 7), atol=1e-9)


@pytest.mark.parametrize("unknown", [0, 6 * 3 + 1, 6 * 4 + 4, 6 * 7 + 2])
def test_ground_goes_along_where_one_camera_moves(unknown: int) -> None:
    """Against places, of which the points are found again on their rays."""
    ground, step = ground_at(POSES, DEPTHS), 1e-5

    def moved(sign: int) -> np.ndarray:
        twists = np.zeros((COUNT, 6))
        twists.ravel()[unknown] = sign * step
        poses = np.stack([T @ se3.exp(-xi) for T, xi in zip(POSES, twists, strict=True)])
        depths = [w + term.alone for w, term in zip(DEPTHS, terms_of(poses, DEPTHS), strict=True)]
        # Weights are those from before: what moves a place is not that others of its points count.
        total, sums = np.zeros(len(ground.places)), np.zeros((len(ground.places), 3))
        side = ground_errors._SIDE / float(np.median(np.concatenate(DEPTHS)))
        cells = [tuple(cell) for cell in np.floor(ground.places / side).astype(int)]
        for each, w, now, term in zip(MATCHES, DEPTHS, depths, terms_of(POSES, DEPTHS), strict=True):
            T, U = POSES[each.anchor], poses[each.anchor]
            before = (each.rays / w[:, None]) @ T[:3, :3].T + T[:3, 3]
            after = (each.rays / now[:, None]) @ U[:3, :3].T + U[:3, 3]
            weight = np.where(term.own * w**2 > 1 / ground_errors._TOLD**2, term.own * w**4, 0)
            for n, cell in enumerate(np.floor(before / side).astype(int)):
                if tuple(cell) in cells:
                    total[cells.index(tuple(cell))] += weight[n]
                    sums[cells.index(tuple(cell))] += weight[n] * after[n]
        return sums / total[:, None]

    expected = (moved(1) - moved(-1)) / (2 * step)
    np.testing.assert_allclose(
        ground.by_poses[:, [unknown]].toarray().reshape(-1, 3), expected, atol=1e-3 * np.abs(expected).max()
    )


def held(errors: np.ndarray) -> np.ndarray:
    """Twists (6 N,) without what is a matter of the frame: least squares by the weights of the prior, all alike."""
    motions = ground_errors.similarities(POSES).reshape(-1, 7)
    return errors - motions @ np.linalg.lstsq(motions, errors, rcond=None)[0]


@pytest.mark.parametrize(
    ("draw", "least", "most"), [(alone, 1.0, 1.3), (of_places, 2.0, 3.5)], ids=["alone", "of places"]
)
def test_sigma_is_that_of_poses_and_ground(
    draw: Callable[[np.random.Generator], list[np.ndarray]], least: float, most: float
) -> None:
    """chi² over its degrees of freedom is 1 where matches err alone. Where those of a place do together, it would be 7
    for the poses: what is left of such errors after a fit shows the larger part of them, not all."""
    rng = np.random.default_rng(11)
    ground = ground_at(POSES, DEPTHS)
    of_poses, of_ground, inflation = [], [], []
    for _ in range(DRAWS):
        found = adjusted(draw(rng))
        error = held(-np.concatenate([twist_between(a, b) for a, b in zip(found.state.poses, POSES, strict=True)]))
        each = error.reshape(COUNT, 6)
        of_poses.append(np.einsum("ni,nij,nj->n", each, np.linalg.inv(found.ground.poses), each) / 6)
        displaced = (ground.by_poses[:, : 6 * COUNT] @ error).reshape(-1, 3)
        # Places are found in the same order, but one at a border may be in another cell.
        nearest = np.linalg.norm(found.ground.places[None] - ground.places[:, None], axis=2).argmin(axis=1)
        sigma = np.sqrt(np.diagonal(found.ground.covariances[nearest], axis1=1, axis2=2))
        of_ground.append(np.mean(np.square(displaced / sigma), axis=0))
        inflation.append(found.ground.inflation)
    assert np.mean(inflation) >= least
    assert 0.7 < np.mean(of_poses) < most
    assert np.mean(of_ground) > 0.7
    assert np.mean(of_ground) < 1.3 * most


def test_in_another_world_the_same_errors_point_elsewhere() -> None:
    rng, N, K = np.random.default_rng(1), 3, 4
    spread = rng.normal(size=(K, 3, 3))
    errors = ground_errors.GroundErrors(
        rng.normal(size=(K, 3)), spread @ spread.swapaxes(1, 2), csr_array(rng.normal(size=(3 * K, 6 * N))),
        np.zeros((N, 6, 6)), 1.0,
    )  # fmt: skip
    T = se3.exp((0.3, -0.2, 0.5, 0.4, -0.7, 0.2))
    moved, off = errors.moved(T), rng.normal(size=6 * N)
    for k in range(K):
        turn, rows = T[:3, :3], slice(3 * k, 3 * k + 3)
        np.testing.assert_allclose(moved.places[k], turn @ errors.places[k] + T[:3, 3])
        np.testing.assert_allclose(moved.covariances[k], turn @ errors.covariances[k] @ turn.T)
        np.testing.assert_allclose((moved.by_poses @ off)[rows], turn @ (errors.by_poses @ off)[rows])
