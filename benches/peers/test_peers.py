"""Tests of the harness without any peer: python3 -m unittest discover benches/peers"""

import json
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True

import processes  # noqa: E402
import rounds  # noqa: E402
import table  # noqa: E402
from processes import Skip  # noqa: E402
from rounds import Measured, Row  # noqa: E402

processes.say = rounds.say = lambda text: None


def figures(row, contender, values, **more):
    return [Measured(row, contender, r, value=value, **more) for r, value in enumerate(values)]


class Criterion(unittest.TestCase):
    def test_cases_are_read_by_the_full_name_whatever_the_folders(self):
        with tempfile.TemporaryDirectory() as folder:
            for where, name, median_ns in [
                ("ppo update/64x64/64", "ppo update/64x64/64", 205_000.0),
                ("ppo update/256x256_2048", "ppo update/256x256/2048", 32_825_000.0),
                ("sac update/256x256_256", "sac update/256x256/256", 4_000_000.0),
            ]:
                new = Path(folder) / where / "new"
                new.mkdir(parents=True)
                (new / "benchmark.json").write_text(json.dumps({"full_id": name}))
                (new / "estimates.json").write_text(json.dumps({"median": {"point_estimate": median_ns}}))
            cases = processes.read_criterion(folder, "ppo update")
            self.assertEqual(cases, {"64x64/64": 205.0, "256x256/2048": 32_825.0})
            self.assertEqual(processes.read_criterion(folder, "td3 update"), {})


class Table(unittest.TestCase):
    def test_a_rate_is_ours_over_theirs_and_a_time_theirs_over_ours(self):
        # Round 2 is ours alone and does not count.
        self.assertEqual(table.ratios({0: 200.0, 1: 300.0, 2: 1.0}, {0: 10.0, 1: 10.0}, True), [20.0, 30.0])
        self.assertEqual(table.ratios({0: 2.0}, {0: 10.0}, False), [5.0])

    def test_a_line_has_the_median_of_the_ratios_and_their_range(self):
        ours = figures("ppo-update", "spo", [1.0, 2.0, 1.0], case="64x64/64")
        theirs = figures("ppo-update", "PyTorch", [10.0, 16.0, 13.0], case="64x64/64")
        (line,) = table.summarise(ours + theirs)
        # 10 / 1, 16 / 2, 13 / 1
        self.assertEqual((line["ratio"], line["ratio_min"], line["ratio_max"]), (10.0, 8.0, 13.0))
        self.assertIn("**10.0** (8.0–13.0) | 12: **not met** |", table.markdown(ours + theirs, []))

    def test_speed_to_a_return_that_was_not_reached_does_not_count(self):
        theirs = figures("preferences", "imitation", [27.0], env_steps=57_088, comparisons=200, task_return=-1070.0)

        def text(task_return):
            ours = figures("preferences", "spo", [1.0], env_steps=56_000, comparisons=1680, task_return=task_return)
            return table.markdown(ours + theirs, [])

        self.assertNotIn("does not count", text(-800.0))
        self.assertIn("does not count", text(-1100.0))

    def test_the_default_run_has_a_time_and_a_return_to_reach(self):
        def text(task_return):
            more = {"env_steps": 499_200, "comparisons": 174_720, "task_return": task_return}
            return table.markdown(figures("default", "spo", [9.0], **more), [])

        self.assertIn("| 10 s: met |", text(-165.0))
        self.assertNotIn("below -200", text(-165.0))
        self.assertIn("below -200", text(-210.0))


class Rounds(unittest.TestCase):
    def measure(self, **contenders):
        return rounds.measure_row(None, "default", Row("work", "s", contenders), 2, "abc", 0.0)

    def test_contenders_take_turns(self):
        turns = []

        def contender(name):
            return lambda tools, seed: turns.append((name, seed)) or [Measured(value=1.0)]

        self.measure(spo=contender("spo"), peer=contender("peer"))
        self.assertEqual(turns, [("spo", 0), ("peer", 0), ("spo", 1), ("peer", 1)])

    def test_a_peer_that_fails_leaves_its_reason_and_ours_leaves_no_row(self):
        def works(tools, seed):
            return [Measured(value=1.0)]

        def fails(tools, seed):
            raise Skip("not installed")

        kept = [(m.contender, m.round, m.note) for m in self.measure(spo=works, peer=fails)]
        self.assertEqual(kept, [("spo", 0, ""), ("spo", 1, ""), ("peer", 0, "not installed")])
        kept = [(m.contender, m.note) for m in self.measure(spo=fails, peer=works)]
        self.assertEqual(kept, [("spo", "not installed")])

    def test_rounds_survive_their_file(self):
        kept = figures("default", "spo", [9.5, 9.25], env_steps=499_200, task_return=-165.1, commit="abc")
        kept.append(Measured(note="no MuJoCo, no row", row="ppo-halfcheetah", contender="spo"))
        with tempfile.TemporaryDirectory() as folder:
            rounds.save(Path(folder) / "rounds.csv", kept)
            self.assertEqual(rounds.load(Path(folder) / "rounds.csv"), kept)
            self.assertEqual(rounds.load(Path(folder) / "none.csv"), [])

    def test_only_whole_rows_of_the_same_commit_are_complete(self):
        row = Row("work", "s", {"spo": None, "peer": None})
        both = [m for name in row.contenders for m in figures("default", name, [1.0, 2.0], commit="abc")]
        self.assertTrue(rounds.complete(both, "default", row, 2, "abc"))
        self.assertFalse(rounds.complete(both, "default", row, 3, "abc"))
        self.assertFalse(rounds.complete(both, "default", row, 2, "abd"))
        self.assertFalse(rounds.complete(both[:3], "default", row, 2, "abc"))
        both[2].note = "not installed"
        self.assertFalse(rounds.complete(both, "default", row, 2, "abc"))


class Failures(unittest.TestCase):
    def test_the_line_that_names_the_error_is_shown(self):
        self.assertEqual(processes.last_words("warning: a\nError: no such file\nhint\n"), "Error: no such file")
        self.assertEqual(processes.last_words("Traceback\nmujoco.FatalError: x\n"), "mujoco.FatalError: x")
        self.assertEqual(processes.last_words("one\ntwo\n"), "two")

    def test_a_failure_to_make_something_is_not_tried_again(self):
        tries = []

        def fails():
            tries.append(1)
            raise Skip("no network")

        class Args:
            threads = 1

        tools = processes.Tools(Args)
        for _ in range(2):
            with self.assertRaisesRegex(Skip, "no network"):
                tools.once("environment", fails)
        self.assertEqual(len(tries), 1)


if __name__ == "__main__":
    unittest.main()
