"""Tables become dataclasses, and what is wrong with them is said by name."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from glrender.errors import InputError
from glrender.io.tables import load_table, read_table, read_typed_tables


@dataclass(frozen=True)
class Inner:
    size: float = 1.0


@dataclass(frozen=True)
class Example:
    name: str
    count: int = 2
    ratio: float | None = None
    flag: bool = False
    kind: Literal["a", "b"] = "a"
    pair: tuple[float, float] = (0.0, 0.0)
    many: tuple[str, ...] = ()
    inner: Inner | None = None
    range: float | tuple[float, float] = 1.0


def test_values_are_read_by_type() -> None:
    table = {"name": "x", "ratio": 1, "pair": [1, 2], "many": ["p"], "inner": {"size": 3}, "range": [1, 2]}
    assert read_table("t", table, Example) == Example(
        "x", ratio=1.0, pair=(1.0, 2.0), many=("p",), inner=Inner(3.0), range=(1.0, 2.0)
    )
    assert read_table("t", {"name": "x", "range": 4}, Example).range == 4.0
    assert isinstance(read_table("t", {"name": "x", "ratio": 1}, Example).ratio, float)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"name": "x", "coutn": 1}, "t: unknown key 'coutn'; did you mean 'count'? the keys are name, count"),
        ({"count": 1}, "t: no key 'name'"),
        ({"name": 1}, "t: name: received 1, expected text"),
        ({"name": "x", "count": 1.5}, "t: count: received 1.5, expected a whole number"),
        ({"name": "x", "count": True}, "t: count: received True, expected a whole number"),
        ({"name": "x", "flag": 1}, "t: flag: received 1, expected true or false"),
        ({"name": "x", "kind": "c"}, "t: kind: received 'c', expected one of 'a', 'b'"),
        ({"name": "x", "pair": [1]}, "t: pair: received [1], expected a list of 2"),
        ({"name": "x", "pair": [1, "2"]}, "t: pair[1]: received '2', expected a number"),
        ({"name": "x", "many": "p"}, "t: many: received 'p', expected a list"),
        ({"name": "x", "inner": {"sise": 1}}, "t: inner: unknown key 'sise'; did you mean 'size'?"),
        ({"name": "x", "inner": 1}, "t: inner: received 1, expected a table of size"),
        ({"name": "x", "range": [1, 2, 3]}, "t: range: received [1, 2, 3], expected a list of 2"),
        ([], "t: received [], expected a table of name, count"),
        ({"name": "x", "ratio": math.nan}, "t: ratio: received nan, expected a number less than 1e+100"),
        ({"name": "x", "ratio": 10**400}, "t: ratio: received 1000000"),
        (
            {"name": "x", "count": 10**18},
            "t: count: received 1000000000000000000, expected a whole number less than 1e+18",
        ),
    ],
)
def test_what_is_wrong_is_named(table: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_table("t", table, Example)
    assert str(caught.value).startswith(message)


def test_of_a_long_value_the_beginning_is_shown() -> None:
    with pytest.raises(InputError) as caught:
        read_typed_tables("t", {"poses": [[0.0] * 16] * 10_000}, {"example": Example})
    assert str(caught.value).startswith("t: received {'poses': [[0.0, 0.0,")
    assert str(caught.value).endswith("…, expected a list of one or more tables")
    assert len(str(caught.value)) < 200


def test_a_list_holds_kinds_by_their_type() -> None:
    kinds: dict[str, type[Any]] = {"example": Example, "inner": Inner}
    read = read_typed_tables("t", [{"type": "inner", "size": 2}, {"type": "example", "name": "x"}], kinds)
    assert read == (Inner(2.0), Example("x"))
    for tables, message in (
        ([{"type": "iner"}], r"t\[0\]: type: received 'iner'; did you mean 'inner'\? expected one of example, inner"),
        ([{"size": 2}], r"t\[0\]: received \{'size': 2\}, expected a table whose key 'type' is one of"),
        ([{"type": "inner", "name": "x"}], r"t\[0\] \(inner\): unknown key 'name'; the keys are size"),
        ([], "expected a list of one or more tables"),
    ):
        with pytest.raises(InputError, match=message):
            read_typed_tables("t", tables, kinds)


def test_toml_and_json_say_the_same(tmp_path: Path) -> None:
    toml, json = tmp_path / "a.toml", tmp_path / "a.json"
    toml.write_text('x = 1\n[y]\nz = "q"\n')
    json.write_text('{"x": 1, "y": {"z": "q"}}')
    assert load_table(toml) == load_table(json) == {"x": 1, "y": {"z": "q"}}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.toml", "x =", "a.toml: malformed"),
        ("a.json", "{", "a.json: malformed"),
        pytest.param("a.json", "[" * 100_000, "a.json: malformed: nested too deeply", id="deep JSON"),
        pytest.param("a.toml", "x = " + "[" * 100_000, "a.toml: malformed: nested too deeply", id="deep TOML"),
        ("a.json", "[1]", "a.json: received a list, expected keys and values"),
        ("a.toml", None, "a.toml: no such file"),
        ("a.yaml", "x: 1", "a.yaml: expected a file that ends in .toml or .json"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, name: str, content: str | None, message: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError) as caught:
        load_table(path)
    assert message in str(caught.value)
