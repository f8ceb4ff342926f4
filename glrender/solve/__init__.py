"""Robust non-linear least squares on the grid of a height map, in numpy, scipy and numba, without OpenGL.

`losses` and `priors` say what is minimised; `stencil` and `systems` hold the normal equations; `linear` and
`multigrid` solve them; `gauss_newton` iterates; `dissection` and `marginals` say how certain the result is.
"""
