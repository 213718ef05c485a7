"""What is kept of a federation's declarations when they are applied: plain JSON, to be reviewed later and compared with what comes next."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from polyceph.core.model.access import RoleGrant
from polyceph.core.model.contract import Column
from polyceph.core.model.domain import Dataset, Domain, Source
from polyceph.core.model.federation import Federation, HeadPlace
from polyceph.core.model.sign_in import SignIn


def content_of(federation: Federation) -> dict[str, Any]:
    """Return what a reviewer needs of a federation: who answers for which dataset, under which contract, who reads what.

    Texts, lists and mappings alone, as they come back from JSON. No secret and no address of a person is in it; options of sources are
    there as a digest. A part may be added and never gets another meaning: what was stored without it is still read (`differences`).
    """
    return {
        "federation": federation.name,
        "title": dict(federation.title),
        "languages": list(federation.languages),
        "environments": {name: {"storage": one.storage} for name, one in federation.environments.items()},
        "channels": {name: {"kind": one.kind, "target_env": one.target_env} for name, one in federation.channels.items()},
        "heads_kept_in": [_place(one) for one in federation.heads_kept_in],
        "roles": _roles(federation.roles),
        "sign_in": _sign_in(federation.sign_in),
        "people": {name: {"left": one.left.isoformat() if one.left else None} for name, one in federation.people.items()},
        "domains": {name: _domain(one) for name, one in federation.domains.items()},
    }


def _place(place: HeadPlace) -> dict[str, Any]:
    target = place.target if place.kind != "mail" else hashlib.sha256(place.target.encode()).hexdigest()
    return {"kind": place.kind, "target": target, "every_hours": place.every_hours}


def _sign_in(declared: SignIn) -> dict[str, Any]:
    """Return everything that decides who comes in; of secrets the names of their variables."""
    listed = ("scopes", "algorithms", "hosts")
    providers = {
        name: {key: list(value) if key in listed else value for key, value in vars(one).items() if key not in ("name", "title")}
        for name, one in declared.providers.items()
    }
    return {"providers": providers, "idle_minutes": declared.idle_minutes, "absolute_hours": declared.absolute_hours}


def _domain(domain: Domain) -> dict[str, Any]:
    return {
        "title": dict(domain.title),
        "owner": domain.owner,
        "steward": domain.steward,
        "interim_owner": domain.interim_owner,
        "contact": domain.contact,
        "witness": domain.witness,
        "roles": _roles(domain.roles),
        "sources": {name: _source(one) for name, one in domain.sources.items()},
        "consumes": [str(one) for one in domain.consumes],
        "datasets": {str(one.id): _dataset(one) for one in domain.datasets.values()},
    }


def _roles(grants: Iterable[RoleGrant]) -> list[dict[str, str]]:
    """Return who is given which role, one holder an entry, sorted; `domain` is missing for the federation as a whole."""
    found = []
    for grant in grants:
        given = {"role": grant.role.value} | ({"domain": grant.domain} if grant.domain else {})
        found += [{**given, "person": one} for one in grant.people] + [{**given, "group": one} for one in grant.groups]
    unique = {tuple(sorted(one.items())): one for one in found}
    return [unique[key] for key in sorted(unique)]


def _source(source: Source) -> dict[str, Any]:
    options = json.dumps(source.options, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return {"connector": source.connector, "options_digest": hashlib.sha256(options.encode()).hexdigest()}


def _dataset(dataset: Dataset) -> dict[str, Any]:
    contract = dataset.contract
    return {
        "owner": dataset.owner,
        "steward": dataset.steward,
        "classification": contract.classification.value if contract else None,
        "contract": contract.version if contract else None,
        "contract_digest": contract.digest if contract else None,
        "contract_status": contract.status if contract else None,
        "columns": {one.name: _column(one) for one in contract.columns} if contract else {},
        "serves": {"of": str(dataset.serves.of), "form": dataset.serves.form} if dataset.serves else None,
    }


def _column(column: Column) -> dict[str, Any]:
    return {
        "logical_type": column.logical_type,
        "physical_type": column.physical_type,
        "required": column.required,
        "unique": column.unique,
        "primary_key": column.primary_key,
        "classification": column.classification.value if column.classification else None,
        "personal_data": column.personal_data.value,
        "rules": {rule.name: list(rule.values) for rule in column.rules},
    }
