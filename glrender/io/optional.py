"""Packages that only some formats need."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from glrender.errors import InputError


def require(module: str, extra: str, what: str | Path) -> ModuleType:
    """Import `module`, which the extra `extra` installs; InputError says that `what`, such as a file, needs it."""
    try:
        return import_module(module)
    except ImportError:
        package = module.split(".")[0]
        raise InputError(
            f"{what}: needs {package}, which is not installed; pip install 'glrender[{extra}]' or {package}"
        ) from None


def is_installed(module: str) -> bool:
    """Whether a package is there to be imported."""
    return find_spec(module) is not None
