// BGE-M3's outputs beside the vector of a text: weights of tokens, and vectors of tokens.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/thread_pool.h"
#include "memory/budget.h"
#include "model/arch/bulk_embedder.h"
#include "model/arch/registry.h"
#include "model/format/pack.h"
#include "support/errors.h"
#include "support/golden.h"
#include "support/temp_folder.h"

namespace frugal {
namespace {

using namespace testing;
namespace fs = std::filesystem;

struct OpenPack {
  OpenPack(const char* golden, Precision precision) : made(kRoot / "tests/golden" / golden, precision) {}
  TemporaryPack made;
  Pack pack{made.path};
  ThreadPool threads{3};
  std::unique_ptr<Ops> ops = make_cpu_ops(threads, Budget::unlimited());
  std::unique_ptr<Embedder> embedder = open_embedder(pack, *ops);
};

bool same(const TextEmbedding& a, const TextEmbedding& b) {
  const auto equal = [](const TokenWeight& x, const TokenWeight& y) {
    return x.token == y.token && std::abs(x.weight - y.weight) < 1e-5f;
  };
  return max_difference(a.dense, b.dense) < 1e-5 && max_difference(a.token_vectors, b.token_vectors) < 1e-5 &&
         std::equal(a.sparse.begin(), a.sparse.end(), b.sparse.begin(), b.sparse.end(), equal);
}

TEST_CASE("the weight of a token is the highest of its places, and special tokens have none") {
  const OpenPack m3("bge-m3", Precision::fp32);
  const std::string_view text = "ships ships the ships \xE2\x80\xA6";
  const TextEmbedding all = m3.embedder->embed_all(std::span(&text, 1), TextRole::passage).front();
  REQUIRE(!all.sparse.empty());
  const Tokenizer& tokenizer = m3.embedder->tokenizer();
  for (size_t i = 0; i < all.sparse.size(); ++i) {
    if (i > 0) CHECK(all.sparse[i].token > all.sparse[i - 1].token);
    CHECK(all.sparse[i].weight > 0);
    CHECK(!tokenizer.is_special(all.sparse[i].token));
  }
  // One vector for each token but the first.
  const size_t tokens = tokenizer.encode(text, false).size() + tokenizer.suffix().size();
  CHECK(all.token_vectors.size() == tokens * static_cast<size_t>(m3.embedder->token_dimension()));
}

TEST_CASE("many texts have the same outputs in one call, over threads, and alone") {
  OpenPack m3("bge-m3", Precision::int8);
  const auto bulk = open_bulk_embedder(m3.pack, *m3.ops, m3.threads, Budget::unlimited());
  CHECK(bulk->has_sparse());
  CHECK(bulk->token_dimension() == m3.embedder->token_dimension());
  std::vector<std::string> texts;
  for (int i = 0; i < 70; ++i)
    texts.push_back(std::string(static_cast<size_t>(3 * i), i % 7 ? 'a' : 'b') + " the ships");
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  const std::vector<TextEmbedding> together = m3.embedder->embed_all(views, TextRole::passage),
                                   spread = bulk->embed_all(views, TextRole::passage);
  REQUIRE(together.size() == views.size());
  REQUIRE(spread.size() == views.size());
  std::vector<float> vector(static_cast<size_t>(m3.embedder->dimension()));
  for (size_t i = 0; i < views.size(); ++i) {
    const TextEmbedding alone = m3.embedder->embed_all(std::span(&views[i], 1), TextRole::passage).front();
    CHECK(same(together[i], alone));
    CHECK(same(spread[i], alone));
    m3.embedder->embed(std::span(&views[i], 1), TextRole::passage, vector);
    CHECK(max_difference(vector, alone.dense) < 1e-5);
  }
  CHECK(m3.embedder->embed_all({}, TextRole::passage).empty());
}

TEST_CASE("an embedder without heads gives its vectors alone") {
  const OpenPack bert("roberta", Precision::int8);
  CHECK_FALSE(bert.embedder->has_sparse());
  CHECK(bert.embedder->token_dimension() == 0);
  const std::vector<std::string_view> texts = {"the law", "ships"};
  const std::vector<TextEmbedding> all = bert.embedder->embed_all(texts, TextRole::query);
  REQUIRE(all.size() == 2);
  std::vector<float> vectors(2 * 32);
  bert.embedder->embed(texts, TextRole::query, vectors);
  for (size_t i = 0; i < 2; ++i) {
    CHECK(max_difference(all[i].dense, std::span(vectors).subspan(i * 32, 32)) < 1e-6);
    CHECK(all[i].sparse.empty());
    CHECK(all[i].token_vectors.empty());
  }
}

TEST_CASE("the large head is quantised as the layers are, the small one stays exact") {
  const OpenPack int8("bge-m3", Precision::int8), int4("bge-m3", Precision::int4);
  CHECK(int8.pack.require("heads.vector.weight").dtype == DType::linear_i8);
  CHECK(int4.pack.require("heads.vector.weight").dtype == DType::linear_i4);
  CHECK(int4.pack.require("heads.weight.weight").dtype == DType::f32);
}

// A copy of the golden folder that a test damages.
struct Damaged {
  Damaged() : path(folder / "m3") { fs::copy(kRoot / "tests/golden/bge-m3", path, fs::copy_options::recursive); }
  std::string error() const {
    return message_of([&] { plan_model(*open_checkpoint(path)); });
  }
  TempFolder folder;
  fs::path path;
};

TEST_CASE("a missing or damaged head is an error that names its file") {
  for (const std::string head : {"sparse_linear", "colbert_linear"}) {
    const Damaged missing, cut;
    fs::remove(missing.path / (head + ".pt"));
    CHECK(contains(missing.error(), "'" + head + ".pt' is missing"));
    fs::resize_file(cut.path / (head + ".pt"), 700);
    CHECK(contains(cut.error(), head + ".pt"));
  }
  const Damaged none;
  fs::remove(none.path / "sparse_linear.pt");
  fs::remove(none.path / "colbert_linear.pt");
  CHECK(none.error() == "no error");
  const Damaged swapped;
  fs::copy_file(swapped.path / "colbert_linear.pt", swapped.path / "sparse_linear.pt",
                fs::copy_options::overwrite_existing);
  CHECK(contains(swapped.error(), "'sparse_linear.pt': 'weight' is [40, 32], expected [1, 32]"));
  const Damaged other;
  fs::copy_file(kRoot / "tests/golden/pytorch/views.pt", other.path / "colbert_linear.pt",
                fs::copy_options::overwrite_existing);
  CHECK(contains(other.error(), "'colbert_linear.pt' is missing, or has no 'weight'"));
}

TEST_CASE("the heads are part of a pack's identity") {
  const auto files = open_checkpoint(kRoot / "tests/golden/bge-m3")->files();
  for (const char* name : {"sparse_linear.pt", "colbert_linear.pt"})
    CHECK(std::count(files.begin(), files.end(), kRoot / "tests/golden/bge-m3" / name) == 1);
}

}  // namespace
}  // namespace frugal
