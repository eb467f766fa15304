"""Ray's side of the benchmark: run by an interpreter that has ray, prints figures as one JSON line."""

import json
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

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")

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
