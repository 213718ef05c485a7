"""The file of a dossier: a zip with the page, the same for machines, the proofs, and how to check all of it. Same input, same bytes."""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from polyceph.core.journal_ports import SealedLog
from polyceph.core.model.dossier import Dossier, Making
from polyceph.errors import Misconfigured, Unavailable
from polyceph.journal import bundle, dossier_page, dossier_tables
from polyceph.journal.dossier_words import minute, words
from polyceph.journal.exports import write_table

MANIFEST = "manifest.sha256"
_EARLIEST = (1980, 1, 1, 0, 0, 0)
"""The time of every file in the zip: the earliest it can say, so that the same dossier is the same bytes."""
_MOST_HEADS = 20


@dataclass(frozen=True)
class DossierFile:
    """A dossier that was written: how many events it shows, and the SHA-256 of the zip, hexadecimal."""

    path: Path
    events: int
    sha256: str


def write_dossier(path: Path, dossier: Dossier, making: Making, *, log: SealedLog, contracts: Mapping[str, bytes]) -> DossierFile:
    """Write a dossier into a new zip.

    Args:
        path: where to.
        dossier: what it tells.
        making: how it came about.
        log: the journal, for the proofs.
        contracts: files of contracts by name.

    Raises:
        Misconfigured: the file exists.
        Unavailable: it cannot be written; nothing is left of it.
    """
    if path.exists():
        raise Misconfigured(f"{path} exists", hint="name another file")
    fresh = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="polyceph-dossier-") as folder:
            _write_files(Path(folder), dossier, making, log=log, contracts=contracts)
            digest = _pack(Path(folder), fresh)
        fresh.rename(path)
    except OSError as error:
        raise Unavailable(f"{path} cannot be written: {error.strerror}", hint="make room, or name another place") from error
    finally:
        fresh.unlink(missing_ok=True)
    return DossierFile(path, len(dossier.entries()), digest)


def _write_files(folder: Path, dossier: Dossier, making: Making, *, log: SealedLog, contracts: Mapping[str, bytes]) -> None:
    texts = words(making.languages)
    period = {"since": minute(dossier.period.since), "until": minute(dossier.period.until)}
    _write(folder / "index.html", dossier_page.page(dossier, making, texts))
    _write(folder / "dossier.json", json.dumps(dossier_tables.document(dossier, making), ensure_ascii=False, indent=1) + "\n")
    _write(folder / "README.txt", texts("readme", dataset=dossier.dataset, **period))
    _write(folder / "key.txt", making.key + "\n")
    for table in dossier_tables.tables(dossier):
        (folder / "tables").mkdir(exist_ok=True)
        write_table(folder / "tables" / f"{table.name}.csv", table.columns, table.rows)
    for name, data in contracts.items():
        (folder / "contracts").mkdir(exist_ok=True)
        (folder / "contracts" / name).write_bytes(data)
    indexes = [one.index for one in dossier.entries() if one.index is not None]
    bundle.write_proofs(log, folder / "proofs.bundle", indexes, since=_heads(dossier, log))
    lines = [f"{_digest(one)}  {one.relative_to(folder).as_posix()}\n" for one in _files(folder)]
    _write(folder / MANIFEST, "".join(lines))


def _heads(dossier: Dossier, log: SealedLog) -> list[int]:
    """Return the sizes of earlier heads worth showing: those of reviews, and the last that a witness has cosigned."""
    sizes = log.head_sizes()
    reviewed = {int(str((one.event.after or {}).get("size", 0))) for one in dossier.reviews} & set(sizes)
    recent = log.heads(sizes[-_MOST_HEADS - 1]) if len(sizes) > _MOST_HEADS else log.heads()
    cosigned = [one.size for one in recent if one.note.rpartition("\n\n")[2].count("\n") > 1]
    return sorted({*sorted(reviewed)[-_MOST_HEADS:], *cosigned[-1:]})


def _pack(folder: Path, path: Path) -> str:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for one in _files(folder):
            entry = zipfile.ZipInfo(one.relative_to(folder).as_posix(), _EARLIEST)
            entry.compress_type, entry.create_system, entry.external_attr = zipfile.ZIP_DEFLATED, 3, 0o644 << 16
            with archive.open(entry, "w", force_zip64=True) as target, one.open("rb") as source:
                _copy(source.read, target.write)
    with path.open("rb") as file:
        os.fsync(file.fileno())
    return _digest(path)


def _files(folder: Path) -> list[Path]:
    return sorted(one for one in folder.rglob("*") if one.is_file())


def _digest(path: Path) -> str:
    found = sha256()
    with path.open("rb") as file:
        _copy(file.read, found.update)
    return found.hexdigest()


def _copy(read: Callable[[int], bytes], write: Callable[[bytes], object]) -> None:
    while block := read(1 << 20):
        write(block)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
