"""Arrays whose memory is used again once nobody holds them."""

import sys
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

_UNHELD = (
    3  # references to an array that only the recycler knows: its list, the loop's variable, getrefcount's argument
)


class Recycler:
    """Gives out arrays like numpy.empty, of the memory of earlier ones that have been let go.

    The system takes back what a process frees of some megabytes, and a frame's buffers come to 20 MB: fetching them
    again page by page took 5 of the 23 ms of a frame. A view keeps the array that it looks at in use. At most `alike`
    arrays of a shape and type are kept, and 32 in all.
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


_MOST = 32
