"""References compared with a frame in compiled loops, against the same in plain numpy."""

from dataclasses import replace

import numpy as np
import pytest
from moving_camera import CAMERA, drive
from test_frontend_residuals import T_FRAME_REFERENCE, photograph, plane_depth  # noqa: F401

from glrender.assembly.statistics import SIGMA_PER_MEDIAN
from glrender.frontend.comparison import Comparison, References, compare, photometric
from glrender.frontend.pyramid import Level
from glrender.frontend.reference import ReferencePoints, make_reference
from glrender.frontend.residuals import Exposure, middle
from glrender.frontend.texture import BLOCKS
from glrender.frontend.warp import PIECE
from glrender.geometry import se3
from glrender.solve.losses import Cauchy

SAME = {"rtol": 1e-9, "atol": 1e-12}
TRANSFORMATIONS = np.stack([T_FRAME_REFERENCE, se3.exp((-0.3, 0.1, 0.02, -0.01, 0.02, 0.03))])
UNKNOWN = np.full((2, 2), np.nan), np.full(2, np.nan)


@pytest.fixture(scope="module")
def references(photograph: Level) -> tuple[ReferencePoints, ...]:  # noqa: F811
    """Two, of which the second sees the frame's border, and neither is a whole number of pieces."""
    depth, slope = plane_depth(drive(0.0))
    depth, slope = depth.astype(np.float32), slope.astype(np.float32)
    darker = replace(photograph, image=np.sqrt(photograph.image) * np.float32(0.8))
    made = [
        make_reference((level,), depth, drive(0.0), slope, count).levels[0]
        for level, count in ((photograph, 1300), (darker, 900))
    ]
    assert all(len(each.points) % PIECE for each in made)
    return tuple(made)


@pytest.fixture(scope="module")
def frame(photograph: Level) -> Level:  # noqa: F811
    """With noise, and a hole."""
    noise = 0.02 * np.random.default_rng(0).normal(size=photograph.image.shape)
    image = (photograph.image + noise).astype(np.float32)
    image[50:60, 70:90] = np.nan
    return replace(photograph, image=image)


def spline(samples: np.ndarray, s: float) -> tuple[float, float]:
    """Catmull and Rom's value and slope at s between the second and third of four samples."""
    a, b, c, d = samples
    cubic = np.polynomial.Polynomial([b, (c - a) / 2, a - 2.5 * b + 2 * c - d / 2, (3 * (b - c) + d - a) / 2])
    return cubic(s), cubic.deriv()(s)


def looked_up(level: Level, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Intensity and its slopes along u and v, point by point."""
    values, slopes = np.full(len(points), np.nan), np.zeros((len(points), 2))
    for n, (u, v) in enumerate(level.camera.project(points)):
        if not (1 <= u < level.camera.width - 2 and 1 <= v < level.camera.height - 2):
            continue
        j, i = int(u), int(v)
        rows = [spline(row, u - j) for row in level.image[i - 1 : i + 3, j - 1 : j + 3].astype(float)]
        values[n], dv = spline(np.array([value for value, _ in rows]), v - i)
        slopes[n] = spline(np.array([slope for _, slope in rows]), v - i)[0], dv
    slopes[np.isnan(values)] = 0
    return values, slopes


class Twin:
    """What a `Comparison` says of one reference."""

    def __init__(self, points: ReferencePoints, level: Level, T: np.ndarray) -> None:
        X = points.points @ T[:3, :3].T + T[:3, 3]
        self.found, self.slopes = looked_up(level, X)
        seen = self.seen = ~np.isnan(self.found)
        camera = level.camera
        gx, gy = self.slopes[:, 0] * camera.fx / X[:, 2], self.slopes[:, 1] * camera.fy / X[:, 2]
        gradient = np.stack([gx, gy, -(gx * X[:, 0] + gy * X[:, 1]) / X[:, 2]], axis=-1)
        a, b = points.intensity[seen], self.found[seen]
        self.gain = a.std() / b.std()
        self.bias = a.mean() - self.gain * b.mean()
        self.value = np.where(seen, points.intensity - self.gain * self.found - self.bias, 0)
        sizes = np.sort(np.abs(self.value[seen]))
        self.sigma = SIGMA_PER_MEDIAN * sizes[len(sizes) // 2]
        self.weight = np.where(seen, Cauchy().weight(self.value / self.sigma) / self.sigma**2, 0)
        self.cost = Cauchy().rho(self.value[seen] / self.sigma).mean() * len(seen)
        by_exposure = np.stack([-np.nan_to_num(self.found), np.full(len(seen), -1.0)], axis=-1)
        self.by = np.hstack([-self.gain * gradient, -self.gain * np.cross(X, gradient), by_exposure])
        self.matrix = self.by.T @ (self.weight[:, None] * self.by)
        self.vector = -self.by.T @ (self.weight * self.value)

    def scores(self, points: ReferencePoints, step: np.ndarray) -> np.ndarray:
        left = self.weight * (self.value + self.by @ step)
        return np.stack([(left * own) @ self.by for own in points.block == np.arange(BLOCKS[0] * BLOCKS[1])[:, None]])


@pytest.fixture(scope="module")
def twins(references: tuple[ReferencePoints, ...], frame: Level) -> list[Twin]:
    found = [Twin(points, frame, T) for points, T in zip(references, TRANSFORMATIONS, strict=True)]
    assert 0.8 < found[0].seen.mean() < 1
    assert 0.3 < found[1].seen.mean() < 0.9
    return found


@pytest.fixture(scope="module")
def compared(references: tuple[ReferencePoints, ...], frame: Level) -> Comparison:
    return compare(References(references), frame, TRANSFORMATIONS, *UNKNOWN)


def test_what_was_not_given_follows(compared: Comparison, twins: list[Twin]) -> None:
    np.testing.assert_allclose(compared.exposures, [(twin.gain, twin.bias) for twin in twins], **SAME)
    np.testing.assert_allclose(compared.sigmas, [twin.sigma for twin in twins], **SAME)
    np.testing.assert_allclose(compared.costs, [twin.cost for twin in twins], **SAME)


@pytest.mark.parametrize("k", range(2))
def test_residuals_of_each_point(compared: Comparison, twins: list[Twin], k: int) -> None:
    residuals, sighting, twin = compared.residuals(k), compared.sighting(k), twins[k]
    np.testing.assert_allclose(sighting.intensity, twin.found, **SAME)
    slopes = sighting.gradient[:, :2] * sighting.points[:, 2:] / (CAMERA.fx, CAMERA.fy)
    np.testing.assert_allclose(slopes, twin.slopes, **SAME)
    for found, expected in zip(
        (residuals.value, residuals.weight, residuals.by), (twin.value, twin.weight, twin.by), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-10)


def test_normal_equations_are_the_sums_over_all_points(compared: Comparison, twins: list[Twin]) -> None:
    matrix, vector = np.zeros((10, 10)), np.zeros(10)
    for k, twin in enumerate(twins):
        unknowns = [*range(6), 6 + 2 * k, 7 + 2 * k]
        matrix[np.ix_(unknowns, unknowns)] += twin.matrix
        vector[unknowns] += twin.vector
    np.testing.assert_allclose(compared.matrix, matrix, rtol=1e-9, atol=1e-9 * np.abs(matrix).max())
    np.testing.assert_allclose(compared.vector, vector, rtol=1e-9, atol=1e-9 * np.abs(vector).max())


def test_scores_of_each_block_after_a_step(
    compared: Comparison, twins: list[Twin], references: tuple[ReferencePoints, ...]
) -> None:
    step = 1e-3 * np.random.default_rng(1).normal(size=10)
    blocks = BLOCKS[0] * BLOCKS[1]
    expected = np.zeros((2, blocks, 10))
    for k, (twin, points) in enumerate(zip(twins, references, strict=True)):
        unknowns = [*range(6), 6 + 2 * k, 7 + 2 * k]
        expected[k][:, unknowns] = twin.scores(points, step[unknowns])
    np.testing.assert_allclose(
        compared.scores(step), expected.reshape(-1, 10), rtol=1e-9, atol=1e-9 * np.abs(expected).max()
    )


@pytest.mark.parametrize("k", range(2))
def test_summaries(compared: Comparison, twins: list[Twin], references: tuple[ReferencePoints, ...], k: int) -> None:
    summary, twin, points = compared.summaries[k], twins[k], references[k]
    a, b = points.intensity[twin.seen], twin.found[twin.seen]
    a, b = a - a.mean(), b - b.mean()
    assert summary.seen == twin.seen.sum()
    assert summary.fitting == (twin.weight * twin.sigma**2 > 0.5).sum()
    assert summary.gain == pytest.approx(twin.gain)
    squares = summary.reference_square, summary.frame_square, summary.product
    np.testing.assert_allclose(squares, (a @ a, b @ b, a @ b), **SAME)
    for found, slopes in ((summary.reference_slopes, points.slope), (summary.frame_slopes, twin.slopes)):
        products = slopes[twin.seen].T @ slopes[twin.seen]
        np.testing.assert_allclose(found, products[[0, 0, 1], [0, 1, 1]], **SAME)


def test_what_is_given_is_taken(references: tuple[ReferencePoints, ...], frame: Level) -> None:
    exposure, sigma = Exposure(1.1, -0.02), 0.05
    residuals, sighting, taken = photometric(references[0], frame, T_FRAME_REFERENCE, exposure, sigma)
    assert taken == exposure
    assert residuals.sigma == sigma
    seen = sighting.seen
    off = references[0].intensity - exposure.gain * sighting.intensity - exposure.bias
    np.testing.assert_allclose(residuals.value[seen], off[seen], **SAME)


def test_what_shows_nothing(references: tuple[ReferencePoints, ...], frame: Level) -> None:
    """A reference without points, an image of three rows, and a camera that looks away."""
    points = references[0]
    none = ReferencePoints(*(getattr(points, name)[:0] for name in ReferencePoints.__dataclass_fields__))
    away = se3.exp((0, 0, 0, np.pi, 0, 0))
    low = Level(replace(CAMERA, height=3), np.ascontiguousarray(frame.image[:3]))
    for each, level, T in ((none, frame, np.eye(4)), (points, low, np.eye(4)), (points, frame, away)):
        residuals, sighting, exposure = photometric(each, level, T, None)
        assert exposure == Exposure()
        assert not sighting.seen.any()
        assert not residuals.weight.any()
        assert not residuals.value.any()
        assert residuals.cost == np.inf
        assert len(residuals.by) == len(each.points)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 40, 41])
def test_the_middle_of_sizes_is_that_of_the_sorted_ones(count: int) -> None:
    rng = np.random.default_rng(count)
    for _ in range(20):
        sizes = rng.integers(0, 12, 41).astype(float)
        expected = np.sort(sizes[:count])[count // 2] if count else 0.0
        assert middle(sizes.copy(), count) == expected
