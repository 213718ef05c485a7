"""spine.kill: 300 loads killed with SIGKILL at random points and retried; the measure is what was lost, doubled or torn: 0."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from harness import bench, machine, progress

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "faults" / "lake"))


def main() -> None:
    import killing  # from tests/faults/lake, which is on the path from here on
    import targets

    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--kills", type=int, default=300)
    arguments.add_argument("--seed", type=int, default=7)
    given = arguments.parse_args()
    with bench() as place:
        target = targets.Target(place.lake, place.extensions, place.folder / "temporary", place.source)
        tally = killing.shoot(target, given.kills, seed=given.seed, tell=progress)
    delays = tally.delays
    result = {
        "bench": "spine.kill",
        "ours_s": round(tally.seconds, 1),
        "limit_s": None,
        "ratio_to_limit": None,
        "peers": {},
        "ratio_to_best_peer": None,
        **{name: value for name, value in vars(tally).items() if name not in ("delays", "seconds")},
        "delays_s": [round(min(delays), 3), round(max(delays), 3)],
        "machine": machine(),
    }
    print(json.dumps(result))
    sys.exit(0 if tally.is_clean() else 1)


if __name__ == "__main__":
    main()
