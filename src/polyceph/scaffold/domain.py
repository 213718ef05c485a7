"""A new domain folder with a small example that runs: one CSV source, four zones, one output."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from polyceph.errors import Conflict, Invalid, NotFound
from polyceph.scaffold.federation import check_name, in_languages
from polyceph.scaffold.files import write_templates


@dataclass(frozen=True)
class _Known:
    """What a new domain takes from its federation: languages, two people and a channel to begin with."""

    languages: tuple[str, ...]
    owner: str
    steward: str
    contact: str


def write_domain(federation: Path, name: str, title: str) -> list[Path]:
    """Write the domain `name` into the federation folder and return the files written.

    The first person of the federation becomes data owner and the second data steward, until somebody edits `domain.yaml`.

    Raises:
        NotFound: there is no `federation.yaml` in the folder.
        Invalid: the name cannot be used, or the federation has no people or no channel yet.
        Conflict: the domain is already there; nothing is written.
    """
    check_name("domain", name)
    known = _known(federation / "federation.yaml")
    folder = federation / "domains" / name
    if folder.exists() and any(folder.iterdir()):
        raise Conflict(f"domain {name} is already there: {folder}", hint="choose another name, or remove the folder first")
    values = {
        "name": name,
        "title": in_languages(title or name.replace("_", " ").capitalize(), known.languages),
        "owner": known.owner,
        "steward": known.steward,
        "contact": known.contact,
    }
    return write_templates("domain", folder, values)


def _known(declaration: Path) -> _Known:
    try:
        content: Any = yaml.safe_load(declaration.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise NotFound(
            f"{declaration} does not exist", hint="begin with: polyceph init FOLDER, or name the folder: --federation"
        ) from error
    except yaml.YAMLError as error:
        raise Invalid(f"{declaration} is not YAML: {error}", hint="polyceph check says where") from error
    fields = content if isinstance(content, dict) else {}
    people, channels, languages = (fields.get(key) or () for key in ("people", "channels", "languages"))
    missing = [key for key, value in (("people", people), ("channels", channels), ("languages", languages)) if not value]
    if missing:
        raise Invalid(
            f"{declaration} declares no {' and no '.join(missing)}", hint="a domain has an owner, a steward and a channel: add them first"
        )
    persons = list(people)
    return _Known(tuple(languages), persons[0], persons[1 % len(persons)], next(iter(channels)))
