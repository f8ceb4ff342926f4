"""What one thread makes, while another one works on what it has made before."""

from collections.abc import Generator
from contextlib import closing
from threading import Condition, Thread
from typing import TypeVar

Item = TypeVar("Item")


def made_beside(items: Generator[Item]) -> Generator[list[Item]]:
    """Everything that `items` gives, asked for by a thread of its own: each time all that has come since the last time.

    An error of theirs is raised once what came before it has been given. Close it, or take all: then its thread has
    ended, with the item that it was about.
    """
    changed = Condition()
    come: list[Item] = []
    errors: list[BaseException] = []
    ended = left = False

    def make() -> None:
        nonlocal ended
        try:
            with closing(items):
                for item in items:
                    with changed:
                        come.append(item)
                        changed.notify()
                    if left:
                        return
        except BaseException as error:
            errors.append(error)
        finally:
            with changed:
                ended = True
                changed.notify()

    thread = Thread(target=make, name="glrender-beside")
    thread.start()
    try:
        while True:
            with changed:
                changed.wait_for(lambda: come or ended)
                taken = come.copy()
                come.clear()
            if not taken:
                break
            yield taken
    finally:
        left = True
        thread.join()
    for error in errors:
        raise error
