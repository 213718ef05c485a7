"""Calls into a driver that may never return, each waited for only so long. Nothing about one driver.

ADBC limits the whole of a stream, and a long load is no fault; here it is the silence between two answers that is limited.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Any, Self

_LEAVING_S = 5.0


class Unanswered(Exception):
    """A call did not return within `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"no answer within {seconds} s")
        self.seconds = seconds


class Calls:
    """One thread that makes all calls, in order. A call that hangs keeps the thread, which ends with the process at the latest."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._asked: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._hangs = False

    def __enter__(self) -> Self:
        Thread(target=self._run, name="polyceph-driver", daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._asked.put(None)

    def call(self, function: Callable[[], Any], *, seconds: float | None = None) -> Any:
        """Return what the function returns; raise what it raises, or `Unanswered` when it takes too long."""
        limit = self._seconds if seconds is None else seconds
        answer: Future[Any] = Future()
        self._asked.put((answer, function))
        try:
            return answer.result(timeout=limit)
        except TimeoutError:
            if answer.done():  # the function's own
                raise
            self._hangs = True
            raise Unanswered(limit) from None

    def leave(self, close: Callable[[], Any]) -> None:
        """Close something whose errors no longer matter; behind a call that hangs it is closed whenever that returns."""
        answer: Future[Any] = Future()
        self._asked.put((answer, close))
        if not self._hangs:
            with suppress(Exception):
                answer.result(timeout=_LEAVING_S)

    def _run(self) -> None:
        while (asked := self._asked.get()) is not None:
            answer, function = asked
            try:
                answer.set_result(function())
            except BaseException as error:  # noqa: BLE001 -- it belongs to who asked
                answer.set_exception(error)
