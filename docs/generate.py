"""Writes the reference pages that the code already knows: commands, settings, declarations, connector options, errors, events.

`python docs/generate.py` writes them, `--check` only says which are no longer what the code says.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

DOCS = Path(__file__).resolve().parent
REFERENCE = DOCS / "reference"
HEAD = "<!-- Written by docs/generate.py from the code; change the code, then run `make docs`. -->\n"


def commands() -> str:
    """Return the page of the command line: every command with its options and its example."""
    import click
    import typer

    from polyceph.cli.main import app

    root = typer.main.get_command(app)
    out = ["# Commands", "", _paragraph(root.help), ""]

    def walk(command: click.Command, path: str, parent: click.Context | None) -> None:
        context = click.Context(command, info_name=path.rpartition(" ")[2], parent=parent)
        out.extend([f"## {path}" if parent else f"## Options of {path} itself", ""])
        if parent:
            out.extend([_paragraph(command.help), ""])
        usage = " ".join(command.collect_usage_pieces(context))
        out.extend(["```", f"{path} {usage}".rstrip(), "```", ""])
        rows = [_option(parameter) for parameter in command.params if not getattr(parameter, "hidden", False)]
        out.extend(_table(("option", "meaning", "default"), [row for row in rows if row[0] != "`--help`"]))
        for name, child in sorted(getattr(command, "commands", {}).items()):
            if not child.hidden:
                walk(child, f"{path} {name}", context)

    walk(root, "polyceph", None)
    return "\n".join(out)


def settings() -> str:
    """Return the page of settings: one environment variable a row."""
    from polyceph.settings import Settings

    out = ["# Settings", "", "How a process runs. Each setting is an environment variable, read once at the start.", ""]
    return "\n".join(out + list(_settings(Settings, "POLYCEPH_")))


def schemas() -> str:
    """Return the page of declarations as their published JSON Schemas describe them."""
    from polyceph.declarations.schemas import published

    out = [
        "# Declarations, key by key",
        "",
        "The same schemas are written for editors by `polyceph schema --out FOLDER`. What the keys mean together, with examples:",
        "[declarations](declarations.md).",
        "",
    ]
    for name, schema in published().items():
        out.extend([f"## {name}", "", _paragraph(schema.get("description") or schema.get("title")), ""])
        if len(schema.get("$defs", ())) > _OFFICIAL:
            out.extend(
                [f"The official schema ({schema.get('$id', 'Open Data Contract Standard')}); print it with `polyceph schema {name}`.", ""]
            )
            continue
        for part, body in _parts(schema):
            if part:
                out.extend([f"### {part}", "", _paragraph(body.get("description")), ""])
            out.extend(_table(_KEYS, list(_properties(body))))
    return "\n".join(out)


def connector_options() -> str:
    """Return the page of what each built-in connector takes in `domain.yaml` and in an `Ingest` component."""
    from polyceph import plugins

    out = ["# Options of the connectors", "", "How to use them, with examples: [connectors](connectors.md).", ""]
    for name in plugins.names(plugins.CONNECTORS):
        connector = plugins.load(plugins.CONNECTORS, name)
        out.extend([f"## {name}", "", _paragraph(connector.summary), ""])
        out.extend(["### In `sources` of domain.yaml", "", *_table(_KEYS, list(_properties(connector.source_options.model_json_schema())))])
        out.extend(["### In `datasets` of an Ingest component, beside `name`", ""])
        out.extend(_table(_KEYS, list(_properties(connector.dataset_options.model_json_schema()))))
    return "\n".join(out)


def errors() -> str:
    """Return the page of the six errors and the exit codes of commands."""
    from polyceph import errors as module

    kinds = [kind for kind in vars(module).values() if inspect.isclass(kind) and issubclass(kind, module.PolycephError)]
    rows = [(str(kind.exit_code), f"`{kind.__name__}`", _cell(kind.__doc__)) for kind in kinds if kind is not module.PolycephError]
    out = ["# Errors and exit codes", "", "A command ends with 0, or with the code of the one error that ended it.", ""]
    return "\n".join(out + _table(("exit code", "error", "meaning"), [("0", "", "All went well."), *sorted(rows)]))


def events() -> str:
    """Return the page of the kinds of events that the journal may hold."""
    from polyceph.core.model.event_kinds import KINDS

    head = ("event", "about", "meaning", "keeps")
    rows = [(f"`{kind.action}`", kind.subject, _cell(kind.meaning), _cell(kind.keeps)) for kind in KINDS.values()]
    out = ["# Events", "", "What the journal records, `noun.verb-past`. The role of the application can add events and change none.", ""]
    out += [
        "Every event says when, who, for whom, through which door and about what; *keeps* is what it tells besides, before and after.",
        "",
    ]
    return "\n".join(out + _table(head, rows))


def rights() -> str:
    """Return the page of the table of rights: every action, and who may do it where."""
    from polyceph.core.model import access_words
    from polyceph.core.model.access import Action, Role
    from polyceph.core.policies.rights import BY_GRANT, BY_PEOPLE_ALONE, DATASET_RIGHTS, IN_EMERGENCY, Right, right_of

    def cells(right: Right) -> tuple[str, str, str]:
        order = [[role.value for role in Role if role in where] for where in (right.own, right.other, right.federation)]
        return tuple(", ".join(roles) or "–" for roles in order)  # type: ignore[return-value]

    out = ["# Rights", "", *_table(("role", "who holds it"), [(role.value, said) for role, said in access_words.ROLES.items()]), _STATES]
    head = ("action", "held in that domain", "in another domain", "for the federation", "besides")
    rows = []
    for action in Action:
        besides = [
            *(["a grant"] if action in BY_GRANT else []),
            *(["emergency access"] if action in IN_EMERGENCY else []),
            *(["people alone"] if action in BY_PEOPLE_ALONE else []),
        ]
        for level in DATASET_RIGHTS.get(action, ("",)):
            shown = f"`{action}`: {access_words.ACTIONS[action]}" + ("" if level == "" else f"; {level or 'not classified'}")
            rows.append((shown, *cells(right_of(action, level or None)), ", ".join(besides)))
    return "\n".join(out + _table(head, rows))


def dagster_permissions() -> str:
    """Return the page of Dagster's interface: what each field and route needs, and of which domains."""
    from polyceph.gateway.fields import MUTATIONS, QUERIES, SUBSCRIPTIONS, Answer
    from polyceph.gateway.permissions import ACTIONS
    from polyceph.gateway.routes import ROUTES, STATIC

    out = ["# Permissions in Dagster", "", _DAGSTER]
    for title, rules in (("Mutations", MUTATIONS), ("Queries", QUERIES), ("Subscriptions", SUBSCRIPTIONS)):
        rows = []
        for name, rule in rules.items():
            otherwise = "less" if rule.answer is Answer.LESS else ""
            rows.append((f"`{name}`", f"`{rule.action}`" if rule.action else "closed", rule.subject, otherwise, rule.note))
        out += [f"## {title}", "", *_table(("field", "action", "of", "otherwise", "note"), rows)]
    routes = [(f"`/dagster{path}`", str(access), note) for path, (access, note) in ROUTES.items()]
    routes.append((f"{len(STATIC)} files of Dagster's page", "page", ""))
    out += ["## Routes", "", *_table(("route", "needs", "note"), routes)]
    shown = [(f"`{one}`", f"`{action}`" if action else "closed") for one, action in ACTIONS.items()]
    return "\n".join([*out, "## Dagster's own permissions", "", *_table(("permission", "action"), shown)])


def planted() -> str:
    """Return the page of what the generator of the synthetic federation plants and writes down."""
    from polyceph.testing.federation.truth import FILE, KINDS

    out = ["# Planted truth", ""]
    out += [f"`{FILE}` beside the generated systems says what was planted in them. polyceph never reads it; `polyceph demo` and the tests"]
    out += ["compare with it what was found. It is one JSON object: `version`, `seed`, `scale`, `month`, and `planted`: a list a kind."]
    out += ["The month, the counts and how to play time on: [the synthetic federation](../explanation/synthetic-federation.md).", ""]
    for kind in KINDS:
        rows = [(f"`{name}`", _cell(said), "" if name in kind.optional else "required") for name, said in kind.fields.items()]
        out += [f"## {kind.name}", "", f"{kind.what}.", "", *_table(("key", "meaning", ""), rows)]
    return "\n".join(out)


def conformance() -> str:
    """Return the page of what the conformance suite asks of every connector; the stands of the suite know it."""
    for folder in ("tests/conformance/connectors", "tests"):
        sys.path.insert(0, str(DOCS.parent / folder))
    from stands.matrix import page  # of the tests: found by the path above

    return page()


_STATES = """What the table does not allow is refused. Roles add up; one taken away never allows more. Above it stand, whatever the role:

- Whoever is not signed in, has left, or whose session or token has expired may nothing.
- A service identity may what its roles *and* its scopes allow, and nothing that is for *people alone*.
- Nobody decides what she asked for herself, nor her service identity.
- Roles in a domain are held in that domain; *in another domain* says what they allow elsewhere.
- Whoever the contract of one dataset names as its owner or steward may do with it what the domain's owner or steward may.
- *A grant* allows it on the dataset it names, until it ends. *Emergency access* allows it in its domain, to a person, until it ends.
- A federation's own policies are asked after the table and can only refuse.

A refusal tells nothing of a dataset that somebody may not find, and doors answer as if it were not there. How to give roles:
[give roles](../how-to/give-roles.md). Why it is so: [permission](../explanation/permission.md).
"""
PAGES: Mapping[str, Callable[[], str]] = {
    "cli.md": commands,
    "settings.md": settings,
    "schemas.md": schemas,
    "connector-options.md": connector_options,
    "connector-conformance.md": conformance,
    "errors.md": errors,
    "events.md": events,
    "rights.md": rights,
    "dagster-permissions.md": dagster_permissions,
    "planted-truth.md": planted,
}
_DAGSTER = """Dagster's pages are at `/dagster`. What each part of its interface needs is an action of the [table of rights](rights.md),
asked for every domain that the arguments reach. Without the right it is refused with the reason, unless *otherwise* says `less`:
then the answer leaves out what is not hers to see. [Decision 0014](../decisions/0014-dagster-behind-sign-in.md) says how.
"""
_KEYS = ("key", "meaning", "type", "default")
_OFFICIAL = 20
"""A schema with more parts than this is a published standard, not ours to repeat."""


def _option(parameter: Any) -> tuple[str, str, str]:
    if parameter.param_type_name == "argument":
        return f"`{parameter.make_metavar(_no_context())}`", _cell(getattr(parameter, "help", "")), ""
    names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    variable = f" (variable `{parameter.envvar}`)" if parameter.envvar else ""
    default = "" if parameter.default in (None, False, ()) or callable(parameter.default) else f"`{parameter.default}`"
    return names, _cell(parameter.help) + variable, default


def _no_context() -> Any:
    import click

    return click.Context(click.Command("polyceph"))


def _settings(model: type[BaseModel], prefix: str) -> Iterator[str]:
    """Yield the table of a model's own settings, then a section for each group in it."""
    groups, rows = [], []
    for name, field in model.model_fields.items():
        kind = field.annotation
        if inspect.isclass(kind) and issubclass(kind, BaseModel):
            groups.append((name, kind))
            continue
        default = "" if field.default in (None, PydanticUndefined) else f"`{field.default}`"
        shown = inspect.formatannotation(kind).replace("pydantic.types.", "").replace("pathlib.", "").replace(" | None", "")
        rows.append((f"`{prefix}{name.upper()}`", _cell(field.description), shown, default))
    yield from _table(("variable", "meaning", "type", "default"), rows)
    for name, kind in groups:
        yield from (f"## {name}", "", _paragraph(kind.__doc__), "")
        yield from _settings(kind, f"{prefix}{name.upper()}__")


def _parts(schema: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield a schema's own keys, its alternatives and its definitions, each with its title."""
    yield "", schema
    for body in schema.get("anyOf", ()):
        attributes = body.get("properties", {}).get("attributes", {})
        yield body.get("title", ""), {"description": body.get("description"), **attributes}
    for name, body in schema.get("$defs", {}).items():
        yield name.removesuffix("Form"), body


def _properties(schema: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    required = set(schema.get("required", ()))
    for name, body in schema.get("properties", {}).items():
        default = "required" if name in required else ("" if body.get("default") in (None, {}, []) else f"`{body['default']}`")
        yield f"`{name}`", _cell(body.get("description")), _type(body), default


def _type(body: Mapping[str, Any]) -> str:
    if "enum" in body:
        return ", ".join(f"`{value}`" if value else '`""`' for value in body["enum"])
    if "const" in body:
        return f"`{body['const']}`"
    if "$ref" in body:
        name = str(body["$ref"]).rpartition("/")[2]
        return "`{env: NAME}`" if name == "FromEnvironment" else name.removesuffix("Form")
    for key in ("anyOf", "oneOf", "allOf"):
        if key in body:
            return " or ".join(kind for part in body[key] if (kind := _type(part)) != "null")
    kind = body.get("type", "any")
    if kind == "array":
        return f"list of {_type(body.get('items', {}))}"
    if kind == "object" and isinstance(body.get("additionalProperties"), dict):
        return f"mapping to {_type(body['additionalProperties'])}"
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    if not rows:
        return []
    return [f"| {' | '.join(row)} |".replace("  |", " |") for row in (head, ("---",) * len(head), *rows)] + [""]


def _cell(text: str | None) -> str:
    return " ".join(inspect.cleandoc(text or "").split("\n\n")[0].split()).replace("|", "\\|").replace("<", "&lt;")


def _paragraph(text: str | None) -> str:
    return inspect.cleandoc((text or "").replace("\b", "").replace("\f", "")).strip().replace("<", "&lt;")


def main(arguments: list[str]) -> int:
    """Write or check the pages; return 1 when a checked page is not fresh."""
    for name in [name for name in os.environ if name.startswith("POLYCEPH_")]:
        del os.environ[name]  # a developer's own settings must not become documented defaults
    stale = []
    for name, page in PAGES.items():
        text = HEAD + page().rstrip() + "\n"
        path = REFERENCE / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if "--check" not in arguments:
                path.write_text(text, encoding="utf-8")
    if stale and "--check" in arguments:
        sys.stderr.write(f"these reference pages are not what the code says: {', '.join(stale)}; run: make docs\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
