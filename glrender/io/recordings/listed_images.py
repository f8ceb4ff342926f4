"""A folder in the TUM RGB-D format as a recording, with a `camera.yaml` or without, as the benchmark gives them."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from glrender.io.camera_file import CameraFile, read_camera
from glrender.io.images import read_file
from glrender.io.poses.reading import Poses
from glrender.io.recordings.recording import Kind, Picture
from glrender.io.sequence_folder import read_list
from glrender.io.trajectory import read_trajectory


@dataclass(eq=False)
class ListedImages:
    """The images of rgb.txt and depth.txt, and what stands beside them; made by `open_listed_images`."""

    lists: dict[Kind, list[Picture]]
    """The pictures of each kind, by time. What follows is as in `Recording`."""
    cameras: CameraFile | None
    poses: Poses | None
    problems: list[str] = field(default_factory=list)
    endless: bool = False

    @property
    def description(self) -> str:
        return "folder in the TUM RGB-D format"

    @property
    def kinds(self) -> tuple[Kind, ...]:
        return tuple(self.lists)

    @property
    def depth_scale(self) -> float | None:
        return self.cameras.depth_scale if self.cameras else None

    @property
    def count(self) -> int:
        return sum(map(len, self.lists.values()))

    def pictures(self) -> Iterator[Picture]:
        """Both lists, merged by time; each image is read when its pixels are."""
        return heapq.merge(*self.lists.values(), key=lambda picture: picture.time)


def open_listed_images(folder: Path) -> ListedImages:
    """Read the lists, the camera and the poses, as far as they are there; InputError if one is malformed."""
    kinds: tuple[Kind, ...] = ("rgb", "depth")
    lists = {
        kind: [
            Picture(line.index, kind, line.time, line.name, partial(read_file, line.path))
            for line in sorted(read_list(folder / f"{kind}.txt"), key=lambda line: line.time)
        ]
        for kind in kinds
        if (folder / f"{kind}.txt").exists()
    }
    camera, poses = folder / "camera.yaml", folder / "groundtruth.txt"
    return ListedImages(
        lists, read_camera(camera) if camera.exists() else None, read_trajectory(poses) if poses.exists() else None
    )
