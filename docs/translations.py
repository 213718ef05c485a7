"""Brings the catalogues of the pages in step with the texts of templates and code; a new text stays empty until somebody translates it.

Texts are those of templates, of `_` and `N_`, and the patterns of sentences, `said("…")`, wherever they are in the code.

`python docs/translations.py` writes them, `--check` only says what is missing, unused or empty. English texts are the keys.
"""

from __future__ import annotations

import ast
import io
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po

from polyceph.core.model.sentence import places

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "polyceph"
LOCALE = SOURCE / "web" / "locale"
LANGUAGES = ("fr", "nl", "de")
PACKAGES = ("gateway", "portal", "web")
"""Those that show pages."""
_OPTIONS = {"newstyle_gettext": "true", "trimmed": "false", "silent": "false", "trim_blocks": "true", "lstrip_blocks": "true"}


def texts() -> dict[str, str | tuple[str, str]]:
    """Return every text that pages say, by its singular; a pair where it has a plural."""
    found: dict[str, str | tuple[str, str]] = {}
    templates = [(path, "jinja2.ext:babel_extract") for package in PACKAGES for path in (SOURCE / package).glob("templates/*.html")]
    modules = [(path, "python") for package in PACKAGES for path in (SOURCE / package).rglob("*.py")]
    for path, method in sorted([*templates, *modules]):
        extracted = extract(method, io.BytesIO(path.read_bytes()), options=_OPTIONS if method != "python" else {})
        for _, message, _, _ in extracted:
            key = message if isinstance(message, str) else message[0]
            if isinstance(message, tuple) or key not in found:
                found[key] = message
    return {pattern: pattern for pattern in patterns()} | found


def patterns() -> Iterator[str]:
    """Yield the pattern of every sentence; raise `ValueError` for one that is no literal, which nobody could translate."""
    for path in sorted(SOURCE.rglob("*.py")):
        code = path.read_text(encoding="utf-8")
        for call in ast.walk(ast.parse(code)) if "said(" in code else ():
            if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "said"):
                continue
            match call.args:
                case [ast.Constant(value=str(pattern))]:
                    yield pattern
                case _:
                    raise ValueError(f"{path.name}:{call.lineno}: the pattern of a sentence is a literal")


def catalogue(language: str) -> Catalog:
    """Return what is translated into a language."""
    path = LOCALE / f"{language}.po"
    if not path.exists():
        return Catalog(locale=language)
    with path.open("rb") as source:
        return read_po(source, locale=language)


def problems(language: str) -> list[str]:
    """Return what is not in order in a catalogue: texts that are missing, empty or used no more, values that are others than the text's."""
    known, wanted = {one.id if isinstance(one.id, str) else one.id[0]: one for one in catalogue(language) if one.id}, texts()
    out = [f"{language}: nothing says {text!r} any more" for text in known.keys() - wanted.keys()]
    for text in wanted:
        message = known.get(text)
        said = [] if message is None else [message.string] if isinstance(message.string, str) else list(message.string)
        if not said or not all(said) or message.fuzzy:
            out.append(f"{language}: {text!r} is not translated")
        elif (isinstance(wanted[text], tuple)) != message.pluralizable:
            out.append(f"{language}: {text!r} has a plural here or there alone")
        elif errors := [str(error) for error in message.check()]:
            out.append(f"{language}: {text!r}: {errors[0]}")
        elif any(_places(one) != _places(text) for one in said):
            out.append(f"{language}: {text!r} has other places in its translation")
    return sorted(out)


def _places(text: str) -> frozenset[str] | None:
    """Return the places of a pattern; None for what is none, which no pattern of the code is."""
    try:
        return places(text)
    except ValueError:
        return None


def _write(language: str) -> None:
    known, made = catalogue(language), Catalog(locale=language, header_comment="", fuzzy=False)
    for text, message in sorted(texts().items()):
        before = known.get(text)
        flags = ["python-format"] if "%(" in text else []
        same_kind = before is not None and before.pluralizable == isinstance(message, tuple)
        made.add(message, before.string if same_kind else None, flags=flags)
    out = io.BytesIO()
    write_po(out, made, width=0, omit_header=True, no_location=True, sort_output=True)
    head = {"Language": language, "Content-Type": "text/plain; charset=utf-8", "Plural-Forms": made.plural_forms}
    forms = 'msgid ""\nmsgstr ""\n' + "".join(f'"{name}: {value}\\n"\n' for name, value in head.items()) + "\n"
    LOCALE.mkdir(exist_ok=True)
    (LOCALE / f"{language}.po").write_text(forms + out.getvalue().decode(), encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Write or check the catalogues; return 1 when something is not in order."""
    if "--check" not in arguments:
        for language in LANGUAGES:
            _write(language)
    found = [problem for language in LANGUAGES for problem in problems(language)]
    sys.stderr.write("".join(f"{problem}\n" for problem in found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
