"""What a finished map leaves in its folder: the map, a mesh, a picture to look at first, and a report."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glrender.errors import GlrenderError
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.io.files import remove_file
from glrender.io.ply import write_ply
from glrender.io.preview import write_preview
from glrender.io.report import REPORT, write_report
from glrender.io.trajectory import Trajectory, write_trajectory
from glrender.render.forward import ForwardRenderer

Image = NDArray[np.float32]

MAP = "map.npz"
"""What a map is written as."""

FILES = (MAP, "map.ply", "preview.png", REPORT)
"""What `write_outputs` writes, in this order: a folder with a report is complete."""

TRAJECTORY = "trajectory.txt"
"""What it writes before the report, if poses were estimated."""


@dataclass(frozen=True, eq=False)
class FinishedMap:
    """A map and all that is told about it."""

    surface: HeightMap
    """With sigma; NaN where nothing was observed."""
    prediction: Image | None
    """One view of the map as a camera of the sequence saw it, (height, width, 1 or 3) linear; None without colours."""
    photograph: Image | None
    """The photograph of that view."""
    report: Mapping[str, Any]
    """What `report.json` holds, see `glrender.io.report`."""
    partial: bool
    """Whether the work was interrupted before its end."""
    trajectory: Trajectory | None = None
    """The poses, where they were estimated or refined; None where they were given."""
    failure: GlrenderError | None = None
    """What ended the work before its end, if no interruption did."""

    @property
    def files(self) -> tuple[str, ...]:
        """What `write_outputs` writes of it."""
        return FILES if self.trajectory is None else (*FILES[:-1], TRAJECTORY, FILES[-1])


Keep = Callable[[FinishedMap], None]
"""keep(finished): put a map where it stays, before an interruption can lose it."""


@contextmanager
def keeping_in(folder: Path, title: str) -> Iterator[Keep]:
    """A `keep` that writes into a folder; a KeyboardInterrupt that comes too late to stop it says where the map is."""
    kept: list[FinishedMap] = []

    def keep(finished: FinishedMap) -> None:
        write_outputs(folder, finished, title)
        kept.append(finished)

    try:
        yield keep
    except KeyboardInterrupt:
        if not kept:
            raise
        frames = kept[-1].report["frames_used"]
        raise KeyboardInterrupt(f"interrupted; {folder} holds the map of {frames} frames") from None


def keep_nowhere(finished: FinishedMap) -> None:
    """A `keep` that does nothing, for callers that keep what is returned themselves."""


def predict_view(context: Context, camera: Camera, surface: HeightMap, T_world_camera: NDArray[np.float64]) -> Image:
    """The image (height, width, 1 or 3) of a map from a pose."""
    renderer = ForwardRenderer(context, camera)
    image = renderer.render(surface, T_world_camera).image
    renderer.release()
    return image


def write_outputs(folder: Path, finished: FinishedMap, title: str) -> None:
    """Write `finished.files` into a folder that exists, each as a whole, in place of what an earlier run left there."""
    for name in (FILES[-1], TRAJECTORY):  # before the map that they no longer tell of
        remove_file(folder / name)
    finished.surface.save(folder / MAP)
    write_ply(folder / "map.ply", finished.surface)
    views = finished.prediction, finished.photograph
    metric = not finished.report.get("up_to_scale", False)
    write_preview(folder / "preview.png", finished.surface, *views, title, metric=metric)
    if finished.trajectory is not None:
        write_trajectory(folder / TRAJECTORY, finished.trajectory)
    write_report(folder / REPORT, finished.report)
