"""The command line: a verb a file, all of them reached by `main`.

They are `info`, `simulate`, `convert`, `fuse` (`fuse_summary`, `fuse_warnings`), `fit`, `eval` (`eval_tables`),
`layers`, `view`, `batch` and `bench`. They share `options`, `complaints` about these, `progress`, and how a command's
process keeps its `memory`.
"""
