"""From photographs to what fusion needs: where the camera was, and how far away what it saw is.

- **Following a camera.** `bootstrap` begins with the `plane_motion` of the first frames; `tracker` aligns all others,
  by `alignment`, with its `keyframes`, or finds them by `features`, and `trajectory_log` keeps where they were. A
  `reference` has the depth that `level_ground` or the `rendered_depth` of a map gives it, kept in a `reference_store`,
  and the `texture` worth comparing at each level of a `pyramid`; `residuals` differ by what `warp` looks up,
  `normal_equations` sum them up, a `comparison` does all of that at once; a `point_window` adjusts the newest keyframes
  together, in a world levelled by the `planes` through what they show.
- **Many poses at once.** `refine_poses` is a `bundle_adjustment` of `point_matches` in the `pose_pairs` whose `overlap`
  is large, a `point_term` for each anchor, over `pose_blocks`; what it leaves uncertain is `ground_errors`, with the
  `lasting_errors` of poses that were given. Besides, it tells a `mount`, an `estimate` each of a shutter's readout
  (by `camera_rates`) and of what the lens bends otherwise, and whether the `focal` length is as said.
- **Depth.** `depth_from_motion` compares a `photograph` with its `sources` where a `search` says: a `sweep`, on a GPU
  a `sweep_shader`, `sweep_compute` or (where it has no compute shaders) `sweep_pass`, over `sweep_levels`,
  `semi_global` choices, `refine` for fractions, a `motion_depth` as the result, and a `cross_check` with those of
  neighbours.
"""
