"""Completeness: every command leaves exactly the events it should, when it succeeds, is refused or is killed.

A command that is not walked fails the test, and so does an event that is missing or was not expected.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import typer

from polyceph.bootstrap.platform import join_platform
from polyceph.cli.main import app
from polyceph.core.model.event import EventFilter
from polyceph.settings import Settings

Command = Callable[..., Any]
Answer = Callable[[Any], Any]

ELSEWHERE = {"demo": "up, run and down on generated sources, walked here; tests/e2e/test_demo.py looks at its runs and reads"}
"""Commands that another test walks."""
FIRST_START = Counter(
    {
        "journal.opened": 1, "platform.started": 1, "federation.applied": 1, "domain.added": 1, "source.added": 1, "person.added": 2,
        "dataset.added": 5, "snapshot.committed": 2,
    }
)  # fmt: skip
ASKED = Counter({"run.requested": 1, "change.asked": 1, "change.ended": 1, "run.launched": 1, "run.finished": 1})
"""Of every run: that somebody wants it, that the platform asks Dagster for it and how that ended, which run it is, how it ended."""
RUN = ASKED + Counter({"snapshot.committed": 5, "dataset.served": 1})


class Walk:
    """Runs commands one after the other and tells which events each left."""

    def __init__(self, folder: Path, polyceph: Command) -> None:
        self._folder, self._polyceph = folder, polyceph
        self._seen = 0
        self.walked: set[str] = set()

    def __call__(self, *arguments: str, code: int = 0, given: str | None = None) -> Counter[str]:
        words = [word for word in arguments if not word.startswith("-")]
        self.walked |= {" ".join(words[:number]) for number in (1, 2)}
        done = self._polyceph(*arguments, **({"given": given} if given else {}))
        assert done.returncode == code, f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return self.news()

    def news(self, *, settle: Counter[str] | None = None) -> Counter[str]:
        """Return the actions recorded since the last call; recorders that go by themselves are waited for until `settle` is there."""
        end = time.monotonic() + 40
        while True:
            queries = join_platform(Settings(federation=self._folder)).queries()
            events = queries.events(EventFilter(after=self._seen, limit=100_000))
            found = Counter(one.event.action for one in events)
            if settle is None or not settle - found or time.monotonic() > end:
                self._seen = events[-1].number if events else self._seen
                return found
            time.sleep(1)


@pytest.fixture(scope="module")
def walk(folder: Path, polyceph: Command) -> Walk:
    return Walk(folder, polyceph)


def commands(command: click.Command, path: str = "") -> Iterator[str]:
    """Yield every command of the command line by its words."""
    children = getattr(command, "commands", {})
    if not children:
        yield path
    for name, child in children.items():
        yield from commands(child, f"{path} {name}".strip())


def test_commands_on_files_alone_leave_no_event_for_there_is_no_journal_yet(walk: Walk, folder: Path, polyceph: Command) -> None:
    for arguments in (
        ("init", str(folder), "--name", "walked"),
        ("domain", "new", "culture"),
        ("check", "--json"),
        ("schema", "--out", str(folder / ".schemas")),
        ("connector", "list"),
        ("connector", "show", "files"),
        ("domain", "install", "culture"),
        ("connector", "test", "culture/deliveries"),
        ("source", "add", "culture/deliveries", "--table", "visits.csv", "--as", "visits_again", "--dry-run"),
        ("status",),
        ("rights", "show", "--role", "analyst", "--json"),
        ("rights", "explain", "--person", "ada.owner", "--action", "drift.decide", "--domain", "culture"),
        ("secret", "set", "culture", "VISITS_PASSWORD"),
        ("secret", "list", "culture"),
        ("secret", "remove", "culture", "VISITS_PASSWORD"),
    ):
        words = [word for word in arguments if not word.startswith("-")]
        walk.walked |= {" ".join(words[:number]) for number in (1, 2)}
        done = polyceph(*arguments, given="canary", POLYCEPH_KEYRING__PASSPHRASE="a passphrase of some length")
        assert done.returncode == 0, (arguments, done.stderr)
        assert "canary" not in done.stdout + done.stderr
    assert not (folder / ".polyceph" / "secrets" / "roles.json").exists()
    (folder / ".polyceph" / "secrets" / "culture.keyring").unlink()  # what follows starts without a passphrase


def test_a_first_start_is_recorded_whole(walk: Walk, polyceph: Command) -> None:
    done = polyceph("up", "--detach")
    assert done.returncode == 0, done.stderr
    walk.walked.add("up")
    assert walk.news(settle=FIRST_START) == FIRST_START


def test_commands_that_change_and_read_nothing_leave_no_event(walk: Walk) -> None:
    for arguments in (
        ("status", "--json"),
        ("check",),
        ("schema", "domain"),
        ("connector", "list"),
        ("journal", "key"),
        ("journal", "heads"),
    ):
        assert walk(*arguments) == Counter(), arguments


def test_a_run_is_recorded_with_what_it_made_and_read(walk: Walk) -> None:
    assert walk("run", "culture", "--json") == RUN


def test_a_run_of_what_is_not_declared_is_refused_in_the_journal(walk: Walk) -> None:
    assert walk("run", "nobody", code=3) == Counter({"run.refused": 1})


def test_a_run_that_fails_is_recorded_with_its_end(walk: Walk, folder: Path) -> None:
    source = folder / "domains/culture/sources/visits.csv"
    good = source.read_text()
    source.write_text("no,such,columns\n1,2,3\n")
    assert walk("run", "culture/raw.visits", code=1) == ASKED
    source.write_text(good)


def test_drift_is_found_and_decided_on(walk: Walk, folder: Path, polyceph: Command, answer: Answer) -> None:
    source = folder / "domains/culture/sources/visits.csv"
    good = source.read_text()
    failed = ASKED + Counter({"drift.found": 1})
    decided = {
        "refuse": Counter({"drift.refused": 1}),
        "map": Counter({"drift.mapped": 1, "federation.applied": 1, "contract.changed": 1}),
        "accept": Counter({"drift.accepted": 1, "federation.applied": 1, "contract.changed": 1, "column.added": 1}),
    }
    changes = {
        "refuse": good.replace("Commune", "Gemeente", 1),
        "map": good.replace("Commune", "Gemeinde", 1) + "2026-01-07;Namur;1\n",
        "accept": good.replace("Visiteurs", "Visiteurs;Météo", 1).replace("\n2", ";sec\n2").rstrip("\n").replace("Météo;sec", "Météo")
        + ";sec\n",
    }
    for verb, content in changes.items():
        source.write_text(content)
        assert walk("run", "culture/raw.visits", code=1) == failed, verb
        [waiting] = answer(polyceph("drift", "list", "--json"))["drifts"]
        assert (waiting["dataset"], waiting["state"]) == ("culture.raw.visits", "waiting")
        number = str(waiting["number"])
        assert walk("drift", "list") == walk("drift", "show", number, "--json") == Counter()
        assert walk("drift", verb, number, code=4) == Counter({"drift.refused": 1}), "the system's user is no owner"
        assert walk("drift", verb, number, "--as", "ada.owner") == decided[verb], verb
        assert walk("drift", verb, number, "--as", "ada.owner", code=5) == Counter()
        if verb == "map":
            assert walk("run", "culture/raw.visits")["run.finished"] == 1
            assert answer(polyceph("drift", "show", number, "--json"))["decided_by"] == "ada.owner"
            good = good.replace("Commune", "Gemeinde", 1)
            changes["accept"] = changes["accept"].replace("Commune", "Gemeinde", 1)
    assert walk("drift", "show", "99999", code=3) == Counter()
    assert walk("drift", "map", "1", "--column", "town", code=2) == Counter()
    assert walk("run", "culture/raw.visits", "--json")["run.finished"] == 1
    source.write_text(good)


def test_emergency_access_is_opened_and_closed_loudly(walk: Walk, polyceph: Command, answer: Answer) -> None:
    reason = ("--reason", "the nightly load fails on a row nobody can see")
    assert walk("emergency", "open", "culture", *reason, code=4) == Counter({"emergency.refused": 1}), "the system's user has no role"
    assert walk("emergency", "open", "culture", "--as", "ada.owner", "--reason", "because", code=2) == Counter()
    assert walk("emergency", "open", "culture", "--as", "ada.owner", "--hours", "5", *reason, code=2) == Counter()
    assert walk("emergency", "open", "culture", "--as", "ada.owner", *reason) == Counter({"emergency.opened": 1})
    assert walk("emergency", "open", "culture", "--as", "ada.owner", *reason, code=5) == Counter()
    assert walk("emergency", "list") == Counter()
    [lasting] = answer(polyceph("emergency", "list", "--json"))["emergencies"]
    assert (lasting["domain"], lasting["person"], lasting["alone"], lasting["state"]) == ("culture", "ada.owner", True, "open")
    [shown] = answer(polyceph("status", "--json"))["emergencies"]
    assert shown.startswith("ada.owner in culture until ")
    number = str(lasting["number"])
    assert walk("emergency", "close", number, code=4) == Counter({"emergency.refused": 1})
    assert walk("emergency", "close", number, "--as", "ada.owner", "--json") == Counter({"emergency.closed": 1})
    assert walk("emergency", "close", number, "--as", "ada.owner", code=5) == Counter()
    assert walk("emergency", "close", "99", "--as", "ada.owner", code=3) == Counter()


def test_looking_proving_and_exporting_are_recorded(walk: Walk, folder: Path) -> None:
    out = folder / "out"
    for arguments, expected in (
        (("journal", "show", "--json"), "journal.read"),
        (("journal", "verify", "--json"), "journal.verified"),
        (("journal", "prove", "1", "--to", str(out / "one.bundle")), "journal.exported"),
        (("journal", "export", str(out / "all.bundle")), "journal.exported"),
        (("journal", "export", str(out / "all.parquet")), "journal.exported"),
        (("journal", "export", str(out / "refused.csv"), "--outcome", "refused"), "journal.exported"),
        (("journal", "review", "--since", "2026-01-01", "--until", "2100-01-01"), "period.reviewed"),
        (("journal", "key", "--rotate"), "journal_key.rotated"),
        (
            ("dossier", "culture.gold.visits_by_town", "--from", "2026-01-01", "--to", "2100-01-01", "--out", str(out / "d.zip")),
            "dossier.exported",
        ),
    ):
        assert walk(*arguments) == Counter({expected: 1}), arguments
    assert walk("journal", "pseudonym", given="85073003328\n") == Counter({"pseudonym.made": 1})
    assert walk("journal", "pseudonym", "--destroy", "article 17", given="85073003328\n") == Counter({"pseudonym.destroyed": 1})


def test_sealing_and_witnessing_leave_no_event_for_they_change_nothing_that_happened(walk: Walk, folder: Path) -> None:
    key = str(folder / "culture.key")
    for arguments in (
        ("journal", "seal"),
        ("journal", "keep", str(folder / "elsewhere")),
        ("journal", "witness", "culture", "--key", key),
        ("journal", "cosign", str(folder / "elsewhere"), "--key", key),
        ("journal", "consistency", "1", "9"),
    ):
        assert walk(*arguments) == Counter(), arguments


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("journal", "prove", "99999"), 3),
        (("journal", "export", "x.docx"), 2),
        (("journal", "show", "--outcome", "perhaps"), 2),
        (("journal", "show", "--since", "yesterday"), 2),
        (("journal", "review", "--since", "2026-02-01", "--until", "2026-01-01"), 2),
        (("journal", "archive", "--before", "2000-01-01", "--to", "x.bundle"), 3),
        (("journal", "consistency", "5", "2"), 2),
        (("journal", "pseudonym", "--destroy", "article 17"), 3),
        (("dossier", "culture.gold.nothing", "--from", "2026-01-01", "--to", "2100-01-01"), 3),
        (("up",), 5),
        (("connector", "show", "nothing"), 3),
        (("secret", "list", "culture"), 7),
        (("secret", "set", "nobody", "A"), 3),
        (("secret", "remove", "nobody", "A"), 3),
        (("connector", "test", "culture/nothing"), 3),
        (("source", "add", "culture/deliveries", "--table", "nothing.csv"), 3),
        (("schema", "nothing"), 3),
        (("rights", "show", "--role", "analist"), 3),
        (("rights", "explain", "--action", "run.lunch"), 3),
        (("rights", "explain", "--action", "run.launch", "--domain", "nobody"), 3),
        (("rights", "explain", "--action", "run.launch", "--domain", "culture", "--person", "ada.owner"), 0),
        (("rights", "explain", "--action", "run.delete", "--domain", "culture", "--person", "ada.owner"), 4),
    ],
)
def test_what_cannot_be_understood_leaves_no_event(walk: Walk, arguments: tuple[str, ...], code: int) -> None:
    given = "nobody\n" if "pseudonym" in arguments else None
    assert walk(*arguments, code=code, given=given) == Counter()


def test_service_identities_are_recorded_and_no_token_is(walk: Walk, answer: Answer, polyceph: Command) -> None:
    rights = ("--owner", "ada.owner", "--role", "culture=engineer", "--scope", "run.view")
    assert walk("identity", "create", "culture-ci", *rights, "--json") == Counter({"identity.created": 1})
    assert walk("identity", "list") == Counter()
    token = answer(polyceph("identity", "rotate", "culture-ci", "--overlap", "1", "--json"))["token"]
    assert walk.news() == Counter({"identity.rotated": 1})
    walk.walked.add("identity rotate")
    assert token not in polyceph("identity", "list", "--json").stdout + polyceph("journal", "show", "--json").stdout
    walk.news()
    assert walk("identity", "create", "culture-ci", *rights, code=5) == Counter()
    assert walk("identity", "create", "other", "--owner", "ada.ownr", *rights[2:], code=2) == Counter()
    assert walk("identity", "create", "other", *rights[:2], "--role", "culture=owner", *rights[4:], code=2) == Counter()
    assert walk("identity", "create", "other", *rights[:4], "--scope", "run.lunch", code=2) == Counter()
    assert walk("identity", "revoke", "culture-ci", "--reason", "test") == Counter({"identity.revoked": 1})
    assert walk("identity", "revoke", "culture-ci") == Counter()
    assert walk("identity", "revoke", "nothing", code=3) == Counter()


def test_a_new_link_to_the_local_account_is_recorded_and_is_not_in_the_journal(walk: Walk, answer: Answer, polyceph: Command) -> None:
    link = answer(polyceph("account", "reset", "--json"))["link"]
    assert sum(walk.news().values()) == 1
    assert walk("account", "reset", "--as", "ada.owner") == Counter({"account.reset": 1})
    assert walk("account", "reset", "--as", "nobody", code=3) == Counter()
    assert link.startswith("http://127.0.0.1:")
    assert link.rpartition("/")[2] not in polyceph("journal", "show", "--json").stdout
    walk.news()


def test_archiving_is_recorded(walk: Walk, folder: Path) -> None:
    assert walk("journal", "archive", "--before", "2100-01-01", "--to", str(folder / "old.bundle")) == Counter({"journal.archived": 1})


def test_stop_start_kill_and_refusals_are_recorded(walk: Walk, folder: Path, polyceph: Command, answer: Answer) -> None:
    walk.walked.add("down")
    assert polyceph("down").returncode == 0
    assert polyceph("up", "--detach").returncode == 0
    assert walk.news() == Counter({"platform.stopped": 1, "platform.started": 1})
    os.kill(answer(polyceph("status", "--json"))["pid"], signal.SIGKILL)
    declared = folder / "federation.yaml"
    good = declared.read_text()
    declared.write_text(good + "unknown: key\n")
    assert polyceph("up", "--detach").returncode != 0
    declared.write_text(good)
    contract = folder / "domains/culture/domain.yaml"
    sound = contract.read_text()
    polyceph("domain", "new", "sport")
    contract.write_text(sound.replace("ada.owner", "nobody"))
    assert polyceph("up", "--detach").returncode == 0
    added = Counter({"federation.applied": 1, "domain.added": 1, "source.added": 1, "dataset.added": 5, "snapshot.committed": 2})
    expected = Counter({"federation.refused": 1, "platform.started": 1, "domain.refused": 1}) + added
    assert walk.news(settle=expected) == expected


def test_every_command_was_walked(walk: Walk) -> None:
    assert set(commands(typer.main.get_command(app))) - walk.walked == set(ELSEWHERE)
