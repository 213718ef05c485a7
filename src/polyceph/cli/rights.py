"""Commands about rights: the table, and why somebody may or may not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer

from polyceph.cli import render

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="See which role may do what, and why somebody may or may not.")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
_PLACES = ("held in that domain", "in another domain", "for the federation")


@app.command()
def show(
    role: Annotated[str | None, typer.Option(help="Only what this role may do.")] = None,
    json: Json = False,
) -> None:
    """Show the table of rights: every action, and the roles that may do it.

    Example: polyceph rights show --role analyst
    """
    from polyceph.core.model.access import Action, Role
    from polyceph.core.policies.nearest import did_you_mean
    from polyceph.core.policies.rights import DATASET_RIGHTS, right_of
    from polyceph.errors import NotFound

    known = [one.value for one in Role]
    if role is not None and role not in known:
        raise NotFound(f"there is no role {role!r}", hint=did_you_mean(role, known) or f"roles are {', '.join(known)}")
    found = []
    for action in Action:
        for level in DATASET_RIGHTS.get(action, (None,)):
            right = right_of(action, level)
            places = [[one.value for one in Role if one in held] for held in (right.own, right.other, right.federation)]
            if role is None or any(role in place for place in places):
                named = {"classification": level.value if level else "not classified"} if action in DATASET_RIGHTS else {}
                found.append({"action": action.value, **named, **dict(zip(("own", "other", "federation"), places, strict=True))})
    if json:
        render.as_json({"rights": found})
        return
    rows = [(one["action"], one.get("classification", ""), *_cells(one, role)) for one in found]
    render.table(f"What {role or 'each role'} may do", ("action", "dataset is", *_PLACES), rows)


@app.command()
def explain(
    action: Annotated[str, typer.Option(help="What is to be done, such as run.launch.")],
    person: Annotated[str | None, typer.Option(help="Id of the person in federation.yaml.")] = None,
    domain: Annotated[str | None, typer.Option(help="The domain it concerns.")] = None,
    dataset: Annotated[str | None, typer.Option(help="The dataset it concerns: domain.zone.name.")] = None,
    group: Annotated[list[str] | None, typer.Option(help="A group the sign-in tells of her; may be repeated.")] = None,
    json: Json = False,
) -> None:
    """Say whether somebody may do something by her declared roles, and why; ends with 4 when she may not.

    Example: polyceph rights explain --person luc.petit --action run.launch --domain education
    """
    from polyceph.bootstrap.declared import checked_federation
    from polyceph.bootstrap.rights import Wanted, explain
    from polyceph.settings import load_settings

    settings = load_settings()
    who, decision = explain(settings, checked_federation(settings), Wanted(person, action, domain, dataset, tuple(group or ())))
    roles = {where: sorted(role.value for role in held) for where, held in sorted(who.roles.items())}
    if json:
        render.as_json({"allowed": decision.allowed, "policy": decision.policy, "reason": decision.reason, "hint": decision.hint,
                        "roles": roles})  # fmt: skip
    else:
        render.line(f"{'allowed' if decision.allowed else 'refused'}: {decision.reason}")
        if decision.hint:
            render.line(f"to do: {decision.hint}")
        for where, held in roles.items():
            render.note(f"roles {'of the federation' if where == '*' else f'in {where}'}: {', '.join(held)}")
    if not decision.allowed:
        raise typer.Exit(4)


def _cells(one: Mapping[str, object], role: str | None) -> list[str]:
    """Return, for each place, the roles, or whether the one that is asked about is among them."""
    found = []
    for place in ("own", "other", "federation"):
        held = one[place]
        roles = held if isinstance(held, list) else []
        found.append(", ".join(roles) if role is None else "yes" if role in roles else "")
    return found
