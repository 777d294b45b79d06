"""The time of one call, as a median."""

import itertools
import statistics
import time


def median_us(update, batches, seconds):
    """Median time of `update(batch)` in microseconds, over `seconds` of calls after a fifth of that to warm up."""
    turn = itertools.cycle(batches)
    end = time.perf_counter() + seconds / 5
    while time.perf_counter() < end:
        update(next(turn))
    times = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 5:
        batch = next(turn)
        start = time.perf_counter()
        update(batch)
        times.append(time.perf_counter() - start)
    return 1e6 * statistics.median(times)
