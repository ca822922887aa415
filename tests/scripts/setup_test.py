"""scripts/setup and the other scripts' manners, with stand-ins for dpkg-query, id, sudo and apt-get first in PATH."""

import os
import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Setup(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.bin = pathlib.Path(folder.name)
        self.log = self.bin / "apt.log"
        self.stand_in("apt-get", f'echo "$DEBIAN_FRONTEND $*" >> {self.log}')
        self.packages = subprocess.run([ROOT / "scripts/setup", "--list"], capture_output=True, text=True).stdout.split()

    def stand_in(self, name, script):
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def installed(self, packages):
        lines = "".join(f"ii  {package}\\n" for package in packages)
        self.stand_in("dpkg-query", f"printf '{lines}'; exit 1")

    def user(self, number, sudo):
        self.stand_in("id", f"echo {number}")
        self.stand_in("sudo", 'shift; exec "$@"' if sudo else "exit 1")

    def setup_script(self, *args):
        environment = {**os.environ, "PATH": f"{self.bin}:{os.environ['PATH']}"}
        return subprocess.run([ROOT / "scripts/setup", *args], env=environment, capture_output=True, text=True)

    def apt_calls(self):
        return self.log.read_text().splitlines() if self.log.exists() else []

    def test_nothing_is_done_where_all_is_there(self):
        self.installed(self.packages)
        self.user(1000, sudo=False)
        done = self.setup_script()
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        self.assertEqual(self.apt_calls(), [])

    def test_a_user_who_may_not_install_is_told_the_command(self):
        self.installed([package for package in self.packages if package not in ("cmake", "libutf8proc-dev")])
        self.user(1000, sudo=False)
        done = self.setup_script()
        self.assertEqual(done.returncode, 3)
        self.assertIn("hint: run: sudo apt-get install --no-install-recommends cmake libutf8proc-dev\n", done.stderr)
        self.assertEqual(self.apt_calls(), [])

    def test_root_and_sudo_install_exactly_what_is_missing_without_questions(self):
        self.installed([package for package in self.packages if package != "cmake"])
        for number, sudo in ((0, False), (1000, True)):
            with self.subTest(user=number):
                self.log.unlink(missing_ok=True)
                self.user(number, sudo)
                self.assertEqual(self.setup_script().returncode, 0)
                update, install = self.apt_calls()
                self.assertTrue(update.endswith(" update"), update)
                self.assertTrue(install.startswith("noninteractive ") and install.endswith(" cmake"), install)

    def test_a_removed_package_counts_as_missing(self):
        self.installed(self.packages[1:])
        self.stand_in("dpkg-query", (self.bin / "dpkg-query").read_text().replace("printf '", f"printf 'rc  {self.packages[0]}\\n"))
        self.user(0, sudo=False)
        self.setup_script()
        self.assertTrue(self.apt_calls()[-1].endswith(" " + self.packages[0]), self.apt_calls())

    def test_a_failing_apt_get_is_an_error(self):
        self.installed([])
        self.user(0, sudo=False)
        self.stand_in("apt-get", "exit 100")
        done = self.setup_script()
        self.assertEqual(done.returncode, 3)
        self.assertIn("error: apt-get could not install: ", done.stderr)


class Manners(unittest.TestCase):
    SCRIPTS = ("quickstart", "test", "setup", "format", "tidy", "fetch-models", "check-layers", "clean-room")

    def run_script(self, name, *args):
        return subprocess.run([ROOT / "scripts" / name, *args], capture_output=True, text=True, cwd="/")

    def test_every_script_explains_itself(self):
        for name in self.SCRIPTS:
            with self.subTest(script=name):
                done = self.run_script(name, "--help")
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertIn("usage: ", done.stdout)

    def test_an_unknown_flag_is_a_usage_error(self):
        for name in self.SCRIPTS:
            with self.subTest(script=name):
                done = self.run_script(name, "--no-such-flag")
                self.assertEqual(done.returncode, 2)
                self.assertIn("--no-such-flag", done.stderr)

    def test_quickstart_refuses_what_it_cannot_ask_before_it_does_anything(self):
        for args, words in ((("/no/such/file", "who?"), "no such file or folder: /no/such/file"),
                            (("/etc", "/etc/hostname"), "the question is missing after '/etc/hostname'"),
                            (("/etc", ""), "the question is empty")):
            with self.subTest(arguments=args):
                done = self.run_script("quickstart", *args)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertTrue(done.stderr.startswith(f"error: {words}\nhint: "), done.stderr)


if __name__ == "__main__":
    unittest.main()
