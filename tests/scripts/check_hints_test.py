"""scripts/check-hints against small trees with one planted hint each."""

import unittest

from planted import PlantedTree

TREE = {
    "configs/default.yaml": "models:\n  embedder: a.pack   # key: in a comment\nmemory:\n  limits:\n    io: 0\nthreads: 0\n",
    "tools/x/main.cpp": 'void f() {\n  app.add_option("-n,--top-k", n, "chunks");\n  app.add_option_function<double>(\n'
                        '      "--max-ratio", g, "more");\n  tool.key("--threads", "threads", "threads to use");\n}\n',
    "scripts/fetch": '#!/usr/bin/env bash\ncase $1 in\n  -h | --help) usage ;;\n  --offline) offline=1 ;;\nesac\n',
}


class CheckHints(PlantedTree):
    script = "check-hints"
    tree = TREE

    def assert_names(self, files, *expected):
        self.assert_finds(files, *[(place, f"'{name}'") for place, name in expected])

    def assert_cpp(self, code, *names):
        files = {"lib/a/a.cpp": f"void f() {{\n{code}\n}}\n"}
        if names:
            self.assert_names(files, *[("lib/a/a.cpp:2", name) for name in names])
        else:
            self.assert_clean(files)

    def test_flags_and_keys_that_exist_pass(self):
        self.assert_cpp('throw E(1).hint("set models.embedder, memory.limits.io or --top-k; --threads=2, --max-ratio 1.1");')
        self.assert_cpp('throw E(1).hint("run scripts/fetch --offline, or see --help");')

    def test_a_flag_that_no_tool_declares_is_found_in_any_string(self):
        self.assert_cpp('throw E(1).hint("raise --max-size, or split it");', "--max-size")
        self.assert_cpp('fmt::format("--tpo-k {}", k);', "--tpo-k")

    def test_a_key_that_the_configuration_lacks_is_found(self):
        self.assert_cpp('throw E(1).hint("raise index.max_file_bytes, or split the file");', "index.max_file_bytes")
        self.assert_cpp('throw E(1).hint("write --threads like --set thread.count=5");', "--set", "thread.count")
        self.assert_cpp('throw E(1).hint(bad ? "set models.reader" : fmt::format("{} is one", x));', "models.reader")

    def test_placeholders_stand_for_any_name(self):
        self.assert_cpp('throw E(1).hint(fmt::format("set models.{}, see models.* or --{}-k", name, kind));')
        self.assert_cpp('throw E(1).hint(fmt::format("set model.{}", name));', "model.{}")

    def test_a_hint_is_found_where_it_is_kept(self):
        self.assert_cpp('const char* hint = "set models.reader";', "models.reader")
        self.assert_cpp('constexpr std::string_view kSaveHint = "set models.reader";', "models.reader")
        self.assert_cpp('constexpr const char* kAdvice = "set models.reader"; throw E(1).hint(kAdvice);', "models.reader")
        self.assert_cpp('void g(int a, std::string_view hint); g(1, "set models.reader");', "models.reader")

    def test_pieces_of_a_string_are_read_together(self):
        self.assert_names({"lib/a/a.cpp": 'auto e = E(1).hint("set memory.lim"\n  "its.oi");\n'}, ("lib/a/a.cpp:1", "memory.limits.oi"))

    def test_file_names_comments_and_other_strings_are_no_keys(self):
        self.assert_cpp('throw E(1).hint("copy configs/default.yaml or model.pack");  // --no-such, models.reader')
        self.assert_cpp('require("llama.hidden"); throw E("x.y is wrong").hint("check it");')

    def test_hints_of_scripts_are_read_too(self):
        python = '#!/usr/bin/env python3\nclass Failure(Exception):\n    def __init__(self, code, what, hint=None):\n        pass\n'
        self.assert_clean({"scripts/p": python + 'raise Failure(2, "no --such", "run with --offline")\n'})
        self.assert_names({"scripts/p": python + 'raise Failure(2, "x", "run with --online")\n'}, ("scripts/p:5", "--online"))
        self.assert_names({"scripts/p": python + 'exit("error: x\\nhint: set models.reader")\n'}, ("scripts/p:5", "models.reader"))
        self.assert_clean({"scripts/s": '#!/usr/bin/env bash\ndie 2 "no --such: $1" "scripts/s --help"\n'})
        self.assert_names({"scripts/s": '#!/usr/bin/env bash\ndie 2 "x: ${1[*]}" \\\n  "scripts/s --hlep"\n'}, ("scripts/s:3", "--hlep"))

    def test_this_repository_is_clean(self):
        self.assert_repository_is_clean()


if __name__ == "__main__":
    unittest.main()
