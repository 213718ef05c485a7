"""The reference page of the conformance suite: which connector shows which behaviour, before what, and why not where it does not."""

from __future__ import annotations

from stands.behaviours import NUMBERS, Behaviour
from stands.registry import STANDS
from stands.stand import ALL_TYPES, Stand

_MARKS = {"run": "✓", "not applicable": "–", "unproven": "?"}


def page() -> str:
    """Return the page in Markdown."""
    out = ["# What every connector is asked", ""]
    out += [f"One suite, `tests/conformance/connectors`, asks the same {len(Behaviour)} behaviours of each connector before a source"]
    out += ["that the suite starts, and loads into a real lake. ✓ it is run, – it makes no sense there, ? it cannot be shown without"]
    out += ["a server that was not available. Where a source changes (8–21), nothing of it is visible, or it is loaded right.", ""]
    names = list(STANDS)
    out += [_row(["", "behaviour", *names]), _row(["---"] * (2 + len(names)))]
    for behaviour in Behaviour:
        out.append(_row([str(NUMBERS[behaviour]), str(behaviour), *(_mark(STANDS[name], behaviour) for name in names)]))
    out += ["", "## Before what", "", _row(["connector", "source", "rows of behaviour 6", "types that the source does not have"])]
    out.append(_row(["---"] * 4))
    for name, stand in STANDS.items():
        has_large = stand.reason(Behaviour.LARGE) is None
        lacks = ", ".join(kind for kind in ALL_TYPES if kind not in stand.types)
        out.append(_row([f"`{name}`", stand.server, f"{stand.large_rows:,}" if has_large else "", lacks]))
    out += ["", "## Why not", ""]
    for name, stand in STANDS.items():
        reasons: dict[str, list[str]] = {}
        for behaviour in Behaviour:
            reason = stand.reason(behaviour)
            if reason:
                reasons.setdefault(reason, []).append(str(NUMBERS[behaviour]))
        out += [f"- `{name}`, {_spans(numbers)}: {reason}." for reason, numbers in reasons.items()]
    return "\n".join(out)


def _mark(stand: type[Stand], behaviour: Behaviour) -> str:
    if behaviour in stand.not_applicable:
        return _MARKS["not applicable"]
    return _MARKS["unproven"] if behaviour in stand.unproven else _MARKS["run"]


def _spans(numbers: list[str]) -> str:
    spans: list[list[int]] = []
    for number in map(int, numbers):
        if spans and number == spans[-1][-1] + 1:
            spans[-1].append(number)
        else:
            spans.append([number])
    return ", ".join(str(span[0]) if len(span) == 1 else f"{span[0]}–{span[-1]}" for span in spans)


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |".replace("|  |", "| |")
