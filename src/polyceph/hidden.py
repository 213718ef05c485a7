"""Hides libraries from code that imports them only where they are installed, and that we use without them: time and memory saved."""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from types import TracebackType
from typing import Self


class Hidden(MetaPathFinder):
    """Says of some top-level packages that they are not installed: as a context manager for a while, in `sys.meta_path` for good.

    What is imported already stays.
    """

    def __init__(self, *names: str) -> None:
        self._names = names

    def __enter__(self) -> Self:
        """Hide them from now on."""
        sys.meta_path.insert(0, self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Hide them no more."""
        sys.meta_path.remove(self)

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:  # noqa: ARG002 -- as importlib asks
        """Refuse what is hidden; leave all else to others.

        Raises:
            ModuleNotFoundError: it is hidden.
        """
        if fullname.partition(".")[0] in self._names:
            raise ModuleNotFoundError(f"{fullname} is hidden here", name=fullname)
