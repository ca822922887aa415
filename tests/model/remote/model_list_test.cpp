#include "model/remote/model_list.h"

#include <doctest/doctest.h>

#include "support/errors.h"

namespace frugal {
namespace {

using Kind = ModelEntry::Kind;
using testing::error_of;

TEST_CASE("a name without a scheme is a pack, whatever it contains") {
  for (const char* name : {"smollm2.pack", "/a,b/c.pack", "extract", "none, of these"}) {
    CAPTURE(name);
    const std::vector<ModelEntry> list = parse_model_list(name);
    REQUIRE(list.size() == 1);
    CHECK(list[0].kind == Kind::pack);
    CHECK(list[0].name == name);
    CHECK_FALSE(is_remote_list(list));
  }
  CHECK(parse_model_list("").empty());
}

TEST_CASE("a list has remotes, a pack and an end") {
  const std::vector<ModelEntry> list = parse_model_list(
      "openai:http://127.0.0.1:8080/#org/qwen3:4b, openai:https://example.org/v1#m,local:a.pack , extract");
  REQUIRE(list.size() == 4);
  CHECK(list[0].kind == Kind::remote);
  CHECK(list[0].shape == RemoteShape::openai);
  CHECK(list[0].url == "http://127.0.0.1:8080");
  CHECK(list[0].model == "org/qwen3:4b");
  CHECK(list[1].url == "https://example.org/v1");
  CHECK(list[2].kind == Kind::pack);
  CHECK(list[2].name == "a.pack");
  CHECK(list[3].kind == Kind::none);
  CHECK(is_remote_list(list));

  const std::vector<ModelEntry> plain = parse_model_list("tei:http://h, local, none");
  CHECK(plain[0].shape == RemoteShape::tei);
  CHECK(plain[0].model.empty());
  CHECK(plain[1].name.empty());
  CHECK(parse_model_list("cohere:http://h#m")[0].shape == RemoteShape::cohere);
}

TEST_CASE("what is no list is refused") {
  for (const char* bad : {"openai:", "openai:ftp://h#m", "openai:http://u:p@h#m", "openai:http://h#m,,local",
                          "openai:http://h#m, extract, local", "openai:http://h#m, a.pack, local:b.pack"}) {
    CAPTURE(bad);
    const auto error = error_of([&] { parse_model_list(bad); });
    REQUIRE(error);
    CHECK(error->code() == Code::usage);
  }
}

}  // namespace
}  // namespace frugal
