"""What a process of its own makes: all of it, in its order, and no more than is taken."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from glrender.errors import InputError, ProcessError
from glrender.pipeline.beside import Beside, Give


def nothing() -> None:
    """For a rehearsal."""


def count(give: Give[int], number: int) -> int:
    for k in range(number):
        if not give(k):
            break
    return os.getpid()


def three_at_once(give: Give[int], taken: Path, made: Path) -> None:
    give(0)
    wait_for(taken)  # until the first is worked on
    give(1)
    give(2)
    made.touch()


def two(give: Give[int]) -> None:
    give(1)
    give(2)
    raise InputError("no third")


def for_ever(give: Give[int]) -> int:
    done = 0
    while give(done):
        done += 1
        time.sleep(0.001)
    return done


def fail() -> None:
    raise InputError("no rehearsal")


def wait_for(path: Path) -> None:
    for _ in range(2000):
        if path.exists():
            return
        time.sleep(0.01)
    raise TimeoutError(path)


@pytest.fixture
def beside() -> Iterator[Beside[int, int]]:
    with closing(Beside[int, int]("counting", nothing)) as beside:
        yield beside
    assert not beside._process.is_alive()


def batches_of(beside: Beside[int, int]) -> Iterator[list[int]]:
    """All that has come, each time."""
    for _ in beside.arrivals():
        yield beside.rest()


def test_everything_comes_in_its_order_and_from_another_process(beside: Beside[int, int]) -> None:
    beside.begin(count, 1000)
    batches = list(batches_of(beside))
    assert [k for batch in batches for k in batch] == list(range(1000))
    assert all(batches)
    assert beside.result() != os.getpid()


def test_all_that_came_meanwhile_comes_at_once(beside: Beside[int, int], tmp_path: Path) -> None:
    taken, made = tmp_path / "taken", tmp_path / "made"
    beside.begin(three_at_once, taken, made)
    batches = batches_of(beside)
    assert next(batches) == [0]
    taken.touch()
    wait_for(made)
    time.sleep(1.0)  # what is made is sent by a thread
    assert next(batches) == [1, 2]
    assert list(batches) == []


def test_what_nobody_has_taken_is_there_the_next_time(beside: Beside[int, int]) -> None:
    """As where Ctrl-C comes before it is taken."""
    beside.begin(two)
    arrivals = beside.arrivals()
    next(arrivals)
    beside.close()
    assert beside.rest()[:1] == [1]
    assert beside.rest() == []


def test_an_error_comes_after_what_was_made_before_it(beside: Beside[int, int]) -> None:
    beside.begin(two)
    found = []
    with pytest.raises(InputError, match="no third") as caught:
        for batch in batches_of(beside):
            found += batch
    assert found == [1, 2]
    assert "in two" in "".join(caught.value.__notes__), "where it was raised"


def test_an_error_of_the_rehearsal_is_the_tasks() -> None:
    with closing(Beside[int, int]("counting", fail)) as beside:
        beside.begin(count, 3)
        with pytest.raises(InputError, match="no rehearsal"):
            list(batches_of(beside))


@pytest.mark.parametrize("error", [None, KeyboardInterrupt])
def test_whoever_leaves_early_has_what_there_is_and_leaves_no_process_behind(
    error: type[BaseException] | None,
) -> None:
    beside = Beside[int, int]("counting", nothing)
    taken: list[int] = []

    def leave() -> None:
        with closing(beside):
            beside.begin(for_ever)
            for batch in batches_of(beside):
                taken.extend(batch)
                if error is not None:
                    raise error
                return

    if error is None:
        leave()
    else:
        with pytest.raises(error):
            leave()
    assert beside.result() + 1 == len(taken) + len(beside.rest()), "what came on the way out is not lost"
    assert not beside._process.is_alive()


def test_it_can_be_left_before_it_has_begun() -> None:
    beside = Beside[int, int]("counting", nothing)
    beside.close()
    beside.close()
    assert not beside._process.is_alive()


def test_ctrl_c_is_for_the_first_process_to_understand(beside: Beside[int, int]) -> None:
    beside.begin(for_ever)
    batches = batches_of(beside)
    next(batches)
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(beside._process.pid or 0, number)
    time.sleep(0.1)
    next(batches)
    beside.close()
    assert beside.result() > 0


def test_a_process_that_is_killed_is_told_as_such(beside: Beside[int, int]) -> None:
    beside.begin(for_ever)
    batches = batches_of(beside)
    next(batches)
    os.kill(beside._process.pid or 0, signal.SIGKILL)
    with pytest.raises(ProcessError, match=r"counting: its process was killed by SIGKILL; .*memory"):
        for _ in batches:
            pass


def leave_at_once(_: Give[int]) -> None:
    os._exit(3)


def test_a_process_that_ends_without_a_word_is_told_as_such(beside: Beside[int, int]) -> None:
    beside.begin(leave_at_once)
    with pytest.raises(ProcessError, match="counting: its process ended with status 3 before .*__main__"):
        list(batches_of(beside))


def say_how_many_threads(_: Give[int]) -> int:
    """Of BLAS, in all libraries that have one."""
    found = [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]
    assert found
    return max(found)


def multiply() -> None:
    """What loads BLAS before it begins, as the modules of whoever follows a camera do."""
    assert np.ones((2, 2)) @ np.ones(2) is not None


def test_blas_keeps_to_one_core_there() -> None:
    with closing(Beside[int, int]("counting", multiply)) as beside:
        beside.begin(say_how_many_threads)
        assert list(batches_of(beside)) == []
        assert beside.result() == 1


def give_much(give: Give[bytes]) -> int:
    while give(bytes(10**7)):
        pass
    return 0


def test_a_process_that_is_killed_within_a_message_is_told_as_such() -> None:
    with closing(Beside[bytes, int]("counting", nothing)) as beside:
        beside.begin(give_much)
        batches = batches_of(beside)
        next(batches)
        time.sleep(0.2)  # it goes on to send, as far as the connection takes it
        os.kill(beside._process.pid or 0, signal.SIGKILL)
        with pytest.raises(ProcessError, match="was killed by SIGKILL"):
            for _ in batches:
                pass


def length(_: Give[int], content: bytes) -> int:
    return len(content)


def slowly() -> None:
    time.sleep(1.0)


def test_an_interrupt_while_much_is_said_is_acted_on_after_it() -> None:
    beside = Beside[int, int]("counting", slowly)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt), closing(beside):
        timer.start()
        beside.begin(length, bytes(10**7))  # for which it has no time yet
    assert beside.result() == 10**7


def raise_what_cannot_be_sent(_: Give[int]) -> None:
    raise ValueError("no way", lambda: 0)


def test_an_error_that_cannot_be_sent_is_told_in_words(beside: Beside[int, int]) -> None:
    beside.begin(raise_what_cannot_be_sent)
    with pytest.raises(ProcessError, match="counting: unexpected ValueError: .*no way"):
        list(batches_of(beside))
