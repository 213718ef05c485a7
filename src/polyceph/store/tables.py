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
    Interval,
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


def _hash(name: str, constraint: str, *, primary_key: bool = False) -> tuple[Column[Any], CheckConstraint]:
    return Column(name, LargeBinary, primary_key=primary_key, nullable=False), CheckConstraint(f"length({name}) = 32", name=constraint)


session = Table(
    "session",
    metadata,
    *_hash("key", "session_key_is_a_hash", primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    _text("provider"),
    _text("subject"),
    _text("actor"),
    _text("person", nullable=True),
    _text("name"),
    _json("groups"),
    _text("language", nullable=True),
    _text("provider_session", nullable=True),
    _text("id_token", nullable=True),
    _text("agent"),
    _time("opened_at"),
    _time("touched_at"),
    Column("idle", Interval, nullable=False),
    _time("ends_at"),
    _time("ended_at", nullable=True),
    _text("end_reason", nullable=True),
    CheckConstraint("(ended_at IS NULL) = (end_reason IS NULL)", name="session_ends_for_a_reason"),
    CheckConstraint("ended_at IS NULL OR id_token IS NULL", name="session_forgets_its_token"),
    Index("session_open_by_actor", "actor", postgresql_where=text("(ended_at IS NULL)")),
    Index("session_open_by_subject", "provider", "subject", postgresql_where=text("(ended_at IS NULL)")),
)

pending_sign_in = Table(
    "pending_sign_in",
    metadata,
    *_hash("state", "pending_sign_in_state_is_a_hash", primary_key=True),
    *_hash("browser", "pending_sign_in_browser_is_a_hash"),
    _text("provider"),
    _text("nonce"),
    _text("verifier"),
    _text("target"),
    _time("started_at"),
    _time("expires_at"),
    Index("pending_sign_in_by_end", "expires_at"),
)

seen_token = Table(
    "seen_token",
    metadata,
    *_hash("id", "seen_token_id_is_a_hash", primary_key=True),
    _time("expires_at"),
    Index("seen_token_by_end", "expires_at"),
)

local_account = Table(
    "local_account",
    metadata,
    Column("name", Text, primary_key=True),
    _time("made_at"),
    _text("password", nullable=True),
    Column("link", LargeBinary),
    _time("link_expires_at", nullable=True),
    Column("failures", Integer, nullable=False),
    _time("blocked_until", nullable=True),
    _text("person", nullable=True),
    CheckConstraint("(link IS NULL) = (link_expires_at IS NULL)", name="local_account_link_ends"),
)

service_identity = Table(
    "service_identity",
    metadata,
    Column("name", Text, primary_key=True),
    _text("owner"),
    _json("roles"),
    _json("scopes"),
    _time("made_at"),
    _text("made_by"),
    _time("expires_at"),
    _text("provider", nullable=True),
    _text("client", nullable=True),
    _time("ended_at", nullable=True),
    _text("end_reason", nullable=True),
    _time("last_used_at", nullable=True),
    CheckConstraint("(ended_at IS NULL) = (end_reason IS NULL)", name="service_identity_ends_for_a_reason"),
    CheckConstraint("(provider IS NULL) = (client IS NULL)", name="service_identity_client_is_of_a_provider"),
    Index("service_identity_by_client", "provider", "client", unique=True, postgresql_where=text("(ended_at IS NULL)")),
)

service_secret = Table(
    "service_secret",
    metadata,
    *_hash("hash", "service_secret_is_a_hash", primary_key=True),
    Column("identity", Text, ForeignKey(service_identity.c.name), nullable=False),
    _text("kind"),
    _text("label"),
    _time("made_at"),
    _time("expires_at"),
    _time("ended_at", nullable=True),
    _time("last_used_at", nullable=True),
    CheckConstraint("kind IN ('lasting', 'access')", name="service_secret_kind_is_known"),
    Index("service_secret_by_identity", "identity", "made_at"),
)
