"""Mail, Teams and ntfy: what is sent is kept and can be asked for; what they would refuse is refused."""

from __future__ import annotations

import smtplib
from email.message import EmailMessage
from functools import partial
from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from conftest import Federation

get = partial(httpx.get, timeout=60)
post = partial(httpx.post, timeout=60)
CARD = {"type": "AdaptiveCard", "version": "1.5", "body": [{"type": "TextBlock", "text": "Trois pipelines ont échoué."}]}


def _mail(subject: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "polyceph@example.org", "marie@example.org", subject
    message.set_content("Bonjour,\nune vérification a échoué.\n")
    return message


def _smtp(federation: Federation) -> smtplib.SMTP:
    own = federation.of("mail")
    return smtplib.SMTP(own["HOST"], int(own["PORT"]), timeout=10)


def test_a_mail_is_kept_with_its_recipients(federation: Federation) -> None:
    own = federation.of("mail")
    with _smtp(federation) as client:
        client.login(own["USER"], own["PASSWORD"])
        client.send_message(_mail("Vérification échouée"), to_addrs=["marie@example.org", "hidden@example.org"])
    (kept,) = [one for one in federation.received("mail") if one["subject"] == "Vérification échouée"]
    assert kept["x_envelope_to"] == "marie@example.org, hidden@example.org"
    assert "une vérification a échoué" in kept["text"]
    assert list((federation.folder / "received/mail").glob("*.eml"))


def test_mail_wants_a_login_and_the_right_one(federation: Federation) -> None:
    with _smtp(federation) as client, pytest.raises(smtplib.SMTPSenderRefused):
        client.send_message(_mail("without"))
    with _smtp(federation) as client, pytest.raises(smtplib.SMTPAuthenticationError):
        client.login(federation.of("mail")["USER"], "wrong")
    assert not [one for one in federation.received("mail") if one["subject"] == "without"]


def test_a_card_for_teams_is_kept(federation: Federation) -> None:
    message = {"type": "message", "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "content": CARD}]}
    assert post(federation.of("teams")["URL"], json=message).status_code == 202
    assert message in federation.received("teams")


def test_teams_refuses_what_it_could_not_show(federation: Federation) -> None:
    url = federation.of("teams")["URL"]
    large = {
        "type": "message",
        "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "content": CARD | {"x": "y" * 30_000}}],
    }
    for message in (
        {"text": "only text"},
        {"type": "message", "attachments": []},
        {"type": "message", "attachments": [{"contentType": "text/plain"}]},
        large,
    ):
        assert post(url, json=message).status_code == 400
    assert post(url, content=b"no json").status_code == 400
    secret = url.split("/")[5]
    assert post(url.replace(secret, "0" * len(secret)), json={}).status_code == 404


def test_a_message_for_a_topic_is_kept_and_shown(federation: Federation) -> None:
    own = federation.of("ntfy")
    headers = {"Authorization": f"Bearer {own['TOKEN']}"}
    sent = (
        post(
            f"{own['URL']}/quality",
            content=b"Deux doublons",
            headers=headers | {"Title": "Qualité".encode(), "Priority": "high", "Tags": "warning,a"},
        )
        .raise_for_status()
        .json()
    )
    assert (sent["title"], sent["priority"], sent["tags"], sent["message"]) == ("Qualité", 4, ["warning", "a"], "Deux doublons")
    also = post(own["URL"], json={"topic": "quality", "message": "deux", "priority": 2}, auth=(own["USER"], own["TOKEN"])).json()
    shown = get(f"{own['URL']}/quality/json", params={"poll": "1"}, headers=headers).text.splitlines()
    assert len(shown) == 2
    assert [one for one in federation.received("ntfy") if one["topic"] == "quality"] == [sent, also]


@pytest.mark.parametrize(
    ("topic", "body", "headers", "status"),
    [
        ("quality", b"x", {"Authorization": "Bearer wrong"}, 401),
        ("quality", b"x" * 5_000, {}, 400),
        ("a%20b", b"x", {}, 400),
        ("..%2f..%2fx", b"x", {}, 404),
        ("quality", b"x", {"Priority": "enormous"}, 400),
    ],
)
def test_ntfy_refuses(federation: Federation, topic: str, body: bytes, headers: dict[str, str], status: int) -> None:
    own = federation.of("ntfy")
    answer = post(f"{own['URL']}/{topic}", content=body, headers={"Authorization": f"Bearer {own['TOKEN']}"} | headers)
    assert answer.status_code == status
