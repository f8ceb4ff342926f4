"""The map to look at: its own colours or false ones, lit, with a wireframe; from what the derivative pass has made."""

import math
from dataclasses import dataclass

import moderngl
import numpy as np
from numpy.typing import ArrayLike, NDArray

from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.render.surface import UNSEEN
from glrender.viewer.colors import Scale
from glrender.viewer.programs import ScreenPrograms
from glrender.viewer.screen import Screen
from glrender.viewer.slopes import slopes

Float64 = NDArray[np.float64]

AMBIENT = 0.25
"""Share of the light that comes from everywhere."""
DIFFUSE_GAIN = 1.25
"""Factor on the rest of the light, so that a surface that faces it is shown somewhat brighter than its colour."""

NO_VALUE = (0.42, 0.42, 0.42)
"""Linear colour of a surface where a layer has no value."""

_UNITS = {"image": 0, "geometry": 1, "details": 2, "colormap": 3}


@dataclass(frozen=True, eq=False)
class Look:
    """How the surface is drawn."""

    values: Float64 | None
    """(rows, cols) shown in false colours, NaN where unknown; None: the map's own colours."""
    scale: Scale
    """On which the values are placed."""
    colormap: str
    """Name in matplotlib."""
    light: tuple[float, float] | None
    """Azimuth (0 is the map's y, 90 its x) and elevation of where the light comes from, degrees; None: unlit."""
    wireframe: bool
    """Whether the triangles' edges are drawn."""


class Shading:
    """Shades a map that has been rendered onto a screen; owned by `context`, which releases it at the latest."""

    def __init__(self, context: Context) -> None:
        self.context = context
        constants: dict[str, ArrayLike] = {"no_value": NO_VALUE, "ambient": AMBIENT, "diffuse_gain": DIFFUSE_GAIN}
        self._programs = ScreenPrograms(context, "shaded.frag", _UNITS, constants)
        self._details: dict[str, tuple[HeightMap, Float64 | None, moderngl.Texture]] = {}

    def put(
        self,
        screen: Screen,
        surface: HeightMap,
        image: moderngl.Texture,
        geometry: moderngl.Texture,
        look: Look,
        name: str = "",
    ) -> None:
        """Put a surface onto the screen; `image` and `geometry` are its attachments of the compact layout, of the
        screen's size.

        Its slopes and values stay on the GPU under `name` until another surface, or other values, come by that name.
        """
        before, values, texture = self._details.get(name, (None, None, None))
        if texture is None or before is not surface or values is not look.values:
            texture = screen.upload(f"details {name}", details(surface, look.values))
            self._details[name] = surface, look.values, texture
        screen.use()
        self.context.mgl.enable_only(moderngl.DEPTH_TEST)
        image.use(_UNITS["image"])
        geometry.use(_UNITS["geometry"])
        texture.use(_UNITS["details"])
        screen.colormaps.use(look.colormap, _UNITS["colormap"])
        options = {
            "GREY": int(surface.channels == 1),
            "FALSE_COLORS": int(look.values is not None),
            "SCALE": look.scale.mode if look.values is not None else 0,
            "LIT": int(look.light is not None),
            "WIREFRAME": int(look.wireframe),
        }
        uniforms: dict[str, ArrayLike] = {"scale": look.scale.uniform}
        if look.light is not None:
            uniforms["light"] = light_direction(*look.light)
        self._programs.draw(options, uniforms)

    def release(self) -> None:
        """Release what was made in the context."""
        self._programs.release()


def details(surface: HeightMap, values: Float64 | None) -> NDArray[np.float32]:
    """(rows, cols, 3): the slope along x and along y, and the value, of each vertex."""
    result = np.empty((*surface.shape, 3), np.float32)
    result[..., 0], result[..., 1] = slopes(surface)
    result[..., 2] = 0 if values is None else np.nan_to_num(values, nan=UNSEEN)
    return result


def light_direction(azimuth: float, elevation: float) -> tuple[float, float, float]:
    """The unit vector towards a light, map axes, from degrees."""
    a, e = math.radians(azimuth), math.radians(elevation)
    return math.sin(a) * math.cos(e), math.cos(a) * math.cos(e), math.sin(e)
