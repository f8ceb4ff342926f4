"""What a thread of its own makes: all of it, in its order, and no more than is taken."""

import threading
from collections.abc import Generator
from contextlib import closing

import pytest

from glrender.pipeline.beside import made_beside


def test_everything_comes_in_its_order_and_from_another_thread() -> None:
    threads = set()

    def items() -> Generator[int]:
        for k in range(1000):
            threads.add(threading.current_thread())
            yield k

    batches = list(made_beside(items()))
    assert [k for batch in batches for k in batch] == list(range(1000))
    assert all(batches)
    (thread,) = threads
    assert thread is not threading.current_thread()
    assert not thread.is_alive()


def test_all_that_came_meanwhile_comes_at_once() -> None:
    taken, made = threading.Event(), threading.Event()

    def items() -> Generator[int]:
        yield 0
        assert taken.wait(10)  # until the first is worked on
        yield from (1, 2)
        made.set()

    found = made_beside(items())
    assert next(found) == [0]
    taken.set()
    assert made.wait(10)
    assert next(found) == [1, 2]
    assert list(found) == []


def test_an_error_comes_after_what_was_made_before_it() -> None:
    def items() -> Generator[int]:
        yield 1
        yield 2
        raise ValueError("no third")

    found = []
    with pytest.raises(ValueError, match="no third"):
        for batch in made_beside(items()):
            found += batch
    assert found == [1, 2]


@pytest.mark.parametrize("error", [None, KeyboardInterrupt])
def test_whoever_leaves_early_leaves_no_thread_behind(error: type[BaseException] | None) -> None:
    made, closed = [], []

    def items() -> Generator[int]:
        try:
            for k in range(10**9):
                made.append(k)
                yield k
        finally:
            closed.append(threading.current_thread())

    def leave() -> None:
        with closing(made_beside(items())) as batches:
            for _ in batches:
                if error is not None:
                    raise error
                return

    if error is None:
        leave()
    else:
        with pytest.raises(error):
            leave()
    (thread,) = closed
    assert not thread.is_alive()
    assert len(made) < 10**9
