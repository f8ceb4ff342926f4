"""What there is in space, in numpy and numba alone: rigid motions, cameras, height maps, and what follows from them.

`se3` has transformations and twists; `camera` and `heightmap` describe what is rendered, and `mapfile` keeps maps on
file. `sampling` reads heights between vertices, `level_map` along the world's axes; `terrain_layers`, by the loops of
`terrain_loops`, says where a robot can drive. `intensity` and `row_motion` are about photographs,
`trajectory_alignment` and `visiting_order` about where a camera was, and when.
"""
