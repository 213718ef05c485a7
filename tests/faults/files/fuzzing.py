"""Mutated files by the number: the file, its mutations and its options follow from a seed. The bench runs thousands, tests hundreds."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from judge import Case, Verdict, judge
from mutations import EVERYWHERE, IN_TEXTS
from oracles import readings
from originals import COLUMNS, ORIGINALS, rows

from polyceph.connectors.tabular import warm


@dataclass
class Tally:
    """What became of many files. `bad` holds the seed and the reason of each that must not be."""

    verdicts: Counter[str] = field(default_factory=Counter)
    bad: list[tuple[int, str, Verdict]] = field(default_factory=list)
    slowest_s: float = 0.0
    largest_mb: int = 0


def case_of(seed: int) -> tuple[Case, str]:
    """Return the case of a seed, and what was done to the file."""
    chance = random.Random(seed)
    original = ORIGINALS[seed % len(ORIGINALS)]
    data, done = original.write(rows()), []
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        mutation = chance.choice(EVERYWHERE + IN_TEXTS * 2 if original.is_text else EVERYWHERE)
        try:
            data = mutation(chance, data) if data else data
        except ValueError:  # a second mutation of what is no text any more, or hardly anything
            continue
        done.append(mutation.__name__)
    return Case(original.name, data, original.options, chance.random() < 0.5), f"{original.name}: {', '.join(done)}"


def run(seeds: Iterable[int]) -> Iterator[tuple[int, str, Verdict]]:
    """Yield the verdict of each seed."""
    was = rows()
    for seed in seeds:
        case, done = case_of(seed)
        yield seed, done, judge(case, COLUMNS, was, readings(case.name, case.data))


def tallied(found: Iterable[tuple[int, str, Verdict]]) -> Tally:
    """Return what became of all; memory is that of the largest process that read a file, in MiB."""
    tally = Tally()
    for seed, done, verdict in found:
        tally.verdicts[verdict.what] += 1
        tally.slowest_s = max(tally.slowest_s, verdict.seconds)
        if verdict.is_bad:
            tally.bad.append((seed, done, verdict))
    tally.largest_mb = warm.largest_mb()
    return tally
