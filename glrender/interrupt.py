"""Ctrl-C between steps rather than within one."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker


@contextmanager
def interruptible_after() -> Iterator[None]:
    """Hold back a Ctrl-C, and whatever other signal raises KeyboardInterrupt, until the block is through.

    Signals reach the main thread alone: in any other the block just runs.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    signals = (signal.SIGINT, signal.SIGTERM)
    held = [number for number in signals if signal.getsignal(number) is signal.default_int_handler]
    arrived: list[int] = []
    try:
        for number in held:
            signal.signal(number, lambda received, frame: arrived.append(received))
        yield
    finally:
        for number in held:
            signal.signal(number, signal.default_int_handler)
    if arrived:
        raise KeyboardInterrupt


@contextmanager
def interrupts_blocked() -> Iterator[None]:
    """Start a process in which signals wait until it ignores them."""
    # Started with the first process, it would let signals through again before that one is made.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGTERM])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
