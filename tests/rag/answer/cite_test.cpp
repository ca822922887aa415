#include "rag/answer/cite.h"
#include "memory/budget.h"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "base/hash.h"
#include "base/units.h"
#include "rag/answer/reply_json.h"
#include "rag/extract/extract.h"

using namespace frugal;
namespace fs = std::filesystem;

namespace {

constexpr std::string_view kText =
    "Título\n\nA primeira frase é curta. A segunda traz «aspas» e acentos: ação.\nFim.\n";

struct TemporaryFolder {
  TemporaryFolder() {
    std::string pattern = (fs::temp_directory_path() / "frugal-cite-XXXXXX").native();
    REQUIRE(::mkdtemp(pattern.data()));
    path = pattern;
  }
  ~TemporaryFolder() { fs::remove_all(path); }
  fs::path path;
};

Hit hit_in(const fs::path& file, std::string_view document, size_t begin, size_t end) {
  Hit hit;
  hit.chunk.id = 5;
  hit.chunk.path = file.native();
  hit.chunk.text = document.substr(begin, end - begin);
  hit.chunk.start_byte = begin;
  hit.chunk.end_byte = end;
  hit.chunk.line = 1 + std::count(document.begin(), document.begin() + static_cast<std::ptrdiff_t>(begin), '\n');
  hit.chunk.sha256 = sha256_hex(document);
  return hit;
}

std::string answer_with(std::vector<Citation> citations) {
  Reply reply;
  reply.query.text = "q";
  reply.citations = std::move(citations);
  return reply_to_json(reply, ReplyDetail::contract, 2);
}

}  // namespace

TEST_CASE("a citation is the exact bytes of its document, with the line they begin on") {
  const size_t second = kText.find("A segunda");
  const size_t end = kText.find("\nFim");
  const Hit hit = hit_in("a.txt", kText, kText.find("A primeira"), kText.size());
  const auto offset = static_cast<uint32_t>(second - hit.chunk.start_byte);
  const Citation citation = cite(hit, offset, static_cast<uint32_t>(end - hit.chunk.start_byte), 3);
  CHECK(citation.n == 3);
  CHECK(citation.quote == kText.substr(citation.start_byte, citation.end_byte - citation.start_byte));
  CHECK(citation.quote == "A segunda traz «aspas» e acentos: ação.");
  CHECK(citation.line == 3);
  CHECK(cite(hit, static_cast<uint32_t>(kText.find("Fim") - hit.chunk.start_byte), 80, 1).line == 4);
}

TEST_CASE("citations hold while the file is unchanged, and fail if its hash, the quoted bytes or the file differ") {
  const TemporaryFolder folder;
  const fs::path file = folder.path / "a.txt";
  std::ofstream(file, std::ios::binary) << kText;
  const Hit hit = hit_in(file, kText, 9, kText.size());
  Citation good = cite(hit, 0, 26, 1);
  Citation wrong_quote = good, beyond = good, gone = good;
  wrong_quote.quote[0] = 'B';
  beyond.end_byte = 1 << 20;
  gone.path = (folder.path / "gone.txt").native();
  const auto checks = check_citations(answer_with({good, wrong_quote, beyond, gone}), Budget::unlimited());
  REQUIRE(checks.size() == 4);
  CHECK(checks[0].holds);
  for (size_t i = 1; i < 4; ++i) {
    CHECK_FALSE(checks[i].holds);
    CHECK(!checks[i].problem.empty());
  }
  std::ofstream(file, std::ios::binary | std::ios::app) << "one more line\n";
  CHECK_FALSE(check_citations(answer_with({good}), Budget::unlimited())[0].holds);
}

TEST_CASE("a file larger than the usual limit of indexing is checked, within the memory budget") {
  const TemporaryFolder folder;
  const fs::path file = folder.path / "large.txt";
  const std::string text = std::string(kText) + std::string(ExtractOptions().max_file_bytes, '\n');
  std::ofstream(file, std::ios::binary) << text;
  const std::string answer = answer_with({cite(hit_in(file, text, 9, kText.size()), 0, 26, 1)});
  const auto checks = check_citations(answer, Budget::unlimited());
  REQUIRE(checks.size() == 1);
  INFO(checks[0].problem);
  CHECK(checks[0].holds);

  Budget small(16 * kMiB), large(kGiB);
  CHECK(check_citations(answer, large)[0].holds);
  CHECK(large.used_bytes() == 0);
  try {
    check_citations(answer, small);
    FAIL("16 MiB were enough");
  } catch (const Error& error) {
    CHECK(error.code() == Code::over_budget);
    CHECK(error.message().find(file.native()) != std::string::npos);
  }
}

TEST_CASE("a file of unknown type, which was indexed because it was named, is checked as text") {
  const TemporaryFolder folder;
  const fs::path file = folder.path / "NOTES.org";
  std::ofstream(file, std::ios::binary) << kText;
  const auto checks =
      check_citations(answer_with({cite(hit_in(file, kText, 9, kText.size()), 0, 26, 1)}), Budget::unlimited());
  REQUIRE(checks.size() == 1);
  INFO(checks[0].problem);
  CHECK(checks[0].holds);
}

TEST_CASE("a record in a file of records is found by its content") {
  const TemporaryFolder folder;
  const fs::path file = folder.path / "records.jsonl";
  std::ofstream(file) << R"({"_id":"a","title":"","text":"first record"})"
                         "\n"
                         R"({"_id":"b","title":"","text":"second record"})"
                         "\n";
  const Citation citation = cite(hit_in(file, "second record", 0, 13), 7, 13, 1);
  const auto checks = check_citations(answer_with({citation}), Budget::unlimited());
  REQUIRE(checks.size() == 1);
  INFO(checks[0].problem);
  CHECK(checks[0].holds);
}

TEST_CASE("answers of a batch are checked line by line, and text that is not an answer is refused") {
  Reply reply;
  reply.query.text = "q";
  const std::string line = reply_to_json(reply, ReplyDetail::contract);
  CHECK(check_citations(line + "\n\n" + error_to_json({"x", "y"}, Error(Code::bad_input, "no")) + "\n",
                        Budget::unlimited())
            .empty());
  for (const char* text :
       {"", "plain", "[]", "{}", "{\"citations\": [{\"n\": \"one\"}]}", "{\"citations\": []}\nplain"}) {
    INFO(text);
    CHECK_THROWS_AS(check_citations(text, Budget::unlimited()), Error);
  }
}
