"""Commands about the sealed journal: look at it, prove it, verify it, take it out, keep it elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from polyceph.cli import render

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Look at the sealed journal, prove it, verify it, take it out.")

_DAY = "YYYY-MM-DD, or with a time: 2026-11-24T08:00; in UTC."
Actor = Annotated[str | None, typer.Option(help="Only what this person or service did.")]
Dataset = Annotated[str | None, typer.Option(help="Only what concerns this dataset: domain.zone.name.")]
Domain = Annotated[str | None, typer.Option(help="Only what happened in this domain.")]
Since = Annotated[str | None, typer.Option(help=f"First moment: {_DAY}")]
Until = Annotated[str | None, typer.Option(help=f"First moment after: {_DAY}")]
Action = Annotated[str | None, typer.Option(help="Only this kind of event, such as run.finished.")]
Outcome = Annotated[str | None, typer.Option(help="allowed or refused.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Trust = Annotated[Path | None, typer.Option(help="Folder kept outside the database; the one in the state folder when left out.")]


@app.command()
def show(
    actor: Actor = None,
    dataset: Dataset = None,
    domain: Domain = None,
    since: Since = None,
    until: Until = None,
    action: Action = None,
    outcome: Outcome = None,
    last: Annotated[int, typer.Option(help="How many of the newest are shown.", min=1)] = 50,
    json: Json = False,
) -> None:
    """Show events, newest last, and who has reviewed them.

    Example: polyceph journal show --dataset education.gold.pupils_by_municipality --since 2026-11-01
    """
    from polyceph.bootstrap.review import read_events, wanted

    found = read_events(_platform(), wanted(actor, dataset, domain, since, until, action, outcome), last=last)
    if json:
        render.as_json({"events": [one.as_dict() for one in found]})
        return
    rows = [one.as_row() for one in found]
    render.table("Journal", ("number", "at (UTC)", "who", "door", "action", "what", "outcome", "reviewed by"), rows)


@app.command()
def export(
    to: Annotated[Path, typer.Argument(help="New file: .jsonl, .csv, .parquet, or .bundle for all events with proofs.")],
    actor: Actor = None,
    dataset: Dataset = None,
    domain: Domain = None,
    since: Since = None,
    until: Until = None,
    action: Action = None,
    outcome: Outcome = None,
    json: Json = False,
) -> None:
    """Write events into a file for a regulator or a SIEM; a .bundle can be verified by anybody without polyceph.

    Example: polyceph journal export 2026.parquet --since 2026-01-01 --until 2027-01-01
    """
    from polyceph.bootstrap.review import export_events, wanted

    with render.progress() as display:
        task = display.add_task("export", total=None)
        done = export_events(
            _platform(),
            wanted(actor, dataset, domain, since, until, action, outcome),
            to,
            heard=lambda made, total: display.update(task, completed=made, total=total),
        )
    render.as_json(done) if json else render.line(f"{to}: {done['events']} events, SHA-256 {done['sha256']}")


@app.command()
def verify(
    trust: Trust = None,
    since_head: Annotated[int | None, typer.Option("--from", help="Only what came after the head of so many events.")] = None,
    json: Json = False,
) -> None:
    """Verify every event, every root and every head against what is kept outside the database.

    Example: polyceph journal verify --trust /mnt/audit/journal
    """
    from polyceph.bootstrap.review import verify_journal

    with render.progress() as display:
        task = display.add_task("verify", total=None)
        found = verify_journal(_platform(), trust, since_head, heard=lambda made, total: display.update(task, completed=made, total=total))
    if json:
        render.as_json({**vars(found), "witnesses": list(found.witnesses)})
    elif found.ok:
        render.line(f"the journal is whole: {found.events} events under {found.heads} heads, {found.archived} of them in archives")
        render.line(f"last head signed {found.last_head_at:%Y-%m-%d %H:%M:%S} UTC; {found.unsealed} events wait for the next one")
        render.line(f"witnesses: {', '.join(found.witnesses) or 'none'}")
    else:
        where = "" if found.first_bad is None else f"first bad event: {found.first_bad}; "
        render.line(f"THE JOURNAL IS NOT WHOLE: {where}{found.reason}")
    if not found.ok:
        raise typer.Exit(1)


@app.command()
def prove(
    event: Annotated[int, typer.Argument(help="Number of the event, as journal show prints it.")],
    to: Annotated[Path | None, typer.Option(help="New file for the proof; event-NUMBER.bundle when left out.")] = None,
    since: Annotated[list[int] | None, typer.Option("--since-head", help="Size of a head that somebody holds; may be repeated.")] = None,
    json: Json = False,
) -> None:
    """Write the proof that an event is in the journal; anybody can verify it without polyceph.

    Example: polyceph journal prove 4711
    """
    from polyceph.bootstrap.review import prove_event

    path = to or Path(f"event-{event}.bundle")
    done = prove_event(_platform(), event, path, tuple(since or ()))
    render.as_json(done) if json else render.line(f"{path}: event {event} is number {done['index']} of {done['size']} sealed events")


@app.command()
def consistency(
    first: Annotated[int, typer.Argument(help="Size of the earlier head.")],
    second: Annotated[int, typer.Argument(help="Size of the later head.")],
    json: Json = False,
) -> None:
    """Prove that the journal under one head begins with the journal under an earlier one.

    Example: polyceph journal consistency 1000 250000
    """
    from polyceph.bootstrap.review import consistency_of

    found = consistency_of(_platform(), first, second)
    if json:
        render.as_json(found)
    else:
        render.line(f"the first {first} of {second} events are the same: shown by {len(found['proof'])} hashes")
        for one in found["proof"]:
            render.line(f"  {one}")


@app.command()
def heads(json: Json = False) -> None:
    """List the signed heads and who has cosigned them.

    Example: polyceph journal heads
    """
    from polyceph.bootstrap.review import listed_heads

    found = listed_heads(_platform())
    if json:
        render.as_json({"heads": found})
        return
    rows = [(one["size"], one["at"], one["root"], ", ".join(one["signers"])) for one in found]
    render.table("Heads", ("events", "signed (UTC)", "root", "signed by"), rows)


@app.command()
def seal(json: Json = False) -> None:
    """Seal what is new now, sign a head and bring it to every place outside.

    Example: polyceph journal seal
    """
    journal = _platform().journal
    journal.seal(at_once=True)
    last = journal.log.last_head()
    size = last.size if last else 0
    if json:
        render.as_json({"size": size, "refused": journal.refused})
        return
    render.line(f"{size} events are sealed under a signed head")
    for place, why in journal.refused.items():
        render.line(f"NOT KEPT in {place}: {why}")


@app.command()
def key(rotate: Annotated[bool, typer.Option("--rotate", help="Make a new key and let the old one introduce it.")] = False) -> None:
    """Print the verifier keys of the journal: give the first one to everybody who should be able to verify.

    Example: polyceph journal key
    """
    platform = _platform()
    if rotate:
        from polyceph.bootstrap.platform import this_actor

        render.note(f"new key: {platform.journal.rotate(this_actor())}")
    keys = platform.journal.log.keys()
    for one in keys:
        render.line(one.key)


@app.command()
def witness(
    name: Annotated[str, typer.Argument(help="Name the witness signs under, such as the domain's.")],
    key: Annotated[Path, typer.Option(help="New file for the private key; keep it where the platform cannot read it.")],
) -> None:
    """Make the key of a witness and print what goes into the domain's domain.yaml.

    Example: polyceph journal witness education --key ~/education.key
    """
    from polyceph.bootstrap.witness import make_witness

    render.line(f"witness: {make_witness(key, name)}")
    render.note("next: put this line into the domain's domain.yaml, then cosign heads with polyceph journal cosign")


@app.command()
def cosign(
    folder: Annotated[Path, typer.Argument(help="Folder kept outside the database, with the heads.", exists=True, file_okay=False)],
    key: Annotated[Path, typer.Option(help="The witness's private key.")],
) -> None:
    """Sign the newest head as a witness, once it is shown to continue the last one signed. Needs the folder and the key alone.

    Example: polyceph journal cosign /mnt/audit/journal --key ~/education.key
    """
    from polyceph.bootstrap.witness import cosign_newest

    render.line(f"cosigned the head of {cosign_newest(folder, key)} events")


@app.command()
def keep(folder: Annotated[Path, typer.Argument(help="Folder on another disk or machine.")]) -> None:
    """Bring a folder outside up to the newest head by hand; federation.yaml does it by itself (journal, kept_in).

    Example: polyceph journal keep /media/usb/journal
    """
    journal = _platform().journal
    journal.seal(at_once=True)
    render.line(f"{folder}: {len(journal.keep(folder))} new heads")


@app.command()
def review(
    since: Annotated[str, typer.Option(help=f"First moment: {_DAY}")],
    until: Annotated[str, typer.Option(help=f"First moment after: {_DAY}")],
    note: Annotated[str, typer.Option(help="What was looked at, and what was found.")] = "",
    json: Json = False,
) -> None:
    """Sign off a period as reviewed; what comes into it later shows as unreviewed.

    Example: polyceph journal review --since 2026-10-01 --until 2026-11-01 --note "spot checks of refusals"
    """
    from polyceph.bootstrap.review import review as sign_off

    done = sign_off(_platform(), since, until, note)
    render.as_json(done) if json else render.line(f"reviewed: what is sealed of {done['since']} to {done['until']} ({done['size']} events)")


@app.command()
def archive(
    before: Annotated[str, typer.Option(help=f"Events before this moment go: {_DAY}")],
    to: Annotated[Path, typer.Option(help="New file, a bundle; keep it as long as the law wants.")],
    json: Json = False,
) -> None:
    """Move old events into a sealed file: the only way an event leaves the store. Hashes stay, and all that was proven.

    Example: polyceph journal archive --before 2016-01-01 --to /mnt/archive/journal-2015.bundle
    """
    from polyceph.bootstrap.platform import this_actor
    from polyceph.bootstrap.review import moment

    platform = _platform()
    made = platform.journal.archive(moment(before), to, platform.addresses.owner, this_actor())
    done = {"events": made.size, "sha256": made.sha256, "file": str(to)}
    render.as_json(done) if json else render.line(f"{to}: the first {made.size} events, SHA-256 {made.sha256}")


@app.command()
def pseudonym(
    destroy: Annotated[str | None, typer.Option(help="Destroy the key for this reason: nobody can tell any more who it was.")] = None,
    purpose: Annotated[str, typer.Option(help="Why it is looked up.")] = "request of the person",
) -> None:
    """Print what the journal calls a person the data is about. What identifies her is asked for and kept nowhere.

    Example: polyceph journal pseudonym --destroy "request of 2026-11-24, article 17"
    """
    from polyceph.bootstrap.platform import this_actor
    from polyceph.errors import NotFound

    identity = typer.prompt("what identifies the person (national number as 11 digits, address in small letters)", hide_input=True)
    journal = _platform().journal
    if destroy is None:
        render.line(journal.pseudonym(identity, actor=this_actor(), purpose=purpose))
        return
    found = journal.forget(identity, actor=this_actor(), reason=destroy)
    if found is None:
        raise NotFound("this person has no pseudonym", hint="see that it is written in the same form as when it was made")
    render.line(f"the key of {found} is destroyed")


def _platform() -> Any:
    from polyceph.bootstrap.platform import join_platform
    from polyceph.settings import load_settings

    return join_platform(load_settings())
