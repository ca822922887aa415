"""scripts/dev in a tree of one room: what it builds, what it runs, and what it says where it cannot."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]

PRESETS = """{ "version": 6,
  "configurePresets": [ { "name": "release", "generator": "Ninja", "binaryDir": "${sourceDir}/build/${presetName}",
                          "cacheVariables": { "CMAKE_EXPORT_COMPILE_COMMANDS": "ON" } },
                        { "name": "batches", "inherits": "release", "cacheVariables": { "CMAKE_UNITY_BUILD": "ON" } } ],
  "buildPresets": [
    { "name": "batches", "configurePreset": "batches" },
    { "name": "release", "configurePreset": "release" }
  ] }
"""
CMAKE = """cmake_minimum_required(VERSION 3.25)
project(small LANGUAGES C)
enable_testing()
add_subdirectory(lib)
add_subdirectory(tools)
add_subdirectory(tests)
"""
LIB = "add_library(frugal_text text/words.c)\nadd_library(frugal_lonely lonely/a.c)\n"
TESTS = """add_executable(test_text text/words_test.c)
target_link_libraries(test_text frugal_text)
add_test(NAME text COMMAND test_text)
set_tests_properties(text PROPERTIES ENVIRONMENT "SMALL=from ctest")
"""
TEST = """#include <stdio.h>
#include <stdlib.h>
int words(void);
int main(int argc, char** argv) { printf("%d %s %s\\n", words(), argc > 1 ? argv[1] : "-", getenv("SMALL")); return argc > 2; }
"""


class Dev(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.tree = pathlib.Path(cls.folder.name)
        files = {"CMakePresets.json": PRESETS, "CMakeLists.txt": CMAKE, "lib/CMakeLists.txt": LIB, "tests/CMakeLists.txt": TESTS,
                 "tools/CMakeLists.txt": "add_custom_target(tools)\n", "lib/text/words.c": "int words(void) { return 7; }\n",
                 "lib/text/words.h": "int words(void);\n", "lib/lonely/a.c": "int a;\n", "tests/text/words_test.c": TEST}
        for name, text in files.items():
            (cls.tree / name).parent.mkdir(parents=True, exist_ok=True)
            (cls.tree / name).write_text(text)
        (cls.tree / "scripts").mkdir()
        for script in ("dev", "lib.sh"):
            shutil.copy(ROOT / "scripts" / script, cls.tree / "scripts")

    def dev(self, *args):
        environment = {name: value for name, value in os.environ.items() if name != "NINJA_STATUS"}
        return subprocess.run([self.tree / "scripts/dev", *args], cwd=self.tree, env=environment, capture_output=True, text=True)

    def test_without_a_room_it_lists_them(self):
        done = self.dev()
        self.assertEqual((done.returncode, done.stdout), (0, "rooms: text\ntools: \n"), done.stderr)

    def test_a_room_and_its_files_run_its_tests_as_ctest_would(self):
        for name in ("text", "lib/text", "lib/text/words.c", "lib/text/words.h", "tests/text/words_test.c"):
            with self.subTest(name):
                done = self.dev(name)
                self.assertEqual((done.returncode, done.stdout), (0, "7 - from ctest\n"), done.stderr)

    def test_a_source_of_a_batch_is_found(self):
        for name in ("lib/text", "lib/text/words.c", "lib/text/words.h"):
            with self.subTest(name):
                done = self.dev("--preset", "batches", name)
                self.assertEqual((done.returncode, done.stdout), (0, "7 - from ctest\n"), done.stderr)

    def test_flags_after_two_dashes_reach_the_test_and_its_failure_is_exit_code_1(self):
        self.assertEqual(self.dev("text", "--", "-tc=*pairs*").stdout, "7 -tc=*pairs* from ctest\n")
        self.assertEqual(self.dev("text", "--", "a", "b").returncode, 1)

    def test_a_changed_source_is_built_again(self):
        source = self.tree / "lib/text/words.c"
        before = source.read_text()
        self.addCleanup(source.write_text, before)
        source.write_text(before.replace("7", "8"))
        self.assertEqual(self.dev("text").stdout, "8 - from ctest\n")
        source.write_text("no C\n")
        done = self.dev("text")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("error: build/release does not build", done.stderr)

    def test_errors_name_the_rooms(self):
        for args, error in ((["nosuch"], "no room, tool or file 'nosuch'"), (["lib/lonely/a.c"], "'lonely' has no tests of its own")):
            with self.subTest(args):
                done = self.dev(*args)
                self.assertEqual(done.returncode, 2)
                self.assertIn(f"error: {error}\nhint: ", done.stderr)
                self.assertIn("text", done.stderr.splitlines()[-1])

    def test_unknown_presets_and_flags_are_refused(self):
        self.assertIn("hint: CMakePresets.json has: batches release", self.dev("--preset", "nosuch").stderr)
        self.assertIn("hint: flags of the test binary come after --", self.dev("-tc=x").stderr)


if __name__ == "__main__":
    unittest.main()
