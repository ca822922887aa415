// Scopes lay the tensors of a forward pass out; how near that is to the least memory they can take is measured on the
// backend that counts, for every architecture.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "measure/profile/counting_ops.h"
#include "measure/profile/lifetime_plan.h"
#include "memory/budget.h"
#include "model/arch/registry.h"
#include "model/format/pack.h"
#include "model/nn/decoder.h"
#include "model/nn/embedder.h"
#include "model/nn/image_embedder.h"
#include "model/nn/kv_cache.h"
#include "model/nn/model.h"
#include "model/nn/model_source.h"
#include "model/nn/reader.h"
#include "model/nn/seq2seq.h"
#include "model/nn/vision_language.h"
#include "support/golden.h"
#include "support/images.h"

using namespace frugal;
using namespace frugal::testing;

namespace {

// The share by which the arena may exceed what lives at once, where no scratch keeps a dead tensor's place.
constexpr double kSlack = 1.03;

// So many that a tensor of the hidden size is larger than attention's scratch, which does not grow with them.
constexpr size_t kManyTokens = 240;

// What was counted while a model of any kind read its widest input.
ForwardPass widest_pass(const Pack& pack, size_t tokens) {
  CountingOps ops(1);
  const auto model = open_model(PackSource(pack), ops);
  if (auto* embedder = dynamic_cast<Embedder*>(model.get())) {
    const std::vector<std::string_view> texts(20, "the law of the court and what it says of ships");
    std::vector<float> out(texts.size() * static_cast<size_t>(embedder->dimension()));
    embedder->embed(texts, TextRole::passage, out);
  } else if (auto* decoder = dynamic_cast<Decoder*>(model.get())) {
    KvCache cache = decoder->make_cache(int64_t(tokens), Budget::unlimited());
    decoder->forward(std::vector<TokenId>(tokens, 1), cache, {});
  } else if (auto* reader = dynamic_cast<Reader*>(model.get())) {
    const ReaderPair pair = reader->pair("what the law says", "the law of the court and what it says of ships");
    const std::vector<HalfRead> halves = reader->read_half(std::vector<ReaderPair>(20, pair));
    std::vector<const HalfRead*> all;
    for (const HalfRead& half : halves) all.push_back(&half);
    reader->read_rest(all);
  } else if (auto* seq2seq = dynamic_cast<Seq2Seq*>(model.get())) {
    const size_t source = std::min(tokens, static_cast<size_t>(seq2seq->max_source_tokens()));
    BeamCache cache = seq2seq->encode(std::vector<TokenId>(source, 5), 2, 8, Budget::unlimited());
    std::vector<float> logits(2 * static_cast<size_t>(seq2seq->vocab_size()));
    seq2seq->decode(std::vector<TokenId>(2, 5), cache, logits);
  } else if (auto* images = dynamic_cast<ImageEmbedder*>(model.get())) {
    const std::vector<std::string_view> texts(20, "the law of the court and what it says of ships");
    std::vector<float> out(texts.size() * static_cast<size_t>(images->dimension()));
    images->embed_texts(texts, out);
    std::vector<RgbImage> pictures;
    pictures.reserve(20);
    for (int i = 0; i < 20; ++i) pictures.push_back(pattern_image(50, 40, i));
    images->embed_images(pictures, Budget::unlimited(), out);
  } else if (auto* vision = dynamic_cast<VisionLanguage*>(model.get())) {
    std::vector<float> logits(static_cast<size_t>(vision->vocab_size()));
    vision->read(pattern_image(50, 40, 1), "what is it?", 8, logits, Budget::unlimited());
  } else {
    FAIL("no way to run a model of this kind");
  }
  return ops.widest_pass();
}

}  // namespace

// Scopes stack. An operation's own scratch lies on top of all that its scope still holds, so it cannot take the place
// of a tensor further down that is read no more: the quantised rows of attention's result lie on the queries, keys and
// values. That is all that a layout by scopes may cost, whatever the proportions of the layers: a tensor that is held
// longer than it has to be costs more.
TEST_CASE("scopes cost a forward pass no more than one operation's scratch beyond what lives at once") {
  for (const GoldenModel& golden : golden_models())
    for (const Precision precision : {Precision::fp32, Precision::int8}) {
      CAPTURE(golden.name);
      CAPTURE(to_string(precision));
      const TemporaryPack made(golden.checkpoint, precision);
      const ForwardPass pass = widest_pass(Pack(made.path), kManyTokens);
      const LifetimePlan plan = plan_lifetimes(pass.tensors);
      CHECK(pass.tensors.size() > 6);  // those of a layer
      CHECK(pass.arena_bytes >= plan.peak_live_bytes);
      CHECK(pass.arena_bytes <= plan.peak_live_bytes + pass.scratch_bytes);
      // Nothing is quantised, and all that attention's scratch lies on is read by it.
      if (precision == Precision::fp32)
        CHECK(static_cast<double>(pass.arena_bytes) <= kSlack * static_cast<double>(plan.peak_live_bytes));
    }
}

// In a real model the feed-forward layers are the widest place, where nothing below the scratch is dead.
TEST_CASE("scopes lay the forward pass of a real model out as tightly as a plan of its tensors' lifetimes") {
  const std::filesystem::path embedder = kRoot / "models/all-minilm-l6-v2.pack",
                              generator = kRoot / "models/smollm2-135m-instruct.pack";
  if (!std::filesystem::exists(embedder) || !std::filesystem::exists(generator)) {
    MESSAGE("SKIP: the packs are not there (scripts/quickstart)");
    return;
  }
  for (const auto& [path, tokens] :
       {std::pair<std::filesystem::path, size_t>{embedder, 0}, {generator, 512}, {generator, 1}}) {
    const ForwardPass pass = widest_pass(Pack(path), tokens);
    const LifetimePlan plan = plan_lifetimes(pass.tensors);
    CAPTURE(pass.arena_bytes);
    CAPTURE(plan.planned_bytes);
    CHECK(pass.arena_bytes >= plan.peak_live_bytes);
    CHECK(static_cast<double>(pass.arena_bytes) <=
          std::max(kSlack * static_cast<double>(plan.peak_live_bytes), static_cast<double>(plan.planned_bytes)));
  }
}
