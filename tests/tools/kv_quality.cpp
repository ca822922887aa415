// What a key-value cache in f16 or int8 costs in quality, against the same model with its cache in f32. Not installed.
//
//   kv_quality PACK TEXT TYPE [TOKENS] [WINDOW]
//
// Prints one JSON object: bytes per token of both, mean and highest KL divergence (nats), and how often the likeliest
// token is the same, over the first TOKENS (4,000) tokens of TEXT in windows of WINDOW (1,000); and the median time of
// one more token after the last window.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "base/error.h"
#include "base/file.h"
#include "base/thread_pool.h"
#include "memory/budget.h"
#include "model/arch/registry.h"
#include "model/format/pack.h"
#include "model/nn/decoder.h"
#include "model/nn/kv_cache.h"
#include "model/nn/logits.h"

namespace {

using namespace frugal;

constexpr int64_t kTokensPerStep = 50;

// Median milliseconds of one token after those that each cache holds, the two in turn.
std::pair<double, double> time_decoding(Decoder& decoder, KvCache& exact, KvCache& rounded, std::span<float> logits) {
  constexpr int kRounds = 31;
  std::vector<double> spent[2];
  for (int round = 0; round < kRounds; ++round)
    for (int which = 0; which < 2; ++which) {
      KvCache& cache = which == 0 ? exact : rounded;
      const TokenId id = 1;
      const auto begin = std::chrono::steady_clock::now();
      cache.truncate(cache.length() - 1);
      decoder.forward(std::span(&id, 1), cache, logits);
      spent[which].push_back(
          std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
    }
  for (std::vector<double>& times : spent) std::nth_element(times.begin(), times.begin() + kRounds / 2, times.end());
  return {spent[0][kRounds / 2], spent[1][kRounds / 2]};
}

void compare(const char* pack_path, const char* text_path, KvType type, int64_t tokens, int64_t window) {
  const Pack pack(pack_path);
  ThreadPool threads(2);
  const auto ops = make_cpu_ops(threads, Budget::unlimited());
  const auto decoder = open_decoder(pack, *ops);
  std::vector<TokenId> ids = decoder->tokenizer().encode(read_file(text_path), false);
  ids.resize(std::min(ids.size(), static_cast<size_t>(tokens)));
  const auto vocab = static_cast<size_t>(decoder->vocab_size());
  KvCache exact = decoder->make_cache(window, Budget::unlimited()),
          rounded = decoder->make_cache(window, Budget::unlimited(), type);
  std::vector<float> expected(vocab * kTokensPerStep), got(expected.size());
  double sum = 0, highest = 0;
  int64_t same = 0;
  for (size_t begin = 0; begin < ids.size(); begin += kTokensPerStep) {
    if (begin % static_cast<size_t>(window) == 0) {
      exact.truncate(0);
      rounded.truncate(0);
    }
    const auto step =
        std::span<const TokenId>(ids).subspan(begin).first(std::min(ids.size() - begin, size_t(kTokensPerStep)));
    decoder->forward_all(step, exact, std::span(expected).first(step.size() * vocab));
    decoder->forward_all(step, rounded, std::span(got).first(step.size() * vocab));
    for (size_t t = 0; t < step.size(); ++t) {
      const auto p = std::span<const float>(expected).subspan(t * vocab, vocab);
      const auto q = std::span<const float>(got).subspan(t * vocab, vocab);
      const double kl = kl_divergence(p, q);
      sum += kl;
      highest = std::max(highest, kl);
      same += argmax(p) == argmax(q);
    }
  }
  const auto count = static_cast<double>(ids.size());
  const int64_t context = exact.length();
  const auto [f32_ms, type_ms] = time_decoding(*decoder, exact, rounded, std::span(got).first(vocab));
  fmt::print(
      "{{\"type\": \"{}\", \"tokens\": {}, \"f32_bytes_per_token\": {}, \"bytes_per_token\": {}, \"mean_kl\": {:.6f}, "
      "\"highest_kl\": {:.4f}, \"top1_agreement\": {:.4f}, \"context\": {}, \"f32_decode_ms\": {:.2f}, "
      "\"decode_ms\": {:.2f}}}\n",
      to_string(type), ids.size(), exact.bytes_per_token(), rounded.bytes_per_token(), sum / count, highest,
      static_cast<double>(same) / count, context, f32_ms, type_ms);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    fmt::print(stderr, "usage: kv_quality PACK TEXT TYPE [TOKENS] [WINDOW]\n");
    return 2;
  }
  try {
    const int64_t window = argc > 5 ? std::atoll(argv[5]) : 1000;
    compare(argv[1], argv[2], parse_named<KvType>("type of keys and values", argv[3]),
            argc > 4 ? std::atoll(argv[4]) : 4000, std::max(kTokensPerStep, window / kTokensPerStep * kTokensPerStep));
  } catch (const frugal::Error& error) {
    fmt::print(stderr, "error: {}\n", error.message());
    return frugal::exit_code(error.code());
  }
}
