"""The catalogue of event kinds: every action the journal may hold, what it is about and what it keeps. One line a kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class EventKind:
    """One kind of event: `action` is `noun.verb-past`, `subject` the kind of thing it happened to, or `this or that`."""

    action: str
    subject: str
    meaning: str
    keeps: str = ""
    """What `before` and `after` hold."""


_ALL = (
    # what is declared
    EventKind("federation.applied", "federation", "Declarations were applied", "digests, number of differences by kind, domains left out"),
    EventKind("federation.changed", "federation", "Name, title, languages, environments or channels changed", "the old and the new"),
    EventKind("sign_in.changed", "federation", "Providers of sign-in or limits of sessions changed", "the old and the new"),
    EventKind("federation.refused", "federation", "Declarations break rules and were not applied", "digest of problems, the first 50"),
    EventKind("domain.added", "domain", "A domain was declared", "title, owner, steward, interim owner, contact"),
    EventKind("domain.changed", "domain", "Title or contact of a domain changed", "the old and the new"),
    EventKind("domain.removed", "domain", "A domain is declared no more", "what it was"),
    EventKind("domain.refused", "domain", "A domain's declarations break rules: it stays as it was", "digest of problems, the first 50"),
    EventKind("person.added", "person", "Somebody who answers for data was declared", "the first day without her"),
    EventKind("person.changed", "person", "Somebody's departure was declared, moved or withdrawn", "the first day without her"),
    EventKind("person.removed", "person", "Somebody is declared no more", "the first day without her"),
    EventKind("owner.changed", "domain or dataset", "A domain or dataset has another data owner", "the old and the new owner"),
    EventKind("steward.changed", "domain or dataset", "A domain or dataset has another data steward", "the old and the new steward"),
    EventKind("interim_owner.changed", "domain", "A domain has another interim owner", "the old and the new"),
    EventKind("role.given", "domain or federation", "A role was declared to be somebody's or a group's", "role, person or group"),
    EventKind("role.withdrawn", "domain or federation", "A role is declared somebody's or a group's no more", "role, person or group"),
    EventKind("witness.changed", "domain", "A domain cosigns heads of the journal with another key, or ceases to", "the keys"),
    EventKind("source.added", "source", "A source was declared", "its connector and the digest of its options"),
    EventKind("source.changed", "source", "Connector or options of a source changed", "connector and digests of the options"),
    EventKind("source.removed", "source", "A source is declared no more", "what it was"),
    EventKind("consumption.declared", "dataset", "Another domain declares that it reads a dataset", "the domain that reads"),
    EventKind("consumption.withdrawn", "dataset", "Another domain reads a dataset no more", "the domain that read"),
    EventKind("dataset.added", "dataset", "A dataset was declared", "owner, steward, classification, contract, number of columns"),
    EventKind("dataset.removed", "dataset", "A dataset is declared no more", "what it was"),
    EventKind("contract.added", "dataset", "A dataset got a contract", "version, digest, status, number of columns"),
    EventKind("contract.changed", "dataset", "Version, status or text of a contract changed", "versions, statuses, digests"),
    EventKind("contract.removed", "dataset", "A dataset has no contract any more", "version, digest, status, number of columns"),
    EventKind("classification.raised", "dataset", "A dataset or column is classified higher", "column; the old and the new"),
    EventKind("classification.lowered", "dataset", "A dataset or column is classified lower", "column; the old and the new"),
    EventKind("column.added", "dataset", "A contract promises a new column", "the column"),
    EventKind("column.changed", "dataset", "A contract promises a column otherwise", "type, required, unique, key, own classification"),
    EventKind("column.removed", "dataset", "A contract promises a column no more", "what it was"),
    EventKind("personal_data.changed", "dataset", "A column is marked otherwise as to personal data", "column; the old and the new mark"),
    # what ran and what it made
    EventKind("run.requested", "run", "Somebody or a schedule asked for a run", "datasets or job"),
    EventKind("run.refused", "run", "A run was asked for and refused", "what was asked for"),
    EventKind("run.launched", "run", "A request became a run"),
    EventKind("run.finished", "run", "A run ended, well or not", "status, seconds, checks passed and failed"),
    EventKind(
        "change.asked",
        "orchestration",
        "Somebody asked Dagster for a change, allowed or not",
        "field, action, domains, digest of arguments",
    ),
    EventKind("change.ended", "orchestration", "How a change in Dagster ended", "field, kind of answer, runs that were launched"),
    EventKind("snapshot.committed", "lake", "A lake changed", "what changed, when, under which contract versions"),
    EventKind("dataset.read", "dataset", "A dataset was read", "columns, rows"),
    EventKind("read.refused", "dataset", "A read was refused", "columns asked for"),
    EventKind("dataset.served", "dataset", "A dataset was served outside the lake", "columns, rows, where"),
    # what came in another form
    EventKind("drift.found", "dataset", "A delivery drifts from the contract and waits for the data owner", "number, origin, differences"),
    EventKind(
        "drift.accepted", "dataset", "The data owner accepted a drift: a new version of the contract", "number, differences, versions"
    ),
    EventKind("drift.mapped", "dataset", "The data owner mapped a drift on the contract as it is", "number, differences, versions"),
    EventKind("drift.refused", "dataset", "The data owner refused what drifts, or somebody's decision was refused", "number, differences"),
    # emergency access
    EventKind("emergency.opened", "domain", "Somebody got emergency access to a domain", "number, who, until when, who is to be told"),
    EventKind("emergency.closed", "domain", "Emergency access was ended before its time", "number, who had it, who ended it"),
    EventKind("emergency.expired", "domain", "Emergency access ended by itself", "number, who had it, until when"),
    EventKind("emergency.refused", "domain", "Opening or closing emergency access was refused", "what was asked for"),
    # who comes in
    EventKind("session.opened", "session", "Somebody signed in", "provider, number of groups, until when"),
    EventKind("session.refused", "session", "A sign-in, a cookie or a message of a provider was refused", "what is known of it"),
    EventKind("session.ended", "session", "A session ended: signed out, idle, too old, ended by somebody, its person has left"),
    EventKind("session.forgotten", "session", "Sessions that ended long ago were removed from the store", "how many"),
    EventKind("account.created", "account", "The local account of an embedded platform was made", "the person it acts as"),
    EventKind(
        "account.reset", "account", "The local account got a new one-time link: its password counts no more", "the person it acts as"
    ),
    EventKind("account.entered", "account", "The local account got its password by a one-time link, or was entered after failures"),
    EventKind("identity.created", "identity", "A service identity was created", "owner, roles, scopes, until when, provider"),
    EventKind("identity.rotated", "identity", "A service identity got another secret", "until when the former counts, a label"),
    EventKind("identity.revoked", "identity", "A service identity was ended"),
    EventKind("identity.refused", "identity", "What came as a service identity, or asked for one, was refused", "how often"),
    EventKind(
        "token.issued",
        "identity",
        "A service identity got a short access token",
        "until when, for which secret, how many old ones were removed",
    ),
    # the platform itself
    EventKind("platform.started", "platform", "The platform started", "release, revision of the store, commit, how the last stop was"),
    EventKind("platform.stopped", "platform", "The platform was stopped"),
    EventKind("platform.upgraded", "platform", "The platform runs another release than before", "the old and the new"),
    EventKind(
        "settings.changed",
        "platform",
        "Settings are others than at the last start",
        "the old and the new; of secrets only whether they are set",
    ),
    # the journal itself
    EventKind("journal.opened", "journal", "The journal began", "its origin and its first key"),
    EventKind("journal_key.rotated", "journal", "Heads are signed with a new key", "the old and the new key"),
    EventKind("head.refused", "journal", "A place outside the database does not take a head of the journal", "the place"),
    EventKind("journal.verified", "journal", "The journal was verified", "events, heads, the first bad event"),
    EventKind("journal.read", "journal", "Events were looked at", "filter, number of events"),
    EventKind("journal.exported", "journal", "Events were exported", "filter, format, number of events, digest of the file"),
    EventKind("journal.archived", "journal", "Old events were moved into a sealed archive", "range, root, digest of the file"),
    EventKind(
        "dossier.exported",
        "dataset",
        "A dossier of a dataset and a period was made",
        "period, number of events, size of the journal, whether it was whole, digest of the file",
    ),
    EventKind("period.reviewed", "journal", "An auditor signed off a period", "period, number and root of what was there, note"),
    EventKind("pseudonym.made", "pseudonym", "A person the data is about got a pseudonym"),
    EventKind("pseudonym.destroyed", "pseudonym", "The key of a pseudonym was destroyed: nobody can tell any more who it was"),
)
KINDS: Mapping[str, EventKind] = {kind.action: kind for kind in _ALL}
"""Every kind by its action."""
