"""References by the depths of a map or of the level, kept until they must be made anew."""

import numpy as np
from moving_camera import CAMERA, drive, record, textured_ground

from glrender.frontend.level_ground import FARTHEST, LevelGround
from glrender.frontend.pyramid import build_pyramid
from glrender.frontend.reference import Reference
from glrender.frontend.reference_store import STALE, ReferenceStore
from glrender.frontend.rendered_depth import RenderedDepth
from glrender.frontend.texture import Texture, choose_texture
from glrender.geometry import se3
from glrender.gl.context import Context

POINTS = 500


class Counted(LevelGround):
    """That says how often it was asked."""

    asked = 0

    def reference(self, textures: tuple[Texture, ...], T_world_camera: np.ndarray) -> Reference:
        self.asked += 1
        return super().reference(textures, T_world_camera)


def photograph() -> np.ndarray:
    """Some picture; what it shows makes no difference here."""
    return np.random.default_rng(3).uniform(0.2, 0.8, CAMERA.shape).astype(np.float32)


def test_references_are_made_where_the_depths_or_the_pose_are_another() -> None:
    pose, source = drive(0.3), Counted()
    pyramid = build_pyramid(CAMERA, photograph())
    store = ReferenceStore(POINTS)
    assert store.latest(pyramid) is None
    first = store.reference(pyramid, source, pose)
    assert store.reference(pyramid, source, pose) is first is store.latest(pyramid)
    near = pose @ se3.exp((0, 0, 0, 0, 0.5 * STALE / CAMERA.fx, 0))
    moved = store.reference(pyramid, source, near)
    assert source.asked == 1
    np.testing.assert_array_equal(moved.T_world_camera, near)
    in_world = moved.levels[0].points @ near[:3, :3].T + near[:3, 3]
    np.testing.assert_allclose(in_world[:, 2], 0, atol=1e-12)
    assert np.abs(moved.levels[0].points - first.levels[0].points).max() > 1e-3
    store.reference(pyramid, source, pose @ se3.exp((0, 0, 0, 0, 1.5 * STALE / CAMERA.fx, 0)))
    assert source.asked == 2
    another = Counted()
    store.reference(pyramid, another, pose)
    assert (source.asked, another.asked) == (2, 1)
    store.forget(pyramid)
    assert store.latest(pyramid) is None


def test_the_level_is_what_is_drawn_of_a_level_map(context: Context) -> None:
    """Depths and slopes of a map without relief, to what is lost in 32 bits."""
    pose = drive(0.3)
    recorded = record(context, textured_ground(0.0), np.stack([pose]))
    textures = choose_texture(build_pyramid(CAMERA, recorded.photographs[0]), POINTS)
    renderer = RenderedDepth(context, CAMERA, recorded.truth)
    drawn = renderer.reference(textures, pose)
    renderer.release()
    known = LevelGround().reference(textures, pose)
    for level, expected in zip(known.levels, drawn.levels, strict=True):
        assert len(level.points) >= len(expected.points) > 20
        rows = {tuple(ray): k for k, ray in enumerate(np.round(level.points / level.points[:, 2:], 9))}
        same = [rows[tuple(ray)] for ray in np.round(expected.points / expected.points[:, 2:], 9)]
        np.testing.assert_allclose(level.points[same], expected.points, rtol=1e-5)
        np.testing.assert_allclose(level.depth_slope[same], expected.depth_slope, rtol=1e-4, atol=1e-4)
        np.testing.assert_array_equal(level.block[same], expected.block)


def test_the_level_goes_on_wherever_the_camera_is_and_ends_far_from_it() -> None:
    """A thousand heights from the start it is the same; nothing of the sky, of ground seen too flat, or from below."""
    down = np.diag((1.0, -1.0, -1.0, 1.0))
    ahead = se3.look_at((0.0, 0.0, 0.5), (0.0, 1.0, 0.5))
    textures = choose_texture(build_pyramid(CAMERA, photograph()), POINTS)
    count = len(textures[0].rays)
    for place in ((0.0, 0.0, 0.5), (400.0, -300.0, 0.5)):
        down[:3, 3] = place
        points = LevelGround().reference(textures, down).levels[0].points
        assert len(points) == count
        np.testing.assert_allclose(points[:, 2], 0.5)
    seen = LevelGround().reference(textures, ahead).levels[0].points
    flattest = seen[:, 1] / np.linalg.norm(seen, axis=1)  # y points down
    np.testing.assert_allclose(seen[:, 1], 0.5)
    assert 0 < len(seen) < count
    assert flattest.min() > 1 / FARTHEST
    # Pixel by pixel: those that are left out were seen flatter.
    rays = textures[0].rays
    assert len(seen) == np.count_nonzero(rays[:, 1] / np.linalg.norm(rays, axis=1) > 1 / FARTHEST)
    below = down.copy()
    below[2, 3] = -0.5
    assert not len(LevelGround().reference(textures, below).levels[0].points)
