"""What somebody may know of: the one place where the portal filters datasets, so that lists, counts, filters and search agree."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rapidfuzz import fuzz, process

from polyceph.bootstrap.site import Site
from polyceph.core.model.access import Action, Principal
from polyceph.core.model.classification import Classification, PersonalData
from polyceph.core.model.dataset import DatasetId
from polyceph.core.model.domain import Dataset
from polyceph.core.model.sentence import said
from polyceph.errors import NotFound

_LIKE = 76
"""How alike, of 100, a word must be to one that was mistyped."""
_SHORTEST_GUESS = 4
_KEPT_S = 3600.0
Words = tuple[frozenset[str], frozenset[str]]


@dataclass(frozen=True)
class Known:
    """A dataset somebody may know of; `is_described` tells whether she may see more than its name, title and who answers for it."""

    dataset: Dataset
    is_described: bool

    @property
    def id(self) -> DatasetId:
        """Return its identifier."""
        return self.dataset.id

    @property
    def classification(self) -> str | None:
        """Return its classification, None without a contract."""
        contract = self.dataset.contract
        return contract.classification.value if contract else None

    @property
    def title(self) -> str:
        """Return its title, or its name where the contract gives none."""
        contract = self.dataset.contract
        return (contract.title if contract else "") or self.id.name

    @property
    def description(self) -> str:
        """Return what the contract says of it, empty for whoever may not see that."""
        contract = self.dataset.contract
        return contract.description if contract and self.is_described else ""

    @property
    def has_personal_data(self) -> bool:
        """Tell whether a column is about a person, as far as she may see the columns."""
        contract = self.dataset.contract
        return self.is_described and contract is not None and any(one.personal_data is not PersonalData.NONE for one in contract.columns)


@dataclass(frozen=True)
class Card:
    """A dataset in a list."""

    path: str
    id: str
    title: str
    description: str
    domain: Mapping[str, str]
    zone: str
    classification: str | None
    has_personal_data: bool
    owner: str
    changed_at: datetime | None


def known_datasets(site: Site, who: Principal, domain: str | None = None) -> list[Known]:
    """Return the datasets somebody may know of, in a domain or anywhere, by identifier."""
    domains = site.federation.domains
    found = [domains[domain]] if domain is not None else list(domains.values())
    known = (_known(site, who, one) for owner in found for one in owner.datasets.values())
    return sorted((one for one in known if one is not None), key=lambda one: one.id)


def known_dataset(site: Site, who: Principal, wanted: DatasetId) -> Known:
    """Return one dataset; raise `NotFound` when it does not exist or is not hers to know of, in the same words."""
    domain = site.federation.domains.get(wanted.domain)
    dataset = domain.datasets.get(wanted) if domain else None
    known = _known(site, who, dataset) if dataset else None
    if known is None:
        hint = said("the list of datasets shows those you may know of")
        raise NotFound(said("there is no such dataset, or it is not yours to know of"), hint=hint)
    return known


def card(site: Site, one: Known) -> Card:
    """Return a dataset as a list shows it."""
    state = site.states(one.id.domain).get(one.id) if one.is_described else None
    return Card(
        path=dataset_path(one.id),
        id=str(one.id),
        title=one.title,
        description=one.description,
        domain=site.federation.domains[one.id.domain].title,
        zone=one.id.zone.value,
        classification=one.classification,
        has_personal_data=one.has_personal_data,
        owner=person_name(site, one.dataset.owner),
        changed_at=state.changed_at if state else None,
    )


def dataset_path(dataset: DatasetId) -> str:
    """Return the path of a dataset's page."""
    return f"/datasets/{dataset.domain}/{dataset.zone}/{dataset.name}"


def person_name(site: Site, person: str | None) -> str:
    """Return a person's name; the id of somebody who is not declared, a dash for nobody."""
    known = site.federation.people.get(person or "")
    return known.name if known else person or "–"


def search(site: Site, words: str, among: Sequence[Known]) -> list[Known]:
    """Return the datasets that have every word of a search, the best first: in name and title before descriptions and columns.

    A word of four letters or more may be mistyped. What somebody may not see is not searched either: a search that finds by hidden
    words tells them.
    """
    wanted = plain(words).split()
    if not wanted:
        return list(among)
    index = site.kept(("words", site.federation.digest), lambda: _index(site), seconds=_KEPT_S)
    texts = [_seen(index.get(one.id) or _words_of(one.dataset), one.is_described) for one in among]
    vocabulary = sorted(frozenset().union(*(part for text in texts for part in text)))
    likes = [_like(one, vocabulary) for one in wanted]
    scored = [(_score(likes, *text), one) for text, one in zip(texts, among, strict=True)]
    return [one for score, one in sorted(scored, key=lambda pair: (-pair[0], pair[1].id)) if score > 0]


def plain(text: str) -> str:
    """Return a text without case, accents and signs between words."""
    bare = "".join(sign for sign in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(sign))
    return "".join(sign if sign.isalnum() else " " for sign in bare)


def facts_of(site: Site, wanted: DatasetId) -> Mapping[str, Any]:
    """Return the facts of a question about a dataset besides its domain; one that does not exist counts as secret."""
    domain = site.federation.domains.get(wanted.domain)
    dataset = domain.datasets.get(wanted) if domain else None
    if dataset is None:
        return {"dataset": str(wanted), "classification": Classification.SECRET}
    return {"dataset": str(wanted), "classification": dataset.contract.classification if dataset.contract else None}


def _known(site: Site, who: Principal, dataset: Dataset) -> Known | None:
    facts = facts_of(site, dataset.id)
    if not site.may(who, Action.DATASET_FIND, domain=dataset.id.domain, **facts).allowed:
        return None
    return Known(dataset, site.may(who, Action.DATASET_DESCRIBE, domain=dataset.id.domain, **facts).allowed)


def _index(site: Site) -> Mapping[DatasetId, Words]:
    """Return the words of every dataset: of its name and title, and of what only who may see it described may search."""
    return {one.id: _words_of(one) for domain in site.federation.domains.values() for one in domain.datasets.values()}


def _words_of(dataset: Dataset) -> Words:
    contract = dataset.contract
    if contract is None:
        return _words(dataset.id.name, dataset.id.domain), frozenset()
    columns = [text for column in contract.columns for text in (column.name, column.description)]
    return _words(dataset.id.name, contract.title, dataset.id.domain), _words(contract.description, *columns)


def _seen(words: Words, is_described: bool) -> Words:
    return words if is_described else (words[0], frozenset())


def _words(*texts: str) -> frozenset[str]:
    return frozenset(word for text in texts for word in plain(text).split())


def _like(wanted: str, vocabulary: Sequence[str]) -> Mapping[str, float]:
    """Return the known words that a wanted one may mean, each with how sure that is, 0 to 1."""
    found = {word: 1.0 if word == wanted else 0.9 for word in vocabulary if word.startswith(wanted)}
    found |= {word: 0.7 for word in vocabulary if wanted in word and word not in found and len(wanted) > 2}
    if not found and len(wanted) >= _SHORTEST_GUESS:
        guesses: Iterable[tuple[str, float, int]] = process.extract(wanted, vocabulary, scorer=fuzz.ratio, score_cutoff=_LIKE, limit=20)
        found = {word: score / 250 for word, score, _ in guesses}
    return found


def _score(likes: Sequence[Mapping[str, float]], names: frozenset[str], rest: frozenset[str]) -> float:
    total = 0.0
    for like in likes:
        best = max((*(3 * like[word] for word in names & like.keys()), *(like[word] for word in rest & like.keys())), default=0.0)
        if best == 0:
            return 0.0
        total += best
    return total
