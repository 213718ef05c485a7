"""`python -m polyceph.testing.federation.servers --folder FOLDER`: serve a folder of systems on loopback until it is stopped."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from polyceph.errors import PolycephError
from polyceph.testing.federation.servers.process import run


def main() -> int:
    """Serve until SIGTERM, or until the parent process is gone; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m polyceph.testing.federation.servers", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="the folder of systems, as `generate` writes it")
    parser.add_argument("--parent", type=int, help="the process to end with (default: the one that started this)")
    given = parser.parse_args()
    try:
        run(given.folder, parent=given.parent)
    except PolycephError as error:
        print(error, file=sys.stderr)  # noqa: T201 -- it is a command
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
