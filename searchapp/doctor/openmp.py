"""OpenMP runtimes: two of LLVM's in one process end it on macOS; two of any kind have two sets of threads."""

import importlib.metadata
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath

from searchapp.doctor.finding import Finding

MAPS = Path("/proc/self/maps")
PACKAGES = ("torch", "faiss-cpu", "faiss-gpu", "scikit-learn", "onnxruntime", "openvino")
"""Packages that bring an OpenMP runtime and may meet in one process."""

_RUNTIME = re.compile(r"lib(gomp|iomp5|omp)\b.*\.(so|dylib)\b.*|libiomp5md\.dll", re.IGNORECASE)


def openmp_of_process(maps: Path = MAPS) -> list[str] | None:
    """Return the OpenMP runtimes loaded into this process, or None where the system doesn't tell."""
    try:
        lines = maps.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    return _runtimes(line.split(maxsplit=5)[5] for line in lines if line.count(" ") >= 5 and "/" in line)


def openmp_of_packages(names: Sequence[str] = PACKAGES, *, path: Sequence[str] | None = None) -> list[str]:
    """Return the OpenMP runtimes that installed packages bring; `path` is where they lie, sys.path by default."""
    where = list(sys.path) if path is None else list(path)
    found: list[str] = []
    for name in names:
        for package in importlib.metadata.distributions(name=name, path=where):
            found += [str(package.locate_file(file)) for file in package.files or ()]
    return _runtimes(found)


def judge_openmp(runtimes: Sequence[str], *, system: str = sys.platform) -> Finding:
    """Judge the OpenMP runtimes that are, or would be, in one process of a system (as sys.platform names it)."""
    shown = ", ".join(_short(path) for path in runtimes) or "none"
    figures = {"runtimes": list(runtimes)}
    if len(runtimes) < 2:
        means = "nothing to collide with"
        return Finding("machine", "openmp", "ok", f"OpenMP runtimes in one process: {shown}", means, "", figures)
    found = f"{len(runtimes)} OpenMP runtimes in one process: {shown}"
    if system == "darwin":
        return Finding(
            "machine",
            "openmp",
            "problem",
            found,
            "on macOS the second one ends the process (OMP: Error #15) or crashes a search",
            "install torch and faiss from one conda channel, which share one; or search where torch isn't loaded, with "
            "a static model. KMP_DUPLICATE_LIB_OK=TRUE lets them run and may give wrong results",
            figures,
        )
    if any("iomp" in PurePath(path).name or PurePath(path).name.startswith("libomp") for path in runtimes):
        return Finding(
            "machine",
            "openmp",
            "warning",
            found,
            "LLVM's or Intel's beside another may end the process (OMP: Error #15) or slow it down",
            "install torch and faiss as wheels of one source (pip install 'searchapp[all]' in a new environment)",
            figures,
        )
    return Finding(
        "machine",
        "openmp",
        "note",
        found,
        "each has threads of its own; harmless here, as the model and FAISS never compute at once",
        "nothing; if a program of yours runs both at once, set OMP_NUM_THREADS to half the cores",
        figures,
    )


def _runtimes(paths: Iterable[str]) -> list[str]:
    """Return the paths of OpenMP runtimes, each file once; the same file name is loaded once."""
    found = {PurePath(path).name: path for path in paths if _RUNTIME.fullmatch(PurePath(path).name)}
    return sorted(found.values())


def _short(path: str) -> str:
    """Return the package's folder and the file's name."""
    parts = PurePath(path).parts
    folder = next((parts[at + 1] for at, part in enumerate(parts[:-2]) if part == "site-packages"), None)
    return f"{folder}: {parts[-1]}" if folder else parts[-1]
