"""The tables of the store as SQLAlchemy Core sees them. Their DDL, rights and triggers are in `migrations`; a test compares both."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSON, JSONB
from sqlalchemy.types import UserDefinedType

SCHEMA = "polyceph"

metadata = MetaData(schema=SCHEMA)


class Xid8(UserDefinedType[int]):
    """PostgreSQL's 64-bit transaction number, which never comes back (`pg_current_xact_id`)."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """Return the type's name in DDL."""
        return "xid8"


def _text(name: str, *, nullable: bool = False) -> Column[Any]:
    return Column(name, Text, nullable=nullable)


def _json(name: str, *, nullable: bool = False) -> Column[Any]:
    return Column(name, JSONB(none_as_null=True), nullable=nullable)


def _time(name: str, *, nullable: bool = False, default: Any = None) -> Column[Any]:
    return Column(name, DateTime(timezone=True), nullable=nullable, server_default=default)


event = Table(
    "event",
    metadata,
    Column("seq", BigInteger, Identity(always=True), primary_key=True),
    _time("at", default=func.clock_timestamp()),
    # Sealing goes by transaction and not by seq: a cursor on seq misses events whose transaction commits late.
    Column("xid", Xid8, nullable=False, server_default=func.pg_current_xact_id()),
    # json and not jsonb: the text stays as it was hashed, byte for byte.
    Column("body", JSON, nullable=False),
    Index("event_by_transaction", "xid"),
    Index("event_by_time", "at", postgresql_using="brin"),
    Index("event_by_action", text("(body ->> 'action')"), "seq"),
    Index("event_by_actor", text("(body #>> '{actor,id}')"), "seq"),
    Index("event_by_subject", text("(body #>> '{subject,id}')"), "seq"),
    Index("event_by_domain", text("(body #>> '{subject,domain}')"), "seq"),
)

journal_log = Table(
    "journal_log",
    metadata,
    Column("origin", Text, primary_key=True),
    _time("opened_at", default=func.clock_timestamp()),
    Index("journal_is_one", text("(true)"), unique=True),
)

journal_leaf = Table(
    "journal_leaf",
    metadata,
    Column("index", BigInteger, primary_key=True),
    Column("event", BigInteger, nullable=False, unique=True),
    Column("hash", LargeBinary, nullable=False),
)

journal_node = Table(
    "journal_node",
    metadata,
    Column("level", SmallInteger, primary_key=True),
    Column("index", BigInteger, primary_key=True),
    Column("hash", LargeBinary, nullable=False),
)

journal_seal = Table(
    "journal_seal",
    metadata,
    Column("size", BigInteger, primary_key=True),
    Column("upto", Xid8, nullable=False),
    _time("sealed_at", default=func.clock_timestamp()),
)

journal_head = Table(
    "journal_head",
    metadata,
    Column("size", BigInteger, primary_key=True),
    _text("note"),
    _time("signed_at", default=func.clock_timestamp()),
)

journal_cosignature = Table(
    "journal_cosignature",
    metadata,
    Column("size", BigInteger, ForeignKey(journal_head.c.size), primary_key=True),
    Column("witness", Text, primary_key=True),
    _text("line"),
    _time("received_at", default=func.clock_timestamp()),
)

journal_key = Table(
    "journal_key",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("key", Text, nullable=False, unique=True),
    _text("rotation", nullable=True),
    _time("made_at", default=func.clock_timestamp()),
)

journal_archive = Table(
    "journal_archive",
    metadata,
    Column("size", BigInteger, primary_key=True),
    Column("root", LargeBinary, nullable=False),
    _text("place"),
    _text("sha256"),
    _time("archived_at", default=func.clock_timestamp()),
)

pseudonym = Table(
    "pseudonym",
    metadata,
    Column("lookup", LargeBinary, primary_key=True),
    Column("key", LargeBinary, nullable=False),
    Column("pseudonym", Text, nullable=False, unique=True),
)

declaration = Table(
    "declaration",
    metadata,
    Column("seq", BigInteger, Identity(always=True), primary_key=True),
    _text("digest"),
    _time("applied_at", default=func.clock_timestamp()),
    _text("commit"),
    _json("content"),
)

domain = Table(
    "domain",
    metadata,
    Column("name", Text, primary_key=True),
    _json("title"),
    _text("owner"),
    _text("steward"),
    _text("interim_owner", nullable=True),
    _text("contact"),
    _time("removed_at", nullable=True),
)

dataset = Table(
    "dataset",
    metadata,
    Column("domain", Text, ForeignKey(domain.c.name), nullable=False),
    _text("zone"),
    _text("name"),
    _text("owner"),
    _text("steward"),
    _text("classification", nullable=True),
    _text("contract_version", nullable=True),
    _text("contract_digest", nullable=True),
    _time("removed_at", nullable=True),
    PrimaryKeyConstraint("domain", "zone", "name"),
    CheckConstraint("zone IN ('raw', 'bronze', 'silver', 'gold', 'output')", name="dataset_zone_is_known"),
)

run_request = Table(
    "run_request",
    metadata,
    Column("request", Text, primary_key=True),
    Column("run", Text, unique=True),
    Column("domain", Text, ForeignKey(domain.c.name), nullable=False),
    _text("actor_kind"),
    _text("actor_id"),
    _text("on_behalf_of", nullable=True),
    _json("datasets"),
    _text("job", nullable=True),
    _time("requested_at", default=func.clock_timestamp()),
    _text("status"),
    _time("ended_at", nullable=True),
    Column("seconds", Double),
    Column("checks_passed", Integer),
    Column("checks_failed", Integer),
    _text("error", nullable=True),
    CheckConstraint("status IN ('REQUESTED', 'SUCCESS', 'FAILURE', 'CANCELED')", name="run_request_status_is_known"),
    CheckConstraint("(status = 'REQUESTED') = (ended_at IS NULL)", name="run_request_ends_with_an_outcome"),
    Index("run_request_by_domain", "domain", "requested_at"),
)

snapshot = Table(
    "snapshot",
    metadata,
    Column("domain", Text, ForeignKey(domain.c.name), nullable=False),
    Column("snapshot", BigInteger, nullable=False),
    _time("at"),
    _text("author", nullable=True),
    _text("message", nullable=True),
    _json("extra"),
    _text("changes"),
    _time("recorded_at", default=func.clock_timestamp()),
    PrimaryKeyConstraint("domain", "snapshot"),
)

reading_seen = Table(
    "reading_seen",
    metadata,
    Column("id", BigInteger, nullable=False),
    _time("at"),
    _time("recorded_at", default=func.clock_timestamp()),
    # The time as well: an outbox that was restored from a backup gives its numbers a second time.
    PrimaryKeyConstraint("id", "at"),
)

drift = Table(
    "drift",
    metadata,
    Column("number", BigInteger, Identity(always=True), primary_key=True),
    Column("domain", Text, ForeignKey(domain.c.name), nullable=False),
    _text("dataset"),
    _text("digest"),
    _json("body"),
    _time("found_at"),
    Column("state", Text, nullable=False, server_default=text("'waiting'::text")),
    Column("covers", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    _time("decided_at", nullable=True),
    _text("decided_by", nullable=True),
    CheckConstraint("state IN ('waiting', 'accepted', 'mapped', 'refused')", name="drift_state_is_known"),
    CheckConstraint(
        "(state = 'waiting') = (decided_by IS NULL) AND (decided_by IS NULL) = (decided_at IS NULL)", name="drift_is_decided_by_somebody"
    ),
    Index("drift_waits_once", "dataset", "digest", unique=True, postgresql_where=text("(state = 'waiting'::text)")),
)

emergency = Table(
    "emergency",
    metadata,
    Column("number", BigInteger, Identity(always=True), primary_key=True),
    Column("domain", Text, ForeignKey(domain.c.name), nullable=False),
    _text("person"),
    _text("reason"),
    _text("opened_by"),
    _time("opened_at"),
    _time("until"),
    _time("ended_at", nullable=True),
    _text("closed_by", nullable=True),
    CheckConstraint("until > opened_at AND until <= opened_at + interval '24 hours'", name="emergency_is_short"),
    CheckConstraint("closed_by IS NULL OR ended_at IS NOT NULL", name="emergency_is_closed_at_a_time"),
    CheckConstraint("ended_at <= until", name="emergency_never_outlasts_its_time"),
    Index("emergency_is_one", "person", "domain", unique=True, postgresql_where=text("(ended_at IS NULL)")),
)
