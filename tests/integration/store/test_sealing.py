"""The tree over the journal: what is sealed, in which order, under which heads; and what happens to who alters it."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

import psycopg
import pytest
from aiosmtpd.controller import Controller
from sqlalchemy import Engine

sys.path.insert(0, str(Path(__file__).parent))
from journals import ANNE, event, mighty, opened, record

from polyceph.bootstrap.journal import PlatformJournal
from polyceph.core.model import tree
from polyceph.core.model.event import EventFilter
from polyceph.core.model.federation import Federation, HeadPlace
from polyceph.core.usecases import journal as usecases
from polyceph.errors import Conflict, Denied, Invalid, Misconfigured, NotFound
from polyceph.journal import bundle
from polyceph.journal.keys import make_key, read_key
from polyceph.journal.witness import cosign
from polyceph.settings import MailSettings, PostgresAddress
from polyceph.store.archive import remove_archived
from polyceph.store.connection import SEALED, connect, engine
from polyceph.store.queries import PostgresQueries
from polyceph.store.unit_of_work import PostgresUnitOfWork

INSERT = """
INSERT INTO polyceph.event (body) VALUES ('{"action":"run.finished","actor":{"id":"a","kind":"person"},"decision":{"allowed":true},
"door":"test","subject":{"id":"r","kind":"run"}}') RETURNING seq
"""


@pytest.fixture
def federation(make_federation: Callable[..., Federation]) -> Federation:
    return make_federation("education.raw.schools")


@pytest.fixture
def journal(store: Engine, tmp_path: Path, federation: Federation) -> PlatformJournal:
    return opened(store, tmp_path, federation)


def leaves(journal: PlatformJournal) -> list[bytes]:
    return [row[3] or b"" for page in journal.log.pages(0, journal.log.size()) for row in page]


def test_everything_is_sealed_once_under_a_root_over_its_bytes(journal: PlatformJournal, store: Engine) -> None:
    record(store, 700)
    assert journal.log.seal() == 701
    record(store, 300, first=700)
    assert journal.log.seal() == 300
    assert journal.log.seal() == 0
    found = leaves(journal)
    assert len(set(found)) == len(found) == 1001
    assert journal.log.root_at(1001) == tree.root([tree.leaf_hash(one) for one in found])
    assert journal.log.root_at(701) == tree.root([tree.leaf_hash(one) for one in found[:701]])


def test_a_lower_number_that_commits_later_is_sealed_later_and_not_missed(
    journal: PlatformJournal, app: psycopg.Connection, store_app: PostgresAddress
) -> None:
    with connect(store_app) as slow:
        number = slow.execute(INSERT).fetchone()[0]
        app.execute(INSERT)
        journal.log.seal()
        assert journal.log.index_of(number) is None
        assert journal.log.unsealed() == 1, "what came after an open transaction waits for it"
        slow.commit()
    assert journal.log.seal() == 2
    assert journal.log.index_of(number) == 1
    assert journal.log.unsealed() == 0


def test_writers_beside_sealers_lose_nothing(journal: PlatformJournal, store: Engine, store_app: PostgresAddress) -> None:
    done = threading.Event()

    def write(first: int) -> None:
        own = engine(store_app, pool_size=1)
        record(own, 500, first=first)
        own.dispose()

    def seal() -> None:
        while not done.is_set():
            journal.log.seal()

    sealers = [threading.Thread(target=seal) for _ in range(2)]
    writers = [threading.Thread(target=write, args=(n * 1000,)) for n in range(4)]
    for thread in (*sealers, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    for thread in sealers:
        thread.join()
    journal.seal(at_once=True)
    found = journal.verify(journal.trusted())
    assert (found.ok, found.events, found.unsealed) == (True, 2001, 0)


def test_events_of_a_restored_dump_are_sealed_although_transactions_are_counted_anew(
    journal: PlatformJournal, store: Engine, postgres: PostgresAddress, store_app: PostgresAddress
) -> None:
    record(store, 10)
    journal.log.seal()
    record(store, 5, first=10)
    with mighty(postgres, store_app.database) as connection:  # as pg_restore would leave it on a younger server
        connection.execute("UPDATE polyceph.event SET xid = (xid::text::bigint + 5000000)::text::xid8")
        connection.execute("UPDATE polyceph.journal_seal SET upto = (upto::text::bigint + 5000000)::text::xid8")
    record(store, 5, first=15)
    journal.seal(at_once=True)
    assert journal.log.unsealed() == 0
    assert journal.verify(journal.trusted()).ok
    record(store, 5, first=20)
    assert journal.log.seal() == 5


def test_a_head_is_signed_when_it_is_time_and_something_is_new(journal: PlatformJournal, store: Engine) -> None:
    signer, minute = journal.signer(), timedelta(minutes=1)
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    journal.log.seal()
    assert usecases.sign_head(journal.log, signer, now=now, every=minute)
    assert usecases.sign_head(journal.log, signer, now=now + minute, every=minute) is None, "nothing is new"
    record(store, 1)
    journal.log.seal()
    assert usecases.sign_head(journal.log, signer, now=now + minute / 2, every=minute) is None, "it is not time"
    assert usecases.sign_head(journal.log, signer, now=now + minute, every=minute)
    assert journal.log.head_sizes() == (1, 2)


def test_a_key_that_is_not_the_journals_signs_nothing(journal: PlatformJournal) -> None:
    journal.log.seal()
    journal.key_file.unlink()
    with pytest.raises(Misconfigured, match="restore it"):
        journal.open(ANNE)
    make_key(journal.key_file, journal.origin, "log")
    with pytest.raises(Misconfigured, match="not the journal's"):
        journal.seal(at_once=True)


TAMPERINGS = {
    "a field is edited": ("UPDATE polyceph.event SET body = replace(body::text, 'anne', 'marc')::json WHERE seq = 300", 299),
    "a time is edited": ("UPDATE polyceph.event SET at = at - interval '1 day' WHERE seq = 300", 299),
    "an event is removed": ("DELETE FROM polyceph.event WHERE seq = 300", 299),
    "an event and its leaf are removed": (
        "DELETE FROM polyceph.event WHERE seq = 300; DELETE FROM polyceph.journal_leaf WHERE event = 300",
        299,
    ),
    "two events change places": (
        """UPDATE polyceph.journal_leaf SET event = -event WHERE event IN (300, 400);
           UPDATE polyceph.journal_leaf SET event = CASE event WHEN -300 THEN 400 ELSE 300 END WHERE event < 0""",
        299,
    ),
    "the tail is cut": ("DELETE FROM polyceph.event WHERE seq > 480; DELETE FROM polyceph.journal_leaf WHERE index >= 480", 480),
    "the tail is cut with its heads and seals": (
        """DELETE FROM polyceph.event WHERE seq > 480; DELETE FROM polyceph.journal_leaf WHERE index >= 480;
           DELETE FROM polyceph.journal_head WHERE size > 480; DELETE FROM polyceph.journal_seal;
           INSERT INTO polyceph.journal_seal (size, upto) SELECT 480, max(xid) FROM polyceph.event""",
        480,
    ),
    "an event is edited and its hash made true again": (
        """UPDATE polyceph.event SET body = replace(body::text, 'anne', 'marc')::json WHERE seq = 300;
           UPDATE polyceph.journal_leaf l
           SET hash = sha256('\\x00'::bytea || convert_to(polyceph.leaf(e.seq, e.at, e.body, o.origin), 'UTF8'))
           FROM polyceph.event e, polyceph.journal_log o WHERE e.seq = l.event AND l.event = 300""",
        299,
    ),
}


@pytest.mark.parametrize("what", TAMPERINGS)
def test_whoever_owns_the_database_is_found_out(
    journal: PlatformJournal, store: Engine, postgres: PostgresAddress, store_app: PostgresAddress, what: str
) -> None:
    record(store, 400)
    journal.seal(at_once=True)
    record(store, 100, first=400)
    journal.seal(at_once=True)
    trusted = journal.trusted()
    assert journal.verify(trusted).ok
    statements, first_bad = TAMPERINGS[what]
    with mighty(postgres, store_app.database) as connection:
        connection.execute(statements.encode())
    found = journal.verify(trusted)
    assert not found.ok
    assert found.first_bad == first_bad
    # Without the hashes outside, only the heads tell: the first bad event is bracketed when its hash was made true again.
    bracket = journal.verify(replace(trusted, leaves=b""))
    assert not bracket.ok
    assert bracket.first_bad in (first_bad, 0)
    assert bracket.reason


def test_verifying_from_a_head_reads_only_what_came_after_it(
    journal: PlatformJournal, store: Engine, postgres: PostgresAddress, store_app: PostgresAddress
) -> None:
    record(store, 400)
    journal.seal(at_once=True)
    record(store, 100, first=400)
    journal.seal(at_once=True)
    found = journal.verify(journal.trusted(), since=401)
    assert (found.ok, found.events, found.heads) == (True, 100, 1)
    with pytest.raises(NotFound, match="401"):
        journal.verify(journal.trusted(), since=17)
    with mighty(postgres, store_app.database) as connection:
        connection.execute("UPDATE polyceph.event SET at = now() WHERE seq = 450")
    assert journal.verify(journal.trusted(), since=401).first_bad == 449
    with mighty(postgres, store_app.database) as connection:
        connection.execute("UPDATE polyceph.journal_node SET hash = sha256('x')")
    assert "not those of the head" in str(journal.verify(journal.trusted(), since=401).reason)


def test_a_place_outside_takes_no_head_of_a_rewritten_journal(
    journal: PlatformJournal, store: Engine, postgres: PostgresAddress, store_app: PostgresAddress
) -> None:
    record(store, 20)
    journal.seal(at_once=True)
    statements, _ = TAMPERINGS["an event is edited and its hash made true again"]
    with mighty(postgres, store_app.database) as connection:
        connection.execute(statements.replace("300", "12").encode())
    record(store, 5, first=20)
    journal.seal(at_once=True)
    (reason,) = journal.refused.values()
    assert "was altered" in reason
    assert journal.trusted().heads[-1].split("\n")[1] == "21", "the last good head stays"
    (kept,) = PostgresQueries(store).events(EventFilter(action="head.refused"))
    assert (kept.event.allowed, kept.event.reason) == (False, reason)
    journal.seal(at_once=True)
    assert len(PostgresQueries(store).events(EventFilter(action="head.refused"))) == 1, "told once"


def test_a_place_that_several_bring_up_to_date_at_once_keeps_each_hash_once(
    journal: PlatformJournal, store: Engine, tmp_path: Path
) -> None:
    for number in range(5):
        record(store, 200, first=number * 200)
        journal.log.seal()
        usecases.sign_head(journal.log, journal.signer(), now=datetime.now(UTC))
        with ThreadPoolExecutor(4) as pool:
            news = list(pool.map(lambda _: journal.keep(tmp_path / "shared"), range(4)))
        assert sorted(map(len, news)) == [0, 0, 0, 1]
    assert journal.verify(journal.trusted(tmp_path / "shared")).ok
    assert (tmp_path / "shared" / "leaves").stat().st_size == 32 * journal.log.size()


def test_a_place_of_another_journal_is_not_written_into(journal: PlatformJournal, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "key").write_text("polyceph.other/1+00000000+AAAA\n")
    journal.seal(at_once=True)
    with pytest.raises(Conflict, match="another journal"):
        journal.keep(other)


def test_a_witness_signs_what_continues_what_it_signed_and_nothing_else(
    store: Engine, tmp_path: Path, federation: Federation, postgres: PostgresAddress, store_app: PostgresAddress
) -> None:
    key = make_key(tmp_path / "education.key", "education", "witness")
    domain = replace(federation.domains["education"], witness=str(key.verifier))
    journal = opened(store, tmp_path, replace(federation, domains={"education": domain}))
    record(store, 20)
    journal.seal(at_once=True)
    memory, now = tmp_path / "seen", datetime.now(UTC)
    assert cosign(journal.folder, key, memory, now=now) == 21
    assert journal.collect_cosignatures() == 1
    assert journal.collect_cosignatures() == 0
    record(store, 5, first=20)
    journal.seal(at_once=True)
    assert cosign(journal.folder, key, memory, now=now) == 26
    journal.collect_cosignatures()
    assert journal.verify(journal.trusted()).witnesses == ("education",)
    stranger = make_key(tmp_path / "stranger.key", "education", "witness")
    record(store, 1)
    journal.seal(at_once=True)
    cosign(journal.folder, stranger, tmp_path / "other", now=now)
    assert journal.collect_cosignatures() == 0, "a key that is not declared is no witness"

    leaves = (journal.folder / "leaves").read_bytes()
    (journal.folder / "leaves").write_bytes(leaves[:32] + bytes(32) + leaves[64:])
    with pytest.raises(Conflict, match="altered"):
        cosign(journal.folder, key, memory, now=now)


def test_heads_go_to_a_git_repository(store: Engine, tmp_path: Path, federation: Federation) -> None:
    import subprocess

    remote, clone = tmp_path / "remote.git", tmp_path / "clone"
    for command in (["init", "--quiet", "--bare", str(remote)], ["clone", "--quiet", str(remote), str(clone)]):
        subprocess.run(["git", *command], check=True, capture_output=True)
    journal = opened(store, tmp_path, replace(federation, heads_kept_in=(HeadPlace("git", "clone"), HeadPlace("folder", "more"))))
    record(store, 3)
    journal.seal(at_once=True)
    journal.seal(at_once=True)
    assert journal.refused == {}
    log = subprocess.run(["git", "-C", str(remote), "log", "--format=%s", "HEAD"], check=True, capture_output=True, text=True).stdout
    assert log.splitlines() == [f"Journal {journal.origin}: 4 events"]
    assert journal.trusted(tmp_path / "more") == journal.trusted(clone) == journal.trusted()


def test_heads_are_mailed_and_no_more_often_than_declared(store: Engine, tmp_path: Path, federation: Federation) -> None:
    mails = Mails()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Controller(mails, hostname="127.0.0.1", port=port)
    server.start()
    try:
        journal = opened(store, tmp_path, replace(federation, heads_kept_in=(HeadPlace("mail", "dpo@example.org", every_hours=24),)))
        mail = MailSettings(host="127.0.0.1", port=port, starttls=False, sender="journal@example.org")
        journal.settings = journal.settings.model_copy(update={"mail": mail})
        for number in range(3):
            record(store, 2, first=number * 2)
            journal.seal(at_once=True)
    finally:
        server.stop()
    assert journal.refused == {}
    (kept,) = mails.kept
    assert (kept["To"], kept["From"]) == ("dpo@example.org", "journal@example.org")
    (attached,) = [part for part in kept.walk() if part.get_filename()]
    note = attached.get_payload(decode=True).decode()  # type: ignore[union-attr]
    assert note == journal.log.heads(0, 3)[0].note
    folder = tmp_path / "mailbox"
    (folder / "heads").mkdir(parents=True)
    (folder / "key").write_text(journal.log.keys()[0].key)
    (folder / "heads" / str(attached.get_filename())).write_text(note)
    assert journal.verify(journal.trusted(folder)).ok, "what was mailed is what one verifies with"


def test_a_mail_server_that_does_not_answer_keeps_nothing_else_from_its_head(store: Engine, tmp_path: Path, federation: Federation) -> None:
    places = (HeadPlace("mail", "dpo@example.org"), HeadPlace("folder", "more"))
    journal = opened(store, tmp_path, replace(federation, heads_kept_in=places))
    journal.settings = journal.settings.model_copy(update={"mail": MailSettings(host="127.0.0.1", port=1, starttls=False)})
    journal.seal(at_once=True)
    assert list(journal.refused) == ["mail dpo@example.org"]
    assert len(journal.trusted(tmp_path / "more").heads) == 1


class Mails:
    """Keeps what an SMTP server is sent."""

    def __init__(self) -> None:
        self.kept: list[Message] = []

    async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:  # noqa: N802 -- aiosmtpd's name
        self.kept.append(message_from_bytes(envelope.content))
        return "250 kept"


def test_a_new_key_is_introduced_by_the_old_one(journal: PlatformJournal, store: Engine) -> None:
    record(store, 10)
    old = read_key(journal.key_file)
    new = journal.rotate(ANNE)
    assert str(read_key(journal.key_file).verifier) == new != str(old.verifier)
    record(store, 10, first=10)
    journal.seal(at_once=True)
    found = journal.verify(journal.trusted())
    assert (found.ok, found.heads) == (True, 3)
    assert [one.event.action for one in PostgresQueries(store).events(EventFilter(subject_kind="journal"))][-1] == "journal_key.rotated"
    journal.rotate(ANNE)
    assert journal.verify(journal.trusted()).ok


def test_a_head_signed_with_a_retired_key_is_refused(
    journal: PlatformJournal, store: Engine, postgres: PostgresAddress, store_app: PostgresAddress
) -> None:
    record(store, 10)
    old = journal.signer()
    journal.rotate(ANNE)
    record(store, 10, first=10)
    journal.log.seal()
    with pytest.raises(Misconfigured):
        usecases.sign_head(journal.log, old, now=datetime.now(UTC))
    forged = usecases.TreeHead(journal.origin, journal.log.size(), journal.log.root_at(journal.log.size()), datetime.now(UTC)).text()
    journal.log.add_head(usecases.KeptHead(journal.log.size(), str(usecases.Note(forged, (old.sign(forged),)))))
    found = journal.verify(journal.trusted())
    assert not found.ok
    assert "not signed by the journal's key" in str(found.reason)


def test_old_events_leave_into_an_archive_and_everything_stays_proven(
    journal: PlatformJournal, store: Engine, store_owner: PostgresAddress, tmp_path: Path
) -> None:
    record(store, 300)
    journal.seal(at_once=True)
    between = datetime.now(UTC)
    record(store, 50, first=300)
    with pytest.raises(psycopg.Error) as caught, connect(store_owner) as owner:
        owner.execute("DELETE FROM polyceph.event WHERE seq = 5")
    assert caught.value.sqlstate == SEALED
    made = journal.archive(between, tmp_path / "old.bundle", store_owner, ANNE)
    assert made.size == 301
    assert len(bundle.hashes_of(tmp_path / "old.bundle")) == 301
    assert PostgresQueries(store).events(EventFilter(limit=1))[0].number == 302
    found = journal.verify(journal.trusted())
    assert (found.ok, found.archived, found.events) == (True, 301, journal.log.size())
    with connect(store_owner) as owner, pytest.raises(psycopg.Error) as caught:
        owner.execute("DELETE FROM polyceph.event WHERE seq = 310")
    assert caught.value.sqlstate == SEALED
    with pytest.raises(NotFound, match="301 events are in archives"):
        journal.archive(between, tmp_path / "again.bundle", store_owner, ANNE)
    journal.seal(at_once=True)
    bundle.write_log(journal.log, tmp_path / "rest.bundle")
    assert bundle.hashes_of(tmp_path / "rest.bundle")[:301] == bundle.hashes_of(tmp_path / "old.bundle")


def test_the_application_cannot_archive(journal: PlatformJournal, store: Engine) -> None:
    journal.seal(at_once=True)
    with pytest.raises(Denied):
        usecases.archive(PostgresUnitOfWork(store), journal.origin, usecases.Archive(1, bytes(32), "x", "0" * 64), actor=ANNE)
    with pytest.raises(Denied):
        remove_archived(store)


def test_what_comes_after_a_review_shows_as_unreviewed(journal: PlatformJournal, store: Engine) -> None:
    queries = PostgresQueries(store)
    record(store, 5)
    journal.seal(at_once=True)
    day = timedelta(days=1)
    now = datetime.now(UTC)
    usecases.review_period(PostgresUnitOfWork(store), journal.log, now - day, now + day, actor=ANNE, note="spot checks")
    record(store, 1, first=5)
    journal.seal(at_once=True)
    reviews = usecases.reviews(queries)
    marks = [usecases.reviewers(one, reviews) for one in queries.events(EventFilter(action="dataset.read"))]
    assert marks == [("anne.dupont",)] * 5 + [()]
    with pytest.raises(Invalid, match="before it begins"):
        usecases.review_period(PostgresUnitOfWork(store), journal.log, now, now - day, actor=ANNE)


def test_a_pseudonym_stays_until_its_key_is_destroyed(journal: PlatformJournal, store: Engine) -> None:
    identity = "85073003328"
    first = journal.pseudonym(identity, actor=ANNE, purpose="a request")
    assert journal.pseudonym(identity, actor=ANNE, purpose="a request") == first
    assert journal.pseudonym("other", actor=ANNE, purpose="a request") != first
    record(store, 1, make=lambda number: event(number, subject_kind="person", subject_id=first))
    assert journal.forget(identity, actor=ANNE, reason="article 17") == first
    assert journal.forget(identity, actor=ANNE, reason="article 17") is None
    assert journal.pseudonym(identity, actor=ANNE, purpose="a request") != first, "the same person begins anew, unlinked"
    actions = [one.event.action for one in PostgresQueries(store).events(EventFilter(subject_id=first))]
    assert actions == ["pseudonym.made", "dataset.read", "pseudonym.destroyed"]
    journal.seal(at_once=True)
    assert not [leaf for leaf in leaves(journal) if identity.encode() in leaf]


@pytest.mark.parametrize("text", ["85.07.30-033.28", "file of 85073003328", "BE68 5390 0754 7034"])
def test_an_event_that_names_a_person_the_data_is_about_is_refused(store: Engine, text: str) -> None:
    with PostgresUnitOfWork(store) as work, pytest.raises(Invalid, match="looks like"):
        work.record(event(1, reason=text))
    with PostgresUnitOfWork(store) as work, pytest.raises(Invalid, match="looks like"):
        work.record(event(1, after={"nested": [{"deep": text}]}))
    assert PostgresQueries(store).events(EventFilter()) == ()


@pytest.mark.parametrize("changes", [{"action": "data.set"}, {"correlation": {"invoice": "1"}}, {"after": {"at": datetime.now(UTC)}}])
def test_an_event_outside_the_catalogue_is_refused(store: Engine, changes: dict[str, object]) -> None:
    with PostgresUnitOfWork(store) as work, pytest.raises(Invalid):
        work.record(event(1, **changes))
