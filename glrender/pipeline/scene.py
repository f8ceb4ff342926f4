"""The scene of a job file: a list of objects, each of a type, read from their files."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glrender.checks import check_kind, check_pose
from glrender.errors import InputError, UsageError
from glrender.geometry import se3
from glrender.geometry.heightmap import HeightMap
from glrender.io.color import srgb_to_linear
from glrender.io.remote import is_remote, local_file
from glrender.io.tables import load_table, read_typed_tables
from glrender.simulate.elevation import BUILTIN, read_elevation

JOB_SUFFIXES = (".toml", ".json")
UNSIZED = "2 x 2 m, as its file has no size in metres; a job can give one"
Matrix = tuple[tuple[float, float, float, float], ...]

_WORLD = np.eye(3)
_LEANING = 0.5  # cosine between the z axes of a map and of the world, from which the world's is not up for the map


@dataclass(frozen=True)
class HeightMapObject:
    """A height map, of a map or of a file of elevations."""

    source: str
    """'builtin', or a file: map.npz, an array (.npz, .npy), 16-bit .png, GeoTIFF and its kin; or its URL."""
    name: str = ""
    """What messages call it; the file's name unless said."""
    size: tuple[float, float] | None = None
    """Extent along x and y, metres; a map's own, or that of a raster in metres, else 2 x 2."""
    relief: float | None = None
    """Highest less lowest height, metres; a map's own, else 1/8 of the shorter side."""
    spacing: float | None = None
    """Metres between vertices; a map's own, else 1/200 of the shorter side."""
    origin: tuple[float, float] | None = None
    """Where vertex (0, 0) lies in the map's frame, metres; a map's own, else a vertex in the middle is (0, 0)."""
    color: tuple[float, float, float] | None = None
    """sRGB in [0, 1] of all of it; a map's own colours unless said."""
    texture: str = ""
    """An image that is laid over it, its top in the north (+y); or its URL."""
    T_world_map: Matrix | None = None
    """(4, 4) map to world, row by row; a map's own as its size is, else the identity."""

    def __post_init__(self) -> None:
        if self.color is not None and self.texture:
            raise InputError("color, texture: received both, expected one of them")
        if self.color is not None and not all(0 <= value <= 1 for value in self.color):
            raise InputError(f"color: received {', '.join(f'{value:g}' for value in self.color)}, expected 0 to 1 each")
        if self.T_world_map is not None:
            check_pose("T_world_map", self.T_world_map)

    @property
    def files(self) -> tuple[str, ...]:
        """The files and URLs that it is read from."""
        return tuple(name for name in (self.source, self.texture) if name not in ("", BUILTIN))

    def beside(self, folder: Path) -> "HeightMapObject":
        """The same with relative files taken from `folder`."""
        return replace(self, source=_beside(folder, self.source), texture=_beside(folder, self.texture))

    def load(self) -> "SceneObject":
        """Read its files; InputError or UsageError as their readers say."""
        with local_file(self.source) as path:
            source = self.source if self.source == BUILTIN else path
            elevation = read_elevation(source)
        shaped = (self.size, self.relief, self.spacing, self.origin)
        if elevation.map is not None and shaped == (None,) * 4:
            surface = elevation.map
        else:
            from glrender.simulate.terrain import make_terrain  # a map as it is needs none of what this loads

            surface = replace(
                make_terrain(elevation, *shaped),
                T_world_map=elevation.map.T_world_map if elevation.map is not None and self.size is None else None,
            )
        changes: dict[str, Any] = {}
        if self.color is not None:
            changes["colors"] = np.broadcast_to(srgb_to_linear(self.color), (*surface.shape, 3))
        if self.texture:
            from glrender.simulate.texture import image_texture

            with local_file(self.texture) as path:
                changes["colors"] = image_texture(path, surface.shape)
        if self.T_world_map is not None:
            changes["T_world_map"] = np.array(self.T_world_map)
        note = "" if elevation.map is not None or self.size is not None else UNSIZED
        return SceneObject(self.name or Path(self.source).stem, replace(surface, **changes), note)


OBJECTS: Mapping[str, type[HeightMapObject]] = {"heightmap": HeightMapObject}
"""What `type` of an object may be."""


@dataclass(frozen=True, eq=False)
class SceneObject:
    """Something to draw."""

    name: str
    surface: HeightMap
    note: str = ""
    """What had to be assumed of it, in words."""

    def bounds(self, T_world_axes: NDArray[np.float64] = _WORLD) -> NDArray[np.float64]:
        """(2, 3) lowest and highest corner of a box that holds it, along axes that (3, 3) turns to the world's.

        These are the world's own unless said.
        """
        surface = self.surface
        x, y = surface.axes()
        heights = surface.heights
        if np.isnan(heights).all():
            raise InputError(f"{self.name}: every height is NaN, so there is nothing to see of it")
        ends = (x[[0, -1]], y[[0, -1]], (np.nanmin(heights), np.nanmax(heights)))
        corners = np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1).reshape(-1, 3)
        corners = se3.transformed(surface.pose, corners) @ T_world_axes
        return np.stack([corners.min(axis=0), corners.max(axis=0)])


@dataclass(frozen=True, eq=False)
class Scene:
    """What is drawn together."""

    objects: tuple[SceneObject, ...]
    """One or more."""

    @classmethod
    def of(cls, content: "Scene | HeightMap | Sequence[HeightMap]") -> "Scene":
        """A scene of height maps that a caller has in memory."""
        if isinstance(content, Scene):
            return content
        surfaces = [content] if isinstance(content, HeightMap) else list(content)
        for surface in surfaces:
            check_kind("scene", surface, HeightMap)
        if not surfaces:
            raise InputError("scene: received nothing to draw, expected at least one height map")
        return cls(tuple(SceneObject(f"map {k}", surface) for k, surface in enumerate(surfaces)))

    @property
    def surfaces(self) -> tuple[HeightMap, ...]:
        """Its height maps, in order."""
        return tuple(each.surface for each in self.objects)

    @property
    def upright(self) -> NDArray[np.float64]:
        """(3, 3) the shortest turn that takes the world's z to what is up in the scene, see `common_up`."""
        return se3.shortest_turn(common_up(self.surfaces))

    def bounds(self, T_world_axes: NDArray[np.float64] = _WORLD) -> NDArray[np.float64]:
        """(2, 3) lowest and highest corner of a box that holds all of it, along axes that (3, 3) turns to the world's.

        These are the world's own unless said.
        """
        boxes = np.stack([each.bounds(T_world_axes) for each in self.objects])
        return np.stack([boxes[:, 0].min(axis=0), boxes[:, 1].max(axis=0)])


def common_up(surfaces: Sequence[HeightMap]) -> tuple[float, float, float]:
    """World direction that is up for height maps: the world's z, or where all lean against it so far that their upper
    sides may not be seen from above, the first map's."""
    if any(surface.pose[2, 2] >= _LEANING for surface in surfaces):
        return 0.0, 0.0, 1.0
    x, y, z = (float(value) for value in surfaces[0].pose[:3, 2])
    return x, y, z


def load_scene(objects: Sequence[HeightMapObject]) -> Scene:
    """Read the objects of a scene."""
    return Scene(tuple(each.load() for each in objects))


def open_scene(source: str | Path, spacing: float | None = None) -> Scene:
    """The scene of a job file (.toml, .json), or of a single map or file of elevations.

    `spacing` is the distance between the vertices of the latter, metres, its own unless given; UsageError with a job.
    """
    path = Path(source)
    if path.suffix.lower() not in JOB_SUFFIXES:
        return load_scene([HeightMapObject(str(source), spacing=spacing)])
    if spacing is not None:
        raise UsageError(f"spacing: received {spacing:g} for {path}, a job, whose scene says it; leave it out")
    return load_scene(scene_objects(path, load_table(path)))


def scene_objects(path: Path, content: Mapping[str, Any], where: str = "") -> tuple[HeightMapObject, ...]:
    """The objects in the `scene` of a job file's content; their relative files lie beside the file `path`."""
    where = where or str(path)
    if "scene" not in content:
        raise InputError(f"{where}: no key 'scene'; expected a list of objects, such as [[scene]] with type and source")
    objects = read_typed_tables(f"{where}: scene", content["scene"], OBJECTS)
    return tuple(each.beside(path.parent) for each in objects)


def file_digest(source: str) -> str:
    """SHA-256 of a file or of what a URL names, in hexadecimal digits; InputError if it cannot be read."""
    with local_file(source) as path:
        try:
            with open(path, "rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            raise InputError(f"{source}: no such file") from None
        except OSError as error:
            raise InputError(f"{source}: cannot be read: {error.strerror or error}") from None
        except ValueError as error:  # of what no file system takes for a name, such as a zero byte
            raise InputError(f"{source!r}: names no file: {error}") from None


def _beside(folder: Path, source: str) -> str:
    if source in ("", BUILTIN) or is_remote(source):
        return source
    return str(folder / source)
