from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyceph.core.policies.secrets import holds_no_secret, is_secret_key

KEYS = [
    "password",
    "db_password",
    "api_key",
    "apiKey",
    "clientSecret",
    "client-secret",
    "access_token",
    "private_key",
    "SECRET",
    "sas_token",
]


@pytest.mark.parametrize("key", KEYS)
def test_a_key_named_like_a_secret_may_not_hold_a_literal(key):
    assert is_secret_key(key)
    assert not holds_no_secret(key, "hunter2").allowed
    assert not holds_no_secret(key, 4711).allowed


@pytest.mark.parametrize("key", ["primaryKey", "key", "passenger", "tokenizer", "secretary", "monkey", "foreign_key", "compass", "table"])
def test_words_that_only_look_alike_are_free(key):
    assert holds_no_secret(key, "pupil_id").allowed


@pytest.mark.parametrize(
    "value",
    [
        "postgresql://me:hunter2@host/db",
        "https://:hunter2@host",
        "-----BEGIN RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----",
        "AKIA" + "ABCDEFGHIJKLMNOP",
        "host=db password=hunter2",
        "DefaultEndpointsProtocol=https;AccountKey=abc==;x",
    ],
)
def test_a_text_that_carries_a_secret_is_refused_under_any_key(value):
    assert not holds_no_secret("address", value).allowed


@pytest.mark.parametrize("value", ["https://host:8080/path", "s3://bucket/prefix", "me@example.org", "https://example.org/@me", "a: b@c"])
def test_plain_addresses_are_no_secret(value):
    assert holds_no_secret("address", value).allowed


@pytest.mark.parametrize("value", [{"env": "NAME"}, None, True, "", "{{ env.NAME }}", "${NAME}"])
def test_a_reference_is_no_secret(value):
    assert holds_no_secret("password", value).allowed


def test_a_variable_is_named_in_capitals():
    assert holds_no_secret("password_env", "EDUCATION_PASSWORD").allowed
    assert not holds_no_secret("password_env", "hunter2").allowed


@given(st.sampled_from([*KEYS, "password_env", "address"]), st.from_regex(r"[a-z0-9]{12}", fullmatch=True))
def test_a_refusal_never_repeats_the_value(key, value):
    for text in (value, f"postgresql://me:{value}@host/db"):
        decision = holds_no_secret(key, text)
        assert value not in decision.reason + (decision.hint or "")
