"""A folder for the compiled loops on machines that have none: Numba refuses to compile where it cannot keep them."""

import atexit
import os
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

PACKAGE = Path(__file__).parent


def provide_cache_folder() -> None:
    """See that Numba finds a folder to keep compiled loops in, by making one for this process where there is none.

    Numba takes the folder that NUMBA_CACHE_DIR names, one beside each module, or one in the user's cache.
    """
    named = os.environ.get("NUMBA_CACHE_DIR")
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "numba"
    if any(_can_be_written(folder) for folder in (named, PACKAGE, user) if folder):
        return
    folder = tempfile.mkdtemp(prefix="glrender-loops-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["NUMBA_CACHE_DIR"] = folder
    if "numba" in sys.modules:
        sys.modules["numba"].config.reload_config()
    warnings.warn(
        f"compiled loops cannot be kept: neither {PACKAGE} nor {user} can be written to, so each process compiles them "
        "anew, which takes seconds; let NUMBA_CACHE_DIR name a folder that can",
        stacklevel=2,
    )


def _can_be_written(folder: str | Path) -> bool:
    """Whether a folder is there, or can be made, and files can be made in it."""
    path = Path(folder).absolute()
    while not path.exists() and path != path.parent:
        path = path.parent
    return path.is_dir() and os.access(path, os.W_OK | os.X_OK)
