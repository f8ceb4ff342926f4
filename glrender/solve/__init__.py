"""Robust non-linear least squares on the grid of a height map, in numpy, scipy and numba, without OpenGL.

`losses` and `priors` say what is minimised, a `problem` is both; `stencil` and `systems` hold the normal equations, of
a `patch` of the grid, or `bordered` by what every measurement feels; `linear` and `multigrid` solve them, the latter by
`coarsening`, `relaxation` and the conjugate gradients of `krylov`; `gauss_newton` iterates; `dissection` and
`marginals` say how certain the result is.
"""
