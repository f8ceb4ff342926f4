"""Where a robot can drive: the same ground, seen ever less well, for a rover whose wheels climb 3 cm.

`terrain_layers` asks of every place what the robot would feel there: how far it tilts on the plane under its footprint,
and how high a step its wheels meet once that tilt is taken off. σ says how sure the answer is: an obstacle exceeds a
limit with 95 % probability, free ground keeps all limits with 95 %, and the rest is unknown (grey). Noise alone is no
obstacle, and a place beside what nobody has seen is not free.

The truth is known here, so one can count how much of what is found free is free indeed.
"""

from pathlib import Path

import numpy as np
from panels import parse_out, save

import glrender as gr
from glrender.geometry.terrain_layers import FREE, OBSTACLE
from glrender.io.figure import new_figure
from glrender.io.layers_picture import draw_occupancy
from glrender.simulate.elevation import read_elevation
from glrender.simulate.terrain import make_terrain

SPACING = 0.02  # metres
ROVER = gr.Robot(max_step=0.03, max_slope=20.0, wheel_diameter=0.12, footprint_radius=0.2)


def main(out: Path) -> None:
    rng = np.random.default_rng(0)
    hills = make_terrain(read_elevation("builtin"), size=(5.0, 5.0), relief=0.3, spacing=SPACING)
    heights = hills.heights.copy()
    heights[:100] += 0.10  # a kerb from west to east
    for i, j in rng.integers(10, 240, (60, 2)):
        heights[i : i + 3, j : j + 4] += rng.uniform(0.02, 0.12)  # stones
    passable = gr.terrain_layers(gr.HeightMap(heights, SPACING), ROVER).obstacle_probability < 0.5

    print("sigma [mm]    free  obstacles  unknown  free is free  obstacles are")
    found = {}
    for sigma in (0.001, 0.004, 0.008):
        seen = heights + rng.normal(scale=sigma, size=heights.shape)
        seen[150:190, 40:100] = np.nan  # nobody looked here
        surface = gr.HeightMap(seen, SPACING, sigma=np.full(seen.shape, sigma))
        found[sigma] = layers = gr.terrain_layers(surface, ROVER)
        free, obstacle = layers.occupancy == FREE, layers.occupancy == OBSTACLE
        right = passable[free].mean(), 1 - passable[obstacle].mean()
        shares = free.mean(), obstacle.mean(), 1 - free.mean() - obstacle.mean()
        print(f"{1000 * sigma:10.0f}{shares[0]:8.1%}{shares[1]:11.1%}{shares[2]:9.1%}{right[0]:14.1%}{right[1]:15.1%}")

    figure = new_figure(21, 7, "Where to drive, by how well the ground was seen")
    for axes, (sigma, layers) in zip(figure.subplots(1, len(found)), found.items(), strict=True):
        draw_occupancy(axes, layers)
        axes.set_title(f"σ = {1000 * sigma:g} mm", fontsize=11, loc="left")
    save(out / "05_where_to_drive.png", figure)


if __name__ == "__main__":
    main(parse_out("Free ground, obstacles and what is not known, by how well the ground was seen."))
