"""Pseudonyms of persons the data is about: what the journal calls them, since it can forget nothing (GDPR art. 4(5), 17).

A person is found by a keyed hash of what identifies her; her pseudonym hangs on a key of her own. Once that key is destroyed nobody, not
even who knows her and the platform's secret, can tell which pseudonym was hers.
"""

from __future__ import annotations

import hmac
from hashlib import sha256

from polyceph.core.model.event import Actor, Event
from polyceph.core.ports import UnitOfWork

_PREFIX = "person:"


def pseudonym_of(uow: UnitOfWork, identity: str, *, secret: bytes, fresh_key: bytes, actor: Actor, purpose: str) -> str:
    """Return the pseudonym of a person, made with its event when she has none.

    Args:
        uow: one that is not entered.
        identity: what identifies her, in its one form: a national number as eleven digits, an address in small letters. It is not kept.
        secret: the platform's, of 32 random bytes; it is not in the database.
        fresh_key: 32 random bytes that become her key when she has none yet.
        actor: who acts.
        purpose: why.
    """
    made = _PREFIX + _keyed(fresh_key, identity).hex()[:32]
    with uow:
        found = uow.make_pseudonym(_keyed(secret, identity), fresh_key, made)
        if found == made:
            uow.record(Event(actor, "platform", "pseudonym.made", "pseudonym", made, purpose=purpose))
        uow.commit()
    return found


def destroy_pseudonym(uow: UnitOfWork, identity: str, *, secret: bytes, actor: Actor, reason: str) -> str | None:
    """Destroy the key of a person's pseudonym, with its event; return the pseudonym, None when she has none."""
    with uow:
        found = uow.destroy_pseudonym(_keyed(secret, identity))
        if found is not None:
            uow.record(Event(actor, "platform", "pseudonym.destroyed", "pseudonym", found, reason=reason))
        uow.commit()
    return found


def _keyed(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), sha256).digest()
