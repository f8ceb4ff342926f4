"""Text files by the line, and output files that appear whole or not at all."""

import contextlib
import errno
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from glrender.errors import InputError, UsageError

Text = TypeVar("Text", str, bytes)


class DiskFullError(InputError):
    """There is no room for a file: the next one will fail too."""


def read_text(path: str | Path) -> str:
    """A file of text in UTF-8; InputError if it is none, or cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: cannot be read as text: {error}; expected UTF-8, save it as that") from None


def parsed(parse: Callable[[Text], Any], text: Text) -> Any:
    """What a parser makes of a text; its own error, or ValueError where the text is nested deeper than it can go."""
    try:
        return parse(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def read_json(path: str | Path) -> Any:
    """What a file of JSON holds; InputError if it is none, or cannot be read."""
    text = read_text(path)
    try:
        return parsed(json.loads, text)
    except ValueError as error:
        raise InputError(f"{path}: cannot be read as JSON: {error}") from None


def data_lines(path: Path) -> Iterator[tuple[int, str]]:
    """(line number from 1, text) of every line that is neither blank nor a comment (#); InputError if unreadable."""
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            yield number, stripped


def output_folder(path: str | Path) -> Path:
    """Create the folder if need be and make sure that files can be written in it; otherwise InputError."""
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be written to: {error.strerror or error}; choose another output folder"
        ) from None
    return folder


@contextlib.contextmanager
def writing_into(path: str | Path) -> Iterator[Path]:
    """`output_folder` for a block; at its end, folders that it made are removed again where nothing was written."""
    folder = Path(path).absolute()
    made = [each for each in (folder, *folder.parents) if not os.path.exists(each)]
    try:
        yield output_folder(path)
    finally:
        with contextlib.suppress(OSError):  # from the first on that holds something
            for each in made:
                each.rmdir()


@contextlib.contextmanager
def sole_writer(folder: Path) -> Iterator[None]:
    """Be the only process within such a block for this folder; UsageError if another one is.

    The lock ends with the process, however that ends. File systems that know none, as some that machines share, keep
    nobody out.
    """
    import fcntl  # which not every system has

    opened = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(opened)
        raise UsageError(
            f"{folder}: another run is writing into it; wait until it is done, or choose another folder"
        ) from None
    except OSError:
        pass
    try:
        yield
    finally:
        os.close(opened)


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write a file by way of a temporary neighbour, so that a reader never finds half of it.

    InputError if that cannot be done; DiskFullError where there is no room for it.
    """
    temporary = f"{path}.part"
    try:
        with open(temporary, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError):
            raise write_error(path, error) from None
        raise


@contextlib.contextmanager
def replacement(path: str | Path) -> Iterator[Path]:
    """A path of the same name in a new folder; what the block makes there, file or folder, takes the place of `path`.

    Where making it fails, what was at `path` stays and nothing else does. InputError if the place cannot be written.
    """
    path = Path(path)
    try:
        folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    except OSError as error:
        raise write_error(path, error) from None
    new, old = folder / path.name, folder / "replaced"
    try:
        yield new
        if path.is_dir() and new.is_dir():
            path.replace(old)  # a folder only takes the place of an empty one
        new.replace(path)
    except OSError as error:
        raise write_error(path, error) from None
    finally:
        if old.exists() and not path.exists():
            old.replace(path)
        shutil.rmtree(folder, ignore_errors=True)


def write_error(path: str | Path, error: OSError) -> InputError:
    """What to raise where `path` could not be written."""
    kind = DiskFullError if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else InputError
    return kind(f"{path}: cannot be written: {error.strerror or error}")


def remove_file(path: Path) -> None:
    """Remove a file if it is there; InputError if that cannot be done."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot be replaced: {error.strerror or error}") from None
