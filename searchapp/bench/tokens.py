"""Tokens for BM25: words, stemmed where the language has stems; character bigrams where its script has no spaces."""

import functools
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from searchapp.errors import UsageError
from searchapp.optional import require

GUESS_SHARE = 0.01
"""Share of the words of a sample that must be stop words of a language, and of no other, for it to be taken for that
language. Measured: English product names 1.8 % to 3.7 %, English prose 19 % to 27 %, Spanish prose 12 %, Swahili prose
15 %; the second best language 0.7 % at most."""

_SPACELESS = (
    "\u0e00-\u0eff\u1000-\u11ff\u1780-\u17ff\ua960-\ua97f\ua9e0-\ua9ff\uaa60-\uaa7f"
    "\u3005-\u3007\u3040-\u30ff\u3130-\u318f\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff"
)
"""Thai, Lao, Myanmar, Khmer, kana, Han, and Hangul: written without spaces, or with endings glued to the words."""
_HAS_SPACELESS = re.compile(f"[{_SPACELESS}]")
_ASCII_WORD = re.compile(r"\w+")
_RUNS = re.compile(f"[{_SPACELESS}]+|[^{_SPACELESS}]+")

_SWAHILI = "na ya wa kwa ni katika za la kuwa cha hii kama yake au pia vya hiyo lakini yao huo ambao ambayo kila sana"
"""Without these, Swahili passes for Spanish: its `ya` and `la` are everywhere."""


@dataclass(frozen=True, slots=True)
class Language:
    """What is known of a language: the name of its Snowball stemmer and of bm25s' list of its stop words."""

    stemmer: str | None = None
    stop_words: str | None = None
    longer_list: str | None = None
    """Another list of bm25s, to recognise the language by."""
    signs: str = ""
    """Frequent words to recognise it by where there is no list."""


LANGUAGES = {
    "english": Language("english", "STOPWORDS_EN", "STOPWORDS_EN_PLUS"),
    "spanish": Language("spanish", "STOPWORDS_SPANISH"),
    "german": Language("german", "STOPWORDS_GERMAN"),
    "french": Language("french", "STOPWORDS_FRENCH"),
    "italian": Language("italian", "STOPWORDS_ITALIAN"),
    "portuguese": Language("portuguese", "STOPWORDS_PORTUGUESE"),
    "dutch": Language("dutch", "STOPWORDS_DUTCH"),
    "danish": Language("danish", "STOPWORDS_DANISH"),
    "norwegian": Language("norwegian", "STOPWORDS_NORWEGIAN"),
    "swedish": Language("swedish", "STOPWORDS_SWEDISH"),
    "russian": Language("russian", "STOPWORDS_RUSSIAN"),
    "turkish": Language("turkish", "STOPWORDS_TURKISH"),
    "finnish": Language("finnish"),
    "hungarian": Language("hungarian"),
    "arabic": Language("arabic"),
    "hindi": Language("hindi"),
    "indonesian": Language("indonesian"),
    "swahili": Language(signs=_SWAHILI),
    "japanese": Language(),
    "chinese": Language(),
    "korean": Language(),
    "thai": Language(),
    "none": Language(),
}
"""Languages that may be asked for; those without a stemmer differ in name only."""

LOCALES = {
    "us": "english", "uk": "english", "en": "english", "es": "spanish", "jp": "japanese", "ja": "japanese",
    "de": "german", "fr": "french", "it": "italian", "pt": "portuguese", "nl": "dutch", "da": "danish",
    "no": "norwegian", "sv": "swedish", "ru": "russian", "tr": "turkish", "sw": "swahili", "ko": "korean",
    "zh": "chinese",
}  # fmt: skip
"""ESCI's locales and ISO 639-1 codes that may be given for a language."""


def name_language(text: str) -> str:
    """Return the language a person names, by its name, its code or ESCI's locale; "auto" stays.

    Raises UsageError for one that is not known.

    >>> [name_language(text) for text in ("English", "jp", "auto")]
    ['english', 'japanese', 'auto']
    """
    name = text.strip().casefold()
    name = LOCALES.get(name, name)
    if name != "auto" and name not in LANGUAGES:
        raise UsageError(f"--language {text!r} is not known; type one of auto, {', '.join(LANGUAGES)}")
    return name


def guess_language(texts: Iterable[str]) -> str:
    """Return the language whose own stop words are the largest share of the words of some texts, or "none".

    A stop word that two languages share tells nothing; below `GUESS_SHARE` no language is taken. A run of
    characters without spaces counts as so many words: a few English names do not make Japanese English. Raises
    MissingExtraError where bm25s is not installed.
    """
    owners = _owners()
    found: Counter[str] = Counter()
    words = 0
    for text in texts:
        for word in _words(text):
            words += len(word) if _HAS_SPACELESS.search(word) else 1
            if word in owners:
                found[owners[word]] += 1
    best, count = max(found.items(), key=lambda item: item[1], default=("none", 0))
    return best if count >= GUESS_SHARE * words else "none"


class Tokenizer:
    """Text to tokens, the same way for documents and queries.

    NFKC and casefolded; words are runs of letters, digits, marks and underscores. In a word, a run of Han, kana,
    Hangul, Thai, Lao, Khmer or Myanmar becomes its character bigrams (one character alone stays itself), whatever the
    language. Of the other words the language's stop words are dropped and the rest stemmed, if it has them.
    """

    def __init__(self, language: str) -> None:
        """Take a name of LANGUAGES. Raises MissingExtraError where PyStemmer or bm25s is needed and missing."""
        self.language = language
        known = LANGUAGES[language]
        self._stop_words = _stop_words(known.stop_words)
        self._stem: Callable[[list[str]], list[str]] | None = None
        if known.stemmer is not None:
            self._stem = require("Stemmer", extra="judge").Stemmer(known.stemmer).stemWords
        stops = f"{language} stop words and stems" if known.stop_words else f"{language} stems"
        self.note = stops if known.stemmer else "words as they are; character bigrams where a script has no spaces"

    def __call__(self, text: str) -> list[str]:
        """Return the tokens in their order, repeated ones repeated."""
        found = _words(text)
        bigrams: list[str] = []
        if _HAS_SPACELESS.search("".join(found)):
            runs = [run for word in found for run in _RUNS.findall(word)]
            found = [run for run in runs if not _HAS_SPACELESS.match(run)]
            bigrams = [pair for run in runs if _HAS_SPACELESS.match(run) for pair in _bigrams(run)]
        words = [word for word in found if word not in self._stop_words]
        return [*(self._stem(words) if self._stem else words), *bigrams]


def _words(text: str) -> list[str]:
    folded = unicodedata.normalize("NFKC", text).casefold()
    found: list[str] = (_ASCII_WORD if folded.isascii() else _word_pattern()).findall(folded)
    return found


def _bigrams(run: str) -> Sequence[str]:
    """Return the pairs of neighbouring characters.

    >>> _bigrams("東京都"), _bigrams("犬")
    (['東京', '京都'], ['犬'])
    """
    return [run[place : place + 2] for place in range(max(1, len(run) - 1))]


@functools.cache
def _word_pattern() -> re.Pattern[str]:
    r"""Return what a word is: \w, and the marks that \w lacks, without which Hindi and Thai fall to pieces."""
    marks = (chr(code) for code in range(sys.maxunicode) if unicodedata.category(chr(code)) in ("Mn", "Mc"))
    return re.compile(rf"[\w{''.join(marks)}]+")


@functools.cache
def _stop_words(name: str | None) -> frozenset[str]:
    if name is None:
        return frozenset()
    listed: tuple[str, ...] = getattr(require("bm25s.stopwords", extra="judge"), name)
    return frozenset(word for entry in listed for word in _words(entry))


@functools.cache
def _owners() -> dict[str, str]:
    """Return, for every stop word of one language alone, that language."""
    owners: dict[str, list[str]] = {}
    for name, language in LANGUAGES.items():
        for word in _stop_words(language.longer_list or language.stop_words) | frozenset(language.signs.split()):
            owners.setdefault(word, []).append(name)
    return {word: names[0] for word, names in owners.items() if len(names) == 1}
