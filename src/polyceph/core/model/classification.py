"""How freely a dataset may be seen, and whether a column is about a person."""

from __future__ import annotations

from enum import StrEnum


class Classification(StrEnum):
    """Sensitivity of a dataset or column, from open to closed."""

    PUBLIC = "public"
    INTERNAL = "internal"
    CONFIDENTIAL = "confidential"
    SECRET = "secret"

    @property
    def rank(self) -> int:
        """Return the place in that order, 0 for public: what has a higher one may be seen less freely."""
        return list(Classification).index(self)


class PersonalData(StrEnum):
    """Whether a column holds personal data (GDPR art. 4(1)) or a special category (art. 9)."""

    NONE = "none"
    PERSONAL = "personal"
    SPECIAL_CATEGORY = "special category"
