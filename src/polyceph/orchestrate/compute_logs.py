"""Where the output of runs is kept: a folder per domain, which only that domain and the platform can read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager


class DomainComputeLogs(LocalComputeLogManager):
    """Dagster's files on this machine. A domain's process writes into its own folder; the platform looks into the folders of all.

    The output of a run is looked for in the folder of the domain that runs it alone: nobody else can put something in its place.
    """

    def __init__(self, base_dir: str, polling_timeout: float | None = None, inst_data: Any = None) -> None:
        super().__init__(base_dir=base_dir, polling_timeout=polling_timeout, inst_data=inst_data)
        self._root = Path(base_dir)

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Mapping[str, Any]) -> DomainComputeLogs:
        """Return the manager that an instance's configuration describes."""
        return cls(inst_data=inst_data, **config_value)

    def get_captured_local_path(self, log_key: Sequence[str], extension: str, partial: bool = False) -> str:
        """Return the file of one stream; raise `ValueError` for a key, or a link, that leads out of its folder."""
        folder = next(self._folders(log_key), self._root)
        return str(LocalComputeLogManager(str(folder)).get_captured_local_path(log_key, extension, partial))

    def complete_artifact_path(self, log_key: Sequence[str]) -> str:
        """Return the file that says that a capture is complete."""
        return self.get_captured_local_path(log_key, "complete")

    def get_log_keys_for_log_key_prefix(self, log_key_prefix: Sequence[str], io_type: Any) -> Sequence[list[str]]:
        """Return the keys below a prefix, from wherever they are."""
        folder = next(self._folders([*log_key_prefix, "any"]), self._root)
        found: Sequence[list[str]] = LocalComputeLogManager(str(folder)).get_log_keys_for_log_key_prefix(log_key_prefix, io_type)
        return found

    def _folders(self, log_key: Sequence[str]) -> Iterator[Path]:
        """Yield the folders of domains in which a key may be; none in the process of a domain, below whose folder there are no others."""
        run = self._instance.get_run_by_id(log_key[0]) if self.has_instance else None
        if run is not None and run.remote_job_origin is not None:
            folder = self._root / run.remote_job_origin.location_name
            yield from [folder] if folder.is_dir() else []
        elif run is None and self._root.is_dir():
            yield from sorted(one for one in self._root.iterdir() if one.joinpath(*log_key[:-1]).is_dir())
