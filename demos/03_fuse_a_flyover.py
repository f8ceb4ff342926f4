"""A flight over real terrain, fused frame by frame into a height map that knows how far off it is.

A camera flies in lanes over two metres of hills, matplotlib's elevation model of them, and measures colour and depth,
both with noise. `HeightMapFusion.integrate` takes a frame with its pose, and keeps nothing that grows with the length
of the flight. `map()` gives the best heights and colours so far and, vertex by vertex, the standard deviation σ of the
height; what nobody has seen well enough is NaN (grey), such as the far sides of the ridges after one frame.

The truth is known here, so one can see whether σ is honest: whether 68 % of the heights lie within 1 σ of the truth
and 95 % within 2 σ, and the errors divided by σ follow the normal distribution. σ is smallest where most frames looked.
"""

from pathlib import Path

import numpy as np
from panels import parse_out, save, show_against_normal, show_image, show_values

import glrender as gr
from glrender.io.figure import new_figure
from glrender.simulate.elevation import read_elevation
from glrender.simulate.noise import NoiseModel, NoiseSource
from glrender.simulate.path import make_path
from glrender.simulate.scene import with_texture
from glrender.simulate.terrain import make_terrain

SPACING = 0.02  # of the map, metres
NOISE = NoiseModel(image=3.0, depth_constant=0.001, depth_quadratic=0.0015)  # grey levels; metres, 1/metres


def main(out: Path) -> None:
    terrain = make_terrain(read_elevation("builtin"), size=(2.0, 2.0), relief=0.25, spacing=SPACING)
    surface, truth = with_texture(terrain, detail=4, rng=np.random.default_rng(0))  # colours 4 times finer than heights
    camera = gr.Camera(width=320, height=240, fx=280.0, fy=280.0, cx=159.5, cy=119.5)
    poses = make_path("flyover", terrain, camera, frames=20)
    noise = NoiseSource(NOISE, np.random.SeedSequence(0))
    x, y = terrain.axes()
    options = gr.FusionOptions(depth_noise=gr.DepthNoise(NOISE.depth_constant, NOISE.depth_quadratic))
    estimates = {}  # by the number of frames that went in

    with gr.Context() as context:
        drone = gr.ForwardRenderer(context, camera)
        fusion = gr.HeightMapFusion(context, camera, SPACING, (x[0], x[-1], y[0], y[-1]), options=options)
        for frames, T_world_camera in enumerate(poses, start=1):
            view = drone.render(surface, T_world_camera)
            image, depth = noise.image(view.image), noise.depth(view.depth)
            fusion.integrate(T_world_camera, image=image, depth=depth)
            if frames == 1:
                first = np.where(view.depth[..., None] > 0, image, np.nan)
            if frames in (1, 5, len(poses)):
                estimates[frames] = fusion.map()

    print("frames  heights known  RMSE [mm]  median σ [mm]  within 1 σ  within 2 σ")
    for frames, estimate in estimates.items():
        known, error = np.isfinite(estimate.heights), estimate.heights - truth.heights
        rmse, sigma = 1000 * np.sqrt(np.nanmean(error**2)), 1000 * np.nanmedian(estimate.sigma)
        ratio = (error / estimate.sigma)[known]
        shares = [np.mean(np.abs(ratio) < k) for k in (1, 2)]
        print(f"{frames:6d}{known.mean():15.1%}{rmse:11.2f}{sigma:15.2f}{shares[0]:12.1%}{shares[1]:12.1%}")

    figure = new_figure(17, 8.2, "A flight, fused into a height map")
    panels = figure.subplot_mosaic([["frame", *estimates], ["colors", "sigma", "error", "ratio"]])
    show_image(panels["frame"], first, "the first frame")
    for frames, estimate in estimates.items():
        title = f"heights after {frames} of {len(poses)} frames"
        show_values(panels[frames], estimate.heights, title, "m", limits=(-0.01, 0.26), surface=truth)
    show_image(panels["colors"], estimate.colors, "colours", surface=truth)
    show_values(panels["sigma"], 1000 * estimate.sigma, "σ of the heights", "mm", limits=(0, 1.5), surface=truth)
    show_values(panels["error"], 1000 * error, "error: heights minus truth", "mm", limits=(-1.5, 1.5), surface=truth)
    show_against_normal(panels["ratio"], ratio, "is σ honest?", "error / σ")
    save(out / "03_fuse_a_flyover.png", figure)


if __name__ == "__main__":
    main(parse_out("A simulated fly-over, fused into a height map."))
