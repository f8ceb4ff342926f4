"""Time measurements of our stages, solvers and fusion on this machine, with others that do the same beside them.

`benchmark` measures what is asked for, `printing` tells it. By part: `stage_benchmark` times `stages` (`stage_tables`),
`solver_benchmark` times `solvers` (`solver_tables`), `fusion_benchmark` fusion and its `aging` (`fusion_tables`), and
`batch_benchmark` a view and `batch_rates` (`batch_tables`); `tables` has what these tables share. All take turns by
`timing`, on a `scene` or a `recording`.

`peers` are timed beside ours: `peer_deodr`, `peer_mitsuba`, `peer_open3d`, `peer_pardiso`, `peer_pyamg` and
`peer_pyrender`; a `gradient` is what they are compared by. `work` counts what each stage has to move and to compute,
`ceilings` what the machine can, and `roofline`, with its `roofline_plot`, holds one against the other. NOTES.md says
what was tried.
"""
