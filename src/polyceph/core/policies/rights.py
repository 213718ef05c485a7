"""The table of rights: every action, who may do it and where. How it is read is in `authorisation`; what is not in it is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from polyceph.core.model.access import Action, Role
from polyceph.core.model.classification import Classification


@dataclass(frozen=True)
class Right:
    """Which roles an action needs: held in the domain it concerns, in some other domain, or for the federation as a whole."""

    own: frozenset[Role] = frozenset()
    other: frozenset[Role] = frozenset()
    federation: frozenset[Role] = frozenset()


NOBODYS = Right()
"""What nobody may do."""
_R, _C = Role, Classification
_HERE = frozenset(Role) - {_R.PLATFORM_ENGINEER}
"""Whatever may be held in a domain."""
_WHOLE = frozenset({_R.VISITOR, _R.CONSUMER, _R.ANALYST, _R.PLATFORM_ENGINEER, _R.DPO, _R.AUDITOR})
"""Whatever may be held for the federation as a whole."""
_MEMBERS = _HERE - {_R.VISITOR}
_WHOLE_MEMBERS = _WHOLE - {_R.VISITOR}
_READERS = frozenset({_R.ANALYST, _R.STEWARD, _R.OWNER, _R.ENGINEER})
_WORKERS = _READERS - {_R.ANALYST}
_KEEPERS = frozenset({_R.STEWARD, _R.OWNER})
_OWNER = frozenset({_R.OWNER})
_ENGINEER = frozenset({_R.ENGINEER})
_LEADS = _OWNER | _ENGINEER
_OVERSEERS = frozenset({_R.DPO, _R.AUDITOR})
_DPO = frozenset({_R.DPO})
_PLATFORM = frozenset({_R.PLATFORM_ENGINEER})
_CONSUMER = frozenset({_R.CONSUMER})
_ANALYST = frozenset({_R.ANALYST})

RIGHTS: Mapping[Action, Right] = {
    # what everybody with any role at all may know: that the platform and its domains are there, who answers for them, how they do
    Action.PLATFORM_VIEW: Right(_HERE, _HERE, _WHOLE),
    Action.DOMAIN_VIEW: Right(_HERE, _HERE, _WHOLE),
    Action.PLATFORM_ADMINISTER: Right(federation=_PLATFORM),
    Action.DOMAIN_PEOPLE: Right(_MEMBERS, federation=_PLATFORM | _OVERSEERS),
    # a task of those who work on the data of one domain
    Action.DATASET_REPORT: Right(_ENGINEER),
    Action.DATASET_WIPE: Right(_OWNER),
    Action.PERSONAL_DATA_VIEW: Right(_WORKERS | _DPO, federation=_DPO),
    Action.DRIFT_DECIDE: Right(_OWNER),
    Action.RUN_VIEW: Right(_MEMBERS, federation=_PLATFORM | _OVERSEERS),
    # a log may hold values of rows: who may not read the data may not read the log either
    Action.RUN_LOGS: Right(_WORKERS),
    Action.RUN_LAUNCH: Right(_WORKERS),
    Action.RUN_STOP: Right(_WORKERS, federation=_PLATFORM),
    # a run is evidence
    Action.RUN_DELETE: Right(),
    Action.SCHEDULE_CHANGE: Right(_LEADS),
    Action.PARTITION_CHANGE: Right(_ENGINEER),
    Action.LOCATION_RELOAD: Right(_ENGINEER, federation=_PLATFORM),
    Action.JOURNAL_READ: Right(_KEEPERS | _OVERSEERS, federation=_OVERSEERS),
    Action.SESSION_END: Right(federation=_PLATFORM),
    Action.IDENTITY_CREATE: Right(_LEADS),
    Action.IDENTITY_REVOKE: Right(_LEADS, federation=_PLATFORM),
    Action.EMERGENCY_OPEN: Right(_OWNER, federation=_PLATFORM),
    Action.EMERGENCY_CLOSE: Right(_KEEPERS | _DPO, federation=_PLATFORM | _DPO),
}
"""Actions that no classification changes. With those of `DATASET_RIGHTS` it holds every action once."""

DATASET_RIGHTS: Mapping[Action, Mapping[Classification | None, Right]] = {
    # that a dataset is there, and whom to ask for it
    Action.DATASET_FIND: {
        _C.PUBLIC: Right(_HERE, _HERE, _WHOLE),
        _C.INTERNAL: Right(_HERE, _MEMBERS, _WHOLE_MEMBERS),
        _C.CONFIDENTIAL: Right(_MEMBERS, federation=_WHOLE_MEMBERS),
        _C.SECRET: Right(_WORKERS | _OVERSEERS, federation=_OVERSEERS),
        None: Right(_MEMBERS, federation=_PLATFORM | _OVERSEERS),
    },
    # its description, columns, freshness, checks, lineage
    Action.DATASET_DESCRIBE: {
        _C.PUBLIC: Right(_HERE, _HERE, _WHOLE),
        _C.INTERNAL: Right(_MEMBERS, _READERS, _WHOLE_MEMBERS),
        _C.CONFIDENTIAL: Right(_MEMBERS, federation=_PLATFORM | _OVERSEERS),
        _C.SECRET: Right(_WORKERS | _OVERSEERS, federation=_OVERSEERS),
        None: Right(_READERS | _OVERSEERS, federation=_PLATFORM | _OVERSEERS),
    },
    # its rows; for everybody else a grant
    Action.DATASET_READ: {
        _C.PUBLIC: Right(_READERS | _CONSUMER, _READERS | _CONSUMER, _CONSUMER | _ANALYST),
        _C.INTERNAL: Right(_READERS | _CONSUMER),
        _C.CONFIDENTIAL: Right(_READERS),
        _C.SECRET: Right(_KEEPERS),
        None: Right(_WORKERS),
    },
}
"""Actions on a dataset that depend on its classification; None is one that nobody classified (bronze and silver may be so)."""

ACTIONS = frozenset(RIGHTS) | frozenset(DATASET_RIGHTS)
"""Every action somebody may have a right to; whatever else is asked is refused."""

BY_PEOPLE_ALONE = frozenset(
    {
        Action.DATASET_WIPE,
        Action.DRIFT_DECIDE,
        Action.IDENTITY_CREATE,
        Action.EMERGENCY_OPEN,
        Action.EMERGENCY_CLOSE,
        Action.PLATFORM_ADMINISTER,
        Action.SESSION_END,
    }
)
"""What a person decides and answers for herself: no service identity and no schedule may, whatever its roles and scopes."""

IN_EMERGENCY = frozenset(
    {
        Action.DATASET_FIND,
        Action.DATASET_DESCRIBE,
        Action.DATASET_READ,
        Action.PERSONAL_DATA_VIEW,
        Action.RUN_VIEW,
        Action.RUN_LOGS,
        Action.RUN_LAUNCH,
        Action.RUN_STOP,
        Action.SCHEDULE_CHANGE,
        Action.LOCATION_RELOAD,
    }
)
"""What break-glass access to a domain allows besides: to look, to run, to stop. It decides nothing and destroys nothing."""

OF_A_DATASET = frozenset(
    {
        Action.DATASET_FIND,
        Action.DATASET_DESCRIBE,
        Action.DATASET_READ,
        Action.DATASET_WIPE,
        Action.PERSONAL_DATA_VIEW,
        Action.DRIFT_DECIDE,
    }
)
"""What the owner and the steward that a contract names may do with this one dataset, as if they were the domain's."""

BY_GRANT = frozenset({Action.DATASET_FIND, Action.DATASET_DESCRIBE, Action.DATASET_READ, Action.RUN_LOGS})
"""What a grant to read a dataset allows besides, on that dataset and the runs that make it."""


def right_of(action: Action, classification: Classification | None) -> Right:
    """Return who may do an action; nobody when it is unknown. What is no classification at all counts as secret."""
    by_class = DATASET_RIGHTS.get(action)
    if by_class is None:
        return RIGHTS.get(action, NOBODYS)
    return by_class.get(classification, by_class[Classification.SECRET])
