"""Time measurements of our stages, solvers and fusion on this machine, with others that do the same beside them.

`benchmark` measures what is asked for, `printing` tells it. `stages`, `solvers`, `fusion_benchmark` and `batch_rates`
have what is timed, `peers` who is timed beside it; all take turns by `timing`. `work` counts what each has to move and
to compute, and `roofline` holds that against what the machine can do. NOTES.md says what was tried.
"""
