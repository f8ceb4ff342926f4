"""A house seen from the air by depths that are no better than the prior: its walls are not to be bent by it."""

import numpy as np
from flights import camera_of
from numpy.typing import NDArray

from glrender.fusion.heightmap import HeightMapFusion
from glrender.fusion.options import FusionOptions
from glrender.geometry import se3
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.render.forward import ForwardRenderer

SPACING, HEIGHT, CELLS, SIGMA = 0.2, 4.0, 41, 0.3
HOUSE = np.s_[14:27, 14:27]


def house() -> HeightMap:
    heights = np.zeros((CELLS, CELLS))
    heights[HOUSE] = HEIGHT
    return HeightMap(heights, SPACING)


def beside_walls(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of the roof's outermost cells and the yard's innermost, away from corners."""
    lines = 13, 14, 26, 27
    return np.concatenate([*(values[line, 16:25] for line in lines), *(values[16:25, line] for line in lines)])


def fused(context: Context, **options: float) -> HeightMap:
    """Eight photographs' worth of depths from 40 m, each pixel good to 30 cm."""
    camera, truth, side = camera_of(480), house(), SPACING * (CELLS - 1)
    renderer, rng = ForwardRenderer(context, camera), np.random.default_rng(0)
    fusion = HeightMapFusion(
        context, camera, SPACING, (0.0, side, 0.0, side), None, FusionOptions(observed_ratio=0.001, **options)
    )
    for x in np.linspace(-2, 2, 8):
        eye = side / 2 + x, side / 2 + 0.5 * x, 40.0
        T = se3.look_at(eye, (eye[0], eye[1], 0.0), (0, 1, 0))
        depth = renderer.render(truth, T).depth
        depth = np.where(depth > 0, depth + rng.normal(0, SIGMA, depth.shape), 0).astype(np.float32)
        fusion.integrate(T, depth=depth, depth_sigma=np.full(depth.shape, SIGMA, np.float32))
    renderer.release()
    found = fusion.map()
    fusion.release()
    return found


def test_walls_stay_where_depths_see_them(context: Context) -> None:
    truth = house().heights
    bent, upright = (fused(context, step_slope=slope) for slope in (np.inf, 1.0))
    assert np.median(np.abs(beside_walls(bent.heights - truth))) > 0.4
    error = np.abs(beside_walls(upright.heights - truth))
    assert np.median(error) < 0.1
    assert error.max() < 0.25
    # What else is there is no worse for it.
    far = np.s_[2:11, 2:-2]
    rms = [float(np.sqrt(np.mean(np.square(found.heights[far])))) for found in (bent, upright)]
    assert rms[1] < 1.05 * rms[0]
    pulls = np.abs((upright.heights - truth) / upright.sigma)[2:-2, 2:-2]
    assert np.isfinite(pulls).mean() > 0.99
    assert np.nanmean(pulls < 2) > 0.9
