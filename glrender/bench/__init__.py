"""Time measurements of our stages, solvers and fusion on this machine, with others that do the same beside them.

`benchmark` measures what is asked for, and `printing` prints it. It has four parts, each with its own tables:
`stage_benchmark` times our `stages` (`stage_tables`), `solver_benchmark` our `solvers` (`solver_tables`),
`fusion_benchmark` fusion, also of an `aging` map (`fusion_tables`), and `batch_benchmark` a view and the `batch_rates`
of many (`batch_tables`); `tables` has what the tables share. What is timed takes turns by `timing`, on a `scene` that a
formula gives or on the frames of a `recording`.

`peers` are others' programs, timed beside ours: `peer_deodr`, `peer_mitsuba`, `peer_open3d`, `peer_pardiso`,
`peer_pyamg` and `peer_pyrender`; differentiable renderers must give our `gradient`. `work` counts what each stage has
to move and to compute, `ceilings` measures what the machine can, and `roofline`, with its `roofline_plot`, compares the
two. NOTES.md says what was tried.
"""
