"""The function that decides, as the platform is installed: the table of rights, declarations, and policies of the federation's own."""

from __future__ import annotations

from collections.abc import Callable

from polyceph import plugins
from polyceph.core.model.federation import Federation
from polyceph.core.policies.authorisation import Decide
from polyceph.core.policies.questions import informed
from polyceph.core.policies.restriction import restricted
from polyceph.errors import Misconfigured


def decider() -> Decide:
    """Return the function that decides, with every policy installed under `polyceph.policies`: each can only refuse.

    Raises:
        Misconfigured: a policy cannot load or is none.
    """
    policies = {name: plugins.load(plugins.POLICIES, name) for name in plugins.names(plugins.POLICIES)}
    for name, policy in policies.items():
        if not callable(policy):
            raise Misconfigured(f"policy {name} is no function", hint="it takes a Principal and a Question and returns a Decision")
    return restricted(policies)


def informed_decider(federation: Callable[[], Federation]) -> Decide:
    """Return what every door asks: `decider`, told what is declared of the dataset in question.

    `federation` returns the declarations applied last.
    """
    return informed(decider(), federation)
