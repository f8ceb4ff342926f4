"""What a height map cannot hold: a table top with nothing below it, and its side."""

import numpy as np

from glrender.fusion.heightmap import HeightMapFusion
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.gl.context import Context

CAMERA = Camera(96, 72, 110.0, 110.0, 47.5, 35.5)
TOP, REACH = 0.5, (0.0, 0.6)  # of the table: metres high, from and to along x and y


def depth_of_table(T_world_camera: np.ndarray, slats: float = 1.0) -> np.ndarray:
    """(height, width) camera z of level ground at 0 and of a board at `TOP`, or of `slats` metres with gaps between."""
    rays = CAMERA.rays() @ T_world_camera[:3, :3].T
    eye = T_world_camera[:3, 3]
    with np.errstate(divide="ignore"):
        ground, board = -eye[2] / rays[..., 2], (TOP - eye[2]) / rays[..., 2]
    x, y = (eye[axis] + board * rays[..., axis] for axis in (0, 1))
    on_board = (board > 0) & (x > REACH[0]) & (x < REACH[1]) & (y > REACH[0]) & (y < REACH[1])
    on_board &= np.floor(x / slats) % 2 == 0
    depth = np.where(on_board, board, np.where(ground > 0, ground, 0))
    return np.where(depth < 4, depth, 0).astype(np.float32)


def test_what_is_seen_below_a_table_top_throws_no_height_about(context: Context) -> None:
    fusion = HeightMapFusion(context, CAMERA, 0.02, (-0.5, 1.2, -0.3, 0.9))
    for eye_x in np.linspace(-0.6, -0.3, 12):
        T = se3.look_at((eye_x, 0.3 + 0.5 * eye_x, 1.2), (0.3, 0.3, 0.3))
        fusion.integrate(T, depth=depth_of_table(T))
    surface = fusion.map()
    fusion.release()
    heights = surface.heights[np.isfinite(surface.heights)]
    assert heights.size > 1000
    assert heights.min() > -0.1
    assert TOP < heights.max() < TOP + 0.1
    on_ground, on_board = np.abs(heights) < 0.01, np.abs(heights - TOP) < 0.01
    assert np.mean(on_ground | on_board) > 0.97
    assert np.count_nonzero(on_board) > 300


def test_sides_do_not_hide_how_frames_disagree(context: Context) -> None:
    """Beside a board's edge frames differ by centimetres, which is no noise of all that they see."""
    fusion = HeightMapFusion(context, CAMERA, 0.02, (-0.5, 1.2, -0.3, 0.9))
    rng = np.random.default_rng(1)
    for eye_x in np.linspace(-0.6, -0.3, 24):
        T = se3.look_at((eye_x, 0.3 + 0.5 * eye_x, 1.2), (0.3, 0.3, 0.3))
        depth = depth_of_table(T, slats=0.1)
        T[2, 3] += rng.normal(0, 0.004)
        fusion.integrate(T, depth=depth)
    fusion.map()
    fusion.release()
    assert fusion.shared is not None
    assert 0.002 < fusion.shared.shift.sigma < 0.008
