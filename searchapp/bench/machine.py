"""What figures must be read with: the machine and the versions they were measured with."""

import os
import platform

from searchapp.build import library_versions

LIBRARIES = ("searchapp", "faiss-cpu", "faiss-gpu", "numpy", "torch")


def describe_machine() -> dict[str, str | int]:
    """Return the system, its cores, and the versions of the libraries that decide figures."""
    versions = library_versions()
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count() or 0,
        "python": platform.python_version(),
        **{name: versions[name] for name in LIBRARIES if name in versions},
    }
