"""Commands about the secrets of domains that are kept in a keyring on this machine."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from polyceph.cli import render

if TYPE_CHECKING:
    from polyceph.store.keyring import Keyring

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Keep secrets of a domain in its encrypted keyring.")

_Domain = Annotated[str, typer.Argument(help="The domain whose secret it is.")]
_Name = Annotated[str, typer.Argument(help="The name that declarations use: capitals, digits and _.")]


@app.command("set")
def set_(domain: _Domain, name: _Name) -> None:
    """Keep a secret, read from the terminal without showing it, or from standard input. Processes of the domain get it at their next start.

    Example: polyceph secret set education REGISTER_PASSWORD
    """
    import getpass

    from pydantic import SecretStr

    _check_name(name)
    ring = _keyring(domain)
    value = getpass.getpass(f"{name}: ") if sys.stdin.isatty() else sys.stdin.read().rstrip("\r\n")
    ring.set(name, SecretStr(value))
    render.note(f"{name} is kept for {domain}")


@app.command("list")
def list_(domain: _Domain, json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> None:
    """List the names of the secrets in a domain's keyring; values are never shown.

    Example: polyceph secret list education
    """
    names = sorted(_keyring(domain).read())
    if json:
        render.as_json({"domain": domain, "secrets": names})
        return
    for name in names:
        render.line(name)


@app.command()
def remove(domain: _Domain, name: _Name) -> None:
    """Forget a secret.

    Example: polyceph secret remove education REGISTER_PASSWORD
    """
    _keyring(domain).remove(name)
    render.note(f"{name} of {domain} is gone")


def _keyring(domain: str) -> Keyring:
    from polyceph.bootstrap.processes import keyring_of
    from polyceph.settings import load_settings

    return keyring_of(load_settings(), domain)


def _check_name(name: str) -> None:
    import re

    from polyceph.errors import Invalid

    if not re.fullmatch(r"[A-Z][A-Z0-9_]*", name):
        raise Invalid(f"{name!r} is no name of a secret", hint="write capitals, digits and _ only, for example REGISTER_PASSWORD")
