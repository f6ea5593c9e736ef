import json
import logging
import os
import random
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer

from searchapp.encoders import CANARIES, EncoderOptions, check_encoder, load_encoder
from searchapp.encoders.chunks import open_chunker
from searchapp.errors import BadVectorsError, ModelError, UsageError
from tests.encoders.conftest import Build, oracle
from tests.models_on_disk import (
    ARCHITECTURES,
    E5,
    FIFTY,
    ROBERTA,
    SENTENCES,
    make_model,
    make_router,
    make_static,
    quiet,
)

SMALL = EncoderOptions(token_budget=48)
PROMPTS = {"nomic": ("search_query: ", "search_document: "), "e5": ("query: ", "passage: ")}
POOLING = {"nomic": "mean", "roberta": "mean", "bge": "cls+normalize", "e5": "mean+normalize", "fifty": "mean"}


def some_texts(count: int, seed: int = 0) -> list[str]:
    """Texts of one to two hundred words, an empty one and a doubled one among them."""
    chosen = random.Random(seed)
    words = [word for word in " ".join(SENTENCES).split() if ":" not in word]
    texts = [" ".join(chosen.choices(words, k=chosen.choice((1, 2, 3, 5, 8, 13, 200)))) for _ in range(count - 2)]
    return [*texts, "", texts[0]]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_vectors_equal_sentence_transformers(name: str, built: Build) -> None:
    texts, folder = some_texts(40), built(name)
    query, document = PROMPTS.get(name, ("", ""))
    encoder = load_encoder(str(folder), SMALL)
    np.testing.assert_allclose(encoder.encode_queries(texts), oracle(folder, texts, prompt=query), atol=1e-5)
    np.testing.assert_allclose(encoder.encode_documents(texts), oracle(folder, texts, prompt=document), atol=1e-5)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_card_says_what_decides_the_vectors(name: str, built: Build) -> None:
    card = load_encoder(str(built(name))).card
    query, document = PROMPTS.get(name, ("", ""))
    assert (card.prompts.query, card.prompts.document) == (query, document)
    assert card.prompts.source == ("model" if name in PROMPTS else "none")
    assert card.model == str(built(name))
    assert (card.pooling, card.dtype, card.runtime, card.revision) == (POOLING[name], "float32", "torch", None)
    assert (card.dim, card.max_seq_length) == {
        "nomic": (48, 128),
        "roberta": (64, 32),
        "bge": (64, 32),
        "e5": (64, 32),
        "fifty": (50, 32),
    }[name]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_vectors_do_not_depend_on_order_or_company(name: str, built: Build) -> None:
    texts = some_texts(60, seed=1)
    encoder = load_encoder(str(built(name)), SMALL)
    together = encoder.encode_documents(texts)
    order = np.random.default_rng(5).permutation(len(texts))
    np.testing.assert_allclose(encoder.encode_documents([texts[i] for i in order]), together[order], atol=1e-5)
    for row in (0, 7, len(texts) - 2):
        np.testing.assert_allclose(encoder.encode_documents([texts[row]])[0], together[row], atol=1e-5)


def test_the_same_call_gives_the_same_bytes(built: Build) -> None:
    encoder = load_encoder(str(built("roberta")), SMALL)
    texts = some_texts(50)
    np.testing.assert_array_equal(encoder.encode_documents(texts), encoder.encode_documents(texts))


def test_batches_on_two_cores_give_the_same_vectors_and_leave_the_setting_alone(built: Build) -> None:
    import torch

    texts, encoder = some_texts(60), load_encoder(str(built("nomic")), SMALL)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = encoder.encode_documents(texts)
        torch.set_num_threads(2)
        np.testing.assert_array_equal(encoder.encode_documents(texts), alone)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_one_text_none_and_a_bare_string(built: Build) -> None:
    encoder = load_encoder(str(built("fifty")))
    assert encoder.encode_queries(["red bag"]).shape == (1, 50)
    empty = encoder.encode_documents([])
    assert (empty.shape, str(empty.dtype), encoder.counts.texts) == ((0, 50), "float32", 1)
    with pytest.raises(UsageError, match="texts is one text; give a list of texts"):
        encoder.encode_documents("red bag")


def test_text_that_begins_with_the_prompt_is_left_alone_and_counted(built: Build) -> None:
    encoder = load_encoder(str(built("e5")))
    vectors = encoder.encode_queries(["query: red bag", "red bag", "passage: red bag"])
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-6)
    assert np.abs(vectors[1] - vectors[2]).max() > 1e-3
    assert (encoder.counts.texts, encoder.counts.already_prefixed) == (3, 1)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_inputs_beyond_max_seq_length_are_counted(name: str, built: Build) -> None:
    texts, folder = some_texts(40, seed=3), built(name)
    encoder = load_encoder(str(folder))
    encoder.encode_documents(texts)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    prompt, limit = encoder.card.prompts.document, encoder.card.max_seq_length
    assert limit is not None
    beyond = [max(0, len(tokenizer.encode(prompt + text).ids) - limit) for text in texts]
    assert sum(beyond) > 0
    assert encoder.counts.truncated == sum(tokens > 0 for tokens in beyond)
    assert encoder.counts.tokens_lost == sum(beyond)


@pytest.mark.parametrize("stored", ["float16", "bfloat16"])
def test_half_weights_are_used_in_float32(stored: str, tmp_path: Path) -> None:
    import torch

    folder = make_model(tmp_path / "half", ROBERTA, dtype=stored)
    with quiet():
        from safetensors.torch import load_file
    assert {tensor.dtype for tensor in load_file(folder / "model.safetensors").values()} == {getattr(torch, stored)}
    encoder, texts = load_encoder(str(folder)), some_texts(12)
    assert encoder.card.dtype == "float32"
    np.testing.assert_allclose(encoder.encode_documents(texts), oracle(folder, texts), atol=1e-5)


def test_options_choose_the_prompts(built: Build) -> None:
    encoder = load_encoder(str(built("e5")), EncoderOptions(query_prompt="", document_prompt="passage: the "))
    assert encoder.card.prompts.source == "option"
    texts = some_texts(8)
    np.testing.assert_allclose(encoder.encode_queries(texts), oracle(built("e5"), texts), atol=1e-5)
    expected = oracle(built("e5"), texts, prompt="passage: the ")
    np.testing.assert_allclose(encoder.encode_documents(texts), expected, atol=1e-5)


def test_prompt_tokens_left_out_of_pooling_are_left_out_here(built: Build, tmp_path: Path) -> None:
    folder = tmp_path / "e5"
    shutil.copytree(built("e5"), folder)
    config = json.loads((folder / "1_Pooling" / "config.json").read_text())
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({**config, "include_prompt": False}))
    texts = [text for text in some_texts(30) if text]
    encoder = load_encoder(str(folder), SMALL)
    assert encoder.card.pooling == "mean without prompt+normalize"
    found = encoder.encode_queries(texts)
    np.testing.assert_allclose(found, oracle(folder, texts, prompt="query: "), atol=1e-5)
    assert np.abs(found - load_encoder(str(built("e5"))).encode_queries(texts)).max() > 1e-3
    assert encoder.counts.tokens_lost > 0
    np.testing.assert_allclose(encoder.encode_queries([f"query: {texts[0]}"])[0], found[0], atol=1e-6)


def test_a_tokenizer_in_python_works_and_counts(tmp_path: Path) -> None:
    folder = tmp_path / "bytes"
    with quiet():
        from transformers import ByT5Tokenizer

        made = make_model(tmp_path / "fifty", FIFTY)
        shutil.copytree(made, folder)
        for name in ("tokenizer.json", "tokenizer_config.json"):
            (folder / name).unlink()
        ByT5Tokenizer(model_max_length=32, extra_ids=0).save_pretrained(folder)
        settings = json.loads((folder / "sentence_bert_config.json").read_text())
        (folder / "sentence_bert_config.json").write_text(json.dumps({**settings, "max_seq_length": 32}))
    texts = ["red bag", "a much longer text about a green garden table", "x", "drill"]
    encoder = load_encoder(str(folder), SMALL)
    np.testing.assert_allclose(encoder.encode_documents(texts), oracle(folder, texts), atol=1e-5)
    lost = len(texts[1].encode()) + 1 - 32
    assert (encoder.counts.truncated, encoder.counts.tokens_lost) == (1, lost)
    with pytest.raises(ModelError, match=r"by ByT5Tokenizer in Transformer, which doesn't tell .* --on-truncate warn"):
        open_chunker(encoder)


def test_queries_and_documents_take_their_own_route(built: Build, tmp_path: Path) -> None:
    folder = make_router(tmp_path / "router", built("roberta"), built("e5"))
    texts = some_texts(20)
    encoder = load_encoder(str(folder), SMALL)
    np.testing.assert_allclose(encoder.encode_queries(texts), oracle(built("roberta"), texts), atol=1e-5)
    np.testing.assert_allclose(encoder.encode_documents(texts), oracle(built("e5"), texts), atol=1e-5)
    assert encoder.counts.tokens_lost > 0
    chunker = open_chunker(encoder)
    assert chunker is not None
    (chunks,) = chunker.split(["Una mesa de madera, un bolso de cuero rojo. " * 9])
    encoder.encode_documents(chunks)
    assert len(chunks) > 1
    assert sum(encoder.counts.last_lost) == 0


def test_static_models_run_in_torch_too(tmp_path: Path) -> None:
    folder = make_static(tmp_path / "static", normalize=True)
    texts = some_texts(20)[:-2]
    encoder = load_encoder(str(folder), EncoderOptions(token_budget=48, runtime="torch"))
    np.testing.assert_allclose(encoder.encode_documents(texts), oracle(folder, texts), atol=1e-5)
    assert (encoder.card.runtime, encoder.card.pooling, encoder.counts.truncated) == ("torch", "mean+normalize", 0)


def test_a_folder_that_names_no_modules_is_pooled_by_the_mean_and_says_so(built: Build) -> None:
    raw = built("roberta").parent / "roberta-raw"
    encoder = load_encoder(str(raw))
    assert encoder.card.pooling == "mean (assumed: no modules.json)"
    texts = some_texts(10)
    np.testing.assert_allclose(encoder.encode_documents(texts), oracle(built("roberta"), texts), atol=1e-5)


def test_a_collapsed_model_is_refused(built: Build) -> None:
    with pytest.raises(BadVectorsError, match="one vector to different texts: the test text 'A red leather handbag"):
        check_encoder(load_encoder(str(built("collapsed"))))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_working_model_passes(name: str, built: Build) -> None:
    check_encoder(load_encoder(str(built(name))))


@pytest.mark.parametrize(("value", "said"), [(float("nan"), "NaN or infinite numbers"), (0.0, "only zeros")])
def test_nan_and_zero_models_are_refused(value: float, said: str, tmp_path: Path) -> None:
    def spoil(model: Any) -> None:
        import torch

        with torch.no_grad():
            last = model.encoder.layer[-1].output.LayerNorm
            last.weight.fill_(value)
            last.bias.fill_(value)

    encoder = load_encoder(str(make_model(tmp_path / "spoiled", FIFTY, change=spoil)))
    with pytest.raises(BadVectorsError, match=f"the vector of the test text 'A red leather .* holds {said}"):
        check_encoder(encoder)


def test_damaged_weights_are_one_line(built: Build, tmp_path: Path) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(built("fifty"), folder)
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(ModelError, match=r"damaged can't be loaded \(.*\); check that .* is whole") as caught:
        load_encoder(str(folder))
    assert "\n" not in str(caught.value)


def test_code_of_a_model_is_not_run_unasked(built: Build, tmp_path: Path) -> None:
    folder, ran = tmp_path / "own-code", tmp_path / "ran"
    shutil.copytree(built("fifty"), folder)
    (folder / "modeling.py").write_text(f"open({str(ran)!r}, 'w').close()\n")
    config = json.loads((folder / "config.json").read_text())
    changed = {**config, "model_type": "strange", "auto_map": {"AutoConfig": "modeling.C", "AutoModel": "modeling.M"}}
    (folder / "config.json").write_text(json.dumps(changed))
    with pytest.raises(ModelError, match=r"own-code comes with code of its own.*then add --trust-remote-code"):
        load_encoder(str(folder))
    assert not ran.exists()


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        (EncoderOptions(device="tpu"), UsageError, "--device is 'tpu'; type --device cpu"),
        (EncoderOptions(dtype="int4"), UsageError, "--dtype is 'int4'; type one of auto, float32"),
        (EncoderOptions(device="cpu", dtype="float16"), UsageError, "float16 on the CPU is far slower than float32"),
        (EncoderOptions(revision="main"), UsageError, "--revision main goes with a hub name"),
    ],
)
def test_options_that_make_no_sense(options: EncoderOptions, error: type[Exception], said: str, built: Build) -> None:
    with pytest.raises(error, match=said):
        load_encoder(str(built("fifty")), options)


def test_a_gpu_that_is_not_there(built: Build) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(ModelError, match=r"--device cuda: torch .* finds no CUDA device here; type --device cpu"):
        load_encoder(str(built("fifty")), EncoderOptions(device="cuda"))


def test_a_budget_that_holds_nothing(built: Build) -> None:
    with pytest.raises(UsageError, match="a token budget of 0 holds no text"):
        load_encoder(str(built("fifty")), EncoderOptions(token_budget=0)).encode_documents(["x"])


def test_loading_is_silent_and_leaves_no_setting_behind(built: Build, capfd: pytest.CaptureFixture[str]) -> None:
    load_encoder(str(built("fifty")))
    from transformers.utils import logging as bars

    names = ("transformers", "sentence_transformers")
    before = (
        [logging.getLogger(name).level for name in names],
        bars.is_progress_bar_enabled(),
        list(warnings.filters),
    )
    capfd.readouterr()
    load_encoder(str(built("bge"))).encode_documents(some_texts(5))
    assert capfd.readouterr() == ("", "")
    after = (
        [logging.getLogger(name).level for name in names],
        bars.is_progress_bar_enabled(),
        list(warnings.filters),
    )
    assert after == before


def test_importing_the_room_loads_no_heavy_library() -> None:
    code = (
        "import sys, searchapp.encoders\n"
        "heavy = {'torch', 'transformers', 'sentence_transformers', 'huggingface_hub'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout == "[]\n"


def test_prompted_canaries_differ_between_roles(built: Build) -> None:
    encoder = load_encoder(str(built("nomic")))
    queries, documents = encoder.encode_queries(CANARIES), encoder.encode_documents(CANARIES)
    assert np.abs(queries - documents).max() > 1e-3
    assert E5.prompts["query"] != encoder.card.prompts.query


def test_a_checkpoint_that_lacks_a_layer_is_refused_and_one_without_a_pooler_is_not(
    built: Build, tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    for name, lacking in (("headless", "pooler"), ("shallow", ".layer.1.")):
        folder = shutil.copytree(built("fifty"), tmp_path / name)
        weights = load_file(folder / "model.safetensors")
        kept = {key: value for key, value in weights.items() if lacking not in key}
        assert len(kept) < len(weights)
        save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    assert load_encoder(str(tmp_path / "headless")).card.dim == 50
    with pytest.raises(
        ModelError, match=r"shallow lacks 16 of the weights its config asks for \(such as encoder\.layer\.1"
    ):
        load_encoder(str(tmp_path / "shallow"))
