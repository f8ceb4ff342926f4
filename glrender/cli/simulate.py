"""`glrender simulate`: a sequence with known truth, from terrain."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from shlex import quote
from typing import Annotated, Literal

import numpy as np
from tyro.conf import Positional, arg

from glrender.checks import check_positive
from glrender.cli.options import flag, option
from glrender.cli.progress import progress
from glrender.errors import UsageError
from glrender.geometry.camera import Camera
from glrender.gl.context import Context
from glrender.io.staged_folder import SIMULATION, StagedFolder
from glrender.simulate.elevation import BUILTIN, read_elevation
from glrender.simulate.noise import NoiseModel
from glrender.simulate.path import make_path
from glrender.simulate.recording import RecordingSummary, record
from glrender.simulate.scene import Scene, with_texture
from glrender.simulate.terrain import make_terrain

NOISES = ("image_noise", "depth_noise", "offset_noise", "pose_noise")


@dataclass(frozen=True)
class Options:
    """Make a sequence (colour and depth images, poses, camera.yaml) whose truth is known, from a terrain.

    Beside the sequence lie truth.npz (the true height map), truth_trajectory.txt (the true poses) and
    simulation.json (how it was made). The same options and seed make the same sequence. Defaults follow the
    size of the terrain. Ctrl-C keeps the frames that are done, as a shorter sequence; an earlier simulation in
    OUT is replaced only by a whole one, and other files in OUT are never touched.
    """

    out: Positional[Path]
    """Folder to write: new, empty, or one that holds an earlier simulation."""
    terrain: str = BUILTIN
    """'builtin', or a file of elevations: .npz (a map or an array), .npy, 16-bit .png, or GeoTIFF (rasterio), which is
    a map where its reference system is in metres."""
    size: Annotated[tuple[float, float] | None, option("X Y", "2 2; a map's own")] = None
    """Extent in metres; the largest middle part of the elevations that has this shape is used."""
    relief: Annotated[float | None, option("M", "1/8 of the shorter side; a map's own")] = None
    """Highest less lowest height, metres."""
    spacing: Annotated[float | None, option("M", "1/200 of the shorter side; a map's own")] = None
    """Distance between the vertices of the true map, metres."""
    origin: Annotated[tuple[float, float] | None, option("X Y", "a vertex in the middle is 0 0; a map's own")] = None
    """Where vertex (0, 0) of the true map lies, metres."""
    texture: Annotated[Path | None, option("IMAGE", "a map's own colours, else soil, stone and grass")] = None
    """An image to lay over the ground, its top in the north."""
    texture_detail: int = 4
    """How many times finer than the true map the texture is; 1 makes a scene that a coloured map describes exactly."""
    path: Literal["flyover", "orbit", "rover"] = "flyover"
    """Lanes that see all of the terrain, one turn around its middle, or a drive that looks ahead."""
    frames: int = 40
    """How many frames."""
    rate: float = 10.0
    """Frames per second."""
    altitude: Annotated[float | None, option("M", "half the shorter side; rover 3/20")] = None
    """Metres between every camera and the ground below it, at least."""
    pitch: Annotated[float | None, option("DEGREES", "flyover 70, orbit 55, rover 40")] = None
    """How far below the horizontal the camera looks."""
    width: int = 320
    """Image width, pixels."""
    height: int = 240
    """Image height, pixels."""
    fov: float = 60.0
    """Horizontal field of view, degrees."""
    image_noise: float = 2.0
    """Noise of the images, standard deviation in grey levels of 255."""
    depth_noise: Annotated[tuple[float, float] | None, option("A B", "0.001 0.0015 for a terrain of 2 m")] = None
    """Standard deviation A + B z² of a depth z, metres; the default is in proportion to the terrain."""
    offset_noise: float = 0.0
    """Standard deviation of an error that all depths of a frame share, metres."""
    pose_noise: Annotated[tuple[float, float], arg(metavar="T R")] = (0.0, 0.0)
    """Noise of the trajectory: standard deviations in metres along, and degrees about, each axis of the camera."""
    seed: int = 0
    """Everything random follows from it."""


def run(options: Options) -> int:
    """Make the simulation and say what was written."""
    _check(options)
    with StagedFolder(options.out, SIMULATION) as folder:
        texture_seed, noise_seed = np.random.SeedSequence(options.seed).spawn(2)
        scene = make_scene(options, np.random.default_rng(texture_seed))
        noise = make_noise(options, scene)
        with Context() as context, progress("simulating") as advance:
            recording = record(context, scene, noise, noise_seed, folder.stage, advance)
        partial = recording.frames < options.frames
        if partial and folder.replaces:
            print(f"interrupted: the earlier simulation in {options.out} is left as it was")
            return 1
        folder.publish(_account(options, scene, noise, recording))
    _print_summary(options, scene, noise, recording)
    return 1 if partial else 0


def make_scene(options: Options, rng: np.random.Generator) -> Scene:
    """The terrain, texture, camera and path that `options` ask for."""
    terrain = make_terrain(
        read_elevation(options.terrain), options.size, options.relief, options.spacing, options.origin
    )
    focal = options.width / 2 / math.tan(math.radians(options.fov) / 2)
    camera = Camera.centred(options.width, options.height, focal)
    poses = make_path(options.path, terrain, camera, options.frames, options.altitude, options.pitch)
    # Files hold microseconds: rounded here, frames and poses have the very same times.
    times = np.round(np.arange(options.frames) / check_positive("rate", options.rate), 6)
    return Scene(*with_texture(terrain, options.texture_detail, rng, options.texture), camera, times, poses)


def make_noise(options: Options, scene: Scene) -> NoiseModel:
    """The noise that `options` ask for; depth noise that is left out is in proportion to the terrain."""
    if options.depth_noise is None:
        # A Kinect's 1 mm + 1.5 mm/m² z² over a terrain of 2 m.
        half = (min(scene.truth.shape) - 1) * scene.truth.spacing / 2
        constant, quadratic = 0.001 * half, 0.0015 / half
    else:
        constant, quadratic = options.depth_noise
    return NoiseModel(options.image_noise, constant, quadratic, options.offset_noise, *options.pose_noise)


def _check(options: Options) -> None:
    wanted: list[tuple[str, Callable[[float], bool], tuple[str, ...]]] = [
        ("finite numbers", math.isfinite, ("origin",)),
        ("greater than 0", lambda x: 0 < x < math.inf, ("size", "spacing", "rate", "altitude", "pitch", "fov")),
        ("0 or more", lambda x: 0 <= x < math.inf, ("relief", "seed", *NOISES)),
        ("at least 1", lambda x: x >= 1, ("frames", "width", "height", "texture_detail")),
        ("less than 180", lambda x: x < 180, ("fov",)),
    ]
    for condition, holds, names in wanted:
        for name in names:
            value = getattr(options, name)
            values = value if isinstance(value, tuple) else () if value is None else (value,)
            if not all(map(holds, values)):
                received = " ".join(f"{number:g}" for number in values)
                raise UsageError(f"{flag(name)}: received {received}, expected {condition}")


def _account(options: Options, scene: Scene, noise: NoiseModel, recording: RecordingSummary) -> dict[str, object]:
    """What `simulation.json` tells beside the list of files."""
    truth = scene.truth
    return {
        "frames": recording.frames,
        "partial": recording.frames < options.frames,
        "depth_scale": recording.depth_scale,
        "truth": {"rows": truth.shape[0], "cols": truth.shape[1], "spacing": truth.spacing, "origin": truth.origin},
        "noise": asdict(noise),
        "options": asdict(options),
    }


def _print_summary(options: Options, scene: Scene, noise: NoiseModel, recording: RecordingSummary) -> None:
    truth, out = scene.truth, options.out
    x, y = truth.axes()
    relief = np.nanmax(truth.heights) - np.nanmin(truth.heights)
    extent = f"{x[-1] - x[0]:g} x {y[-1] - y[0]:g} m"
    grid = f"--spacing {truth.spacing:g} --bounds {x[0]:g} {x[-1]:g} {y[0]:g} {y[-1]:g}"
    if noise.depth_constant > 0:
        grid += f" --depth-noise {noise.depth_constant:g} {noise.depth_quadratic:g}"
    partial = f" of {options.frames} (interrupted)" if recording.frames < options.frames else ""
    print(
        f"{out}: {recording.frames} frames{partial} of {options.width} x {options.height}, path {options.path}\n"
        f"  ground {extent} with {relief:.3g} m of relief, in {recording.seen:.1%} of the pixels\n"
        f"  depth in counts of {1000 / recording.depth_scale:g} mm\n"
        f"  truth.npz: the true heights, {truth.shape[0]} x {truth.shape[1]} vertices {truth.spacing:g} m apart\n"
        f"  truth_trajectory.txt: the true poses\n"
        f"to fuse it on the grid of the truth, with the noise it has: glrender fuse {quote(str(out))} "
        f"--out DIR {grid}"
    )
