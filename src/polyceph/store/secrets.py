"""Secrets kept on this machine: passwords the platform made for its roles, and what a domain's engineers wrote for their sources."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from pydantic import SecretStr

from polyceph.errors import Invalid, Misconfigured, Problem
from polyceph.store.keyring import Keyring
from polyceph.store.private_file import locked, read_private, write_private

_PASSWORD_BYTES = 24
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def role_passwords(folder: Path, roles: Iterable[str]) -> Mapping[str, SecretStr]:
    """Return a password for each role from `<folder>/roles.json`, making those that are missing.

    Two processes that ask at once get the same passwords.

    Raises:
        Misconfigured: the file is damaged or open to others.
    """
    path = folder / "roles.json"
    wanted = tuple(dict.fromkeys(roles))
    with locked(folder / "lock"):
        known = _known_passwords(path)
        missing = [role for role in wanted if role not in known]
        if missing:
            known |= {role: secrets.token_urlsafe(_PASSWORD_BYTES) for role in missing}
            write_private(path, json.dumps(known, indent=1, sort_keys=True))
    return {role: SecretStr(known[role]) for role in wanted}


def made_once(path: Path, make: Callable[[], str]) -> SecretStr:
    """Return the secret of a private file, made when it is not there; two processes that ask at once get the same.

    Raises:
        Misconfigured: others than the owner may read it.
    """
    with locked(path.parent / "lock"):
        if not path.exists():
            write_private(path, make())
        return SecretStr(read_private(path))


def known_passwords(folder: Path) -> Mapping[str, SecretStr]:
    """Return the password of every role in `<folder>/roles.json`; none is made.

    Raises:
        Misconfigured: the file is damaged or open to others.
    """
    return {role: SecretStr(word) for role, word in _known_passwords(folder / "roles.json").items()}


def domain_environment(folder: Path, domain: str, *, passphrase: SecretStr | None = None) -> Mapping[str, SecretStr]:
    """Return the variables of `<folder>/<domain>.env` and the secrets of `<folder>/<domain>.keyring`, where these files are.

    Lines of the first are `KEY=VALUE`, comments with `#`, quotes around a value taken off; nothing is expanded.

    Raises:
        Invalid: some lines are wrong, or a name is in both files; all are named, their values are not shown.
        Misconfigured: others than the owner may read a file, or the keyring does not open.
    """
    path = folder / f"{domain}.env"
    found, problems = _of_lines(path) if path.exists() else ({}, [])
    kept = _of_keyring(folder, domain, passphrase)
    twice = sorted(found.keys() & kept.keys())
    problems += [Problem(f"{name} is in the keyring too", file=str(path), hint="keep one of them") for name in twice]
    if problems:
        raise Invalid(f"the secrets of domain {domain} cannot be read", problems=problems)
    return {**found, **kept}


def _of_lines(path: Path) -> tuple[dict[str, SecretStr], list[Problem]]:
    found: dict[str, SecretStr] = {}
    problems: list[Problem] = []
    for number, line in enumerate(read_private(path).splitlines(), start=1):
        text = line.strip().removeprefix("export ").strip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = (part.strip() for part in text.partition("="))
        message = _complaint(name, equals, value, found)
        if message:
            problems.append(Problem(message, file=str(path), line=number, column=1, hint="write one KEY=VALUE a line"))
        else:
            found[name] = SecretStr(_unquoted(value))
    return found, problems


def _of_keyring(folder: Path, domain: str, passphrase: SecretStr | None) -> Mapping[str, SecretStr]:
    path = folder / f"{domain}.keyring"
    if not path.exists():
        return {}
    if passphrase is None:
        raise Misconfigured(f"{path} needs a passphrase", hint="set POLYCEPH_KEYRING__PASSPHRASE for whoever starts the platform")
    return Keyring(path, passphrase).read()


def _complaint(name: str, equals: str, value: str, found: Mapping[str, SecretStr]) -> str | None:
    if not equals:
        return "there is no '=' in this line"
    if not _NAME.fullmatch(name):
        return "the name before '=' is not a variable's name (letters, digits, _; no digit first)"
    if name in found:
        return f"{name} is given twice"
    if value[:1] in ("'", '"') and (len(value) < 2 or value[-1] != value[0]):
        return f"the quote around the value of {name} is not closed"
    return None


def _unquoted(value: str) -> str:
    return value[1:-1] if value[:1] in ("'", '"') else value


def _known_passwords(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    try:
        known = json.loads(read_private(path))
    except json.JSONDecodeError:
        # The decoder's message may quote the text, which is passwords.
        raise Misconfigured(f"{path} is damaged", hint="restore it, or remove it: new passwords are made at the next start") from None
    if not isinstance(known, dict) or not all(isinstance(word, str) for word in known.values()):
        raise Misconfigured(f"{path} does not hold passwords by role", hint="restore it, or remove it: new ones are made at the next start")
    return known
