"""`manifest.jsonl`: whose folder it is, and what lies in it with checksums; a line is added as a view is done.

Line by line, each a JSON object: first `{"job": …}`, the effective options; then `{"run": …}` for each run, and
`{"view": index, "T_world_camera": …, "camera": …, "files": {path: {"bytes": …, "sha256": …}}}` for each view that is
whole. A line that was cut off is no line.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple, Self

from glrender.batch.job import Plan
from glrender.batch.outputs import MANIFEST, folder_of
from glrender.errors import InputError, UsageError
from glrender.io.files import parsed, sole_writer, write_bytes, write_error, writing_into
from glrender.parallel import CORES


class FileRecord(NamedTuple):
    """A file that was written."""

    path: str
    """Where it lies in the job's folder."""
    bytes: int
    """Its size."""
    sha256: str
    """Its checksum, hexadecimal."""


def record_of(path: str, content: bytes) -> FileRecord:
    """The record of a file with this content."""
    return FileRecord(path, len(content), hashlib.sha256(content).hexdigest())


def record_of_file(folder: Path, path: str) -> FileRecord:
    """The record of a file in a job's folder."""
    with open(folder / path, "rb") as file:
        return FileRecord(path, os.fstat(file.fileno()).st_size, hashlib.file_digest(file, "sha256").hexdigest())


class Manifest:
    """The manifest of a folder, open to be added to; close it when the run is over."""

    def __init__(self, folder: Path, plan: Plan, *, force: bool = False) -> None:
        """Open the folder for a job, taking over what an earlier run of it has left.

        UsageError if the folder holds anything else, unless `force`: then files of the other job are removed and
        what does not belong to any job is left alone. UsageError, too, if another run is writing into it; InputError if
        it cannot be written to.
        """
        self._plan = plan
        self._cameras = [asdict(camera) | {"near": near} for camera, near in plan.cameras]
        with ExitStack() as stack:
            self.folder = stack.enter_context(writing_into(folder))
            stack.enter_context(sole_writer(self.folder))
            self._open(force)
            self._stack = stack.pop_all()

    def _open(self, force: bool) -> None:
        folder, plan = self.folder, self._plan
        lines = _read(self.folder / MANIFEST)
        if lines and lines[0].get("job") != plan.account():
            if not force:
                raise UsageError(
                    f"{folder}: holds another job ({_difference(lines[0].get('job'), plan.account())}); "
                    "choose another folder, or --force to replace it"
                )
            _remove_files(self.folder, lines)
            lines = []
        elif not lines and any(self.folder.iterdir()) and not force:
            raise UsageError(f"{folder}: holds files, but no job's; choose another folder, or --force to use it")
        kept = _whole(self.folder, lines[1:])
        self.films = {name for line in kept if "view" not in line for name in line.get("files", {})}
        """Files of all views together that are there, whole, by earlier runs."""
        self.done = {int(line["view"]) for line in kept if "view" in line}
        """Views that are there, whole, by earlier runs."""
        content = b"".join(map(_line, [{"job": plan.account()}, *kept]))
        write_bytes(self.folder / MANIFEST, content)
        self._file = (self.folder / MANIFEST).open("ab", buffering=0)

    def add_run(self, run: Mapping[str, Any]) -> None:
        """Say how a run renders."""
        self._append({"run": dict(run)})

    def add_view(self, index: int, files: Iterable[FileRecord]) -> None:
        """Say that a view is whole."""
        self._append(
            {
                "view": index,
                "T_world_camera": self._plan.poses[index].tolist(),
                "camera": self._cameras[self._plan.camera_of[index]],
                "files": _by_path(files),
            }
        )
        self.done.add(index)

    def add_file(self, record: FileRecord) -> None:
        """Say that a file of all views together is there."""
        self._append({"files": _by_path([record])})

    def close(self) -> None:
        """Close it; where no view is done and there is no other file, nothing stays of the folder that it made."""
        self._file.close()
        if not self.done:
            with suppress(OSError):
                for output in self._plan.job.outputs:
                    (self.folder / folder_of(output)).rmdir()
            if sorted(self.folder.iterdir()) == [self.folder / MANIFEST]:
                (self.folder / MANIFEST).unlink()
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _append(self, content: Mapping[str, Any]) -> None:
        end, rest = self._file.tell(), _line(content)
        try:
            while rest:  # of a disk that is almost full, a part may be taken before the rest is refused
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            with suppress(OSError):
                self._file.truncate(end)  # half a line would spoil the one that is added to it later
            raise write_error(self.folder / MANIFEST, error) from None


def read_manifest(folder: Path) -> list[dict[str, Any]]:
    """The whole lines of a folder's manifest; InputError if there is none."""
    lines = _read(folder / MANIFEST)
    if not lines:
        raise InputError(f"{folder}: no {MANIFEST}; expected the folder of a job")
    return lines


def _by_path(records: Iterable[FileRecord]) -> dict[str, dict[str, Any]]:
    return {record.path: {"bytes": record.bytes, "sha256": record.sha256} for record in records}


def _line(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, allow_nan=False) + "\n").encode()


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    lines = []
    for line in data.split(b"\n")[:-1]:
        try:
            content = parsed(json.loads, line)
            whole = _is_line(content)
        except ValueError:
            whole = False
        if not whole:
            raise InputError(f"{path}: is damaged at {line[:40]!r}; remove it to begin anew")
        lines.append(content)
    return lines


def _is_line(content: Any) -> bool:
    """Whether it is what a line of a manifest may hold, and names files in the manifest's own folder only."""
    if not isinstance(content, dict) or not isinstance(content.get("view", 0), int):
        return False
    files = content.get("files", None if "view" in content else {})
    return isinstance(files, dict) and all(
        isinstance(record, dict)
        and record.keys() == {"bytes", "sha256"}
        and not Path(name).is_absolute()
        and ".." not in Path(name).parts
        for name, record in files.items()
    )


def _whole(folder: Path, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lines of runs, and those of films and views all of whose files are as they were written.

    Of several lines of a view, the last counts. Frames of a film that is there may be missing.
    """
    films = [line for line in lines if "files" in line and "view" not in line and _is_whole(folder, line["files"])]
    unneeded = tuple(f"{Path(name).stem}.frames/" for line in films for name in line["files"])
    views = {line["view"]: line for line in lines if "view" in line}

    def is_whole(line: dict[str, Any]) -> bool:
        files = {name: file for name, file in line["files"].items() if not name.startswith(unneeded)}
        return _is_whole(folder, files)

    with ThreadPoolExecutor(CORES) as pool:
        good = list(pool.map(is_whole, views.values()))
    kept = [line for line, whole in zip(views.values(), good, strict=True) if whole]
    return [line for line in lines if "run" in line] + films + sorted(kept, key=lambda line: int(line["view"]))


def _is_whole(folder: Path, files: Mapping[str, Mapping[str, Any]]) -> bool:
    for name, record in files.items():
        path = folder / name
        if not path.is_file() or record_of_file(folder, name) != FileRecord(name, record["bytes"], record["sha256"]):
            return False
    return True


def _remove_files(folder: Path, lines: list[dict[str, Any]]) -> None:
    names = {name for line in lines for name in line.get("files", {})}
    for name in names:
        (folder / name).unlink(missing_ok=True)
    for parent in {(folder / name).parent for name in names} - {folder}:
        if parent.is_dir() and not os.listdir(parent):
            parent.rmdir()


def _difference(theirs: Any, ours: Mapping[str, Any]) -> str:
    """What two jobs differ in, in words."""
    if not isinstance(theirs, dict):
        return "whose options cannot be read"
    options = "options"
    keys = [key for key in ours if key != options and theirs.get(key) != ours[key]]
    before, now = theirs.get(options) or {}, ours[options]
    keys += [key for key in now if before.get(key) != now[key]]
    return f"other {', '.join(dict.fromkeys(keys))}"
