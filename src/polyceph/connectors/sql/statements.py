"""SQL that a declaration holds: one SELECT, or one condition with named values. The checks are for good messages: sessions only read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from sqlglot import exp, parse, tokenize
from sqlglot.errors import SqlglotError

from polyceph.sdk import Invalid

Value = int | float | str | bool

_WRITES = (exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Create, exp.Drop, exp.Into, exp.Lock, exp.Command)
_NO_CONDITIONS = (exp.Query, exp.DDL, exp.DML, exp.Drop, exp.Command, exp.Alias, exp.Star, exp.Tuple, exp.Literal, exp.Set, exp.Use)


def single_select(query: str, *, dialect: str) -> str:
    """Return the query without its closing semicolon; raise `Invalid` unless it is one SELECT that changes and locks nothing."""
    try:
        statements = [s for s in parse(query, dialect=dialect) if s is not None]
    except SqlglotError as error:
        raise Invalid(f"the query cannot be read as SQL: {str(error).splitlines()[0]}") from error
    if len(statements) != 1:
        raise Invalid(f"the query holds {len(statements)} statements", hint="write one SELECT")
    writing = next(statements[0].find_all(*_WRITES), None)
    if not isinstance(statements[0], exp.Query) or writing is not None:
        name = (writing or statements[0]).key.upper()
        raise Invalid(f"the query is not a plain SELECT but holds {name}", hint="write one SELECT that changes and locks nothing")
    return query.strip().rstrip(";").rstrip()


@dataclass(frozen=True)
class Condition:
    """A condition as it was written, cut where its values stand: `texts` has one more than `values`."""

    texts: tuple[str, ...]
    values: tuple[Value, ...]

    @classmethod
    def of(cls, text: str, parameters: Mapping[str, Value], *, dialect: str) -> Condition:
        """Return the condition; raise ValueError when it is not one, or when names and parameters differ."""
        _check(text, dialect)
        tokens = tokenize(text, read=dialect)
        texts, values, at = list[str](), list[Value](), 0
        used = set()
        for colon, name in pairwise(tokens):
            if colon.text != ":" or name.start != colon.end + 1:
                continue
            if name.text not in parameters:
                raise ValueError(
                    f"the filter uses :{name.text}, which is not among its parameters ({', '.join(parameters) or 'there are none'})"
                )
            used.add(name.text)
            texts.append(text[at : colon.start])
            values.append(parameters[name.text])
            at = name.end + 1
        unused = sorted(parameters.keys() - used)
        if unused:
            raise ValueError(f"the filter does not use the parameters {', '.join(unused)}; write :{unused[0]} where the value belongs")
        return cls((*texts, text[at:]), tuple(values))

    def sql(self, place: Callable[[Value], str]) -> str:
        """Return the SQL in brackets with what `place` writes for each value; on lines of its own, so that a comment ends with it."""
        written = self.texts[0] + "".join(place(v) + t for v, t in zip(self.values, self.texts[1:], strict=True))
        return f"(\n{written}\n)"


def _check(text: str, dialect: str) -> None:
    try:
        found = [s for s in parse(text, dialect=dialect) if s is not None]
    except SqlglotError as error:
        raise ValueError(f"the filter cannot be read as SQL: {str(error).splitlines()[0]}") from error
    if len(found) != 1:
        raise ValueError(f"the filter holds {len(found)} statements; write one condition")
    root = found[0]
    writing = next(root.find_all(*_WRITES), None)
    if isinstance(root, _NO_CONDITIONS) or writing is not None:
        name = (writing or root).key.upper()
        raise ValueError(f"the filter is no condition but {name}; write what stands behind WHERE, such as year >= 2020")
