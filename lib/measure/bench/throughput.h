// Tokens a second, as llama-bench reports them, beside what the machine could do at best.
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
  int64_t tokens = 0;             // of one repetition
  int64_t texts = 0;              // of one repetition; 0 for a generator
  std::vector<double> seconds;    // of each repetition
  double products_per_token = 0;  // multiply-adds in linear layers
  double bytes_per_token = 0;     // of weights, where each token reads them all since they come one by one; else 0
  uint64_t peak_anon_bytes = 0;   // sampled

  /// Medians over the repetitions.
  double tokens_per_second() const;
  double texts_per_second() const;
};

struct ThroughputPlan {
  std::vector<std::string> texts;  // for an embedder, `batch` at once
  int64_t batch = 32;
  int64_t prompt_tokens = 512;  // for a generator: read from an empty cache; 0: not measured
  int64_t new_tokens = 128;     // written one by one after a one-token prompt; 0: not measured
  int repetitions = 5;          // after one that is not counted
};

/// Which tokens a generator reads and writes does not matter to the time. Throws Error(bad_input) if they do not fit
/// its context, Error(mismatch) for texts and a generator, or none and an embedder.
std::vector<Throughput> measure_throughput(LoadedModel& model, int threads, const ThroughputPlan& plan);

/// What the kernels of the chosen ISA reach with nothing to wait for, on `threads` threads.
struct MachinePeak {
  double int8_products_per_second = 0;
  double read_bytes_per_second = 0;
};
MachinePeak measure_peak(ThreadPool& threads);

}  // namespace frugal
