"""Long texts become pieces that fit, lose nothing, and are the text's own characters: on every kind of tokenizer."""

from pathlib import Path

import numpy as np
import pytest

from searchapp.encoders import load_encoder
from searchapp.encoders.chunks import OVERLAP_SHARE, STRETCH, Chunker, Tokens, open_chunker
from searchapp.encoders.lengths import count_with
from searchapp.errors import ModelError, UsageError
from searchapp.prompts import Prompts, add_prompt
from tests.fakes import Characters, CuttingEncoder, HashEncoder
from tests.models_on_disk import MAX_LENGTH, make_bge, make_e5, make_static, make_tokenizer

# Numbered, so that no piece of one is there twice.
_TIMES = [f"{number}" for number in range(10, 22)]
LONG = {
    "english": "".join(f"Heart {n} pumps blood through the body, 24 hours a day. It never rests! " for n in _TIMES),
    "spanish": "".join(f"Una mesa {n} de madera para el jardín, y un bolso de cuero rojo. ¿Qué más? " for n in _TIMES),
    "japanese": "".join(f"赤い{n}革のハンドバッグと木のテーブル。丈夫で美しい。" for n in _TIMES),
    "korean": "".join(f"한국의 전통 {n} 음식과 요리법을 배우다. 빨간 가죽 가방이 있다. " for n in _TIMES),
    "swahili": "".join(f"Watoto {n} wanacheza mpira shuleni.\nMama anapika chakula. " for n in _TIMES),
    "no space": "".join(f"redleather{n}handbagwithagoldzip" for n in _TIMES),
    "emoji": "".join(f"👩‍👩‍👧‍👦🎒{n}naïve Ⅷ ﷺ é́ " for n in _TIMES),
    "blank": f"red bag{' ' * 400}\n\n\ngold zip",
}


def tokens_of(kind: str) -> Tokens:
    if kind == "minilm":
        encoder = load_encoder("minilm")
        chunker = open_chunker(encoder)
        assert chunker is not None
        return chunker.tokens
    return count_with(make_tokenizer(kind, max_length=MAX_LENGTH).backend_tokenizer, special=True)


@pytest.fixture(scope="module", params=["wordpiece", "bpe", "unigram", "minilm"])
def tokens(request: pytest.FixtureRequest) -> Tokens:
    return tokens_of(request.param)


@pytest.mark.parametrize("language", LONG)
@pytest.mark.parametrize("prompt", ["", "passage: "])
def test_chunks_fit_and_hold_every_character_in_order(tokens: Tokens, language: str, prompt: str) -> None:
    text = LONG[language]
    chunker = Chunker(tokens, limit=30, overlap=4, prompt=prompt)
    (chunks,) = chunker.split([text])
    assert max(tokens.count(add_prompt(prompt, chunks)[0])) <= 30
    end = 0
    for chunk in chunks:
        between = len(text[end:]) - len(text[end:].lstrip())
        found = text.rfind(chunk, 0, end + between + len(chunk))
        assert found >= 0
        assert found + len(chunk) > end
        end = found + len(chunk)
    assert text[end:].strip() == ""
    assert (len(chunks) > 1) == (chunker.lengths([text])[0] > 30)


def test_neighbours_share_tokens_and_cuts_keep_to_sentences_and_words() -> None:
    text = "One two three. Four five six seven eight. Nine ten."
    chunker = Chunker(Characters(), limit=24, overlap=8)
    assert chunker.split([text, "short"]) == [
        ["One two three. Four five", "five six seven eight.", "eight. Nine ten."],
        ["short"],
    ]
    assert Chunker(Characters(), limit=19, overlap=0).split(["One two. Three four. Five six"]) == [
        ["One two. Three", "four. Five six"]
    ]
    assert Chunker(Characters(), limit=24, overlap=0).split(["One two three four. Five six seven"]) == [
        ["One two three four.", "Five six seven"]
    ]
    assert Chunker(Characters(), limit=4, overlap=2).split(["abcdefgh"]) == [["abcd", "cdef", "efgh"]]
    assert Chunker(Characters(), limit=8, overlap=0).split(["赤い革。木の机。丈夫で美しい"]) == [
        ["赤い革。木の机。", "丈夫で美しい"]
    ]


def test_a_text_that_begins_with_the_prompt_is_not_given_it_twice() -> None:
    chunker = Chunker(Characters(), limit=10, overlap=0, prompt="p: ")
    assert chunker.lengths(["p: abcdefg", "abcdefg"]) == [10, 10]
    assert chunker.split(["p: abcdefg"]) == [["p: abcdefg"]]
    (chunks,) = chunker.split(["p: abcdefghijk"])
    assert "".join(chunks) == "p: abcdefghijk"
    assert max(chunker.lengths(chunks)) <= 10


class Longer(Characters):
    """A tokenizer to whom a text that begins amid a word is two tokens longer."""

    def count(self, texts: list[str]) -> list[int]:
        return [len(text) + 2 * (text[:1] not in ("", " ", "a")) for text in texts]


def test_pieces_with_more_tokens_alone_are_cut_again() -> None:
    (chunks,) = Chunker(Longer(), limit=6, overlap=0).split(["abcdefghijkl"])
    assert chunks == ["abcd", "efgh", "ijkl"]


class Endless(Characters):
    """A tokenizer to whom every text is long."""

    def count(self, texts: list[str]) -> list[int]:
        return [len(text) + 50 * bool(text) for text in texts]


def test_a_text_that_can_not_be_cut_is_an_error() -> None:
    with pytest.raises(ModelError, match=r"can't be cut into pieces of 20 tokens, .* --on-truncate warn"):
        Chunker(Endless(), limit=20, overlap=0).split(["abcdefgh"])


def test_a_huge_text_is_tokenised_in_stretches() -> None:
    seen: list[int] = []

    class Watched(Characters):
        def spans(self, texts: list[str]) -> list[np.ndarray]:
            seen.extend(map(len, texts))
            return super().spans(texts)

    text = "seven b. " * (STRETCH // 4)
    chunker = Chunker(Watched(), limit=1 << 16, overlap=0, prompt="p: ")
    assert chunker.lengths([text]) == [len(text) + 3]
    (chunks,) = chunker.split([text])
    assert " ".join(chunks) == text.rstrip()
    assert max(seen) <= STRETCH


@pytest.mark.parametrize("make", [make_bge, make_e5])
def test_no_real_model_loses_a_token_of_a_chunk(tmp_path: Path, make: object) -> None:
    assert callable(make)
    encoder = load_encoder(str(make(tmp_path / "model")))
    chunker = open_chunker(encoder)
    assert chunker is not None
    assert chunker.limit, chunker.overlap == (MAX_LENGTH, MAX_LENGTH // OVERLAP_SHARE)
    assert chunker.prompt == encoder.card.prompts.document
    texts = list(LONG.values())
    encoder.encode_documents(texts)
    expected = [max(0, tokens - MAX_LENGTH) for tokens in chunker.lengths(texts)]
    assert list(encoder.counts.last_lost) == expected
    assert sum(expected) > 0
    encoder.encode_documents([chunk for chunks in chunker.split(texts) for chunk in chunks])
    assert sum(encoder.counts.last_lost) == 0


def test_a_model_without_a_limit_needs_no_chunks(tmp_path: Path) -> None:
    assert open_chunker(load_encoder(str(make_static(tmp_path / "static")))) is None


def test_what_can_not_be_chunked_is_refused() -> None:
    encoder = HashEncoder()
    encoder.card = CuttingEncoder(40).card
    with pytest.raises(ModelError, match="what runs in numpy doesn't show its tokens; type --on-truncate warn"):
        open_chunker(encoder)
    prompted = CuttingEncoder(40, Prompts("q: ", "document: "))
    with pytest.raises(UsageError, match=r"can't share 16 tokens: hash-0 sees 40, 30 of them .* from 0 to 15"):
        open_chunker(prompted, 16)
    chunker = open_chunker(prompted, 15)
    assert chunker is not None
    assert (chunker.overlap, chunker.limit, chunker.prompt) == (15, 40, "document: ")
