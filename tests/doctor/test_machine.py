"""The machine: packages as pip writes them, and OpenMP runtimes of maps and of packages."""

from pathlib import Path

import pytest

from searchapp.doctor.machine import free_disk, free_memory, installed, judge_faiss, libraries
from searchapp.doctor.openmp import judge_openmp, openmp_of_packages, openmp_of_process

MAPS = """\
7f00-7f01 r-xp 00000000 08:01 1 /v/site-packages/torch/lib/libgomp.so.1
7f01-7f02 r--p 00000000 08:01 1 /v/site-packages/torch/lib/libgomp.so.1
7f02-7f03 r-xp 00000000 08:01 2 /v/site-packages/faiss_cpu.libs/libgomp-e985bcbb.so.1.0.0
7f03-7f04 r-xp 00000000 08:01 3 /v/site-packages/scipy/linalg/_decomp_update.cpython-311-x86_64-linux-gnu.so
7f04-7f05 rw-p 00000000 00:00 0 [heap]
7f05-7f06 rw-p 00000000 00:00 0
"""


def install(site: Path, name: str, version: str, *files: str) -> None:
    """Put a package where pip would, with its list of files."""
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "RECORD").write_text("".join(f"{file},,\n" for file in files))


def test_both_faiss_packages_are_a_problem_that_names_both(tmp_path: Path) -> None:
    install(tmp_path, "faiss-cpu", "1.15.1")
    install(tmp_path, "faiss-gpu-cu12", "1.14.0")
    found = judge_faiss(installed(("faiss-cpu", "faiss-gpu", "faiss-gpu-cu12"), path=[str(tmp_path)]))
    assert (found.level, found.found) == ("problem", "faiss-cpu 1.15.1 and faiss-gpu-cu12 1.14.0 are both installed")
    assert found.advice.startswith("pip uninstall -y faiss-cpu faiss-gpu-cu12, then pip install 'searchapp[cpu]'")


def test_one_faiss_is_right_and_none_is_a_problem(tmp_path: Path) -> None:
    assert judge_faiss({"faiss-gpu": "1.13"}).level == "ok"
    found = judge_faiss(installed(("faiss-cpu",), path=[str(tmp_path)]))
    assert (found.level, found.found) == ("problem", "no FAISS is installed")
    assert "searchapp[cpu]" in found.advice


def test_the_libraries_that_are_here_are_named() -> None:
    import numpy

    first, second = libraries()
    assert first.figures["numpy"] == numpy.__version__
    assert f"numpy {numpy.__version__}" in first.found
    assert (second.check, second.level) == ("faiss", "ok")


def test_openmp_runtimes_are_read_off_the_process(tmp_path: Path) -> None:
    (tmp_path / "maps").write_text(MAPS)
    assert openmp_of_process(tmp_path / "maps") == [
        "/v/site-packages/faiss_cpu.libs/libgomp-e985bcbb.so.1.0.0",
        "/v/site-packages/torch/lib/libgomp.so.1",
    ]
    assert openmp_of_process(tmp_path / "no-such-file") is None


def test_openmp_runtimes_are_read_off_packages_where_the_process_does_not_tell(tmp_path: Path) -> None:
    install(tmp_path, "torch", "2.13", "torch/lib/libomp.dylib", "torch/lib/libtorch.dylib")
    install(tmp_path, "faiss-cpu", "1.15", "faiss/.dylibs/libomp-1.dylib", "faiss/_swigfaiss.so")
    install(tmp_path, "unrelated", "1", "unrelated/libomp-2.dylib")
    assert openmp_of_packages(path=[str(tmp_path)]) == [
        str(tmp_path / "faiss/.dylibs/libomp-1.dylib"),
        str(tmp_path / "torch/lib/libomp.dylib"),
    ]


@pytest.mark.parametrize(
    ("runtimes", "system", "level", "word"),
    [
        ([], "linux", "ok", "none"),
        (["/v/site-packages/torch/lib/libgomp.so.1"], "linux", "ok", "torch: libgomp.so.1"),
        (["/a/libgomp.so.1", "/b/libgomp-e9.so.1"], "linux", "note", "2 OpenMP runtimes in one process: libgomp.so.1"),
        (["/a/libgomp.so.1", "/b/libiomp5.so"], "linux", "warning", "libiomp5.so"),
        (["/a/libomp.dylib"], "darwin", "ok", "libomp.dylib"),
        (["/a/libomp.dylib", "/b/libomp-1.dylib"], "darwin", "problem", "2 OpenMP runtimes"),
    ],
)
def test_two_openmp_runtimes_are_as_bad_as_the_system_makes_them(
    runtimes: list[str], system: str, level: str, word: str
) -> None:
    found = judge_openmp(runtimes, system=system)
    assert found.level == level
    assert word in found.found
    assert found.figures["runtimes"] == runtimes
    if level == "problem":
        assert "OMP: Error #15" in found.means


def test_free_memory_is_no_more_than_the_container_s(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal:  100 kB\nMemAvailable:  60 kB\n")
    (tmp_path / "max").write_text("max\n")
    (tmp_path / "limit").write_text("5000\n")
    assert free_memory(tmp_path / "meminfo", tmp_path / "max") == 60 * 1024
    assert free_memory(tmp_path / "meminfo", tmp_path / "limit") == 5000
    assert free_memory(tmp_path / "none", tmp_path / "none") is None


def test_free_disk_of_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    import shutil

    here = shutil.disk_usage(tmp_path).free
    assert free_disk(tmp_path / "to" / "come") == pytest.approx(here, rel=0.05)
