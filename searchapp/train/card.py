"""The model card: README.md of a trained model's folder, with the sections of a sentence-transformers card."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath

from searchapp.judging.card import TASKS, CardResult, card_table, index_lines, quoted
from searchapp.train.card_data import ColumnFacts, data_lines
from searchapp.train.card_settings import Settings, loss_lines, setting_lines
from searchapp.train.examples import TrainingData
from searchapp.train.log import LogRow
from searchapp.train.log_table import render_log
from searchapp.train.names import split_name
from searchapp.train.recipe import Recipe
from searchapp.train.recipe_file import render_recipe

_LONG = 60
"""Rows of a log that are shown at once; of more the table is folded."""


@dataclass(frozen=True, slots=True)
class JudgedFacts:
    """What the model was judged on."""

    dataset: str
    """A name, no path."""
    task: str
    """Of the judge: triplets, pairs or retrieval."""
    measure: str
    """The full name of what the best is kept by."""
    queries: int
    documents: int


@dataclass(frozen=True, slots=True)
class CardFacts:
    """Everything that a card tells. Names only: what is a path here is shown by its last part."""

    name: str
    """The model's own name: that of its folder."""
    base: str
    """What it was made of: a hub name, a packaged model, or a folder."""
    recipe: Recipe
    modules: str
    """The model as it is printed."""
    dim: int
    max_seq_length: int | None
    data: TrainingData
    columns: Sequence[ColumnFacts] = ()
    judged: JudgedFacts | None = None
    rows: Sequence[LogRow] = ()
    step: int = 0
    """The step whose weights it has."""
    losses: Sequence[tuple[str, Settings]] = ()
    """Name and parameters of the loss and of those within it, outermost first."""
    settings: Settings = field(default_factory=dict)
    """All arguments of the trainer."""
    changed: Settings = field(default_factory=dict)
    """Those of them that aren't its defaults."""
    versions: Mapping[str, str] = field(default_factory=dict)
    device: str = "cpu"
    seconds: float = 0.0
    """What training and judging took."""


def render_model_card(facts: CardFacts) -> str:
    """Return README.md: a front matter that the hub and `load_encoder` read, then what a person reads.

    The front matter's `model-index` holds the numbers of the step that was kept, at every dim, under the judge's names.
    The model goes by its own name there, never by its base's: it takes its own prompts.
    """
    sections = (_front, _head, _details, _usage, _evaluation, _training, _logs, _recipe, _versions)
    return "\n".join(line for section in sections for line in section(facts)) + "\n"


def base_name(base: str) -> str:
    """Return what a base is called on a card: a hub name or a packaged one as it is, a folder by its last part.

    >>> base_name("BAAI/bge-base-en-v1.5"), base_name("minilm"), base_name("/home/models/shop/")
    ('BAAI/bge-base-en-v1.5', 'minilm', 'shop')
    """
    path = PurePath(base)
    is_path = path.is_absolute() or len(path.parts) > 2 or base.startswith((".", "~"))
    return path.name if is_path else base


def _front(facts: CardFacts) -> Iterator[str]:
    tags = ["sentence-transformers", "sentence-similarity", "feature-extraction", "dense", "generated_from_trainer"]
    tags += [f"dataset_size:{len(facts.data.examples)}", *(f"loss:{name}" for name, _ in facts.losses), "searchapp"]
    yield from ("---", "tags:", *(f"- {quoted(tag)}" for tag in tags))
    if facts.recipe.model.start != "random":
        yield f"base_model: {quoted(base_name(facts.base))}"
    yield "pipeline_tag: sentence-similarity"
    yield "library_name: sentence-transformers"
    after = _results(facts, facts.step)
    if facts.judged is not None and after:
        yield from ("metrics:", *(f"- {quoted(key)}" for key in after[0].metrics))
        yield "model-index:"
        yield from index_lines(facts.name, after, TASKS[facts.judged.task])
    yield from ("---", "")


def _head(facts: CardFacts) -> Iterator[str]:
    made = {
        "pretrained": f"finetuned from {base_name(facts.base)}",
        "random": f"trained from scratch, in the architecture of {base_name(facts.base)}",
        "distil": f"distilled from {base_name(facts.base)} and then trained",
        "rotate": f"that turns the vectors of {base_name(facts.base)}, itself left as it is, by a rotation learnt",
    }[facts.recipe.model.start]
    yield from (f"# {facts.name}", "")
    yield f"This is a sentence-transformers model {made} on {facts.data.name}, by the recipe `{facts.recipe.name}` of"
    yield f"searchapp. It maps texts to a {facts.dim}-dimensional dense vector space and is made for semantic search."
    if len(facts.recipe.dims) > 1:
        dims = ", ".join(str(dim) for dim in facts.recipe.dims)
        yield f"Its vectors may be cut to fewer dimensions ({dims}) and made unit length again."
    yield ""


def _details(facts: CardFacts) -> Iterator[str]:
    prompts = facts.recipe.prompts
    length = "as long as they are" if facts.max_seq_length is None else f"{facts.max_seq_length} tokens"
    yield from ("## Model Details", "", "### Model Description")
    yield "- **Model Type:** Sentence Transformer"
    yield f"- **Base model:** {base_name(facts.base)}"
    yield f"- **Maximum Sequence Length:** {length}"
    yield f"- **Output Dimensionality:** {facts.dim} dimensions"
    yield "- **Similarity Function:** Cosine Similarity"
    yield f"- **Query Prompt:** `{json.dumps(prompts.query, ensure_ascii=False)}`"
    yield f"- **Document Prompt:** `{json.dumps(prompts.document, ensure_ascii=False)}`"
    yield f"- **Training Dataset:** {facts.data.name}"
    yield from ("", "### Full Model Architecture", "", "```", facts.modules.strip(), "```", "")


def _usage(facts: CardFacts) -> Iterator[str]:
    first = facts.data.examples[0]
    query, document = (json.dumps(text, ensure_ascii=False) for text in (first.anchor, first.positive))
    folder = f"models/{facts.name}"
    yield from ("## Usage", "", "With searchapp, which puts the prompts before texts and keeps them in the index:", "")
    yield from ("```bash", f"searchapp index products.jsonl --model {folder} --out indexes/products")
    yield from ('searchapp query indexes/products "what somebody looks for"', "```", "")
    yield from ("With sentence-transformers:", "", "```python", "from sentence_transformers import SentenceTransformer")
    yield from ("", f"model = SentenceTransformer({json.dumps(folder, ensure_ascii=False)})")
    yield f"queries = model.encode_query([{query}])"
    yield f"documents = model.encode_document([{document}])"
    yield from ("print(model.similarity(queries, documents))", "```", "")


def _evaluation(facts: CardFacts) -> Iterator[str]:
    judged, after = facts.judged, _results(facts, facts.step)
    if judged is None or not after:
        return
    names = " and ".join(filter(None, (", ".join(f"`{one.kind}`" for one in after[:-1]), f"`{after[-1].kind}`")))
    yield from ("## Evaluation", "", "### Metrics", "", f"#### {TASKS[judged.task]}", "")
    yield f"* Dataset{'s' if len(after) > 1 else ''}: {names}, of {judged.dataset}"
    if judged.documents:
        yield f"* Queries: {judged.queries:,}, documents: {judged.documents:,}"
    else:
        yield f"* Sentences: {judged.queries:,}"
    yield "* Evaluated with <code>searchapp train</code>"
    yield from ("", f"After training (step {facts.step:,}):", "", _table(after, judged), "")
    if before := _results(facts, 0):
        yield from (f"Before, {base_name(facts.base)} as it comes:", "", _table(before, judged), "")


def _training(facts: CardFacts) -> Iterator[str]:
    yield from ("## Training Details", "", "### Training Dataset", "")
    yield from data_lines(facts.data, facts.columns)
    yield from loss_lines(facts.losses)
    yield from ("", "### Training Hyperparameters")
    if facts.changed:
        yield from ("#### Non-Default Hyperparameters", "", *setting_lines(facts.changed), "")
    if facts.settings:
        yield from ("#### All Hyperparameters", "<details><summary>Click to expand</summary>", "")
        yield from (*setting_lines(facts.settings), "", "</details>", "")
    yield from ("### Training Time", f"- {facts.seconds / 60:.1f} minutes on {facts.device}, judging included", "")


def _logs(facts: CardFacts) -> Iterator[str]:
    if not facts.rows:
        return
    measure = None if facts.judged is None else facts.judged.measure
    table = render_log(facts.rows, measure=measure, best=facts.step)
    yield from ("### Training Logs", "![Learning curve](learning-curve.svg)", "")
    if len(facts.rows) > _LONG:
        yield from ("<details><summary>Click to expand</summary>", "", table, "", "</details>")
    else:
        yield table
    yield from ("", "* The bold row denotes the saved checkpoint.", "")


def _recipe(facts: CardFacts) -> Iterator[str]:
    # A base that is a folder of one machine is no base anywhere else.
    recipe = replace(facts.recipe, model=replace(facts.recipe.model, base=base_name(facts.base)))
    yield from ("### Recipe", "```toml", render_recipe(recipe).strip(), "```", "")


def _versions(facts: CardFacts) -> Iterator[str]:
    yield "### Framework Versions"
    yield from (f"- {name}: {version}" for name, version in facts.versions.items())


def _results(facts: CardFacts, step: int) -> list[CardResult]:
    """Return what was measured at a step, a result for each dim; empty where it was not judged."""
    found = [row.measures for row in facts.rows if row.step == step and row.measures]
    by_name: dict[str, dict[str, float]] = {}
    for full, value in (found[-1] if found else {}).items():
        name, key = split_name(full)
        by_name.setdefault(name, {})[key] = value
    return [CardResult(name, name.replace("_", " ").replace("-", " "), keys) for name, keys in by_name.items()]


def _table(results: Sequence[CardResult], judged: JudgedFacts) -> str:
    return card_table([(one.kind, one.metrics) for one in results], split_name(judged.measure)[1])
