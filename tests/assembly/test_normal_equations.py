"""The block stencil of JᵀWJ and the vector JᵀWr against sparse products of the Jacobians."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from agreement import assert_agree
from random_scenes import SEEING_SCENES, UNSEEN_SCENES, Scene, random_scene

from glrender.assembly import stencil as stencil_module
from glrender.assembly.csr import sparse_normal_equations
from glrender.assembly.residuals import Measurements, Residuals, weigh
from glrender.assembly.stencil import normal_equations
from glrender.errors import UsageError
from glrender.gl.context import Context
from glrender.render.buffers import DerivativeBuffers
from glrender.render.derivatives import DerivativeRenderer
from glrender.solve.losses import Cauchy, Huber, Loss, Squared, Tukey

SCENES = [random_scene(300 + channels, channels=channels, holes=0.05) for channels in (3, 1, 0)]
VECTOR_TOLERANCE = 2e-6
"""The Jacobian's entries are products that were rounded to float32."""
LOSSES = [Squared(), Huber(), Cauchy(), Tukey()]
each_kind = pytest.mark.parametrize("scene", SCENES, ids=str)


@pytest.mark.parametrize("scene", SEEING_SCENES, ids=str)
def test_the_stencil_is_the_sparse_product(scene: Scene, frame: Callable) -> None:
    pair = frame(scene)
    residuals = weigh(pair.buffers, pair.measurements, depth_loss=Huber(), color_loss=Cauchy())
    system = normal_equations(pair.buffers, residuals)
    assert_agree(system, sparse_normal_equations(pair.buffers, residuals), VECTOR_TOLERANCE)
    assert (system.cost, system.count) == (residuals.cost, residuals.count)
    assert system.stencil.shape == scene.surface.shape
    assert system.stencil.channels == pair.buffers.channels


@each_kind
@pytest.mark.parametrize("loss", LOSSES, ids=str)
@pytest.mark.parametrize("use", ["depth", "color", "both"])
def test_every_loss_and_every_measurement(scene: Scene, loss: Loss, use: str, frame: Callable) -> None:
    pair = frame(scene)
    if use == "color" and pair.buffers.channels == 0:
        with pytest.raises(UsageError, match="neither depth nor an image of a coloured map"):
            weigh(pair.buffers, replace(pair.measurements, depth=None))
        return
    dropped = {"depth": {"image": None}, "color": {"depth": None}, "both": {}}[use]
    residuals = weigh(pair.buffers, replace(pair.measurements, **dropped), depth_loss=loss, color_loss=loss)
    system = normal_equations(pair.buffers, residuals)
    assert_agree(system, sparse_normal_equations(pair.buffers, residuals), VECTOR_TOLERANCE)
    diagonal = system.diagonal()
    assert diagonal[..., 0].any()
    assert bool(diagonal[..., 1:].any()) == (use != "depth" and pair.buffers.channels > 0)


@each_kind
def test_no_block_is_silently_zero(scene: Scene, frame: Callable) -> None:
    pair = frame(scene)
    system = normal_equations(pair.buffers, weigh(pair.buffers, pair.measurements))
    blocks = system.stencil.matrix
    assert (np.abs(blocks).max(axis=(0, 1)) > 0).all()
    touched = system.diagonal()[..., 0] > 0
    assert touched.mean() > 0.1
    assert (system.vector[touched] != 0).mean(axis=0).min() > 0.95
    untouched = ~touched
    assert not system.vector[untouched].any()
    assert not blocks[untouched].any()


@pytest.mark.parametrize("scene", SCENES[:2], ids=str)
def test_heights_may_be_kept_from_learning_from_colours(scene: Scene, frame: Callable) -> None:
    """Colours then get what they get alone, and heights what depth gives them, with nothing between the two."""
    pair = frame(scene)
    residuals = weigh(pair.buffers, pair.measurements, depth_loss=Huber())
    system = normal_equations(pair.buffers, residuals, heights_from_color=False)
    both = normal_equations(pair.buffers, residuals)
    depth_alone = normal_equations(
        pair.buffers, weigh(pair.buffers, replace(pair.measurements, image=None), depth_loss=Huber())
    )
    np.testing.assert_array_equal(system.stencil.matrix[..., 0], depth_alone.stencil.matrix[..., 0])
    np.testing.assert_array_equal(system.vector[..., 0], depth_alone.vector[..., 0])
    np.testing.assert_array_equal(system.stencil.matrix[..., 1], both.stencil.matrix[..., 1])
    np.testing.assert_array_equal(system.vector[..., 1:], both.vector[..., 1:])
    assert not system.stencil.matrix[..., 2:].any()
    assert both.stencil.matrix[..., 2:].any()


@each_kind
def test_the_system_is_the_same_to_the_last_bit_whatever_runs_it(
    scene: Scene, frame: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = frame(scene)
    residuals = weigh(pair.buffers, pair.measurements)
    expected = normal_equations(pair.buffers, residuals)
    for cores in (1, 2, 3, 5, 16):
        monkeypatch.setattr(stencil_module, "cores_free", lambda cores=cores: cores)
        for _ in range(3):
            again_residuals = weigh(pair.buffers, pair.measurements)
            assert again_residuals.cost == residuals.cost
            again = normal_equations(pair.buffers, again_residuals)
            np.testing.assert_array_equal(again.stencil.matrix, expected.stencil.matrix)
            np.testing.assert_array_equal(again.vector, expected.vector)


@pytest.mark.parametrize("scene", UNSEEN_SCENES[::3], ids=str)
def test_a_frame_that_sees_nothing_adds_nothing(scene: Scene, frame: Callable) -> None:
    pair = frame(scene)
    system = normal_equations(pair.buffers, weigh(pair.buffers, pair.measurements))
    assert not system.stencil.matrix.any()
    assert not system.vector.any()
    assert (system.cost, system.count) == (0, 0)


def test_rows_and_columns_of_the_last_cells_are_reached(context: Context) -> None:
    """Maps of two rows or columns, of which every triangle touches the border."""
    for shape in ((2, 2), (2, 9), (9, 2), (3, 3)):
        scene = random_scene(310, shape=shape, image=(60, 50))
        renderer = DerivativeRenderer(context, scene.camera)
        buffers = renderer.render(scene.surface, scene.T_world_camera)
        renderer.release()
        residuals = weigh(buffers, Measurements(depth=buffers.depth, image=buffers.image))
        system = normal_equations(buffers, residuals)
        assert_agree(system, sparse_normal_equations(buffers, residuals), VECTOR_TOLERANCE)
        seen = np.zeros(scene.surface.heights.size, bool)
        seen[buffers.vertex_ids[buffers.visible]] = True
        np.testing.assert_array_equal(system.diagonal()[..., 0].ravel() > 0, seen)


def test_a_pixels_weight_is_its_own(frame: Callable) -> None:
    """One pixel's measurement alone: nine entries a block, b_k b_l times one number."""
    pair = frame(SCENES[0])
    buffers = pair.buffers
    v, u = np.argwhere(buffers.visible)[321]
    mask = np.zeros(buffers.depth.shape, bool)
    mask[v, u] = True
    measured = Measurements(depth=buffers.depth + np.float32(0.5), depth_sigma=0.1, mask=mask)
    system = normal_equations(buffers, weigh(buffers, measured))
    vertices, J = buffers.vertex_ids[v, u], buffers.depth_wrt_height[v, u].astype(np.float64)
    dense = system.stencil.heights_only().to_csr().toarray()
    np.testing.assert_allclose(dense[np.ix_(vertices, vertices)], np.outer(J, J) / 0.1**2, rtol=1e-5)
    assert np.count_nonzero(dense) == 9
    np.testing.assert_allclose(system.vector[..., 0].ravel()[vertices], J * 0.5 / 0.1**2, rtol=1e-4)
    assert np.count_nonzero(system.vector) == 3


def test_the_vector_is_minus_the_gradient_of_the_cost(context: Context) -> None:
    """By differences of the cost over whole renderings; a Huber loss, so that the weights matter."""
    scene = random_scene(320, shape=(6, 7), image=(80, 60), roughness=0.1)
    surface, T = scene.surface, scene.T_world_camera
    renderer = DerivativeRenderer(context, scene.camera)

    def render(heights: np.ndarray, colors: np.ndarray) -> DerivativeBuffers:
        return renderer.render(surface.with_values(heights, colors), T, pose=False, edges=False)

    here = render(surface.heights, surface.colors)
    rng = np.random.default_rng(0)
    measured = Measurements(
        depth=here.depth + 0.03 * rng.normal(size=here.depth.shape),
        depth_sigma=0.01,
        image=here.image + 0.1 * rng.normal(size=here.image.shape),
        color_sigma=0.05,
        # A ray that leaves the map changes the cost by a step, which no derivative tells.
        mask=here.visible & ~renderer.render(surface, T, pose=False).edges,
    )

    def cost(buffers: DerivativeBuffers) -> Residuals:
        return weigh(buffers, measured, depth_loss=Huber(), color_loss=Huber())

    gradient = normal_equations(here, cost(here)).vector
    for direction in rng.normal(size=(3, *gradient.shape)):
        step = 3e-4 * surface.spacing
        up, down = (
            cost(render(surface.heights + s * direction[..., 0], surface.colors + s * direction[..., 1:])).cost
            for s in (step, -step)
        )
        assert (up - down) / (2 * step) == pytest.approx(-(gradient * direction).sum(), rel=1e-2)
    renderer.release()


def test_buffers_of_the_full_layout_are_refused(frame: Callable) -> None:
    pair = frame(SCENES[0], "full")
    residuals = weigh(pair.buffers, pair.measurements)
    with pytest.raises(UsageError, match="received buffers of the full layout; render with layout='compact'"):
        normal_equations(pair.buffers, residuals)
    compact = frame(SCENES[0])
    assert_agree(
        normal_equations(compact.buffers, weigh(compact.buffers, pair.measurements)),
        sparse_normal_equations(pair.buffers, residuals),
        VECTOR_TOLERANCE,
    )
