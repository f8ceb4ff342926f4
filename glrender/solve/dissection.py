"""The order in which the vertices of a grid are eliminated: nested dissection.

A line of vertices across a rectangle separates its two halves, because a vertex is coupled to its neighbours only.
The halves are eliminated first, each by itself and dissected likewise, then the line. That keeps the factor of an
n x n grid at O(n² log n) numbers and its computation at O(n³) operations, the least that is possible.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Region:
    """A rectangle of vertices, numbered row by row over the whole grid."""

    own: Indices
    """The vertices that are eliminated here: the line between the children, or all of a rectangle without children."""
    border: Indices
    """The vertices around the rectangle: eliminated later, and coupled to each other by this elimination."""
    children: tuple["Region", ...]
    """The two halves. The border of each is part of this region's own and border."""


def dissect(rows: int, cols: int, leaf: int) -> Region:
    """The whole grid, down to rectangles of at most `leaf` vertices."""
    vertex = np.arange(rows * cols).reshape(rows, cols)

    def region(top: int, bottom: int, left: int, right: int) -> Region:
        height, width = bottom - top, right - left
        # Of the four corners outside, the stencil reaches the upper right and the lower left one.
        above, below = max(top - 1, 0), bottom + 1
        before, after = max(left - 1, 0), right + 1
        border = np.concatenate([
            vertex[above:top, left:after].ravel(),
            vertex[top:bottom, before:left].ravel(),
            vertex[top:bottom, right:after].ravel(),
            vertex[bottom:below, before:right].ravel(),
        ])  # fmt: skip
        if height * width <= leaf or max(height, width) < 3:
            return Region(vertex[top:bottom, left:right].ravel(), border, ())
        if height >= width:
            middle = (top + bottom) // 2
            halves = region(top, middle, left, right), region(middle + 1, bottom, left, right)
            return Region(vertex[middle, left:right], border, halves)
        middle = (left + right) // 2
        halves = region(top, bottom, left, middle), region(top, bottom, middle + 1, right)
        return Region(vertex[top:bottom, middle], border, halves)

    return region(0, rows, 0, cols)
