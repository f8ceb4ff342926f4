"""Residuals and robust weights against numpy and the losses themselves."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from random_scenes import Scene, random_scene

from glrender.assembly.residuals import Measurements, weigh
from glrender.assembly.robust import loss_parameters, rho_and_weight
from glrender.errors import InputError, UsageError
from glrender.solve.losses import Cauchy, Huber, Loss, Squared, Tukey

SCENES = [random_scene(200 + channels, channels=channels, holes=0.05) for channels in (3, 1, 0)]
LOSSES = [Squared(), Huber(), Huber(0.2), Cauchy(), Cauchy(1.0), Tukey(), Tukey(2.5)]
each_scene = pytest.mark.parametrize("scene", SCENES, ids=str)
each_loss = pytest.mark.parametrize("loss", LOSSES, ids=str)


@each_loss
def test_the_compiled_losses_are_those_of_the_solver(loss: Loss) -> None:
    kind, k = loss_parameters(loss)
    r = np.concatenate([[0.0], np.geomspace(1e-8, 1e6, 200), np.linspace(0, 8, 81)])
    rho, weight = np.transpose([rho_and_weight(kind, k, x * x) for x in r])
    np.testing.assert_allclose(rho, loss.rho(r), rtol=1e-13)
    np.testing.assert_allclose(weight, loss.weight(r), rtol=1e-13)


@each_scene
@each_loss
def test_residuals_are_measured_minus_predicted_and_weights_robust(scene: Scene, loss: Loss, frame: Callable) -> None:
    buffers, measurements = frame(scene).buffers, frame(scene).measurements
    residuals = weigh(buffers, measurements, depth_loss=loss, color_loss=loss)
    depth = np.where(np.isfinite(measurements.depth), measurements.depth, 0).astype(np.float64)
    used = buffers.visible & measurements.mask & (depth > 0)
    r = np.where(used, depth - buffers.depth, 0)
    sigma = measurements.depth_sigma.astype(np.float64)
    np.testing.assert_allclose(residuals.depth, r, rtol=1e-6)
    np.testing.assert_allclose(residuals.depth_weight, used * loss.weight(r / sigma) / sigma**2, rtol=1e-5)
    cost, count = loss.rho(r / sigma)[used].sum(), used.sum()
    if buffers.channels:
        finite = np.isfinite(measurements.image).all(axis=-1)
        used = buffers.visible & measurements.mask & finite
        r = np.where(used[..., None], np.nan_to_num(measurements.image, posinf=0).astype(np.float64) - buffers.image, 0)
        length = np.linalg.norm(r, axis=-1) / measurements.color_sigma
        np.testing.assert_allclose(residuals.color, r, rtol=1e-6)
        np.testing.assert_allclose(
            residuals.color_weight, used * loss.weight(length) / measurements.color_sigma**2, rtol=1e-5
        )
        cost, count = cost + loss.rho(length)[used].sum(), count + used.sum()
    else:
        assert residuals.color.shape == (*buffers.camera.shape, 0)
        assert not residuals.color_weight.any()
    assert residuals.cost == pytest.approx(cost, rel=1e-6)
    assert residuals.count == count
    assert residuals.depth_weight[used].any()


@each_scene
def test_depth_alone_and_colour_alone_add_up_to_both(scene: Scene, frame: Callable) -> None:
    buffers, both = frame(scene).buffers, frame(scene).measurements
    together = weigh(buffers, both, depth_loss=Huber(), color_loss=Tukey())
    depth = weigh(buffers, replace(both, image=None), depth_loss=Huber())
    assert depth.color.shape == (*buffers.camera.shape, 0)
    np.testing.assert_array_equal(depth.depth_weight, together.depth_weight)
    if buffers.channels == 0:
        assert together.cost == depth.cost
        return
    color = weigh(buffers, replace(both, depth=None), color_loss=Tukey())
    assert not color.depth_weight.any()
    np.testing.assert_array_equal(color.color_weight, together.color_weight)
    assert together.count == depth.count + color.count
    assert together.cost == pytest.approx(depth.cost + color.cost, rel=1e-12)


def test_full_and_compact_buffers_give_the_same(frame: Callable) -> None:
    for scene in SCENES:
        compact, full = frame(scene, "compact"), frame(scene, "full")
        ours = weigh(compact.buffers, compact.measurements)
        theirs = weigh(full.buffers, compact.measurements)
        np.testing.assert_allclose(ours.depth, theirs.depth, atol=1e-5)
        np.testing.assert_allclose(ours.color, theirs.color, atol=1e-5)
        np.testing.assert_array_equal(ours.color_weight, theirs.color_weight)


def test_one_sigma_may_stand_for_all_pixels(frame: Callable) -> None:
    buffers, measurements = frame(SCENES[0]).buffers, frame(SCENES[0]).measurements
    one = weigh(buffers, replace(measurements, depth_sigma=0.02))
    each = weigh(buffers, replace(measurements, depth_sigma=np.full(buffers.depth.shape, 0.02)))
    np.testing.assert_array_equal(one.depth_weight, each.depth_weight)
    np.testing.assert_allclose(one.depth_weight.max(), 1 / 0.02**2, rtol=1e-6)


def test_pixels_of_no_use_have_weight_and_residual_zero(frame: Callable) -> None:
    buffers = frame(SCENES[0]).buffers
    shape = buffers.depth.shape
    for gap in (0.0, -0.0, -3.0, np.nan, np.inf, -np.inf):
        depth = np.full(shape, gap, np.float32)
        image = np.full((*shape, 3), gap if not np.isfinite(gap) else np.nan, np.float32)
        residuals = weigh(buffers, Measurements(depth=depth, image=image))
        assert (residuals.count, residuals.cost) == (0, 0.0)
        for values in (residuals.depth, residuals.depth_weight, residuals.color, residuals.color_weight):
            assert not values.any()


def test_one_bad_channel_takes_the_pixel_out(frame: Callable) -> None:
    buffers = frame(SCENES[0]).buffers
    image = buffers.image + np.float32(0.1)
    v, u = np.argwhere(buffers.visible)[100]
    image[v, u, 1] = np.nan
    residuals = weigh(buffers, Measurements(image=image))
    assert residuals.color_weight[v, u] == 0
    assert not residuals.color[v, u].any()
    assert residuals.count == buffers.visible.sum() - 1


def test_bad_measurements_are_refused_by_name(frame: Callable) -> None:
    buffers, bare = frame(SCENES[0]).buffers, frame(SCENES[2]).buffers
    depth, image = buffers.depth, buffers.image
    cases = [
        (Measurements(depth=depth[1:]), InputError, r"depth: received shape \(29, 40\), expected \(30, 40\)"),
        (
            Measurements(image=image[..., :1]),
            InputError,
            r"image: received shape \(30, 40, 1\), expected \(30, 40, 3\)",
        ),
        (Measurements(depth=depth, mask=np.ones((2, 2), bool)), InputError, "mask: received shape"),
        (Measurements(depth=depth, depth_sigma=np.ones(40)), InputError, r"depth_sigma: received shape \(40,\)"),
        (Measurements(depth=depth, depth_sigma=0.0), InputError, "depth_sigma: .* not greater than 0"),
        (Measurements(depth=depth, depth_sigma=-1.0), InputError, "depth_sigma: .* not greater than 0"),
        (Measurements(depth=depth, depth_sigma=np.nan), InputError, "depth_sigma: .* not greater than 0"),
        (Measurements(image=image, color_sigma=0.0), InputError, "color_sigma: received 0"),
        (Measurements(), UsageError, "received neither depth nor an image"),
    ]
    for measurements, error, message in cases:
        with pytest.raises(error, match=message):
            weigh(buffers, measurements)
    with pytest.raises(UsageError, match="neither depth nor an image of a coloured map"):
        weigh(bare, Measurements(image=bare.image))


def test_bytes_and_millimetres_are_refused() -> None:
    with pytest.raises(InputError, match="depth: received uint16, expected metres as float"):
        Measurements(depth=np.full((3, 4), 1000, np.uint16))
    with pytest.raises(InputError, match="image: received uint8, expected linear colour"):
        Measurements(image=np.full((3, 4, 3), 255, np.uint8))


def test_a_sigma_is_not_asked_of_pixels_without_a_measurement(frame: Callable) -> None:
    buffers = frame(SCENES[0]).buffers
    sigma = np.full(buffers.depth.shape, 0.01)
    depth = buffers.depth.copy()
    depth[:, :5], sigma[:, :5] = 0, np.nan
    assert weigh(buffers, Measurements(depth=depth, depth_sigma=sigma)).count == (buffers.depth[:, 5:] > 0).sum()


def test_a_loss_that_is_not_compiled_is_refused_by_name(frame: Callable) -> None:
    class Absolute(Squared):
        pass

    buffers = frame(SCENES[0]).buffers
    with pytest.raises(UsageError, match=r"loss: received .*Absolute.*, expected Squared\(\), Huber\(k\), Cauchy"):
        weigh(buffers, Measurements(depth=buffers.depth), depth_loss=Absolute())
