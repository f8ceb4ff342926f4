"""Poses of single images, which have no times of their own."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from glrender.checks import check_array, check_pose
from glrender.errors import InputError


@dataclass(frozen=True, eq=False)
class ImagePoses:
    """Poses that belong to images by their names, or by their place in the recording."""

    poses: NDArray[np.float64]
    """(N, 4, 4) T_world_camera."""
    names: tuple[str, ...] | None = None
    """(N) the images' files; None: pose k is that of the k-th image of the recording, from 0."""
    cameras: tuple[str, ...] | None = None
    """(N) what the file calls the camera of each image; None: it does not say."""
    crs: str | None = None
    """The reference system of their world, where the file belongs to a project that tells it."""

    def __post_init__(self) -> None:
        poses = check_array("image poses", self.poses, (None, 4, 4), finite=True)
        if len(poses) == 0 or (self.names is not None and len(self.names) != len(poses)):
            raise InputError(f"image poses: received {len(poses)} of {self.names!r}, expected at least one, one a name")
        if self.cameras is not None and len(self.cameras) != len(poses):
            raise InputError(f"image poses: received {len(self.cameras)} cameras of {len(poses)} images")
        for pose in poses:
            check_pose("image pose", pose)
        object.__setattr__(self, "poses", poses)

    def of(self, index: int, name: str) -> NDArray[np.float64] | None:
        """T_world_camera (4, 4) of the image `name`, the `index`-th of the recording; None: there is none.

        Folders and suffixes are left out where names agree only without them, as far as they still tell images apart.
        """
        found = self._find(index, name)
        return None if found is None else self.poses[found]

    def camera_of(self, index: int, name: str) -> str | None:
        """What took that image, as the file calls it; None: it does not say, or does not know the image."""
        found = self._find(index, name)
        return None if found is None or self.cameras is None else self.cameras[found]

    def taken_by(self, camera: str) -> "ImagePoses":
        """Those of the images that `camera` took; all where nothing is said about it."""
        if self.names is None or self.cameras is None or camera not in self.cameras:
            return self
        kept = [k for k, each in enumerate(self.cameras) if each == camera]
        return ImagePoses(self.poses[kept], tuple(self.names[k] for k in kept), (camera,) * len(kept), self.crs)

    def _find(self, index: int, name: str) -> int | None:
        """Which pose is that of an image."""
        if self.names is None:
            return index if index < len(self.poses) else None
        return next((self._known[key] for key in _keys(name) if key in self._known), None)

    @cached_property
    def _known(self) -> Mapping[str, int]:
        """Which pose each form of a name stands for, where it stands for one alone."""
        forms = [dict.fromkeys(_keys(name)) for name in self.names or ()]
        uses = Counter(key for keys in forms for key in keys)
        return {key: k for k, keys in enumerate(forms) for key in keys if uses[key] == 1}


def _keys(name: str) -> list[str]:
    """The forms of an image's name, from the whole path to the bare stem."""
    path = PurePosixPath(name.replace("\\", "/"))
    return [str(path), path.name, str(path.with_suffix("")), path.stem]
