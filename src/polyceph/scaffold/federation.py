"""A new federation folder: the declaration every domain hangs on, with comments that teach."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from polyceph.errors import Invalid, Problem
from polyceph.scaffold.files import write_templates

NAME = re.compile(r"[a-z][a-z0-9_]*")
LANGUAGES = ("fr", "nl", "de", "en")


def write_federation(folder: Path, name: str, languages: tuple[str, ...] = ("fr", "en")) -> list[Path]:
    """Write a federation called `name` into `folder` and return the files written.

    Raises:
        Invalid: the name or a language cannot be used.
        Conflict: a file is already there; nothing is written.
    """
    check_name("federation", name)
    _check_languages(languages)
    title = name.replace("_", " ").capitalize()
    values = {"name": name, "title": in_languages(title, languages), "languages": ", ".join(languages)}
    return write_templates("federation", folder, values)


def check_name(kind: str, name: str) -> None:
    """Refuse a name that is not lower-case letters, digits and underscores, as directories, schemas and keys are made of it."""
    if NAME.fullmatch(name):
        return
    ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    near = re.sub(r"[^a-z0-9]+", "_", ascii_only).lstrip("_0123456789").rstrip("_")
    hint = f"try {near}" if near else f"for instance my_{kind}"
    raise Invalid(f"{kind} name {name!r} cannot be used: it starts with a-z and goes on with a-z, 0-9 and _", hint=hint)


def in_languages(text: str, languages: tuple[str, ...]) -> str:
    """Return a YAML flow mapping that holds the same text in every language, to be translated by hand."""
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return "{" + ", ".join(f'{language}: "{quoted}"' for language in languages) + "}"


def _check_languages(languages: tuple[str, ...]) -> None:
    problems = [Problem(f"language {language!r} is unknown", allowed=LANGUAGES) for language in languages if language not in LANGUAGES]
    if problems or not languages:
        raise Invalid("a federation speaks one or more known languages", problems=problems, hint=f"known are {', '.join(LANGUAGES)}")
