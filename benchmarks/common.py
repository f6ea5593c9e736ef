"""What the benchmark scripts share: where the data lies, what to say about the machine, where results go."""

import json
import os
import platform
from importlib.metadata import distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIBRARIES = ("searchapp", "faiss-cpu", "numpy", "torch", "transformers", "sentence-transformers", "tokenizers")


def data_folder() -> Path:
    """Return the folder of public data: SEARCHAPP_DATA, or ../shared/data beside the checkout."""
    folder = Path(os.environ.get("SEARCHAPP_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        raise SystemExit(f"no data at {folder}; set SEARCHAPP_DATA to its folder")
    return folder


def machine() -> dict[str, object]:
    """Return what a figure must be read with."""
    return {
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "processor": _processor(),
        "python": platform.python_version(),
        "versions": {name: found.version for name in LIBRARIES for found in distributions(name=name)},
    }


def save(name: str, result: dict[str, object]) -> None:
    """Write a result with the machine it was measured on to benchmarks/results/."""
    path = ROOT / "benchmarks" / "results" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({**result, **machine()}, indent=2) + "\n", encoding="utf-8")
    print(f"saved {path.relative_to(ROOT)}")


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if not info.is_file():
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    return names[0] if names else platform.machine()
