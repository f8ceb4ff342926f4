"""A Jacobian and its pattern, and a height map that is fitted with it to one depth image.

Upper row, on a map coarse enough to see it all. A pixel sees one triangle, so its row of the Jacobian J has three
entries, one for each vertex of that. A column is a picture: what one vertex does to the image, a hat over the six
triangles around it. So in JᵀJ a vertex meets itself and six neighbours and nothing else, on any map: that is seven
diagonals, or a stencil of seven points on the grid, which is how the solver keeps it.

Lower row, on a finer map. All that is given is one noisy depth image, and the heights that explain it are sought.
Gauss-Newton renders what it has, compares, and solves the normal equations JᵀWJ dx = JᵀWr for the next step. All that
it must be told is the cost and the normal equations at any heights x: the class `DepthFit`.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from panels import parse_out, save, show_pattern, show_values

import glrender as gr
from glrender.assembly.residuals import Measurements, Residuals, weigh
from glrender.assembly.stencil import normal_equations
from glrender.geometry import se3
from glrender.io.figure import new_figure
from glrender.simulate.elevation import read_elevation
from glrender.simulate.terrain import make_terrain
from glrender.solve.gauss_newton import GaussNewton, StoppingRule
from glrender.solve.priors import SmoothnessPrior
from glrender.solve.problem import WithPriors
from glrender.solve.systems import NormalEquations

NOISE = 0.002  # standard deviation of the depth image, metres
T_WORLD_CAMERA = se3.look_at(eye=(0.0, -0.2, 1.25), target=(0.0, 0.0, 0.15))


@dataclass
class DepthFit:
    """Half the sum of squared depth residuals, over their variance, as a function of the heights x (rows, cols, 1)."""

    renderer: gr.DerivativeRenderer
    grid: gr.HeightMap
    measurements: Measurements

    def cost(self, x: np.ndarray) -> float:
        return self.compare(x)[1].cost

    def linearize(self, x: np.ndarray) -> NormalEquations:
        return normal_equations(*self.compare(x))

    def compare(self, x: np.ndarray) -> tuple[gr.DerivativeBuffers, Residuals]:
        buffers = self.renderer.render(self.grid.with_values(x[..., 0]), T_WORLD_CAMERA, pose=False, edges=False)
        return buffers, weigh(buffers, self.measurements)


def main(out: Path) -> None:
    truth = make_terrain(read_elevation("builtin"), size=(1.8, 1.4), relief=0.15, spacing=0.04)
    coarse = gr.HeightMap(truth.heights[::5, ::5], 5 * truth.spacing, truth.origin)
    camera = gr.Camera(width=160, height=120, fx=140.0, fy=140.0, cx=79.5, cy=59.5)
    small = gr.Camera(width=40, height=30, fx=35.0, fy=35.0, cx=19.5, cy=14.5)
    start = np.full((*truth.shape, 1), 0.075)

    with gr.Context() as context:
        J = gr.DerivativeRenderer(context, small).render(coarse, T_WORLD_CAMERA).jacobian("depth", "height")
        renderer = gr.DerivativeRenderer(context, camera)
        depth = renderer.render(truth, T_WORLD_CAMERA).depth
        depth = depth + NOISE * np.random.default_rng(0).standard_normal(depth.shape)
        fit = DepthFit(renderer, truth, Measurements(depth=depth, depth_sigma=NOISE))
        # A weak prior for what the image does not see: neighbours differ by 10 cm, more or less.
        problem = WithPriors(fit, [SmoothnessPrior(height_sigma=0.1)])
        result = GaussNewton(stopping=StoppingRule(cost_tolerance=1e-5)).minimize(problem, start)
        information = fit.linearize(result.x).diagonal()[..., 0]  # the data's alone

    print(result.table())
    seen = np.where(information > 4 / NOISE**2, 1, np.nan)  # as well as by four readings of the height itself
    before, after = seen * start[..., 0], seen * result.x[..., 0]
    rmse = [1000 * np.sqrt(np.nanmean((heights - truth.heights) ** 2)) for heights in (before, after)]
    print(f"{np.isfinite(seen).mean():.0%} of the heights seen: RMSE {rmse[0]:.2f} mm before, {rmse[1]:.2f} mm after")

    figure = new_figure(17, 7.2, "A sparse Jacobian, and what Gauss-Newton does with it")
    panels = figure.subplot_mosaic([["J", "column", "JTJ", "row"], ["depth", "before", "after", "error"]])
    JTJ, vertex = J.T @ J, 44  # near the middle
    column, row = J[:, [vertex]].toarray(), JTJ[[vertex]].toarray()
    show_pattern(panels["J"], J, "J", "pixel", "vertex")
    show_pattern(panels["JTJ"], JTJ, "JᵀJ", "vertex", "vertex")
    show_values(panels["column"], column.reshape(small.shape), f"column {vertex} of J, as an image", "m/m")
    show_values(panels["row"], row.reshape(coarse.shape), f"row {vertex} of JᵀJ, on the map", "m²/m²", surface=coarse)

    limits = (0.0, 0.15)
    show_values(panels["depth"], depth, "given: one depth image", "m", limits=(depth.min(), depth.max()))
    show_values(panels["before"], before, f"heights before: RMSE {rmse[0]:.0f} mm", "m", limits=limits, surface=truth)
    show_values(panels["after"], after, f"heights after: RMSE {rmse[1]:.2f} mm", "m", limits=limits, surface=truth)
    show_values(panels["error"], 1000 * (after - truth.heights), "after minus truth", "mm", surface=truth)
    save(out / "02_jacobian_and_height_fit.png", figure)


if __name__ == "__main__":
    main(parse_out("A Jacobian's pattern, and a height map fitted to one depth image."))
