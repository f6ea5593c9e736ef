"""The query encoder an index carries: made as a step of the build, opened by queries, never a wrong one."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from searchapp.build import BuildOptions, build_index, plan_build, write_index
from searchapp.carried import Carried, plan_carried
from searchapp.corpus import Corpus, open_corpus
from searchapp.encoders import Encoder, EncoderCard, EncoderOptions, load_encoder
from searchapp.encoders.exported import STATIC
from searchapp.encoders.runtimes import Export, choose_export
from searchapp.encoders.static_runtime import StaticEncoder
from searchapp.errors import ContractError, MissingExtraError, ModelError
from searchapp.index import derive, open_index
from searchapp.search import load_contract_encoder, load_query_encoder, open_searcher
from tests.fakes import HashEncoder
from tests.models_on_disk import make_bge, make_nomic, make_static
from tests.test_build import folder_bytes, write_corpus

FILES = ("encoder/encoder.json", "encoder/model.safetensors", "encoder/tokenizer.json")
TRUNCATION = {"max_length": 32, "strategy": "LongestFirst", "stride": 0}
ASKED = ["red leather bag", "steel kettle 3", "赤い バッグ"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    prompts = {"query": "query: ", "document": "passage: "}
    return make_static(tmp_path_factory.mktemp("carried") / "model", normalize=True, prompts=prompts)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return open_corpus(write_corpus(tmp_path / "shop.jsonl", 60))


def test_a_moved_index_is_searched_without_its_model(model: Path, corpus: Corpus, tmp_path: Path) -> None:
    mine = Path(shutil.copytree(model, tmp_path / "model"))
    index = build_index(corpus, tmp_path / "shop", encoder=load_encoder(str(mine)))
    assert index.manifest.query_encoder == "static"
    assert set(FILES) <= set(index.manifest.files)
    index.verify()
    by_model = open_searcher(tmp_path / "shop", model=str(mine))
    expected = by_model.search(ASKED, 5)
    shutil.rmtree(mine)
    moved = open_searcher(shutil.move(tmp_path / "shop", tmp_path / "elsewhere"))
    assert moved.search(ASKED, 5) == expected
    assert isinstance(moved.encoder, StaticEncoder)
    assert moved.encoder.files.tensors.is_relative_to(tmp_path / "elsewhere")


@pytest.mark.parametrize("options", [EncoderOptions(device="cpu", dtype="float32"), EncoderOptions(runtime="static")])
def test_what_it_carries_is_taken_where_it_is_what_is_asked_for(
    model: Path, corpus: Corpus, tmp_path: Path, options: EncoderOptions
) -> None:
    index = build_index(corpus, tmp_path / "shop", encoder=load_encoder(str(model)))
    encoder = load_query_encoder(index, options=options)
    assert isinstance(encoder, StaticEncoder)
    assert encoder.files.tokenizer == tmp_path / "shop/encoder/tokenizer.json"


def test_another_runtime_or_model_is_loaded_where_it_is_asked_for(model: Path, corpus: Corpus, tmp_path: Path) -> None:
    index = build_index(corpus, tmp_path / "shop", encoder=load_encoder(str(model)))
    assert load_query_encoder(index, options=EncoderOptions(runtime="torch")).card.runtime == "torch"
    asked = load_query_encoder(index, model=str(model))
    assert isinstance(asked, StaticEncoder)
    assert asked.files.tokenizer == model / "tokenizer.json"


def test_an_int8_index_carries_int8_and_loads_int8_where_it_carries_nothing(corpus: Corpus, tmp_path: Path) -> None:
    bge = load_encoder(str(make_bge(tmp_path / "bge")), EncoderOptions(precision="int8"))
    index = build_index(corpus, tmp_path / "shop", encoder=bge)
    assert index.manifest.query_encoder == "onnx"
    carried, loaded = load_query_encoder(index), load_contract_encoder(index)
    assert (carried.card.dtype, loaded.card.dtype) == ("int8", "int8")
    np.testing.assert_array_equal(carried.encode_queries(ASKED), bge.encode_queries(ASKED))
    exact = load_query_encoder(index, options=EncoderOptions(precision="float32"))
    assert (exact.card.dtype, exact.card.runtime) == ("float32", "torch")


def test_what_is_no_bert_is_carried_as_a_graph(corpus: Corpus, tmp_path: Path) -> None:
    nomic = load_encoder(str(make_nomic(tmp_path / "nomic")))
    index = build_index(corpus, tmp_path / "shop", encoder=nomic)
    assert index.manifest.query_encoder == "onnx"
    shutil.rmtree(tmp_path / "nomic")
    carried = open_searcher(tmp_path / "shop").encoder
    assert carried.card.prompts.query == "search_query: "
    np.testing.assert_allclose(carried.encode_queries(ASKED), nomic.encode_queries(ASKED), atol=1e-4)


def test_it_can_be_left_out_and_the_model_is_loaded_then(model: Path, corpus: Corpus, tmp_path: Path) -> None:
    options = BuildOptions(query_encoder=False)
    said: list[str] = []
    index = build_index(corpus, tmp_path / "shop", encoder=load_encoder(str(model)), options=options, note=said.append)
    assert (index.manifest.query_encoder, said) == (None, [])
    assert not (tmp_path / "shop/encoder").exists()
    assert len(open_searcher(tmp_path / "shop").search(ASKED, 5)[0]) == 5


def test_what_can_not_be_written_down_is_said_and_left_out(corpus: Corpus, tmp_path: Path) -> None:
    said: list[str] = []
    index = build_index(corpus, tmp_path / "shop", encoder=HashEncoder(), note=said.append)
    assert index.manifest.query_encoder is None
    assert said == [
        "the index will carry no query encoder, so queries will load the model: what runs in numpy can't be written "
        "down"
    ]
    assert plan_carried(HashEncoder(), wanted=False) == Carried(None)


def write_halved(encoder: Encoder, folder: Path) -> EncoderCard:
    """Write a static encoder with coarser weights, as a broken export would."""
    card = choose_export(encoder).write(encoder, folder)
    weights = load_file(folder / "model.safetensors")
    save_file({name: np.round(tensor, 1) for name, tensor in weights.items()}, folder / "model.safetensors")
    return card


def test_an_export_that_gives_other_vectors_is_never_carried(model: Path, corpus: Corpus, tmp_path: Path) -> None:
    encoder = load_encoder(str(model))
    plan = plan_build(corpus, corpus.survey(), encoder=encoder, options=BuildOptions())
    said: list[str] = []
    broken = replace(plan, carried=Carried(Export(STATIC, write_halved)))
    index = write_index(broken, tmp_path / "shop", note=said.append)
    assert index.manifest.query_encoder is None
    assert not (tmp_path / "shop/encoder").exists()
    assert "another vector than static" in said[0]


def write_nothing(encoder: Encoder, folder: Path) -> EncoderCard:
    """Fail as an export does that needs one more library than opening it does."""
    raise MissingExtraError(f"onnxscript is needed for {encoder.card.model}, not in {folder.name}")


def test_a_library_that_only_writing_needs_is_said_and_costs_no_index(
    model: Path, corpus: Corpus, tmp_path: Path
) -> None:
    plan = plan_build(corpus, corpus.survey(), encoder=load_encoder(str(model)), options=BuildOptions())
    said: list[str] = []
    bare = replace(plan, carried=Carried(Export(STATIC, write_nothing)))
    index = write_index(bare, tmp_path / "shop", note=said.append)
    assert (len(index), index.manifest.query_encoder) == (60, None)
    assert "will carry no query encoder" in said[0]
    assert "onnxscript is needed" in said[0]


def test_one_that_cuts_texts_on_the_other_side_is_never_carried(corpus: Corpus, tmp_path: Path) -> None:
    folder = make_bge(tmp_path / "model")
    for name, changed in (
        ("tokenizer.json", {"truncation": {**TRUNCATION, "direction": "Left"}}),
        ("tokenizer_config.json", {"truncation_side": "right"}),
    ):
        body = json.loads((folder / name).read_text(encoding="utf-8"))
        (folder / name).write_text(json.dumps(body | changed), encoding="utf-8")
    said: list[str] = []
    index = build_index(corpus, tmp_path / "shop", encoder=load_encoder(str(folder)), note=said.append)
    assert index.manifest.query_encoder is None
    assert "another vector than torch" in said[0]


def test_a_build_stopped_around_it_goes_on_with_the_same_bytes(model: Path, corpus: Corpus, tmp_path: Path) -> None:
    encoder = load_encoder(str(model))
    build_index(corpus, tmp_path / "whole", encoder=encoder)
    for stop in ("writing the query encoder", "embedding", "building d24-flat", "putting in place"):

        def stopping(stage: str, done: int, total: int | None, /, stop: str = stop) -> None:
            if stage == stop:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            build_index(corpus, tmp_path / "shop", encoder=encoder, progress=stopping)
        # What a kill amid the writing leaves.
        (tmp_path / ".shop.partial/index/encoder/new.partial").mkdir(parents=True, exist_ok=True)
        (tmp_path / ".shop.partial/index/encoder/new.partial/tokenizer.json").write_bytes(b"{")
    build_index(corpus, tmp_path / "shop", encoder=encoder)
    assert folder_bytes(tmp_path / "shop") == folder_bytes(tmp_path / "whole")
    assert not (tmp_path / "shop/encoder/new.partial").exists()


def test_an_added_kind_leaves_it_there(model: Path, corpus: Corpus, tmp_path: Path) -> None:
    build_index(corpus, tmp_path / "shop", encoder=load_encoder(str(model)))
    derive(open_index(tmp_path / "shop"), (8,), ("sq8",))
    index = open_index(tmp_path / "shop")
    assert index.manifest.query_encoder == "static"
    assert set(FILES) <= set(index.manifest.files)
    assert open_searcher(tmp_path / "shop").search(["red"], 1)


def test_another_prompt_beside_the_contract_is_refused(model: Path, corpus: Corpus, tmp_path: Path) -> None:
    build_index(corpus, tmp_path / "shop", encoder=load_encoder(str(model)))
    path = tmp_path / "shop/encoder/encoder.json"
    path.write_bytes(path.read_bytes().replace(b'"query: "', b'"quary: "'))
    with pytest.raises(ContractError, match=r"query prompt query: \), this is .* \(query prompt quary: \)"):
        open_searcher(tmp_path / "shop")


def test_a_damaged_one_is_told_with_what_to_type(model: Path, corpus: Corpus, tmp_path: Path) -> None:
    build_index(corpus, tmp_path / "shop", encoder=load_encoder(str(model)))
    path = tmp_path / "shop/encoder/tokenizer.json"
    path.write_bytes(b"{" * path.stat().st_size)
    with pytest.raises(
        ModelError, match=r"encoder/tokenizer.json can't be read .*; build the index again, or type --m"
    ):
        open_searcher(tmp_path / "shop")
    assert open_searcher(tmp_path / "shop", model=str(model)).search(["red"], 1)
