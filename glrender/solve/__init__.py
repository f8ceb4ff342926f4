"""Robust non-linear least squares on the grid of a height map, in numpy, scipy and numba, without OpenGL.

- **What is minimised**: a `problem`, made of robust `losses` and `priors`; `gauss_newton` goes down its cost.
- **Normal equations**: `systems`, whose matrix is a `stencil` of small blocks, of the whole grid or of a `patch` of it;
  `bordered` by a few unknowns that every measurement feels.
- **Solvers**: `linear` has those for any such system. `multigrid` is made for the grid: `coarsening` makes its levels,
  `relaxation` works on each, and the conjugate gradients of `krylov` go around it.
- **Uncertainty**: `marginals` are the variances, by a Cholesky factorisation in the order of nested `dissection`.
"""
