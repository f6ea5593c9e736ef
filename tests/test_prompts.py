import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchapp.prompts import FAMILIES, Declared, Prompts, add_prompt, find_family, resolve_prompts

REPRESENT = "Represent this sentence for searching relevant passages: "
INSTRUCT = "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery: "

# Typed again from the models' cards, so that a slip in the table shows.
KNOWN = {
    "nomic-ai/nomic-embed-text-v1": ("nomic", "search_query: ", "search_document: "),
    "nomic-ai/nomic-embed-text-v1.5": ("nomic", "search_query: ", "search_document: "),
    "nomic-ai/nomic-embed-text-v2-moe": ("nomic", "search_query: ", "search_document: "),
    "intfloat/e5-small-v2": ("e5", "query: ", "passage: "),
    "intfloat/e5-large": ("e5", "query: ", "passage: "),
    "intfloat/multilingual-e5-large": ("e5", "query: ", "passage: "),
    "intfloat/multilingual-e5-large-instruct": ("e5", INSTRUCT, ""),
    "intfloat/e5-mistral-7b-instruct": ("e5", INSTRUCT, ""),
    "BAAI/bge-base-en-v1.5": ("bge", REPRESENT, ""),
    "BAAI/bge-small-en": ("bge", REPRESENT, ""),
    "BAAI/bge-large-zh-v1.5": ("bge", "为这个句子生成表示以用于检索相关文章：", ""),
    "BAAI/bge-m3": ("bge", "", ""),
    "thenlper/gte-large": ("gte", "", ""),
    "Alibaba-NLP/gte-multilingual-base": ("gte", "", ""),
    "Alibaba-NLP/gte-Qwen2-7B-instruct": ("gte", INSTRUCT, ""),
    "mixedbread-ai/mxbai-embed-large-v1": ("mxbai", REPRESENT, ""),
    "mixedbread-ai/deepset-mxbai-embed-de-large-v1": ("mxbai", "query: ", "passage: "),
    "Snowflake/snowflake-arctic-embed-m": ("arctic-embed", REPRESENT, ""),
    "Snowflake/snowflake-arctic-embed-m-v1.5": ("arctic-embed", REPRESENT, ""),
    "Snowflake/snowflake-arctic-embed-l-v2.0": ("arctic-embed", "query: ", ""),
    "jinaai/jina-embeddings-v2-base-en": ("jina", "", ""),
    "jinaai/jina-embeddings-v3": (
        "jina",
        "Represent the query for retrieving evidence documents: ",
        "Represent the document for retrieval: ",
    ),
    "Qwen/Qwen3-Embedding-0.6B": ("qwen3-embedding", INSTRUCT.removesuffix(" "), ""),
    "google/embeddinggemma-300m": ("embeddinggemma", "task: search result | query: ", "title: none | text: "),
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_models_take_their_family_s_prompts(name: str) -> None:
    family, query, document = KNOWN[name]
    expected = Prompts(query, document, f"family {family} (declared {name})")
    assert resolve_prompts(Declared(names=(name,))) == expected


@pytest.mark.parametrize(
    "name",
    [
        "my-e5-like-thing",
        "someone/e5-base-v2-finetuned",
        "multilingual-e5-large/checkpoint-40",
        "sentence-transformers/all-MiniLM-L6-v2",
        "nomic",
        "bge",
        "e5",
        "jina-embeddings-v3-mini",
        "",
    ],
)
def test_strangers_take_none(name: str) -> None:
    assert resolve_prompts(Declared(names=(name,))) == Prompts("", "", "none")


@pytest.mark.parametrize("name", ["models/bge-base-en-v1.5", "C:\\models\\BGE-base-en-v1.5", "/m/bge-base-en-v1.5/"])
def test_the_last_part_of_a_name_counts_in_any_case(name: str) -> None:
    assert resolve_prompts(Declared(names=(name,))).query == REPRESENT


def test_the_surest_known_name_wins() -> None:
    found = find_family(["shop", "BAAI/bge-m3", "intfloat/e5-base"])
    assert found is not None
    assert (found[0].name, found[1]) == ("bge", "BAAI/bge-m3")


def test_every_model_is_in_one_family_and_in_lower_case() -> None:
    models = [model for family in FAMILIES for model in family.models]
    assert len(models) == len(set(models))
    assert all(model == model.lower() and "/" not in model for model in models)
    assert {family.name for family in FAMILIES} == {
        "nomic",
        "e5",
        "bge",
        "gte",
        "mxbai",
        "arctic-embed",
        "jina",
        "qwen3-embedding",
        "embeddinggemma",
    }


E5 = ("intfloat/e5-base",)


@pytest.mark.parametrize(
    ("prompts", "default", "expected"),
    [
        ({"query": "q: ", "document": "d: "}, None, ("q: ", "d: ", "model")),
        ({"query": "q: ", "passage": "p: ", "document": ""}, None, ("q: ", "p: ", "model")),
        ({"search_query": "q: ", "search_document": "d: "}, None, ("q: ", "d: ", "model")),
        ({"retrieval.query": "q: ", "retrieval.passage": "p: "}, None, ("q: ", "p: ", "model")),
        ({"Retrieval-query": "q: ", "Retrieval-document": "p: "}, None, ("q: ", "p: ", "model")),
        ({"query": "q: ", "corpus": "c: "}, None, ("q: ", "c: ", "model")),
        ({"query": "q: "}, None, ("q: ", "", "model")),
        ({"query": "q: ", "document": ""}, "query", ("q: ", "", "model")),
        ({"all": "x: "}, "all", ("x: ", "x: ", "model")),
        ({"all": "x: ", "query": "q: "}, "all", ("q: ", "x: ", "model")),
        ({"query": "", "document": ""}, None, ("query: ", "passage: ", "family e5 (declared intfloat/e5-base)")),
        ({"clustering": "c: "}, None, ("query: ", "passage: ", "family e5 (declared intfloat/e5-base)")),
        ({}, None, ("query: ", "passage: ", "family e5 (declared intfloat/e5-base)")),
    ],
)
def test_the_model_s_own_prompts_come_before_its_family_s(
    prompts: dict[str, str], default: str | None, expected: tuple[str, str, str]
) -> None:
    assert resolve_prompts(Declared(E5, prompts, default)) == Prompts(*expected)


def test_options_come_first_one_by_one() -> None:
    family = "family e5 (declared intfloat/e5-base)"
    known, stranger = Declared(E5), Declared(prompts={"document": "d: "})
    assert resolve_prompts(known, query="a ", document="b ") == Prompts("a ", "b ", "option")
    assert resolve_prompts(known, query="", document="") == Prompts("", "", "option")
    assert resolve_prompts(known, query="a ") == Prompts("a ", "passage: ", f"query: option, document: {family}")
    assert resolve_prompts(known, document="") == Prompts("query: ", "", f"query: {family}, document: option")
    assert resolve_prompts(stranger, query="a ") == Prompts("a ", "d: ", "query: option, document: model")
    assert resolve_prompts(Declared(), query="a ") == Prompts("a ", "", "query: option, document: none")


@given(st.text(max_size=5), st.lists(st.text(max_size=8)))
def test_adding_twice_is_adding_once(prompt: str, texts: list[str]) -> None:
    once, already = add_prompt(prompt, texts)
    assert once == [text if text.startswith(prompt) else prompt + text for text in texts]
    assert already == [prompt != "" and text.startswith(prompt) for text in texts]
    assert add_prompt(prompt, once) == (once, [prompt != ""] * len(texts))


def test_the_prompts_of_a_base_model_are_told_and_not_applied() -> None:
    tuned = Declared(names=("swahili-search",), bases=("BAAI/bge-base-en-v1.5",))
    said = f"none, though its base BAAI/bge-base-en-v1.5 takes {REPRESENT!r} for queries and '' for documents"
    assert resolve_prompts(tuned) == Prompts("", "", said)
    assert resolve_prompts(Declared(names=("shop",), bases=("BAAI/bge-m3",))) == Prompts("", "", "none")
    assert resolve_prompts(tuned, query="", document="") == Prompts("", "", "option")
