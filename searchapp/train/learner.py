"""What is trained where a model stays as it is and its rotation is learnt.

The weights that are learnt are those of the next turn, a skew-symmetric matrix that is zero again after each step, when
the rotation has taken it up (Lezcano 2019, Trivializations for gradient-based optimization on manifolds); the loss is
that of the recipe. The model's own part is done once: training reads its vectors from memory.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from searchapp.build import Progress, silent
from searchapp.encoders import Encoder
from searchapp.encoders.base import Vectors
from searchapp.judging.embedding import Embedder, cut_texts
from searchapp.optional import require
from searchapp.train.examples import TrainingData
from searchapp.train.processes import are_several
from searchapp.train.rotation import axes_of, principal_axes, skew, take_turn

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import InputModule
    from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments


def open_learner(
    whole: "SentenceTransformer",
    encoder: Encoder,
    data: TrainingData,
    held_out: TrainingData | None,
    *,
    progress: Progress = silent,
) -> "SentenceTransformer":
    """Return what is trained: the next turn of a model's rotation, over its base's vectors of all texts.

    `encoder` is `whole` as `add_rotation` left it, whose rotation starts here: as the principal axes of the vectors of
    `data`, the same for the same texts. Memory: a vector for each different text.

    Raises BadVectorsError where the base gives NaN, zeros or one vector for all.
    """
    torch = require("torch", extra="train")
    axes = axes_of(whole)
    # Back to where the rotation finds them, which is where they are if it turns nothing yet.
    back = axes.detach().cpu().numpy().copy()
    keys, vectors = _embed(encoder, data, progress)
    others, more = ([], vectors[:0]) if held_out is None else _embed(encoder, held_out, progress)
    vectors, more = vectors @ back, more @ back
    with torch.no_grad():
        axes.copy_(torch.from_numpy(principal_axes(vectors)))
    rows = {key: row for row, key in enumerate([*keys, *others])}
    known = torch.from_numpy(np.concatenate([vectors, more]))
    learner: SentenceTransformer = require("sentence_transformers", extra="train").SentenceTransformer(
        modules=[_learner(rows, known, axes)], device=str(whole.device)
    )
    return learner


def make_turner(whole: "SentenceTransformer", learner: "SentenceTransformer") -> "TrainerCallback":
    """Return the trainer's callback by which the rotation of a model takes up what its learner has learnt."""
    from transformers import TrainerCallback

    axes = axes_of(whole)
    turn = next(iter(learner.parameters()))

    class Turner(TrainerCallback):
        """Turns after each step; where there are several processes, from where the first of them begins."""

        def on_train_begin(
            self, args: "TrainingArguments", state: "TrainerState", control: "TrainerControl", **others: Any
        ) -> None:
            if are_several():
                require("torch.distributed", extra="train").broadcast(axes.data, src=0)

        def on_optimizer_step(
            self, args: "TrainingArguments", state: "TrainerState", control: "TrainerControl", **others: Any
        ) -> None:
            take_turn(axes, turn)

    return Turner()


def _embed(encoder: Encoder, data: TrainingData, progress: Progress) -> tuple[list[str], Vectors]:
    """Return all different texts of some rows, each with its prompt before it, and their vectors (n, dim)."""
    prompts = encoder.card.prompts
    anchors = dict.fromkeys(row.anchor for row in data.examples)
    texts = dict.fromkeys(text for row in data.examples for text in (row.positive, *row.negatives))
    if prompts.query == prompts.document:
        texts = {text: None for text in texts if text not in anchors}
    total = len(anchors) + len(texts)
    embedder = Embedder(encoder, progress=progress)
    vectors: Vectors = np.concatenate(
        [
            embedder.embed(cut_texts(anchors), encoder.encode_queries, rows=len(anchors), total=total),
            embedder.embed(cut_texts(texts), encoder.encode_documents, rows=len(texts), total=total),
        ]
    )
    return [prompts.query + text for text in anchors] + [prompts.document + text for text in texts], vectors


def _learner(rows: Mapping[str, int], vectors: "torch.Tensor", axes: "torch.Tensor") -> "InputModule":
    """Return the one module of a learner: vectors known by heart, turned by the axes and then by what is learnt."""
    import torch
    from sentence_transformers.base.modules import InputModule

    class Learner(InputModule):
        """Reads vectors where a model would make them, and turns them."""

        turn: torch.nn.Parameter

        def preprocess(self, inputs: Sequence[Any], prompt: str | None = None, **_others: Any) -> dict[str, Any]:
            return {"sentence_embedding": vectors[[rows[(prompt or "") + text] for text in inputs]]}

        def forward(self, features: dict[str, Any], **_others: Any) -> dict[str, Any]:
            turned = features["sentence_embedding"] @ axes.detach().T
            return {**features, "sentence_embedding": turned + turned @ skew(self.turn).T}

        def get_embedding_dimension(self) -> int:
            return int(vectors.shape[1])

        def save(self, output_path: str, *_others: Any, **_more: Any) -> None:
            """Refuse: the library asks every module for it, and what is to be saved is the whole model."""
            raise TypeError(f"a learner can't be saved to {output_path}; save the model whose rotation it learns")

    made: Any = Learner  # its constructor has no types
    learner: InputModule = made()
    learner.register_parameter("turn", torch.nn.Parameter(torch.zeros_like(axes)))
    return learner
