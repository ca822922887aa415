#include "rag/reply/cite.h"

#include <doctest/doctest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "base/hash.h"
#include "base/units.h"
#include "memory/budget.h"
#include "rag/extract/extract.h"
#include "rag/reply/cite_check.h"
#include "rag/reply/reply_json.h"

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
  const auto checks = check_citations(answer_with({good, wrong_quote, beyond, gone}), Budget::unlimited()).citations;
  REQUIRE(checks.size() == 4);
  CHECK(checks[0].holds);
  for (size_t i = 1; i < 4; ++i) {
    CHECK_FALSE(checks[i].holds);
    CHECK(!checks[i].problem.empty());
  }
  CHECK(checks[1].verdict == CitationVerdict::altered);
  CHECK(checks[2].verdict == CitationVerdict::misattributed);  // the file has not changed: it never stood there
  CHECK_FALSE(checks[0].document_changed);
  std::ofstream(file, std::ios::binary | std::ios::app) << "one more line\n";
  const auto later = check_citations(answer_with({good}), Budget::unlimited()).citations;
  CHECK(later[0].verdict == CitationVerdict::exact);
  CHECK(later[0].document_changed);
}

TEST_CASE("a file larger than the usual limit of indexing is checked, within the memory budget") {
  const TemporaryFolder folder;
  const fs::path file = folder.path / "large.txt";
  const std::string text = std::string(kText) + std::string(ExtractOptions().max_file_bytes, '\n');
  std::ofstream(file, std::ios::binary) << text;
  const std::string answer = answer_with({cite(hit_in(file, text, 9, kText.size()), 0, 26, 1)});
  const auto checks = check_citations(answer, Budget::unlimited()).citations;
  REQUIRE(checks.size() == 1);
  INFO(checks[0].problem);
  CHECK(checks[0].holds);

  Budget small(16 * kMiB), large(kGiB);
  CHECK(check_citations(answer, large).citations[0].holds);
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
      check_citations(answer_with({cite(hit_in(file, kText, 9, kText.size()), 0, 26, 1)}), Budget::unlimited())
          .citations;
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
  const auto checks = check_citations(answer_with({citation}), Budget::unlimited()).citations;
  REQUIRE(checks.size() == 1);
  INFO(checks[0].problem);
  CHECK(checks[0].holds);
}

TEST_CASE("an extracted answer must be its quote, and an answer without citations does not hold") {
  const TemporaryFolder folder;
  const fs::path file = folder.path / "a.txt";
  std::ofstream(file, std::ios::binary) << kText;
  Reply reply;
  reply.query.text = "q";
  reply.answer.mode = AnswerMode::extract;
  reply.citations = {cite(hit_in(file, kText, 9, kText.size()), 0, 26, 1)};
  const auto check = [&] {
    const AnswerCheck result = check_citations(reply_to_json(reply, ReplyDetail::contract), Budget::unlimited());
    CHECK(render_check(result, true).find(result.holds() ? "\"holds\": true" : "\"holds\": false") !=
          std::string::npos);
    return result;
  };
  reply.answer.text = text_of_quote(reply.citations[0].quote);
  CHECK(check().holds());
  reply.answer.text = "invented";
  CHECK_FALSE(check().holds());
  CHECK(check().citations.at(0).holds);
  reply.citations.clear();
  CHECK_FALSE(check().holds());
  reply.answer.text.reset();
  reply.answer.abstained = true;
  CHECK(check().holds());
  CHECK(render_check(check(), false).find("nothing to check") != std::string::npos);
  reply.answer.abstained = false;
  reply.citations = {cite(hit_in(file, kText, 9, kText.size()), 3, 3, 1)};
  CHECK_FALSE(check().holds());
}

TEST_CASE("a quote from standard input is told apart from one of a file that is gone") {
  const Citation citation = cite(hit_in("page.html", kText, 9, kText.size()), 0, 26, 1);
  const AnswerCheck check = check_citations(answer_with({citation}), Budget::unlimited());
  REQUIRE(check.citations.size() == 1);
  CHECK_FALSE(check.holds());
  CHECK(check.citations[0].problem.find("standard input") != std::string::npos);
}

TEST_CASE("a citation of a converted text names its bytes in the file, and cite-check compares them") {
  const TemporaryFolder folder;
  const fs::path file = folder.path / "\xFFpage.html";
  const std::string html = "<p>x</p>\n<p>The <b>lamp</b> is lit.</p>\n";
  std::ofstream(file, std::ios::binary) << html;
  std::ifstream input(file, std::ios::binary);
  Hit hit;
  extract(input, FileKind::html, file, {}, [&](const Document& document) {
    hit = hit_in(file, document.text, 3, document.text.size());
    hit.chunk.source = document.source->slice(3, document.text.size()).moved(0, 1);
    hit.chunk.in_file = true;
  });
  Citation citation = cite(hit, 0, 16, 1);
  CHECK(citation.quote == "The lamp is lit.");
  CHECK(html.substr(citation.start_byte, citation.end_byte - citation.start_byte) == "The <b>lamp</b> is lit.");
  CHECK(citation.line == 2);
  const auto problem = [&] {
    return check_citations(answer_with({citation}), Budget::unlimited()).citations.at(0).problem;
  };
  CHECK(problem() == "");
  --citation.start_byte;
  CHECK(problem().find("bytes 12 to 35") != std::string::npos);
  ++citation.start_byte;
  citation.line = 1;
  CHECK(problem().find("line 2") != std::string::npos);
}

TEST_CASE("a quote is exact, moved, altered, missing or misattributed") {
  const TemporaryFolder folder;
  const fs::path file = folder.path / "a.txt", other = folder.path / "b.txt";
  const std::string text(kText);
  const auto write = [](const fs::path& path, const std::string& content) {
    std::ofstream(path, std::ios::binary) << content;
  };
  write(file, text);
  write(other, "Outra coisa qualquer, sem relação.\n");
  const Citation second = cite(hit_in(file, kText, 9, kText.size()), 27, 71, 1);
  REQUIRE(second.quote.starts_with("A segunda"));
  const auto check = [&](const Citation& citation, std::vector<fs::path> retrieved = {}) {
    Reply reply;
    reply.query.text = "q";
    reply.citations = {citation};
    for (const fs::path& path : retrieved) reply.hits.push_back(hit_in(path, kText, 0, 4));
    return check_citations(reply_to_json(reply, ReplyDetail::contract), Budget::unlimited()).citations.at(0);
  };
  CHECK(check(second).verdict == CitationVerdict::exact);

  write(file, "Prefácio.\n" + text);
  CitationCheck found = check(second);
  CHECK(found.verdict == CitationVerdict::moved);
  CHECK(found.holds);
  REQUIRE(found.now);
  CHECK(found.now->begin == second.start_byte + 11);
  CHECK(found.now->line == second.line + 1);

  std::string altered = text;
  altered.replace(altered.find("aspas"), 5, "vírgulas");
  write(file, altered);
  found = check(second);
  CHECK(found.verdict == CitationVerdict::altered);
  CHECK_FALSE(found.holds);
  CHECK(found.problem.find("vírgulas") != std::string::npos);
  CHECK(found.now->line == second.line);

  write(file, "Nada disto.\n");
  CHECK(check(second).verdict == CitationVerdict::missing);
  CHECK(check(second, {other}).verdict == CitationVerdict::missing);
  write(other, "Linha\n" + text);
  found = check(second, {other});
  CHECK(found.verdict == CitationVerdict::misattributed);
  CHECK(found.now_path == other.native());
  CHECK(found.now->line == second.line + 1);
  fs::remove(file);
  CHECK(check(second).verdict == CitationVerdict::missing);
}

TEST_CASE("a quote of another record is misattributed, and one of a record that moved is moved") {
  const TemporaryFolder folder;
  const fs::path file = folder.path / "records.jsonl";
  std::ofstream(file) << "{\"_id\":\"a\",\"text\":\"first record\"}\n{\"_id\":\"b\",\"text\":\"second record\"}\n";
  Citation citation;
  std::ifstream input(file);
  extract(input, FileKind::jsonl, file, {}, [&](const Document& document) {
    if (document.external_id != "b") return;
    Hit hit = hit_in(file, document.text, 0, document.text.size());
    hit.chunk.external_id = "b";
    hit.chunk.source = document.source;
    hit.chunk.in_file = true;
    citation = cite(hit, 0, 6, 1);
  });
  const auto verdict = [&](const Citation& each) {
    return check_citations(answer_with({each}), Budget::unlimited()).citations.at(0).verdict;
  };
  CHECK(verdict(citation) == CitationVerdict::exact);
  Citation of_a = citation;
  of_a.record = "a";
  of_a.sha256 = sha256_hex("first record");
  CHECK(verdict(of_a) == CitationVerdict::misattributed);
  std::ofstream(file) << "{\"_id\":\"b\",\"text\":\"second record\"}\n";
  CHECK(verdict(citation) == CitationVerdict::moved);
}

TEST_CASE("a quote's text has single spaces for white space of any kind, and no byte-order mark") {
  CHECK(text_of_quote("\uFEFF\u2003\u2003Art. 1º\n \tSão\u00A0livres. ") == "Art. 1º São livres.");
}

TEST_CASE("a source that changed or went since it was indexed is marked") {
  const TemporaryFolder folder;
  const fs::path file = folder.path / "a.txt";
  std::ofstream(file, std::ios::binary) << kText;
  struct stat info {};
  REQUIRE(::stat(file.c_str(), &info) == 0);
  Hit hit = hit_in(file, kText, 9, kText.size());
  hit.chunk.file_bytes = info.st_size;
  hit.chunk.file_mtime_ns = int64_t(info.st_mtim.tv_sec) * 1'000'000'000 + info.st_mtim.tv_nsec;
  std::vector<Citation> citations = {cite(hit, 0, 26, 1), cite(hit, 0, 5, 2)};
  const auto state = [&] {
    look_at_sources(citations);
    CHECK(citations[0].source == citations[1].source);
    return citations[0].source;
  };
  CHECK(state() == SourceState::unchanged);
  std::ofstream(file, std::ios::app) << "more";
  CHECK(state() == SourceState::changed);
  fs::remove(file);
  CHECK(state() == SourceState::gone);
}

TEST_CASE("answers of a batch are checked line by line, and text that is not an answer is refused") {
  Reply reply;
  reply.query.text = "q";
  const std::string line = reply_to_json(reply, ReplyDetail::contract);
  CHECK(check_citations(line + "\n\n" + error_to_json({"\"x\"", "y"}, Error(Code::bad_input, "no")) + "\n",
                        Budget::unlimited())
            .citations.empty());
  for (const char* text : {"", "plain", "[]", "{}", "{\"citations\": [{\"n\": \"one\"}]}", "{\"citations\": []}\nplain",
                           R"({"citations": [{"n": 1, "id": 1, "path": "a", "start_byte": -1, "end_byte": 3}]})"}) {
    INFO(text);
    CHECK_THROWS_AS(check_citations(text, Budget::unlimited()), Error);
  }
}
