#include "measure/bench/throughput.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <span>

#include "base/error.h"
#include "base/statistics.h"
#include "compute/kernels/kernels.h"
#include "memory/budget.h"
#include "model/format/pack.h"
#include "model/nn/kv_cache.h"
#include "telemetry/memory_sampler.h"

namespace frugal {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_of(const std::function<void()>& body) {
  const Clock::time_point begin = Clock::now();
  body();
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

void time_repetitions(Throughput& result, int repetitions, const std::function<void()>& body) {
  MemorySampler sampler;
  body();
  for (int i = 0; i < repetitions; ++i) result.seconds.push_back(seconds_of(body));
  result.peak_anon_bytes = sampler.peak().anon_with_swap_bytes;
}

bool is_output_layer(const PackTensor& tensor, int64_t vocabulary) {
  return tensor.role == TensorRole::tied || tensor.shape[0] == vocabulary;
}

// Multiply-adds of the linear layers per token. The output layer runs for `outputs_per_token` of the tokens: the last
// of a prompt, each token that is written, none of an embedder.
double products_per_token(const Pack& pack, int64_t vocabulary, double outputs_per_token) {
  double products = 0;
  for (const PackTensor& tensor : pack.tensors()) {
    if (!is_linear(tensor.dtype)) continue;
    const auto elements = static_cast<double>(tensor.shape.elements());
    products += is_output_layer(tensor, vocabulary) ? elements * outputs_per_token : elements;
  }
  return products;
}

// Bytes that one token reads when it is processed alone: every linear layer.
double weight_bytes(const Pack& pack) {
  double bytes = 0;
  for (const PackTensor& tensor : pack.tensors())
    if (is_linear(tensor.dtype)) bytes += static_cast<double>(tensor.data.size() + tensor.scales.size_bytes());
  return bytes;
}

// Ids spread over the vocabulary; the time of a forward pass does not depend on the choice.
std::vector<TokenId> some_tokens(int64_t count, int64_t vocabulary) {
  constexpr int64_t kStride = 7919;  // a prime
  std::vector<TokenId> ids;
  for (int64_t i = 0; i < count; ++i) ids.push_back(static_cast<TokenId>((i + 1) * kStride % vocabulary));
  return ids;
}

void check_context(const Decoder& decoder, int64_t tokens) {
  if (tokens <= decoder.context_tokens()) return;
  throw Error(Code::bad_input,
              fmt::format("{} tokens do not fit the model's context of {}", tokens, decoder.context_tokens()))
      .hint("measure fewer tokens");
}

Throughput measure_embedder(LoadedModel& model, int threads, const std::vector<std::string>& texts, int64_t batch,
                            int repetitions) {
  Embedder& embedder = model.embedder();
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  const int64_t added_tokens = embedder.added_tokens(TextRole::passage);
  Throughput result;
  result.test = "embed";
  result.threads = threads;
  result.texts = static_cast<int64_t>(texts.size());
  for (std::string_view text : views) {
    const auto length = static_cast<int64_t>(embedder.tokenizer().encode(text, false).size());
    result.tokens += std::min(length + added_tokens, embedder.max_tokens());
  }
  result.products_per_token = products_per_token(model.pack(), embedder.tokenizer().vocab_size(), 0);
  std::vector<float> vectors(static_cast<size_t>(std::min(batch, result.texts) * embedder.dimension()));
  time_repetitions(result, repetitions, [&] {
    for (int64_t first = 0; first < result.texts; first += batch) {
      const int64_t count = std::min(batch, result.texts - first);
      embedder.embed(std::span(views).subspan(static_cast<size_t>(first), static_cast<size_t>(count)),
                     TextRole::passage, std::span(vectors).first(static_cast<size_t>(count * embedder.dimension())));
    }
  });
  return result;
}

Throughput measure_prefill(LoadedModel& model, int threads, int64_t tokens, int repetitions, Budget& budget) {
  Decoder& decoder = model.decoder();
  check_context(decoder, tokens);
  Throughput result;
  result.test = fmt::format("pp{}", tokens);
  result.threads = threads;
  result.tokens = tokens;
  result.products_per_token = products_per_token(model.pack(), decoder.vocab_size(), 1 / static_cast<double>(tokens));
  const std::vector<TokenId> ids = some_tokens(tokens, decoder.vocab_size());
  std::vector<float> logits(static_cast<size_t>(decoder.vocab_size()));
  KvCache cache = decoder.make_cache(tokens, budget, KvType::automatic);
  time_repetitions(result, repetitions, [&] {
    cache.truncate(0);
    decoder.forward(ids, cache, logits);
  });
  return result;
}

Throughput measure_decode(LoadedModel& model, int threads, int64_t tokens, int repetitions, Budget& budget) {
  Decoder& decoder = model.decoder();
  check_context(decoder, tokens + 1);
  Throughput result;
  result.test = fmt::format("tg{}", tokens);
  result.threads = threads;
  result.tokens = tokens;
  result.products_per_token = products_per_token(model.pack(), decoder.vocab_size(), 1);
  result.bytes_per_token = weight_bytes(model.pack());
  const std::vector<TokenId> ids = some_tokens(tokens + 1, decoder.vocab_size());
  std::vector<float> logits(static_cast<size_t>(decoder.vocab_size()));
  KvCache cache = decoder.make_cache(tokens + 1, budget, KvType::automatic);
  time_repetitions(result, repetitions, [&] {
    cache.truncate(0);
    for (const TokenId& id : ids) decoder.forward(std::span(&id, 1), cache, logits);
  });
  // The prompt's token is a forward pass like the others, so its share is taken out.
  for (double& seconds : result.seconds) seconds *= static_cast<double>(tokens) / static_cast<double>(tokens + 1);
  return result;
}

}  // namespace

double Throughput::tokens_per_second() const {
  return static_cast<double>(tokens) / median(seconds);
}
double Throughput::texts_per_second() const {
  return static_cast<double>(texts) / median(seconds);
}

std::vector<Throughput> measure_throughput(LoadedModel& model, int threads, const ThroughputPlan& plan,
                                           Budget& budget) {
  std::vector<Throughput> rows;
  if (!plan.texts.empty()) {
    rows.push_back(measure_embedder(model, threads, plan.texts, plan.batch, plan.repetitions));
    return rows;
  }
  if (plan.prompt_tokens > 0)
    rows.push_back(measure_prefill(model, threads, plan.prompt_tokens, plan.repetitions, budget));
  if (plan.new_tokens > 0) rows.push_back(measure_decode(model, threads, plan.new_tokens, plan.repetitions, budget));
  return rows;
}

void MachinePeak::raise(const MachinePeak& other) {
  int8_products_per_second = std::max(int8_products_per_second, other.int8_products_per_second);
  read_bytes_per_second = std::max(read_bytes_per_second, other.read_bytes_per_second);  // nullopt is less than any
}

void MachinePeak::raise(const Throughput& test) {
  const double rate = static_cast<double>(test.tokens) / *std::min_element(test.seconds.begin(), test.seconds.end());
  int8_products_per_second = std::max(int8_products_per_second, rate * test.products_per_token);
  if (read_bytes_per_second) read_bytes_per_second = std::max(*read_bytes_per_second, rate * test.bytes_per_token);
}

MachinePeak measure_peak(ThreadPool& threads, Budget& budget) {
  constexpr int64_t kSteps = 1 << 20;
  constexpr int64_t kFloats = 16 << 20;  // 64 MiB a thread: beyond the caches
  constexpr int kTries = 5;
  const kernels::KernelTable& table = kernels::active();
  const int64_t count = threads.threads();
  const uint64_t read_bytes = static_cast<uint64_t>(kFloats * count) * sizeof(float);
  const Reservation room = budget.reserve_up_to(MemoryTag::activations, read_bytes, Budget::Reclaim::no);
  const std::vector<float> memory(room.bytes() == read_bytes ? static_cast<size_t>(kFloats * count) : 0, 1.0f);
  MachinePeak peak;
  for (int i = 0; i < kTries; ++i) {
    std::vector<int64_t> done(static_cast<size_t>(count));
    const double compute_s = seconds_of([&] {
      threads.parallel_for(count, 1, [&](int64_t begin, int64_t) {
        done[static_cast<size_t>(begin)] = table.peak_int8_products(kSteps);
      });
    });
    double products = 0;
    for (int64_t part : done) products += static_cast<double>(part);
    peak.raise(MachinePeak{products / compute_s, std::nullopt});
    if (memory.empty()) continue;
    const double read_s = seconds_of([&] {
      threads.parallel_for(count, 1, [&](int64_t begin, int64_t) {
        table.peak_read(&memory[static_cast<size_t>(begin * kFloats)], kFloats);
      });
    });
    peak.raise(MachinePeak{0, static_cast<double>(read_bytes) / read_s});
  }
  return peak;
}

}  // namespace frugal
