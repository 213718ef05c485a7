"""A dossier made from a real store: what is in the zip, that it is proven, and that making it stands in the journal."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

sys.path.insert(0, str(Path(__file__).parent))
from journals import ANNE, mighty, opened

from polyceph.bootstrap.dossier import Wanted, dossier_from
from polyceph.bootstrap.journal import PlatformJournal
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.event import Actor, ActorKind, Event, EventFilter
from polyceph.core.model.federation import Federation
from polyceph.core.model.head import parse_head, parse_note
from polyceph.core.model.tree import includes, leaf_hash
from polyceph.core.ports import RunOutcome, RunRequest, SnapshotRecord
from polyceph.core.usecases import journal as journals
from polyceph.core.usecases import runs
from polyceph.core.usecases.evidence import record_snapshots
from polyceph.core.usecases.federation import apply_federation
from polyceph.errors import Invalid, Misconfigured, NotFound
from polyceph.settings import PostgresAddress
from polyceph.store.queries import PostgresQueries
from polyceph.store.unit_of_work import PostgresUnitOfWork

SCHOOLS = "education.gold.schools"
OTHER = "education.gold.canary"
SCRIPT = "<script>alert('x')</script>"


@pytest.fixture
def federation(make_federation: Callable[..., Federation]) -> Federation:
    """Schools and a canary, which no dossier of the schools may show; culture reads both."""
    made = make_federation(SCHOOLS, OTHER, "culture.gold.museums")
    consumed = tuple(DatasetId("education", Zone.GOLD, name) for name in ("schools", "canary"))
    return replace(made, domains={**made.domains, "culture": replace(made.domains["culture"], consumes=consumed)}, languages=("fr", "en"))


@pytest.fixture
def journal(store: Engine, tmp_path: Path, federation: Federation) -> PlatformJournal:
    """A journal with declarations applied, a run of everything, a snapshot and reads of both datasets."""
    made = opened(store, tmp_path, federation)
    work, queries = PostgresUnitOfWork(store), PostgresQueries(store)
    apply_federation(work, queries, federation, actor=ANNE, commit="c1")
    changed = replace(
        federation, digest="d2", domains={**federation.domains, "culture": replace(federation.domains["culture"], consumes=())}
    )
    apply_federation(work, queries, changed, actor=ANNE, commit="c2")
    request = RunRequest("request-1", "education", ANNE)
    runs.request_run(work, request)
    runs.launch_run(work, request, "run-1", actor=ANNE)
    runs.finish_run(work, request, RunOutcome("run-1", "education", "FAILURE", 3.5, 4, 1), actor=ANNE)
    extra = {"run": "run-1", "code": "c9", "door": "dagster", "contracts": {SCHOOLS: "1.0.0"}}
    record_snapshots(
        work, [SnapshotRecord("education", 7, datetime.now(UTC), "domain_education", "build", extra, "inserted_into_table:41")]
    )  # fmt: skip
    read(store, SCHOOLS, after={"columns": ["town"], "rows": 12}, purpose="planning")
    read(store, OTHER, after={"columns": ["town"], "rows": 13})
    read(store, SCHOOLS, action="read.refused", allowed=False, policy="purpose", reason=SCRIPT, after={"columns": ["=1+1"]})
    return made


def read(store: Engine, dataset: str, **event: Any) -> None:
    """Record a read by a domain's service."""
    given = {"actor": Actor(ActorKind.SERVICE, "domain:culture", "bart"), "door": "lake", "action": "dataset.read", **event}
    with PostgresUnitOfWork(store) as work:
        work.record(Event(subject_kind="dataset", subject_id=dataset, domain="education", **given))
        work.commit()


def make(journal: PlatformJournal, out: Path, dataset: str = SCHOOLS, **period: datetime) -> dict[str, bytes]:
    """Make a dossier of this day and return the files in it."""
    now = datetime.now(UTC)
    wanted = Wanted(dataset, period.get("since", now - timedelta(hours=1)), period.get("until", now + timedelta(hours=1)), out)
    dossier_from(journal, wanted, numbers=lambda _: frozenset({41}), actor=ANNE)
    with zipfile.ZipFile(out) as file:
        return {name: file.read(name) for name in file.namelist()}


@pytest.fixture
def files(journal: PlatformJournal, tmp_path: Path) -> dict[str, bytes]:
    return make(journal, tmp_path / "dossier.zip")


@pytest.fixture
def told(files: dict[str, bytes]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(files["dossier.json"])
    return found


def test_it_tells_what_was_recorded_through_the_use_cases(told: dict[str, Any]) -> None:
    readers = [(one["as"], one["who"], one["until"] is None, bool(one["began_event"])) for one in told["readers"]]
    assert readers == [
        ("domain", "education", True, True),
        ("owner", "anne.dupont", True, True),
        ("steward", "marc.leroy", True, True),
        ("consumer", "culture", False, True),
    ]
    by_number = {one["number"]: one["action"] for one in told["events"]}
    sections = {name: [by_number[number] for number in numbers] for name, numbers in told["sections"].items()}
    assert sections == {
        "readers": ["consumption.declared", "dataset.added", "consumption.withdrawn"],
        "accesses": ["dataset.read"],
        "untold": [],
        "refusals": ["read.refused"],
        "decisions": ["read.refused"],
        "answering": ["dataset.added"],
        "contracts": ["dataset.added"],
        "runs": ["run.requested", "run.launched", "run.finished"],
        "code": ["consumption.declared", "dataset.added", "consumption.withdrawn", "snapshot.committed"],
        "snapshots": ["snapshot.committed"],
        "incidents": ["run.requested", "run.launched", "run.finished"],
        "reviews": [],
        "others": [],
    }
    assert [one["commit"] for one in told["code"]] == ["c1", "c2", "c9"]
    assert told["snapshots"][0]["changed"] is True
    assert told["standing"]["contract"] == "1.0.0"
    assert told["verification"]["whole"] is True
    assert {one["subject_id"] for one in told["events"]} == {SCHOOLS, "request-1", "education@7"}


def test_nothing_of_another_dataset_is_in_any_file(files: dict[str, bytes]) -> None:
    # What a run of everything or a snapshot says is about the whole domain; these say nothing of the canary by name.
    assert [name for name, data in files.items() if b"canary" in data] == []


def test_the_manifest_names_every_file_with_its_digest(files: dict[str, bytes]) -> None:
    lines = files.pop("manifest.sha256").decode().splitlines()
    assert lines == [f"{hashlib.sha256(files[name]).hexdigest()}  {name}" for name in sorted(files)]
    assert {"index.html", "dossier.json", "README.txt", "key.txt", "proofs.bundle", "contracts/1.0.0-abc.json"} <= files.keys()


def test_every_event_shown_is_proven_in_the_bundle(files: dict[str, bytes], told: dict[str, Any], journal: PlatformJournal) -> None:
    proven = dict(_proven(files["proofs.bundle"]))
    assert set(proven) == {one["index"] for one in told["events"]}
    for one in told["events"]:
        leaf = proven[one["index"]]
        assert (leaf["seq"], leaf["event"]["action"]) == (one["number"], one["action"])
        assert leaf["event"]["subject"]["id"] == one["subject_id"]
    assert files["key.txt"].decode().strip() == journal.log.keys()[0].key


def _proven(bundle: bytes) -> Iterator[tuple[int, dict[str, Any]]]:
    lines = bundle.decode().splitlines()
    (head,) = [parse_head(parse_note(json.loads(line)["head"]).text) for line in lines if line.startswith('{"head"')]
    for line in lines:
        if not line.startswith("{"):
            index, _, proof, leaf = line.split(" ", 3)
            data = base64.b64decode(proof) if proof != "-" else b""
            assert includes(
                head.root, head.size, int(index), leaf_hash(leaf.encode()), [data[at : at + 32] for at in range(0, len(data), 32)]
            )
            yield int(index), json.loads(leaf)


def test_the_text_of_a_contract_that_was_applied_is_found_in_git(store: Engine, tmp_path: Path, federation: Federation) -> None:
    file = tmp_path / "domains" / "education" / "contracts" / "schools.odcs.yaml"
    file.parent.mkdir(parents=True)
    for text in ("first", "second"):
        file.write_text(text)
        for arguments in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b.example", "commit", "-qm", text]):
            subprocess.run(["git", "-C", str(tmp_path), *arguments], check=True)
    file.write_text("third, not committed")
    journal = opened(store, tmp_path, federation)
    for version, text in (("1.0.0", "first"), ("2.0.0", "third, not committed"), ("../3.0.0", "never seen")):
        education = federation.domains["education"]
        dataset = DatasetId("education", Zone.GOLD, "schools")
        contract = education.datasets[dataset].contract
        assert contract
        contract = replace(contract, version=version, digest=hashlib.sha256(text.encode()).hexdigest())
        datasets = {**education.datasets, dataset: replace(education.datasets[dataset], contract=contract)}
        applied = replace(federation, digest=version, domains={**federation.domains, "education": replace(education, datasets=datasets)})
        apply_federation(PostgresUnitOfWork(store), PostgresQueries(store), applied, actor=ANNE, commit="uncommitted")

    found = {name: data for name, data in make(journal, tmp_path / "x.zip").items() if name.startswith("contracts/")}
    names = [re.sub("-[0-9a-f]{12}", "", name) for name in sorted(found, key=lambda one: one.replace("_", "~"))]
    assert names == [
        "contracts/1.0.0.json", "contracts/1.0.0.odcs.yaml", "contracts/2.0.0.json", "contracts/2.0.0.odcs.yaml", "contracts/_3.0.0.json",
    ]  # fmt: skip
    assert [data.decode() for name, data in found.items() if name.endswith(".yaml")] == ["first", "third, not committed"]


class _Page(HTMLParser):
    """Checks that tags close in order, and keeps what the tests ask about."""

    VOID = frozenset({"meta", "br", "hr", "img", "link", "input", "col", "wbr"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_the_page_is_well_formed_in_the_federations_language_and_stands_alone(files: dict[str, bytes]) -> None:
    html = files["index.html"].decode()
    page = _Page()
    page.feed(html)
    assert page.open == []
    assert page.all("html") == [{"lang": "fr"}]
    assert len(page.all("h1")) == 1
    assert len(page.all("table")) == len(page.all("caption")) == len(page.all("thead")) > 8
    assert all(one.get("scope") == "col" for one in page.all("th"))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert all(str(one["href"]).startswith("#") and str(one["href"])[1:] in ids for one in page.all("a"))
    assert not page.all("script") + page.all("link") + page.all("img")
    assert "http" not in html.replace('http-equiv="', "")
    assert "url(" not in html


def test_the_page_shows_what_was_said_and_executes_nothing_of_it(files: dict[str, bytes]) -> None:
    html = files["index.html"].decode()
    page = _Page()
    page.feed(html)
    assert SCRIPT not in html
    assert SCRIPT in page.text


def test_every_event_carries_its_number_and_its_index_on_the_page(files: dict[str, bytes], told: dict[str, Any]) -> None:
    html = files["index.html"].decode()
    for one in told["events"]:
        assert f'<tr id="e{one["number"]}"' in html
        if one["number"] in told["sections"]["accesses"]:
            assert f'<a href="#e{one["number"]}">{one["number"]}</a><i>·{one["index"]}</i>' in html


def test_tables_open_in_a_spreadsheet_and_start_no_formula(files: dict[str, bytes]) -> None:
    rows = list(csv.DictReader(io.StringIO(files["tables/refusals.csv"].decode("utf-8-sig"))))
    assert [(one["action"], one["reason"]) for one in rows] == [("read.refused", SCRIPT)]
    assert not [row for one in files if one.endswith(".csv") for row in files[one].decode().splitlines() if row.startswith(("=", "+", "@"))]


def test_making_it_is_recorded_with_the_digest_of_the_file_and_not_in_it(
    files: dict[str, bytes], told: dict[str, Any], store: Engine, tmp_path: Path
) -> None:
    (made,) = PostgresQueries(store).events(EventFilter(action="dossier.exported"))
    after = dict(made.event.after or {})
    assert (made.event.subject_id, made.event.actor) == (SCHOOLS, ANNE)
    assert after["sha256"] == hashlib.sha256((tmp_path / "dossier.zip").read_bytes()).hexdigest()
    assert (after["events"], after["whole"], after["since"]) == (len(told["events"]), True, told["period"]["since"])
    assert "dossier.exported" not in {one["action"] for one in told["events"]}


def test_the_same_dossier_is_the_same_bytes_but_for_when_it_was_made(journal: PlatformJournal, tmp_path: Path) -> None:
    since, until = datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC)
    first, second = (make(journal, tmp_path / name, since=since, until=until) for name in ("1.zip", "2.zip"))
    assert {name for name in first if first[name] != second[name]} == {"index.html", "dossier.json", "proofs.bundle", "manifest.sha256"}
    one, two = (json.loads(files["dossier.json"]) for files in (first, second))
    assert {key for key in one if one[key] != two[key]} == {"made", "journal", "verification"}


def test_what_comes_after_a_review_shows_as_unreviewed(journal: PlatformJournal, store: Engine, tmp_path: Path) -> None:
    journal.seal(at_once=True)
    day = datetime.now(UTC)
    auditor = Actor(ActorKind.PERSON, "ada.auditor")
    journals.review_period(
        PostgresUnitOfWork(store), journal.log, day - timedelta(days=1), day + timedelta(days=1), actor=auditor, note="looked at all"
    )  # fmt: skip
    read(store, SCHOOLS, after={"rows": 99})

    files = make(journal, tmp_path / "reviewed.zip")
    told = json.loads(files["dossier.json"])
    late = [one for one in told["events"] if not one["reviewed_by"] and one["action"] != "period.reviewed"]
    assert [one["after"] for one in late] == [{"rows": 99}]
    assert told["summary"]["unreviewed"] == 1
    assert len(told["sections"]["reviews"]) == 1
    assert b"looked at all" in files["index.html"]
    heads = [line for line in files["proofs.bundle"].decode().splitlines() if line.startswith('{"head"')]
    assert len(heads) == 2, "the head of the review is there too, with the proof that the journal still begins with it"


def test_a_period_in_which_nothing_happened_says_so(journal: PlatformJournal, tmp_path: Path) -> None:
    day = datetime.now(UTC)
    files = make(journal, tmp_path / "empty.zip", since=day + timedelta(days=1), until=day + timedelta(days=2))
    told = json.loads(files["dossier.json"])
    assert told["summary"]["events_of_period"] == 0
    assert [one["who"] for one in told["readers"]] == ["education", "anne.dupont", "marc.leroy"]
    files = make(journal, tmp_path / "before.zip", since=day - timedelta(days=2), until=day - timedelta(days=1))
    assert json.loads(files["dossier.json"])["events"] == []
    assert "Rien n'a été enregistré" in files["index.html"].decode().replace("&#39;", "'")


def test_a_dataset_that_never_was_is_refused_with_the_nearest_names(journal: PlatformJournal, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"education\.gold\.scools") as caught:
        make(journal, tmp_path / "x.zip", "education.gold.scools")
    assert caught.value.hint
    assert SCHOOLS in caught.value.hint
    with pytest.raises(NotFound) as caught:
        make(journal, tmp_path / "x.zip", "schools")
    assert caught.value.hint == f"did you mean {SCHOOLS}?"
    assert not (tmp_path / "x.zip").exists()


def test_a_dataset_that_is_declared_no_more_has_its_dossier(
    journal: PlatformJournal, store: Engine, make_federation: Callable[..., Federation], tmp_path: Path
) -> None:
    less = make_federation("culture.gold.museums", digest="d3")
    apply_federation(PostgresUnitOfWork(store), PostgresQueries(store), less, actor=ANNE, commit="c3")
    told = json.loads(make(journal, tmp_path / "gone.zip")["dossier.json"])
    assert told["standing"]["owner"] is None
    assert all(one["until"] for one in told["readers"])


def test_a_period_that_ends_before_it_begins_is_refused(journal: PlatformJournal, tmp_path: Path) -> None:
    day = datetime.now(UTC)
    with pytest.raises(Invalid, match="before it begins"):
        make(journal, tmp_path / "x.zip", since=day, until=day)


def test_an_existing_file_is_left_alone(journal: PlatformJournal, store: Engine, tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"mine")
    with pytest.raises(Misconfigured, match="exists"):
        make(journal, tmp_path / "x.zip")
    assert (tmp_path / "x.zip").read_bytes() == b"mine"
    assert not PostgresQueries(store).events(EventFilter(action="dossier.exported"))


def test_a_journal_that_was_altered_says_so_on_the_first_page(
    journal: PlatformJournal, store: Engine, postgres: PostgresAddress, store_app: PostgresAddress, tmp_path: Path
) -> None:
    journal.seal(at_once=True)
    with mighty(postgres, store_app.database) as connection:
        connection.execute("UPDATE polyceph.event SET body = replace(body::text, '\"rows\":12', '\"rows\":11')::json")
    files = make(journal, tmp_path / "altered.zip")
    told = json.loads(files["dossier.json"])
    assert told["verification"]["whole"] is False
    assert told["verification"]["first_bad"] is not None
    assert "n'est PAS intact" in files["index.html"].decode().replace("&#39;", "'")


def test_an_event_whose_datasets_are_one_text_hinders_nobody(journal: PlatformJournal, store: Engine, tmp_path: Path) -> None:
    read(store, OTHER, action="journal.exported", after={"datasets": "all of them"})
    assert "dossier.json" in make(journal, tmp_path / "text.zip")
