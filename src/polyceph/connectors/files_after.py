"""What happens around the load of a file: waiting until it is written, and moving it away when it is loaded or refused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from polyceph.connectors.files_places import FoundFile, Place
from polyceph.connectors.tabular.options import FilesDataset
from polyceph.sdk import Conflict, Invalid, Note, Original

_SHOWN = 20


def outside(found: Iterable[FoundFile], dataset: FilesDataset) -> list[FoundFile]:
    """Return the files that do not lie in the dataset's own archive or quarantine."""
    folders = tuple(f"{folder.strip('/')}/" for folder in (dataset.archive, dataset.quarantine) if folder is not None)
    return [file for file in found if not file.name.startswith(folders)]


def settled(found: Sequence[FoundFile], dataset: FilesDataset, shown: str) -> tuple[list[FoundFile], list[str]]:
    """Return the files that are older than `stable_s`, and the names of the younger ones, which wait for the next load.

    Raises:
        Invalid: the place does not say when a file was written.
    """
    if not dataset.stable_s:
        return list(found), []
    silent = [file.name for file in found if file.moment is None]
    if silent:
        raise Invalid(f"{shown} does not say when {silent[0]} was written, so stable_s cannot be kept", hint="leave out stable_s")
    newest = datetime.now(UTC) - timedelta(seconds=dataset.stable_s)
    young = [file.name for file in found if file.moment is not None and file.moment > newest]
    return [file for file in found if file.name not in young], young


def arrival(file: FoundFile) -> tuple[Note, ...]:
    """Return what the place says of a file: when it was written, and its mark of the version."""
    notes = [Note("arrival", "the file was written at", file.moment.isoformat())] if file.moment is not None else []
    notes += [Note("version", "the place's own mark of this version", file.version)] if file.version else []
    return tuple(notes)


def left(young: Sequence[str]) -> tuple[Note, ...]:
    """Return the note about files that wait for the next load."""
    if not young:
        return ()
    more = f" and {len(young) - _SHOWN} more" if len(young) > _SHOWN else ""
    return (Note("waiting", "too young or being written, left for the next load", ", ".join(young[:_SHOWN]) + more),)


def archive(place: Place, file: FoundFile, original: Original, folder: str) -> None:
    """Move a loaded file into the archive; one that changed since it was read stays for the next load."""
    try:
        place.move(file, folder.strip("/"), mark=original.sha256[:12])
    except Conflict:
        return


def quarantine(place: Place, file: FoundFile, original: Original, folder: str, *, why: str) -> None:
    """Move a refused file into the quarantine, with the reason beside it; one that changed since it was read stays."""
    target = f"{folder.strip('/')}/{file.name}"
    place.write(f"{target}.why.txt", f"{why}\nSHA-256 of the file: {original.sha256}\n")
    archive(place, file, original, folder)


def together(refusals: Sequence[Invalid]) -> Invalid:
    """Return one error for the files that were refused and moved away; the others are loaded."""
    if len(refusals) == 1:
        return Invalid(refusals[0].message, problems=refusals[0].problems, hint="the file is in the quarantine, with the reason beside it")
    problems = [problem for refusal in refusals for problem in refusal.problems][:_SHOWN]
    return Invalid(f"{len(refusals)} files are refused and in the quarantine", problems=problems, hint="the reason lies beside each")
