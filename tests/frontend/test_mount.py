"""Whether poses ask for a camera that sits otherwise on its carrier; photographs tell all but where all of it is."""

from functools import cache

import numpy as np
import pytest
from scipy.signal import lfilter
from threadpoolctl import threadpool_limits

from glrender.frontend.mount import DECISIVE, mount_evidence
from glrender.geometry import se3

COUNT = 60
SIGMA = np.repeat((0.003, 0.002), 3)
"""Of each pose, metres and radians."""
MOUNT = np.array([0.005, -0.004, 0.003, 0.02, -0.015, 0.01])
INFORMATION = np.tile(np.diag(1 / np.square(SIGMA)), (COUNT, 1, 1))
KNOWN = 1e4  # times as well as by the given poses: how photographs know the poses beside each other


def hand_held(turning: float) -> np.ndarray:
    """(COUNT, 4, 4) over 1.5 m; axes swing by as many radians."""
    s = np.linspace(0, 1, COUNT)
    swings = turning * np.stack([np.sin(5 * s), np.cos(4 * s), np.sin(7 * s + 1)], axis=1)
    return np.stack(
        [se3.exp(np.r_[1.5 * t, 0, 0, 0, 0, 0]) @ se3.exp(np.r_[0, 0, 0, w]) for t, w in zip(s, swings, strict=True)]
    )


def noise(seed: int, lasting: float) -> np.ndarray:
    """(COUNT, 6) twists, of which each is correlated with the next by `lasting`."""
    independent = np.random.default_rng(seed).normal(size=(COUNT + 200, 6))
    return SIGMA * lfilter([np.sqrt(1 - lasting**2)], [1, -lasting], independent, axis=0)[200:]


@cache
def taken_up(turning: float) -> tuple[np.ndarray, np.ndarray]:
    """What poses come out to be off by what they are, where photographs tell all but a motion of all of them, as a
    matrix; and what a mount makes of it, (COUNT, 6, 6)."""
    inverse = np.linalg.inv(hand_held(turning))
    R, t = inverse[:, :3, :3], inverse[:, :3, 3]
    together = np.zeros((COUNT, 6, 6))
    together[:, :3, :3] = together[:, 3:, 3:] = R
    together[:, :3, 3:] = se3.hats(t) @ R
    basis = np.linalg.qr((together / SIGMA[:, None]).reshape(-1, 6))[0]
    root = np.tile(1 / SIGMA, COUNT)
    photographs = KNOWN * root[:, None] * (np.eye(6 * COUNT) - basis @ basis.T) * root
    with threadpool_limits(1, "blas"):
        by = np.linalg.inv(photographs + np.diag(np.square(root)))
        return by @ photographs, (by @ INFORMATION.reshape(-1, 6)).reshape(-1, 6, 6)


def evidence(turning: float, off: np.ndarray) -> float:
    """By poses that are off by twists (COUNT, 6)."""
    come_out, followed = taken_up(turning)
    return mount_evidence(INFORMATION, (come_out @ off.ravel()).reshape(-1, 6), followed).gain


@pytest.mark.parametrize(("lasting", "expected"), [(0.0, 1.0), (0.5, 3.0), (0.6, 4.0)])
def test_how_long_errors_last_is_told(lasting: float, expected: float) -> None:
    """(1 + r) / (1 - r), of errors of which each is correlated with the next by r, beside a mount as well."""
    come_out, followed = taken_up(0.3)
    found = [
        mount_evidence(INFORMATION, (come_out @ (noise(seed, lasting) + MOUNT).ravel()).reshape(-1, 6), followed)
        for seed in range(20)
    ]
    assert np.median([each.lasting for each in found]) == pytest.approx(expected, rel=0.25)


@pytest.mark.parametrize("lasting", [0.0, 0.6, 0.9])
@pytest.mark.parametrize("turning", [0.05, 0.3])
def test_noise_is_no_mount_however_long_it_lasts(lasting: float, turning: float) -> None:
    found = np.array([evidence(turning, noise(seed, lasting)) for seed in range(20)])
    assert np.mean(found < DECISIVE) >= 0.95
    assert np.median(found) < -3


@pytest.mark.parametrize("lasting", [0.0, 0.6])
def test_a_mount_is_asked_for_where_the_camera_turns(lasting: float) -> None:
    found = np.array([evidence(0.3, noise(seed, lasting) + MOUNT) for seed in range(20)])
    assert np.mean(found > DECISIVE) >= 0.95


def test_a_camera_that_does_not_turn_tells_of_nothing_along_its_way() -> None:
    """Nor of its place on the carrier."""
    along = MOUNT * (1, 1, 1, 1, 0, 0)
    told = evidence(0.0, noise(0, 0.0))
    assert evidence(0.0, noise(0, 0.0) + along) == pytest.approx(told, abs=0.1)
    assert evidence(0.3, noise(0, 0.0) + along) > told + 100
