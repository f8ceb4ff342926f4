"""Arrays whose memory is used again once nobody holds them."""

import sys
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

_UNHELD = 3
"""References to an array that only the recycler knows: its list, the loop's variable, getrefcount's argument."""

_MOST = 32
"""Arrays of all kinds that are kept."""


class Recycler:
    """Gives out arrays like numpy.empty, in the memory of earlier ones that nobody holds any more.

    Pieces of memory of some megabytes, as a frame's buffers are, go back to the system as soon as they are freed, and
    fetching them again page by page takes a good part of a frame (bench/NOTES.md, "On the host"). A view keeps the
    array that it looks at in use. At most `alike` arrays of a shape and type are kept, and 32 in all.
    """

    def __init__(self, alike: int = 4) -> None:
        self._alike = alike
        self._arrays: list[NDArray[Any]] = []
        self._lock = Lock()

    def empty(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """An array of undefined content."""
        with self._lock:
            for array in self._arrays:
                if array.shape == shape and array.dtype == dtype and sys.getrefcount(array) == _UNHELD:
                    return array
            array = np.empty(shape, dtype)
            alike = [k for k, other in enumerate(self._arrays) if other.shape == shape and other.dtype == dtype]
            if len(alike) >= self._alike:
                del self._arrays[alike[0]]
            self._arrays.append(array)
            del self._arrays[:-_MOST]
            return array

    def zeros(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """An array of zeros."""
        array = self.empty(shape, dtype)
        array.fill(0)
        return array
