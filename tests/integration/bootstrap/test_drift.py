"""Drift from end to end on real lakes: what differs waits unseen as one task, and what its data owner decides happens exactly once."""

from __future__ import annotations

import io
import os
import shutil
import signal
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest
import xlsxwriter

from polyceph.bootstrap import drifts
from polyceph.bootstrap.domain import DomainRuntime, domain_runtime
from polyceph.bootstrap.platform import Platform, open_platform
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.drift import Drift
from polyceph.core.model.event import EventFilter
from polyceph.errors import Conflict, Denied, Invalid, NotFound
from polyceph.orchestrate.components.ingest import _asset
from polyceph.scaffold.domain import write_domain
from polyceph.scaffold.federation import write_federation
from polyceph.settings import DomainProcess, Settings

HEADER = ("Id", "Town", "Born", "Amount", "Note")
ROWS = [(i, f"Liège {i}a", f"2026-01-{i % 15 + 14:02d}", f"{i}.25", f"said {i}a") for i in range(1, 31)]
CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: library.raw.{name}   # stays
name: {name}
version: 1.0.0
status: active
domain: library
team:
  members:
    - {{username: {owner}, role: owner}}
    - {{username: {steward}, role: steward}}
customProperties:
  - {{property: zone, value: raw}}
  - {{property: classification, value: internal}}
schema:
  - name: {name}
    properties:
      - {{name: id, physicalName: {id}, logicalType: integer, required: true}}   # the key
      - name: town
        physicalName: {town}   # as the town hall writes it
        logicalType: string
      - {{name: born, physicalName: {born}, logicalType: date}}
      - {{name: amount, physicalName: {amount}, logicalType: number, physicalType: "decimal(10,2)"}}
      - {{name: note, physicalName: {note}, logicalType: string}}
"""


def csv_of(header: tuple[str, ...] = HEADER, rows: Any = ROWS, *, sign: str = ";", encoding: str = "utf-8") -> bytes:
    return "".join(sign.join(map(str, row)) + "\n" for row in (header, *rows)).encode(encoding)


def column(at: int, value: Any) -> list[tuple[Any, ...]]:
    return [(*row[:at], value(i, row[at]), *row[at + 1 :]) for i, row in enumerate(ROWS)]


def book(sheet: str, rows: Any = ROWS, header: tuple[str, ...] = HEADER) -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out) as made:
        page = made.add_worksheet(sheet)
        for at, row in enumerate((header, *rows)):
            page.write_row(at, 0, row)
    return out.getvalue()


STOPS: dict[str, bytes] = {
    "added": csv_of((*HEADER, "Sexe"), [(*row, "F") for row in ROWS]),
    "removed": csv_of(HEADER[:4], [row[:4] for row in ROWS]),
    "renamed": csv_of((*HEADER[:3], "Montant", "Note")),
    "number_to_text": csv_of(rows=column(3, lambda i, _: f"about {chr(97 + i % 20)}")),
    "text_to_number": csv_of(rows=column(1, lambda i, _: 4000 + i)),
    "emptied": csv_of(rows=column(4, lambda *_: "")),
    "duplicated": csv_of((*HEADER, "Town"), [(*row, row[1]) for row in ROWS]),
    "declared_dates": csv_of(rows=column(2, lambda _, v: "/".join(reversed(v.split("-"))))),
    "declared_decimals": csv_of(rows=column(3, lambda _, v: v.replace(".", ","))),
    "sheet": book("Feuille 2026"),
    "book_added": book("Feuille", [(*row, "F") for row in ROWS], (*HEADER, "Sexe")),
}
GOES_ON: dict[str, bytes] = {
    "dates": STOPS["declared_dates"],
    "decimals": STOPS["declared_decimals"],
    "reordered": csv_of(tuple(reversed(HEADER)), [tuple(reversed(row)) for row in ROWS]),
    "encoding": csv_of(encoding="cp1252"),
    "delimiter": csv_of(sign=","),
    "respelt": csv_of(("ID", "TOWN", "Born", "Amount", "Nöte")),
    "found_sheet": book("Feuille 2026"),
}
TABLES = {
    "t_added": "ALTER TABLE t_added ADD COLUMN sex text DEFAULT 'F'",
    "t_removed": "ALTER TABLE t_removed DROP COLUMN note",
    "t_renamed": "ALTER TABLE t_renamed RENAME COLUMN amount TO montant",
    "t_respelt": 'ALTER TABLE t_respelt RENAME COLUMN amount TO "Amount"',
    "t_retyped": "ALTER TABLE t_retyped ALTER COLUMN town TYPE integer USING id::integer",
    "t_emptied": "UPDATE t_emptied SET note = NULL",
    "t_moved": "ALTER TABLE t_moved RENAME TO t_moved_2026",
}
MORE = ("ordered", "again", "killed", "unwritable", "kept", "refused")
BOOKS = ("sheet", "book_added", "found_sheet")


def good(name: str) -> bytes:
    return book("Feuille") if name in BOOKS else csv_of()


def entry(name: str) -> str:
    if name in TABLES:
        return f"- {{name: {name}, table: public.{name}}}"
    more = {
        "declared_dates": ", date_format: '%Y-%m-%d'",
        "declared_decimals": ", decimal: '.'",
        "sheet": ", sheet: Feuille",
        "ordered": ", load: diff",
    }
    return f"- {{name: {name}, path: '{name}_*.{'xlsx' if name in BOOKS else 'csv'}'{more.get(name, '')}}}   # {name} as it comes"


class Library:
    """A platform of one domain, whose files and tables the tests change."""

    def __init__(self, platform: Platform, source: psycopg.Connection[Any]) -> None:
        self.platform, self.source = platform, source
        self.folder = platform.settings.federation / "domains" / "library"
        self.owner = platform.federation.domains["library"].owner
        self.steward = platform.federation.domains["library"].steward

    def contract(self, name: str) -> Path:
        return self.folder / "contracts" / "raw" / f"{name}.odcs.yaml"

    def deliver(self, name: str, content: bytes, number: int = 1) -> None:
        path = self.folder / "sources" / f"{name}_{number}.{'xlsx' if name in BOOKS else 'csv'}"
        path.write_bytes(content)
        os.utime(path, (1_700_000_000 + number, 1_700_000_000 + number))

    def runtime(self) -> DomainRuntime:
        role = self.platform.addresses.lake("library")
        process = DomainProcess(name="library", host=role.host, port=role.port, user=role.user, password=role.password)
        return domain_runtime(self.platform.settings, process)

    def load(self, name: str) -> dg.ExecuteInProcessResult:
        """Load a dataset as its component does, in a process that reads the declarations as they are now."""
        runtime = self.runtime()
        asset = _asset(runtime, "town_hall" if name in TABLES else "deliveries", self.options(name))
        try:
            return dg.materialize([asset], instance=dg.DagsterInstance.ephemeral(), raise_on_error=False)
        finally:
            runtime.lake.close()

    def options(self, name: str) -> dict[str, Any]:
        import yaml

        document = yaml.safe_load((self.folder / "defs" / "ingest" / f"{'t' if name in TABLES else 'f'}" / "defs.yaml").read_text())
        return next(one for one in document["attributes"]["datasets"] if one["name"] == name)

    def rows(self, name: str) -> int:
        with self.platform.lake("library") as lake:
            try:
                return lake.facts(DatasetId("library", Zone.RAW, name)).rows or 0
            except NotFound:
                return 0

    def tasks(self, name: str) -> list[Drift]:
        return [one for one in drifts.drifts(self.platform, every=True) if one.sighting.dataset.name == name]

    def events(self, name: str) -> list[str]:
        found = self.platform.queries().events(EventFilter(subject_id=f"library.raw.{name}", limit=10_000))
        return [one.event.action for one in found if one.event.action.startswith("drift.")]


def failure(result: dg.ExecuteInProcessResult) -> str:
    [failed] = [event for event in result.all_events if event.is_step_failure]
    return str(failed.step_failure_data.user_failure_data.description)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    folder = Path(tempfile.mkdtemp(prefix="polyceph-test-"))
    folder.chmod(0o711)
    write_federation(folder, "drifts", ("en",))
    write_domain(folder, "library", "Library")
    home = folder / "domains" / "library"
    people = {"owner": "ada.owner", "steward": "sam.steward"}
    declared = (home / "domain.yaml").read_text()
    people = {role: declared.split(f"{role}: ")[1].split()[0] for role in people}
    for name in (*STOPS, *GOES_ON, *MORE, *TABLES):
        names = {one.casefold(): one if name not in TABLES else one.casefold() for one in HEADER}
        text = CONTRACT.format(name=name, **people, **names)
        text = text.replace("integer, required: true", "integer, required: true, primaryKey: true") if name == "ordered" else text
        (home / "contracts" / "raw" / f"{name}.odcs.yaml").write_text(text)
    for kind, source, entries in (("f", "deliveries", (*STOPS, *GOES_ON, *MORE)), ("t", "town_hall", tuple(TABLES))):
        (home / "defs" / "ingest" / kind).mkdir()
        lines = textwrap.indent("\n".join(map(entry, entries)), "    ")
        text = f"type: polyceph.orchestrate.components.Ingest\nattributes:\n  source: {source}\n  datasets:\n{lines}\n"
        (home / "defs" / "ingest" / kind / "defs.yaml").write_text(text)
    environment = "".join(f"\n    {key}: {{env: LIBRARY_{key.upper()}}}" for key in ("host", "port", "database", "user"))
    database = f"\n  town_hall:\n    connector: postgres{environment}\n    password_env: LIBRARY_PASSWORD"
    (home / "domain.yaml").write_text(declared.replace("sources:", f"sources:{database}", 1))
    platform = open_platform(Settings(federation=folder, home=folder / ".polyceph"))
    admin = platform.server.admin
    with psycopg.connect(admin.url(), autocommit=True) as session:
        session.execute("CREATE DATABASE library_source")
    for key in ("host", "port", "user"):
        os.environ[f"LIBRARY_{key.upper()}"] = str(getattr(admin, key))
    os.environ |= {"LIBRARY_DATABASE": "library_source", "LIBRARY_PASSWORD": admin.password.get_secret_value()}
    try:
        platform.provision_lakes()
        with psycopg.connect(admin.at("library_source").url(), autocommit=True) as source:
            yield Library(platform, source)
    finally:
        platform.close()
        shutil.rmtree(folder, ignore_errors=True)


def load_good(library: Library, name: str) -> None:
    if name in TABLES:
        library.source.execute(f"CREATE TABLE {name} (id bigint, town text, born date, amount numeric(10,2), note text)")
        library.source.cursor().executemany(f"INSERT INTO {name} VALUES (%s, %s, %s, %s, %s)", ROWS)
    else:
        library.deliver(name, good(name))
    result = library.load(name)
    assert result.success, failure(result)
    assert library.rows(name) == 30


def change(library: Library, name: str) -> None:
    if name in TABLES:
        library.source.execute(TABLES[name])
    else:
        library.deliver(name, {**STOPS, **GOES_ON}[name], 2)


def must_wait(library: Library, name: str) -> Drift:
    """Load twice what drifts: nothing is seen, and there is one task."""
    for _ in range(2):
        result = library.load(name)
        assert not result.success
        assert library.rows(name) == 30
        assert "waits in quarantine" in failure(result)
        assert f"{library.owner} decides" in failure(result)
        [evaluation] = result.get_asset_check_evaluations()
        assert not evaluation.passed
    [task] = library.tasks(name)
    assert library.events(name) == ["drift.found"]
    return task


@pytest.mark.parametrize("name", STOPS)
def test_a_file_that_drifts_waits_and_is_loaded_once_when_its_owner_accepts(library: Library, name: str) -> None:
    load_good(library, name)
    change(library, name)
    task = must_wait(library, name)
    [kept] = drifts.originals(library.platform, task)
    assert Path(kept).read_bytes() == STOPS[name]
    version = drifts.accept(library.platform, task.number, library.owner)
    text = library.contract(name).read_text()
    assert f"version: {version}" in text
    assert version != "1.0.0"
    assert "# stays" in text
    for _ in range(2):
        result = library.load(name)
        assert result.success, failure(result)
        assert library.rows(name) == 60
    assert library.events(name) == ["drift.found", "drift.accepted"]
    assert [one.decided_by for one in library.tasks(name)] == [library.owner]


@pytest.mark.parametrize("name", GOES_ON)
def test_the_same_written_down_otherwise_is_noted_and_goes_on(library: Library, name: str) -> None:
    load_good(library, name)
    change(library, name)
    result = library.load(name)
    assert result.success, failure(result)
    assert library.rows(name) == 60
    assert library.tasks(name) == []
    [made] = result.asset_materializations_for_node(f"library__raw__{name}")
    assert "form: " in str(made.metadata["notes"].value)


@pytest.mark.parametrize("name", TABLES)
def test_a_table_that_drifts_waits_and_is_loaded_once_a_run_when_its_owner_accepts(library: Library, name: str) -> None:
    load_good(library, name)
    change(library, name)
    task = must_wait(library, name)
    drifts.accept(library.platform, task.number, library.owner)
    result = library.load(name)
    assert result.success, failure(result)
    assert library.rows(name) == 60
    assert library.events(name) == ["drift.found", "drift.accepted"]


def test_nobody_but_the_owner_decides_and_the_attempt_is_recorded(library: Library) -> None:
    load_good(library, "refused")
    library.deliver("refused", STOPS["renamed"], 2)
    task = must_wait(library, "refused")
    before = library.contract("refused").read_bytes()
    for person in (library.steward, "nobody", None):
        with pytest.raises(Denied, match="needs the role owner") as caught:
            drifts.accept(library.platform, task.number, person)
        assert library.owner in str(caught.value.hint)
    assert library.contract("refused").read_bytes() == before
    assert library.events("refused") == ["drift.found", *["drift.refused"] * 3]
    [last] = library.platform.queries().events(EventFilter(action="drift.refused", limit=1, newest=True))
    assert (last.event.allowed, last.event.policy) == (False, "role")


def test_what_is_refused_is_never_loaded_and_what_conforms_goes_on(library: Library) -> None:
    [task] = library.tasks("refused")
    drifts.refuse(library.platform, task.number, library.owner)
    with pytest.raises(Conflict, match="is refused by"):
        drifts.accept(library.platform, task.number, library.owner)
    library.deliver("refused", csv_of(rows=ROWS[:7]), 3)
    for _ in range(2):
        result = library.load("refused")
        assert result.success, failure(result)
        assert library.rows("refused") == 37
    [made] = result.asset_materializations_for_node("library__raw__refused")
    assert made.metadata["passed on, as their owner refused them"].value == "refused_2.csv"
    # The same change in other bytes is another question.
    library.deliver("refused", csv_of((*HEADER[:3], "Montant", "Note"), ROWS[:3]), 4)
    assert not library.load("refused").success
    assert [one.state.value for one in library.tasks("refused")] == ["refused", "waiting"]


def test_a_conforming_delivery_is_loaded_while_one_waits_and_others_of_the_same_change_make_no_second_task(library: Library) -> None:
    load_good(library, "again")
    library.deliver("again", STOPS["renamed"], 2)
    library.deliver("again", csv_of((*HEADER[:3], "Montant", "Note"), ROWS[:20]), 3)
    library.deliver("again", csv_of(rows=ROWS[:5]), 4)
    result = library.load("again")
    assert not result.success
    assert library.rows("again") == 35
    [task] = library.tasks("again")
    version = drifts.map_names(library.platform, task.number, library.owner, {})
    assert version == "1.1.0"
    assert "physicalName: Montant" in library.contract("again").read_text()
    for _ in range(2):
        result = library.load("again")
        assert result.success, failure(result)
        assert library.rows("again") == 85
    assert library.events("again") == ["drift.found", "drift.mapped"]


def test_a_load_that_compares_keeps_its_order_while_one_waits(library: Library) -> None:
    load_good(library, "ordered")
    library.deliver("ordered", csv_of((*HEADER[:3], "Montant", "Note"), ROWS[:29]), 2)
    library.deliver("ordered", csv_of(rows=ROWS[:28]), 3)
    assert not library.load("ordered").success
    assert library.rows("ordered") == 30
    [task] = library.tasks("ordered")
    drifts.accept(library.platform, task.number, library.owner)
    result = library.load("ordered")
    assert result.success, failure(result)
    assert library.rows("ordered") == 32  # one row gone, then another
    with library.platform.lake("library") as lake:
        gone = lake.query("SELECT id, _origin FROM library.raw.ordered WHERE _change = 'removed' ORDER BY id").to_pylist()
    assert gone == [{"id": 29, "_origin": "ordered_3.csv"}, {"id": 30, "_origin": "ordered_2.csv"}]


def test_a_contract_that_cannot_be_written_is_as_it_was_and_the_drift_waits(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    load_good(library, "unwritable")
    library.deliver("unwritable", STOPS["added"], 2)
    task = must_wait(library, "unwritable")
    before = library.contract("unwritable").read_bytes()

    def broken(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(drifts, "apply_federation", broken)
        with pytest.raises(KeyboardInterrupt):
            drifts.accept(library.platform, task.number, library.owner)
    assert library.contract("unwritable").read_bytes() == before
    library.contract("unwritable").write_bytes(before + b"\nunknown_key: 1\n")
    with pytest.raises(Invalid):
        drifts.accept(library.platform, task.number, library.owner)
    library.contract("unwritable").write_bytes(before)
    assert [one.state.value for one in library.tasks("unwritable")] == ["waiting"]
    assert list(library.contract("unwritable").parent.glob(".*")) == []
    drifts.map_names(library.platform, task.number, library.owner, {})
    assert "ignore_columns:" in (library.folder / "defs" / "ingest" / "f" / "defs.yaml").read_text()
    assert "# unwritable as it comes" in (library.folder / "defs" / "ingest" / "f" / "defs.yaml").read_text()
    assert library.load("unwritable").success
    assert library.rows("unwritable") == 60


STEPS = ("polyceph.bootstrap.drifts._apply", "polyceph.core.usecases.drift._decide", "polyceph.bootstrap.drifts.Platform.record_drifts")


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_between_the_steps_of_a_decision_loses_nothing(library: Library, step: str) -> None:
    """The process is killed just before the step; then the decision is made again."""
    number = 2 + STEPS.index(step)
    if number == 2:
        load_good(library, "killed")
    known = library.rows("killed")
    extra = [f"Extra{at}" for at in range(number - 1)]
    library.deliver("killed", csv_of((*HEADER, *extra), [(*row, *"x" * len(extra)) for row in ROWS]), number)
    assert not library.load("killed").success
    task = library.tasks("killed")[-1]
    child = os.fork()
    if not child:
        die_before(library, step, task.number)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    # The killed process shared the pool's sockets by the fork.
    library.platform.engine.dispose()
    if step != STEPS[2]:
        drifts.accept(library.platform, task.number, library.owner)
    [done] = [one for one in library.tasks("killed") if one.number == task.number]
    assert done.state.value == "accepted"
    result = library.load("killed")
    assert result.success, failure(result)
    assert library.rows("killed") == known + 30
    assert library.load("killed").success
    assert library.rows("killed") == known + 30
    assert library.events("killed") == ["drift.found", "drift.accepted"] * (number - 1)


def die_before(library: Library, step: str, number: int) -> None:
    module, _, name = step.rpartition(".")
    calls = 0

    def die(*arguments: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        if step == STEPS[2] and calls == 1:  # the first looks for tasks, the second tells the domain
            return original(*arguments, **more)
        return os.kill(os.getpid(), signal.SIGKILL)

    target: Any = Platform if step == STEPS[2] else __import__(module, fromlist=[name])
    original = getattr(target, name)
    library.platform.engine.dispose(close=False)
    setattr(target, name, die)
    drifts.accept(library.platform, number, library.owner)
    os._exit(1)


def test_originals_in_quarantine_outlive_housekeeping(library: Library) -> None:
    from polyceph.bootstrap.lakes import maintain_lake
    from polyceph.core.model.commit import LakeCommit

    load_good(library, "kept")
    library.deliver("kept", STOPS["removed"], 2)
    task = must_wait(library, "kept")
    [path] = map(Path, drifts.originals(library.platform, task))
    os.utime(path, (1, 1))
    runtime = library.runtime()
    maintain_lake(runtime, LakeCommit("anne", "Housekeeping", "r", "c"))
    runtime.lake.close()
    assert path.read_bytes() == STOPS["removed"]


def test_a_domain_sees_and_says_its_own_alone(library: Library) -> None:
    lake = library.platform.addresses.lake("library")
    database = library.platform.addresses.databases.lake
    with psycopg.connect(lake.at(database).url(), autocommit=True) as session:
        for statement in (
            "SELECT * FROM polyceph_evidence.drift",
            "UPDATE polyceph_evidence.drift SET state = 'accepted'",
            "INSERT INTO polyceph_evidence.drift (body, state) VALUES ('{}', 'accepted')",
            "DELETE FROM polyceph_evidence.drift",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(statement)
        known = len(drifts.drifts(library.platform, every=True))
        session.execute("INSERT INTO polyceph_evidence.drift (body) VALUES ('{\"dataset\": \"museum.raw.x\"}'), ('[]')")
    assert len(drifts.drifts(library.platform, every=True)) == known
