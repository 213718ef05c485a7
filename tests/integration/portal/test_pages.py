"""Every page of the portal on a real server: who may open it, what she finds, and that nothing hidden shows anywhere."""

from __future__ import annotations

import re
import socket
from itertools import product
from urllib.parse import urlsplit

import httpx
import pytest

from planted_site import CANARY, PEOPLE, Planted
from polyceph.core.model.access import Action, Standing
from polyceph.core.model.classification import Classification
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.portal.routes import LINKS, ROUTES
from polyceph.web.languages import LANGUAGES
from polyceph.web.pages import Open, Page

VALUES = {
    "domain": ("education", "culture", "health", "nowhere"),
    "zone": ("gold", "raw"),
    "name": ("schools", "cases", "nothing"),
    "session": ("s",),
}
GETS = [route for route in ROUTES if "GET" in (route.methods or ())]
POSTS = [route for route in ROUTES if "POST" in (route.methods or ())]
TRICKS = [
    "{0};x",
    "{0}%3bx",
    "/{0}",
    "{0}/",
    "{0}//",
    "{0}/%2e",
    "{0}/..;/",
    "/x/..{0}",
    "/x/%2e%2e{0}",
    "{0}%2f",
    "{0}%252f",
    "{0}%00",
    "{0}%5c",
    "{0}\\",
]


def cookie(client: httpx.Client, who: str, **more: str) -> dict[str, str]:
    pairs = {"session": who, **more}
    return {"cookie": "; ".join(f"polyceph-{name}={value}" for name, value in pairs.items())}


def paths(route: Page) -> list[str]:
    """Return the addresses of a page with every value for the parts of its path."""
    parts = re.findall(r"{(\w+)}", route.path)
    return [route.path.format(**dict(zip(parts, values, strict=True))) for values in product(*(VALUES[part] for part in parts))]


ALL_PATHS = [path for route in GETS for path in paths(route)]


def test_every_page_has_a_rule_and_an_address() -> None:
    elsewhere = {"/dagster/"}  # the app that is mounted there
    assert {route.path for route in GETS} >= {path for path, _ in LINKS} - elsewhere
    assert all(route.rule.needs is not Open.ANYBODY for route in ROUTES)
    assert len({(route.path, *sorted(route.methods or ())) for route in ROUTES}) == len(ROUTES)


@pytest.mark.parametrize("who", PEOPLE)
def test_each_page_answers_as_the_one_function_decides(client: httpx.Client, planted: Planted, who: str) -> None:
    principal, decided = PEOPLE[who], 0
    for route in GETS:
        for path in paths(route):
            answer = client.get(path, headers=cookie(client, who))
            if principal.standing is not Standing.ACTIVE:
                assert answer.status_code == 303, path
                continue
            good = expected(planted, who, route, path)
            assert answer.status_code in good, (path, answer.status_code, good)
            decided += 1
    assert decided == (len(ALL_PATHS) if principal.standing is Standing.ACTIVE else 0)


def expected(planted: Planted, who: str, route: Page, path: str) -> tuple[int, ...]:
    """Return the statuses that the rule of a page and what is declared allow: 404 for what is not there or hidden."""
    site, rule, principal = planted.site, route.rule, PEOPLE[who]
    if isinstance(rule.needs, Open):
        return (200,)
    parts = path.split("/")
    domain = parts[2] if rule.domain_from else None
    facts = {}
    if route.path.startswith("/datasets/"):
        wanted = DatasetId(parts[2], Zone(parts[3]), parts[4])
        known = planted.federation.domains[parts[2]].datasets.get(wanted) if parts[2] in planted.federation.domains else None
        facts = {
            "dataset": str(wanted),
            "classification": known.contract.classification if known and known.contract else Classification.SECRET,
        }
        if known is None:
            return (404,)
    if not site.may(principal, rule.needs, domain=domain, **facts).allowed:
        return (404,) if rule.hides else (403,)
    return (404,) if domain == "nowhere" else (200,)


def test_what_is_hidden_and_what_is_not_there_answer_alike(client: httpx.Client) -> None:
    answers = [
        client.get(path, headers=cookie(client, "own.owner")) for path in ("/datasets/health/gold/cases", "/datasets/health/gold/nothing")
    ]
    bare = [re.sub(r"[0-9a-f]{32,64}", "", one.text).replace("cases", "nothing") for one in answers]
    assert [one.status_code for one in answers] == [404, 404]
    assert bare[0] == bare[1]


@pytest.mark.parametrize("who", [name for name in PEOPLE if name not in ("all.auditor", "all.dpo")])
def test_a_canary_of_another_domain_is_in_no_answer(client: httpx.Client, who: str) -> None:
    searches = [
        f"/datasets?q={CANARY}",
        "/datasets?domain=health",
        "/datasets?classification=secret",
        "/datasets?q=cases&owner=claire.martin",
    ]
    for path in (*ALL_PATHS, *searches):
        for answer in (
            client.get(path, headers=cookie(client, who)),
            client.get(path, headers={**cookie(client, who), "accept": "application/json"}),
        ):
            text = answer.text.replace(f'value="{CANARY}"', "").replace(f"q={CANARY}", "")
            assert CANARY not in text, (who, path)


def test_the_canary_is_there_for_who_may_see_it(client: httpx.Client) -> None:
    assert CANARY in client.get("/datasets/health/gold/cases", headers=cookie(client, "all.auditor")).text
    assert CANARY in client.get("/datasets", headers=cookie(client, "all.auditor")).text


def test_what_somebody_may_not_know_of_is_not_counted(client: httpx.Client) -> None:
    shown = client.get("/datasets", headers=cookie(client, "own.owner")).text
    assert "6 datasets" in shown
    assert "Secret" not in shown
    assert ">secret (" not in shown
    assert "health" not in shown.lower().replace("culture", "")
    every = client.get("/datasets", headers=cookie(client, "all.auditor")).text
    assert "7 datasets" in every
    assert ">secret (1)" in every


def test_search_does_not_tell_of_what_is_not_described(client: httpx.Client) -> None:
    """`culture.raw.loans` is internal: a visitor of education may not even find it, a consumer finds it and sees no columns."""
    found = client.get("/datasets?q=borrows", headers=cookie(client, "own.analyst")).text
    assert "Loans of libraries" in found
    for word in ("borrows", "delivered"):
        assert "Loans of libraries" not in client.get(f"/datasets?q={word}", headers=cookie(client, "own.consumer")).text
    assert "Loans of libraries" in client.get("/datasets?q=libraries", headers=cookie(client, "own.consumer")).text


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("schools", "Schools"),
        ("SCHOOL", "Schools"),
        ("scholos", "Schools"),
        ("musuem", "Museums and collections"),
        ("enrolments town", "Enrolments by town and year"),
        ("family_name", "Pupils as the schools send them"),
    ],
)
def test_search_finds_what_was_meant(client: httpx.Client, words: str, first: str) -> None:
    shown = client.get("/datasets", params={"q": words}, headers=cookie(client, "claire.martin")).text
    assert re.findall(r'card-link" href="[^"]+">([^<]+)', shown)[0] == first


def test_filters_narrow_together(client: httpx.Client) -> None:
    shown = client.get("/datasets?domain=education&zone=gold&classification=public", headers=cookie(client, "claire.martin")).text
    assert "1 dataset<" in shown
    assert client.get("/datasets?page=999999999999", headers=cookie(client, "claire.martin")).status_code == 200
    assert client.get("/datasets?page=-1&zone=nowhere", headers=cookie(client, "claire.martin")).status_code == 200


def test_a_dataset_says_how_it_is(client: httpx.Client) -> None:
    shown = client.get("/datasets/education/gold/schools", headers=cookie(client, "claire.martin")).text
    assert "2,512" in shown
    assert shown.count('class="dot"') == 4
    assert all(f'<td class="number">{rows}</td>' in shown for rows in ("1,200", "1,450", "1,430", "2,512"))
    assert "education.output.schools" in shown
    assert 'href="/domains/culture"' in shown
    output = client.get("/datasets/education/output/schools", headers=cookie(client, "claire.martin")).text
    assert "polyceph_output/education.schools" in output


def test_only_who_may_read_logs_sees_why_a_run_failed(client: httpx.Client) -> None:
    assert "12 cells are not numbers" in client.get("/domains/education", headers=cookie(client, "own.engineer")).text
    assert "12 cells are not numbers" not in client.get("/domains/education", headers=cookie(client, "own.consumer")).text


def test_personal_columns_are_marked(client: httpx.Client) -> None:
    shown = client.get("/datasets/education/raw/pupils", headers=cookie(client, "claire.martin")).text
    assert shown.count(">personal data<") == 3
    assert shown.count(">special category of personal data<") == 1


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_page_speaks_each_language(client: httpx.Client, code: str) -> None:
    for path in (
        "/",
        "/datasets",
        "/datasets/education/gold/schools",
        "/domains",
        "/domains/education",
        "/account",
        "/identities",
        "/platform",
    ):
        answer = client.get(path, headers=cookie(client, "claire.martin", language=code))
        assert answer.status_code == 200
        assert f'<html lang="{code}"' in answer.text
        assert answer.headers["content-language"] == code
    assert {"fr": "Propriétaire des données", "nl": "Data-eigenaar", "de": "Dateneigner", "en": "Data owner"}[code] in (
        client.get("/datasets/education/gold/schools", headers=cookie(client, "claire.martin", language=code)).text
    )


REFUSALS = {
    ("GET", "/domains/culture/people", 404): {
        "fr": "cette page n’existe pas, ou vous n’avez pas à la connaître",
        "nl": "die pagina bestaat niet, of u mag ze niet kennen",
        "de": "diese Seite gibt es nicht, oder Sie dürfen nicht davon wissen",
    },
    ("GET", "/datasets/education/gold/nothing", 404): {
        "fr": "ce jeu de données n’existe pas, ou vous n’avez pas à le connaître",
        "nl": "die dataset bestaat niet, of u mag ze niet kennen",
        "de": "diesen Datensatz gibt es nicht, oder Sie dürfen nicht davon wissen",
    },
    ("GET", "/datasets/education/tin/schools", 404): {
        "fr": "les zones sont brut, bronze, argent, or, sortie",
        "nl": "zones zijn ruw, brons, zilver, goud, uitvoer",
        "de": "Zonen sind roh, Bronze, Silber, Gold, Ausgabe",
    },
    ("GET", "/sessions", 403): {
        "fr": "session.end demande le rôle : ingénieur de la plateforme ; own.engineer n’a aucun rôle dans la fédération",
        "nl": "session.end vraagt de rol platformingenieur, en own.engineer heeft geen rol in de federatie",
        "de": "session.end verlangt die Rolle Plattformingenieur, und own.engineer hat keine Rolle in der Föderation",
    },
    ("POST", "/identities", 403): {
        "fr": "ce formulaire n’est plus valable",
        "nl": "dit formulier is niet meer geldig",
        "de": "dieses Formular gilt nicht mehr",
    },
}


@pytest.mark.parametrize("code", ["fr", "nl", "de"])
@pytest.mark.parametrize(("method", "path", "status"), REFUSALS)
def test_a_refusal_is_said_in_the_language_of_the_page(client: httpx.Client, method: str, path: str, status: int, code: str) -> None:
    headers = {**cookie(client, "own.engineer", language=code, form="mark"), "origin": str(client.base_url).rstrip("/")}
    answer = client.request(method, path, headers=headers, data={"form_token": "0" * 64} if method == "POST" else None)
    said = answer.text[answer.text.index("<main") : answer.text.index("</main>")]
    assert answer.status_code == status
    assert f"<p>{REFUSALS[method, path, status][code]}</p>" in said
    assert 'lang="en"' not in said


def test_a_wish_that_will_not_do_is_refused_in_the_language_of_the_page(client: httpx.Client) -> None:
    headers = {**cookie(client, "claire.martin", language="nl", form="mark"), "origin": str(client.base_url).rstrip("/")}
    token = re.search(r'name="form_token" value="(\w+)"', client.get("/identities", headers=headers).text)
    assert token
    wish = {"form_token": token[1], "name": "Education CI", "domain": "education", "role": "analyst", "days": "90", "scope-run.view": "1"}
    answer = client.post("/identities", headers=headers, data=wish)
    assert "<p>‘Education CI’ kan geen naam van een dienstidentiteit zijn</p>" in answer.text
    answer = client.post("/identities", headers=headers, data={**wish, "role": "owner"})
    assert "<p>rollen zijn bezoeker, afnemer, analist, datasteward, ingenieur, auditor</p>" in answer.text


def raw_status(address: str, path: str, who: str) -> int:
    """Return the status of a request whose path no client tidied up."""
    parts = urlsplit(address)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=20) as connection:
        head = [f"GET {path} HTTP/1.1", f"Host: {parts.netloc}", f"Cookie: polyceph-session={who}", "Connection: close"]
        connection.sendall("\r\n".join([*head, "", ""]).encode("latin-1"))
        return int(connection.recv(64).split()[1])


@pytest.mark.parametrize("who", ["all.auditor", "own.visitor", "nobody"])
@pytest.mark.parametrize("trick", TRICKS)
def test_no_trick_with_the_path_opens_a_page(address: str, trick: str, who: str) -> None:
    """The decision of a path is that of its plain form; any other form opens nothing, for nobody."""
    for route in GETS:
        path = route.path.format(domain="health", zone="gold", name="cases", session="s")
        assert raw_status(address, trick.format(path), who) in (400, 404), path


@pytest.mark.parametrize("route", [route for route in GETS if route.path != "/"], ids=lambda route: route.path)
def test_another_case_is_another_path(address: str, route: Page) -> None:
    path = route.path.format(domain="health", zone="gold", name="cases", session="s").upper()
    assert raw_status(address, path, "all.auditor") == 404


@pytest.mark.parametrize("route", POSTS, ids=lambda route: route.path)
def test_no_change_is_made_without_the_token_of_the_form(client: httpx.Client, route: Page) -> None:
    path = route.path.format(name="ci", session="session-of-claire.martin")
    for headers in ({"origin": str(client.base_url).rstrip("/")}, {"origin": "https://evil.example"}, {"origin": "null"}, {}):
        answer = client.post(path, data={"form_token": "0" * 64}, headers={**cookie(client, "claire.martin", form="mark"), **headers})
        assert answer.status_code == 403, headers
    assert client.get(path, headers=cookie(client, "claire.martin")).status_code in (200, 405)


def test_actions_of_rules_are_known() -> None:
    assert {route.rule.needs for route in ROUTES} <= {*Action, Open.SIGNED_IN}


def test_an_attempt_on_the_session_of_somebody_else_is_recorded(client: httpx.Client, planted: Planted) -> None:
    headers = {**cookie(client, "own.consumer", form="mark"), "origin": str(client.base_url).rstrip("/")}
    token = re.search(r'name="form_token" value="(\w+)"', client.get("/account", headers=headers).text)
    assert token
    answer = client.post("/account/sessions/session-of-all.platform_engineer/end", data={"form_token": token[1]}, headers=headers)
    assert answer.status_code == 404
    last = planted.site.queries().last_event("session.refused", "session", "session-of-all.platform_engineer")
    assert last is not None
    assert (last.event.actor.id, last.event.allowed) == ("own.consumer", False)
