"""All mistakes are told at once, in order, each once, without secrets; whatever the files hold, only Invalid is raised."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polyceph.declarations.federation import load_federation
from polyceph.errors import Invalid
from polyceph.testing.small_federation import contract_text, federation_files, write_federation

TODAY = date(2026, 11, 22)
RAW = "domains/education/contracts/raw/schools.odcs.yaml"
EDUCATION = "domains/education/domain.yaml"
DEFS = "domains/education/defs/register/defs.yaml"


def refused(folder, files, connectors) -> Invalid:
    with pytest.raises(Invalid) as caught:
        load_federation(write_federation(folder, files), today=TODAY, connectors=connectors)
    return caught.value


def test_several_mistakes_in_several_files_come_at_once_in_order(tmp_path, connectors):
    files = federation_files()
    files["federation.yaml"] = files["federation.yaml"].replace("kind: ntfy", "kind: nfty")
    files[EDUCATION] = files[EDUCATION].replace("owner: anne.dupont", "owner: ane.dupont").replace("port: 5432", "port: many")
    files[RAW] = files[RAW].replace("version: 1.2.0", "version: 1.10").replace("value: internal", "value: intern")
    files[RAW] = files[RAW].replace("logicalType: string", "logicalType: strng", 1)
    files[DEFS] = files[DEFS].replace('"0 5 * * *"', '"0 25 * * *"')
    files["domains/data_office/contracts/raw/municipalities.odcs.yaml"] = "a: [b\n"

    error = refused(tmp_path, files, connectors)

    assert [(p.file, p.line, p.column) for p in error.problems] == [
        ("domains/data_office/contracts/raw/municipalities.odcs.yaml", 1, 4),
        (RAW, 5, 10),
        (RAW, 20, 12),
        (RAW, 25, 22),
        (DEFS, 4, 13),
        (EDUCATION, 3, 8),
        (EDUCATION, 11, 11),
        ("federation.yaml", 8, 20),
    ]
    assert error.message == "the declarations have 8 problems"
    assert "did you mean ntfy?" in str(error)


def test_problems_are_facts_a_machine_can_read(tmp_path, connectors):
    files = federation_files()
    files[RAW] = files[RAW].replace("value: raw", "value: bronse")

    (problem,) = refused(tmp_path, files, connectors).problems

    assert problem.as_dict() == {
        "message": "zone 'bronse' of education.schools is unknown; zones are raw, bronze, silver, gold, output",
        "file": RAW,
        "line": 18,
        "column": 12,
        "value": "bronse",
        "allowed": ["raw", "bronze", "silver", "gold", "output"],
        "hint": "did you mean bronze?",
        "rule": "zone",
    }


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        (EDUCATION, "    port: 5432", "    port: 5432\n    password: hunter2-4711"),
        (EDUCATION, "    port: 5432", "    port: 5432\n    api_key: hunter2-4711"),
        (EDUCATION, "    port: 5432", "    port: 5432\n    clientSecret: hunter2-4711"),
        (EDUCATION, "    port: 5432", "    port: 5432\n    key: hunter2-4711/AbCdEf"),
        (EDUCATION, "    port: 5432", "    port: postgresql://me:hunter2-4711@host/db"),
        (EDUCATION, "EDUCATION_REGISTER_PASSWORD", "hunter2-4711"),
        (EDUCATION, "{env: EDUCATION_REGISTER_HOST}", '"host=db password=hunter2-4711"'),
        (DEFS, "table: public.schools", "table: public.schools\n      token: hunter2-4711"),
        ("federation.yaml", "STEWARDS_NTFY", "https://me:hunter2-4711@ntfy.sh"),
        (RAW, "status: active", "status: https://me:hunter2-4711@host"),
    ],
)
def test_a_secret_is_refused_and_never_repeated(tmp_path, connectors, file, old, new):
    files = federation_files()
    assert old in files[file]
    files[file] = files[file].replace(old, new, 1)

    error = refused(tmp_path, files, connectors)

    assert "hunter2" not in str(error)
    assert all("hunter2" not in str(problem.as_dict()) for problem in error.problems)
    assert any("not shown" in problem.message for problem in error.problems)


def test_an_octal_looking_password_is_not_repeated_either(tmp_path, connectors):
    files = federation_files()
    files[EDUCATION] = files[EDUCATION].replace("    port: 5432", "    port: 5432\n    password: 01234567")

    assert "01234567" not in str(refused(tmp_path, files, connectors))


@pytest.mark.parametrize("value", ["{env: NAME}", "'{{ env.NAME }}'", "'${NAME}'", "null", "true"])
def test_a_reference_is_no_secret(tmp_path, connectors, value):
    files = federation_files()
    files[EDUCATION] = files[EDUCATION].replace("    port: 5432", f"    port: 5432\n    password: {value}")

    assert "literal secret" not in str(refused(tmp_path, files, connectors))  # the connector knows no such key


@pytest.mark.parametrize(
    ("data", "says", "line", "column"),
    [
        (b"\xef\xbb\xbfname: education\n", "byte-order mark", 1, 1),
        ("name: education\n".encode("utf-16"), "UTF-16", 1, 1),
        (b"name: education\ntitle: {fr: Enseignement g\xe9n\xe9ral}\n", "not UTF-8: byte 0xe9", 2, 27),
        (b"name: education\ntitle: \x00\n", "control character 0x00", 2, 8),
        (b"name: education\ntitle: " + b"x" * 5_000_001, "larger than 5 MB", 1, 1),
        (b"[" * 100_000, "nested deeper than 60 levels", 1, 61),
        (b"a: " + b"- " * 100_000, "not YAML", 1, 4),
        (b"- " * 100_000, "nested deeper than 60 levels", 1, 121),
        (b"a: &a [*a]\n", "more than 60 levels", 1, 4),
    ],
    ids=["bom", "utf-16", "windows-1252", "nul", "too large", "brackets", "dashes in a value", "dashes", "alias of itself"],
)
def test_bytes_that_are_no_declaration_are_refused_with_their_place(tmp_path, connectors, data, says, line, column):
    folder = write_federation(tmp_path)
    (folder / EDUCATION).write_bytes(data)

    with pytest.raises(Invalid) as caught:
        load_federation(folder, today=TODAY, connectors=connectors)

    assert (EDUCATION, line, column) in [(p.file, p.line, p.column) for p in caught.value.problems if says in p.message]


def test_an_alias_bomb_is_refused_quickly(tmp_path, connectors):
    files = federation_files()
    bomb = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
    for previous, name in zip("abcdefgh", "bcdefghi", strict=True):
        bomb += f"{name}: &{name} [{', '.join(['*' + previous] * 9)}]\n"
    files[EDUCATION] = bomb

    assert "more than 200000 values" in str(refused(tmp_path, files, connectors))


def load_whatever(folder, connectors) -> None:
    refusal = None
    try:
        load_federation(folder, today=TODAY, connectors=connectors)
    except Invalid as error:
        refusal = error
    if refusal is not None:
        assert refusal.problems
        assert all(p.file and p.line and p.column for p in refusal.problems)
        assert str(refusal)


FILES = sorted(federation_files())
relaxed = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@relaxed
@given(path=st.sampled_from(FILES), data=st.binary(max_size=200))
def test_garbage_bytes_raise_nothing_but_invalid(tmp_path, connectors, path, data):
    folder = write_federation(tmp_path)
    (folder / path).write_bytes(data)
    load_whatever(folder, connectors)


yaml_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["raw", "1.10", "schools", "*", "{{ x }}"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["name", "properties", "x", "type"]), inner, max_size=4),
    max_leaves=12,
)


@relaxed
@given(path=st.sampled_from(FILES), choice=st.integers(min_value=0), value=yaml_values)
def test_any_value_in_any_place_raises_nothing_but_invalid(tmp_path, connectors, path, choice, value):
    import yaml

    files = federation_files()
    if path.endswith((".yaml", ".yml")):
        documents = list(yaml.safe_load_all(files[path]))
        spots = list(_spots(documents))
        holder, key = spots[choice % len(spots)]
        holder[key] = value
        files[path] = yaml.safe_dump_all(documents, allow_unicode=True, sort_keys=False)
    load_whatever(write_federation(tmp_path, files), connectors)


def _spots(value):
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from _spots(value[key])


@relaxed
@given(path=st.sampled_from(FILES), start=st.integers(min_value=0), length=st.integers(0, 30), text=st.text(max_size=6))
def test_a_torn_file_raises_nothing_but_invalid(tmp_path, connectors, path, start, length, text):
    files = federation_files()
    cut = start % (len(files[path]) + 1)
    folder = write_federation(tmp_path)
    torn = files[path][:cut] + text + files[path][cut + length :]
    (folder / path).write_bytes(torn.encode("utf-8", errors="surrogatepass"))
    load_whatever(folder, connectors)


@pytest.mark.parametrize("removed", FILES)
def test_a_missing_file_raises_nothing_but_invalid(tmp_path, connectors, removed):
    files = federation_files()
    del files[removed]
    load_whatever(write_federation(tmp_path, files), connectors)


def test_the_same_problem_is_told_once(tmp_path, connectors):
    files = federation_files()
    files[RAW] = contract_text("education", "raw", "schools", columns="      - name: a\n        logicalType: string\n        bar: 1\n")

    assert len(refused(tmp_path, files, connectors).problems) == 1
