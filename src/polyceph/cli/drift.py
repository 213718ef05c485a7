"""Commands about deliveries that drift from their contract: see them, accept, map or refuse them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from polyceph.cli import render

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Decide on deliveries that drift from their contract.")

Number = Annotated[int, typer.Argument(help="Number of the drift, as drift list prints it.")]
Person = Annotated[str | None, typer.Option("--as", help="The data owner who decides, when somebody else types.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command("list")
def list_(
    every: Annotated[bool, typer.Option("--all", help="Those that are decided too.")] = False,
    json: Json = False,
) -> None:
    """List what waits for a data owner.

    Example: polyceph drift list --all
    """
    from polyceph.bootstrap.drifts import drifts

    found = drifts(_platform(), every=every)
    if json:
        render.as_json({"drifts": [_document(one) for one in found]})
        return
    rows = [(d.number, d.sighting.dataset, d.sighting.origin, _said(d), f"{d.found_at:%Y-%m-%d %H:%M}", d.state) for d in found]
    render.table("Drifts", ("number", "dataset", "delivery", "what differs", "found (UTC)", "state"), rows)


@app.command()
def show(number: Number, json: Json = False) -> None:
    """Show one drift: what was expected, what came, where its bytes are kept, who decides.

    Example: polyceph drift show 3
    """
    from polyceph.bootstrap.drifts import drift, originals

    platform = _platform()
    one = drift(platform, number)
    kept = originals(platform, one)
    if json:
        render.as_json({**_document(one), "originals": list(kept)})
        return
    seen = one.sighting
    render.line(f"drift {one.number} of {seen.dataset}: {seen.origin}, held against contract {seen.contract}, {one.state}")
    rows = [(d.kind.value, d.column, d.was, d.is_, "stops" if d.stops else "is noted") for d in seen.differences]
    render.table("Differences", ("what", "column", "expected", "came", "so it"), rows)
    for path in kept:
        render.line(f"kept in {path}")
    if one.decided_by:
        render.line(f"{one.state} by {one.decided_by} at {one.decided_at:%Y-%m-%d %H:%M} UTC")


@app.command()
def accept(number: Number, person: Person = None, json: Json = False) -> None:
    """Let the contract promise what came: a new version of it, written into the domain's folder and applied.

    Example: polyceph drift accept 3 --as anne.dupont
    """
    from polyceph.bootstrap.drifts import accept as decide

    version = decide(_platform(), number, person)
    _decided(number, "accepted", version, json=json)


@app.command("map")
def map_(
    number: Number,
    column: Annotated[list[str] | None, typer.Option(help="CONTRACT=SOURCE: where a column is found; may be repeated.")] = None,
    table: Annotated[str, typer.Option(help="The sheet or table that holds it now; the one with the nearest name when left out.")] = "",
    person: Person = None,
    json: Json = False,
) -> None:
    """Keep the contract's promise and find it under the source's new names; new columns are left out.

    Example: polyceph drift map 3 --column amount=Montant --as anne.dupont
    """
    from polyceph.bootstrap.drifts import map_names
    from polyceph.core.policies.contract_versions import TABLE
    from polyceph.errors import Invalid

    pairs = [one.partition("=") for one in column or []]
    if wrong := [f"{name}{sign}{source}" for name, sign, source in pairs if not (name and sign and source)]:
        raise Invalid(f"--column {wrong[0]!r} is no CONTRACT=SOURCE", hint="write for example --column amount=Montant")
    names = {name: source for name, _, source in pairs} | ({TABLE: table} if table else {})
    version = map_names(_platform(), number, person, names)
    _decided(number, "mapped", version, json=json)


@app.command()
def refuse(number: Number, person: Person = None, json: Json = False) -> None:
    """Never load what drifts: the source has to deliver anew.

    Example: polyceph drift refuse 3 --as anne.dupont
    """
    from polyceph.bootstrap.drifts import refuse as decide

    decide(_platform(), number, person)
    _decided(number, "refused", "", json=json)


def _decided(number: int, state: str, version: str, *, json: bool) -> None:
    if json:
        render.as_json({"number": number, "state": state, **({"contract": version} if version else {})})
        return
    render.line(f"drift {number} is {state}{f'; the contract is {version} now' if version else ''}")
    if version:
        render.note("review what was written, commit it in the domain's repository, and run the domain: what waited is loaded")


def _document(one: Any) -> dict[str, Any]:
    seen = one.sighting
    return {
        "number": one.number,
        "dataset": str(seen.dataset),
        "origin": seen.origin,
        "contract": seen.contract,
        "state": one.state.value,
        "found_at": one.found_at,
        "decided_by": one.decided_by,
        "decided_at": one.decided_at,
        "differences": [{"kind": d.kind.value, "column": d.column, "was": d.was, "is": d.is_, "stops": d.stops} for d in seen.differences],
    }


def _said(one: Any) -> str:
    return "; ".join(str(d) for d in one.sighting.differences if d.stops)


def _platform() -> Any:
    from polyceph.bootstrap.platform import join_platform
    from polyceph.settings import load_settings

    return join_platform(load_settings())
