"""Writing a sequence folder that `open_sequence` reads."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glrender.checks import check_array, check_positive
from glrender.errors import InputError
from glrender.geometry.camera import Camera
from glrender.io.camera_file import CameraFile, write_camera
from glrender.io.files import data_lines, output_folder, write_bytes
from glrender.io.images import SATURATED, write_color, write_depth
from glrender.io.trajectory import Trajectory, write_trajectory

SIGNATURE = "# written by glrender\n"
"""First line of our lists: what begins otherwise is somebody's recording and is not overwritten."""


class SequenceWriter:
    """Writes images as they are added, and the lists that make them a sequence at the end.

    A sequence that an earlier run wrote into the same folder is removed first; any other one is refused.
    """

    def __init__(self, folder: str | Path, camera: Camera | CameraFile, depth_scale: float = 5000.0) -> None:
        """A `Camera` is that of colour and depth, with `depth_scale` counts per metre; a `CameraFile` says it all."""
        scale = check_positive("depth_scale", depth_scale)
        self._cameras = camera if isinstance(camera, CameraFile) else CameraFile(camera, depth_scale=scale)
        self._names: dict[str, dict[str, str]] = {"rgb": {}, "depth": {}}  # of each kind: time to file
        self._photographs: dict[str, Camera] = {}
        self._folder = output_folder(folder)
        for kind in self._names:
            _remove_images(self._folder / f"{kind}.txt")

    def add(self, time: float, image: ArrayLike | None, depth: ArrayLike | None) -> None:
        """Write one frame at `time` (seconds): a photograph, a depth image or both.

        `image` is (height, width, 3) linear; `depth` (height, width) metres along z, 0 where there is none.
        InputError if the depth does not fit into the 16 bits of the file, or two frames have the same time.
        """
        name = f"{time:.6f}"
        if any(name in names for names in self._names.values()):
            raise InputError(f"frame at {name} s: there is one already; times must differ by a microsecond or more")
        if image is None and depth is None:
            raise InputError(f"frame at {name} s: received neither image nor depth, expected at least one")
        shapes = {kind: self._cameras.of(kind).shape for kind in self._names}
        pixels = None if image is None else check_array("image", image, (*shapes["rgb"], 3), np.float64, finite=True)
        metres = None if depth is None else check_array("depth", depth, shapes["depth"], np.float64, finite=True)
        counts = None if metres is None else self._counts(metres)
        if pixels is not None:
            write_color(self._path("rgb", name, ".png"), pixels)
        if counts is not None:
            write_depth(self._path("depth", name, ".png"), counts)

    def add_file(self, kind: str, time: float, data: bytes, suffix: str, taken_by: Camera | None = None) -> None:
        """Write one image, `kind` rgb or depth, as the PNG or JPEG that it is already, of the size of the camera.

        `taken_by` is another camera than the sequence's, whose photograph it is. InputError if there is one of this
        kind and time.
        """
        name = f"{time:.6f}"
        if name in self._names[kind]:
            raise InputError(f"{kind} image at {name} s: there is one already")
        write_bytes(self._path(kind, name, suffix), data)
        if taken_by is not None:
            self._photographs[self._names[kind][name]] = taken_by

    def finish(self, trajectory: Trajectory | None) -> None:
        """Write the poses, if there are any, the camera and the lists: from now on the folder is a sequence."""
        if trajectory is not None:
            write_trajectory(self._folder / "groundtruth.txt", trajectory)
        write_camera(self._folder / "camera.yaml", self.cameras)
        for kind, names in self._names.items():
            if names:
                lines = "".join(f"{name} {names[name]}\n" for name in sorted(names, key=float))
                write_bytes(self._folder / f"{kind}.txt", f"{SIGNATURE}# timestamp filename\n{lines}".encode())

    @property
    def cameras(self) -> CameraFile:
        """That of the sequence, and those of the photographs so far that others took."""
        return replace(self._cameras, photographs=self._photographs)

    def _path(self, kind: str, name: str, suffix: str) -> Path:
        (self._folder / kind).mkdir(exist_ok=True)
        self._names[kind][name] = f"{kind}/{name}{suffix}"
        return self._folder / self._names[kind][name]

    def _counts(self, metres: NDArray[np.float64]) -> NDArray[np.uint16]:
        if (metres < 0).any():
            raise InputError(f"depth: received {metres.min():g} m, expected 0 (nothing measured) or more")
        scale = self._cameras.depth_scale
        counts = np.rint(metres * scale)
        if counts.max() >= SATURATED:
            raise InputError(
                f"depth: received {metres.max():g} m, which {scale:g} counts per metre do not fit into "
                f"16 bits; use a depth_scale below {(SATURATED - 1) / metres.max():.0f}"
            )
        return counts.astype(np.uint16)


def _remove_images(listing: Path) -> None:
    """Remove a list of ours and the images that it names."""
    if not listing.exists():
        return
    if not listing.read_text(errors="replace").startswith(SIGNATURE):
        raise InputError(f"{listing.parent}: holds a sequence that glrender did not write; choose another folder")
    for _, line in data_lines(listing):
        (listing.parent / line.partition(" ")[2]).unlink(missing_ok=True)
    listing.unlink()
