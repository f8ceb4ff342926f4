"""A view is copied and pasted as JSON, and what is no view is told so."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from glrender.errors import InputError
from glrender.viewer.rig import Rig
from glrender.viewer.state import ViewState, holds_view

VIEW = ViewState(Rig((1.0, 2.0, 3.5), 4.0, -20.0, 55.0, 30.0), "∂depth/∂height", 2, logarithmic=True, exaggeration=3.0)
DEEP = "[" * 100_000


def test_what_is_copied_is_what_is_pasted() -> None:
    assert ViewState.from_json(VIEW.to_json()) == VIEW


def test_what_is_left_out_is_as_usual() -> None:
    text = '{"glrender_view": {"rig": {"target": [0, 0, 1], "distance": 2}}}'
    assert ViewState.from_json(text) == ViewState(Rig((0.0, 0.0, 1.0), 2.0))


@pytest.mark.parametrize(
    "text",
    ["", "hello", "[]", "3", "{}", '{"glrender_view": 3}', '{"glrender_view": {}}', pytest.param(DEEP, id="deep")],
)
def test_a_text_that_is_no_view(text: str) -> None:
    with pytest.raises(InputError, match="expected the JSON of a copied view"):
        ViewState.from_json(text)


@pytest.mark.parametrize(
    ("name", "text", "holds"),
    [
        ("view.json", VIEW.to_json(), True),
        ("view.txt", VIEW.to_json(), False),
        ("job.json", '{"scene": []}', False),
        ("list.json", '["glrender_view"]', False),
        ("word.json", '"glrender_view"', False),
        ("deep.json", DEEP, False),
        ("broken.json", "{", False),
    ],
    ids=lambda value: value[:9] if isinstance(value, str) else None,
)
def test_which_files_are_copied_views(tmp_path: Path, name: str, text: str, holds: bool) -> None:
    (tmp_path / name).write_text(text)
    assert holds_view(tmp_path / name) == holds
    assert not holds_view(tmp_path)


@pytest.mark.parametrize("length", [1e-320, 1e-200, 1e300])
def test_a_direction_of_any_length_is_up(length: float) -> None:
    values = json.loads(VIEW.to_json())
    up = [3 * length, 0.0, 4 * length]
    values["glrender_view"]["rig"]["up"] = up
    expected = replace(VIEW.rig, up=(3.0, 0.0, 4.0)).T_world_camera
    np.testing.assert_allclose(ViewState.from_json(json.dumps(values)).rig.T_world_camera, expected, atol=1e-3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"zoom": 1}, "no field zoom; the fields are rig, layer"),
        ({"cut": "much"}, "cut: received 'much', expected float"),
        ({"cut": 99}, "cut: received 99, expected 0 to 20"),
        ({"exaggeration": 0}, "exaggeration: received 0, expected 0.1 to 20"),
        ({"colormap": 1.5}, "colormap: received 1.5, expected int"),
        ({"light": 1}, "light: received 1, expected bool"),
        ({"layer": "colour"}, "layer: received 'colour', expected one of surface, height, σ"),
        ({"layer": 7}, "layer: received 7, expected str"),
        ({"rig": {"target": [0, 0], "distance": 1}}, "rig: target: received .*, expected three numbers"),
        ({"rig": {"target": [0, 0, 0]}}, "rig: no distance"),
        ({"rig": {"target": [0, 0, 0], "distance": 0}}, "rig: distance: received 0, expected 1e-06 to inf"),
        ({"rig": {"target": [0, 0, 0], "distance": 1, "fov": 200}}, "rig: fov: received 200, expected 5 to 120"),
        ({"rig": {"target": [0, 0, 0], "distance": 1, "roll": 2}}, "rig: no field roll"),
        (
            {"rig": {"target": [0, 0, 0], "distance": 1, "up": [0, 0, 0]}},
            "rig: up: received 0, 0, 0, expected a direction",
        ),
        ({"rig": {"target": [0, 0, 10**400], "distance": 1}}, "rig: target: received .*, expected three numbers"),
        ({"cut": 10**400}, "cut: received 10+, expected float"),
        ({"rig": [1]}, "rig: received \\[1\\], expected an object"),
    ],
)
def test_a_view_with_something_wrong(change, message: str) -> None:
    values = json.loads(VIEW.to_json())["glrender_view"] | change
    with pytest.raises(InputError, match=message):
        ViewState.from_json(json.dumps({"glrender_view": values}))
