"""Every field and route, for every role and state, answers what the reviewed table says."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from gateway_outcomes import TABLE, outcomes, table
from gateway_stand import Stand

from polyceph.core.model.access import Role
from polyceph.gateway.fields import MUTATIONS, QUERIES, SUBSCRIPTIONS
from polyceph.gateway.routes import ROUTES, STATIC

_STATES = 5


@pytest.mark.slow
def test_every_cell_is_as_the_reviewed_table_says(stand: Stand, record_property: Callable[[str, object], None]) -> None:
    """A difference is either a hole or a change of rights: look at it, then write the table with `python gateway_outcomes.py`."""
    found, cells = table(outcomes(stand))
    record_property("cells", cells)
    assert cells == (len(MUTATIONS) + len(QUERIES) + len(SUBSCRIPTIONS) + len(ROUTES) + len(STATIC)) * len(Role) * _STATES
    reviewed = TABLE.read_text(encoding="utf-8").splitlines()
    differences = [(was, is_) for was, is_ in zip(reviewed, found.splitlines(), strict=True) if was != is_]
    assert not differences
