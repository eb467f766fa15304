"""Dask's side of the benchmark: run by an interpreter that has dask.distributed, prints figures as one JSON line."""

import json
import statistics
import sys
import time

BEGAN = time.perf_counter()


def child(number):
    """A task that does nothing."""
    return number


def children(first, count):
    """So many children of one parent."""
    from distributed import worker_client

    with worker_client() as client:
        return len(client.gather(client.map(child, range(first, first + count), pure=False)))


def main(scenario):
    """Figures of one scenario."""
    from distributed import Client, LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        client.submit(child, -1).result()
        if scenario == "cold-start":
            return {"first_result_ms": (time.perf_counter() - BEGAN) * 1e3}
        if scenario == "warm-child":
            times = []
            for number in range(300):
                began = time.perf_counter()
                client.submit(child, number, pure=False).result()
                times.append(time.perf_counter() - began)
            ordered = sorted(times)
            return {"p50_ms": statistics.median(times) * 1e3, "p99_ms": ordered[int(len(ordered) * 0.99)] * 1e3}
        if scenario.startswith("fan-out-"):
            count = int(scenario.rpartition("-")[2])
            began = time.perf_counter()
            client.gather(client.map(child, range(count), pure=False))
            seconds = time.perf_counter() - began
            return {"per_second": count / seconds, "us_per_action": seconds / count * 1e6}
        if scenario == "nested":
            began = time.perf_counter()
            client.gather([client.submit(children, number * 100, 100, pure=False) for number in range(10)])
            seconds = time.perf_counter() - began
            return {"per_second": 1000 / seconds, "ms": seconds * 1e3}
    return {}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
