"""Writes a folder from templates: plain files with `$name` in them, all or none, never over what is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template

from polyceph.errors import Conflict, Problem

_SUFFIX = ".tmpl"


def write_templates(kind: str, target: Path, values: Mapping[str, str]) -> list[Path]:
    """Fill the templates of `kind` with `values` into the folder `target` and return the files written, sorted.

    Places in file names are filled too; `dot_` at the start of a file name becomes a dot.

    Raises:
        Conflict: a file is already there; then nothing is written.
        KeyError: a template has a place that `values` does not fill.
    """
    texts = {target / name: text for name, text in _rendered(files("polyceph.scaffold") / "templates" / kind, values)}
    _refuse_to_overwrite(target, texts)
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return sorted(texts)


def _rendered(folder: Traversable, values: Mapping[str, str], prefix: str = "") -> Iterator[tuple[str, str]]:
    for entry in folder.iterdir():
        name = Template(entry.name).substitute(values)
        if entry.is_dir():
            yield from _rendered(entry, values, f"{prefix}{name}/")
        elif name.endswith(_SUFFIX):
            plain = name.removesuffix(_SUFFIX)
            if plain.startswith("dot_"):
                plain = f".{plain.removeprefix('dot_')}"
            yield prefix + plain, Template(entry.read_text(encoding="utf-8")).substitute(values)


def _refuse_to_overwrite(target: Path, texts: Mapping[Path, str]) -> None:
    there = [path for path in sorted(texts) if path.exists()]
    if there:
        problems = [Problem("is already there", file=str(path)) for path in there]
        raise Conflict(
            f"{target} is not empty where new files would go; nothing was written", problems=problems, hint="move these files away"
        )
