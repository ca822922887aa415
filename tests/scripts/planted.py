"""A test case that runs a check of scripts/ over a small tree with planted faults."""

import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


class PlantedTree(unittest.TestCase):
    script = None  # of scripts/, with the option --root
    tree = {}  # the files of every case, {path: text}

    def check(self, files):
        """The lines that the script prints on the tree with `files` {path: text}, and its exit code."""
        with tempfile.TemporaryDirectory() as folder:
            for name, text in {**self.tree, **files}.items():
                path = pathlib.Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            done = subprocess.run([ROOT / "scripts" / self.script, "--root", folder], capture_output=True, text=True)
            self.assertEqual(done.stderr, "")
            return done.stdout.splitlines(), done.returncode

    def assert_clean(self, files):
        self.assertEqual(self.check(files), ([], 0))

    def assert_finds(self, files, *expected):
        """Each (place, text) of `expected` is one printed line: `place: …text…`, in this order."""
        lines, code = self.check(files)
        self.assertEqual(code, 1)
        self.assertEqual(len(lines), len(expected), lines)
        for line, (place, text) in zip(lines, expected):
            self.assertTrue(line.startswith(place + ": "), line)
            self.assertIn(text, line)

    def assert_repository_is_clean(self):
        done = subprocess.run([ROOT / "scripts" / self.script], capture_output=True, text=True)
        self.assertEqual((done.stdout, done.returncode), ("", 0))
