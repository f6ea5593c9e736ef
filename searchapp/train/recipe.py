"""What a recipe is: everything that decides a training, field by field. A recipe file is this as TOML."""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from searchapp.prompts import Prompts

Start: TypeAlias = Literal["pretrained", "random", "distil", "rotate"]
Task: TypeAlias = Literal["auto", "triplets", "pairs", "retrieval"]
Keep: TypeAlias = Literal["best", "last"]
Precision: TypeAlias = Literal["fp32", "fp16", "bf16"]
Leakage: TypeAlias = Literal["drop", "error", "allow"]


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What is trained."""

    base: str
    """A hub name, a folder, or a packaged model."""
    start: Start = "pretrained"
    """`random` keeps the base's architecture and none of its weights; `distil` makes a static model of it;
    `rotate` leaves it as it is and learns how its vectors are turned, so that they can be cut."""
    pooling: Literal["mean", "cls", "lasttoken"] = "mean"
    """Put behind a base that is a mere transformer; a sentence-transformers folder keeps its own modules."""
    normalize: bool = False
    """Whether Normalize is put behind the pooling, under the same condition."""
    max_seq_length: int = 512
    """Tokens that are read of a text; where the base can't read as many, as many as it can."""


@dataclass(frozen=True, slots=True)
class DistilSpec:
    """How a static model starts, where `model.start` is `distil`."""

    dim: int = 256
    random: float = 0.25
    """The length of the random vector that is added to a token's unit vector; 0 adds none."""
    normalize: bool = True


@dataclass(frozen=True, slots=True)
class DataSpec:
    """How rows are read. Templates as `--text` takes them; empty takes the reader's own columns."""

    anchor: str = ""
    positive: str = ""
    negative: str = ""
    text: str = ""
    """Of judgments: the template of a document's text."""
    split: str = "train"
    """Of judgments."""
    positive_grade: int = 0
    """Of judgments: relevant from this grade on; 0 takes the data set's own threshold."""
    negative_grade: int = 0
    """Of judgments: a hard negative up to this grade; always below positive_grade."""
    negatives: int = 1
    """Hard negatives a row, at most; 0 leaves them all out."""
    leakage: Leakage = "drop"
    """What is done with rows whose query is one that is judged on: left out, refused, or kept."""


@dataclass(frozen=True, slots=True)
class LossSpec:
    """What is minimised: in-batch negatives, at every Matryoshka dim."""

    name: Literal["MultipleNegativesRankingLoss", "CachedMultipleNegativesRankingLoss"] = "MultipleNegativesRankingLoss"
    scale: float = 20.0
    similarity: Literal["cos_sim", "dot_score"] = "cos_sim"
    mini_batch_size: int = 32
    """Of the cached loss: texts in memory at once."""
    matryoshka_dims: tuple[int, ...] = ()
    """Widest first; empty trains full width alone."""
    matryoshka_weights: tuple[float, ...] = ()
    """One for each dim; empty takes 1 for all."""


@dataclass(frozen=True, slots=True)
class TrainingSpec:
    """How it is minimised; the names in brackets are those of the trainer's arguments."""

    batch_size: int = 32
    """Rows of a batch on one device (per_device_train_batch_size)."""
    accumulation: int = 1
    """Batches of a step (gradient_accumulation_steps)."""
    learning_rate: float = 2e-5
    schedule: Literal["linear", "cosine", "constant", "constant_with_warmup"] = "linear"
    """(lr_scheduler_type)"""
    warmup_ratio: float = 0.1
    """Share of the steps in which the rate rises from 0."""
    epochs: float = 1.0
    max_steps: int = 0
    """Ends the training early; 0 takes whole epochs."""
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    optimizer: Literal["adamw_torch", "adamw_torch_fused"] = "adamw_torch"
    precision: Precision = "fp32"
    """fp16 and bf16 where the device has them, else float32; weights are always held in float32."""
    tf32: bool = False
    sampler: Literal["no_duplicates", "batch_sampler"] = "no_duplicates"
    seed: int = 42
    log_every: int = 100
    """Steps between two lines of the log."""
    checkpoint_every: int = 500
    """Steps between two checkpoints to go on from, beside those whenever the model is judged; 0 for those alone."""
    keep: Keep = "last"
    """Which weights become the model: the best by `judge.measure`, or the last."""


@dataclass(frozen=True, slots=True)
class JudgeSpec:
    """How the model is judged on the way."""

    task: Task = "auto"
    """What `--eval` is; `auto` looks."""
    name: str = "eval"
    """What the judge is called in log and card; a dim is put behind it (NAME-768) where there are several."""
    every: int | Literal["epoch"] = "epoch"
    """Steps, or each epoch."""
    measure: str = ""
    """By which the best is kept, at the widest dim: a key of the judge, such as cosine_accuracy; empty: its usual."""
    dims: tuple[int, ...] = ()
    """Empty takes the Matryoshka dims, or full width."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides a training but the data itself."""

    name: str
    about: str
    model: ModelSpec
    prompts: Prompts = field(default_factory=Prompts)
    distil: DistilSpec = field(default_factory=DistilSpec)
    data: DataSpec = field(default_factory=DataSpec)
    loss: LossSpec = field(default_factory=LossSpec)
    training: TrainingSpec = field(default_factory=TrainingSpec)
    judge: JudgeSpec = field(default_factory=JudgeSpec)

    @property
    def dims(self) -> tuple[int, ...]:
        """Return the dims that are judged; empty for full width alone."""
        return self.judge.dims or self.loss.matryoshka_dims
