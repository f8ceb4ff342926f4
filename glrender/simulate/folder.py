"""The folder that a simulation is written to, so that nothing a user keeps there is lost.

A simulation is made in a hidden folder inside and moved up when it is finished. `simulation.json` lists
what belongs to it; a later simulation replaces exactly those files and touches nothing else.
"""

import json
import os
import shutil
from pathlib import Path, PurePosixPath

from glrender.errors import InputError
from glrender.interrupt import interruptible_after
from glrender.io.report import write_json

RECORD = "simulation.json"
GENERATOR = "glrender simulate"
STAGE = ".simulating"


class SimulationFolder:
    """A folder that is empty, new, or holds an earlier simulation; use as a context manager.

    Write into `stage`, then `publish`. Leaving without that removes the stage, and the folder if it was made here.
    """

    def __init__(self, path: Path) -> None:
        """Raises InputError if `path` is not a folder, holds anything but a simulation, or cannot be written."""
        self.path = path
        self._made: list[Path] = []
        if path.exists() and not path.is_dir():
            raise InputError(f"{path}: is a file, expected a folder for the simulation")
        self._old_files = _files_of_earlier(path)
        try:
            self._make_folders(path)
            self.stage = path / STAGE
            if self.stage.exists():  # what a killed run has left
                shutil.rmtree(self.stage)
            self.stage.mkdir()
        except OSError as error:
            self._remove_made()
            raise InputError(f"{path}: cannot be written: {error.strerror or error}") from None

    @property
    def replaces(self) -> bool:
        """Whether an earlier simulation is there."""
        return bool(self._old_files)

    def __enter__(self) -> "SimulationFolder":
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.stage, ignore_errors=True)
        self._remove_made()

    def publish(self, record: dict[str, object]) -> None:
        """Put what is in the stage into the folder, in place of the earlier simulation, with `record` beside it.

        Raises InputError if that would overwrite a file that is not of a simulation, or cannot be written.
        """
        files = sorted(p.relative_to(self.stage).as_posix() for p in self.stage.rglob("*") if p.is_file())
        mine = [name for name in files if name not in self._old_files and (self.path / name).exists()]
        if mine:
            raise InputError(f"{self.path / mine[0]}: exists and is no part of a simulation; move it elsewhere first")
        try:
            write_json(self.stage / RECORD, {"generator": GENERATOR} | record | {"files": [*files, RECORD]})
            with interruptible_after():
                # The record goes first: if this is cut off, the folder is still one that a later run knows as its own.
                os.replace(self.stage / RECORD, self.path / RECORD)
                self._replace_files(files)
        except OSError as error:
            raise InputError(f"{self.path}: cannot be written: {error.strerror or error}") from None

    def _replace_files(self, files: list[str]) -> None:
        for name in self._old_files - set(files) - {RECORD}:
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


def _files_of_earlier(path: Path) -> set[str]:
    """The files of the simulation in `path`, none if it is empty or missing; InputError if it holds something else."""
    try:
        found = {entry.name for entry in path.iterdir()} - {STAGE} if path.exists() else set()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    if not found:
        return set()
    names = _recorded_files(path / RECORD)
    if RECORD not in names:
        raise InputError(
            f"{path}: holds other things ({', '.join(sorted(found)[:3])}{', …' if len(found) > 3 else ''}) "
            "and no earlier simulation; expected a new or empty folder, or one that glrender simulate has written"
        )
    written = (path / RECORD).stat().st_mtime_ns
    changed = [name for name in names if (path / name).exists() and (path / name).stat().st_mtime_ns > written]
    if changed:
        raise InputError(
            f"{path / min(changed)}: was changed after the simulation that is there; "
            "choose another folder, or delete this file to have it made again"
        )
    return names


def _recorded_files(record_path: Path) -> set[str]:
    """The relative paths of the files that a record lists; none if it is not a record of ours."""
    try:
        record = json.loads(record_path.read_text())
        names = record["files"] if record["generator"] == GENERATOR else []
        paths = [PurePosixPath(name) for name in names]
    except (OSError, ValueError, KeyError, TypeError):
        return set()
    return {str(path) for path in paths if not path.is_absolute() and ".." not in path.parts}
