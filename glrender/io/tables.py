"""Tables of TOML and JSON files, made into frozen dataclasses that say what keys there are.

A dataclass's fields are the keys, their types what is read, their defaults what may be left out. Where a list
holds things of several kinds, the key `type` says which, so that new kinds join without a change to old files.
"""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from glrender.errors import InputError
from glrender.io.files import parsed, read_text

Kind = TypeVar("Kind")

_SHOWN = 120
"""Characters of a value that a message shows: a table in the place of a list may hold ten thousand poses."""

_LARGEST = {int: 1e18, float: 1e100}
"""What numbers stay below: what counts has 64 bits, and a square or a product of three lengths is still a number."""


def load_table(path: Path) -> dict[str, Any]:
    """The content of a .toml or .json file; InputError if it is missing, malformed or no table."""
    readers = {".toml": tomllib.loads, ".json": json.loads}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InputError(f"{path}: expected a file that ends in {' or '.join(readers)}")
    text = read_text(path)
    try:
        content = parsed(reader, text)
    except ValueError as error:  # both readers' errors are of this kind
        raise InputError(f"{path}: malformed: {error}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: received a {type(content).__name__}, expected keys and values")
    return content


def read_table(where: str, table: Any, kind: type[Kind]) -> Kind:
    """Read a table as a `kind`, a frozen dataclass; InputError names the keys that are unknown, missing or unusable."""
    if not isinstance(table, Mapping):
        raise InputError(f"{where}: received {_shown(table)}, expected a table of {_keys(kind)}")
    check_keys(where, table, [field.name for field in fields(kind)])  # type: ignore[arg-type]
    hints = get_type_hints(kind)
    values = {}
    for field in fields(kind):  # type: ignore[arg-type]
        if field.name in table:
            values[field.name] = _read(f"{where}: {field.name}", table[field.name], hints[field.name])
        elif field.default is MISSING and field.default_factory is MISSING:
            raise InputError(f"{where}: no key {field.name!r}; the keys are {_keys(kind)}")
    try:
        return kind(**values)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def read_typed_tables(where: str, tables: Any, kinds: Mapping[str, type[Kind]]) -> tuple[Kind, ...]:
    """Read a list of one or more tables, each as the kind that its key `type` names."""
    if not isinstance(tables, list) or not tables:
        raise InputError(f"{where}: received {_shown(tables)}, expected a list of one or more tables")
    return tuple(_read_typed(f"{where}[{k}]", table, kinds) for k, table in enumerate(tables))


def check_keys(where: str, table: Mapping[str, Any], valid: list[str]) -> None:
    """InputError for the first key that is not among the valid ones, with the one that may have been meant."""
    for key in table:
        if key not in valid:
            raise InputError(f"{where}: unknown key {key!r};{_meant(str(key), valid)} the keys are {', '.join(valid)}")


def _read_typed(where: str, table: Any, kinds: Mapping[str, type[Kind]]) -> Kind:
    if not isinstance(table, Mapping) or "type" not in table:
        raise InputError(
            f"{where}: received {_shown(table)}, expected a table whose key 'type' is one of {', '.join(kinds)}"
        )
    name = table["type"]
    if not isinstance(name, str) or name not in kinds:
        meant = _meant(str(name), list(kinds))
        raise InputError(f"{where}: type: received {_shown(name)};{meant} expected one of {', '.join(kinds)}")
    return read_table(f"{where} ({name})", {key: value for key, value in table.items() if key != "type"}, kinds[name])


def _read(where: str, value: Any, hint: Any) -> Any:
    """`value` as `hint` says; what JSON and TOML call a list becomes a tuple."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is UnionType:
        inner = [argument for argument in arguments if argument is not NoneType]
        for argument in inner[:-1]:
            if _fits(value, argument):
                return _read(where, value, argument)
        return _read(where, value, inner[-1])
    if origin is Literal:
        if value not in arguments:
            raise InputError(f"{where}: received {_shown(value)}, expected one of {', '.join(map(repr, arguments))}")
        return value
    if origin is tuple:
        return _read_tuple(where, value, arguments)
    if is_dataclass(hint):
        return read_table(where, value, hint)  # type: ignore[arg-type]
    if not _fits(value, hint):
        raise InputError(f"{where}: received {_shown(value)}, expected {_EXPECTED[hint]}")
    # Both kinds of files know nan and inf, and whole numbers of any length.
    if hint in (int, float) and not abs(value) < _LARGEST[hint]:
        raise InputError(
            f"{where}: received {_shown(value)}, expected {_EXPECTED[hint]} less than {_LARGEST[hint]:.0e}"
        )
    return hint(value)


def _read_tuple(where: str, value: Any, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    variable = arguments[-1] is Ellipsis
    if not isinstance(value, list) or (not variable and len(value) != len(arguments)):
        count = "a list" if variable else f"a list of {len(arguments)}"
        raise InputError(f"{where}: received {_shown(value)}, expected {count}")
    kinds = [arguments[0]] * len(value) if variable else arguments
    return tuple(_read(f"{where}[{k}]", item, kind) for k, (item, kind) in enumerate(zip(value, kinds, strict=True)))


def _fits(value: Any, kind: Any) -> bool:
    if get_origin(kind) is tuple:
        return isinstance(value, list)
    if is_dataclass(kind):
        return isinstance(value, Mapping)
    accepted = (int, float) if kind is float else kind
    return isinstance(value, accepted) and (kind is bool or not isinstance(value, bool))


def _keys(kind: type) -> str:
    return ", ".join(field.name for field in fields(kind))


def _meant(received: str, valid: list[str]) -> str:
    guess = get_close_matches(received, valid, n=1)
    return f" did you mean {guess[0]!r}?" if guess else ""


def _shown(value: Any) -> str:
    """`value` as a message has it, cut off where it is long."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


_EXPECTED = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
