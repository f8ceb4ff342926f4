"""The joint problem: its cost and equations belong together, and its minimum is the truth within the noise."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from glrender.errors import InputError, UsageError
from glrender.fusion.certainty import certain_map
from glrender.fusion.grid import Grid
from glrender.fusion.heightmap import HeightMapFusion
from glrender.fusion.joint import LOST_PIXEL, JointProblem
from glrender.fusion.noise import DepthNoise
from glrender.fusion.options import FusionOptions
from glrender.fusion.posed_frame import PosedFrame
from glrender.fusion.seed import seed_colors, seed_heights
from glrender.fusion.weighting import Weighting
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.gl.context import Context
from glrender.render.derivatives import DerivativeRenderer
from glrender.render.forward import ForwardRenderer
from glrender.solve.gauss_newton import LevenbergMarquardt, StoppingRule
from glrender.solve.losses import Cauchy, Huber, Loss, Squared, Tukey
from glrender.solve.priors import SmoothnessPrior
from glrender.solve.problem import WithPriors

Float64 = NDArray[np.float64]

CAMERA = Camera(80, 60, 75.0, 75.0, 39.5, 29.5)
SIGMA = 0.002
SQUARED = Weighting(DepthNoise(SIGMA, 0.0), 0.02, Squared(), Squared())


@dataclass(frozen=True, eq=False)
class Scene:
    """A rough, coloured map of 0.5 m x 0.5 m, and frames that see it from above, free of noise."""

    grid: Grid
    truth: Float64
    frames: list[PosedFrame]


@pytest.fixture(scope="module")
def renderer(context: Context) -> Iterator[DerivativeRenderer]:
    renderer = DerivativeRenderer(context, CAMERA)
    yield renderer
    renderer.release()


@pytest.fixture(scope="module")
def scene(renderer: DerivativeRenderer) -> Scene:
    rng = np.random.default_rng(5)
    T_world_map = se3.exp([0.3, -0.2, 0.1, 0.2, -0.1, 0.6])
    grid = Grid.covering((-0.25, 0.25, -0.25, 0.25), 0.025, T_world_map)
    heights = gaussian_filter(rng.normal(size=grid.shape), 1.5)
    colors = gaussian_filter(rng.normal(size=(*grid.shape, 3)), (0.7, 0.7, 0))
    truth = np.concatenate([0.03 * heights[..., None] / heights.std(), 0.5 + 0.15 * colors / colors.std()], axis=-1)
    surface = grid.surface(truth[..., 0], truth[..., 1:])
    frames = []
    for x, y in ((-0.25, -0.1), (0.2, -0.2), (0.1, 0.25), (-0.15, 0.15)):
        pose = T_world_map @ se3.look_at((x, y, 0.6), (0.1 * x, 0.1 * y, 0.0))
        view = renderer.render(surface, pose)
        frames.append(PosedFrame(pose, view.depth.copy(), view.image.copy()))
    return Scene(grid, truth, frames)


def of(frames: list[PosedFrame], use: str) -> list[PosedFrame]:
    if use == "depth":
        return [replace(frame, image=None) for frame in frames]
    return [replace(frame, depth=None) for frame in frames] if use == "color" else frames


def unknowns(x: Float64, use: str) -> Float64:
    return x[..., :1] if use == "depth" else x


def with_noise(frames: list[PosedFrame], seed: int) -> list[PosedFrame]:
    rng = np.random.default_rng(seed)
    result = []
    for frame in frames:
        assert frame.depth is not None
        assert frame.image is not None
        depth = np.where(frame.depth > 0, frame.depth + SIGMA * rng.normal(size=frame.depth.shape), 0)
        image = frame.image + 0.02 * rng.normal(size=frame.image.shape)
        result.append(PosedFrame(frame.T_world_camera, depth.astype(np.float32), image.astype(np.float32)))
    return result


def moved(x: Float64, seed: int, heights: float = 0.004, colors: float = 0.05) -> Float64:
    change = np.random.default_rng(seed).normal(size=x.shape) * ([heights] + [colors] * (x.shape[2] - 1))
    return x + gaussian_filter(change, (1, 1, 0))


@pytest.mark.parametrize("loss", [Squared(), Huber(), Cauchy(), Tukey()], ids=lambda loss: type(loss).__name__)
@pytest.mark.parametrize("use", ["depth", "color", "both"])
def test_the_vector_is_minus_the_gradient_of_the_cost(
    renderer: DerivativeRenderer, scene: Scene, use: str, loss: Loss
) -> None:
    weighting = replace(SQUARED, depth_loss=loss, color_loss=loss)
    x = unknowns(moved(scene.truth, 1), use)
    problem = JointProblem(renderer, scene.grid, of(scene.frames, use), x, weighting)
    equations = problem.linearize(x)
    assert equations.cost == pytest.approx(problem.cost(x), rel=1e-12)
    assert equations.count == problem.count
    for seed in range(3):
        direction = unknowns(moved(np.zeros_like(scene.truth), 10 + seed, heights=0.001, colors=0.01), use)
        # Along the step that lowers the cost, too: there the derivative is not small by chance.
        direction += 0.001 * equations.vector / np.abs(equations.vector).max()
        step = 0.02 * direction
        difference = (problem.cost(x + step) - problem.cost(x - step)) / 2
        expected = -np.sum(equations.vector * step)
        scale = np.sqrt(np.sum(step * equations.matvec(step)) * 2 * equations.cost)
        assert abs(difference - expected) < 0.01 * scale


def test_the_matrix_predicts_the_change_of_the_gradient(renderer: DerivativeRenderer, scene: Scene) -> None:
    x = scene.truth
    problem = JointProblem(renderer, scene.grid, scene.frames, x, SQUARED)
    at_truth = problem.linearize(x)
    step = moved(np.zeros_like(x), 2, heights=1e-4, colors=1e-3)
    change = problem.linearize(x + step).vector - at_truth.vector
    error = np.linalg.norm(change + at_truth.matvec(step)) / np.linalg.norm(change)
    assert error < 0.03


def test_frames_add_up_and_may_be_read_again(renderer: DerivativeRenderer, scene: Scene) -> None:
    class Reread:
        walks = 0

        def __iter__(self) -> Iterator[PosedFrame]:
            self.walks += 1
            return (replace(frame) for frame in scene.frames)

    x = moved(scene.truth, 3)
    frames = Reread()
    together = JointProblem(renderer, scene.grid, frames, x, SQUARED).linearize(x)
    assert frames.walks == 2
    each = [JointProblem(renderer, scene.grid, [frame], x, SQUARED).linearize(x) for frame in scene.frames]
    np.testing.assert_allclose(together.vector, sum(one.vector for one in each), rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(together.stencil.matrix, sum(one.stencil.matrix for one in each), rtol=1e-9, atol=1e-6)
    assert together.cost == pytest.approx(sum(one.cost for one in each))
    assert together.count == sum(one.count for one in each)


def minimum(problem: JointProblem, x: Float64, grid: Grid) -> Float64:
    result = LevenbergMarquardt(stopping=StoppingRule(15, 1e-7)).minimize(
        WithPriors(problem, [SmoothnessPrior(grid.spacing)]), x
    )
    costs = [step.cost_after for step in result.iterations if step.accepted]
    assert costs == sorted(costs, reverse=True)
    return result.x


@pytest.mark.parametrize("use", ["depth", "both"])
def test_depth_brings_back_the_truth_within_its_noise(
    renderer: DerivativeRenderer, context: Context, scene: Scene, use: str
) -> None:
    frames = of(with_noise(scene.frames, 4), use)
    heights = seed_heights(scene.grid, CAMERA, frames)
    assert heights is not None
    x = heights[..., None]
    if use == "both":
        forward = ForwardRenderer(context, CAMERA)
        colors = seed_colors(scene.grid, forward, frames, heights, 3)
        forward.release()
        x = np.concatenate([x, colors], axis=-1)
    for _ in range(2):
        problem = JointProblem(renderer, scene.grid, frames, x, SQUARED)
        x = minimum(problem, x, scene.grid)
    problem = JointProblem(renderer, scene.grid, frames, x, SQUARED)
    priors = [SmoothnessPrior(scene.grid.spacing)]
    estimate, exact = certain_map(scene.grid, x, problem.linearize(x), priors, problem.threshold)
    assert exact
    assert estimate.sigma is not None
    error = (estimate.heights - scene.truth[..., 0]) / estimate.sigma
    seen = np.isfinite(error)
    assert seen.mean() > 0.9
    assert 0.8 < np.sqrt(np.mean(np.square(error[seen]))) < 1.25
    assert np.median(np.abs(estimate.heights - scene.truth[..., 0])[seen]) < SIGMA / 2
    if use == "both":
        assert estimate.colors is not None
        assert np.nanmedian(np.abs(estimate.colors - scene.truth[..., 1:])) < 0.01


def test_frame_by_frame_and_all_at_once_agree_where_depth_is_linear(context: Context) -> None:
    """Seen from far above, all rays are parallel to z, and depth is linear in the heights."""
    camera = Camera(80, 60, 12000.0, 12000.0, 39.5, 29.5)
    bounds, spacing = (-0.25, 0.25, -0.2, 0.2), 0.025
    grid = Grid.covering(bounds, spacing, None)
    truth = grid.surface(0.01 * gaussian_filter(np.random.default_rng(8).normal(size=grid.shape), 1.5))
    options = FusionOptions(depth_noise=DepthNoise(SIGMA, 0.0), depth_loss=Squared())
    fusion = HeightMapFusion(context, camera, spacing, bounds, options=options)
    renderer = DerivativeRenderer(context, camera)
    frames = []
    rng = np.random.default_rng(9)
    for x, y in rng.uniform(-0.05, 0.05, (8, 2)):
        pose = se3.look_at((x, y, 50.0), (x, y, 0.0))
        depth = renderer.render(truth, pose).depth
        depth = np.where(depth > 0, depth + SIGMA * rng.normal(size=depth.shape), 0).astype(np.float32)
        frames.append(PosedFrame(pose, depth))
        fusion.integrate(pose, depth=depth)
    recursive = fusion.map()
    zeros = np.zeros((*grid.shape, 1))
    problem = JointProblem(renderer, grid, frames, zeros, Weighting(DepthNoise(SIGMA, 0.0), depth_loss=Squared()))
    x = minimum(problem, zeros, grid)
    prior = SmoothnessPrior(options.slope_sigma * spacing)
    joint, _ = certain_map(grid, x, problem.linearize(x), [prior], problem.threshold)
    fusion.release()
    renderer.release()
    assert recursive.sigma is not None
    assert joint.sigma is not None
    np.testing.assert_array_equal(np.isfinite(recursive.heights), np.isfinite(joint.heights))
    assert np.isfinite(joint.heights).mean() > 0.5
    np.testing.assert_allclose(recursive.sigma, joint.sigma, rtol=1e-3)
    np.testing.assert_allclose((recursive.heights - joint.heights) / joint.sigma, 0 * joint.sigma, atol=0.02)


def test_photographs_alone_converge_from_a_good_start(renderer: DerivativeRenderer, scene: Scene) -> None:
    frames = of(scene.frames, "color")
    start = moved(scene.truth, 6, heights=0.006, colors=0.05)
    x = start
    for _ in range(3):
        x = minimum(JointProblem(renderer, scene.grid, frames, x, SQUARED), x, scene.grid)
    inner = np.s_[3:-3, 3:-3, 0]
    before, after = (np.sqrt(np.mean(np.square(y - scene.truth)[inner])) for y in (start, x))
    assert before > 0.001
    assert after < 0.1 * before


def test_edges_and_grazing_views_do_not_count(renderer: DerivativeRenderer, scene: Scene) -> None:
    x = scene.truth[..., :1].copy()
    x[8:12, 8:12] += 0.2  # a tower that hides what is behind it
    surface = scene.grid.surface(x[..., 0])
    views = [renderer.render(surface, frame.T_world_camera) for frame in scene.frames]
    ruined = []
    for view in views:
        assert view.edges is not None
        i, j = np.divmod(view.vertex_ids[..., 0], scene.grid.shape[1])
        beside_tower = (np.abs(i - 9.5) < 5) & (np.abs(j - 9.5) < 5)
        left_out = view.edges & beside_tower
        assert left_out.sum() > 20
        ruined.append(PosedFrame(view.T_world_camera, np.where(left_out, 9, view.depth).astype(np.float32)))
    assert JointProblem(renderer, scene.grid, ruined, x, SQUARED).cost(x) < 0.01


def test_pixels_that_lose_the_map_cost(renderer: DerivativeRenderer, scene: Scene) -> None:
    x = scene.truth[..., :1]
    problem = JointProblem(renderer, scene.grid, of(scene.frames, "depth"), x, SQUARED)
    lower = x - 0.05
    lost = problem.count - problem.linearize(lower).count
    assert lost > 100
    assert problem.cost(lower) == pytest.approx(problem.linearize(lower).cost)
    away = x - 100.0
    assert problem.cost(away) > LOST_PIXEL * 0.9 * problem.count


def test_residuals_tell_what_a_frame_is_off(renderer: DerivativeRenderer, scene: Scene) -> None:
    first, second, *_ = scene.frames
    assert first.depth is not None
    assert second.image is not None
    off = replace(first, depth=np.where(first.depth > 0, first.depth + np.float32(0.003), 0), image=None)
    bright = PosedFrame(second.T_world_camera, None, second.image + np.float32(0.1))
    problem = JointProblem(renderer, scene.grid, [off, bright], scene.truth, SQUARED)
    told_off, told_bright = problem.residuals(scene.truth)
    assert told_off.median_depth == pytest.approx(0.003, abs=1e-5)
    assert told_off.median_abs_depth == pytest.approx(0.003, abs=1e-5)
    assert np.isnan(told_off.rms_color)
    assert told_bright.rms_color == pytest.approx(0.1, abs=1e-3)
    assert np.isnan(told_bright.median_depth)
    assert told_off.measurements + told_bright.measurements == problem.count


def test_what_is_no_problem_is_refused(renderer: DerivativeRenderer, context: Context, scene: Scene) -> None:
    grid, frames, x = scene.grid, scene.frames, scene.truth
    full = DerivativeRenderer(context, CAMERA, layout="full")
    with pytest.raises(UsageError, match="layout 'full', expected 'compact'"):
        JointProblem(full, grid, frames, x)
    full.release()
    with pytest.raises(UsageError, match="none has a depth image, or an image where colours are unknowns"):
        JointProblem(renderer, grid, of(frames, "color"), x[..., :1])
    with pytest.raises(InputError, match="x: 1 of"):
        JointProblem(renderer, grid, frames, np.where(np.arange(x.size).reshape(x.shape) == 5, np.nan, x))
    with pytest.raises(InputError, match="weighting: received dict, expected Weighting"):
        JointProblem(renderer, grid, frames, x, {})  # type: ignore[arg-type]
    with pytest.raises(InputError, match="x: received shape"):
        JointProblem(renderer, grid, frames, x[1:])
    with pytest.raises(InputError, match="depth: received shape"):
        JointProblem(renderer, grid, [PosedFrame(np.eye(4), np.ones((3, 4), np.float32))], x)
    away = se3.look_at((5.0, 5.0, 1.0), (5.0, 5.0, 0.0))
    with pytest.raises(InputError, match="no measurement falls on the map"):
        JointProblem(renderer, grid, [PosedFrame(away, np.ones(CAMERA.shape, np.float32))], x)
    with pytest.raises(InputError, match="T_world_camera: expected a rigid"):
        PosedFrame(np.ones((4, 4)))
    assert JointProblem(renderer, grid, frames, x).cost(np.full_like(x, np.nan)) == np.inf
