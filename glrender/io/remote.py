"""Inputs that lie elsewhere: a name with :// is fetched by fsspec."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from glrender.errors import InputError
from glrender.io.optional import require


def is_remote(source: str) -> bool:
    """Whether `source` is a URL rather than a path."""
    return "://" in source


@contextmanager
def local_file(source: str) -> Iterator[Path]:
    """`source` as a file of this machine while the block runs: itself, or a copy of what a URL names.

    Every URL that fsspec understands will do (s3://, gs://, https://, memory://, …), as far as the package that it
    needs for it is installed; a copy keeps the name's ending. InputError if it cannot be fetched; whether a path
    exists is for whoever reads it to say.
    """
    if not is_remote(source):
        yield Path(source)
        return
    with tempfile.TemporaryDirectory(prefix="glrender-") as folder:
        copy = Path(folder) / source.rstrip("/").rpartition("/")[2]
        copy.write_bytes(_fetch(source))
        yield copy


def _fetch(url: str) -> bytes:
    fsspec = require("fsspec", "cluster", url)
    try:
        with fsspec.open(url, "rb") as file:
            content: bytes = file.read()
    except (OSError, ValueError, ImportError) as error:  # ImportError: a protocol whose own package is missing
        raise InputError(f"{url}: cannot be fetched: {error}") from None
    return content
