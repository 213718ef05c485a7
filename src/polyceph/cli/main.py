"""The command `polyceph`: parse, call, render. Commands import what they need when they run, so that --help is quick."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from polyceph.cli import (
    account,
    connector,
    demo,
    domain,
    dossier,
    drift,
    emergency,
    federation,
    identity,
    journal,
    platform,
    rights,
    secret,
    source,
)
from polyceph.errors import PolycephError

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="One governed data platform for an organisation with many heads.",
)
_FEDERATION = typer.Option("--federation", "-f", envvar="POLYCEPH_FEDERATION", help="Folder of the federation.", file_okay=False)


@app.callback()
def choose(folder: Annotated[Path, _FEDERATION] = Path()) -> None:
    """One governed data platform for an organisation with many heads."""
    os.environ["POLYCEPH_FEDERATION"] = str(folder.resolve())


federation.register(app)
app.add_typer(domain.app, name="domain")
app.add_typer(connector.app, name="connector")
app.add_typer(source.app, name="source")
app.add_typer(secret.app, name="secret")
app.add_typer(account.app, name="account")
app.add_typer(identity.app, name="identity")
app.add_typer(drift.app, name="drift")
app.add_typer(rights.app, name="rights")
app.add_typer(emergency.app, name="emergency")
app.add_typer(journal.app, name="journal")
dossier.register(app)
platform.register(app)
demo.register(app)


def main() -> None:
    """Run the command; an error of ours is printed without a stack trace and gives its exit code."""
    try:
        app()
    except PolycephError as error:
        if "--json" in sys.argv:
            found = {"error": type(error).__name__, "message": error.message, "problems": [p.as_dict() for p in error.problems]}
            sys.stdout.write(json.dumps(found | ({"hint": error.hint} if error.hint else {}), ensure_ascii=False, default=str) + "\n")
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        sys.exit(130)
