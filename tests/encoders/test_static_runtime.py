import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer

from searchapp.encoders import CANARIES, EncoderOptions, check_encoder, load_encoder
from searchapp.encoders.static_runtime import CHUNK_TEXTS
from searchapp.errors import BadVectorsError, ModelError, UsageError
from tests.encoders.conftest import Build
from tests.encoders.test_torch_runtime import some_texts
from tests.models_on_disk import STATIC_DIM, make_model2vec, make_static, quiet, static_tokenizer, token_vectors

Array = npt.NDArray[Any]
ODD = ["", " ", "\n", "xyzzy", "☃", "赤い革", "a\x00b", "[UNK] [PAD]", "red"]
VOCABULARY = static_tokenizer().get_vocab_size()


def oracle(folder: Path, texts: list[str], *, prompt: str = "") -> Array:
    """Encode with sentence-transformers itself in float32."""
    with quiet():
        from sentence_transformers import SentenceTransformer

        model = SentenceTransformer(str(folder), device="cpu").float()
        return np.asarray(model.encode(texts, prompt=prompt, batch_size=7, show_progress_bar=False))


def plain_means(folder: Path, texts: list[str], vectors: Array) -> Array:
    """Return the mean vector of every text's tokens, one text at a time, in float64."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokens = [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
    zero = np.zeros(vectors.shape[1])
    return np.array([vectors[ids].astype(np.float64).mean(axis=0) if ids else zero for ids in tokens])


def units(vectors: Array) -> Array:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths == 0, 1, lengths)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("normalize", [False, True])
def test_vectors_equal_sentence_transformers(dtype: str, normalize: bool, tmp_path: Path) -> None:
    folder, texts = make_static(tmp_path / "static", normalize=normalize, dtype=dtype), some_texts(60) + ODD
    encoder = load_encoder(str(folder))
    expected = oracle(folder, texts)
    assert expected.dtype == np.float32
    np.testing.assert_allclose(encoder.encode_documents(texts), expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(encoder.encode_queries(texts), expected, rtol=0, atol=1e-6)
    card = encoder.card
    assert (card.runtime, card.dtype, card.dim, card.max_seq_length) == ("static", "float32", STATIC_DIM, None)
    assert card.pooling == ("mean+normalize" if normalize else "mean")


def model2vec_tensors(form: str) -> dict[str, Array]:
    """Tensors in each of the forms that model2vec saves."""
    chosen = np.random.default_rng(3)
    factors = chosen.uniform(0, 2, VOCABULARY)
    mapping = chosen.integers(0, 40, VOCABULARY)
    return {
        "plain": {"embeddings": token_vectors(VOCABULARY, STATIC_DIM)},
        "half": {"embeddings": token_vectors(VOCABULARY, STATIC_DIM).astype(np.float16)},
        "weighted": {"embeddings": token_vectors(VOCABULARY, STATIC_DIM), "weights": factors},
        "shared": {"embeddings": token_vectors(40, STATIC_DIM), "weights": factors, "mapping": mapping},
        "bytes": {
            "embeddings": (token_vectors(40, STATIC_DIM) * 30).astype(np.int8),
            "weights": factors.astype(np.float16),
            "mapping": mapping.astype(np.int32),
        },
    }[form]


@pytest.mark.parametrize("form", ["plain", "half", "weighted", "shared", "bytes"])
@pytest.mark.parametrize("normalize", [False, True])
def test_model2vec_folders_equal_sentence_transformers(form: str, normalize: bool, tmp_path: Path) -> None:
    tensors, texts = model2vec_tensors(form), some_texts(60) + ODD
    folder = make_model2vec(tmp_path / "new", tensors, normalize=normalize)
    found = load_encoder(str(folder)).encode_documents(texts)
    expected = oracle(folder, texts)
    # The mean of whole numbers up to 127 has their size; 1e-6 of that is what float32 can say.
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * scale)
    older = make_model2vec(tmp_path / "old", tensors, normalize=normalize, modules=False)
    np.testing.assert_array_equal(load_encoder(str(older)).encode_documents(texts), found)


def test_whole_numbers_without_weights_are_lifted(tmp_path: Path) -> None:
    vectors = (token_vectors(VOCABULARY, STATIC_DIM) * 30).astype(np.int8)
    folder, texts = make_model2vec(tmp_path / "int8", {"embeddings": vectors}), some_texts(30)
    found = load_encoder(str(folder)).encode_documents(texts)
    np.testing.assert_allclose(found, units(plain_means(folder, texts, vectors)), atol=1e-6)


def test_both_runtimes_agree_on_the_contract_and_the_vectors(tmp_path: Path) -> None:
    folder = make_static(tmp_path / "static", normalize=True, prompts={"query": "query: ", "document": "passage: "})
    static, torch = (load_encoder(str(folder), EncoderOptions(runtime=name)) for name in ("static", "torch"))
    for name in ("fingerprint", "dim", "prompts", "pooling", "max_seq_length", "dtype", "model"):
        assert getattr(static.card, name) == getattr(torch.card, name), name
    assert (static.card.runtime, torch.card.runtime) == ("static", "torch")
    np.testing.assert_allclose(static.encode_queries(CANARIES), torch.encode_queries(CANARIES), atol=1e-6)


def test_prompts_are_put_before_and_not_doubled(tmp_path: Path) -> None:
    folder = make_static(tmp_path / "static", prompts={"query": "query: ", "document": "passage: "})
    texts, encoder = some_texts(20), load_encoder(str(folder))
    np.testing.assert_allclose(encoder.encode_queries(texts), oracle(folder, texts, prompt="query: "), atol=1e-6)
    np.testing.assert_allclose(encoder.encode_documents(texts), oracle(folder, texts, prompt="passage: "), atol=1e-6)
    np.testing.assert_array_equal(encoder.encode_queries(["query: red"]), encoder.encode_queries(["red"]))
    assert (encoder.counts.texts, encoder.counts.already_prefixed) == (42, 1)


@pytest.mark.parametrize("direction", ["right", "left"])
def test_a_tokenizer_that_cuts_is_obeyed_and_what_it_cuts_is_counted(direction: str, tmp_path: Path) -> None:
    folder, texts = make_static(tmp_path / "static"), some_texts(60)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    lengths = [len(tokenizer.encode(text, add_special_tokens=False).ids) for text in texts]
    tokenizer.enable_truncation(9, direction=direction)
    tokenizer.enable_padding(length=16)
    tokenizer.save(str(folder / "tokenizer.json"))
    encoder = load_encoder(str(folder))
    assert encoder.card.max_seq_length == 9
    np.testing.assert_allclose(encoder.encode_documents(texts), oracle(folder, texts), atol=1e-6)
    assert encoder.counts.truncated == sum(length > 9 for length in lengths) > 0
    assert encoder.counts.tokens_lost == sum(max(0, length - 9) for length in lengths)


def test_vectors_do_not_depend_on_company_order_or_budget(tmp_path: Path) -> None:
    folder = make_static(tmp_path / "static", normalize=True)
    texts = some_texts(300, seed=1) + ODD
    together = load_encoder(str(folder)).encode_documents(texts)
    order = np.random.default_rng(5).permutation(len(texts))
    encoder = load_encoder(str(folder))
    np.testing.assert_array_equal(encoder.encode_documents([texts[i] for i in order]), together[order])
    np.testing.assert_array_equal(np.concatenate([encoder.encode_documents([text]) for text in texts]), together)
    for budget in (1, 7, 100_000):
        small = load_encoder(str(folder), EncoderOptions(token_budget=budget))
        np.testing.assert_allclose(small.encode_documents(texts), together, atol=1e-6)


def test_a_long_text_keeps_its_digits(tmp_path: Path) -> None:
    folder, texts = make_static(tmp_path / "static"), ["word " * 3000, "red leather bag " * 2000]
    vectors = load_file(folder / "model.safetensors")["embedding.weight"]
    found = load_encoder(str(folder)).encode_documents(texts)
    np.testing.assert_allclose(found, plain_means(folder, texts, vectors), rtol=0, atol=2e-6)
    np.testing.assert_allclose(found, oracle(folder, texts), rtol=0, atol=2e-4)


def test_more_texts_than_are_tokenised_together(tmp_path: Path) -> None:
    encoder = load_encoder(str(make_static(tmp_path / "static")))
    texts = [f"red bag {n} {'word ' * (n % 4)}" for n in range(CHUNK_TEXTS + 100)]
    texts.insert(50, "chair " * 200_000)
    found = encoder.encode_documents(texts)
    for row in (0, 49, 50, 51, CHUNK_TEXTS, CHUNK_TEXTS + 1, len(texts) - 1):
        np.testing.assert_array_equal(found[row], encoder.encode_documents([texts[row]])[0])


def test_one_text_none_and_a_bare_string(tmp_path: Path) -> None:
    encoder = load_encoder(str(make_static(tmp_path / "static")))
    assert encoder.encode_queries(["red bag"]).shape == (1, STATIC_DIM)
    empty = encoder.encode_documents([])
    assert (empty.shape, str(empty.dtype), encoder.counts.texts) == ((0, STATIC_DIM), "float32", 1)
    with pytest.raises(UsageError, match="texts is one text; give a list of texts"):
        encoder.encode_documents("red bag")


def test_it_passes_the_checks_and_a_collapsed_one_does_not(tmp_path: Path) -> None:
    check_encoder(load_encoder(str(make_static(tmp_path / "static"))))
    same = {"embeddings": np.ones((VOCABULARY, STATIC_DIM), np.float32)}
    with pytest.raises(BadVectorsError, match="one vector to different texts"):
        check_encoder(load_encoder(str(make_model2vec(tmp_path / "same", same))))


def test_auto_leaves_other_models_to_torch(built: Build, tmp_path: Path) -> None:
    for name in ("bge", "roberta"):
        assert load_encoder(str(built(name))).card.runtime == "torch"
    raw = built("roberta").parent / "roberta-raw"
    assert load_encoder(str(raw)).card.runtime == "torch"
    folder = make_static(tmp_path / "static")
    assert load_encoder(str(folder), EncoderOptions(device="cpu", dtype="float32")).card.runtime == "static"
    with quiet():
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.base.modules import Dense

        model = SentenceTransformer(str(folder), device="cpu")
        model.append(Dense(STATIC_DIM, 8))
        model.save_pretrained(str(tmp_path / "dense"), create_model_card=False)
    encoder = load_encoder(str(tmp_path / "dense"))
    assert (encoder.card.runtime, encoder.card.dim, encoder.card.pooling) == ("torch", 8, "mean+dense")
    with pytest.raises(ModelError, match=r"dense is no static model: expected modules\.json with StaticEmbedding"):
        load_encoder(str(tmp_path / "dense"), EncoderOptions(runtime="static"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            EncoderOptions(runtime="static", dtype="float16"),
            r"float32 on the CPU, and --device is None, --dtype 'float16'",
        ),
        (EncoderOptions(runtime="static", device="cuda"), r"leave them out, or type --runtime torch"),
        (EncoderOptions(runtime="tpu"), r"--runtime is 'tpu'; type one of auto, onnx, static, torch"),
        (EncoderOptions(token_budget=0), r"a token budget of 0 holds no text"),
    ],
)
def test_options_that_make_no_sense(options: EncoderOptions, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=said):
        load_encoder(str(make_static(tmp_path / "static")), options)


TENSORS: dict[str, Callable[[Array], dict[str, Array]]] = {
    "no matrix": lambda vectors: {"other": vectors},
    "a row of numbers": lambda vectors: {"embeddings": vectors.ravel()},
    "fewer vectors than tokens": lambda vectors: {"embeddings": vectors[:20]},
    "a mapping beyond the rows": lambda vectors: {"embeddings": vectors, "mapping": np.full(VOCABULARY, VOCABULARY)},
    "too few weights": lambda vectors: {"embeddings": vectors, "weights": np.ones(3, np.float32)},
    "yes and no": lambda vectors: {"embeddings": vectors > 0},
}
FILES = {
    "a broken tokenizer": ("tokenizer.json", "{"),
    "modules that are no list": ("modules.json", '"StaticEmbedding"'),
    "a module outside": (
        "modules.json",
        '[{"path": "../else", "type": "sentence_transformers.models.StaticEmbedding"}]',
    ),
    "half the weights": ("model.safetensors", "\x08\0\0\0\0\0\0\0{}"),
}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("half the weights", r"model\.safetensors can't be read \(SafetensorError: .*fetch the model again"),
        ("no matrix", r"holds other \(\d+, 24\) where a matrix named embedding\.weight or embeddings was expected"),
        ("a row of numbers", r"holds embeddings \(\d+,\) where a matrix"),
        ("fewer vectors than tokens", r"gives token \d+ and the model has vectors for 20"),
        ("a mapping beyond the rows", r"mapping in .* names rows \d+ to \d+ of \d+ there are"),
        ("too few weights", r"holds 3 weights for \d+ tokens"),
        ("yes and no", r"embeddings in .* is stored as BOOL; expected one of F64, F32"),
        ("a broken tokenizer", r"tokenizer\.json can't be read \(Exception: .*fetch the model again"),
        ("modules that are no list", r"modules\.json can't be read as a list of modules"),
        ("a module outside", r"names \.\./else, which is outside its folder"),
    ],
)
def test_damaged_folders_are_one_line(name: str, said: str, tmp_path: Path) -> None:
    vectors = token_vectors(VOCABULARY, STATIC_DIM)
    folder = make_model2vec(tmp_path / "model", TENSORS.get(name, lambda vectors: {"embeddings": vectors})(vectors))
    if name in FILES:
        file, text = FILES[name]
        (folder / file).write_text(text)
    with pytest.raises(ModelError, match=said) as caught:
        check_encoder(load_encoder(str(folder)))
    assert "\n" not in str(caught.value)


def test_nothing_heavy_is_loaded_and_the_file_is_mapped(tmp_path: Path) -> None:
    vectors = token_vectors(VOCABULARY, STATIC_DIM)
    rest = np.zeros((200_000, STATIC_DIM), np.float32)
    folder = make_model2vec(tmp_path / "big", {"embeddings": np.concatenate([vectors, rest])})
    code = (
        "import sys\n"
        "from searchapp.encoders import load_encoder\n"
        f"encoder = load_encoder({str(folder)!r})\n"
        "encoder.encode_queries(['red bag', 'garden table'])\n"
        "heavy = ('torch', 'transformers', 'sentence_transformers', 'huggingface_hub', 'scipy')\n"
        "print([name for name in heavy if name in sys.modules])\n"
        "mapped = open('/proc/self/smaps').read().split('model.safetensors')[1].splitlines()\n"
        "print([line.split()[1] for line in mapped if line.startswith('Rss')][0])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded, resident = done.stdout.split("\n")[:2]
    assert loaded == "[]"
    assert int(resident) < rest.nbytes // 1024 // 4


def test_the_fingerprint_follows_the_weights(tmp_path: Path) -> None:
    folder = make_static(tmp_path / "static")
    before = load_encoder(str(folder)).card.fingerprint
    copied = shutil.copytree(folder, tmp_path / "copy")
    assert load_encoder(str(copied)).card.fingerprint == before
    tensors = load_file(copied / "model.safetensors")
    save_file({"embedding.weight": tensors["embedding.weight"] * 2}, copied / "model.safetensors")
    assert load_encoder(str(copied)).card.fingerprint != before
