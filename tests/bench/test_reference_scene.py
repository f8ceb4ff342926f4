"""The timed scene is the one whose numbers are known, and our gradient of its loss is right."""

import numpy as np
import pytest

from glrender.bench.scene import DEPTH_TARGET, IMAGE_TARGET, reference_scene
from glrender.bench.stages import Stages
from glrender.gl.context import Context
from glrender.render.forward import ForwardRenderer

# Float64, by automatic differentiation at fixed visibility; six renderers agree on this scene:
# Σ(I-0.5)², Σ(D-1.5)², ‖g_z‖, Σ g_z, ‖g_C‖.
REFERENCE = {
    65: (58514.30287, 38578.37430, 6945.82727, -229830.01824, 6161.98011),
    129: (58655.49868, 38578.54850, 3501.48077, -229835.24109, 3116.44325),
}


@pytest.mark.parametrize("vertices", REFERENCE)
def test_losses_and_gradients(context: Context, vertices: int) -> None:
    image_loss, depth_loss, height_norm, height_sum, color_norm = REFERENCE[vertices]
    scene = reference_scene(vertices)
    renderer = ForwardRenderer(context, scene.camera)
    rendering = renderer.render(scene.surface, scene.T_world_camera)
    renderer.release()
    assert rendering.depth.min() > 0, "the map fills the image"
    assert np.square(rendering.image.astype(float) - IMAGE_TARGET).sum() == pytest.approx(image_loss, rel=1e-5)
    assert np.square(rendering.depth.astype(float) - DEPTH_TARGET).sum() == pytest.approx(depth_loss, rel=1e-5)
    with Stages(context, scene) as stages:
        gradient = stages.gradient()
    assert np.linalg.norm(gradient.heights) == pytest.approx(height_norm, rel=1e-4)
    assert gradient.heights.sum() == pytest.approx(height_sum, rel=1e-4)
    assert np.linalg.norm(gradient.colors) == pytest.approx(color_norm, rel=1e-4)


def test_every_stage_can_be_called_again_and_nothing_is_left_alive(context: Context) -> None:
    before = context.live_objects
    with Stages(context, reference_scene(9)) as stages:
        for _ in range(2):
            for candidate in stages.candidates().values():
                candidate()
    assert context.live_objects == before
