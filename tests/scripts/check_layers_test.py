"""scripts/check-layers against small trees with one planted violation each."""

import unittest

from planted import PlantedTree

ROOMS = """# base lists the rooms: frugal_room(ghost DEPS base)
frugal_room(base DEPS fmt::fmt)
frugal_room(text DEPS base)
frugal_room(rag DEPS text base PkgConfig::SQLITE)
frugal_room(app/cli DEPS base CLI11::CLI11)
"""
TOOL = '#include "cli/tool.h"\n\nint main() { return 0; }\n'


class CheckLayers(PlantedTree):
    script = "check-layers"
    tree = {"lib/CMakeLists.txt": ROOMS}

    def test_includes_that_point_down_pass(self):
        self.assert_clean({"lib/rag/a.cpp": '#include "rag/a.h"\n#include "text/b.h"\n#include <fmt/format.h>\n#include <vector>\n',
                           "tools/x/main.cpp": TOOL})

    def test_an_include_that_points_up_is_found_with_its_line(self):
        self.assert_finds({"lib/text/a.h": '#pragma once\n#include "base/x.h"\n#include "rag/store.h"\n'},
                          ("lib/text/a.h:3", "text/ may not include rag/store.h"))

    def test_a_library_that_the_room_does_not_list_is_found(self):
        self.assert_clean({"lib/rag/a.cpp": "#include <sqlite3.h>\n"})
        self.assert_finds({"lib/text/a.cpp": "#include <sqlite3.h>\n"}, ("lib/text/a.cpp:1", "PkgConfig::SQLITE"))

    def test_a_room_that_is_not_declared_is_found(self):
        self.assert_finds({"lib/ghost/a.cpp": "\n"}, ("lib/ghost/a.cpp:1", "no room 'ghost'"))

    def test_libtorch_is_included_by_plugins_only_and_they_include_no_room(self):
        self.assert_clean({"lib/plugins/x/a.cpp": '#include <ATen/ATen.h>\n#include "compute/ops/plugin_abi.h"\n#include <memory>\n'})
        self.assert_finds({"lib/plugins/x/a.cpp": '#include "text/a.h"\n'}, ("lib/plugins/x/a.cpp:1", "only an ABI"))
        self.assert_finds({"lib/text/a.cpp": "#include <ATen/ATen.h>\n"}, ("lib/text/a.cpp:1", "only lib/plugins"))

    def test_printing_and_exiting_in_the_library_is_found(self):
        for code in ("std::cout << 1;", "std::cerr << 1;", "printf(\"x\");", "std::fprintf(stderr, \"x\");", "fmt::print(\"x\");",
                     "exit(1);", "std::abort();", "  ::abort();", "std::terminate();", "#include <iostream>"):
            with self.subTest(code=code):
                self.assert_finds({"lib/text/a.cpp": f"void f() {{\n{code}\n}}\n"}, ("lib/text/a.cpp:2", "neither prints nor exits"))
                self.assert_clean({"lib/app/cli/a.cpp": f"void f() {{\n{code}\n}}\n"})

    def test_words_in_comments_strings_and_names_are_not_findings(self):
        self.assert_clean({"lib/text/a.cpp": '// never exit() or abort()\n/* std::cout\n#include "rag/x.h" */\n'
                                             'auto s = "printf(stderr)"; char q = \'"\';\nauto r = R"(std::cout)";\n'
                                             'int snprintf(char*);\nvoid f() { on_exit(); transaction.abort(); job->abort(); std::snprintf(b); fmt::print(*run, "x"); }\n'})

    def test_command_line_and_json_libraries_stay_out_of_headers(self):
        self.assert_finds({"lib/rag/a.h": "#include <nlohmann/json.hpp>\n"}, ("lib/rag/a.h:1", "every includer pays"))
        self.assert_clean({"lib/rag/a.cpp": "#include <nlohmann/json.hpp>\n", "lib/app/cli/a.h": "#include <CLI/CLI.hpp>\n"})

    def test_a_tool_that_outgrows_its_page_or_holds_logic_is_found(self):
        self.assert_clean({"tools/x/main.cpp": "int x;\n" * 150})
        self.assert_finds({"tools/x/main.cpp": "int x;\n" * 151}, ("tools/x/main.cpp:151", "more than 150 lines"))
        self.assert_finds({"tools/x/main.cpp": TOOL + "class Index {};\n"}, ("tools/x/main.cpp:4", "logic in a tool"))
        self.assert_finds({"tools/x/main.cpp": "#include <immintrin.h>\n"}, ("tools/x/main.cpp:1", "logic in a tool"))
        self.assert_finds({"tools/x/main.cpp": TOOL, "tools/x/index.cpp": TOOL}, ("tools/x/index.cpp:1", "one main.cpp"))
        self.assert_finds({"tools/shared/options.h": "int x;\n"}, ("tools/shared/options.h:1", "one main.cpp"))

    def test_the_command_line_knows_neither_models_nor_retrieval_even_where_the_list_would_allow_it(self):
        rooms = ("frugal_room(base)\nfrugal_room(model/nn DEPS base)\nfrugal_room(rag/index DEPS base)\nfrugal_room(measure/report DEPS base)\n"
                 "frugal_room(measure/bench DEPS base)\nfrugal_room(app/cli DEPS model/nn rag/index measure/report measure/bench base)\n"
                 "frugal_room(app/wiring DEPS app/cli model/nn rag/index measure/bench base)\n")
        for header in ("model/nn/a.h", "rag/index/a.h", "measure/bench/a.h"):
            with self.subTest(header=header):
                self.assert_finds({"lib/CMakeLists.txt": rooms, "lib/app/cli/a.cpp": f'#include "{header}"\n'},
                                  ("lib/app/cli/a.cpp:1", "knows neither models nor retrieval"))
                self.assert_clean({"lib/CMakeLists.txt": rooms, "lib/app/wiring/a.cpp": f'#include "{header}"\n'})
        self.assert_clean({"lib/CMakeLists.txt": rooms, "lib/app/cli/a.cpp": '#include "measure/report/a.h"\n#include "base/a.h"\n'})

    def test_a_type_name_exists_once(self):
        header = "namespace frugal {\nstruct Pipeline {\n  struct Part { int x; };\n};\n}\n"
        self.assert_finds({"lib/text/a.h": header, "lib/rag/b.h": "namespace frugal {\nclass Pipeline final : A {\n};\n}\n"},
                          ("lib/text/a.h:2", "the name of a type in lib/rag/b.h too: Pipeline"))
        self.assert_finds({"lib/text/a.h": header, "lib/rag/b.cpp": "namespace {\n\nenum class Pipeline : int { x };\n}\n"},
                          ("lib/rag/b.cpp:3", "the name of a type in lib/text/a.h too: Pipeline"))
        # Members, declarations and the bodies of what a header declares are no second definition; nor are two sources' own types.
        self.assert_clean({"lib/text/a.h": header, "lib/text/a.cpp": "struct Pipeline::State {};\nclass Pipeline;\nstruct B { struct Pipeline {}; };\n",
                           "lib/rag/b.cpp": "struct Own {};\n", "lib/rag/c.cpp": "void f(struct Pipeline* p) {}\nstruct Own {};\n"})

    def test_a_base_name_of_a_header_exists_once(self):
        self.assert_finds({"lib/text/a.h": "\n", "lib/rag/a.h": "\n"}, ("lib/text/a.h:1", "the base name of lib/rag/a.h too"))

    def test_a_room_that_outgrows_its_walls_is_found(self):
        half = "int x;\n" * 2000
        self.assert_clean({"lib/text/a.cpp": half, "lib/text/b.cpp": half})
        self.assert_finds({"lib/text/a.cpp": half, "lib/text/b.cpp": half + "\n"}, ("lib/text:1", "4001 lines in one room"))

    def test_this_repository_is_clean(self):
        self.assert_repository_is_clean()


if __name__ == "__main__":
    unittest.main()
