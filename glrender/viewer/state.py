"""What a picture depends on besides the data: plain values, which every key, drag and slider replaces by others."""

import json
import math
import sys
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Self

from glrender.errors import InputError
from glrender.geometry import se3
from glrender.io.files import parsed, read_text
from glrender.viewer.layers import LAYERS
from glrender.viewer.rig import FOV_RANGE, Rig

EXAGGERATIONS = (0.1, 20.0)
"""Least and greatest factor on heights."""
CUTS = (0.0, 20.0)
"""Least and greatest percentage that is cut off at each end of a colour bar."""
_KEY = "glrender_view"
_MOST = sys.float_info.max


@dataclass(frozen=True)
class ViewState:
    """A view, as it is copied and pasted."""

    rig: Rig
    """The free camera."""
    layer: str = "surface"
    """Name of what is shown, see `glrender.viewer.layers`."""
    colormap: int = 0
    """Which of the colour maps of its kind shows it; counted on without end."""
    cut: float = 1.0
    """Percent of the values beyond each end of the colour bar."""
    logarithmic: bool = False
    """Whether colours go with the logarithm; of signed values, with that of the distance from zero."""
    exaggeration: float = 1.0
    """Factor on the heights that are drawn."""
    light: bool = True
    """Whether the surface is shaded to look at it; the light is no part of the model."""
    light_azimuth: float = 315.0
    """Compass direction that the light comes from, degrees: 0 is the map's y, 90 its x."""
    light_elevation: float = 35.0
    """Degrees above the map's plane."""
    wireframe: bool = False
    """Whether the triangles' edges are drawn."""
    normals: bool = False
    """Whether normals are drawn, as needles."""
    trajectory: bool = True
    """Whether the cameras of a sequence are drawn."""

    def to_json(self) -> str:
        """The view as text for the clipboard, which `from_json` reads."""
        return json.dumps({_KEY: asdict(self)}, indent=2)

    @classmethod
    def read(cls, path: Path) -> Self:
        """A view that was copied into a file; InputError for anything else."""
        text = read_text(path)
        try:
            return cls.from_json(text)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None

    @classmethod
    def from_json(cls, text: str) -> Self:
        """A view that was copied; InputError for anything else, naming what is wrong with it."""
        try:
            values = parsed(json.loads, text)[_KEY]
            rig = values["rig"]
        except (ValueError, TypeError, KeyError):
            raise InputError('view: expected the JSON of a copied view, {"glrender_view": {"rig": …}}') from None
        state = cls(_read_rig(rig))
        state = replace(state, **_checked(cls, {**values, "rig": state.rig}, "view"))
        _check_ranges(state)
        if state.layer not in (names := [layer.name for layer in LAYERS]):
            raise InputError(f"view: layer: received {state.layer!r}, expected one of {', '.join(names)}")
        return state


def holds_view(path: Path) -> bool:
    """Whether a file is a copied view rather than a batch job, which may be JSON as well."""
    if path.suffix.lower() != ".json" or not path.is_file():
        return False
    try:
        values = parsed(json.loads, read_text(path))
    except ValueError:
        return False
    return isinstance(values, dict) and _KEY in values


def _check_ranges(state: ViewState) -> None:
    rig = state.rig
    for name, value, (low, high) in (
        ("rig: distance", rig.distance, (1e-6, math.inf)),
        ("rig: fov", rig.fov, FOV_RANGE),
        ("rig: elevation", rig.elevation, (-90.0, 90.0)),
        ("cut", state.cut, CUTS),
        ("exaggeration", state.exaggeration, EXAGGERATIONS),
    ):
        if not low <= value <= high:
            raise InputError(f"view: {name}: received {value:g}, expected {low:g} to {high:g}")
    try:
        se3.shortest_turn(rig.up)
    except InputError as error:
        raise InputError(f"view: rig: {error}") from None


def _read_rig(values: Any) -> Rig:
    if not isinstance(values, dict):
        raise InputError(f"view: rig: received {values!r}, expected an object")
    missing = {"target", "distance"} - values.keys()
    if missing:
        raise InputError(f"view: rig: no {', '.join(sorted(missing))}")
    return Rig(**_checked(Rig, values, "view: rig"))


def _checked(kind: type[Any], values: dict[str, Any], where: str) -> dict[str, Any]:
    """The values, each of its field's type."""
    types = {field.name: field.type for field in fields(kind)}
    unknown = [name for name in values if name not in types]
    if unknown:
        raise InputError(f"{where}: no field {', '.join(unknown)}; the fields are {', '.join(types)}")
    return {name: _value(f"{where}: {name}", value, types[name]) for name, value in values.items()}


def _value(where: str, value: Any, kind: Any) -> Any:
    numbers = value if isinstance(value, list | tuple) else [value]
    # A whole number may have more digits than floats hold.
    real = all(isinstance(n, int | float) and not isinstance(n, bool) and abs(n) <= _MOST for n in numbers)
    if kind is float and real and numbers == [value]:
        return float(value)
    if kind is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    if kind == tuple[float, float, float] and real and len(numbers) == 3 and numbers is value:
        return tuple(map(float, numbers))
    if kind in (bool, str, Rig) and isinstance(value, kind):
        return value
    name = "three numbers" if kind == tuple[float, float, float] else kind.__name__
    raise InputError(f"{where}: received {value!r}, expected {name}")
