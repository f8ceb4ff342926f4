"""`camera.yaml`: the cameras of a sequence.

    width: 640                      pixels
    height: 480
    fx: 517.3                       intrinsics of the colour camera, pixels
    fy: 516.5
    cx: 318.6
    cy: 255.3
    distortion: [k1, k2, p1, p2, k3]                        optional: the lens, as OpenCV has it
    depth_scale: 5000                                       optional: counts per metre
    depth: {fx: 525, fy: 525, cx: 319.5, cy: 239.5}         optional: a depth image made with other intrinsics
    photographs:                                            optional: those that another camera, or zoom, took
      rgb/7.jpg: {width: 640, height: 480, fx: 720, fy: 719, cx: 319, cy: 255, distortion: [k1, k2, p1, p2, k3]}

Depth images are registered to the photographs: pixel (u, v) of both shows the same point, also where
depth has intrinsics of its own. Where it does not, `registered: false` inside `depth` says that each
image follows its own intrinsics, from the same centre; so do depth images of another size, whose `width`
and `height` stand beside their intrinsics.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from glrender.checks import check_positive
from glrender.errors import InputError
from glrender.geometry.camera import INTRINSICS, Camera
from glrender.io.files import parsed, read_text, write_bytes

SIZE = ("width", "height")
OWN_SIZE = (
    "; depth images of another size than the photographs have theirs in camera.yaml: depth: {width: …, height: …, "
    "fx: …, fy: …, cx: …, cy: …}"
)
"""What to add to a complaint about the size of a depth image."""

REQUIRED = (*SIZE, *INTRINSICS)
OPTIONAL = ("distortion", "depth_scale", "depth", "photographs")


@dataclass(frozen=True)
class CameraFile:
    """What a `camera.yaml` says."""

    color: Camera
    """The camera of the photographs, with its lens."""
    depth: Camera | None = None
    """The pinhole camera of the depth images where it has intrinsics of its own; None: they share `color`."""
    registered: bool = True
    """Whether pixel (u, v) of a depth image and of its photograph show the same point."""
    depth_scale: float = 5000.0
    """Counts of a depth image per metre."""
    photographs: Mapping[str, Camera] = field(default_factory=dict)
    """Photographs of other cameras than `color`, by their names in `rgb.txt`."""

    def of(self, kind: str) -> Camera:
        """The camera of the images on file of a kind, rgb or depth, but for the photographs of others."""
        return self.color if kind == "rgb" or self.depth is None else self.depth


def read_camera(path: str | Path) -> CameraFile:
    """Read a `camera.yaml`; InputError names the keys that are missing, unknown or have an unusable value."""
    path = Path(path)
    content = _load(path)
    _check_keys(f"{path}", content, REQUIRED, OPTIONAL)
    color = _camera(f"{path}", {key: content[key] for key in REQUIRED} | {"distortion": content.get("distortion")})
    scale = check_positive(f"{path}: depth_scale", content.get("depth_scale", CameraFile.depth_scale))
    photographs = _photographs(path, content.get("photographs", {}))
    own = content.get("depth")
    if own is None:
        return CameraFile(color, depth_scale=scale, photographs=photographs)
    _check_keys(f"{path}: depth", own, INTRINSICS, (*SIZE, "registered"))
    size = {key: own.get(key, getattr(color, key)) for key in SIZE}
    depth = _camera(f"{path}: depth", size | {key: own[key] for key in INTRINSICS})
    registered = own.get("registered", depth.shape == color.shape)
    if not isinstance(registered, bool):
        raise InputError(f"{path}: depth: registered: received {registered!r}, expected true or false")
    if registered and depth.shape != color.shape:
        raise InputError(
            f"{path}: depth: registered: received true for {depth.width} x {depth.height} pixels beside photographs of "
            f"{color.width} x {color.height}, expected false, or the same size"
        )
    return CameraFile(color, depth, registered, scale, photographs)


def write_camera(path: str | Path, cameras: CameraFile) -> None:
    """Write the `camera.yaml` that `read_camera` reads."""
    content = _content(cameras.color)
    content["depth_scale"] = float(cameras.depth_scale)
    if cameras.depth is not None:
        keys = INTRINSICS if cameras.depth.shape == cameras.color.shape else REQUIRED
        content["depth"] = {key: getattr(cameras.depth, key) for key in keys} | {"registered": cameras.registered}
    if cameras.photographs:
        content["photographs"] = {name: _content(camera) for name, camera in cameras.photographs.items()}
    write_bytes(path, yaml.safe_dump(content, sort_keys=False, default_flow_style=False).encode())


def _content(camera: Camera) -> dict[str, Any]:
    content: dict[str, Any] = {key: getattr(camera, key) for key in REQUIRED}
    if camera.distortion is not None:
        content["distortion"] = list(camera.distortion)
    return content


def _photographs(path: Path, content: Any) -> dict[str, Camera]:
    if not isinstance(content, Mapping):
        raise InputError(f"{path}: photographs: received {content!r}, expected a camera for each name of a file")
    cameras = {}
    for name, values in content.items():
        where = f"{path}: photographs: {name}"
        _check_keys(where, values, REQUIRED, ("distortion",))
        cameras[str(name)] = _camera(where, {"distortion": None, **values})
    return cameras


def _load(path: Path) -> Any:
    if not path.exists():
        raise InputError(f"{path}: no such file; expected a camera.yaml with {', '.join(REQUIRED)}")
    return parse_yaml(path, read_text(path))


def parse_yaml(path: Path, text: str) -> Any:
    """What the text of the file `path` holds; InputError if it is no YAML."""
    try:
        return parsed(yaml.safe_load, text)
    except (yaml.YAMLError, ValueError) as error:
        raise InputError(f"{path}: not YAML: {' '.join(str(error).split())}") from None


def _check_keys(where: str, content: Any, required: tuple[str, ...], optional: tuple[str, ...]) -> None:
    valid = f"the keys are {', '.join(required)}, and optionally {', '.join(optional)}"
    if not isinstance(content, Mapping):
        raise InputError(f"{where}: received {content!r}, expected keys and values; {valid}")
    unknown = [str(key) for key in content if key not in (*required, *optional)]
    if unknown:
        raise InputError(f"{where}: unknown key {', '.join(unknown)}; {valid}")
    missing = [key for key in required if key not in content]
    if missing:
        raise InputError(f"{where}: no key {', '.join(missing)}; {valid}")


def _camera(where: str, values: dict[str, Any]) -> Camera:
    fy = values["fy"]
    if isinstance(fy, (int, float)) and fy < 0:
        raise InputError(
            f"{where}: fy: received {fy:g}, that of a camera whose y axis points up, as ICL-NUIM's; expected one "
            f"whose y points down: fy: {-fy:g}, and ty, qx and qz of all poses with the other sign"
        )
    try:
        return Camera(**values)
    except (InputError, TypeError, ValueError) as error:
        raise InputError(f"{where}: {error}") from None
