#include "rag/extract/extract.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <new>
#include <sstream>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/hash.h"

using namespace frugal;

namespace {
int64_t allocations_granted = -1;  // how many more that may fail without an exception succeed; -1: all
}

// simdjson allocates with std::nothrow.
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept {
  if (allocations_granted == 0) return nullptr;
  if (allocations_granted > 0) --allocations_granted;
  try {
    return ::operator new[](bytes);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

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

/// "LINE:BYTES" of the file that `quote` in the document's text stands for.
std::string in_file(const std::string& bytes, const Document& document, std::string_view quote) {
  const size_t at = document.text.find(quote);
  REQUIRE(at != std::string::npos);
  REQUIRE(document.source);
  const SourceMap::Place place = document.source->find(at, at + quote.size());
  CHECK(place.line == 1 + std::count(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(place.begin), '\n'));
  return std::to_string(place.line) + ":" + bytes.substr(place.begin, place.end - place.begin);
}

std::string utf16(std::u16string_view text) {
  std::string bytes = "\xFF\xFE";
  for (const char16_t c : text) {
    bytes += static_cast<char>(c & 0xFF);
    bytes += static_cast<char>(c >> 8);
  }
  return bytes;
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
  const Result wide = read(std::string("\xFF\xFE\0\0o\0\0\0\xE1\0\0\0", 12), FileKind::text);
  CHECK(wide.documents.at(0).text == "oá");
  CHECK(wide.extracted.note == "read as UTF-32");
  CHECK(read(std::string("\0\0\xFE\xFF\0\1\xF6\0", 8), FileKind::text).documents.at(0).text == "😀");
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

TEST_CASE("end tags may be left out, and what nests wrongly keeps its text") {
  const auto text = [](const std::string& html) { return read(html, FileKind::html).documents.at(0).text; };
  CHECK(text("<p>a<p>b<div>c<p>d</div>e") == "a\n\nb\n\nc\n\nd\n\ne");
  CHECK(text("<ul><li>a<li>b<ul><li>c</ul><li>d</ul>e") == "- a\n- b\n\n- c\n\n- d\n\ne");
  CHECK(text("<table><tr><td>a<td>b<tr><th>c</table>d") == "a b\nc\n\nd");
  CHECK(text("<dl><dt>a<dd>b<dt>c</dl>") == "a\n\nb\n\nc");
  CHECK(text("<b><i>a</b>b</i> <div><nav>menu</div>c") == "ab\n\nc");
  CHECK(text("<h2>a <em>b</em></h3>c<p>d<h1>e") == "## a b\n\nc\n\nd\n\n# e");
  CHECK(text("a<svg><title>t</title><path/><p>b") == "a\n\nb");
  CHECK(text("<select><option>x</select>a<button>y</button>b") == "ab");
  CHECK(text("a<!-- <p> --->b<!x>c<?y>d</ z>e < f <3") == "abcde < f <3");
  CHECK(text("<p title='a>b' x=\"</p>\" y=z/>c") == "c");
  CHECK(text("<script>if (a</b/.c) '<p>'</script>d<style>x</style>e<title>f</title>") == "def");
  CHECK(text("&lt;p&gt; &amp;amp; &eacute;&#233;&#xe9; &notin; &notit; &nope; &#0;&#x80; &AMP &") ==
        "<p> &amp; ééé ∉ ¬it; &nope; \uFFFD€ & &");
  CHECK(text("<pre>\n  a\n</pre> <br> b<hr>c") == "a\n\nb\n\nc");
}

// Each of these took minutes or gigabytes of a parser that builds the tree which the standard describes.
TEST_CASE("pages made to be costly are read or refused at the first look") {
  const auto repeated = [](std::string_view text, int count) {
    std::string all;
    for (int i = 0; i < count; ++i) all += text;
    return all;
  };
  CHECK_THROWS_WITH_AS(read(repeated("<div></x>", 200'000), FileKind::html), doctest::Contains("nested more than 1024"),
                       Error);
  CHECK_THROWS_WITH_AS(read(repeated("<table><td>", 200'000), FileKind::html), doctest::Contains("nested"), Error);
  CHECK(read("a<svg>" + repeated("<td>", 1'000'000) + "b", FileKind::html).documents.at(0).text == "a");
  std::string formatting = "<p>", attributes = "<div";
  for (int i = 0; i < 100'000; ++i) formatting += "<b a=" + std::to_string(i) + ">";
  for (int i = 0; i < 400'000; ++i) attributes += " a" + std::to_string(i);
  CHECK(read(formatting + repeated("<p>x", 20'000), FileKind::html).documents.at(0).text.size() == 3 * 20'000 - 2);
  CHECK(read(attributes + ">x", FileKind::html).documents.at(0).text == "x");
  CHECK(read(repeated("<!--", 500'000), FileKind::html).documents.at(0).text.empty());
  CHECK(read(repeated("<title><script>", 200'000), FileKind::html).documents.at(0).text.empty());
  CHECK(read(repeated("&a", 1'000'000), FileKind::html).documents.at(0).text.size() == 2'000'000);
}

TEST_CASE("titles and names of columns are bounded: they are stored with every chunk or record") {
  const std::string long_name(1'000'000, 'C');
  CHECK(read("<title>" + long_name + "</title>x", FileKind::html).documents.at(0).title.size() == 1000);
  CHECK(read("{\"title\": \"" + long_name + "\", \"text\": \"x\"}\n", FileKind::jsonl).documents.at(0).title.size() ==
        1000);
  CHECK(read("id," + long_name + "\n1,x\n", FileKind::csv).documents.at(0).text.size() < 200);
  const Result wide =
      read("a,b" + std::string(100'000, ',') + "\n1,2" + std::string(100'000, ',') + "\n", FileKind::csv);
  CHECK(wide.documents.at(0).text == "a: 1\nb: 2");
  CHECK(wide.extracted.skipped_records.find("more than 10000 columns") != std::string::npos);
}

TEST_CASE("a document that does not fit the memory budget is refused before it is read") {
  Budget budget(1 << 20);
  ExtractOptions options;
  options.budget = budget;
  for (const FileKind kind : {FileKind::text, FileKind::html, FileKind::csv, FileKind::jsonl}) {
    INFO(to_string(kind));
    const std::string head = kind == FileKind::jsonl ? "{\"text\": \"" : "a\n";
    try {
      read(head + std::string(1 << 20, 'x'), kind, options);
      FAIL("it was read");
    } catch (const Error& error) {
      CHECK(error.code() == Code::over_budget);
      CHECK(error.message().find("notes.txt") != std::string::npos);
    }
    CHECK(budget.used_bytes() == 0);
    CHECK(budget.peak_bytes() <= 1 << 20);
  }
}

TEST_CASE("every part of an extracted text has its bytes and line in the file") {
  const std::string html =
      "<title>T</title>\n<p>One <b>bold</b>\n  word.</p>\n<ul>\n<li>caf&eacute; &amp; p&atilde;o</ul><h2>End</h2>";
  const Document page = read(html, FileKind::html).documents.at(0);
  CHECK(in_file(html, page, "One bold word.") == "2:One <b>bold</b>\n  word.");
  CHECK(in_file(html, page, "word.") == "3:word.");
  CHECK(in_file(html, page, "- café & p") == "5:caf&eacute; &amp; p");
  CHECK(in_file(html, page, "\n\n## End") == "5:End");

  const std::string csv = "id,note,other\r\n7,\"a \"\"b\"\"\nc\",x\r\n\r\n8,d,\"e\"\r\n";
  const std::vector<Document> rows = read(csv, FileKind::csv).documents;
  CHECK(in_file(csv, rows.at(0), "note: a \"b\"\nc") == "2:a \"\"b\"\"\nc");
  CHECK(in_file(csv, rows.at(0), "c\nother: x") == "3:c\",x");
  CHECK(in_file(csv, rows.at(1), "id: 8\nnote: d\nother: e") == "5:8,d,\"e");

  const std::string jsonl =
      "\xEF\xBB\xBF{\"_id\": 1, \"x\": {\"text\": [\"}\\\"\"]}, \"text\": \"caf\\u00e9 \\ud83d\\ude00 \\\"a\\\"\\n"
      "b\"}\n\n{\"title\": \"only\"}\n{\"text\": 12.50}\n";
  const std::vector<Document> records = read(jsonl, FileKind::jsonl).documents;
  CHECK(in_file(jsonl, records.at(0), "café") == "1:caf\\u00e9");
  CHECK(in_file(jsonl, records.at(0), "😀 \"a\"\nb") == "1:\\ud83d\\ude00 \\\"a\\\"\\nb");
  CHECK(in_file(jsonl, records.at(1), "only") == "3:only");
  CHECK(in_file(jsonl, records.at(2), records.at(2).text) == "4:12.50");

  const std::string latin = "a\nA\xE7\xE3o \x93hoje\x94\n";
  CHECK(in_file(latin, read(latin, FileKind::text).documents.at(0), "Ação “hoje”") == "2:A\xE7\xE3o \x93hoje\x94");
  const std::string wide = utf16(u"ol\u00E1, 😀 mundo");
  const Document wide_document = read(wide, FileKind::text).documents.at(0);
  const SourceMap::Place place = wide_document.source->find(6, 10);
  CHECK(wide.substr(place.begin, place.end - place.begin) == utf16(u"😀").substr(2));
  const std::string latin_html = "<p>\n<i>caf\xE9</i> &amp;</p>";
  CHECK(in_file(latin_html, read(latin_html, FileKind::html).documents.at(0), "café &") == "2:caf\xE9</i> &amp;");
}

TEST_CASE("a map of a part, stored and read back, finds the same places") {
  std::string html;
  for (int i = 0; i < 500; ++i) html += "<p>Caf&eacute; <b>" + std::to_string(i) + "</b> of\n many.</p>\n";
  const Document page = read(html, FileKind::html).documents.at(0);
  for (size_t begin = 0; begin + 200 < page.text.size(); begin += 97) {
    const SourceMap part = page.source->slice(begin, begin + 200);
    const SourceMap again = SourceMap::parse(part.serialise()).moved(page.source->source_begin(), page.source->line());
    CHECK(again.text_bytes() == 200);
    for (size_t at = 0; at + 30 < 200; at += 7) {
      const SourceMap::Place expected = page.source->find(begin + at, begin + at + 30), found = again.find(at, at + 30);
      CHECK(found.begin == expected.begin);
      CHECK(found.end == expected.end);
      CHECK(found.line == expected.line);
    }
  }
  CHECK_THROWS_AS(SourceMap::parse("\xFF"), Error);
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
  CHECK(unsupported_reason("letter.DOC") == Unsupported::old_office);
  CHECK(unsupported_reason("photo.raw") == Unsupported::unknown_extension);
  CHECK(unsupported_reason("Makefile") == Unsupported::no_extension);
  CHECK(unsupported_message("letter.DOC") == "doc: a format of Office 97: save the file as docx");
}

TEST_CASE("memory that runs out while a record is parsed is not the record's fault") {
  int64_t refused = 0;
  for (int64_t granted = 0; granted < 8; ++granted) {
    allocations_granted = granted;
    try {
      const Result result = read("{\"text\": \"a sound record\"}\n", FileKind::jsonl);
      CHECK(result.documents.size() == 1);
      CHECK(result.extracted.skipped_records.empty());
    } catch (const std::bad_alloc&) {
      ++refused;
    }
    allocations_granted = -1;
  }
  CHECK(refused > 1);
  CHECK(read("{\"text\": \"a sound record\"}\n", FileKind::jsonl).documents.size() == 1);
}

TEST_CASE("front matter gives fields, and the text keeps it") {
  const std::string text =
      "---\r\nTítulo: 'Lei: nova' # a comment\r\nlist: [a, \"b, c\", d]\r\n\"odd key\": 1\r\n...\r\nBody.\r\n";
  const Result result = read(text, FileKind::markdown);
  REQUIRE(result.documents.size() == 1);
  CHECK(result.documents[0].text == text);
  std::string fields;
  for (const DocumentField& field : result.documents[0].fields.all()) fields += field.key + "=" + field.value + ";";
  CHECK(fields == "titulo=Lei: nova;list=a;list=b, c;list=d;odd key=1;");
  for (const char* none : {"Body.\n---\nyear: 1\n---\n", "---\nyear: 1\n", "----\nyear: 1\n----\n", "---"})
    CHECK(read(none, FileKind::markdown).documents.at(0).fields.empty());
  CHECK(read("---\nyear: 1\n---\n", FileKind::text).documents.at(0).fields.empty());
}

TEST_CASE("fields are bounded in number, size and depth, whatever a document holds") {
  const auto fields = [](const std::string& bytes, FileKind kind) {
    const Result result = read(bytes, kind);
    size_t num_bytes = 0;
    for (const Document& document : result.documents) {
      CHECK(document.fields.all().size() <= DocumentFields::kMaxFields);
      num_bytes += document.fields.serialise().size();
      CHECK(DocumentFields::parse(document.fields.serialise()).all().size() == document.fields.all().size());
    }
    return num_bytes;
  };
  std::string members = "{\"text\": \"a\"", columns = "text", row = "a", lines = "---\n", nested, items = "---\nk:\n";
  for (int i = 0; i < 5000; ++i) {
    const std::string n = std::to_string(i);
    members += ", \"k" + n + "\": " + n;
    columns += ",k" + n;
    row += "," + n;
    lines += "k" + n + ": " + n + "\n";
    items += "- " + n + "\n";
    nested += std::string(static_cast<size_t>(i % 300), ' ') + "k:\n";
  }
  constexpr size_t kMost =
      DocumentFields::kMaxFields * (DocumentFields::kMaxKeyBytes + DocumentFields::kMaxValueBytes + 4);
  for (const auto& [bytes, kind] :
       {std::pair{members + "}\n", FileKind::jsonl},
        {columns + "\n" + row + "\n", FileKind::csv},
        {lines + "---\n", FileKind::markdown},
        {items + "---\n", FileKind::markdown},
        {"---\n" + nested + "---\n", FileKind::markdown},
        {"---\n" + std::string(1 << 20, '[') + "\n---\n", FileKind::markdown},
        {"---\nk: " + std::string(60000, '\'') + "\n---\n", FileKind::markdown},
        {"---\nk: [" + std::string(60000, ',') + "\n---\n", FileKind::markdown},
        {"{\"text\": \"a\", \"" + std::string(1 << 20, 'k') + "\": \"" + std::string(1 << 20, 'v') + "\"}\n",
         FileKind::jsonl}})
    CHECK(fields(bytes, kind) <= kMost);
  DocumentFields long_value;
  long_value.add("k", std::string(DocumentFields::kMaxValueBytes + 1, 'v'));
  CHECK(long_value.empty());
  CHECK(DocumentFields::parse("\xff\xff damaged").empty());
}
