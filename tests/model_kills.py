"""Builds with a real static model that are killed while it tokenises and encodes; prints one JSON line for each.

Run as a program, with a corpus, a model's folder, a folder to work in and a seed. The encoder is the project's own, so
the interpreter's profiler announces what it is at.
"""

import json
import random
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from types import FrameType

from searchapp.build import BuildOptions, build_index
from searchapp.corpus import open_corpus
from searchapp.encoders import load_encoder
from searchapp.index.faiss_door import faiss_version
from tests.kills import FINISHED, Aim, Trigger, folder_bytes, forked, read_trace, stage_of

MODEL_MOMENTS = 10
OPTIONS = BuildOptions(shard_documents=80)


def build(corpus: Path, model: Path, out: Path, *, trigger: Trigger | None = None) -> None:
    """Build once in this process, which may not live to see the end; without a trigger it is not slowed down."""

    encoder = load_encoder(str(model))
    if trigger is not None:
        sys.setprofile(partial(watch, trigger))
    build_index(open_corpus(corpus), out, encoder=encoder, options=OPTIONS)


def watch(trigger: Trigger, frame: FrameType, event: str, called: object) -> None:
    """Tell the trigger what the interpreter is about to call, where that is of the encoder."""
    if event == "c_call" and getattr(called, "__name__", "") == "encode_batch_fast":
        trigger("tokenising")
    elif event == "call" and frame.f_code.co_filename.endswith("token_table.py"):
        trigger(f"encoding {frame.f_code.co_name}")


def main(corpus: Path, model: Path, place: Path, seed: int) -> None:
    faiss_version()  # imports FAISS and what a model takes, once for all children
    load_encoder(str(model))
    trace = place / "trace"
    whole = partial(build, corpus, model, place / "reference", trigger=Trigger(None, trace))
    if forked(whole) != FINISHED:
        raise SystemExit("the uninterrupted build failed")
    entries = Counter(stage_of(entry) for _, entry in read_trace(trace))
    reference = folder_bytes(place / "reference")
    rng = random.Random(seed)
    for moment in range(MODEL_MOMENTS):
        out, stage = place / f"m{moment}" / "shop", ("tokenising", "encoding")[moment % 2]
        share = (moment + rng.random()) / MODEL_MOMENTS
        aim = Aim(1 + int(share * entries[stage]), stage)
        codes = [forked(partial(build, corpus, model, out, trigger=Trigger(aim, trace)))]
        last = stage_of(read_trace(trace)[-1][1])
        codes.append(forked(partial(build, corpus, model, out)))
        left = sorted(item.name for item in out.parent.iterdir())
        same = folder_bytes(out) == reference
        sys.stdout.write(json.dumps({"stage": last, "codes": codes, "same": same, "left": left}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
