"""A folder of photographs, whose times come from a list, from their names, or from a rate."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glrender.errors import InputError, UsageError
from glrender.io.files import data_lines
from glrender.io.images import read_file
from glrender.io.png_decoder import HEAD, has_counts
from glrender.io.recordings.recording import PhotographsAlone, Picture
from glrender.io.time_units import WHOLE_UNITS, read_seconds

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
LISTS = ("times.txt", "timestamps.txt", "data.csv")
"""Where times stand in the folder or beside it: as in KITTI, and as in EuRoC, whose images lie in data/."""

UNIX_SECONDS = re.compile(r"\d{9,10}\.\d+")


@dataclass(eq=False)
class ImageFolder(PhotographsAlone):
    """Photographs of one camera, in the order of their names; made by `open_image_folder`."""

    folder: Path
    """Where they lie."""
    files: tuple[Path, ...]
    """(N) the images."""
    times: NDArray[np.float64]
    """(N,) seconds."""
    times_from: str
    """What told the times, in words."""
    counted: bool = False
    """Whether times are nothing but the order of the names."""

    def in_order(self, order: NDArray[np.int64], words: str) -> "ImageFolder":
        """The same files in another order (N,), told in `words`, counted anew."""
        files = tuple(self.files[k] for k in order)
        return replace(self, files=files, times_from=f"{self.times_from}, {words}", counted=True)

    @property
    def description(self) -> str:
        return f"image folder, times from {self.times_from}"

    @property
    def count(self) -> int:
        return len(self.files)

    def pictures(self) -> Iterator[Picture]:
        """The photographs; each is read when its pixels are."""
        for k, (path, time) in enumerate(zip(self.files, self.times, strict=True)):
            yield Picture(k, "rgb", float(time), path.relative_to(self.folder).as_posix(), partial(read_file, path))


def open_image_folder(
    folder: Path,
    times: Path | None = None,
    rate: float | None = None,
    default_rate: float | None = None,
    named: Sequence[str] = (),
) -> ImageFolder:
    """The images in `folder`, sorted by name, numbers in names by their value.

    Where it has none itself, they are those of the files `named`, relative to it, that are there: a reconstruction
    knows in which folders of it its photographs lie.

    Their times are those of the file `times`; or `rate` a second, from 0; or what a list in the folder or beside it
    says; or names that are Unix times (seconds with decimals, or whole milli-, micro- or nanoseconds); or
    `default_rate` a second. Depth images among them are left aside, and told. InputError if the folder holds no
    photograph or nothing says the times.
    """
    found = [path for path in folder.iterdir() if _is_image(path)]
    elsewhere = (folder / name.replace("\\", "/") for name in named)
    within = (path for path in dict.fromkeys(elsewhere) if path.is_relative_to(folder))
    found = found or [path for path in within if ".." not in path.relative_to(folder).parts and _is_image(path)]
    found.sort(key=lambda path: _order(path.relative_to(folder)))
    if not found and (folder / "data").is_dir():  # EuRoC
        return open_image_folder(folder / "data", times, rate, default_rate)
    if not found:
        inside = sorted(path.name for path in folder.iterdir() if path.is_dir())
        hint = f"; its folders: {', '.join(inside[:8])}" if inside else ""
        raise InputError(f"{folder}: no image; expected files that end in {', '.join(SUFFIXES)}{hint}")
    files = [path for path in found if not _is_depth(path)]
    depths = f"{len(found) - len(files)} depth images; to have both, list them in depth.txt, and photographs in rgb.txt"
    if not files:
        raise InputError(f"{folder}: no photograph, but {depths}")
    opened = _timed(folder, files, times, rate, default_rate)
    return opened if len(files) == len(found) else replace(opened, problems=[f"left aside are {depths}"])


def _timed(
    folder: Path, files: list[Path], times: Path | None, rate: float | None, default_rate: float | None
) -> ImageFolder:
    """`open_image_folder` once it is known which files are photographs."""
    if times is not None and rate is not None:
        raise UsageError(f"times: received both the list {times} and the rate {rate:g}; give one")
    if rate is not None:
        return ImageFolder(folder, tuple(files), np.arange(len(files)) / rate, f"the rate of {rate:g} a second")
    listing = times or next(
        (place / name for place in (folder, folder.parent) for name in LISTS if (place / name).is_file()), None
    )
    if listing is not None:
        return _listed(folder, files, listing)
    from_names = [_time_of_name(path.stem) for path in files]
    if None not in from_names:
        return ImageFolder(folder, tuple(files), np.array(from_names, np.float64), "their names")
    if default_rate is not None:
        seconds = np.arange(len(files)) / default_rate
        return ImageFolder(folder, tuple(files), seconds, f"counting, {default_rate:g} a second", counted=True)
    raise InputError(
        f"{folder}: nothing says when the {len(files)} images were taken: their names ({files[0].name}, …) are no Unix "
        f"times, and there is no {' or '.join(LISTS)}; give a rate in images a second, or a list of times"
    )


def _listed(folder: Path, files: list[Path], listing: Path) -> ImageFolder:
    """The images that a list names, or, where it has times alone, all of them in turn."""
    entries = []
    for number, line in data_lines(listing):
        time, *rest = line.replace(",", " ").split(maxsplit=1)
        try:
            entries.append((read_seconds(time), *rest))
        except ValueError:
            raise InputError(f"{listing}:{number}: received {line!r}, expected a time, or a time and a file") from None
    if not entries:
        raise InputError(f"{listing}: holds no time; expected a line an image: a time, or a time and a file")
    seconds = np.array([entry[0] for entry in entries])
    if not np.isfinite(seconds).all():
        raise InputError(f"{listing}: holds a time that is no finite number")
    if all(len(entry) == 1 for entry in entries):
        if len(entries) != len(files):
            raise InputError(f"{listing}: has {len(entries)} times, but {folder} has {len(files)} images")
        return ImageFolder(folder, tuple(files), seconds, listing.name)
    if any(len(entry) == 1 for entry in entries):
        raise InputError(f"{listing}: some lines name a file and some do not; expected one or the other")
    names = [str(entry[1]).strip() for entry in entries]
    paths = [folder / Path(name).name if not (folder / name).is_file() else folder / name for name in names]
    return ImageFolder(folder, tuple(paths), seconds, listing.name)


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()


def _is_depth(path: Path) -> bool:
    """Whether it is a PNG of counts, by its head; what cannot be read is told of later."""
    try:
        with path.open("rb") as file:
            return has_counts(file.read(HEAD))
    except OSError:
        return False


def _order(path: Path) -> list[tuple[int, str]]:
    """frame2 before frame10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.as_posix())]


def _time_of_name(stem: str) -> float | None:
    whole = stem.isdecimal() and len(stem) in WHOLE_UNITS
    return read_seconds(stem) if whole or UNIX_SECONDS.fullmatch(stem) else None
