r"""Conditions over stored fields, such as `brand = "Acme" and (price < 10 or stock is null)`; never run as code.

    condition  = both ("or" both)*                both = one ("and" one)*
    one        = "not" one | "(" condition ")" | test
    test       = field ("=" | "!=" | "<" | "<=" | ">" | ">=") value
               | field ["not"] "in" "(" value, ... ")" | field "is" ["not"] "null"
    field      = a name, or any name in backticks; doc_id is the id
    value      = "text" or 'text', with \ before a quote that belongs to it; a number; true or false

A comparison with a field that a document lacks, or that holds another type there, is neither true nor false, and so is
its negation: `is null` alone chooses such a document.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from searchapp.errors import UsageError

Literal: TypeAlias = str | int | float | bool
Column: TypeAlias = Callable[[str, type | None], pa.Array]
"""Gives a field's values where they are of a type (str, float or bool), null elsewhere; of no type: true where there
is one, else false."""
Condition: TypeAlias = Callable[[Column], pa.Array]
"""Gives a bool array, null where the answer is neither true nor false."""

_TOKEN = re.compile(
    r"""(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|`(?P<quoted>[^`]+)`"""
    r"""|(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?!\w))"""
    r"""|(?P<word>[^\W\d][\w.:-]*)|(?P<sign><=|>=|!=|<>|[=<>(),])"""
)
_COMPARE = {
    "=": pc.equal,
    "!=": pc.not_equal,
    "<>": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}
_WORDS = ("and", "or", "not", "in", "is", "null", "true", "false")
_EXAMPLE = 'write it like: brand = "Acme" and price < 10'


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    place: int

    def __str__(self) -> str:
        return f"{self.text!r} at character {self.place + 1}" if self.kind != "end" else "nothing more"


def parse_condition(text: str) -> Condition:
    """Read a condition; raise UsageError saying what was found where, and what was expected.

    >>> held = {"brand": pa.array(["Acme", None, "Bolt"])}
    >>> parse_condition("not brand = 'Acme'")(lambda name, kind: held[name]).to_pylist()
    [False, None, True]
    """
    parser = _Parser(list(_tokens(text)), text)
    condition = parser.either()
    parser.expect("end", "and, or, or the end")
    return condition


def _tokens(text: str) -> "list[_Token]":
    found, place = [], 0
    while place < len(text):
        if text[place].isspace():
            place += 1
            continue
        match = _TOKEN.match(text, place)
        if match is None:
            raise UsageError(f"--where {text!r}: {text[place]!r} at character {place + 1} is no part of it; {_EXAMPLE}")
        kind = str(match.lastgroup)
        word = match[kind]
        if kind == "word" and word.lower() in _WORDS:
            kind, word = "sign", word.lower()
        found.append(_Token(kind, word, place))
        place = match.end()
    return [*found, _Token("end", "", len(text))]


class _Parser:
    """Reads tokens one by one, each method one rule of the language."""

    def __init__(self, tokens: list[_Token], text: str) -> None:
        self._tokens = tokens
        self._text = text
        self._at = 0

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _take(self) -> _Token:
        self._at += 1
        return self._tokens[self._at - 1]

    def _takes(self, *signs: str) -> bool:
        """Step over these signs if they come next, all of them."""
        coming = self._tokens[self._at : self._at + len(signs)]
        if [(token.kind, token.text) for token in coming] != [("sign", sign) for sign in signs]:
            return False
        self._at += len(signs)
        return True

    def expect(self, kind: str, what: str, *texts: str) -> _Token:
        """Take the next token if it is of a kind and one of these texts; raise UsageError naming `what` otherwise."""
        token = self._next
        if token.kind != kind or (texts and token.text not in texts):
            raise UsageError(f"--where {self._text!r}: found {token} where {what} was expected; {_EXAMPLE}")
        return self._take()

    def either(self) -> Condition:
        """Read conditions joined by `or`."""
        one = self._both()
        while self._takes("or"):
            one = _joined(pc.or_kleene, one, self._both())
        return one

    def _both(self) -> Condition:
        one = self._one()
        while self._takes("and"):
            one = _joined(pc.and_kleene, one, self._one())
        return one

    def _one(self) -> Condition:
        if self._takes("not"):
            return _negated(self._one())
        if self._takes("("):
            inner = self.either()
            self.expect("sign", "a closing parenthesis", ")")
            return inner
        return self._test()

    def _test(self) -> Condition:
        if self._next.kind not in ("word", "quoted"):
            self.expect("word", "the name of a field")
        name = self._take().text
        if self._takes("is"):
            wanted = self._takes("not")
            self.expect("sign", "null", "null")
            return _held(name) if wanted else _negated(_held(name))
        if self._takes("not", "in"):
            return _negated(self._among(name))
        if self._takes("in"):
            return self._among(name)
        sign = self.expect("sign", "=, !=, <, <=, >, >=, in or is", *_COMPARE).text
        return _comparison(name, sign, self._value())

    def _among(self, name: str) -> Condition:
        self.expect("sign", "an opening parenthesis", "(")
        one = _comparison(name, "=", self._value())
        while self._takes(","):
            one = _joined(pc.or_kleene, one, _comparison(name, "=", self._value()))
        self.expect("sign", "a comma or a closing parenthesis", ")")
        return one

    def _value(self) -> Literal:
        token = self._next
        if self._takes("true") or self._takes("false"):
            return token.text == "true"
        if token.kind == "number":
            number = self._take().text
            return int(number) if re.fullmatch(r"[+-]?\d{1,18}", number) else float(number)
        return re.sub(r"\\(.)", r"\1", self.expect("text", 'a value ("text", a number, true or false)').text[1:-1])


def _joined(join: Callable[[pa.Array, pa.Array], pa.Array], one: Condition, other: Condition) -> Condition:
    def joined(column: Column) -> pa.Array:
        return join(one(column), other(column))

    return joined


def _negated(one: Condition) -> Condition:
    def negated(column: Column) -> pa.Array:
        return pc.invert(one(column))

    return negated


def _held(name: str) -> Condition:
    def held(column: Column) -> pa.Array:
        return column(name, None)

    return held


def _comparison(name: str, sign: str, value: Literal) -> Condition:
    kind = float if isinstance(value, int | float) and not isinstance(value, bool) else type(value)
    if kind is bool and sign not in ("=", "!=", "<>"):
        raise UsageError(f"--where: {name} {sign} {str(value).lower()} compares truth values; type = or !=")

    def compare(column: Column) -> pa.Array:
        return _COMPARE[sign](column(name, kind), pa.scalar(value))

    return compare
