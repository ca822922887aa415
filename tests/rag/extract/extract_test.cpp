#include "rag/extract/extract.h"

#include <doctest/doctest.h>

#include <sstream>
#include <vector>

#include "base/error.h"
#include "base/hash.h"

using namespace frugal;

namespace {

struct Result {
  std::vector<Document> documents;
  Extracted extracted;
};
Result read(const std::string& bytes, FileKind kind, ExtractOptions options = {}) {
  std::istringstream input(bytes);
  Result result;
  result.extracted =
      extract(input, kind, "notes.txt", options, [&](Document each) { result.documents.push_back(std::move(each)); });
  return result;
}

}  // namespace

TEST_CASE("text and Markdown keep the bytes of the file") {
  const std::string bytes = "\xEF\xBB\xBF# Title\r\n\r\n**bold** text\n";
  const Result result = read(bytes, FileKind::markdown);
  CHECK(result.documents.at(0).text == bytes);
  CHECK(result.documents.at(0).title == "Title");
  CHECK(result.extracted.sha256 == sha256_hex(bytes));
  CHECK(read("just a sentence.", FileKind::text).documents.at(0).title == "notes");
}

TEST_CASE("text that is not UTF-8 is converted, with a note") {
  const Result latin = read("A\xE7\xE3o \x93hoje\x94", FileKind::text);
  CHECK(latin.documents.at(0).text == "Ação “hoje”");
  CHECK(latin.extracted.note.find("Windows-1252") != std::string::npos);
  CHECK(read(std::string("\xFF\xFEo\0l\0\xE1\0", 8), FileKind::text).documents.at(0).text == "olá");
}

TEST_CASE("binary and oversized files are refused with the reason") {
  CHECK_THROWS_WITH_AS(read(std::string("ab\0c", 4), FileKind::text), doctest::Contains("offset 2"), Error);
  CHECK_THROWS_WITH_AS(read(std::string(2000, 'x'), FileKind::text, {1000, 1000}), doctest::Contains("larger than"),
                       Error);
}

TEST_CASE("HTML gives headings, paragraphs and lists, without scripts and menus") {
  const Result result = read(
      "<html><head><title>T &amp; U</title><style>p{}</style></head><body><nav>menu</nav><h1>Head</h1><p>One\n two</p>"
      "<script>bad()</script><ul><li>a</li><li>b</li></ul></body></html>",
      FileKind::html);
  CHECK(result.documents.at(0).title == "T & U");
  CHECK(result.documents.at(0).text == "# Head\n\nOne two\n\n- a\n- b");
}

TEST_CASE("HTML nested 100,000 deep is refused, 1,000 deep is read") {
  const auto nested = [](int depth) {
    std::string html = "<p>top</p>";
    for (int i = 0; i < depth; ++i) html += "<div>";
    return html + "x";
  };
  CHECK(read(nested(1000), FileKind::html).documents.at(0).text.starts_with("top"));
  CHECK_THROWS_WITH_AS(read(nested(100000), FileKind::html), doctest::Contains("nested"), Error);
}

TEST_CASE("each record of a CSV is a document of its columns") {
  const Result result = read("id;title;note\n7;Um;\"a;\"\"b\"\"\nc\"\n;;\n8;Dois;d\n", FileKind::csv);
  REQUIRE(result.documents.size() == 2);
  CHECK(result.documents[0].external_id == "7");
  CHECK(result.documents[0].title == "Um");
  CHECK(result.documents[0].text == "id: 7\ntitle: Um\nnote: a;\"b\"\nc");
  CHECK(result.documents[1].is_record);
}

TEST_CASE("JSON lines keep their ids; bad lines are skipped and reported") {
  const Result result = read(
      "{\"_id\": \"d/1\", \"title\": \"T\", \"text\": \"caf\\u00e9\", \"url\": 1}\n\nnot json\n[1]\n{\"_id\": 2, "
      "\"text\": \"two\"}\n{\"_id\": 3}\n",
      FileKind::jsonl);
  REQUIRE(result.documents.size() == 2);
  CHECK(result.documents[0].external_id == "d/1");
  CHECK(result.documents[0].text == "café");
  CHECK(result.documents[1].external_id == "2");
  CHECK(result.extracted.note == "keys ignored: url");
  CHECK(result.extracted.skipped_records.find("2 records: not a JSON object (first: line 3)") != std::string::npos);
  CHECK(result.extracted.skipped_records.find("no text") != std::string::npos);
  CHECK_THROWS_AS(read("nothing\n", FileKind::jsonl), Error);
}

TEST_CASE("an unsupported file has a reason and a message") {
  CHECK(unsupported_reason("report.PDF") == Unsupported::not_built_in);
  CHECK(unsupported_reason("letter.docx") == Unsupported::not_built_in);
  CHECK(unsupported_reason("photo.raw") == Unsupported::unknown_extension);
  CHECK(unsupported_reason("Makefile") == Unsupported::no_extension);
  CHECK(unsupported_message("report.PDF") == "pdf: not built in yet");
}
