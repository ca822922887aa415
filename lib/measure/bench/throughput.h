// Measures tokens per second, as llama-bench reports them, and the machine's peak for comparison.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/hub/loaded_model.h"

namespace frugal {

struct Throughput {
  std::string test;  // "embed", "pp512" (reading a prompt), "tg128" (writing tokens one by one)
  int threads = 0;
  int64_t tokens = 0;             // per repetition
  int64_t texts = 0;              // per repetition; 0 for a generator
  std::vector<double> seconds;    // one per repetition
  double products_per_token = 0;  // multiply-adds in linear layers
  double bytes_per_token = 0;     // weights read per token when tokens are written one by one; otherwise 0
  uint64_t peak_anon_bytes = 0;   // sampled

  /// Medians over the repetitions.
  double tokens_per_second() const;
  double texts_per_second() const;
};

struct ThroughputPlan {
  std::vector<std::string> texts;  // for an embedder, `batch` at a time
  int64_t batch = 32;
  int64_t prompt_tokens = 512;  // for a generator: read into an empty KV cache; 0: not measured
  int64_t new_tokens = 128;     // written one by one after a one-token prompt; 0: not measured
  int repetitions = 5;          // after a warm-up that is not counted
};

/// A generator's speed does not depend on which tokens it reads and writes, so arbitrary ones are used. Throws
/// Error(bad_input) if they do not fit its context, Error(mismatch) for texts with a generator, or none with an
/// embedder.
std::vector<Throughput> measure_throughput(LoadedModel& model, int threads, const ThroughputPlan& plan);

/// Peak rates of the kernels of the chosen ISA on `threads` threads: products on registers alone, and reads whose
/// values nothing uses.
struct MachinePeak {
  double int8_products_per_second = 0;
  double read_bytes_per_second = 0;
};
MachinePeak measure_peak(ThreadPool& threads);

}  // namespace frugal
