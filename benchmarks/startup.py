"""`python -m benchmarks.startup`: from the command to the first healthy answer, and the memory of one worker."""

import argparse
import asyncio
import statistics

from benchmarks import client, machine, workloads
from benchmarks.stage import prepare


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.startup", description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--log", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=5)
    chosen = parser.parse_args()
    stage = prepare(chosen.cases, chosen.log)
    try:
        starts = []
        for _ in range(chosen.times):
            server = stage.hub()
            starts.append(server.started)
            fresh = machine.resident_mb(server.pid)
            server.stop()
        server = stage.hub()
        _, hub = workloads.sides(stage, server.url, server.url)
        for w in ("W1", "W2", "W3"):
            client.replay(hub.url, hub.calls(w), hub.headers(w), 5, stage.config.data)
        worked = machine.resident_mb(server.pid)
        server.stop()
        (version,) = asyncio.run(stage.sql("SELECT version() AS v"))
    finally:
        stage.embedded.stop()
    print(", ".join(f"{k} {v}" for k, v in machine.description(version["v"]).items()))
    print(f"start to first /healthz: median {statistics.median(starts):.2f} s, worst {max(starts):.2f} s (goal 1.5)")
    print(f"memory of a worker: {fresh:.0f} MB fresh, {worked:.0f} MB after load (goal 150)")


if __name__ == "__main__":
    main()
