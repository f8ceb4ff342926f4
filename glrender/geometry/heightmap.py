"""A height map: heights on a regular grid, drawn as a triangle mesh, optionally coloured."""

from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glrender.checks import LINEAR, check_array, check_floats, check_pose, check_positive
from glrender.errors import InputError
from glrender.geometry import se3
from glrender.geometry.mapfile import LOCAL_SIGMA, read_map, write_map


@dataclass(frozen=True, eq=False)
class HeightMap:
    """Vertex (i, j) lies at map coordinates (origin_x + j spacing, origin_y + i spacing, heights[i, j]).

    x runs along columns, y along rows, height along +z, all in metres. Each quad is split along
    the diagonal from (i, j+1) to (i+1, j); only the upper side is visible. A NaN height is a cell
    that nobody has seen: no triangle that touches it is drawn. The arrays are copies and read-only.
    """

    heights: NDArray[np.float64]
    """(rows, cols) metres above the map's plane z = 0; NaN where unknown."""
    spacing: float
    """Metres between neighbouring vertices."""
    origin: tuple[float, float] = (0.0, 0.0)
    """Map x and y of vertex (0, 0), metres."""
    colors: NDArray[np.float64] | None = None
    """(rows, cols, 1 or 3) linear colour in [0, 1]; NaN where unknown; None: a map without colours."""
    T_world_map: NDArray[np.float64] | None = None
    """(4, 4) map to world; None is the identity."""
    sigma: NDArray[np.float64] | None = None
    """(rows, cols) marginal standard deviation of each height, metres; NaN where unknown."""
    local_sigma: NDArray[np.float64] | None = None
    """(rows, cols) metres: the part of sigma that a height does not share with the heights around it. The other part
    displaces them all together, which makes no slope and no step. None where the two are not known apart."""

    def __post_init__(self) -> None:
        heights = check_array("heights", self.heights, (None, None))
        if min(heights.shape) < 2:
            raise InputError(f"heights: received shape {heights.shape}, expected at least 2 rows and 2 columns")
        if np.isinf(heights).any():
            raise InputError("heights: infinite values; use NaN for a cell that nobody has seen")
        origin = check_array("origin", self.origin, (2,), finite=True)
        self._set(heights=heights, spacing=check_positive("spacing", self.spacing), origin=tuple(map(float, origin)))
        if self.colors is not None:
            check_floats("colors", self.colors, LINEAR)
            colors = check_array("colors", self.colors, (*heights.shape, None))
            if colors.shape[2] not in (1, 3):
                raise InputError(
                    f"colors: received {colors.shape[2]} channels, expected 1 (grey) or 3 (red, green, blue)"
                )
            if np.isinf(colors).any():
                raise InputError("colors: infinite values; use NaN where a colour is unknown")
            self._set(colors=colors)
        if self.T_world_map is not None:
            self._set(T_world_map=check_pose("T_world_map", self.T_world_map))
        if self.sigma is not None:
            self._set(sigma=_deviations("sigma", self.sigma, heights.shape))
        if self.local_sigma is not None:
            if self.sigma is None:
                raise InputError("local_sigma: received one without sigma, of which it is a part; give both or neither")
            self._set(local_sigma=_deviations("local_sigma", self.local_sigma, heights.shape))

    def _set(self, **values: object) -> None:
        for name, value in values.items():
            if isinstance(value, np.ndarray):
                # A copy that nobody can write to: what is on the GPU is known by the identity of this object.
                value = value.copy()
                value.flags.writeable = False
            object.__setattr__(self, name, value)

    def __reduce__(self) -> tuple[type["HeightMap"], tuple[object, ...]]:
        """Copying and unpickling call the constructor, so that the arrays of the result are read-only as well."""
        return type(self), tuple(getattr(self, each.name) for each in fields(self))

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, cols) of vertices."""
        return self.heights.shape[0], self.heights.shape[1]

    @property
    def channels(self) -> int:
        """Colour channels of an image of this map: 1 or 3; a map without colours renders grey 0.5."""
        return self.color_channels or 1

    @property
    def color_channels(self) -> int:
        """C, the channels of the map's own colours: 3, 1, or 0 without. So many of an image's have derivatives."""
        return 0 if self.colors is None else self.colors.shape[2]

    @property
    def pose(self) -> NDArray[np.float64]:
        """T_world_map (4, 4), the identity where it was left out."""
        return np.eye(4) if self.T_world_map is None else self.T_world_map

    @cached_property
    def T_map_world(self) -> NDArray[np.float64]:
        """(4, 4) world to map, exactly rigid."""
        return se3.inverse(self.pose)

    @cached_property
    def top(self) -> float:
        """The greatest height, metres; -inf where none is known."""
        return float(np.fmax.reduce(self.heights, axis=None, initial=-np.inf))

    def axes(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Map x of each column (cols,) and map y of each row (rows,), metres."""
        rows, cols = self.shape
        x, y = np.arange(cols, dtype=np.float64), np.arange(rows, dtype=np.float64)
        return self.origin[0] + self.spacing * x, self.origin[1] + self.spacing * y

    def vertices(self) -> NDArray[np.float64]:
        """(rows·cols, 3) map coordinates, row by row; z is NaN where the height is unknown."""
        x, y = self.axes()
        grid_x, grid_y = np.meshgrid(x, y)
        return np.stack([grid_x, grid_y, self.heights], axis=-1).reshape(-1, 3)

    @cached_property
    def triangles(self) -> NDArray[np.int32]:
        """(2 (rows-1) (cols-1), 3) vertex indices of every triangle, in the order of ids: see `triangle_vertices`."""
        rows, cols = self.shape
        return triangle_vertices(np.arange(2 * (rows - 1) * (cols - 1)), cols)

    def with_values(self, heights: ArrayLike, colors: ArrayLike | None = None) -> "HeightMap":
        """The same grid with other heights and colours; sigma is dropped, since it belonged to the old heights."""
        return replace(
            self,
            heights=check_array("heights", heights, self.shape),
            colors=None if colors is None else check_array("colors", colors, (*self.shape, None)),
            sigma=None,
            local_sigma=None,
        )

    def save(self, path: str | Path) -> None:
        """Write `map.npz` (see `glrender.geometry.mapfile`), whole or not at all.

        A map without sigma is one that is known exactly: its sigma is written as 0. A grey map is written with three
        equal channels, a map without colours with NaN. InputError if the file cannot be written.
        """
        heights = self.heights.astype(np.float32)
        unseen = np.isnan(heights)
        sigma = np.zeros(self.shape) if self.sigma is None else self.sigma
        colors = np.full((*self.shape, 3), np.nan) if self.colors is None else self.colors
        arrays: dict[str, ArrayLike] = {
            "height": heights,
            "sigma": np.where(unseen, np.nan, sigma).astype(np.float32),
            "color": np.broadcast_to(colors, (*self.shape, 3)).astype(np.float32),
            "origin": np.array(self.origin, dtype=np.float64),
            "spacing": np.float64(self.spacing),
            "T_world_map": self.pose,
        }
        if self.local_sigma is not None:
            arrays[LOCAL_SIGMA] = np.where(unseen, np.nan, self.local_sigma).astype(np.float32)
        write_map(Path(path), arrays)

    @staticmethod
    def load(path: str | Path) -> "HeightMap":
        """Read what `save` wrote; raises InputError if the file is missing, broken or lacks a key."""
        arrays = read_map(Path(path))
        colors = arrays["color"]
        return HeightMap(
            arrays["height"],
            float(arrays["spacing"]),
            tuple(arrays["origin"]),
            colors=None if np.isnan(colors).all() else colors,
            T_world_map=arrays["T_world_map"],
            sigma=arrays["sigma"],
            local_sigma=arrays.get(LOCAL_SIGMA),
        )


def triangle_vertices(ids: ArrayLike, cols: int) -> NDArray[np.int32]:
    """The three vertex indices (…, 3) of triangles on a grid with `cols` columns of vertices.

    Triangle 2q is the lower-left half (i, j), (i, j+1), (i+1, j) of quad q = i (cols-1) + j, triangle
    2q+1 its other half (i, j+1), (i+1, j+1), (i+1, j): counter-clockwise seen from +z. An id of -1
    (nothing) gives -1, -1, -1.
    """
    ids = np.asarray(ids)
    quad, upper = ids >> 1, (ids & 1).astype(bool)
    a = quad // (cols - 1) * cols + quad % (cols - 1)
    first = np.where(upper, a + 1, a)
    second = np.where(upper, a + cols + 1, a + 1)
    vertices = np.stack([first, second, a + cols], axis=-1)
    return np.where(ids[..., None] < 0, -1, vertices).astype(np.int32)


def _deviations(name: str, values: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float64]:
    result = check_array(name, values, shape)
    if (result < 0).any():
        raise InputError(
            f"{name}: {np.count_nonzero(result < 0)} values are less than 0; use NaN where it is not known"
        )
    return result
