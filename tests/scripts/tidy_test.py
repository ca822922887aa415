"""scripts/tidy --since: which sources it checks, with a stand-in for clang-tidy that prints them."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Since(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.tree = pathlib.Path(folder.name)
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        self.environment |= {f"GIT_{who}_{what}": "a@b.c" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        self.environment["PATH"] = f"{self.write('bin/clang-tidy', '').parent}:{os.environ['PATH']}"
        (self.tree / "bin/clang-tidy").write_text('#!/bin/sh\nfor last; do case $last in *.cpp) echo "$last";; esac; done\n')
        (self.tree / "bin/clang-tidy").chmod(0o755)
        for script in ("tidy", "lib.sh"):
            self.write(f"scripts/{script}", (ROOT / "scripts" / script).read_text())
        (self.tree / "scripts/tidy").chmod(0o755)
        self.write(".gitignore", "build\nbin\n")
        for name in ("a", "b", "c", "moved"):
            self.write(f"lib/{name}.cpp", f'#include "{name}.h"\n#include "shared.h"\n' if name == "b" else f"int {name};\n" * 9)
            self.write(f"lib/{name}.h", "\n")
        self.write("lib/shared.h", "\n")
        self.write("build/tidy/build.ninja", "build generated_headers: phony\n")
        self.git("init", "-q", "-b", "main")
        self.commit()

    def write(self, name, text):
        path = self.tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def git(self, *args):
        return subprocess.run(["git", *args], cwd=self.tree, env=self.environment, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self):
        self.git("add", ".")
        self.git("commit", "-q", "--allow-empty", "-m", "x")

    def checked(self, *args):
        files = sorted(self.tree.glob("lib/**/*.cpp"))
        self.write("build/tidy/compile_commands.json", "".join(f'"{path}"\n' for path in files))
        done = subprocess.run([self.tree / "scripts/tidy", *args], cwd=self.tree, env=self.environment, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return sorted(done.stdout.split())

    def test_changed_and_new_sources_are_checked_and_a_header_by_its_source(self):
        self.write("lib/a.cpp", "int changed;\n")
        self.write("lib/c.h", "int c();\n")
        self.write("lib/new.cpp", "int n;\n")
        self.assertEqual(self.checked("--since", "HEAD"), ["lib/a.cpp", "lib/c.cpp", "lib/new.cpp"])

    def test_a_header_without_a_source_is_checked_by_one_that_includes_it(self):
        self.write("lib/shared.h", "int s();\n")
        self.assertEqual(self.checked("--since", "HEAD"), ["lib/b.cpp"])

    def test_a_file_that_was_only_moved_is_not_checked(self):
        (self.tree / "lib/room").mkdir()
        self.git("mv", "lib/moved.cpp", "lib/room/moved.cpp")
        self.assertEqual(self.checked("--since", "HEAD"), [])

    def test_landed_is_where_a_branch_left_main(self):
        self.git("checkout", "-q", "-b", "branch")
        for name in ("a", "c"):
            self.write(f"lib/{name}.cpp", "int changed;\n")
            self.commit()
        self.assertEqual(self.checked("--since", "landed"), ["lib/a.cpp", "lib/c.cpp"])

    def test_landed_is_twenty_commits_back_on_main_itself(self):
        self.write("lib/a.cpp", "int changed;\n")
        self.commit()
        self.write("lib/c.cpp", "int changed;\n")
        for _ in range(20):
            self.commit()
        self.assertEqual(self.checked("--since", "landed"), ["lib/c.cpp"])

    def test_landed_is_as_far_as_a_young_clone_goes(self):
        self.write("lib/a.cpp", "int changed;\n")
        self.commit()
        self.assertEqual(self.checked("--since", "landed"), ["lib/a.cpp"])


if __name__ == "__main__":
    unittest.main()
