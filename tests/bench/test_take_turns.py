"""How candidates take turns, and what is made of their times."""

import gc
import time

import numpy as np
import pytest

from glrender.bench.timing import Timing, take_turns


def test_candidates_take_turns_after_a_warm_up() -> None:
    calls: list[str] = []
    candidates = {name: lambda name=name: calls.append(name) for name in "abc"}
    timings = take_turns(candidates, 2, warm_up=1)
    assert "".join(calls) == "abc" * 3
    assert list(timings) == ["a", "b", "c"]
    assert all(timing.milliseconds.shape == (2,) for timing in timings.values())


def test_times_are_milliseconds_of_the_candidate_alone() -> None:
    timings = take_turns({"sleep": lambda: time.sleep(0.01), "nothing": lambda: None}, 2, warm_up=0)
    assert timings["sleep"].minimum >= 10
    assert timings["nothing"].minimum < 5


def test_the_warm_up_does_not_count() -> None:
    waits = iter([0.5, 0.0, 0.0])
    timing = take_turns({"first call compiles": lambda: time.sleep(next(waits))}, 2, warm_up=1)
    assert timing["first call compiles"].milliseconds.max() < 400


def test_of_calls_in_a_row_the_second_one_is_timed() -> None:
    calls: list[str] = []

    def pipelined() -> None:
        time.sleep(0.0 if len(calls) % 3 else 0.05)  # there is nothing to wait for yet, in the first call of a turn
        calls.append("pipelined")

    timings = take_turns({"pipelined": pipelined, "plain": lambda: calls.append("plain")}, 1, warm_up=0, in_a_row=True)
    assert calls == ["pipelined", "pipelined", "plain", "plain"]
    assert timings["pipelined"].minimum < 40


def test_a_candidate_waits_until_the_threads_of_the_one_before_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = {"processor": 0.0, "left to spin": 0.0}
    left: list[float] = []

    def sleep(seconds: float) -> None:
        spun = min(seconds, clock["left to spin"])
        clock["processor"] += spun
        clock["left to spin"] -= spun

    monkeypatch.setattr(time, "process_time", lambda: clock["processor"])
    monkeypatch.setattr(time, "sleep", sleep)
    candidates = {
        "spins for 16 ms": lambda: clock.update({"left to spin": 0.016}),
        "looks": lambda: left.append(clock["left to spin"]),
        "spins for ever": lambda: clock.update({"left to spin": 1e9}),
    }
    take_turns(candidates, 2, warm_up=0)
    assert left == pytest.approx([0, 0])


@pytest.mark.parametrize("collecting", [True, False])
def test_garbage_collection_is_left_as_it_was(collecting: bool) -> None:
    seen = []
    before = gc.isenabled()
    try:
        gc.enable() if collecting else gc.disable()
        with pytest.raises(ZeroDivisionError):
            take_turns({"fails": lambda: [seen.append(gc.isenabled()), 1 / 0]}, 1, warm_up=0)
        assert gc.isenabled() == collecting
        assert seen == [False]
    finally:
        gc.enable() if before else gc.disable()


def test_a_slow_spell_does_not_change_a_ratio() -> None:
    quiet = np.full(9, 2.0)
    spell = np.where(np.arange(9) < 4, 1.0, 7.0)
    assert Timing(3 * quiet * spell).ratio(Timing(quiet * spell)) == pytest.approx(3)
    assert Timing(quiet * spell).median == 14
    assert Timing(quiet * spell).minimum == 2


def test_noise_is_a_median_far_above_the_minimum() -> None:
    assert not Timing(np.array([10.0, 11.0, 30.0])).noisy
    assert Timing(np.array([10.0, 13.0, 13.0])).noisy
