"""The gate of a domain's raw zone: what conforms goes on, what drifts waits for its data owner. In the domain's own process."""

from __future__ import annotations

from dataclasses import replace

from polyceph.bootstrap.domain import DomainRuntime
from polyceph.core.model.contract import Contract
from polyceph.core.model.drift import Difference, Form, Sighting, State
from polyceph.core.policies.drift import differences, stops
from polyceph.core.source_ports import Admission, Arrival, LoadReport, Note
from polyceph.errors import Invalid, Problem

DECIDES = "polyceph drift list, then polyceph drift accept, map or refuse NUMBER"


class Gate:
    """Decides for one load of one dataset which deliveries may go on; `waiting` and `passed` are those that may not."""

    def __init__(self, runtime: DomainRuntime, contract: Contract, source: str, run: str) -> None:
        self._runtime = runtime
        self._contract = contract
        self._source = source
        self._run = run
        self._noticed: dict[str, tuple[Note, ...]] = {}
        self._known: list[Form | None] = []
        self.waiting: list[Sighting] = []
        self.passed: list[str] = []

    def last_form(self) -> Form | None:
        """Return what the last delivery that was loaded looked like; asked once until the next is loaded."""
        if not self._known:
            self._known.append(self._runtime.lake.last_form(self._contract.dataset))
        return self._known[0]

    def admits(self, arrival: Arrival) -> Admission:
        """Compare an arrival with the contract and the last form; what drifts and is not decided yet goes into quarantine.

        Raises:
            Unavailable: the quarantine cannot take it, or does not tell what was decided.
        """
        found = differences(self._contract, self.last_form(), arrival.form)
        self._noticed[arrival.origin] = tuple(Note("form", str(one)) for one in found)
        if not stops(found):
            return Admission.LOAD
        seen = self._sighting(arrival, found)
        state = self._runtime.lake.quarantine.state(seen.dataset, seen.digest, seen.content)
        if state in (State.ACCEPTED, State.MAPPED):
            return Admission.LOAD
        if state is State.REFUSED:
            self.passed.append(arrival.origin)
            return Admission.PASS
        if state is None:
            # The bytes first: what the quarantine names is there.
            self._runtime.lake.quarantine.say(self._kept(seen, arrival))
        self.waiting.append(seen)
        return Admission.WAIT

    def told(self, report: LoadReport) -> LoadReport:
        """Return the report of a load with what differs in the delivery's form and did not stop it."""
        self._known.clear()
        noticed = self._noticed.get(report.origin, ())
        return replace(report, notes=(*report.notes, *noticed))

    def refusal(self) -> Invalid:
        """Return the error for what waits: which column, what was expected, what came, who decides and how."""
        dataset, owner = self._contract.dataset, self._owner()
        place = self._contract.place
        problems = [
            Problem(str(difference), file=place.file, line=self._line(difference.column), place=seen.origin)
            for seen in self.waiting
            for difference in seen.differences
            if difference.stops
        ]
        names = ", ".join(dict.fromkeys(one.origin for one in self.waiting))
        message = f"{names} drifts from the contract of {dataset} {self._contract.version}: it waits in quarantine, nothing of it is loaded"
        return Invalid(message, problems=problems, hint=f"its data owner {owner} decides: {DECIDES}")

    def _sighting(self, arrival: Arrival, found: tuple[Difference, ...]) -> Sighting:
        dataset, version = self._contract.dataset, self._contract.version
        return Sighting(dataset, self._source, arrival.origin, arrival.content, version, found, arrival.form, run=self._run)

    def _kept(self, seen: Sighting, arrival: Arrival) -> Sighting:
        kept = tuple(self._runtime.lake.keep(original) for original in arrival.originals)
        return replace(seen, originals=kept)

    def _owner(self) -> str:
        known = self._runtime.domain.datasets.get(self._contract.dataset)
        return known.owner if known else self._runtime.domain.owner

    def _line(self, column: str) -> int | None:
        found = next((one.place for one in self._contract.columns if one.name == column), None)
        return (found or self._contract.place).line
