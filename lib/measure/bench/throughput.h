// Measures tokens per second, as llama-bench reports them, and the machine's peak for comparison.
#pragma once

#include <cstdint>
#include <optional>
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
/// embedder, and Error(over_budget) for a KV cache that `budget` refuses.
std::vector<Throughput> measure_throughput(LoadedModel& model, int threads, const ThroughputPlan& plan, Budget& budget);

/// Peak rates of the machine, as far as they were seen.
struct MachinePeak {
  double int8_products_per_second = 0;
  std::optional<double> read_bytes_per_second;  // nullopt: not measured

  /// Takes the higher rate of each.
  void raise(const MachinePeak& other);
  /// Takes the rates that the fastest repetition of a test reached, if they are higher: the machine can do no less.
  void raise(const Throughput& test);
};
/// The rates of the kernels of the chosen ISA on `threads` threads: products on registers alone, and reads whose values
/// nothing uses. Reads need 64 MiB a thread, and are not measured if `budget` does not have them free.
MachinePeak measure_peak(ThreadPool& threads, Budget& budget);

}  // namespace frugal
