"""scripts/install-hooks and the hooks, in a small repository with the real scripts."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
WHY = "\n\nThe reason for it.\n"


class Hooks(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.repository = pathlib.Path(folder.name)
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        for who in ("AUTHOR", "COMMITTER"):
            self.environment |= {f"GIT_{who}_NAME": "a", f"GIT_{who}_EMAIL": "a@b.c"}
        shutil.copytree(ROOT / "scripts", self.repository / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / ".clang-format", self.repository)
        self.write("lib/CMakeLists.txt", "frugal_room(base)\nfrugal_room(rag DEPS base)\n")
        self.run_in("git", "init", "-q")
        self.run_in("git", "add", ".")
        self.run_in("git", "commit", "-q", "-m", "begin")
        installed = self.run_in("scripts/install-hooks")
        self.assertEqual(installed.returncode, 0, installed.stderr)

    def write(self, name, text):
        path = self.repository / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def run_in(self, *command):
        return subprocess.run(command, cwd=self.repository, env=self.environment, capture_output=True, text=True)

    def commit(self, message="area: a change" + WHY):
        self.run_in("git", "add", ".")
        return self.run_in("git", "commit", "-q", "-m", message)

    def message(self, text):
        self.run_in("git", "commit", "-q", "--allow-empty", "-m", "begin" + WHY)
        return self.run_in("git", "commit", "-q", "--allow-empty", "-m", text)

    def test_subject_of_72_characters_and_a_body_pass_even_in_two_byte_letters(self):
        self.assertEqual(self.message("é" * 72 + WHY).returncode, 0)

    def test_a_longer_subject_is_refused(self):
        done = self.message("s" * 73 + WHY)
        self.assertEqual(done.returncode, 1)
        self.assertIn("the subject has 73 characters", done.stderr)

    def test_no_body_is_refused_and_a_trailer_is_none(self):
        for text in ("area: a change", "area: a change\n\nSigned-off-by: a <a@b.c>\n"):
            with self.subTest(text):
                done = self.message(text)
                self.assertEqual(done.returncode, 1)
                self.assertIn("error: the message has no body\nhint: ", done.stderr)

    def test_messages_that_git_writes_pass(self):
        for text in ("Merge branch 'a'", "fixup! area: a change"):
            with self.subTest(text):
                self.assertEqual(self.message(text).returncode, 0)

    def test_an_include_that_points_upwards_is_refused(self):
        self.write("lib/base/a.h", '#include "rag/b.h"\n')
        done = self.commit()
        self.assertEqual(done.returncode, 1)
        self.assertIn("check-layers refuses this commit", done.stderr)

    @unittest.skipUnless(shutil.which("clang-format"), "no clang-format here")
    def test_what_is_staged_is_checked_and_not_what_lies_in_the_folder(self):
        path = self.write("lib/base/a.h", "int   a;\n")
        self.run_in("git", "add", ".")
        path.write_text("int a;\n")
        done = self.run_in("git", "commit", "-q", "-m", "area: a change" + WHY)
        self.assertEqual(done.returncode, 1)
        self.assertIn("hint: run scripts/format", done.stderr)
        self.assertEqual(self.commit().returncode, 0)

    def test_without_clang_format_and_shellcheck_it_says_skip_and_passes(self):
        few = self.repository / ".git/few"
        few.mkdir()
        for program in ("git", "bash", "env", "python3", "mktemp", "rm", "awk", "grep", "sed", "dirname", "nproc", "readlink", "sh"):
            (few / program).symlink_to(shutil.which(program))
        self.environment["PATH"] = str(few)
        self.write("lib/base/a.h", "int   a;\n")
        self.write("scripts/x", "#!/bin/bash\necho $1\n")
        done = self.commit()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr.count("SKIP: "), 2)

    def test_a_hook_that_is_not_ours_stays(self):
        hook = self.repository / ".git/hooks/pre-commit"
        hook.unlink()
        hook.write_text("#!/bin/sh\n")
        done = self.run_in("scripts/install-hooks")
        self.assertEqual(done.returncode, 1)
        self.assertIn("is another hook", done.stderr)
        self.assertEqual(hook.read_text(), "#!/bin/sh\n")

    def test_remove_takes_the_links_away(self):
        self.assertEqual(self.run_in("scripts/install-hooks", "--remove").returncode, 0)
        self.assertFalse(os.path.lexists(self.repository / ".git/hooks/commit-msg"))


if __name__ == "__main__":
    unittest.main()
