"""Models: real small ones on disk, and fakes that are broken in one way each."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from searchapp.doctor import model, precision, prompts, spread
from searchapp.doctor.finding import Finding
from searchapp.doctor.vectors import Spread
from searchapp.encoders import CANARIES, Encoder, load_encoder
from searchapp.encoders.folder import ModelFolder, find_folder
from searchapp.encoders.stored import StoredWeights, read_stored
from searchapp.prompts import Declared, Prompts
from tests.encoders.conftest import Build, built, oracle
from tests.fakes import CuttingEncoder, HashEncoder, PoisonedEncoder
from tests.models_on_disk import BGE, make_model, make_model2vec, make_static, token_vectors

__all__ = ["built"]
PROMPTED = Prompts("query: ", "passage: ", "model")


def load(folder: Path) -> tuple[ModelFolder, Encoder]:
    return find_folder(str(folder)), load_encoder(str(folder))


def ask(encoder: Encoder, *, packaged: bool = False) -> Finding:
    (found,) = prompts.prompts(encoder, packaged=packaged)
    return found


class DeafEncoder(HashEncoder):
    """Names prompts and applies none."""

    def __init__(self) -> None:
        super().__init__()
        self.card = replace(self.card, prompts=PROMPTED)

    def encode_queries(self, texts: Sequence[str]) -> np.ndarray:
        return self._encode("", texts)

    encode_documents = encode_queries


class BlindEncoder(HashEncoder):
    """Applies prompts it can't read, as a model without tokens for them would."""

    def _encode(self, prompt: str, texts: Sequence[str]) -> np.ndarray:
        return super()._encode("", [text.removeprefix(prompt) for text in texts])


class CountlessEncoder(CuttingEncoder):
    """Cuts and counts nothing."""

    def _lost(self, texts: Sequence[str]) -> list[int]:
        return [0] * len(texts)


class FailingEncoder(CuttingEncoder):
    """Has no positions for long texts."""

    def encode_documents(self, texts: Sequence[str]) -> np.ndarray:
        raise IndexError("index out of range in self")


@pytest.mark.parametrize("name", ["nomic", "e5"])
def test_prompts_of_a_model_are_found_and_applied(name: str, built: Build) -> None:
    folder = built(name)
    found = ask(load(folder)[1])
    query, document = (
        oracle(folder, [CANARIES[0]], prompt=prompt)[0]
        for prompt in (found.figures["query"], found.figures["document"])
    )
    cosine = query @ document / np.linalg.norm(query) / np.linalg.norm(document)
    assert found.figures["cosine_query_document"] == pytest.approx(cosine, abs=1e-5)
    assert cosine < 0.9999
    assert (found.level, found.figures["source"]) == ("ok", "model")
    assert f"cosine {cosine:.3f}" in found.found


@pytest.mark.parametrize("name", ["roberta", "bge"])
def test_a_model_without_known_prompts_is_noted(name: str, built: Build) -> None:
    found = ask(load(built(name))[1])
    assert (found.level, found.figures["cosine_query_document"]) == ("note", pytest.approx(1, abs=1e-6))
    assert "--query-prompt and --document-prompt" in found.advice
    assert ask(load(built(name))[1], packaged=True).level == "ok"


def test_a_base_that_takes_prompts_is_a_warning() -> None:
    found = ask(HashEncoder(Prompts(source="none, though its base intfloat/e5-base takes 'query: ' for queries")))
    assert found.level == "warning"
    assert "intfloat/e5-base" in found.found


def test_no_prompts_by_option_or_by_family_are_right() -> None:
    for source in ("option", "family gte (declared thenlper/gte-small)"):
        assert ask(HashEncoder(Prompts(source=source))).level == "ok"


def test_prompts_that_are_not_applied_are_a_problem() -> None:
    assert ask(HashEncoder(PROMPTED)).level == "ok"
    found = ask(DeafEncoder())
    assert found.level == "problem"
    assert "typed in front of a text it gives another vector" in found.found


def test_prompts_that_change_nothing_are_a_warning() -> None:
    found = ask(BlindEncoder(PROMPTED))
    assert (found.level, found.figures["cosine_query_document"]) == ("warning", pytest.approx(1))
    assert "make no difference" in found.means


def test_where_prompts_of_a_contract_came_from_is_told() -> None:
    (found,) = prompts.prompts(HashEncoder(Prompts("q: ", "", "option")), packaged=False, source="model")
    assert found.figures["source"] == "model"
    assert "(from model)" in found.found


def test_lengths_and_spread_of_a_real_model(built: Build) -> None:
    folder = built("nomic")
    norms, apart = spread.vectors(load(folder)[1])
    rows = oracle(folder, list(CANARIES), prompt="search_document: ")
    lengths = np.linalg.norm(rows, axis=1)
    units = rows / lengths[:, None]
    cosines = (units @ units.T)[~np.eye(len(units), dtype=bool)]
    assert norms.level == "note"
    assert norms.figures["shortest"] == pytest.approx(lengths.min(), rel=1e-4)
    assert norms.figures["longest"] == pytest.approx(lengths.max(), rel=1e-4)
    assert apart.figures["mean_cosine"] == pytest.approx(cosines.mean(), abs=1e-4)
    assert spread.judge_lengths("model", Spread(8, 0, 0, 0.9995, 1.0005, 0.1)).level == "ok"


def test_a_normalised_model_has_unit_vectors(built: Build) -> None:
    norms, _ = spread.vectors(load(built("bge"))[1])
    assert (norms.level, norms.found) == ("ok", "vectors have length 1")


@pytest.mark.parametrize(("mean", "level"), [(0.2, "ok"), (0.7, "note"), (0.96, "warning")])
def test_narrow_and_collapsing_models_are_told_apart(mean: float, level: str) -> None:
    found = spread.judge_spread("model", Spread(8, 0, 0, 1, 1, mean), of="8 texts")
    assert (found.level, found.found) == (level, f"mean cosine of 8 texts: {mean:.3f}")


def test_a_collapsed_model_is_a_problem(built: Build) -> None:
    (found,) = spread.vectors(load(built("collapsed"))[1])
    assert found.level == "problem"
    assert "it has collapsed" in f"{found.found} {found.advice}"
    assert found.figures["mean_cosine"] == pytest.approx(1, abs=1e-5)


def test_nan_is_a_problem() -> None:
    (found,) = spread.vectors(PoisonedEncoder("kitchen"))
    assert (found.level, found.figures["bad"]) == ("problem", 1)
    assert "NaN or infinite" in found.found


@pytest.mark.parametrize(("dtype", "level"), [("float32", "ok"), ("float16", "note"), ("bfloat16", "note")])
def test_what_weights_are_stored_in_is_read_off_the_file(dtype: str, level: str, tmp_path: Path) -> None:
    source, encoder = load(make_model(tmp_path / "m", BGE, dtype=dtype))
    (found,) = precision.precision(source, encoder.card)
    assert (found.level, found.figures["stored"], found.figures["runs"]) == (level, {dtype: 1.0}, "float32")
    assert found.found == f"stored in {dtype}, runs in float32 on torch"


def test_a_static_model_in_int8_is_noted(tmp_path: Path) -> None:
    from tests.models_on_disk import static_tokenizer

    rows = (token_vectors(static_tokenizer().get_vocab_size(), 8) * 40).astype(np.int8)
    source, encoder = load(make_model2vec(tmp_path / "m", {"embeddings": rows}))
    (found,) = precision.precision(source, encoder.card)
    assert (found.level, found.figures["stored"]) == ("note", {"int8": 1.0})
    assert found.found == "stored in int8, runs in float32 on static"


def test_half_precision_at_work_and_pickles_are_noted() -> None:
    card = replace(HashEncoder().card, dtype="bfloat16")
    half = precision.judge_precision(StoredWeights({"F32": 10}, ()), card)
    assert (half.level, half.found) == ("note", "stored in float32, runs in bfloat16 on numpy")
    pickled = precision.judge_precision(StoredWeights({}, (Path("pytorch_model.bin"),)), card)
    assert pickled.found == "stored in pytorch_model.bin, runs in bfloat16 on numpy"
    assert "runs code when it is loaded" in pickled.means
    mixed = precision.judge_precision(StoredWeights({"F16": 3, "F32": 1, "I64": 99}, ()), HashEncoder().card)
    assert mixed.figures["stored"] == {"float16": 0.75, "float32": 0.25}


def test_stored_numbers_are_counted(tmp_path: Path) -> None:
    folder = make_static(tmp_path / "s", dtype="float16")
    numbers = read_stored(folder).numbers
    assert list(numbers) == ["F16"]
    assert numbers["F16"] % 24 == 0


def test_the_limit_is_told_and_tried(built: Build) -> None:
    (found,) = model.length(load(built("bge"))[1])
    assert (found.level, found.figures["max_seq_length"]) == ("ok", 32)
    (free,) = model.length(HashEncoder())
    assert (free.level, free.figures["max_seq_length"]) == ("ok", None)


def test_a_cut_that_is_not_counted_is_a_warning_and_a_failure_comes_through() -> None:
    (counted,) = model.length(CuttingEncoder(40))
    (countless,) = model.length(CountlessEncoder(40))
    assert (counted.level, countless.level) == ("ok", "warning")
    with pytest.raises(IndexError):
        list(model.length(FailingEncoder(40)))


def folder_of(name: str, *, revision: str | None = None, packaged: bool = False) -> ModelFolder:
    return ModelFolder(name, Path("/models/x"), revision, packaged, Declared())


@pytest.mark.parametrize(
    ("source", "here", "trusted", "level", "word"),
    [
        (folder_of("minilm", packaged=True), True, False, "ok", "is a Python package"),
        (folder_of("/models/x"), True, False, "ok", "is a folder"),
        (folder_of("a/b", revision="c0ffee"), False, False, "note", "has just been fetched, at c0ffee"),
        (folder_of("a/b", revision="c0ffee"), True, True, "warning", "--trust-remote-code"),
    ],
)
def test_where_a_model_lies_and_what_it_needs(
    source: ModelFolder, here: bool, trusted: bool, level: str, word: str
) -> None:
    (found,) = model.place(source, was_here=here, trusted=trusted, offline=False)
    assert found.level == level
    assert word in found.found


def test_a_cached_model_is_pinned_or_kept_offline() -> None:
    source = folder_of("a/b", revision="c0ffee")
    (kept,) = model.place(source, was_here=True, trusted=False, offline=True)
    (asked,) = model.place(source, was_here=True, trusted=False, offline=False)
    assert kept.level == "ok"
    assert (asked.level, asked.advice) == ("note", "set HF_HUB_OFFLINE=1, or pin it with --revision c0ffee")
