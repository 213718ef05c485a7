"""What processes of runs wrote, as one principal sees it: the output of her runs and backfills, never a path of her own making."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from typing import IO, Any

from dagster._core.storage.compute_log_manager import (
    CapturedLogContext,
    CapturedLogData,
    CapturedLogMetadata,
    CapturedLogSubscription,
    ComputeIOType,
    ComputeLogManager,
)

from polyceph.core.model.access import Action
from polyceph.gateway.run_sight import RunSight, domains_of_backfill, domains_of_run
from polyceph.gateway.sight import Sight

_OF_BACKFILL = "backfill"
_HIDDEN = frozenset({"", ".", ".."})


class LogSight(ComputeLogManager):
    """The captured output that a principal may see (`run.logs`): what is not hers is empty."""

    def __init__(self, manager: ComputeLogManager, sight: Sight, runs: RunSight, ticks: Set[tuple[str, ...]]) -> None:
        self._manager = manager
        self._sight = sight
        self._runs = runs
        self._ticks = ticks

    def allows(self, log_key: Sequence[str]) -> bool:
        """Tell whether the output under a key may be seen: that of a run or a backfill, by a key that names no other folder."""
        parts = tuple(log_key)
        if len(parts) < 2 or any(part in _HIDDEN or "/" in part or "\\" in part or "\0" in part for part in parts):
            return False
        if parts in self._ticks:
            return True
        if parts[0] == _OF_BACKFILL:
            backfill = self._runs.get_backfill(parts[1])
            return backfill is not None and self._sight.in_each(Action.RUN_LOGS, domains_of_backfill(backfill))
        run = self._runs.visible(parts[0])
        return run is not None and self._sight.in_each(Action.RUN_LOGS, domains_of_run(run))

    def get_log_data(self, log_key: Sequence[str], cursor: str | None = None, max_bytes: int | None = None) -> CapturedLogData:
        """Return what was written."""
        return self._manager.get_log_data(log_key, cursor, max_bytes) if self.allows(log_key) else CapturedLogData(log_key=list(log_key))

    def get_log_data_for_type(
        self, log_key: Sequence[str], io_type: ComputeIOType, offset: int, max_bytes: int | None
    ) -> tuple[bytes | None, int]:
        """Return what was written to one stream."""
        return self._manager.get_log_data_for_type(log_key, io_type, offset, max_bytes) if self.allows(log_key) else (None, offset)

    def get_log_metadata(self, log_key: Sequence[str]) -> CapturedLogMetadata:
        """Return where to download it; where it lies on the machine stays unsaid."""
        if not self.allows(log_key):
            return CapturedLogMetadata()
        found = self._manager.get_log_metadata(log_key)
        return CapturedLogMetadata(stdout_download_url=found.stdout_download_url, stderr_download_url=found.stderr_download_url)

    def is_capture_complete(self, log_key: Sequence[str]) -> bool:
        """Tell whether more will be written."""
        return not self.allows(log_key) or self._manager.is_capture_complete(log_key)

    def subscribe(self, log_key: Sequence[str], cursor: str | None = None) -> CapturedLogSubscription:
        """Follow what is written; nothing when it may not be seen."""
        if self.allows(log_key):
            return self._manager.subscribe(log_key, cursor)
        return CapturedLogSubscription(self, list(log_key), cursor)

    def unsubscribe(self, subscription: CapturedLogSubscription) -> None:
        """Follow no more."""
        self._manager.unsubscribe(subscription)

    def get_log_keys_for_log_key_prefix(self, log_key_prefix: Sequence[str], io_type: ComputeIOType) -> Sequence[list[str]]:
        """Return the keys under a prefix."""
        return self._manager.get_log_keys_for_log_key_prefix(log_key_prefix, io_type) if self.allows(log_key_prefix) else []

    def local_path(self, log_key: Sequence[str], extension: str) -> str | None:
        """Return the file that holds what was written, None when it may not be seen or is not here."""
        manager = self._manager
        if not self.allows(log_key) or extension not in {"out", "err"} or not hasattr(manager, "get_captured_local_path"):
            return None
        return str(manager.get_captured_local_path(log_key, extension))

    @contextmanager
    def capture_logs(self, log_key: Sequence[str]) -> Iterator[CapturedLogContext]:
        """Refuse: nothing is written here."""
        raise PermissionError(log_key)
        yield  # pragma: no cover

    @contextmanager
    def open_log_stream(self, log_key: Sequence[str], io_type: ComputeIOType) -> Iterator[IO[bytes] | None]:
        """Refuse: nothing is written here."""
        raise PermissionError(log_key, io_type)
        yield  # pragma: no cover

    def delete_logs(self, log_key: Any = None, prefix: Any = None) -> None:
        """Refuse: nothing is deleted here."""
        raise PermissionError(log_key, prefix)
