"""What is kept outside the database: key, heads and hashes of leaves in a folder, which may be a git clone; heads mailed to somebody.

A place is a witness of its own: it takes a new head only when the hashes it keeps grow into it. Layout: journal-format.md.
"""

from __future__ import annotations

import fcntl
import os
import smtplib
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path

from polyceph.core.journal_ports import SealedLog
from polyceph.core.model.head import Note, parse_head, parse_note
from polyceph.core.model.journal import KeptHead, Trusted
from polyceph.core.model.tree import HASH_BYTES, GrowingTree
from polyceph.errors import Conflict, Misconfigured, NotFound, Unavailable
from polyceph.settings import MailSettings

KEY, ROTATIONS, WITNESSES = "key", "rotations", "witnesses"
HEADS, LEAVES, COSIGNATURES = "heads", "leaves", "cosignatures"


def keep(log: SealedLog, folder: Path, witnesses: Sequence[str]) -> list[int]:
    """Bring a folder up to the last head and return the sizes of the heads that are new there.

    Raises:
        Conflict: the journal does not continue what the folder keeps: it was altered, or is another one.
        Unavailable: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder):
            _keep_keys(log, folder)
            _write(folder / WITNESSES, "".join(f"{one}\n" for one in witnesses))
            return _keep_heads(log, folder)
    except OSError as error:
        raise Unavailable(f"{folder} cannot be written: {error.strerror}", hint="see that it exists and is writable") from error


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes out: the platform and a command may both bring a folder up to date."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def read_trusted(folder: Path) -> Trusted:
    """Return what a folder keeps.

    Raises:
        NotFound: it keeps nothing.
    """
    if not (folder / KEY).is_file():
        raise NotFound(f"{folder} keeps no journal", hint=f"name a folder with a file {KEY}, as polyceph journal keep makes it")
    return Trusted(
        key=(folder / KEY).read_text(encoding="utf-8").strip(),
        rotations=tuple(path.read_text(encoding="utf-8") for path in _numbered(folder / ROTATIONS)),
        witnesses=tuple(_lines(folder / WITNESSES)),
        heads=tuple(path.read_text(encoding="utf-8") for path in _numbered(folder / HEADS)),
        leaves=(folder / LEAVES).read_bytes() if (folder / LEAVES).is_file() else b"",
    )


def push(folder: Path, message: str) -> None:
    """Commit what changed in a folder that is a git clone, and push it when the clone has a remote.

    Raises:
        Misconfigured: it is no clone.
        Unavailable: git refuses; the commit stays and goes with the next push.
    """
    if not (folder / ".git").exists():
        raise Misconfigured(f"{folder} is not a clone of a git repository", hint="git clone one there")
    _git(folder, "add", "--all")
    if _git(folder, "status", "--porcelain"):
        who = ("-c", "user.name=polyceph", "-c", "user.email=polyceph@localhost", "-c", "commit.gpgsign=false")
        _git(folder, *who, "commit", "--quiet", "--message", message)
    if _git(folder, "remote"):
        _git(folder, "push", "--quiet")


def mail(head: KeptHead, to: str, settings: MailSettings) -> None:
    """Send a head to somebody who keeps it.

    Raises:
        Misconfigured: no mail server is set.
        Unavailable: it does not take the message.
    """
    if settings.host is None:
        raise Misconfigured("heads are to be mailed and no mail server is set", hint="set POLYCEPH_MAIL__HOST and POLYCEPH_MAIL__SENDER")
    message = EmailMessage()
    found = parse_head(parse_note(head.note).text)
    message["Subject"] = f"Journal {found.origin}: {head.size} events"
    message["From"], message["To"] = settings.sender, to
    message.set_content(
        f"Keep this message. The signed text below stands for the first {head.size} events of the journal; whoever alters one of them\n"
        "cannot make it true again. Save the attachment into heads/ of the folder you verify with (verifier/README.md).\n\n" + head.note
    )
    # As bytes: sent as text its lines would end otherwise on the way, and the signature would not hold.
    message.add_attachment(head.note.encode(), maintype="application", subtype="octet-stream", filename=str(head.size))
    try:
        with smtplib.SMTP(settings.host, settings.port, timeout=30) as server:
            if settings.starttls:
                server.starttls()
            if settings.user is not None and settings.password is not None:
                server.login(settings.user, settings.password.get_secret_value())
            server.send_message(message)
    except (OSError, smtplib.SMTPException) as error:
        raise Unavailable(f"{settings.host} does not take the head for {to}: {type(error).__name__}") from error


def cosignatures(folder: Path) -> list[tuple[int, Note]]:
    """Return what witnesses left in a folder: the size of the head and the note with their signatures."""
    found = []
    for path in sorted((folder / COSIGNATURES).glob("*/*")):
        note = parse_note(path.read_text(encoding="utf-8"))
        found.append((parse_head(note.text).size, note))
    return found


def _keep_keys(log: SealedLog, folder: Path) -> None:
    first, *later = log.keys()
    path = folder / KEY
    if path.exists() and path.read_text(encoding="utf-8").strip() != first.key:
        raise Conflict(
            f"{path} is the key of another journal", hint="keep each journal in a folder of its own; if this is yours, it was altered"
        )
    _write(path, first.key + "\n")
    (folder / ROTATIONS).mkdir(exist_ok=True)
    for key in later:
        _write(folder / ROTATIONS / str(key.number), key.rotation or "")


def _keep_heads(log: SealedLog, folder: Path) -> list[int]:
    last = log.last_head()
    if last is None:
        return []
    (folder / HEADS).mkdir(exist_ok=True)
    known = {int(path.name) for path in _numbered(folder / HEADS)}
    leaves = folder / LEAVES
    kept = leaves.stat().st_size // HASH_BYTES if leaves.exists() else 0
    newest = max(known, default=0)
    if max(newest, kept) > last.size:
        raise Conflict(f"{folder} keeps a head of {max(newest, kept)} events and the journal has {last.size}: it was cut")
    _grow_leaves(log, leaves, kept, last)
    new = log.heads(newest)
    # A head that is kept already may have got cosignatures since.
    for head in (*log.heads(newest - 1, newest), *new) if newest else new:
        _write(folder / HEADS / str(head.size), head.note)
    return [head.size for head in new]


def _grow_leaves(log: SealedLog, path: Path, kept: int, last: KeptHead) -> None:
    """Append hashes of leaves once they are shown to grow, with those that are kept, into the head's root."""
    tree = GrowingTree()
    if path.exists():
        with path.open("rb+") as file:
            file.truncate(kept * HASH_BYTES)  # what a crash left half written
            while block := file.read(256 * HASH_BYTES):
                tree.extend([block[at : at + HASH_BYTES] for at in range(0, len(block), HASH_BYTES)])
    fresh: list[bytes] = []
    for page in log.pages(kept, last.size):
        hashes = [row[2] for row in page]
        tree.extend(hashes)
        fresh.extend(hashes)
    if tree.root() != parse_head(parse_note(last.note).text).root:
        raise Conflict(
            f"the journal does not continue what {path.parent} keeps: an event among the first {last.size} was altered",
            hint=f"find it: polyceph journal verify --trust {path.parent}",
        )
    with path.open("ab") as file:
        file.write(b"".join(fresh))
        file.flush()
        os.fsync(file.fileno())


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all; one that says the same already is left alone."""
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    fresh = path.with_name(f".{path.name}.new")
    with fresh.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _numbered(folder: Path) -> list[Path]:
    found = [path for path in folder.iterdir() if path.name.isdigit()] if folder.is_dir() else []
    return sorted(found, key=lambda path: int(path.name))


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()] if path.is_file() else []


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True, timeout=120)
    except FileNotFoundError as error:
        raise Misconfigured("git is not installed", hint="install git, or keep heads in a folder") from error
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"git {arguments[0]} fails in {folder}", hint="try it there by hand") from error
    return done.stdout.strip()
