"""How many bytes each stage must move and how many floating-point operations it does, counted by formula.

**Bytes**: each array that a stage, or a pass that it is made of, reads or writes counts once, as if caches held
whatever is used again. Of the map, drawing counts the vertices that the image sees; the depth buffer has four bytes a
pixel. What a driver moves besides (clearing, tiles, copies of its own) does not count.

**Operations**: additions, multiplications, divisions and roots, as they stand in the loops and shaders that are named
beside each number. Comparisons, integers and addresses are free; of a rasteriser only its interpolation counts.

So both are what the work needs at least. A stage far below both of the machine's ceilings waits for something, or does
what is not counted.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glrender.bench.scene import Scene
from glrender.bench.stages import COMPACT, FULL, GPU, PLAIN, READ, RESIDUALS, STENCIL, TOTAL, UPLOAD
from glrender.geometry import se3
from glrender.gl.framebuffer import FORMATS
from glrender.render.layouts import FORWARD, VISIBILITY, compact_attachments, full_attachments


@dataclass(frozen=True)
class Work:
    """What a stage has to do."""

    bytes: float
    """Read and written."""
    flops: float
    """Floating-point operations."""

    def __add__(self, other: "Work") -> "Work":
        return Work(self.bytes + other.bytes, self.flops + other.flops)

    def __rmul__(self, times: float) -> "Work":
        return Work(times * self.bytes, times * self.flops)


@dataclass(frozen=True)
class Load:
    """How much there is of what the work is proportional to."""

    pixels: int
    """Pixels of the image, all of which see the map."""
    runs: int
    """Runs of neighbouring pixels in a row that see the same triangle."""
    drawn: int
    """Vertices that the image sees."""
    patch: int
    """Vertices of the smallest rectangle of the map that holds those: what fusion solves for."""
    vertices: int
    """Vertices of the whole map."""


def load_of(scene: Scene, triangles: NDArray[np.int32]) -> Load:
    """The load of a scene, from the triangle (height, width) that each of its pixels sees."""
    T_camera_world = se3.inverse(scene.T_world_camera)
    x, y, z = T_camera_world[:3, :3] @ scene.surface.vertices().T + T_camera_world[:3, 3:]
    camera, (height, width) = scene.camera, scene.camera.shape
    u, v = camera.fx * x / z + camera.cx, camera.fy * y / z + camera.cy
    seen = (z > 0) & (u >= -0.5) & (u <= width - 0.5) & (v >= -0.5) & (v <= height - 0.5)
    seen = seen.reshape(scene.surface.shape)
    runs = height + int(np.count_nonzero(np.diff(triangles.astype(np.int64), axis=1)))
    patch = _extent(seen.any(axis=1)) * _extent(seen.any(axis=0))
    return Load(triangles.size, runs, int(np.count_nonzero(seen)), patch, seen.size)


def _extent(seen: NDArray[np.bool_]) -> int:
    """From the first to the last that is seen of a row or column (n,), both counted."""
    places = np.flatnonzero(seen)
    return int(places[-1] - places[0] + 1) if places.size else 0


FRAME_CYCLES, FRAME_SWEEPS = 2, 2
"""Cycles of multigrid that a frame of fusion takes at most, and how many sweeps each has on its way down and up."""
SWEEPS = 4
"""Sweeps on each way of a cycle, unless said otherwise."""
DEPTH_BUFFER = 4
"""Bytes of a pixel in the depth buffer."""
TEXEL = 16
"""Bytes of a vertex in the map's texture."""
INDICES = 24
"""Bytes of the list of triangles, for each vertex."""


def _bytes(attachments: Mapping[str, str]) -> int:
    """Bytes that a pixel of a target with these attachments has."""
    formats = [FORMATS[name] for name in attachments.values()]
    return sum(each.channels * np.dtype(each.dtype).itemsize for each in formats)


_IMAGE, _VISIBLE = _bytes(FORWARD), _bytes(VISIBILITY)
_COMPACT, _FULL = _bytes(compact_attachments(3)), _bytes(full_attachments(3))

# A pixel's or vertex's operations. heightmap.vert: a row of quads has vertices of its own, so each of the map's is
# placed (2), turned into camera axes (18) and projected (8) twice. forward.frag: three colours and 1 / w interpolated
# as planes over the image (16), the reciprocal of the latter (1), and their products (3).
_VERTEX, _FORWARD_PIXEL = 2 * 28, 20
# render/scan.py: a vertex is placed (16) and projected (3); a triangle has three edges (27), a volume (5), a reciprocal
# and the plane of 1 / depth (10), and where the edges cross a row (9), on some two rows each; a pixel 1 / depth (2).
_SCANNED_VERTEX, _SCANNED_PIXEL = 19 + 2 * 51, 2
# _evaluate_rows of render/on_host.py, colour: ray 8, hit 15, m x 2, place in the triangle 4, colours 12, slopes 9,
# barycentrics 1; and what is made once a run: triangle 14, colours 13. compact.frag does both at each pixel.
_EVALUATED_PIXEL, _EVALUATED_RUN = 51, 27
# full.frag: as compact.frag, and products of b (12), the normal turned (15) and normalised (9).
_FULL_PIXEL = _EVALUATED_PIXEL + _EVALUATED_RUN + 36
# _depth_rows (8) and _color_rows (13) of assembly/robust.py with least squares.
_WEIGHED_PIXEL = 21
# _accumulate of assembly/stencil.py, colour: weights and slopes 22, barycentrics 8, eleven rows of four sums 88; and
# once a run 6 pairs of 5 sums and 3 vertices of 4.
_SUMMED_PIXEL, _SUMMED_RUN = 118, 42


# sweep of assembly/sweep.py with Cauchy's loss: ray 6, hit 6, place in the triangle 6, level 2, weight 11, pull 6,
# moments 16; of colours, residuals 20, weight 4, moments 29. A run: triangle 14, products of barycentrics and sums 22;
# of colours, differences 6 and sums 33.
_SWEPT_PIXEL, _SWEPT_RUN = 53, 36
_PAINTED_PIXEL, _PAINTED_RUN = 53, 39


def stage_work(load: Load, *, on_host: bool) -> dict[str, Work]:
    """The work on a coloured map, by stage; `on_host` says whether the compact layout is evaluated on the host.

    UPLOAD is of the whole map."""
    pixels, runs, drawn = load.pixels, load.runs, load.drawn
    placed = Work((TEXEL + INDICES) * drawn, _VERTEX * drawn)
    visible = placed + Work((_VISIBLE + DEPTH_BUFFER) * pixels, 0)
    scanned = _scanned(load)
    by_pixel = Work((_VISIBLE + _COMPACT) * pixels + TEXEL * drawn, (_EVALUATED_PIXEL + _EVALUATED_RUN) * pixels)
    by_run = Work(
        (_VISIBLE + _COMPACT) * pixels + TEXEL * drawn,
        _EVALUATED_PIXEL * pixels + _EVALUATED_RUN * runs,
    )
    # Prediction, measurement with sigma and mask; residuals and weights of depth and colours.
    weighed = (_IMAGE + 4 + 4 + 1 + 12) + (4 + 4 + 12 + 4)
    # Geometry, slopes, residuals and weights; four blocks of five numbers and four right-hand sides a vertex.
    summed, sums = 16 + 16 + 24, 8 * (4 * 5 + 4)
    work = {
        PLAIN: placed + Work((_IMAGE + DEPTH_BUFFER) * pixels, _FORWARD_PIXEL * pixels),
        COMPACT: scanned + by_run if on_host else visible + by_pixel,
        READ: Work(2 * _COMPACT * pixels, 0),
        RESIDUALS: Work(weighed * pixels, _WEIGHED_PIXEL * pixels),
        STENCIL: Work(summed * pixels + sums * load.vertices, _SUMMED_PIXEL * pixels + _SUMMED_RUN * runs),
        FULL: placed + Work((_FULL + DEPTH_BUFFER) * pixels + TEXEL * drawn, _FULL_PIXEL * pixels),
        # Heights and colours in double precision become texels, which are copied; heights are taken from their mean.
        UPLOAD: Work((32 + 3 * TEXEL) * load.vertices, 2 * load.vertices),
    }
    if on_host:
        del work[READ]
        work[GPU] = visible + by_pixel
    parts = [work[part] for part in (COMPACT, READ, RESIDUALS, STENCIL) if part in work]
    return work | {TOTAL: sum(parts, Work(0, 0))}


def _scanned(load: Load) -> Work:
    """Finding the triangle that each pixel sees on the host: heights in, ids and 1 / depth out."""
    return Work(
        4 * load.drawn + (_VISIBLE + 4) * load.pixels, _SCANNED_VERTEX * load.drawn + _SCANNED_PIXEL * load.pixels
    )


def frame_work(load: Load) -> dict[str, Work]:
    """The work of fusing a frame of depth and colour on the host, by stage; of the map only the patch that it sees.

    A frame is linearised twice: for its depths as it comes, and for depths and colours as it leaves the window.
    """
    pixels, runs, vertices = load.pixels, load.runs, load.patch
    seen = (_VISIBLE + 4) * pixels  # ids and 1 / depth
    depths = Work(
        seen + 8 * pixels + 4 * load.drawn + 8 * 5 * vertices, _SWEPT_PIXEL * pixels + _SWEPT_RUN * runs
    )  # depth and sigma; four couplings and a right-hand side
    colors = Work(12 * pixels + 12 * load.drawn + 8 * 7 * vertices, _PAINTED_PIXEL * pixels + _PAINTED_RUN * runs)
    # The memory of the patch is copied; the residual of its equations.
    total = Work(8 * 5 * 2 * vertices + 8 * 7 * vertices, 15 * vertices)
    # Colours: what the frame says is added, and there are two sweeps of Gauss-Seidel.
    relaxed = Work(8 * (3 * 7 + 2 * 10) * vertices, (7 + 2 * 3 * 14) * vertices)
    return {
        "normal_equations": 2 * (_scanned(load) + depths) + colors,
        "solve": total + multigrid_solve(vertices, FRAME_CYCLES, FRAME_SWEEPS) + relaxed,
    }


# Multigrid for heights alone, a vertex; grids of a quarter of the vertices each add a third.


def _iteration(sweeps: int) -> Work:
    """The work a vertex of a cycle and of the conjugate gradients around it."""
    # With n sweeps the way down (29 bytes, 17 n + 2 operations) and up (33, 17 n + 3) by solve/relaxation.py. By
    # solve/krylov.py: multiply 56 and 16, project 20 and 4, turn 20 and 2, advance 48 and 4, hand_over 20 and 3.
    return (4 / 3) * Work(62, 34 * sweeps + 5) + Work(164, 29)


# To begin with: residual 56 and 14, hand_over twice.
_START = Work(96, 20)
# solve/coarsening.py: the matrix laid out (96), searched (40 and 6), and on each grid halved in precision (52 and 1)
# and made coarser (48 and 13).
_SETUP = Work(136, 6) + (4 / 3) * Work(100, 14)


def multigrid_setup(vertices: int) -> Work:
    """Making the hierarchy for a map of so many vertices."""
    return vertices * _SETUP


def multigrid_solve(vertices: int, iterations: int, sweeps: int = SWEEPS) -> Work:
    """Set-up and so many iterations with so many sweeps each way."""
    return vertices * (_SETUP + _START + iterations * _iteration(sweeps))
