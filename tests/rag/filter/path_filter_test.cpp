#include "rag/filter/path_filter.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace frugal;

namespace {

bool selects(const std::vector<std::string>& globs, const std::string& path) {
  const Coverage::Roots roots = {{"/home/u/docs", {}}, {"/home/u/notes/todo.md", {}}};
  return PathFilter(globs, roots).selects(path);
}

}  // namespace

TEST_CASE("a glob is relative to an added folder, begins with its name, or is absolute") {
  const std::string path = "/home/u/docs/laws/br/cdc.md";
  for (const char* glob : {"*.md", "laws", "laws/", "laws/**", "laws/br/*.md", "/laws", "**/br/cdc.*", "docs/laws/**",
                           "./laws/br/cdc.md", "/home/u/docs/**", "/home/*/docs/laws/br/cdc.md"}) {
    INFO(glob);
    CHECK(selects({glob}, path));
  }
  for (const char* glob : {"*.txt", "br/*.md", "u", "home", "/home/u/notes/**", "cdc", "law"}) {
    INFO(glob);
    CHECK_FALSE(selects({glob}, path));
  }
}

TEST_CASE("a file that was added itself is found by its name") {
  CHECK(selects({"todo.md"}, "/home/u/notes/todo.md"));
  CHECK(selects({"notes.md", "/home/u/notes/*.md"}, "/home/u/notes/todo.md"));
  CHECK_FALSE(selects({"notes"}, "/home/u/notes/todo.md"));
}

TEST_CASE("several globs select what any does, the last match wins, and only denials leave the rest") {
  CHECK(selects({"*.txt", "*.md"}, "/home/u/docs/a.md"));
  CHECK_FALSE(selects({"laws", "!*.md"}, "/home/u/docs/laws/a.md"));
  CHECK(selects({"!*.md", "laws"}, "/home/u/docs/laws/a.md"));
  CHECK(selects({"!old"}, "/home/u/docs/laws/a.md"));
  CHECK_FALSE(selects({"!old"}, "/home/u/docs/old/a.md"));
}

TEST_CASE("names with signs of patterns, line feeds and no folder are matched, and no pattern ends a list") {
  CHECK(selects({"#a.md"}, "/home/u/docs/#a.md"));
  CHECK(selects({"a\nb.md"}, "/home/u/docs/a\nb.md"));
  CHECK(selects({"page.html"}, "page.html"));
  CHECK_FALSE(selects({"other.html"}, "page.html"));
  CHECK_FALSE(
      selects({"[", "**/**/**/**/**/**/x", std::string(4000, '*') + "x"}, "/home/u/docs/" + std::string(200, 'a')));
}
