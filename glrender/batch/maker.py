"""One process's part of a job: render views and write their files."""

import os
from pathlib import Path
from typing import Self

from glrender.batch.job import Plan
from glrender.batch.manifest import FileRecord, record_of
from glrender.batch.outputs import folder_of
from glrender.batch.rendered_view import RenderedView
from glrender.batch.scene_renderer import SceneRenderer
from glrender.errors import InputError
from glrender.gl.context import Context
from glrender.io.files import write_bytes
from glrender.parallel import CORES, share_cores

RASTER_THREADS = "LP_NUM_THREADS"
"""Mesa's variable for how many threads llvmpipe draws with, beside the one that asks for it."""


def limit_threads(workers: int) -> None:
    """Let compiled loops, and llvmpipe, use the share of the cores that one of `workers` workers has.

    Where the environment says how many threads llvmpipe has, that holds. The variable is read when the first context is
    made, and means nothing to any other OpenGL. NOTES.md of the benchmark has the rates with other numbers of threads.
    """
    share_cores(workers)
    os.environ.setdefault(RASTER_THREADS, str(max(1, CORES // workers)))


class ViewMaker:
    """Renders the views of a plan, in a context of its own; the thread that makes it is the one that renders."""

    def __init__(self, plan: Plan, device: int) -> None:
        self._plan = plan
        self._scene = plan.load_scene()
        self._context = Context(device)
        self._renderer = SceneRenderer(self._context)

    @property
    def gl_renderer(self) -> str:
        """OpenGL's name of what draws."""
        return self._context.renderer

    @property
    def on_processor(self) -> bool:
        """Whether the processor draws."""
        return self._context.is_software

    @property
    def live_objects(self) -> int:
        """OpenGL objects that it holds."""
        return self._context.live_objects

    def render(self, index: int) -> RenderedView:
        """A view; InputError or LimitError if it cannot be rendered."""
        camera, near = self._plan.cameras[self._plan.camera_of[index]]
        pose = self._plan.poses[index]
        return self._renderer.render(self._scene, camera, pose, self._plan.buffers, near=near, index=index)

    def close(self) -> None:
        """Release the context and all that is in it."""
        self._context.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def make_folders(plan: Plan, folder: Path) -> None:
    """Make the folders of all outputs."""
    for output in plan.job.outputs:
        path = folder / folder_of(output)
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{path}: cannot be made: {error.strerror or error}") from None


Files = list[tuple[str, bytes]]
"""For each file, where it lies in the job's folder, and its content."""


def encode_view(plan: Plan, view: RenderedView) -> Files:
    """The files of a view; may be called in any thread."""
    return [(plan.path(output, view.index), output.encode(view)) for output in plan.job.outputs]


def write_files(folder: Path, files: Files) -> list[FileRecord]:
    """Write files into the job's folder, each of which appears whole or not at all; may be called in any thread."""
    for path, content in files:
        write_bytes(folder / path, content)
    return [record_of(path, content) for path, content in files]
