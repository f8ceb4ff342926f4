"""Time measurements of our stages, solvers and fusion on this machine, with others that do the same beside them."""
