"""Make the packaged static model of a trained one: its vectors in eight bits, a factor per token beside them.

    python benchmarks/static_pack.py models/static searchapp/models/static

The layout is model2vec's, which sentence-transformers loads too. Prints the sha256 of the weights, for the catalog.
"""

import argparse
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

KINDS = (("StaticEmbedding", "."), ("Normalize", "1_Normalize"))
TOP = 127


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the packaged static model of a trained one.")
    parser.add_argument("trained", type=Path, help="the folder that searchapp train made")
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    vectors = load_file(options.trained / "model.safetensors")["embedding.weight"]
    factors = np.maximum(np.abs(vectors).max(axis=1), np.finfo(np.float32).tiny) / TOP
    rounded = np.rint(vectors / factors[:, None]).astype(np.int8)
    weights = options.out / "model.safetensors"
    save_file({"embeddings": rounded, "weights": factors.astype(np.float32)}, weights)
    shutil.copyfile(options.trained / "tokenizer.json", options.out / "tokenizer.json")
    library = "sentence_transformers.models"
    modules = [
        {"idx": number, "name": str(number), "path": place, "type": f"{library}.{kind}"}
        for number, (kind, place) in enumerate(KINDS)
    ]
    write(options.out / "modules.json", modules)
    write(options.out / "config.json", {"model_type": "model2vec", "normalize": True, "seq_length": 512})
    size = sum(path.stat().st_size for path in options.out.rglob("*") if path.is_file())
    print(f"{hashlib.sha256(weights.read_bytes()).hexdigest()}  {weights}; the folder holds {size:,} bytes")


def write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
