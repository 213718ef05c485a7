"""Puts the example federation into a folder: each domain a git repository with its own releases, people as they are that month."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from polyceph.errors import Conflict, Misconfigured, NotFound
from polyceph.testing.federation.moves import Move, happened
from polyceph.testing.federation.scenario import Month, Scenario
from polyceph.testing.federation.truth import reached

SYSTEMS = "systems"
"""Below the demo's folder, the world outside the platform: what administrations have and send."""
_IGNORED = shutil.ignore_patterns(".polyceph", "__pycache__", "target", "logs", ".user.yml")
_SUBMODULE = "culture"
"""The domain whose dbt project has a repository and releases of its own and comes as a git submodule."""
_OUTSIDE = (".polyceph/", f"/{SYSTEMS}/", "/repositories/", "/domains/")
_BEGAN = date(2025, 10, 1)


def scenario_of(folder: Path, *, seed: int, scale: int, month: str | None) -> Scenario:
    """Return the scenario to run in a folder: the month it has reached, or the later one that is asked for.

    Raises:
        Conflict: the folder holds another federation, or has gone further already.
        Invalid: the month cannot be read or cannot be reached.
    """
    known = reached(folder / SYSTEMS)
    wanted = Month.parse(month) if month else known.month if known else Scenario().month
    if known is None:
        return Scenario(seed, scale, wanted)
    if (known.seed, known.scale) != (seed, scale):
        raise Conflict(
            f"{folder} holds the federation of seed {known.seed} and scale {known.scale}",
            hint="choose another --folder, or remove this one",
        )
    if wanted < known.month:
        raise Conflict(f"{folder} has reached {known.month}: time only goes forward", hint="begin anew in another --folder")
    return Scenario(seed, scale, wanted)


def place_federation(folder: Path, scenario: Scenario) -> None:
    """Copy the example federation into `folder` and commit it; what an earlier demo left is brought up to date, its state is kept."""
    example = examples() / "federation"
    moves = happened(scenario)
    folder.mkdir(parents=True, exist_ok=True)
    text = _with_leavers((example / "federation.yaml").read_text(encoding="utf-8"), moves)
    _write(folder / "federation.yaml", text)
    _write(folder / ".gitignore", "".join(f"{line}\n" for line in _OUTSIDE))
    _committed(folder, "The federation and its people", moves[-1].left if moves else _BEGAN)
    for domain in sorted((example / "domains").iterdir()):
        _place_domain(folder, domain, tuple(m for m in moves if m.domain == domain.name and m.successor_from <= scenario.today))


def examples() -> Path:
    """Return the folder of the example federations: beside the sources, or inside an installed wheel."""
    here = Path(__file__).resolve()
    for found in (here.parents[4] / "examples", here.parents[2] / "_examples"):
        if (found / "federation").is_dir():
            return found
    raise NotFound("the example federations are not installed", hint="run the demo from a checkout of polyceph, or reinstall the package")


def _place_domain(folder: Path, example: Path, moves: tuple[Move, ...]) -> None:
    """Copy one domain, give it a repository with a first release, and a release for each successor of its people."""
    placed = folder / "domains" / example.name
    is_split = example.name == _SUBMODULE
    with _kept_declarations(placed):
        shutil.copytree(example, placed, dirs_exist_ok=True, ignore=_without_transform if is_split else _IGNORED)
        if is_split:
            _add_submodule(folder, placed, example / "transform")
        if not _tags(placed):
            _committed(placed, f"{example.name} 1.0.0", _BEGAN)
            _tag(placed, "v1.0.0")
        for number, move in enumerate(moves, 1):
            _succeed(placed, move, f"1.0.{number}")
            if f"v1.0.{number}" not in _tags(placed):
                _committed(placed, f"{' and '.join(move.roles).capitalize()}: {move.successor} follows {move.person}", move.successor_from)
                _tag(placed, f"v1.0.{number}")
        _committed(placed, "The example as it is now", moves[-1].successor_from if moves else _BEGAN)


def _add_submodule(folder: Path, placed: Path, project: Path) -> None:
    """Make the dbt project a repository with two releases, and check its newest one out as the domain's submodule."""
    origin = folder / "repositories" / f"{placed.name}-transform"
    known = _tags(origin) if (origin / ".git").exists() else ()
    shutil.copytree(project, origin, dirs_exist_ok=True, ignore=_IGNORED)
    if not known:
        with TemporaryDirectory(dir=origin.parent) as aside:
            shutil.move(origin / "tests", aside)
            _committed(origin, "Models", _BEGAN)
            _tag(origin, "0.9.0")
            shutil.move(Path(aside) / "tests", origin)
    if _committed(origin, "Models with their tests", _BEGAN) or not known:
        _tag(origin, f"1.0.{max(len(known) - 1, 0)}")
    if not (placed / ".gitmodules").exists():
        _git(placed, "init", "--quiet", "--initial-branch", "main")
        _git(placed, "submodule", "--quiet", "add", f"../../repositories/{origin.name}", "transform")
    _git(placed / "transform", "fetch", "--quiet", "--tags")
    _git(placed / "transform", "checkout", "--quiet", "--detach", _tags(origin)[-1])


def _without_transform(folder: str, names: list[str]) -> set[str]:
    return {*_IGNORED(folder, names), *({"transform"} & set(names))}


def _with_leavers(text: str, moves: tuple[Move, ...]) -> str:
    """Return federation.yaml with `left` at each person who is gone: her line ends with the closing brace of her mapping."""
    for move in moves:
        text, found = re.subn(rf"^(  {re.escape(move.person)}: {{.*)}}$", rf"\g<1>, left: {move.left}}}", text, flags=re.MULTILINE)
        if found != 1:
            raise NotFound(f"{move.person} has no line of her own in federation.yaml", hint="write each person of the example on one line")
    return text


def _succeed(placed: Path, move: Move, release: str) -> None:
    """Name the successor in the declarations of a domain, in its contracts and in its changelog."""
    for path in (placed / "domain.yaml", *sorted((placed / "contracts").rglob("*.yaml"))):
        text = path.read_text(encoding="utf-8")
        for role in move.roles:
            text = re.sub(rf"^{role}: {re.escape(move.person)}$", f"{role}: {move.successor}", text, flags=re.MULTILINE)
            text = text.replace(f"username: {move.person}, role: {role}", f"username: {move.successor}, role: {role}")
        path.write_text(text, encoding="utf-8")
    changelog = placed / "CHANGELOG.md"
    title, _, releases = changelog.read_text(encoding="utf-8").partition("\n## ")
    entry = f"{release} ({move.successor_from})\n- {move.successor} follows {move.person} as {' and '.join(move.roles)}.\n"
    changelog.write_text(f"{title}\n## {entry}\n## {releases}", encoding="utf-8")


def _write(path: Path, text: str) -> None:
    """Write a file unless it has this text: its time then tells when it last changed."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


@contextmanager
def _kept_declarations(placed: Path) -> Iterator[None]:
    """Let files that are rewritten with the text they had keep their time: what is unchanged is not read and parsed again."""
    before = {p: (p.stat(), p.read_bytes()) for p in placed.rglob("*") if p.is_file() and ".git" not in p.parts} if placed.exists() else {}
    yield
    for path, (stat, content) in before.items():
        if path.exists() and path.read_bytes() == content:
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def _committed(folder: Path, message: str, day: date) -> bool:
    """Commit what changed in a folder, made a repository where it is none; tell whether there was anything."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / ".git").exists():
        _git(folder, "init", "--quiet", "--initial-branch", "main")
    _git(folder, "add", "--all")
    if not _git(folder, "status", "--porcelain"):
        return False
    _git(folder, "commit", "--quiet", "--message", message, day=day)
    return True


def _tags(folder: Path) -> tuple[str, ...]:
    return tuple(_git(folder, "tag", "--list", "--sort", "version:refname").split()) if (folder / ".git").exists() else ()


def _tag(folder: Path, name: str) -> None:
    _git(folder, "tag", "--no-sign", name)


def _git(folder: Path, *arguments: str, day: date = _BEGAN) -> str:
    """Run git without anybody's own configuration: same commits on every machine."""
    moment = f"{day.isoformat()}T08:00:00+0000"
    who = {
        f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in (("NAME", "Demo"), ("EMAIL", "demo@example.org"))
    }
    own = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_DATE": moment, "GIT_COMMITTER_DATE": moment}
    command = ["git", "-C", str(folder), "-c", "protocol.file.allow=always", "-c", "safe.directory=*", *arguments]
    try:
        done = subprocess.run(command, env={**os.environ, **who, **own}, capture_output=True, text=True, check=True, timeout=60)
    except FileNotFoundError as error:
        raise Misconfigured("git is not installed", hint="install git: the demo's domains are repositories") from error
    except subprocess.CalledProcessError as error:
        raise Misconfigured(
            f"git {arguments[0]} fails in {folder}: {error.stderr.strip()}", hint="remove the demo's folder and begin anew"
        ) from error
    return done.stdout.strip()
