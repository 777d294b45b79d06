"""Ratios of the rounds, as Markdown and CSV."""

from __future__ import annotations

import csv
import re
from statistics import median

from rounds import OURS, figure
from work import ROWS

COLUMNS = ["row", "case", "peer", "unit", "theirs", "ours", "ratio", "ratio_min", "ratio_max", "goal", "rounds"]


def ratios(ours, theirs, higher_is_better):
    """How many times faster ours is, round by round of those that both have."""
    pairs = [(ours[r], theirs[r]) for r in sorted(ours.keys() & theirs.keys())]
    return [a / b if higher_is_better else b / a for a, b in pairs]


def summarise(measured):
    """A line for each case and peer: medians over rounds, the ratio and its range."""
    lines = []
    for key, row in ROWS.items():
        values = {}  # by case and contender, by round
        for m in measured:
            if m.row == key and not m.note:
                values.setdefault((m.case, m.contender), {})[m.round] = m.value
        for case in sorted({case for case, _ in values}, key=lambda case: [int(n) for n in re.findall(r"\d+", case)]):
            ours = values.get((case, OURS))
            peers = [name for name in row.contenders if name != OURS and (case, name) in values]
            if ours and not peers:
                alone = {"row": key, "case": case, "unit": row.unit, "ours": median(ours.values())}
                lines.append({**alone, "goal": row.most, "rounds": len(ours)})
            for peer in peers if ours else []:
                theirs = values[case, peer]
                faster = ratios(ours, theirs, row.higher_is_better)
                lines.append(
                    {
                        "row": key,
                        "case": case,
                        "peer": peer,
                        "unit": row.unit,
                        "theirs": median(theirs.values()),
                        "ours": median(ours.values()),
                        "ratio": median(faster),
                        "ratio_min": min(faster),
                        "ratio_max": max(faster),
                        "goal": row.goals.get((case, peer)),
                        "rounds": len(faster),
                    }
                )
    return lines


def markdown(measured, machine):
    """All that has been measured; `machine` says on what."""
    text = ["# Speed beside the Python peers", "", *machine, ""]
    text += ["| work | case | peer | peer's | ours | times faster, median (min–max) | goal |"]
    text += ["|---|---|---|---|---|---|---|"]
    for line in summarise(measured):
        row, goal = ROWS[line["row"]], line["goal"]
        cells = [row.title, line["case"], line.get("peer", "")]
        cells += [f"{figure(line[who])} {row.unit}" if who in line else "" for who in ("theirs", "ours")]
        if "ratio" in line:
            cells.append(f"**{line['ratio']:.1f}** ({line['ratio_min']:.1f}–{line['ratio_max']:.1f})")
            cells.append(f"{goal}: {met(line['ratio'] >= goal)}" if goal else "")
        else:
            cells += ["", f"{goal} {row.unit}: {met(line['ours'] <= goal)}" if goal else ""]
        text.append(f"| {' | '.join(cells)} |")
    text += ["", *learned(measured)]
    left_out = [f"- {ROWS[m.row].title}, {m.contender}: {m.note}" for m in measured if m.note]
    return "\n".join(text + (["Left out:", "", *left_out, ""] if left_out else []))


def met(holds):
    return "met" if holds else "**not met**"


def learned(measured):
    """What whole processes learned: speed to a return that was not reached is none."""
    whole = {}
    for m in measured:
        if m.task_return is not None:
            whole.setdefault((m.row, m.contender), []).append(m)
    if not whole:
        return []
    text = ["What the whole processes learned, round by round; a round's number is its seed:", ""]
    text += ["| work | contender | env steps | comparisons | return |", "|---|---|---|---|---|"]
    for (key, name), each in whole.items():
        returns = " ".join(f"{m.task_return:.0f}" for m in each)
        text.append(f"| {ROWS[key].title} | {name} | {each[0].env_steps:,} | {each[0].comparisons:,} | {returns} |")
    text.append("")
    returns = {at: [m.task_return for m in each] for at, each in whole.items()}
    for key, row in ROWS.items():
        ours = returns.get((key, OURS))
        for peer in row.contenders:
            theirs = returns.get((key, peer))
            if peer != OURS and ours and theirs and min(ours) < median(theirs):
                text += [f"**Ours fell short of {peer}'s median return in a round: that ratio does not count.**", ""]
        if ours and row.least_return is not None and median(ours) < row.least_return:
            text += [f"**{row.title}: the median return is below {row.least_return}.**", ""]
    return text


def write(out, measured, machine):
    """Writes peers.md and peers.csv."""
    (out / "peers.md").write_text(markdown(measured, machine))
    with (out / "peers.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for line in summarise(measured):
            writer.writerow({k: round(v, 4) if isinstance(v, float) else v for k, v in line.items()})
