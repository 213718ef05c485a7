"""The one logger; never a row, a name, an e-mail or a secret."""

from __future__ import annotations

import logging

log = logging.getLogger("polyceph")
