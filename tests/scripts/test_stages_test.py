"""scripts/test: its stages, their order and what leaves them out, with stand-ins for everything that it calls."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMANDS = ("cmake", "ninja", "ctest", "clang++", "clang-tidy")
SCRIPTS = ("setup", "tidy", "fuzz")
NEEDED = ("bash", "env", "dirname", "nproc", "sh", "grep")


class Stages(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.tree = pathlib.Path(folder.name)
        for name in ("scripts", "bin", "build/release/bin"):
            (self.tree / name).mkdir(parents=True)
        for script in ("test", "lib.sh"):
            shutil.copy(ROOT / "scripts" / script, self.tree / "scripts")
        for name in COMMANDS:
            self.stand_in("bin/" + name, "")
        for name in SCRIPTS:
            self.stand_in("scripts/" + name, "")
        self.stand_in("scripts/fetch-models", "")
        for name in NEEDED:
            (self.tree / "bin" / name).symlink_to(shutil.which(name))

    def stand_in(self, name, script):
        """Writes its name and arguments to the log, then does `script`."""
        path = self.tree / name
        path.write_text(f'#!/bin/sh\necho "{path.name} $*" >> {self.tree}/log\n{script}\n')
        path.chmod(0o755)

    def run_test(self, *args, **environment):
        (self.tree / "log").write_text("")
        done = subprocess.run([self.tree / "scripts/test", *args], cwd=self.tree, env={"PATH": str(self.tree / "bin"), **environment},
                              capture_output=True, text=True)
        calls = [line.split() for line in (self.tree / "log").read_text().splitlines()]
        names = {"ctest": lambda c: f"test {c[2]}", "ninja": lambda c: f"build {pathlib.Path(c[2]).name}",
                 "tidy": " ".join, "fuzz": " ".join, "setup": " ".join}
        return done, [names[call[0]](call) for call in calls if call[0] in names]

    def test_all_stages_run_in_order(self):
        done, calls = self.run_test()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(calls, ["setup --dev --torch", "build release", "build release", "test release", "build dev", "test dev",
                                 "tidy --since landed", "fuzz --seed 1"])

    def test_quick_is_release_only_and_installs_no_more_than_that_needs(self):
        done, calls = self.run_test("--quick")
        self.assertEqual((done.returncode, calls), (0, ["setup --torch", "build release", "build release", "test release"]))

    def test_each_stage_can_be_left_out(self):
        for stage, call in (("dev", "test dev"), ("tidy", "tidy --since landed"), ("fuzz", "fuzz --seed 1")):
            with self.subTest(stage):
                self.assertNotIn(call, self.run_test("--skip", stage)[1])
                self.assertIn(call, self.run_test()[1])

    def test_a_stage_that_fails_ends_the_run(self):
        self.stand_in("scripts/tidy", "exit 1")
        done, calls = self.run_test("--no-install")
        self.assertEqual((done.returncode, calls[-1]), (1, "tidy --since landed"))

    def test_without_clang_its_stages_say_skip_and_in_ci_fail(self):
        for name in ("clang++", "clang-tidy"):
            (self.tree / "bin" / name).unlink()
        done, calls = self.run_test("--no-install")
        self.assertEqual((done.returncode, calls[-1]), (0, "test release"))
        self.assertEqual(done.stderr.count("SKIP"), 3)
        self.assertEqual(self.run_test("--no-install", CI="1")[0].returncode, 3)

    def test_unknown_stages_are_refused(self):
        done, calls = self.run_test("--skip", "release")
        self.assertEqual((done.returncode, calls), (2, []))


if __name__ == "__main__":
    unittest.main()
