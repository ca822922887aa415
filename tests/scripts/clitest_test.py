"""The transcript runner notices what a transcript claims and is not so."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

RUNNER = pathlib.Path(__file__).resolve().parents[1] / "transcripts" / "run"


def run(text):
    """(exit code, output) of the runner on one transcript."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "x.clitest"
        path.write_text(text)
        done = subprocess.run([sys.executable, "-B", RUNNER, "--bin", folder, path], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout


class Claims(unittest.TestCase):
    def test_a_true_transcript_passes(self):
        code, output = run('@ file a/b.txt\n| one\n| two\n$ cat a/b.txt; echo warn >&2\n! stdout ~ one\n! stdout =~ ^two$\n'
                           '! stderr ~ warn\n! stdout !~ three\n! file a/b.txt exists\n! file c missing\n'
                           '$ exit 3\n! exit 3\n! stdout empty\n$ kill -TERM $$\n! exit 143\n')
        self.assertEqual(code, 0, output)

    def test_each_false_claim_fails(self):
        for claim in ("exit 1", "stdout ~ b", "stdout !~ a", "stdout =~ ^b", "stdout empty", "stdout json", "stderr ~ a",
                      "file x exists", "stdout sings", "moon full"):
            code, output = run(f"$ echo a\n! {claim}\n")
            self.assertEqual(code, 1, claim + output)

    def test_a_command_that_fails_unannounced_fails_the_transcript(self):
        self.assertEqual(run("$ false\n$ true\n")[0], 1)

    def test_json_values_are_compared_with_their_type(self):
        document = "$ echo '{\"a\": [{\"b\": 3}]}'\n! stdout json a.0.b == "
        self.assertEqual(run(document + "3\n")[0], 0)
        for wrong in ('"3"', "4", "null"):
            self.assertEqual(run(document + wrong + "\n")[0], 1)

    def test_a_file_that_is_needed_and_absent_skips_the_rest_and_says_so(self):
        code, output = run("@ needs no/such/model.pack\n$ false\n")
        self.assertEqual(code, 77)
        self.assertIn("SKIP the rest: no/such/model.pack", output)

    def test_an_unreadable_line_fails(self):
        self.assertEqual(run("hello\n")[0], 1)


if __name__ == "__main__":
    unittest.main()
