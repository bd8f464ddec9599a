"""How many SynthFaces are drawn in a second, with all truth.

    python tests/benchmarks/bench_synthfaces.py [--faces 2000] [--size 128] [--workers 2]

Best of several rounds, because other work on the machine can only slow one down. Prints one JSON
object and exits with 1 when two processors or more draw fewer than the promised 500 a second.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

from faceattr.data.drawing.workshop import processors
from faceattr.data.synthetic import SynthFaces

PROMISED = 500


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faces", type=int, default=2000)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=min(2, processors()))
    options = parser.parse_args()
    seconds = []
    for seed in range(options.rounds):
        start = time.perf_counter()
        SynthFaces(
            options.faces, size=options.size, seed=seed, regions=True, workers=options.workers
        )
        seconds.append(time.perf_counter() - start)
    rate = options.faces / min(seconds)
    result = {
        "name": f"SynthFaces of {options.size} pixels with all truth",
        "value": round(rate),
        "unit": "faces/s",
        "target": PROMISED,
        "faces": options.faces,
        "workers": options.workers,
        "seconds": [round(s, 2) for s in seconds],
    }
    print(json.dumps(result))
    return int(options.workers >= 2 and rate < PROMISED)


if __name__ == "__main__":
    sys.exit(main())
