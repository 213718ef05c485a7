"""Loads each domain's code as its code location will, in a process of its own, and says what is wrong before anything runs."""

from __future__ import annotations

import subprocess

from polyceph.bootstrap.processes import named_environment, passed_environment
from polyceph.core.model.federation import Federation
from polyceph.errors import Invalid, PolycephError, Problem
from polyceph.orchestrate import environments
from polyceph.settings import Settings

_SHOWN_LINES = 30
_LOAD = "from polyceph.orchestrate.preflight import load_here; load_here()"


def check_definitions(settings: Settings, federation: Federation) -> None:
    """Raise one `Invalid` that names every domain whose code does not load, and why."""
    problems: list[Problem] = []
    for name, domain in sorted(federation.domains.items()):
        folder = settings.federation.resolve() / domain.folder
        try:
            python = environments.python_of(settings.state(), folder, name)
        except PolycephError as error:
            problems.append(Problem(str(error), file=domain.folder))
            continue
        # Loading connects to nothing, so the role is named and its password is not needed.
        own = {"NAME": name, "HOST": "127.0.0.1", "PORT": "1", "USER": f"domain_{name}", "PASSWORD": "not-used"}
        environment = {
            **passed_environment(),
            **named_environment(domain),
            **{f"POLYCEPH_DOMAIN__{k}": v for k, v in own.items()},
            "POLYCEPH_FEDERATION": str(settings.federation.resolve()),
        }
        done = subprocess.run([str(python), "-c", _LOAD], env=environment, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            said = "\n".join(done.stderr.strip().splitlines()[-_SHOWN_LINES:])
            problems.append(Problem(said or f"its process ended with {done.returncode}", file=f"{domain.folder}/defs"))
    if problems:
        raise Invalid("some domains do not load", problems=problems)


def load_here() -> None:
    """Load the definitions of the domain that this process belongs to; our own errors are printed without a stack trace."""
    import sys

    from polyceph.bootstrap.domain import current_domain
    from polyceph.orchestrate.location import load

    try:
        load(current_domain()).get_repository_def().load_all_definitions()
    except PolycephError as error:
        sys.exit(str(error))
