"""Depth from motion on simulated ground: how accurate, how honest, and what it says of bad input."""

import numpy as np
import pytest
from motion_scene import Views
from scipy import ndimage

from glrender.errors import InputError, UsageError
from glrender.frontend.depth_from_motion import DepthFromMotion, SweepOptions
from glrender.frontend.motion_depth import MotionDepth, Verdict
from glrender.frontend.photograph import Photograph
from glrender.frontend.search import Search
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.gl.context import Context

REFERENCE = 2
WIDE = Search.heights(None, -0.2, 0.6)


def others(views: Views) -> list[Photograph]:
    return [photograph for k, photograph in enumerate(views.photographs) if k != REFERENCE]


@pytest.fixture(scope="module")
def found(views: Views, sweep: DepthFromMotion) -> MotionDepth:
    return sweep.estimate(views.photographs[REFERENCE], others(views), WIDE)


def pixels_of_error(views: Views, found: MotionDepth) -> float:
    """Median absolute error as displacement between the photographs farthest apart, pixels."""
    error = np.median(np.abs(views.errors(found, REFERENCE)))
    return float(views.camera.fx * 0.2 * error / np.median(found.depth[found.depth > 0]) ** 2)


def test_depths_are_right_to_a_tenth_of_a_pixel_nearly_everywhere(views: Views, found: MotionDepth) -> None:
    assert found.shares["confident"] > 0.85
    assert pixels_of_error(views, found) < 0.1
    assert np.mean(np.abs(views.errors(found, REFERENCE)) > 0.05) < 0.01
    assert (found.sigma[found.depth > 0] > 0).all()
    assert found.sources == 4


def test_the_map_narrows_the_search(views: Views, sweep: DepthFromMotion, found: MotionDepth) -> None:
    around = sweep.estimate(views.photographs[REFERENCE], others(views), Search.around(views.truth, 0.03))
    assert around.shares["confident"] > found.shares["confident"] - 0.005
    assert pixels_of_error(views, around) <= pixels_of_error(views, found)


def test_what_lies_outside_of_the_search_is_not_confident(views: Views, sweep: DepthFromMotion) -> None:
    elsewhere = sweep.estimate(views.photographs[REFERENCE], others(views), Search.depths(0.3, 0.5))
    assert elsewhere.shares.get("confident", 0) < 0.02


@pytest.mark.parametrize(("gain", "offset"), [(1.5, 0.0), (0.7, 0.1)])
def test_exposure_jumps_change_nothing(
    views: Views, sweep: DepthFromMotion, found: MotionDepth, gain: float, offset: float
) -> None:
    jumped = [
        Photograph(np.float32(gain) * source.image + np.float32(offset), source.T_world_camera)
        for source in others(views)[::2]
    ]
    again = sweep.estimate(views.photographs[REFERENCE], [*jumped, *others(views)[1::2]], WIDE)
    assert again.shares["confident"] > found.shares["confident"] - 0.01
    assert pixels_of_error(views, again) < 1.1 * pixels_of_error(views, found)


def test_pure_rotation_has_no_baseline(views: Views, sweep: DepthFromMotion) -> None:
    reference = views.photographs[REFERENCE]
    turned = Photograph(reference.image, reference.T_world_camera @ se3.exp((0, 0, 0, 0.02, 0.03, 0.01)))
    nothing = sweep.estimate(reference, [turned], WIDE)
    assert nothing.shares == {"no_baseline": 1.0}
    assert nothing.sources == 0
    assert not nothing.depth.any()


def test_black_frames_are_not_believed(views: Views, sweep: DepthFromMotion, found: MotionDepth) -> None:
    reference, sources = views.photographs[REFERENCE], others(views)
    black = [Photograph(0 * source.image, source.T_world_camera) for source in sources]
    assert sweep.estimate(Photograph(0 * reference.image, reference.T_world_camera), sources, WIDE).shares == {
        "no_texture": 1.0
    }
    assert "confident" not in sweep.estimate(reference, black, WIDE).shares
    one_black = sweep.estimate(reference, [black[0], *sources[1:]], WIDE)
    assert one_black.shares["confident"] > 0.8
    assert pixels_of_error(views, one_black) < 1.5 * pixels_of_error(views, found)


def test_a_blurred_frame_spoils_nothing(views: Views, sweep: DepthFromMotion, found: MotionDepth) -> None:
    reference, sources = views.photographs[REFERENCE], others(views)

    def blurred(photograph: Photograph) -> Photograph:
        return Photograph(ndimage.uniform_filter1d(photograph.image, 7, axis=1), photograph.T_world_camera)

    one = sweep.estimate(reference, [blurred(sources[0]), *sources[1:]], WIDE)
    assert one.shares["confident"] > 0.9
    assert pixels_of_error(views, one) < 1.5 * pixels_of_error(views, found)
    # Where the reference itself is blurred it is unsure, and says so.
    moved = sweep.estimate(blurred(reference), sources, WIDE)
    assert np.median(moved.sigma[moved.depth > 0]) > 1.5 * np.median(found.sigma[found.depth > 0])
    assert np.mean(np.abs(views.pulls(moved, REFERENCE)) < 2) > 0.75


def test_unknown_pixels_stay_unknown(views: Views, sweep: DepthFromMotion) -> None:
    reference = views.photographs[REFERENCE]
    image = reference.image.copy()
    image[:20] = image[:, :5] = np.nan
    cut = sweep.estimate(Photograph(image, reference.T_world_camera), others(views), WIDE)
    assert (cut.verdict[:20] == Verdict.NOT_SEARCHED).all()
    assert (cut.verdict[:, :5] == Verdict.NOT_SEARCHED).all()
    assert (cut.depth[25:, 8:] > 0).mean() > 0.9
    assert np.isfinite(cut.depth).all()
    assert np.isfinite(cut.sigma).all()


def test_the_shader_finds_the_same(context: Context, views: Views, found: MotionDepth) -> None:
    drawn = DepthFromMotion(context, views.camera, SweepOptions(scores="gpu"))
    again = drawn.estimate(views.photographs[REFERENCE], others(views), WIDE)
    drawn.release()
    assert np.mean(again.verdict == found.verdict) > 0.99
    both = (again.depth > 0) & (found.depth > 0)
    assert np.percentile(np.abs(again.depth - found.depth)[both] / found.sigma[both], 99) < 0.5


def test_what_is_farther_than_half_of_the_photograph_counts_for_less() -> None:
    depth = np.array([[0.0, 0.9, 1.0, 1.0, 2.0]], np.float32)
    sigma, none = np.full_like(depth, 0.01), np.zeros_like(depth)
    seen = MotionDepth(depth, sigma, none, np.zeros(depth.shape, np.uint8), np.eye(4), 2, np.ones_like(depth))
    fused_with = seen.fusion_sigma(Camera(5, 1, 5.0, 5.0, 2.0, 0.0), 0.1)
    # Two photographs share their noise; of those that are known, 1 m is in the middle, and an error of pixels there is
    # one of four times as many millimetres at 2 m.
    np.testing.assert_allclose(fused_with[0, 1:] / (np.sqrt(2) * 0.01), [1, 1, 1, 4], rtol=1e-6)


def test_wrong_calls_are_refused(views: Views, sweep: DepthFromMotion, context: Context) -> None:
    reference = views.photographs[REFERENCE]
    with pytest.raises(InputError, match="no sources"):
        sweep.estimate(reference, [], WIDE)
    with pytest.raises(InputError, match="received an image"):
        sweep.estimate(reference, [Photograph(reference.image[1:], reference.T_world_camera)], WIDE)
    with pytest.raises(UsageError, match="radius"):
        DepthFromMotion(context, views.camera, SweepOptions(radius=0))
    with pytest.raises(UsageError, match="'gpu', 'host'"):
        SweepOptions(scores="cpu")


def test_everything_is_released(context: Context) -> None:
    before = context.live_objects
    sweep = DepthFromMotion(context, Camera(64, 48, 60, 60, 31.5, 23.5))
    sweep.release()
    sweep.release()
    assert context.live_objects == before
