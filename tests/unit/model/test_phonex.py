"""The phonetic key of French names."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyceph.core.model.phonex import phonex, phonex_macro

LETTERS = "abcdefghijklmnopqrstuvwxyzàâäéèêëîïôöùûüçœ' -"


@pytest.fixture(scope="module")
def macro() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(phonex_macro())
    return connection


# The first is Brouard's own example; the others have this key in independent implementations as well.
@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("PHYLAURHEIMSMET", "FILOR4SNY"),
        ("Bernard", "FYRNOR"),
        ("Faure", "FORE"),
        ("Perez", "TYRYZ"),
        ("Gros", "GROS"),
        ("Chapuis", "5OTUIS"),
        ("Boyer", "F2YR"),
        ("Gauthier", "KOTIYR"),
        ("Rey", "RY"),
        ("Rousseau", "R3SO"),
        ("", ""),
        ("123", ""),
    ],
)
def test_known_keys(name: str, key: str) -> None:
    assert phonex(name) == key


@pytest.mark.parametrize(
    "names",
    [
        ("Dupont", "Dupond", "DU PONT", "du-pont"),
        ("Thibaut", "Thibaud", "Thibaux", "Tibo"),
        ("Philippe", "Filipe", "PHILIPE"),
        ("Lefèvre", "Lefêvre", "Lefévre"),
        ("Renaud", "Renaut", "Renaux"),
    ],
)
def test_names_that_sound_alike_share_a_key(names: tuple[str, ...]) -> None:
    assert len({phonex(name) for name in names}) == 1


@pytest.mark.parametrize(("one", "other"), [("Dupont", "Durand"), ("Martin", "Morin"), ("Lambert", "Hubert")])
def test_names_that_do_not_sound_alike_differ(one: str, other: str) -> None:
    assert phonex(one) != phonex(other)


@settings(deadline=None)
@given(st.lists(st.text(LETTERS, max_size=20), min_size=1, max_size=50))
def test_python_and_duckdb_agree(macro: duckdb.DuckDBPyConnection, names: list[str]) -> None:
    found = macro.execute("SELECT phonex(unnest($1::VARCHAR[]))", [names]).fetchall()
    assert [row[0] for row in found] == [phonex(name) for name in names]


@given(st.text(max_size=30))
def test_every_text_has_a_key_of_the_sounds(text: str) -> None:
    assert set(phonex(text)) <= set("12345EFGHIKLNORSTUWXYZ")
