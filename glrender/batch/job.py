"""The job file: a scene, cameras that look at it, and what is kept of each view."""

import hashlib
from collections.abc import Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glrender.batch.cameras import VIEWS, CameraSpec, Views
from glrender.batch.outputs import MANIFEST, OUTPUTS, Output, Video, film_of, folder_of
from glrender.errors import InputError
from glrender.geometry.camera import Camera
from glrender.io.remote import is_remote, local_file
from glrender.io.report import to_json
from glrender.io.tables import check_keys, load_table, read_table, read_typed_tables
from glrender.pipeline.scene import HeightMapObject, Scene, file_digest, load_scene, scene_objects

KEYS = ["scene", "camera", "views", "outputs"]


@dataclass(frozen=True)
class Job:
    """What a job file says."""

    scene: tuple[HeightMapObject, ...]
    """The objects of the scene, which are drawn together."""
    views: tuple[Views, ...]
    """Where cameras stand, one group after the other."""
    outputs: tuple[Output, ...]
    """What is kept of each view."""
    camera: CameraSpec | None = None
    """The camera of all views that have none of their own."""

    def __post_init__(self) -> None:
        if self.camera is None and any(views.camera is None for views in self.views):
            raise InputError(
                "no key 'camera'; expected a table with width, height and fov or fx, here or in each views"
            )
        folders = [folder_of(output) for output in self.outputs]
        taken = [*folders, *map(film_of, self.videos), MANIFEST]
        for name in folders:
            if taken.count(name) > 1:
                raise InputError(f"outputs: two have the name {name!r}, or it is taken; give each a name of its own")
            if not name or "/" in name or name.startswith("."):
                raise InputError(f"outputs: name: received {name!r}, expected the name of a folder")

    @property
    def files(self) -> tuple[str, ...]:
        """All files and URLs that the job is read from, but for the job file itself."""
        named = [each.files for each in self.scene] + [each.files for each in self.views]
        return tuple(dict.fromkeys(name for names in named for name in names))

    @property
    def videos(self) -> tuple[Video, ...]:
        return tuple(output for output in self.outputs if isinstance(output, Video))


def read_job(source: str) -> Job:
    """Read a job file (.toml or .json), or one that a URL names; relative file names in it start from its folder.

    InputError names the keys that are unknown, missing or have an unusable value.
    """
    with local_file(source) as path:
        content = load_table(path)
    return job_of(source, content)


def job_of(source: str, content: dict[str, Any]) -> Job:
    """The job of a file's content."""
    check_keys(source, content, KEYS)
    for key in ("views", "outputs"):
        if key not in content:
            raise InputError(f"{source}: no key {key!r}; the keys are {', '.join(KEYS)}")
    # Beside a URL there is no folder: what lies there is named by URL too.
    beside = Path() if is_remote(source) else Path(source)
    camera = content.get("camera")
    views = read_typed_tables(f"{source}: views", content["views"], VIEWS)
    try:
        return Job(
            scene=scene_objects(beside, content, where=source),
            views=tuple(each.beside(beside.parent) for each in views),
            outputs=read_typed_tables(f"{source}: outputs", content["outputs"], OUTPUTS),
            camera=None if camera is None else read_table(f"{source}: camera", camera, CameraSpec),
        )
    except InputError as error:
        raise InputError(str(error) if str(error).startswith(source) else f"{source}: {error}") from None


@dataclass(frozen=True, eq=False)
class Plan:
    """A job with all views worked out: what any process needs to render some of them."""

    job: Job
    digests: dict[str, str]
    """SHA-256 of each file that the job is read from."""
    cameras: tuple[tuple[Camera, float], ...]
    """Each camera with its near distance, metres."""
    camera_of: NDArray[np.int64]
    """(N,) which of the cameras a view has."""
    poses: NDArray[np.float64]
    """(N, 4, 4) T_world_camera."""
    buffers: tuple[str, ...] = field(init=False)
    """What a view must hold for all outputs."""

    def __post_init__(self) -> None:
        names = (name for output in self.job.outputs for name in output.buffers)
        object.__setattr__(self, "buffers", tuple(dict.fromkeys(names)))

    @property
    def count(self) -> int:
        """How many views there are."""
        return len(self.poses)

    def path(self, output: Output, index: int) -> str:
        """Where a view's file lies in the job's folder."""
        return f"{folder_of(output)}/{index:06d}{output.suffix}"

    def load_scene(self) -> Scene:
        """Read the scene; InputError if a file is not what it was when the plan was made."""
        for name, digest in self.digests.items():
            if file_digest(name) != digest:
                raise InputError(f"{name}: has changed since the job began; run it again")
        return load_scene(self.job.scene)

    def account(self) -> dict[str, Any]:
        """The effective options: a folder whose manifest has the same is this job's, wherever its files lie."""
        poses = hashlib.sha256(self.poses.tobytes()).hexdigest()
        # The order of types tells kinds apart whose fields are alike.
        kinds = [type(part).__name__ for part in (*self.job.scene, *self.job.views, *self.job.outputs)]
        files = [[_last_part(name), digest] for name, digest in self.digests.items()]
        described = {"kinds": kinds, "options": self.job, "files": files, "views": self.count, "poses": poses}
        return dict(_without_folders(to_json(described, "job"), self.digests.keys()))


def _last_part(name: str) -> str:
    return name.rstrip("/").rpartition("/")[2]


def _without_folders(value: Any, names: Set[str]) -> Any:
    """What JSON holds, with the last parts of file names instead of `names`."""
    if isinstance(value, dict):
        return {key: _without_folders(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_folders(item, names) for item in value]
    return _last_part(value) if isinstance(value, str) and value in names else value


def make_plan(job: Job) -> Plan:
    """Read what the job's views depend on and work them out; InputError if there are none."""
    digests = {name: file_digest(name) for name in job.files}
    scene = load_scene(job.scene)
    cameras: dict[CameraSpec, int] = {}
    poses, camera_of = [], []
    for views in job.views:
        spec = views.camera or job.camera
        assert spec is not None, "a Job has a camera for each view"
        made = views.poses(scene)
        poses.append(made)
        camera_of += [cameras.setdefault(spec, len(cameras))] * len(made)
    if not camera_of:
        raise InputError("views: there are none, expected at least one")
    return Plan(
        job,
        digests,
        tuple((spec.camera(), spec.near) for spec in cameras),
        np.array(camera_of),
        np.concatenate(poses),
    )
