"""Reads federation.yaml: languages, environments, channels and people that all domains share."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from polyceph.core.model.access import RoleGrant
from polyceph.core.model.decision import Decision
from polyceph.core.model.federation import Channel, Environment, HeadPlace
from polyceph.core.model.person import Person
from polyceph.core.model.place import Place
from polyceph.core.model.sign_in import SignIn
from polyceph.core.policies.naming import name_is_allowed
from polyceph.core.policies.nearest import did_you_mean
from polyceph.declarations.findings import Findings
from polyceph.declarations.forms import LANGUAGES, FederationForm
from polyceph.declarations.positions import Document
from polyceph.declarations.roles import read_roles
from polyceph.declarations.shapes import check_shape
from polyceph.declarations.sign_in import read_sign_in
from polyceph.declarations.yaml_files import parse_one, read_bytes

FILE = "federation.yaml"
STORAGE_SCHEMES = ("s3", "az")
_PERSON = re.compile(r"^[a-z0-9]+([._-][a-z0-9]+)*$")
_PLACES = ("folder", "git", "mail")
_EMAIL = re.compile(r"^[^@\s]+@[^@\s]+\.[^@\s]+$")


@dataclass(frozen=True)
class Root:
    """What federation.yaml says. `is_whole` is False when it could not be read: then nothing is held against it."""

    is_whole: bool
    name: str = ""
    title: Mapping[str, str] | None = None
    languages: tuple[str, ...] = ()
    environments: Mapping[str, Environment] | None = None
    channels: Mapping[str, Channel] | None = None
    people: Mapping[str, Person] | None = None
    heads_kept_in: tuple[HeadPlace, ...] = ()
    roles: tuple[RoleGrant, ...] = ()
    people_places: Mapping[str, Place] = field(default_factory=dict)
    sign_in: SignIn = field(default_factory=SignIn)
    place: Place = field(default_factory=lambda: Place(FILE))
    digest: str = ""


def read_root(folder: Path, findings: Findings, *, domains: Collection[str], today: date) -> Root:
    """Return what federation.yaml in `folder` says of itself and of its `domains`; what is wrong goes to the findings."""
    if not (folder / FILE).is_file():
        findings.error(f"there is no {FILE} here", Place(FILE), hint="go to the folder of a federation, or start one with: polyceph init")
        return Root(is_whole=False)
    raw = read_bytes(folder, FILE, findings=findings)
    document = parse_one(raw, findings) if raw else None
    if raw is None or document is None:
        return Root(is_whole=False)
    check_shape(document, FederationForm, findings=findings)
    name = document.get("name")
    if isinstance(name, str):
        findings.refuse(name_is_allowed(name, "federation"), document.place("name"), value=name)
    people = _people(document, findings)
    languages = tuple(str(language) for language in _list(document.get("languages")) if language in LANGUAGES)
    return Root(
        is_whole=True,
        name=str(name or ""),
        title=check_title(document, languages, findings=findings),
        languages=languages,
        environments=_environments(document, findings),
        channels=_channels(document),
        people=people,
        roles=read_roles(document, people, findings=findings, domains=domains, today=today),
        people_places={person: document.key_place("people", person) for person in people or {}},
        sign_in=read_sign_in(document, findings),
        heads_kept_in=_head_places(document, findings),
        place=document.place("name"),
        digest=raw.digest,
    )


def check_title(document: Document, languages: tuple[str, ...], *, findings: Findings) -> dict[str, str]:
    """Return the title by language; refuse one that lacks a language of the federation or has another."""
    title = document.get("title")
    if not isinstance(title, dict):
        return {}
    known = languages or LANGUAGES
    for language in title:
        if language not in known:
            hint = did_you_mean(language, known) or "add the language to federation.yaml, or remove this title"
            decision = Decision(False, "language", f"title has the language {language!r}, which the federation does not speak", known, hint)
            findings.refuse(decision, document.key_place("title", language))
    for language in languages:
        if not title.get(language):
            hint = f"write {language}: … under title"
            findings.error(f"title is missing in the language {language!r}", document.key_place("title"), hint=hint)
    return {str(language): str(text) for language, text in title.items()}


def _environments(document: Document, findings: Findings) -> dict[str, Environment]:
    found = {}
    for name, entry in _mapping(document.get("environments")).items():
        storage = entry.get("storage") if isinstance(entry, dict) else None
        findings.refuse(name_is_allowed(name, "environment"), document.key_place("environments", name), value=name)
        if isinstance(storage, str):
            _check_storage(storage, document.place("environments", name, "storage"), findings=findings)
            found[name] = Environment(name, storage)
    return found


def _check_storage(storage: str, place: Place, *, findings: Findings) -> None:
    scheme, separator, rest = storage.partition("://")
    if not separator:
        if not storage.strip():
            findings.error("storage is empty", place, value=storage, hint="name a folder, for example .polyceph/lakes")
        return
    good = ("a folder", *(f"{known}://…" for known in STORAGE_SCHEMES))
    if scheme not in STORAGE_SCHEMES:
        near = did_you_mean(scheme, STORAGE_SCHEMES)
        findings.refuse(Decision(False, "storage", f"storage scheme {scheme!r} is unknown", good, near), place, value=storage)
    elif not rest.strip("/"):
        findings.error(f"storage {storage!r} names no bucket or container", place, value=storage, hint=f"write {scheme}://name/prefix")


def _channels(document: Document) -> dict[str, Channel]:
    found = {}
    for name, entry in _mapping(document.get("channels")).items():
        if isinstance(entry, dict):
            found[name] = Channel(name, str(entry.get("kind")), str(entry.get("target_env")))
    return found


def _head_places(document: Document, findings: Findings) -> tuple[HeadPlace, ...]:
    journal = document.get("journal")
    entries = journal.get("kept_in") if isinstance(journal, dict) else None
    found = []
    for number, item in enumerate(_list(entries)):
        entry = _mapping(item)
        named = [kind for kind in _PLACES if entry.get(kind)]
        place = document.place("journal", "kept_in", number)
        if len(named) != 1:
            good, said = tuple(_PLACES), ", ".join(named) or "none"
            decision = Decision(
                False, "journal", f"a place for heads of the journal names one thing, here: {said}", good, "keep one of them"
            )
            findings.refuse(decision, place)
            continue
        target, hours = str(entry[named[0]]), entry.get("every_hours")
        if named[0] == "mail" and not _EMAIL.fullmatch(target):
            place = document.place("journal", "kept_in", number, "mail")
            findings.error(f"mail {target!r} is no e-mail address", place, value=target, hint="write name@organisation.be")
        found.append(HeadPlace(named[0], target, hours if isinstance(hours, int) else 24))
    return tuple(found)


def _people(document: Document, findings: Findings) -> dict[str, Person] | None:
    """Return the people; None when the key is missing beside an unknown one, so that not every owner counts as unknown too."""
    is_misspelt = not document.has("people") and _mapping(document.value).keys() - FederationForm.model_fields.keys()
    if is_misspelt:
        return None
    found = {}
    for person, entry in _mapping(document.get("people")).items():
        if not _PERSON.fullmatch(person):
            place = document.key_place("people", person)
            findings.error(f"person id {person!r} is not allowed", place, value=person, hint="write small letters, for example anne.dupont")
        if not isinstance(entry, dict):
            entry = {}  # noqa: PLW2901  (its shape is already refused; the id is still known)
        email = entry.get("email")
        if isinstance(email, str) and not _EMAIL.fullmatch(email):
            place = document.place("people", person, "email")
            findings.error(f"email {email!r} is no e-mail address", place, value=email, hint="write name@organisation.be")
        found[person] = Person(person, str(entry.get("name") or ""), str(email or ""), _day(entry.get("left")))
    return found


def _day(value: object) -> date | None:
    try:
        return date.fromisoformat(str(value)) if value else None
    except ValueError:
        return None


def _mapping(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
