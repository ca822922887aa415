// The prompts of an embedder: from a checkpoint into its vectors.
#include <doctest/doctest.h>

#include "base/file.h"
#include "base/thread_pool.h"
#include "memory/budget.h"
#include "model/arch/registry.h"
#include "support/e5s1_file.h"
#include "support/errors.h"
#include "support/temp_folder.h"

namespace frugal {
namespace {

using namespace testing;

struct OpenEmbedder {
  explicit OpenEmbedder(const std::filesystem::path& path)
      : source(open_checkpoint_source(path, "identity")),
        ops(make_cpu_ops(threads, Budget::unlimited())),
        embedder(open_embedder(*source, *ops)) {}
  std::vector<float> embed(std::string_view text, TextRole role) {
    std::vector<float> vector(static_cast<size_t>(embedder->dimension()));
    embedder->embed(std::span(&text, 1), role, vector);
    return vector;
  }
  ThreadPool threads{1};
  std::unique_ptr<ModelSource> source;
  std::unique_ptr<Ops> ops;
  std::unique_ptr<Embedder> embedder;
};

TEST_CASE("an E5S1 file's embedder puts E5's prompts before questions and passages") {
  const TempFolder folder;
  E5s1Builder builder;
  builder.pieces[5] = "q";  // else both prompts are unknown pieces alone
  write_file(folder / "model.bin", builder.build());
  OpenEmbedder e5(folder / "model.bin");
  CHECK(e5.embedder->prompt(TextRole::query) == "query: ");
  CHECK(e5.embedder->prompt(TextRole::passage) == "passage: ");
  CHECK(contains(e5.embedder->fingerprint(), "query: |passage: "));
  const int64_t prompt_tokens = int64_t(e5.embedder->tokenizer().encode("query: ", false).size());
  CHECK(e5.embedder->added_tokens(TextRole::query) == 2 + prompt_tokens);
  CHECK(e5.embed("ab", TextRole::query) != e5.embed("ab", TextRole::passage));
}

// tests/golden/bert with other named prompts.
std::filesystem::path bert_with(const TempFolder& folder, std::string_view prompts) {
  std::filesystem::copy(std::filesystem::path(FRUGAL_SOURCE_DIR) / "tests/golden/bert", folder / "bert",
                        std::filesystem::copy_options::recursive);
  write_file(folder / "bert/config_sentence_transformers.json", prompts);
  return folder / "bert";
}

TEST_CASE("sentence-transformers' named prompts are those that it would choose") {
  const auto prompts_of = [](std::string_view json) {
    const TempFolder folder;
    const OpenEmbedder open(bert_with(folder, json));
    return std::pair(std::string(open.embedder->prompt(TextRole::query)),
                     std::string(open.embedder->prompt(TextRole::passage)));
  };
  using Pair = std::pair<std::string, std::string>;
  CHECK(prompts_of("{}") == Pair("", ""));
  CHECK(prompts_of(R"({"prompts": {"query": "q: ", "passage": "p: "}})") == Pair("q: ", "p: "));
  CHECK(prompts_of(R"({"prompts": {"query": "q: ", "document": "d: ", "corpus": "c: "}})") == Pair("q: ", "d: "));
  CHECK(prompts_of(R"({"prompts": {"all": "a: ", "query": ""}, "default_prompt_name": "all"})") == Pair("", "a: "));
  CHECK(contains(message_of([&] { prompts_of(R"({"prompts": {"query": ")" + std::string(2000, 'x') + R"("}})"); }),
                 "a prompt of 2000 bytes"));
}

TEST_CASE("a prompt is text before the text, and an embedder without prompts keeps its vectors and its fingerprint") {
  const TempFolder folder, other;
  OpenEmbedder with(bert_with(folder, R"({"prompts": {"query": "the "}})")), without(bert_with(other, "{}"));
  CHECK(with.embed("cat", TextRole::query) == without.embed("the cat", TextRole::query));
  CHECK(with.embed("cat", TextRole::passage) == without.embed("cat", TextRole::query));
  CHECK_FALSE(contains(without.embedder->fingerprint(), "|"));
}

}  // namespace
}  // namespace frugal
