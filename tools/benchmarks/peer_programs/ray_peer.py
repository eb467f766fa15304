"""Ray's side of the benchmark: run by an interpreter that has ray, prints figures as one JSON line."""

import itertools
import json
import os
import random
import statistics
import subprocess
import sys
import time

BEGAN = time.perf_counter()


def latencies(seconds):
    """Median and 99th percentile in milliseconds."""
    ordered = sorted(seconds)
    return {
        "p50_ms": statistics.median(seconds) * 1e3,
        "p99_ms": ordered[int(len(ordered) * 0.99)] * 1e3,
    }


def fan_out(ray, child, count):
    """Children of one parent, all at once."""
    ray.get([child.remote(number) for number in range(50)])

    @ray.remote
    def parent(total):
        began = time.perf_counter()
        ray.get([child.remote(number) for number in range(total)])
        return time.perf_counter() - began

    seconds = ray.get(parent.remote(count))
    return {"per_second": count / seconds, "us_per_action": seconds / count * 1e6}


def scale_up(ray, count):
    """Tasks of 5 ms for which no worker runs yet, on eight."""

    @ray.remote
    def short_work(number):
        time.sleep(0.005)
        return os.getpid()

    began = time.perf_counter()
    found = ray.get([short_work.remote(number) for number in range(count)])
    return {"seconds": time.perf_counter() - began, "replicas": len(set(found))}


def idle_while_waiting(ray, count):
    """The longest that one of eight workers had nothing to do while something waited, by the tasks' own clocks."""

    @ray.remote
    def work(number, seconds):
        began = time.monotonic()
        time.sleep(seconds)
        return os.getpid(), began, time.monotonic()

    ray.get([work.remote(number, 0.2) for number in range(16)])
    lengths = random.Random(count)
    spans = ray.get([work.remote(number, lengths.uniform(0.01, 0.04)) for number in range(count)])
    last_began = max(began for _, began, _ in spans)
    gaps = [0.0]
    for process in {process for process, _, _ in spans}:
        own = sorted((began, ended) for one, began, ended in spans if one == process)
        gaps += [after[0] - before[1] for before, after in itertools.pairwise(own)]
        gaps.append(last_began - own[-1][1])
    return {"replica_idle_ms": max(gaps) * 1e3}


def large_inputs(ray, count):
    """A task with 64 KiB of input against one with next to none, in turn, from inside a task."""

    @ray.remote
    def length(number, data):
        return len(data)

    @ray.remote(num_cpus=0)
    def sequence():
        times = ([], [])
        ray.get(length.remote(-1, b""))
        for number in range(count):
            for found, data in zip(times, (b"", os.urandom(64 << 10)), strict=True):
                began = time.perf_counter()
                ray.get(length.remote(number, data))
                found.append(time.perf_counter() - began)
        return [statistics.median(found) for found in times]

    small, large = ray.get(sequence.remote())
    return {"p50_ms": large * 1e3, "small_p50_ms": small * 1e3, "times": large / small}


def main(scenario):
    """Figures of one scenario."""
    if scenario == "import":

        def best(statement):
            times = []
            for _ in range(3):
                began = time.perf_counter()
                subprocess.run([sys.executable, "-c", statement], check=True)
                times.append(time.perf_counter() - began)
            return min(times)

        return {"ms": (best("import ray") - best("pass")) * 1e3}
    import ray

    cpus = 8 if scenario.startswith("pool-") else 2
    ray.init(num_cpus=cpus, include_dashboard=False, log_to_driver=False, logging_level="ERROR")

    @ray.remote
    def child(number):
        return number

    if scenario == "cold-start":
        ray.get(child.remote(1))
        return {"first_result_ms": (time.perf_counter() - BEGAN) * 1e3}
    if scenario in ("warm-child", "fresh-child"):
        task = child if scenario == "warm-child" else ray.remote(max_calls=1)(lambda number: number)

        @ray.remote(num_cpus=0)
        def sequence(count):
            ray.get(task.remote(-1))
            times = []
            for number in range(count):
                began = time.perf_counter()
                ray.get(task.remote(number))
                times.append(time.perf_counter() - began)
            return times

        return latencies(ray.get(sequence.remote(500 if scenario == "warm-child" else 20)))
    if scenario == "pool-scale-up":
        return scale_up(ray, 1_000)
    if scenario == "pool-idle-while-waiting":
        return idle_while_waiting(ray, 1_500)
    if scenario == "big-inputs":
        return large_inputs(ray, 250)
    if scenario.startswith("fan-out-"):
        return fan_out(ray, child, int(scenario.rpartition("-")[2]))
    if scenario == "nested":

        @ray.remote(num_cpus=0)
        def parent(children):
            return len(ray.get([child.remote(number) for number in range(children)]))

        ray.get(parent.remote(1))
        began = time.perf_counter()
        ray.get([parent.remote(100) for _ in range(10)])
        seconds = time.perf_counter() - began
        return {"per_second": 1000 / seconds, "ms": seconds * 1e3}
    return {}


print(json.dumps(main(sys.argv[1])))
