// The program that reads PDF and office files, as the tools call it.
#include "rag/extract/extraction_child.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <fstream>
#include <sstream>

#include "base/error.h"
#include "rag/extract/extract.h"
#include "rag/office/office_files.h"
#include "support/errors.h"
#include "support/temp_folder.h"

using namespace frugal;
using namespace frugal::testing;

namespace {

std::string text_of(ExtractionChild& child, FileKind kind, const std::string& bytes) {
  return child.read(kind, bytes, Budget::unlimited(), [](uint64_t) {}).document.text;
}
std::string message_of(ExtractionChild& child, FileKind kind, const std::string& bytes) {
  const auto error = error_of([&] { text_of(child, kind, bytes); });
  return error ? error->message() : "read";
}

const std::string kLetter = pdf_of({pdf_lines({"Dear reader."}), pdf_lines({"Yours, the writer."})});

/// A page that draws a form, which draws a form twice, and so on.
std::string bomb() {
  constexpr int kForms = 40;
  std::vector<std::string> objects = {
      "<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Count 1/Kids[3 0 R]>>",
      "<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Resources<</XObject<</X 5 0 R>>>>/Contents 4 0 R>>",
      pdf_stream("/X Do")};
  for (int i = 0; i < kForms; ++i) {
    const std::string content = "/X Do /X Do /X Do /X Do";
    objects.push_back("<</Type/XObject/Subtype/Form/BBox[0 0 600 800]/Resources<</XObject<</X " +
                      std::to_string(6 + std::min(i, kForms - 2)) + " 0 R>>>>/Length " +
                      std::to_string(content.size()) + ">>\nstream\n" + content + "\nendstream");
  }
  return pdf_of_objects(objects);
}

/// A program that does not answer as frugal-extract does.
std::filesystem::path script(const TempFolder& folder, std::string_view name, std::string_view body) {
  write_file(folder / name, "#!/bin/sh\n" + std::string(body) + "\n");
  ::chmod((folder / name).c_str(), 0755);
  return folder / name;
}

}  // namespace

TEST_CASE("one program reads many files, one after the other") {
  ExtractionChild child;
  for (int i = 0; i < 20; ++i) CHECK(text_of(child, FileKind::pdf, kLetter) == "Dear reader.\n\n\fYours, the writer.");
}

TEST_CASE("extract() reads a PDF through it, with pages and the title of its first line") {
  std::istringstream input(kLetter);
  std::vector<Document> documents;
  const Extracted extracted = extract(input, FileKind::pdf, "letters/letter.pdf", {},
                                      [&](Document document) { documents.push_back(std::move(document)); });
  REQUIRE(documents.size() == 1);
  CHECK(documents[0].first_page == 1);
  CHECK(documents[0].title == "letter");
  CHECK_FALSE(documents[0].source.has_value());
  CHECK(page_at(documents[0].text, documents[0].text.find("Yours"), 1) == 2);
  CHECK(extracted.sha256.size() == 64);
}

TEST_CASE("a file that takes too long is given up, and the next one is read") {
  ExtractionChild::Limits limits;
  limits.cpu_time = std::chrono::seconds(1);
  ExtractionChild child(limits);
  CHECK(message_of(child, FileKind::pdf, bomb()) == "pdf: takes longer than 1 s to read");
  CHECK(text_of(child, FileKind::pdf, kLetter).starts_with("Dear reader."));
}

TEST_CASE("a file that needs too much memory is refused, and the next one is read") {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  MESSAGE("SKIP: a sanitizer maps too much for a limit of addresses");
  return;
#endif
  ExtractionChild::Limits limits;
  limits.memory_bytes = limits.min_memory_bytes = uint64_t(16) << 20;
  ExtractionChild child(limits);
  std::string body;
  for (int i = 0; i < 300'000; ++i) body += "<w:p><w:r><w:t>w" + std::to_string(i) + "</w:t></w:r></w:p>";
  const std::string large = zip_of({{"word/document.xml", "<w:d xmlns:w=\"w\">" + body + "</w:d>"}});
  CHECK(message_of(child, FileKind::docx, large).find("needs more than") != std::string::npos);
  CHECK(text_of(child, FileKind::pdf, kLetter).starts_with("Dear reader."));
}

TEST_CASE("the memory of the program is reserved in the budget") {
  ExtractionChild child;
  Budget small(uint64_t(32) << 20);
  const auto error = error_of([&] { child.read(FileKind::pdf, kLetter, small, [](uint64_t) {}); });
  REQUIRE(error);
  CHECK(error->code() == Code::over_budget);
  Budget enough(uint64_t(128) << 20);
  CHECK(child.read(FileKind::pdf, kLetter, enough, [](uint64_t) {}).document.text.starts_with("Dear reader."));
  CHECK(enough.used_bytes() == 0);
  CHECK(enough.peak_bytes() <= enough.limit_bytes());
}

TEST_CASE("without the program there is a clear reason") {
  ExtractionChild::Limits limits;
  limits.program = "/nowhere/frugal-extract";
  ExtractionChild child(limits);
  CHECK(message_of(child, FileKind::docx, "x") ==
        "docx: is read by frugal-extract, which is not installed ('/nowhere/frugal-extract')");
}

TEST_CASE("a program that crashes, ends, answers nonsense or nothing is an error about one file") {
  TempFolder folder;
  const auto message = [&](std::string_view body) {
    ExtractionChild::Limits limits;
    limits.program = script(folder, "program", body);
    limits.cpu_time = std::chrono::seconds(1);
    ExtractionChild child(limits);
    return message_of(child, FileKind::pdf, kLetter);
  };
  CHECK(message("kill -SEGV $$").find("its reader crashed (signal 11)") != std::string::npos);
  CHECK(message("exit 1").find("its reader gave up (exit code 1)") != std::string::npos);
  CHECK(message("exec cat /dev/zero").find("another version, or answers nonsense") != std::string::npos);
  CHECK(message("exec sleep 60") == "pdf: takes longer than 1 s to read");
}
