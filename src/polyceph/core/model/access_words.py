"""What each role and each action means, a sentence each: pages, commands and the reference show it."""

from __future__ import annotations

from collections.abc import Mapping

from polyceph.core.model.access import Action, Role

ROLES: Mapping[Role, str] = {
    Role.VISITOR: "knows that domains and their open datasets are there, and whom to ask",
    Role.CONSUMER: "uses what is served to her: reads public and internal datasets of the domain",
    Role.ANALYST: "works with rows: reads confidential datasets of the domain too",
    Role.STEWARD: "keeps description, quality and classification right; first to be told",
    Role.OWNER: "answers for the domain and decides",
    Role.ENGINEER: "builds and runs the domain's pipelines",
    Role.PLATFORM_ENGINEER: "keeps the platform running; reads no data without a grant or emergency access",
    Role.DPO: "supervises personal data: sees where it is and who saw it, never the rows",
    Role.AUDITOR: "reviews who could, who did and on whose decision; never the rows",
}
ACTIONS: Mapping[Action, str] = {
    Action.PLATFORM_VIEW: "see how the platform does",
    Action.PLATFORM_ADMINISTER: "change how the platform runs",
    Action.DOMAIN_VIEW: "see a domain: title, owner, steward, contact",
    Action.DOMAIN_PEOPLE: "see who holds which role",
    Action.DATASET_FIND: "know that a dataset is there, and whom to ask",
    Action.DATASET_DESCRIBE: "see its description, columns, freshness, checks and lineage",
    Action.DATASET_READ: "read its rows",
    Action.DATASET_REPORT: "report that it was made outside a run",
    Action.DATASET_WIPE: "forget that it was ever made",
    Action.PERSONAL_DATA_VIEW: "see which columns hold personal data, and why they may",
    Action.DRIFT_DECIDE: "decide on a delivery that drifts from its contract",
    Action.RUN_VIEW: "see runs: when, by whom, how they ended",
    Action.RUN_LOGS: "read what a run wrote, which may hold values of rows",
    Action.RUN_LAUNCH: "launch a run",
    Action.RUN_STOP: "stop a run",
    Action.RUN_DELETE: "delete a run",
    Action.SCHEDULE_CHANGE: "start, stop or reset a schedule or sensor",
    Action.PARTITION_CHANGE: "add or remove a partition",
    Action.LOCATION_RELOAD: "reload the domain's code",
    Action.JOURNAL_READ: "read the journal",
    Action.SESSION_END: "end somebody else's session",
    Action.IDENTITY_CREATE: "make a service identity, or a new token of one",
    Action.IDENTITY_REVOKE: "end a service identity",
    Action.EMERGENCY_OPEN: "open emergency access for somebody",
    Action.EMERGENCY_CLOSE: "end emergency access before its time",
}
