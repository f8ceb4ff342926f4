"""Two triangles with one raised vertex, and how every pixel changes with it.

The smallest height map has 2 x 2 vertices: one quad, cut along its diagonal into two triangles. The raised vertex
(ringed) is an end of that diagonal, so it belongs to both. One drawing gives, for every pixel that sees the map:

- the image and its depth, which is the camera's z and not the distance along the ray;
- how both change when the vertex rises by h: most where it is, not at all on the two edges that do not touch it.
  Depth falls, since the ground comes nearer. Red changes although nothing is repainted: the ray meets another place;
- how depth changes when the points move by v + ω × X in the camera frame (x right, y down, z forward), that is, with
  the camera's pose.

Central differences, for which the scene is drawn twice for each of these directions, say that all of it is right.
"""

from pathlib import Path

import numpy as np
from panels import parse_out, save, show_image, show_values

import glrender as gr
from glrender.geometry import se3
from glrender.io.figure import new_figure

DIRECTIONS = {"v_x": "m", "v_y": "m", "v_z": "m", "ω_x": "rad", "ω_y": "rad", "ω_z": "rad", "h": "m"}
STEP = 1e-3  # of the central differences, in these units
RAISED = np.array([[0.0, 0.0], [1.0, 0.0]])  # which of the four vertices
VERTEX = 2  # the same, counted row by row


def main(out: Path) -> None:
    colors = np.array([[(0.9, 0.1, 0.0), (0.0, 0.2, 0.9)], [(0.9, 0.8, 0.0), (0.0, 0.7, 0.2)]])
    surface = gr.HeightMap(0.4 * RAISED, spacing=1.0, colors=colors)
    camera = gr.Camera(width=320, height=240, fx=300.0, fy=300.0, cx=159.5, cy=119.5)
    T_world_camera = se3.look_at(eye=(0.8, -0.45, 1.55), target=(0.52, 0.52, 0.1))

    with gr.Context() as context:
        renderer = gr.DerivativeRenderer(context, camera)
        buffers = renderer.render(surface, T_world_camera)

        def moved(step: np.ndarray) -> gr.DerivativeBuffers:
            """The scene after a step along (v, ω, h)."""
            risen = surface.with_values(surface.heights + step[6] * RAISED, surface.colors)
            return renderer.render(risen, T_world_camera @ se3.exp(-step[:6]))

        pairs = [(moved(step), moved(-step)) for step in STEP * np.eye(7)]

    # Where a step brings another triangle before a pixel, what is rendered jumps, and a difference says nothing.
    same = buffers.visible & np.all([b.triangle_ids == buffers.triangle_ids for pair in pairs for b in pair], axis=0)
    print(f"central differences at {same.sum() / buffers.visible.sum():.1%} of the pixels that see the map:")
    derivatives = {}
    for of in ("depth", "image"):
        by_pose, by_height = buffers.jacobian(of, "pose"), buffers.jacobian(of, "height").toarray()[:, [VERTEX]]
        derivatives[of] = np.hstack([by_pose, by_height]).reshape(*camera.shape, -1, 7)  # (height, width, C, 7)
        differences = np.stack([getattr(a, of) - getattr(b, of) for a, b in pairs], axis=-1) / (2 * STEP)
        error = np.abs(derivatives[of] - differences.reshape(derivatives[of].shape))
        print(f"derivatives of {of}: up to {np.abs(derivatives[of]).max():.2f}, off by at most {error[same].max():.1e}")

    figure = new_figure(17, 5.4, "Two triangles, as one camera sees them, and their derivatives")
    panels = figure.subplot_mosaic([["image", "depth", "v_x", "v_y", "v_z"], ["h", "red", "ω_x", "ω_y", "ω_z"]])
    hidden = np.where(buffers.visible, 0, np.nan)
    show_image(panels["image"], buffers.image + hidden[..., None], "image")
    near, far = buffers.depth[buffers.visible].min(), buffers.depth.max()
    show_values(panels["depth"], buffers.depth + hidden, "depth", "m", limits=(near, far))
    for k, (name, unit) in enumerate(DIRECTIONS.items()):
        show_values(panels[name], derivatives["depth"][..., 0, k] + hidden, f"∂depth/∂${name}$", f"m/{unit}")
    show_values(panels["red"], derivatives["image"][..., 0, 6] + hidden, "∂red/∂$h$", "1/m")
    ring = camera.project(se3.inverse(T_world_camera)[:3] @ [*surface.vertices()[VERTEX], 1.0])
    for axes in panels.values():
        axes.plot(*ring, "o", mfc="none", mec="0.2", ms=9)
    save(out / "01_triangle_and_its_derivatives.png", figure)


if __name__ == "__main__":
    main(parse_out("Two triangles and their derivatives, as pictures."))
