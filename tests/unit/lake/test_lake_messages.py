"""What messages of the lake keep to themselves: passwords and values."""

from __future__ import annotations

from urllib.parse import quote_plus

import duckdb
import pytest
from pydantic import SecretStr

from polyceph.lake.attach import without_secret
from polyceph.lake.transaction import reason
from polyceph.settings import PostgresAddress

WORD = "p'a\\ss w/rd+1"


@pytest.mark.parametrize("form", [WORD, WORD.replace("'", "''"), WORD.replace("\\", "\\\\").replace("'", "\\'"), quote_plus(WORD)])
def test_a_password_is_masked_however_the_driver_quotes_it(form: str) -> None:
    address = PostgresAddress(host="127.0.0.1", port=1, database="d", user="u", password=SecretStr(WORD))
    text = without_secret(duckdb.IOException(f"cannot connect with password={form} to d\nmore {form}"), address)
    assert text == "cannot connect with password=*** to d"


def test_an_error_that_says_nothing_is_named() -> None:
    address = PostgresAddress(host="127.0.0.1", port=1, database="d", user="u", password=SecretStr("w"))
    assert without_secret(duckdb.IOException(""), address) == "IOException"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('ERROR:  invalid input syntax for type integer: "Jean Dupont"', "invalid input syntax for type integer: …"),
        ("ERROR:  Key (name, id)=(Jean (J.), 7) already exists.", "Key (name, id)=… already exists."),
        ('ERROR:  relation "schools" does not exist', 'relation "schools" does not exist'),
        ("IO Error: no such file", "IO Error: no such file"),
    ],
)
def test_why_the_server_failed_is_told_without_the_value(text: str, said: str) -> None:
    assert reason(duckdb.IOException(f"Failed to read\n{text}\nCONTEXT: Jean Dupont" if "ERROR" in text else text)) == said


def test_an_error_of_conversion_is_named_only() -> None:
    with pytest.raises(duckdb.Error) as caught:
        duckdb.execute("SELECT CAST('Jean Dupont' AS INTEGER)")
    assert reason(caught.value) == "ConversionException"
