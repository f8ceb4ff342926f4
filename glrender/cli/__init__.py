"""The command line: a verb a file, all of them reached by `main`.

The verbs are `info`, `simulate`, `convert`, `fuse` (with `fuse_summary` and `fuse_warnings`), `fit`, `eval` (with
`eval_tables`), `layers`, `view`, `batch` and `bench`. They share `options`, what is said of wrong ones (`complaints`),
`progress` bars, and how a process keeps its `memory`.
"""
