"""`glrender layers`: what a robot wants from a map, in the formats that robots and people read."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from tyro.conf import Positional, arg

from glrender.cli.options import option
from glrender.errors import InputError, UsageError
from glrender.geometry.heightmap import HeightMap
from glrender.geometry.terrain_layers import FREE, OBSTACLE, Robot, TerrainLayers, terrain_layers
from glrender.io.files import writing_into
from glrender.io.georeference import projected_system
from glrender.io.geotiff import write_geotiff
from glrender.io.grid_map_bag import write_ros1_bag, write_ros2_bag
from glrender.io.layers_npz import write_layers_npz
from glrender.io.layers_picture import write_layers_picture
from glrender.io.layers_png import write_layer_images
from glrender.io.optional import is_installed, require
from glrender.io.report import REPORT, report_beside, told_crs

Format = Literal["npz", "png", "tif", "ros2", "ros1"]
PICTURE = "layers.png"

NAMES: dict[str, str] = {
    "npz": "layers.npz",
    "png": "layers.yaml",
    "tif": "layers.tif",
    "ros2": "layers_ros2",
    "ros1": "layers.bag",
}
"""What each format leaves in the folder (png: an image a layer beside it)."""

NEEDS = {"tif": ("rasterio", "dem"), "ros2": ("rosbags", "bags"), "ros1": ("rosbags", "bags")}
"""The package that a format needs, and the extra that brings it."""


@dataclass(frozen=True)
class Options:
    """Slope, roughness, steps, traversability and free ground of a height map, for a robot of your size.

    Everything is against gravity and in the world's axes, north on top. By the map's sigma, an obstacle exceeds a
    limit with 95 % probability, and free ground, which is seen all around, keeps all limits with 95 %; the rest is
    unknown. Writes layers.png (look at it first) and, by format: layers.npz; an image a layer with layers.yaml, and
    occupancy.yaml for ROS map servers; layers.tif; a grid_map message in layers_ros2 (mcap) or layers.bag.
    """

    map: Positional[Path]
    """The map.npz."""
    out: Path
    """Folder to write."""
    max_step: Annotated[float, arg(metavar="M")] = Robot.max_step
    """Highest step that a wheel climbs, metres."""
    max_slope: Annotated[float, arg(metavar="DEG")] = Robot.max_slope
    """Steepest slope that the robot drives on, degrees."""
    wheel: Annotated[float, arg(metavar="M")] = Robot.wheel_diameter
    """Diameter of a wheel, metres."""
    footprint: Annotated[float, arg(metavar="M")] = Robot.footprint_radius
    """Radius of the circle that the robot stands on, metres."""
    formats: Annotated[
        tuple[Format, ...] | None,
        option("npz|png|tif|ros2|ros1 …", "all but ros1, as far as their packages are installed"),
    ] = None
    """What to write beside the picture."""
    crs: Annotated[str | None, option("EPSG:…", "what the sequence's crs.txt said, else none")] = None
    """Projected reference system, in metres, of the world's x and y, for layers.tif and layers.npz."""
    up: Literal["world", "map"] = "world"
    """Whose z points up. Poses of a reconstruction, or of a camera that is its own world, lie anyhow: then the map's
    may, whose frame is taken for the world."""


def run(options: Options) -> int:
    """Compute, write and say what there is."""
    robot = _read_robot(options)
    formats, missing = _choose_formats(options.formats)
    surface = HeightMap.load(options.map)
    _check_scale(options.map)
    if options.up == "map":
        if options.crs is not None:
            raise UsageError("--crs: received it with --up map, a frame in no reference system; give one of them")
        surface, crs = replace(surface, T_world_map=None), None
    else:
        crs = _read_crs(options.crs, options.map)
    layers = terrain_layers(surface, robot)
    with writing_into(options.out) as folder:
        writers: dict[str, Callable[[], None]] = {
            "npz": lambda: write_layers_npz(folder / NAMES["npz"], layers, crs),
            "png": lambda: write_layer_images(folder, layers),
            "tif": lambda: write_geotiff(folder / NAMES["tif"], layers, crs),
            "ros2": lambda: write_ros2_bag(folder / NAMES["ros2"], layers),
            "ros1": lambda: write_ros1_bag(folder / NAMES["ros1"], layers),
        }
        for format in formats:
            writers[format]()
        write_layers_picture(folder / PICTURE, layers, str(options.map))
    _print_summary(folder, layers, formats, missing)
    return 0


def _read_robot(options: Options) -> Robot:
    try:
        return Robot(options.max_step, options.max_slope, options.wheel, options.footprint)
    except InputError as error:
        message = str(error).replace("wheel_diameter", "wheel").replace("footprint_radius", "footprint")
        raise UsageError(f"--{message.replace('max_', 'max-', 1)}") from None


def _check_scale(map_file: Path) -> None:
    """InputError where the report beside a map says that it has no scale."""
    if report_beside(map_file).get("up_to_scale"):
        raise InputError(
            f"{map_file.parent / REPORT}: the map is up to scale, so that nothing is known of steps in metres; "
            "expected a map whose scale is known: fuse again with --camera-height, --baseline or --scale"
        )


def _read_crs(given: str | None, map_file: Path) -> str | None:
    """The reference system that is given, or that the map's report tells; checked where rasterio is."""
    report, path = report_beside(map_file), map_file.parent / REPORT
    crs = told_crs(report) if given is None else given
    if crs is None or not is_installed("rasterio"):
        return crs
    try:
        projected_system(str(crs))
    except UsageError as error:
        raise (UsageError(f"--{error}") if given is not None else InputError(f"{path}: {error}")) from None
    return str(crs)


def _choose_formats(given: tuple[Format, ...] | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The formats to write; where none are given, also those left out for want of a package."""
    if given is not None:
        for name in given:
            if name in NEEDS:
                require(*NEEDS[name], NAMES[name])
        return tuple(dict.fromkeys(given)), ()
    default = [name for name in NAMES if name != "ros1"]
    missing = tuple(name for name in default if name in NEEDS and not is_installed(NEEDS[name][0]))
    return tuple(name for name in default if name not in missing), missing


def _print_summary(folder: Path, layers: TerrainLayers, formats: tuple[str, ...], missing: tuple[str, ...]) -> None:
    surface, occupancy = layers.surface, layers.occupancy
    rows, cols = surface.shape
    seen = np.isfinite(surface.heights)
    free, obstacle = (np.count_nonzero(occupancy == value) / np.count_nonzero(seen) for value in (FREE, OBSTACLE))
    print(
        f"{folder}: {rows} x {cols} cells of {1e3 * surface.spacing:g} mm, of those seen {free:.1%} free, "
        f"{obstacle:.1%} obstacles, {1 - free - obstacle:.1%} unknown"
    )
    if surface.sigma is not None and np.nanmax(surface.sigma) > 0:
        local = "" if surface.local_sigma is None else " without what displaces neighbouring cells together,"
        print(f"  of sigma{local} {layers.own_share:.0%} is a cell's own; what a footprint shares makes no obstacle")
    for name in missing:
        package, extra = NEEDS[name]
        print(f"  not written: {NAMES[name]}, which needs {package} (pip install 'glrender[{extra}]')")
    print("  wrote " + ", ".join([*(NAMES[name] for name in formats), PICTURE]) + f": look at {folder / PICTURE}")
