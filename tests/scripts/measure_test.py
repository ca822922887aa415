"""scripts/measure: README.md and docs/measured.md say what docs/measured.json gives, and a hand that edits them is noticed."""

import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Figures(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.tree = pathlib.Path(folder.name)
        for name in ("README.md", "docs/measured.md", "docs/measured.json", "scripts/measure"):
            (self.tree / name).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, self.tree / name)

    def measure(self, *args):
        return subprocess.run([self.tree / "scripts/measure", *args], capture_output=True, text=True)

    def test_the_pages_of_this_tree_are_what_the_record_gives(self):
        done = self.measure("--check")
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_an_edited_figure_is_found_and_written_again(self):
        for name, figure in (("README.md", " paragraphs/s within "), ("docs/measured.md", " at the lowest.")):
            with self.subTest(name):
                page = self.tree / name
                before = page.read_text()
                self.assertIn(figure, before)
                page.write_text(before.replace(figure, "9" + figure))
                done = self.measure("--check")
                self.assertEqual(done.returncode, 1)
                self.assertIn(f"error: not what docs/measured.json gives: {name}\nhint: ", done.stderr)
                self.assertEqual(self.measure("--write").returncode, 0)
                self.assertEqual(page.read_text(), before)

    def test_a_page_without_markers_is_an_error(self):
        page = self.tree / "README.md"
        page.write_text(page.read_text().replace("<!-- figures:end -->", ""))
        self.assertIn("README.md has no <!-- figures:begin --> … <!-- figures:end -->", self.measure("--check").stderr)

    def test_a_set_that_is_not_there_is_refused(self):
        done = self.measure("--data", str(self.tree))
        self.assertEqual(done.returncode, 2)
        self.assertIn("error: no corpus.jsonl in ", done.stderr)


if __name__ == "__main__":
    unittest.main()
