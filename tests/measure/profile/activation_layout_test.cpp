// Scopes lay the tensors of a forward pass out; how near that is to the least memory they can take is measured on the
// backend that counts, for every architecture.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "measure/profile/counting_ops.h"
#include "measure/profile/lifetime_plan.h"
#include "model/arch/registry.h"
#include "model/format/pack.h"
#include "model/nn/decoder.h"
#include "model/nn/embedder.h"
#include "model/nn/kv_cache.h"
#include "support/golden.h"

using namespace frugal;
using namespace frugal::testing;

namespace {

// The share by which the arena may exceed what lives at once, where a plan of lifetimes does no worse.
constexpr double kSlack = 1.03;

void check_layout(const CountingOps& ops) {
  const ForwardPass& pass = ops.widest_pass();
  const LifetimePlan plan = plan_lifetimes(pass.tensors);
  CAPTURE(pass.arena_bytes);
  CAPTURE(plan.planned_bytes);
  CHECK(pass.tensors.size() > 10);
  CHECK(pass.arena_bytes >= plan.peak_live_bytes);
  CHECK(static_cast<double>(pass.arena_bytes) <=
        std::max(kSlack * static_cast<double>(plan.peak_live_bytes), static_cast<double>(plan.planned_bytes)));
}

void check_embedder(const Pack& pack) {
  CountingOps ops(1);
  const auto model = open_embedder(pack, ops);
  const std::vector<std::string_view> texts(20, "the law of the court and what it says of ships");
  std::vector<float> out(texts.size() * static_cast<size_t>(model->dimension()));
  model->embed(texts, out);
  check_layout(ops);
}

void check_decoder(const Pack& pack, size_t tokens) {
  CountingOps ops(1);
  const auto model = open_decoder(pack, ops);
  KvCache cache = model->make_cache(int64_t(tokens));
  const std::vector<TokenId> prompt(tokens, 1);
  model->forward(prompt, cache, {});
  check_layout(ops);
}

}  // namespace

TEST_CASE("scopes lay a forward pass out as tightly as a plan of its tensors' lifetimes") {
  for (const Precision precision : {Precision::fp32, Precision::int8}) {
    CAPTURE(to_string(precision));
    const TemporaryPack bert(kRoot / "tests/golden/bert", precision), llama(kRoot / "tests/golden/llama", precision);
    check_embedder(Pack(bert.path));
    check_decoder(Pack(llama.path), 64);
  }
}

TEST_CASE("so do the real models, whose layers have other proportions") {
  const std::filesystem::path embedder = kRoot / "models/all-minilm-l6-v2.pack",
                              generator = kRoot / "models/smollm2-135m-instruct.pack";
  if (!std::filesystem::exists(embedder) || !std::filesystem::exists(generator)) {
    MESSAGE("SKIP: the packs are not there (scripts/quickstart)");
    return;
  }
  check_embedder(Pack(embedder));
  check_decoder(Pack(generator), 512);
  check_decoder(Pack(generator), 1);
}
