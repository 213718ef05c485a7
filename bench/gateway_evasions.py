"""gateway.evasions: 20,000 generated requests that try to reach another domain; the last line says how many got through."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests/integration/gateway"))
from gateway_evasions import escaped, generated
from gateway_planted import plant
from gateway_stand import ENGINEER, Stand, standing

NUMBER, SEED = int(os.environ.get("EVASIONS", "20000")), 1


async def attempted(stand: Stand) -> dict[str, int]:
    """Return how many attempts there were, how many got through, how many the server could not answer."""
    found = {"attempts": 0, "escapes": 0, "server_errors": 0}
    async with stand.client(ENGINEER) as client:
        for attempt in generated(stand, NUMBER, SEED):
            before = len(stand.journal.events)
            answer = await client.request(attempt.method, "/dagster/graphql", **attempt.sent())
            found["attempts"] += 1
            found["server_errors"] += answer.status_code >= 500 or '"INTERNAL"' in answer.text
            if (how := escaped(stand, attempt, answer, before)) is not None:
                found["escapes"] += 1
                print(how, attempt, file=sys.stderr)
            if found["attempts"] % 2000 == 0:
                print(found, file=sys.stderr)
    return found


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="gw-") as folder, standing(Path(folder)) as stand:
        plant(stand)
        begun = time.monotonic()
        found = asyncio.run(attempted(stand))
    print(json.dumps({"bench": "gateway.evasions", "seed": SEED, **found, "seconds": round(time.monotonic() - begun, 1)}))


if __name__ == "__main__":
    main()
