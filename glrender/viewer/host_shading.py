"""A shaded map by compiled loops, for contexts in which the processor draws anyway: what shaders/shaded.frag shows.

The wireframe is left to the shader. From the triangle that each pixel sees to bytes for the screen in one sweep: no
derivative is made that nobody looks at, no pass goes over the screen, and sRGB comes from a table.
"""

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numba import njit
from numpy.typing import NDArray

from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.io.color import linear_to_bytes, srgb_to_linear
from glrender.parallel import even_parts, run_parts
from glrender.recycle import Recycler
from glrender.render.forward import NEAR
from glrender.render.ray import Eye, eye_over, hit, triangle_of
from glrender.render.scan import ScanConverter
from glrender.render.surface import UNSEEN, HostSurface
from glrender.viewer.colors import lookup_table
from glrender.viewer.screen import BACKGROUND
from glrender.viewer.shading import AMBIENT, DIFFUSE_GAIN, NO_VALUE, Look, details, light_direction

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
UInt8 = NDArray[np.uint8]

_PARTS = 4096
"""Steps of the table that takes linear colours from 0 to 1 to sRGB bytes."""
_SRGB = linear_to_bytes(np.arange(_PARTS + 1, dtype=np.float32) / _PARTS)


@dataclass(frozen=True, eq=False)
class Canvas:
    """What has been shaded so far: of several surfaces, each pixel has the nearest."""

    colors: UInt8
    """(height, width, 4) sRGB bytes, rows upwards as the screen's."""
    depth: Float32
    """(height, width, 1) metres, rows downwards; 0 where nothing is seen."""

    @staticmethod
    def clear(size: tuple[int, int], recycler: Recycler) -> "Canvas":
        """One of (width, height) pixels that shows nothing."""
        width, height = size
        colors = recycler.empty((height, width, 4), np.uint8)
        colors.view(np.uint32)[:] = np.array((*BACKGROUND, 255), np.uint8).view(np.uint32)
        return Canvas(colors, recycler.zeros((height, width, 1), np.float32))


class HostShading:
    """Shades one surface again and again."""

    def __init__(self) -> None:
        self._scanner = ScanConverter()
        self._on_host: HostSurface | None = None
        self._values: Float64 | None = None

    def shade(self, surface: HeightMap, camera: Camera, T_world_camera: Float64, look: Look, canvas: Canvas) -> None:
        """Put a surface onto the canvas, which has the camera's size."""
        assert not look.wireframe
        if self._on_host is None or self._on_host.surface is not surface or self._values is not look.values:
            self._on_host, self._values = HostSurface.of(surface), look.values
            self._details = details(surface, look.values)
        on_host = self._on_host
        eye = eye_over(surface, camera, T_world_camera, on_host.height_origin)
        triangles, _ = self._scanner.scan(on_host.heights, camera, eye, NEAR)
        arguments = triangles, on_host.heights, on_host.texels, self._details, eye, _Look.of(look)
        run_parts(_shade_rows, even_parts(camera.height), *arguments, canvas.colors, canvas.depth)


class _Look(NamedTuple):
    """A `Look` as compiled loops take it."""

    false_colors: bool
    """Whether values are shown, not the map's own colours."""
    palette: Float64
    """(entries + 1, 3) linear colours of values from low to high, and that of no value."""
    low: float
    high: float
    logarithmic: bool
    lit: bool
    light: tuple[float, float, float]
    """The unit vector towards the light, map axes."""

    @classmethod
    def of(cls, look: Look) -> Self:
        return cls(
            false_colors=look.values is not None,
            palette=np.vstack([srgb_to_linear(lookup_table(look.colormap)), NO_VALUE]),
            low=look.scale.low,
            high=look.scale.high,
            logarithmic=look.scale.mode == 1,
            lit=look.light is not None,
            light=(0.0, 0.0, 0.0) if look.light is None else light_direction(*look.light),
        )


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _palette_entry(value: float, look: _Look) -> int:
    """Where in the palette the colour of a value is."""
    entries = len(look.palette) - 1
    if not value < 1e-6 * UNSEEN:
        return entries
    if look.logarithmic:
        place = np.log(max(value, 1e-30) / look.low) / np.log(look.high / look.low)
    else:
        place = (value - look.low) / (look.high - look.low)
    return min(int(min(max(place, 0.0), 1.0) * entries), entries - 1)


@njit(cache=True, nogil=True, error_model="numpy")
def _shade_rows(
    triangles: NDArray[np.uint32],
    heights: Float32,
    texels: Float32,
    details: Float32,
    eye: Eye,
    look: _Look,
    colors: UInt8,
    depths: Float32,
    first: int,
    last: int,
) -> None:
    R, light = eye.R_grid_camera, look.light
    for v in range(first, last):
        row, ry = len(colors) - 1 - v, (v - eye.cy) / eye.fy
        x0, y0, z0 = R[0, 1] * ry + R[0, 2], R[1, 1] * ry + R[1, 2], R[2, 1] * ry + R[2, 2]
        u = 0
        while u < triangles.shape[1]:
            visible = triangles[v, u]
            if visible == 0:
                u += 1
                continue
            t = triangle_of(heights, visible, eye)
            i, j, side = t.row, t.column, t.side
            while u < triangles.shape[1] and triangles[v, u] == visible:
                rx = (u - eye.cx) / eye.fx
                h = hit(t, eye.spacing, R[0, 0] * rx + x0, R[1, 0] * rx + y0, R[2, 0] * rx + z0)
                k = u
                u += 1
                if depths[v, k, 0] > 0 and depths[v, k, 0] <= h.depth:
                    continue
                b1, b2 = h.along_x, h.along_y
                b0 = 1.0 - b1 - b2
                if look.false_colors:
                    value = b0 * details[i, j, 2] + b1 * details[i, j + side, 2] + b2 * details[i + side, j, 2]
                    entry = _palette_entry(value, look)
                    red, green, blue = look.palette[entry, 0], look.palette[entry, 1], look.palette[entry, 2]
                else:
                    red = b0 * texels[i, j, 1] + b1 * texels[i, j + side, 1] + b2 * texels[i + side, j, 1]
                    green = b0 * texels[i, j, 2] + b1 * texels[i, j + side, 2] + b2 * texels[i + side, j, 2]
                    blue = b0 * texels[i, j, 3] + b1 * texels[i, j + side, 3] + b2 * texels[i + side, j, 3]
                if look.lit:
                    slope_x = b0 * details[i, j, 0] + b1 * details[i, j + side, 0] + b2 * details[i + side, j, 0]
                    slope_y = b0 * details[i, j, 1] + b1 * details[i, j + side, 1] + b2 * details[i + side, j, 1]
                    towards_light = light[2] - slope_x * light[0] - slope_y * light[1]
                    shade = towards_light / np.sqrt(1.0 + slope_x * slope_x + slope_y * slope_y)
                    factor = AMBIENT + (1.0 - AMBIENT) * max(shade, 0.0) * DIFFUSE_GAIN
                    red, green, blue = factor * red, factor * green, factor * blue
                colors[row, k, 0] = _SRGB[int(min(max(red, 0.0), 1.0) * _PARTS)]
                colors[row, k, 1] = _SRGB[int(min(max(green, 0.0), 1.0) * _PARTS)]
                colors[row, k, 2] = _SRGB[int(min(max(blue, 0.0), 1.0) * _PARTS)]
                depths[v, k, 0] = h.depth
