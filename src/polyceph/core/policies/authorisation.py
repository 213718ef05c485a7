"""The one function that decides what a principal may do, and the table it decides by. Default is refuse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from polyceph.core.model.access import FEDERATION, Action, Principal, Question, Role, Standing
from polyceph.core.model.decision import Decision


@dataclass(frozen=True)
class Right:
    """Which roles an action needs: held in the domain it concerns, in any domain, or for the federation."""

    own: frozenset[Role] = frozenset()
    other: frozenset[Role] = frozenset()
    federation: frozenset[Role] = frozenset()


_R = Role
_ALL = frozenset(Role)
_WORKERS = frozenset({_R.STEWARD, _R.OWNER, _R.ENGINEER})
_OVERSEERS = frozenset({_R.DPO, _R.AUDITOR})
_PLATFORM = frozenset({_R.PLATFORM_ENGINEER})
_MEMBERS = _ALL - {_R.VISITOR}

RIGHTS: Mapping[Action, Right] = {
    Action.PLATFORM_VIEW: Right(own=_ALL, other=_ALL, federation=_ALL),
    Action.PLATFORM_ADMINISTER: Right(federation=_PLATFORM),
    Action.DOMAIN_VIEW: Right(own=_ALL, other=_ALL, federation=_ALL),
    Action.DOMAIN_PEOPLE: Right(own=_MEMBERS, federation=_PLATFORM | _OVERSEERS),
    Action.DATASET_FIND: Right(own=_ALL, federation=_MEMBERS),
    Action.DATASET_DESCRIBE: Right(own=_ALL, federation=_PLATFORM | _OVERSEERS),
    Action.DATASET_READ: Right(own=frozenset({_R.ANALYST, _R.STEWARD, _R.OWNER, _R.ENGINEER})),
    Action.DATASET_REPORT: Right(own=frozenset({_R.ENGINEER})),
    Action.DATASET_WIPE: Right(own=frozenset({_R.OWNER})),
    Action.DRIFT_DECIDE: Right(own=frozenset({_R.OWNER})),
    Action.RUN_VIEW: Right(own=_MEMBERS, federation=_PLATFORM | _OVERSEERS),
    Action.RUN_LOGS: Right(own=_WORKERS, federation=_PLATFORM),
    Action.RUN_LAUNCH: Right(own=_WORKERS),
    Action.RUN_STOP: Right(own=_WORKERS, federation=_PLATFORM),
    Action.RUN_DELETE: Right(),
    Action.SCHEDULE_CHANGE: Right(own=frozenset({_R.OWNER, _R.ENGINEER})),
    Action.PARTITION_CHANGE: Right(own=frozenset({_R.ENGINEER})),
    Action.LOCATION_RELOAD: Right(own=frozenset({_R.ENGINEER}), federation=_PLATFORM),
    Action.JOURNAL_READ: Right(own=frozenset({_R.OWNER, _R.STEWARD}), federation=_OVERSEERS),
    Action.SESSION_END: Right(federation=_PLATFORM),
    Action.IDENTITY_CREATE: Right(own=frozenset({_R.OWNER, _R.ENGINEER})),
    Action.IDENTITY_REVOKE: Right(own=frozenset({_R.OWNER, _R.ENGINEER}), federation=_PLATFORM),
    Action.EMERGENCY_OPEN: Right(federation=_PLATFORM),
}
"""Every action and who may do it. An action that is not here is refused to everybody."""


def decide(who: Principal, question: Question) -> Decision:
    """Return whether `who` may do what is asked, and why; what no rule allows is refused."""
    if who.standing is not Standing.ACTIVE:
        return Decision(False, "standing", f"{who.actor.id} is not signed in", hint="sign in")
    right = RIGHTS.get(question.action, Right())
    own = who.roles.get(question.domain or "", frozenset())
    federation = who.roles.get(FEDERATION, frozenset())
    if right.own & own or right.federation & federation or any(right.other & roles for roles in who.roles.values()):
        return Decision(True, "role", f"{question.action} is allowed")
    return Decision(False, "role", f"{question.action} needs another role here", tuple(sorted(right.own | right.federation)))
