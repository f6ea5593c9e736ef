"""The machine: libraries, OpenMP, cores, memory, disk."""

import importlib.metadata
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from searchapp.build import library_versions
from searchapp.doctor.finding import Finding
from searchapp.doctor.openmp import judge_openmp, openmp_of_packages, openmp_of_process
from searchapp.index.faiss_door import count_threads

FAISS = ("faiss-cpu", "faiss-gpu", "faiss-gpu-cu11", "faiss-gpu-cu12")
"""Packages that all write the folder faiss/."""
MEMINFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup/memory.max")


def installed(names: Sequence[str], *, path: Sequence[str] | None = None) -> dict[str, str]:
    """Return the versions of those packages that are installed; `path` is where to look, sys.path by default."""
    where = list(sys.path) if path is None else list(path)
    return {
        name: package.version for name in names for package in importlib.metadata.distributions(name=name, path=where)
    }


def libraries() -> Iterator[Finding]:
    """Say which libraries there are."""
    versions = library_versions()
    shown = ", ".join(f"{name} {version}" for name, version in versions.items())
    yield Finding("machine", "libraries", "ok", shown, "what vectors and files are made with", "", dict(versions))
    yield judge_faiss(installed(FAISS))


def judge_faiss(found: Mapping[str, str]) -> Finding:
    """Judge which FAISS packages are installed, by their versions."""
    shown = " and ".join(f"{name} {version}" for name, version in found.items()) or "no FAISS"
    if not found:
        return Finding(
            "machine",
            "faiss",
            "problem",
            f"{shown} is installed",
            "nothing can be indexed or searched",
            "pip install 'searchapp[cpu]'; with a CUDA GPU instead: pip install 'searchapp[gpu]'",
        )
    if len(found) > 1:
        return Finding(
            "machine",
            "faiss",
            "problem",
            f"{shown} are both installed",
            "they write the same folder: the last one to be installed is what runs, and removing either breaks it",
            f"pip uninstall -y {' '.join(found)}, then pip install 'searchapp[cpu]' or 'searchapp[gpu]'",
            dict(found),
        )
    return Finding("machine", "faiss", "ok", f"{shown}, alone", "", "", dict(found))


def openmp() -> Iterator[Finding]:
    """Judge the OpenMP runtimes of this process, FAISS loaded; where the system doesn't tell, those installed."""
    count_threads()
    loaded = openmp_of_process()
    yield judge_openmp(openmp_of_packages() if loaded is None else loaded)


def resources(place: Path) -> Iterator[Finding]:
    """Say how many cores, how much memory and how much disk below `place` may be used."""
    cores, memory, disk = count_cores(), free_memory(), free_disk(place)
    threads = os.environ.get("OMP_NUM_THREADS")
    found = f"{cores} cores" + (f" (OMP_NUM_THREADS is {threads})" if threads else "")
    found += "" if memory is None else f", {memory / 1e9:,.1f} GB of memory free"
    found += f", {disk / 1e9:,.1f} GB of disk free here"
    figures = {"cores": cores, "memory_free_bytes": memory, "disk_free_bytes": disk}
    yield Finding("machine", "resources", "ok", found, "what a build may use", "", figures)


def count_cores() -> int:
    """Return how many cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def free_memory(meminfo: Path = MEMINFO, cgroup: Path = CGROUP) -> int | None:
    """Return the bytes of memory that may still be had, no more than a container's limit; None where nobody tells."""
    limit = _read(cgroup).strip()
    bounds = [int(limit)] if limit.isdigit() else []
    for line in _read(meminfo).splitlines():
        if line.startswith("MemAvailable:"):
            bounds.append(int(line.split()[1]) * 1024)
    return min(bounds, default=None)


def free_disk(place: Path) -> int:
    """Return the free bytes of the disk that `place` lies on, or would."""
    place = place.resolve()
    return shutil.disk_usage(next(folder for folder in (place, *place.parents) if folder.is_dir())).free


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
