"""How domains, datasets, sources and columns may be called."""

from __future__ import annotations

import re
import unicodedata

from polyceph.core.model.dataset import Zone
from polyceph.core.model.decision import Decision

NAME_PATTERN = r"^[a-z][a-z0-9_]{0,62}$"
"""PostgreSQL keeps 63 bytes of an identifier; a longer name would be cut without a word."""

_NAME = re.compile(NAME_PATTERN)
_SQL_WORDS = """
all alter analyse analyze and any array as asc asymmetric attach authorization between both by case cast check collate
column constraint create cross current_date current_role current_time current_timestamp current_user database default
deferrable delete desc describe distinct do drop else end except exists false fetch for foreign from full grant group
having in index initially inner insert intersect into is join lateral leading left like limit localtime localtimestamp
merge natural not null offset on only or order outer overlaps pivot placing primary qualify references returning right
schema select session_user set show similar some summarize symmetric table then to trailing true truncate union unique
unpivot update user using values variadic view when where window with
"""
_DAGSTER_WORDS = "context conf config meta arg_dict dict input_arg_dict output_arg_dict int str float bool input type"
_LAKE_WORDS = "main temp system memory information_schema pg_catalog public polyceph"
_SQL = frozenset(_SQL_WORDS.split())
_DAGSTER = frozenset(_DAGSTER_WORDS.split())
_PLACES = frozenset(_LAKE_WORDS.split())
_ZONES = frozenset(zone.value for zone in Zone)


def suggested_name(name: str) -> str:
    """Return the nearest name that is allowed: lower case, accents off, other signs as underscores."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "_", plain).lstrip("_0123456789")[:63].rstrip("_") or "name"


def name_is_allowed(name: str, subject: str) -> Decision:
    """Refuse a name that is not snake_case or that SQL or Dagster reserve; `subject` says of what (domain, dataset, source)."""
    if not _NAME.fullmatch(name):
        suggestion = suggested_name(name)
        reason = f"{subject} name {name!r} is not allowed; a name is a letter a-z, then letters a-z, digits and _, at most 63"
        return Decision(False, "naming", reason, hint=f"write {suggestion}" if suggestion != name else None)
    owner = _reserved_by(name, subject)
    if owner:
        return Decision(
            False, "naming", f"{subject} name {name!r} is a reserved word of {owner}", hint=f"add a word, for example {name}_list"
        )
    return Decision(True, "naming", f"{name} is a good {subject} name")


def column_name_is_allowed(name: str) -> Decision:
    """Refuse a column name that is not snake_case; reserved words are allowed, for identifiers are quoted."""
    if _NAME.fullmatch(name):
        return Decision(True, "naming", f"{name} is a good column name")
    reason = f"column name {name!r} is not allowed; a name is a letter a-z, then letters a-z, digits and _, at most 63"
    hint = f"write name: {suggested_name(name)} and keep the source's header in physicalName"
    return Decision(False, "naming", reason, hint=hint)


def _reserved_by(name: str, subject: str) -> str | None:
    if name in _SQL:
        return "SQL"
    if name in _DAGSTER:
        return "Dagster"
    if subject == "domain" and (name in _PLACES or name in _ZONES):
        return "the lake"
    return None
