"""Every tutorial is executed as a reader would: its files are written, its commands run, their output compared.

A block ```` ```console ```` holds commands after `$ ` and below each what it prints: `…` stands for anything, blanks count once. A block
whose first line says `file=PATH` is a file that the reader saves. A command that fails ends the tutorial unless it says `|| …` itself.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

TUTORIALS = Path(__file__).parents[2] / "docs" / "tutorials"
_FENCE = re.compile(r"^```(?P<info>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_SHELLS = {"console", "sh", "bash", "shell"}


@dataclass(frozen=True)
class Save:
    """A file the reader saves, relative to the folder she is in."""

    line: int
    path: str
    text: str


@dataclass(frozen=True)
class Command:
    """A command and the pieces its output must show, in this order."""

    line: int
    text: str
    shown: tuple[str, ...]


def steps(markdown: str) -> Iterator[Save | Command]:
    """Yield what a reader does, in order."""
    for block in _FENCE.finditer(markdown):
        line = markdown.count("\n", 0, block.start()) + 1
        language, _, rest = block["info"].strip().partition(" ")
        if rest.startswith("file="):
            yield Save(line, rest.removeprefix("file="), block["body"])
        elif language == "console":
            yield from _console(block["body"], line)
        elif language in _SHELLS:
            yield Command(line, block["body"], ())


def _console(body: str, line: int) -> Iterator[Command]:
    for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        pieces = (" ".join(piece.split()) for row in shown.splitlines() for piece in row.split("…"))
        yield Command(line, command, tuple(piece for piece in pieces if piece))


def unseen(shown: tuple[str, ...], output: str) -> str | None:
    """Return the first piece that the output does not show after the ones before it."""
    text, at = " ".join(output.split()), 0
    for piece in shown:
        found = text.find(piece, at)
        if found < 0:
            return piece
        at = found + len(piece)
    return None


class Reader:
    """Somebody at a shell: the folder she is in outlives each command."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("POLYCEPH_")} | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "POLYCEPH_WEB__PORT": "0",  # any free port: another federation may run on this machine
            "COLUMNS": "200",
        }

    def run(self, command: str) -> tuple[int, str]:
        """Run a command; return its exit code and all it printed."""
        where = self.folder / ".where"
        script = f"set -eo pipefail\n{command}\npwd >'{where}'"
        # Output goes to a file: a background process that keeps a pipe open would keep us waiting.
        with (self.folder.parent / "output").open("w+", encoding="utf-8") as out:
            done = subprocess.run(["bash", "-c", script], cwd=self.folder, env=self._environment, stdout=out, stderr=out, timeout=600)
            out.seek(0)
            text = out.read()
        if where.exists():
            moved = Path(where.read_text(encoding="utf-8").strip())
            where.unlink()
            self.folder = moved
        return done.returncode, text


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    folder = tmp_path / "work"
    folder.mkdir()
    somebody = Reader(folder)
    yield somebody
    for federation in {path.parent for path in folder.rglob("federation.yaml")}:
        subprocess.run([Path(sys.executable).parent / "polyceph", "--federation", federation, "down"], capture_output=True, timeout=60)


def _do(reader: Reader, step: Save | Command) -> None:
    if isinstance(step, Save):
        path = reader.folder / step.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(step.text, encoding="utf-8")
        return
    code, output = reader.run(step.text)
    assert code == 0, f"line {step.line}: `{step.text}` ended with {code}:\n{output}"
    missing = unseen(step.shown, output)
    assert missing is None, f"line {step.line}: `{step.text}` does not show {missing!r} but:\n{output}"


@pytest.mark.slow
@pytest.mark.timeout(1200)  # starts the platform twice and runs pipelines four times
@pytest.mark.parametrize("tutorial", sorted(TUTORIALS.glob("*.md")), ids=lambda path: path.stem)
def test_a_tutorial_does_what_it_says(tutorial: Path, reader: Reader) -> None:
    planned = list(steps(tutorial.read_text(encoding="utf-8")))
    assert any(isinstance(step, Command) for step in planned)
    for step in planned:
        _do(reader, step)


def test_a_block_is_read_as_commands_with_what_they_show() -> None:
    markdown = "text\n\n```console\n$ one\n…a  b…c\n$ two\n```\n\n```yaml file=x/y.yaml\nkey: 1\n```\n\n```python\nnot run\n```\n"
    assert list(steps(markdown)) == [Command(3, "one", ("a b", "c")), Command(3, "two", ()), Save(9, "x/y.yaml", "key: 1\n")]


def test_what_a_command_shows_is_compared_in_order() -> None:
    assert unseen(("a b", "c"), "x a\n b y c") is None
    assert unseen(("c", "a"), "a b c") == "a"


def test_a_reader_stays_in_the_folder_she_went_to(reader: Reader) -> None:
    assert reader.run("mkdir inner && cd inner") == (0, "")
    assert reader.run("basename $PWD") == (0, "inner\n")
    assert reader.run("false")[0] == 1
