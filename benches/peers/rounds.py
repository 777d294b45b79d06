"""Rounds of measurements, and the file that keeps them."""

from __future__ import annotations

import csv
import time
from dataclasses import astuple, dataclass, field, fields

from processes import Skip, say

OURS = "spo"


@dataclass
class Measured:
    """One figure of one round: a line of peers-rounds.csv. Where there is no value, `note` says why."""

    # `measure_row` fills these in, and the last two.
    row: str = ""
    contender: str = ""
    round: int = 0

    case: str = ""
    value: float | None = None
    env_steps: int | None = None
    comparisons: int | None = None
    task_return: float | None = None
    note: str = ""

    commit: str = ""
    busy: float | None = None  # cores at other work before the row


@dataclass
class Row:
    """One kind of work. A contender is `measure(tools, seed) -> [Measured]`; ours comes first."""

    title: str
    unit: str
    contenders: dict
    goals: dict = field(default_factory=dict)  # (case, peer): least ratio
    most: float | None = None  # of ours, where it has no peer
    least_return: float | None = None

    @property
    def higher_is_better(self):
        return self.unit == "steps/s"


def measure_row(tools, key, row, rounds, commit, busy):
    """A B A B: every contender once a round, the round's number its seed.

    A peer that fails drops out with its reason; ours takes the row along.
    """
    measured = {name: [] for name in row.contenders}
    for number in range(rounds):
        for name, measure in row.contenders.items():
            if any(m.note for m in measured[name]):
                continue
            start = time.perf_counter()
            try:
                found = measure(tools, number)
            except Skip as why:
                measured[name] = found = [Measured(note=str(why))]
                say(f"{key}: {name} left out: {why}")
            else:
                measured[name] += found
                shown = ", ".join(f"{m.case} {figure(m.value)}".strip() for m in found)
                took = time.perf_counter() - start
                say(f"{key} {number + 1}/{rounds}  {name:<19} {shown} {row.unit}  (took {took:.0f} s)")
            for m in found:
                m.row, m.contender, m.round, m.commit, m.busy = key, name, number, commit, busy
            if name == OURS and found[0].note:
                return found
    return [m for each in measured.values() for m in each]


def complete(measured, key, row, rounds, commit):
    """Whether a row is there in full, of this commit."""
    mine = [m for m in measured if m.row == key]
    seen = {name: {m.round for m in mine if m.contender == name} for name in row.contenders}
    return all(len(s) >= rounds for s in seen.values()) and all(not m.note and m.commit == commit for m in mine)


def load(path):
    """The rounds of an earlier run."""
    if not path.exists():
        return []
    types = {"value": float, "env_steps": int, "comparisons": int, "task_return": float, "round": int, "busy": float}

    def parse(key, text):
        return text if key not in types else types[key](text) if text else None

    with path.open(newline="") as file:
        return [Measured(**{key: parse(key, text) for key, text in line.items()}) for line in csv.DictReader(file)]


def save(path, measured):
    with path.open("w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(f.name for f in fields(Measured))
        out.writerows(astuple(m) for m in measured)


def figure(x):
    """Three digits or all before the point."""
    return f"{x:,.0f}" if x >= 100 else f"{x:.3g}"
