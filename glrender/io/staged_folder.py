"""A folder that a sequence is written to, so that nothing a user keeps there is lost.

The sequence is made in a hidden folder inside and moved up when it is finished. A record lists what belongs
to it; a later run of the same verb replaces exactly those files and touches nothing else.
"""

import json
import os
import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from glrender.errors import InputError
from glrender.interrupt import interruptible_after
from glrender.io.files import parsed, sole_writer, write_error
from glrender.io.report import write_json

STAGE = ".in-the-making"


@dataclass(frozen=True)
class Origin:
    """Which verb writes a folder, and how it knows what it has written."""

    generator: str
    """The command, as the record names it."""
    noun: str
    """What it makes, for messages."""

    @property
    def record(self) -> str:
        """The name of the record in the folder."""
        return f"{self.noun}.json"


SIMULATION = Origin("glrender simulate", "simulation")
CONVERSION = Origin("glrender convert", "conversion")


class StagedFolder:
    """A folder that is empty, new, or holds an earlier sequence of the same origin; use as a context manager.

    Write into `stage`, then `publish`. Leaving without that removes the stage, and the folder if it was made here.
    """

    def __init__(self, path: Path, origin: Origin) -> None:
        """Raises InputError if `path` is no folder, holds anything of another origin, or cannot be written, and
        UsageError if another run is writing into it."""
        self.path = path
        self._origin = origin
        self._made: list[Path] = []
        self._lock = ExitStack()
        if path.exists() and not path.is_dir():
            raise InputError(f"{path}: is a file, expected a folder for the {origin.noun}")
        self._old_files = _files_of_earlier(path, origin)
        try:
            self._make_folders(path)
            self._lock.enter_context(sole_writer(path))
            self.stage = path / STAGE
            if self.stage.exists():  # what a killed run has left
                shutil.rmtree(self.stage)
            self.stage.mkdir()
        except OSError as error:
            self._remove_made()
            self._lock.close()
            raise write_error(path, error) from None

    @property
    def replaces(self) -> bool:
        """Whether an earlier sequence of the same origin is there."""
        return bool(self._old_files)

    def __enter__(self) -> "StagedFolder":
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.stage, ignore_errors=True)
        self._remove_made()
        self._lock.close()

    def publish(self, record: dict[str, object]) -> None:
        """Put what is in the stage into the folder, in place of the earlier sequence, with `record` beside it.

        Raises InputError if that would overwrite a file of another origin, or cannot be written.
        """
        own = self._origin.record
        files = sorted(p.relative_to(self.stage).as_posix() for p in self.stage.rglob("*") if p.is_file())
        mine = [name for name in files if name not in self._old_files and (self.path / name).exists()]
        if mine:
            noun = self._origin.noun
            raise InputError(f"{self.path / mine[0]}: exists and is no part of a {noun}; move it elsewhere first")
        try:
            content = {"generator": self._origin.generator} | record | {"files": [*files, own]}
            write_json(self.stage / own, content)
            with interruptible_after():
                # The record goes first: if this is cut off, the folder is still one that a later run knows as its own.
                os.replace(self.stage / own, self.path / own)
                self._replace_files(files)
        except OSError as error:
            raise write_error(self.path, error) from None

    def _replace_files(self, files: list[str]) -> None:
        for name in self._old_files - set(files) - {self._origin.record}:
            (self.path / name).unlink(missing_ok=True)
        for name in files:
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(self.stage / name, self.path / name)
        for folder in {(self.path / name).parent for name in self._old_files} - {self.path}:
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()

    def _make_folders(self, path: Path) -> None:
        for folder in reversed([path, *path.parents]):
            if not folder.exists():
                folder.mkdir()
                self._made.append(folder)

    def _remove_made(self) -> None:
        for folder in reversed(self._made):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


def _files_of_earlier(path: Path, origin: Origin) -> set[str]:
    """The files of the earlier sequence in `path`, none if it is empty or missing; InputError if it holds others."""
    try:
        found = {entry.name for entry in path.iterdir()} - {STAGE} if path.exists() else set()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    if not found:
        return set()
    names = _recorded_files(path, origin)
    if origin.record not in names:
        raise InputError(
            f"{path}: holds other things ({', '.join(sorted(found)[:3])}{', …' if len(found) > 3 else ''}) "
            f"and no earlier {origin.noun}; expected a new or empty folder, or one that {origin.generator} has written"
        )
    written = (path / origin.record).stat().st_mtime_ns
    changed = [name for name in names if (path / name).exists() and (path / name).stat().st_mtime_ns > written]
    if changed:
        raise InputError(
            f"{path / min(changed)}: was changed after the {origin.noun} that is there; "
            "choose another folder, or delete this file to have it made again"
        )
    return names


def _recorded_files(path: Path, origin: Origin) -> set[str]:
    """The relative paths of the files that a record lists; none if it is not a record of ours."""
    try:
        record = parsed(json.loads, (path / origin.record).read_text())
        names = record["files"] if record["generator"] == origin.generator else []
        paths = [PurePosixPath(name) for name in names]
    except (OSError, ValueError, KeyError, TypeError):
        return set()
    return {str(path) for path in paths if not path.is_absolute() and ".." not in path.parts}
