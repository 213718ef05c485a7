"""The sealed journal of this platform: its signing key, the tree in the store, the places outside, its witnesses."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from sqlalchemy import Engine

from polyceph.core.model.event import Actor
from polyceph.core.model.federation import Federation, HeadPlace
from polyceph.core.model.head import Signature, parse_head, parse_note
from polyceph.core.model.journal import Archive, KeptHead, Trusted, Verification
from polyceph.core.model.tree import root
from polyceph.core.model.verifier_key import LOG, VerifierKey, parse_verifier_key
from polyceph.core.usecases import journal as usecases
from polyceph.core.usecases import pseudonyms
from polyceph.errors import Conflict, Invalid, Misconfigured, NotFound, PolycephError
from polyceph.journal import bundle, places, verification
from polyceph.journal.keys import SigningKey, has_signed, make_key, read_key
from polyceph.logs import log as logger
from polyceph.settings import PostgresAddress, Settings
from polyceph.store.archive import remove_archived
from polyceph.store.connection import engine
from polyceph.store.journal import PostgresJournal
from polyceph.store.secrets import made_once
from polyceph.store.unit_of_work import PostgresUnitOfWork

KEY_FILE = "journal.key"
_PSEUDONYM_FILE = "pseudonyms.secret"


@dataclass(frozen=True)
class Signer:
    """The journal's present key at hand (`core.journal_ports.HeadSigner`)."""

    own: SigningKey

    @property
    def key(self) -> str:
        """Return the verifier key."""
        return str(self.own.verifier)

    def sign(self, text: str) -> Signature:
        """Return the signature over a note's text."""
        return self.own.sign(text)


@dataclass
class PlatformJournal:
    """All that a running platform does with its journal. `refused` are places that do not take heads, and why."""

    settings: Settings
    federation: Federation
    engine: Engine
    log: PostgresJournal
    refused: dict[str, str] = field(default_factory=dict)

    @property
    def key_file(self) -> Path:
        """Return the file of the signing key: outside the database, so that who owns that one cannot sign."""
        return self.settings.state() / "secrets" / KEY_FILE

    @property
    def folder(self) -> Path:
        """Return the first place outside the database, which is always there: in the state folder."""
        return self.settings.state() / "journal"

    @property
    def origin(self) -> str:
        """Return the journal's origin."""
        return self.log.origin() or ""

    def open(self, actor: Actor) -> None:
        """Give the journal its origin and key when it has none.

        Raises:
            Misconfigured: it has a key, and that is not at hand.
        """
        if self.log.origin() is None:
            origin = f"polyceph.{self.federation.name}/{uuid4().hex}"
            key = read_key(self.key_file) if self.key_file.exists() else make_key(self.key_file, origin, LOG)
            usecases.open_journal(self._work(), key.name, str(key.verifier), actor=actor)
        elif not self.key_file.exists():
            raise Misconfigured(
                f"the key that signs the journal is not in {self.key_file}", hint="restore it from the backup of the state folder's secrets"
            )

    def seal(self, *, at_once: bool = False) -> KeptHead | None:
        """Seal what is new, sign a head when it is time (or `at_once`), bring all places up to date; return the head when there is one."""
        self.log.seal()
        every = timedelta() if at_once else timedelta(seconds=self.settings.journal.head_seconds)
        head = usecases.sign_head(self.log, self.signer(), now=datetime.now(UTC), every=every)
        if head is not None or not (self.folder / places.KEY).exists():
            self.show_outside()
        self.collect_cosignatures()
        return head

    def signer(self) -> Signer:
        """Return the signer with the key at hand."""
        return Signer(read_key(self.key_file))

    def witnesses(self) -> Mapping[str, VerifierKey]:
        """Return the declared witnesses by domain."""
        declared = {name: domain.witness for name, domain in self.federation.domains.items() if domain.witness}
        return {name: parse_verifier_key(key) for name, key in declared.items()}

    def show_outside(self) -> None:
        """Bring every place up to the last head; one that cannot take it does not keep the others from it."""
        for place in (HeadPlace("folder", str(self.folder)), *self.federation.heads_kept_in):
            name = f"{place.kind} {place.target}"
            try:
                self._show(place)
                self.refused.pop(name, None)
            except PolycephError as error:
                level = logger.error if isinstance(error, Conflict) else logger.warning
                if name not in self.refused:  # told once, until it takes heads again
                    level("the journal's head is not in %s: %s", name, error.message)
                    self._keep_refusal(name, error)
                self.refused[name] = error.message

    def _show(self, place: HeadPlace) -> None:
        head = self.log.last_head()
        if head is None:
            return
        if place.kind == "mail":
            self._mail(head, place)
            return
        folder = self._path(place.target)
        new = self.keep(folder)
        if place.kind == "git" and new:
            places.push(folder, f"Journal {self.origin}: {new[-1]} events")

    def keep(self, folder: Path) -> list[int]:
        """Bring a folder up to the last head and return the sizes of the heads that are new there; see `places.keep`."""
        return places.keep(self.log, folder, [str(key) for key in self.witnesses().values()])

    def _mail(self, head: KeptHead, place: HeadPlace) -> None:
        memory = self.folder / "mailed.json"
        known = json.loads(memory.read_text()) if memory.exists() else {}
        now, last = datetime.now(UTC), known.get(place.target)
        if last is not None and datetime.fromisoformat(last) + timedelta(hours=place.every_hours) > now:
            return
        places.mail(head, place.target, self.settings.mail)
        memory.parent.mkdir(parents=True, exist_ok=True)
        memory.write_text(json.dumps({**known, place.target: now.isoformat()}, indent=1))

    def _keep_refusal(self, place: str, error: PolycephError) -> None:
        try:
            usecases.record_refusal(self._work(), self.origin, place, error.message)
        except PolycephError as failed:
            logger.warning("not recorded: %s", failed.message)

    def collect_cosignatures(self) -> int:
        """Take in what witnesses left in the places, each checked against the declared keys; return how many were new."""
        keys, new = self.witnesses().values(), 0
        for place in (HeadPlace("folder", str(self.folder)), *self.federation.heads_kept_in):
            if place.kind == "mail":
                continue
            for size, note in places.cosignatures(self._path(place.target)):
                for key in keys:
                    line = next((one.line() for one in note.signatures if one.name == key.name), None)
                    if line is not None and has_signed(key, note) and self._is_of(size, note.text):
                        new += self.log.add_cosignature(size, key.name, line)
        return new

    def _is_of(self, size: int, text: str) -> bool:
        return any(parse_note(head.note).text == text for head in self.log.heads(size - 1, size))

    def _path(self, target: str) -> Path:
        return (self.settings.federation.resolve() / target).resolve()

    def rotate(self, actor: Actor) -> str:
        """Sign everything up to here with the old key, introduce a new one, and return its verifier key; the old file is kept aside."""
        self.seal(at_once=True)
        old = self.signer()
        fresh = self.key_file.with_name(f"{KEY_FILE}.new")
        fresh.unlink(missing_ok=True)
        new = Signer(make_key(fresh, self.origin, LOG))
        self._work_rotation(old, new, actor)
        self.key_file.replace(self.key_file.with_name(f"{KEY_FILE}.{len(self.log.keys()) - 2}"))
        fresh.replace(self.key_file)
        self.seal(at_once=True)
        return new.key

    def _work_rotation(self, old: Signer, new: Signer, actor: Actor) -> None:
        usecases.rotate_key(self._work(), self.log, old, new, actor=actor)

    def trusted(self, folder: Path | None = None) -> Trusted:
        """Return what is kept in a folder outside, in the state folder when none is named."""
        return places.read_trusted(folder or self.folder)

    def verify(self, trusted: Trusted, *, since: int | None = None, heard: Callable[[int, int], None] | None = None) -> Verification:
        """Verify the journal against what is trusted: the whole, or what came after a head that is trusted."""
        return verification.verify(self.log, trusted, since=since, heard=heard)

    def archive(self, before: datetime, path: Path, owner: PostgresAddress, actor: Actor) -> Archive:
        """Move the events before a moment into a file; their hashes stay, so that everything that was proven stays proven.

        Raises:
            NotFound: there are none that are not archived already.
            Invalid: the file does not hold what was sealed.
        """
        self.seal(at_once=True)
        last = self.log.last_head()
        size = min(self.log.index_at(before), last.size if last else 0)
        done = max((one.size for one in self.log.archives()), default=0)
        if size <= done:
            raise NotFound(f"no event before {before:%Y-%m-%d} is left to archive", hint=f"{done} events are in archives already")
        if not self.log.heads(size - 1, size):
            usecases.sign_head_of(self.log, self.signer(), size, now=datetime.now(UTC))
        written = bundle.write_log(self.log, path, size=size)
        made = Archive(size, self.log.root_at(size), path.name, written.sha256)
        if root(bundle.hashes_of(path)) != made.root:
            raise Invalid(f"{path} does not hold what was sealed", hint="verify the journal: polyceph journal verify")
        # Only the owner may: the application can neither say that something is archived nor remove it.
        as_owner = engine(owner, pool_size=1)
        try:
            usecases.archive(PostgresUnitOfWork(as_owner), self.origin, made, actor=actor)
            remove_archived(as_owner)
        finally:
            as_owner.dispose()
        return made

    def pseudonym(self, identity: str, *, actor: Actor, purpose: str) -> str:
        """Return what the journal calls a person the data is about; see `usecases.pseudonyms`."""
        secret, key = bytes.fromhex(self._secret()), secrets.token_bytes(32)
        return pseudonyms.pseudonym_of(self._work(), identity, secret=secret, fresh_key=key, actor=actor, purpose=purpose)

    def forget(self, identity: str, *, actor: Actor, reason: str) -> str | None:
        """Destroy the key of a person's pseudonym; return the pseudonym, None when she has none."""
        return pseudonyms.destroy_pseudonym(self._work(), identity, secret=bytes.fromhex(self._secret()), actor=actor, reason=reason)

    def _secret(self) -> str:
        return made_once(self.settings.state() / "secrets" / _PSEUDONYM_FILE, lambda: secrets.token_hex(32)).get_secret_value()

    def _work(self) -> PostgresUnitOfWork:
        return PostgresUnitOfWork(self.engine)


def head_time(head: KeptHead) -> datetime:
    """Return when a head was signed."""
    return parse_head(parse_note(head.note).text).at
