"""A file's bytes, mapped into memory: they are read when they are looked at."""

import mmap
import os


def map_bytes(path: os.PathLike[str]) -> mmap.mmap | bytes:
    """Map a file; raise OSError where it can't be opened. What lies in the map keeps it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        size = os.fstat(descriptor).st_size
        return mmap.mmap(descriptor, size, access=mmap.ACCESS_READ) if size else b""
    finally:
        os.close(descriptor)
