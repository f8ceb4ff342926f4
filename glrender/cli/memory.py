"""How the process of a command keeps its memory."""

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h


def keep_freed_memory() -> None:
    """Have the C library keep what this process frees, instead of giving it back to the system page by page.

    Fusing a frame allocates and frees some megabytes besides what `glrender.recycle` holds, and fetching them again
    costs more than clearing them. For programs only: a library does not tell its process how to keep memory. GNU's C
    library has this switch; with others nothing changes.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_TRIM_THRESHOLD, 1 << 30)
        mallopt(_M_MMAP_THRESHOLD, 32 << 20)  # the most that it takes
