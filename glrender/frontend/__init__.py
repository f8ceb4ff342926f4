"""From photographs to what fusion needs: where the camera was, and how far away what it saw is.

Following a camera, frame by frame:

- `tracker` aligns each frame with the `keyframes` before it, and finds it by `features` where it is lost;
  `trajectory_log` knows where all frames were. `bootstrap` makes the start, by the `plane_motion` of the first frames.
- `alignment` is Gauss-Newton on intensities, coarse to fine over a `pyramid`. A frame is aligned with each `reference`:
  pixels with `texture` whose depth is known, by `level_ground` or by the `rendered_depth` of a map; a `reference_store`
  keeps them. `warp` looks points up in the frame, `residuals` are the differences, a `comparison` has those of all
  references at once, and `normal_equations` give the step.
- `point_window` adjusts the newest keyframes together, in a world levelled by the `planes` through their points.

Refining many poses together:

- `refine_poses` looks for `point_matches` in the `pose_pairs`, photographs whose `overlap` is large, and makes a
  `bundle_adjustment` of them: a `point_term` for the points of each photograph, over the `pose_blocks` of all.
- It also tells what is wrong beside the poses: a `mount`, the `focal` length, and as an `estimate` each a rolling
  shutter, by `camera_rates`, and the lens. What stays uncertain are `ground_errors`, and `lasting_errors` of the poses
  that were given.

Depth from motion:

- `depth_from_motion` compares a `photograph` with its `sources`, between the depths that a `search` asks for. It gives
  a `motion_depth`, which a `cross_check` holds against those of its neighbours.
- It makes a plane `sweep`, coarse to fine over `sweep_levels`, chooses by `semi_global` matching, and goes on to
  fractions of a pixel by `refine`. On a GPU the sweep is a `sweep_compute` shader, or a `sweep_pass` where there are no
  compute shaders; both are a `sweep_shader`.
"""
