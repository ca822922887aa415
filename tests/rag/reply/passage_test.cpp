#include "rag/reply/passage.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>

#include "base/error.h"
#include "rag/index/index_writer.h"
#include "support/temp_folder.h"

using namespace frugal;
using namespace frugal::testing;

namespace {

constexpr const char* kText = "# Harbour\n\nThe lamp is lit.\n\n\nThe gate is shut.\nAlways.\n";

struct Harbour : TempFolder {
  Harbour() {
    write_file(*this / "docs/a.md", kText);
    write_file(*this / "docs/b.jsonl", "{\"text\": \"one\\ntwo\"}\n{\"text\": \"three\"}\n");
    IndexOptions options;
    IndexWriter(*this / "index", options).add({(*this / "docs").native()});
  }
  Passage get(const std::string& place, PassageTime time = PassageTime::indexed) const {
    const auto store = open_store(*this / "index", Budget::unlimited());
    return read_passage(*store, place, time, Budget::unlimited());
  }
};

}  // namespace

TEST_CASE_FIXTURE(Harbour, "lines of a file are printed as they are, by any of its names") {
  for (const std::string& name : {(*this / "docs/a.md").native(), std::string("a.md"), std::string("docs/a.md")}) {
    INFO(name);
    const Passage passage = get(name + ":3-6");
    CHECK(passage.text == "The lamp is lit.\n\n\nThe gate is shut.\n");
    CHECK(passage.source == SourceState::unchanged);
    CHECK_FALSE(passage.from_index);
    CHECK(passage.first_line == 3);
    CHECK(passage.last_line == 6);
    CHECK(passage_note(passage).empty());
  }
  CHECK(get("a.md").text == kText);
  CHECK(get("a.md:7").text == "Always.\n");
  CHECK(get("a.md:6-99").text == "The gate is shut.\nAlways.\n");
  CHECK(get("b.jsonl:1").text == "one\ntwo\n");
  CHECK(get("b.jsonl:2").text == "three\n");
}

TEST_CASE_FIXTURE(Harbour, "a file that changed is shown as it was indexed, or as it is") {
  write_file(*this / "docs/a.md", "New.\n");
  const Passage before = get("a.md:3-7");
  CHECK(before.text == "The lamp is lit.\n\n\nThe gate is shut.\nAlways.\n");
  CHECK(before.source == SourceState::changed);
  CHECK(before.from_index);
  CHECK(passage_note(before).find("has changed since") != std::string::npos);
  CHECK(get("a.md:1", PassageTime::now).text == "New.\n");
  CHECK_THROWS_AS(get("a.md:3", PassageTime::now), Error);
  std::filesystem::remove(*this / "docs/a.md");
  CHECK(get("a.md:3").source == SourceState::gone);
  CHECK(get("a.md:3").text == "The lamp is lit.\n");
  CHECK_THROWS_AS(get("a.md:3", PassageTime::now), Error);
  write_file(*this / "docs/a.md", kText);  // the same bytes at another time
  CHECK(get("a.md:3").source == SourceState::unchanged);
  write_file(*this / "docs/b.jsonl", "{\"text\": \"other\"}\n");
  CHECK(get("b.jsonl:1").text == "one\ntwo\n");
}

TEST_CASE_FIXTURE(Harbour, "a place that the index does not have is bad input") {
  for (const char* place : {"c.md", "c.md:1", "a.md:99", "a.md:0", "a.md:1-", "a.md:-1", "a.md:x", "", ":1",
                            "a.md:99999999999999999999", "../index/index.sqlite"}) {
    INFO(place);
    CHECK_THROWS_AS(get(place), Error);
  }
  CHECK_THROWS_AS(get("a.md:5-3"), Error);
}
