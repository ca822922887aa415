#include "rag/summary/summary_source.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>

#include "support/errors.h"
#include "support/temp_folder.h"

using namespace frugal;
using testing::contains;
using testing::message_of;
using testing::TempFolder;

namespace {

SummarySource read(const std::filesystem::path& path, const std::string& text, bool is_file) {
  if (is_file) std::ofstream(path) << text;
  std::istringstream input(text);
  return read_summary_source(input, path, is_file, LawTable(), Budget::unlimited());
}

}  // namespace

TEST_CASE("the chunks of a text file are bytes of the file, without overlap") {
  const TempFolder folder;
  std::string text;
  for (int i = 0; i < 200; ++i) text += "Sentence number " + std::to_string(i) + " says nothing at all.\n";
  const SummarySource source = read(folder.path() / "a.txt", text, true);
  REQUIRE(source.chunks.size() > 2);
  uint64_t end = 0;
  for (const Hit& hit : source.chunks) {
    const Chunk& chunk = hit.chunk;
    CHECK(chunk.in_file);
    CHECK(text.substr(chunk.start_byte, chunk.end_byte - chunk.start_byte) == chunk.text);
    CHECK(chunk.start_byte >= end);
    end = chunk.end_byte;
    CHECK(chunk.line == 1 + std::count(text.begin(), text.begin() + int64_t(chunk.start_byte), '\n'));
  }
  CHECK(source.chunks.front().chunk.file_bytes == int64_t(text.size()));
  CHECK(source.memory.bytes() >= text.size());
}

TEST_CASE("the places of a converted text are those of the file") {
  const TempFolder folder;
  const std::string html = "<html><body>\n<p>First.</p>\n<p>The bridge is caf&eacute; old.</p></body></html>";
  const SummarySource source = read(folder.path() / "a.html", html, true);
  REQUIRE(source.chunks.size() == 1);
  const Chunk& chunk = source.chunks.front().chunk;
  CHECK(chunk.in_file);
  CHECK(chunk.line == 2);
  REQUIRE(chunk.source);
  const size_t at = chunk.text.find("bridge");
  CHECK(html.substr(chunk.source->find(at, at + 6).begin, 6) == "bridge");
}

TEST_CASE("standard input has no bytes in a file") {
  const SummarySource source = read("stdin", "One sentence is here.", false);
  CHECK(!source.chunks.front().chunk.in_file);
  CHECK(source.chunks.front().chunk.file_bytes == -1);
}

TEST_CASE("a file without text is an error that names it") {
  const TempFolder folder;
  CHECK(contains(message_of([&] { read(folder.path() / "empty.txt", "", true); }), "empty.txt' has no text"));
  CHECK(contains(message_of([&] { read(folder.path() / "zero.txt", std::string("a\0b", 3), true); }), "zero.txt"));
}
