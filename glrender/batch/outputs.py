"""What is kept of each view, and how it is put into a file."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from glrender.batch.rendered_view import BUFFERS, RenderedView
from glrender.checks import check_choice, check_positive
from glrender.errors import InputError
from glrender.io.arrays import exr_bytes, npz_bytes, sparse_bytes
from glrender.io.images import SATURATED
from glrender.io.png import png_bytes
from glrender.render.jacobians import PARAMETERS

IDS = ("object_ids", "triangle_ids", "vertex_ids")


class Output(Protocol):
    """A kind of file that each view gets; `name` is the folder that they lie in."""

    @property
    def name(self) -> str: ...

    @property
    def suffix(self) -> str:
        """What their names end in."""

    @property
    def buffers(self) -> tuple[str, ...]:
        """What the view must hold."""

    def encode(self, view: RenderedView) -> bytes:
        """The content of the file; the same view gives the same bytes."""


@dataclass(frozen=True)
class Image:
    """The image: PNG and JPEG hold sRGB of 8 bits, EXR linear floats in channels R, G, B (or Y of a grey scene)."""

    name: str = "image"
    """Folder that the files lie in."""
    format: Literal["png", "jpeg", "exr"] = "png"
    quality: int = 95
    """Quality of a JPEG: 1 to 100."""

    def __post_init__(self) -> None:
        if not 1 <= self.quality <= 100:
            raise InputError(f"quality: received {self.quality}, expected 1 to 100")

    @property
    def suffix(self) -> str:
        return {"png": ".png", "jpeg": ".jpg", "exr": ".exr"}[self.format]

    @property
    def buffers(self) -> tuple[str, ...]:
        return ("image",)

    def encode(self, view: RenderedView) -> bytes:
        if self.format == "exr":
            image = view["image"]
            return exr_bytes(dict(zip(("R", "G", "B") if view.colors == 3 else ("Y",), _planes(image), strict=True)))
        if self.format == "png":
            return png_bytes(view.srgb)
        pixels = cv2.cvtColor(view.srgb, cv2.COLOR_RGB2BGR) if view.colors == 3 else view.srgb
        return cv2.imencode(".jpg", pixels, (cv2.IMWRITE_JPEG_QUALITY, self.quality))[1].tobytes()


@dataclass(frozen=True)
class Depth:
    """Camera z: 16-bit PNG of counts, or floats in metres; 0 where nothing is seen."""

    name: str = "depth"
    """Folder that the files lie in."""
    format: Literal["png16", "exr", "npz"] = "png16"
    scale: float = 5000.0
    """Counts per metre of a PNG; a view whose depths do not fit into 16 bits fails."""

    def __post_init__(self) -> None:
        check_positive("scale", self.scale)

    @property
    def suffix(self) -> str:
        return ".png" if self.format == "png16" else f".{self.format}"

    @property
    def buffers(self) -> tuple[str, ...]:
        return ("depth",)

    def encode(self, view: RenderedView) -> bytes:
        depth = view["depth"]
        if self.format == "exr":
            return exr_bytes({"Z": depth})
        if self.format == "npz":
            return npz_bytes({"depth": depth})
        counts = depth * np.float32(self.scale)
        np.rint(counts, out=counts)
        if counts.max() >= SATURATED:
            most = (SATURATED - 1) / depth.max()
            raise InputError(
                f"{self.name}: {depth.max():.4g} m at {self.scale:g} counts a metre do not fit into 16 bits; "
                f"give a scale of at most {0.99 * most:.5g}, or the format 'exr' or 'npz'"
            )
        return png_bytes(counts.astype(np.uint16))


@dataclass(frozen=True)
class Buffers:
    """Any buffers as they are: NPZ has an array for each, EXR a channel for each entry, such as `normal.X`."""

    buffers: tuple[str, ...]
    """Which: image, depth, normal, object_ids, triangle_ids, vertex_ids, barycentric, edges, depth_wrt_height,
    image_wrt_height, depth_wrt_pose, image_wrt_pose."""
    name: str = "buffers"
    """Folder that the files lie in."""
    format: Literal["exr", "npz"] = "npz"

    def __post_init__(self) -> None:
        if not self.buffers:
            raise InputError(f"buffers: received none, expected some of {', '.join(BUFFERS)}")
        for name in self.buffers:
            check_choice("buffers", name, BUFFERS)

    @property
    def suffix(self) -> str:
        return f".{self.format}"

    def encode(self, view: RenderedView) -> bytes:
        arrays = {name: view[name] for name in self.buffers}
        if self.format == "npz":
            return npz_bytes(arrays)
        planes: dict[str, NDArray[Any]] = {}
        for name, array in arrays.items():
            planes |= dict(zip(BUFFERS[name].channels(name, view.colors), _planes(array), strict=True))
        return exr_bytes(planes)


@dataclass(frozen=True)
class Normals(Buffers):
    """Unit normals in camera axes: `normal`, or channels `normal.X`, `normal.Y`, `normal.Z`."""

    buffers: tuple[str, ...] = ("normal",)
    name: str = "normals"


@dataclass(frozen=True)
class Ids(Buffers):
    """Which object, triangle and vertices each pixel sees, -1 for none."""

    buffers: tuple[str, ...] = IDS
    name: str = "ids"


@dataclass(frozen=True)
class Jacobian:
    """A sparse Jacobian in scipy's own format, for `scipy.sparse.load_npz`."""

    of: Literal["depth", "image"]
    wrt: Literal["height", "color", "pose"]
    name: str = "jacobian"
    """Folder that the files lie in."""

    def __post_init__(self) -> None:
        if self.wrt not in PARAMETERS[self.of]:
            raise InputError(f"wrt: received {self.wrt!r}, but {self.of} depends on {', '.join(PARAMETERS[self.of])}")

    @property
    def suffix(self) -> str:
        return ".npz"

    @property
    def buffers(self) -> tuple[str, ...]:
        return (f"{self.of}_wrt_{'pose' if self.wrt == 'pose' else 'height'}",)

    def encode(self, view: RenderedView) -> bytes:
        return sparse_bytes(view.jacobian(self.of, self.wrt))


@dataclass(frozen=True)
class Video:
    """All images in order as one film, `name`.mp4 (H.264, yuv420p); until all are there, they lie in `name`.frames."""

    name: str = "video"
    rate: int = 30
    """Frames per second."""
    quality: int = 20
    """x264's constant rate factor: 0 (lossless) to 51."""

    def __post_init__(self) -> None:
        if self.rate < 1 or not 0 <= self.quality <= 51:
            raise InputError(f"rate, quality: received {self.rate}, {self.quality}, expected 1 or more, and 0 to 51")

    @property
    def suffix(self) -> str:
        return ".png"

    @property
    def buffers(self) -> tuple[str, ...]:
        return ("image",)

    def encode(self, view: RenderedView) -> bytes:
        return Image().encode(view)


OUTPUTS: Mapping[str, type[Output]] = {
    "image": Image,
    "depth": Depth,
    "normals": Normals,
    "ids": Ids,
    "buffers": Buffers,
    "jacobian": Jacobian,
    "video": Video,
}
"""The kinds of outputs, by the `type` that a job file gives."""


MANIFEST = "manifest.jsonl"
"""The file in a job's folder that says what else lies there."""


def film_of(video: Video) -> str:
    """Where the film lies in the job's folder."""
    return f"{video.name}.mp4"


def folder_of(output: Output) -> str:
    """The folder, in the job's own, that an output's files lie in."""
    return f"{output.name}.frames" if isinstance(output, Video) else output.name


def _planes(array: NDArray[Any]) -> list[NDArray[Any]]:
    """The entries of (height, width, …) as contiguous images."""
    return list(np.ascontiguousarray(np.moveaxis(array.reshape(*array.shape[:2], -1), -1, 0)))
