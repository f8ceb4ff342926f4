"""Keys and mouse ask for what the help says."""

import pytest

from glrender.viewer.controls import (
    BINDINGS,
    DIGITS,
    FLIGHT,
    Button,
    Clicked,
    Command,
    Drag,
    Mouse,
    Moved,
    command_of,
    flight,
)


@pytest.mark.parametrize("binding", BINDINGS, ids=lambda binding: binding.key)
def test_every_key_of_the_help_does_what_it_says(binding) -> None:
    _control, _, key = binding.key.rpartition("Ctrl+")[0:3] if "Ctrl+" in binding.key else ("", "", binding.key)
    assert command_of(key, control=binding.key.startswith("Ctrl+"), flying=False) is binding.command


def test_every_command_has_a_key() -> None:
    assert {binding.command for binding in BINDINGS} == set(Command)
    assert len({binding.key for binding in BINDINGS}) == len(BINDINGS)
    assert not set(DIGITS) & {binding.key for binding in BINDINGS}


def test_letters_fly_only_while_the_right_button_is_held() -> None:
    assert command_of("W", control=False, flying=False) is Command.WIREFRAME
    for key in FLIGHT:
        assert command_of(key, control=False, flying=True) is None
    assert command_of("H", control=False, flying=True) is Command.HELP
    assert command_of("C", control=True, flying=False) is Command.COPY
    assert command_of("X", control=False, flying=False) is None


def test_keys_that_are_held_together_add_up() -> None:
    assert flight({"W", "D"}) == (1, 0, 1)
    assert flight({"W", "S", "H"}) == (0, 0, 0)
    assert flight({"A", "Q"}) == (-1, -1, 0)


@pytest.mark.parametrize(
    ("button", "held", "drag"),
    [
        (Button.LEFT, {}, Drag.ORBIT),
        (Button.LEFT, {"shift": True}, Drag.PAN),
        (Button.MIDDLE, {}, Drag.PAN),
        (Button.RIGHT, {}, Drag.LOOK),
        (Button.LEFT, {"control": True}, Drag.MOVE_VERTEX),
    ],
)
def test_drags(button: Button, held, drag: Drag) -> None:
    mouse = Mouse()
    assert mouse.press(button, 10, 20, **held) is (drag is Drag.MOVE_VERTEX)
    assert mouse.move(11, 21) is None, "a hand that trembles drags nothing"
    assert mouse.move(18, 15) == Moved(drag, 8, -5)
    assert mouse.move(19, 15) == Moved(drag, 1, 0)
    assert mouse.release(button) is None
    assert mouse.move(50, 50) is None


def test_a_click_is_where_the_button_went_down() -> None:
    mouse = Mouse()
    mouse.press(Button.LEFT, 10, 20)
    mouse.move(11, 21)
    assert mouse.release(Button.LEFT) == Clicked(10, 20)


def test_one_button_at_a_time() -> None:
    mouse = Mouse()
    mouse.press(Button.LEFT, 0, 0)
    mouse.press(Button.RIGHT, 0, 0)
    assert mouse.drag is Drag.ORBIT
    assert mouse.release(Button.RIGHT) is None
    assert mouse.release(Button.LEFT) == Clicked(0, 0)
    assert mouse.drag is None
