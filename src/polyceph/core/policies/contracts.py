"""What a dataset must state about itself before it may exist: a contract, a classification, a semantic version."""

from __future__ import annotations

import re

from polyceph.core.model.classification import Classification, PersonalData
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.decision import Decision
from polyceph.core.policies.nearest import did_you_mean

CLASSIFICATIONS = tuple(level.value for level in Classification)
PERSONAL_DATA = tuple(kind.value for kind in PersonalData)
STATUSES = ("proposed", "draft", "active", "deprecated", "retired")
LOGICAL_TYPES = ("string", "integer", "number", "boolean", "date", "timestamp", "time", "array", "object")

# https://semver.org, the pattern it suggests.
_SEMANTIC = re.compile(
    r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?$"
)


def dataset_has_contract(dataset: DatasetId, *, has_contract: bool, expected_file: str) -> Decision:
    """Refuse a dataset of zone raw, gold or output that has no contract."""
    if has_contract or not dataset.zone.needs_contract:
        return Decision(True, "contract", f"{dataset} may exist")
    reason = f"{dataset} has no contract; every dataset of zone {dataset.zone} needs one"
    return Decision(False, "contract", reason, hint=f"write {expected_file}")


def dataset_is_classified(classification: str | None, zone: Zone | None, *, subject: str) -> Decision:
    """Refuse an unknown classification, and none at all where the zone needs a contract."""
    if classification is None:
        if zone is not None and not zone.needs_contract:
            return Decision(True, "classification", f"{subject} inherits its classification")
        hint = "add {property: classification, value: …} under customProperties"
        return Decision(False, "classification", f"{subject} has no classification", good=CLASSIFICATIONS, hint=hint)
    return value_is_known(classification, CLASSIFICATIONS, what=f"classification of {subject}")


def value_is_known(value: str, known: tuple[str, ...], *, what: str) -> Decision:
    """Refuse a value that is not in a closed list."""
    if value in known:
        return Decision(True, "known value", f"{what} is {value}")
    hint = did_you_mean(value, known)
    return Decision(False, "known value", f"{what} {value!r} is unknown", good=known, hint=hint)


def version_is_semantic(version: str, subject: str) -> Decision:
    """Refuse a contract version that is not major.minor.patch (semver.org)."""
    if _SEMANTIC.fullmatch(version):
        return Decision(True, "version", f"{subject} is at {version}")
    digits = [*re.findall(r"\d+", version)[:3], "0", "0", "0"][:3]
    suggestion = ".".join(str(int(d)) for d in digits)
    reason = f"version {version!r} of {subject} is not semantic; a version is major.minor.patch"
    return Decision(False, "version", reason, hint=f"write version: {suggestion}")


def special_category_is_not_public(column: str, personal_data: str | None, *, classification: str | None) -> Decision:
    """Refuse a column of a special category (GDPR art. 9) in a public dataset."""
    if personal_data != PersonalData.SPECIAL_CATEGORY or classification != Classification.PUBLIC:
        return Decision(True, "special category", f"column {column} is not exposed")
    reason = f"column {column!r} holds a special category of personal data (GDPR art. 9) and the dataset is classified public"
    return Decision(False, "special category", reason, hint="classify the dataset confidential or secret, or leave the column out")
