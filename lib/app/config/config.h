// Everything a user can set, with its default: the one list that configs/default.yaml documents.
// Values only: reading files and the order of precedence are in load.h; rooms below take their own option structs,
// which the tools fill from here. A new key is a member here, a line in fields.cpp and a line in configs/default.yaml;
// a test compares the three.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace frugal {

struct Config {
  struct Models {
    std::string embedder = "all-minilm-l6-v2.pack";
    std::string generator = "smollm2-135m-instruct.pack";
  } models;

  std::string index;            // empty: ./.frugal/index, or the only one there is (paths.h)
  int64_t threads = 0;          // 0: as many as the process may run on
  std::string profile;          // of the hardware: a name in configs/profiles, a file, auto; empty: none
  std::string backend = "cpu";  // cpu, torch, torch:cuda, torch:bf16 … (compute/ops/plugin.h)

  struct Memory {
    std::string budget = "auto";             // auto: what is available; none; or a size (app/cli/memory_options.h)
    std::string gpu_budget = "auto";         // the same of a device that a backend runs on
    std::string mode = "auto";               // aggressive, cache; auto: cache where many questions are asked
    std::string page_policy = "predictive";  // predictive, lru, clock (memory/page_policy.h)
    std::string page_source = "auto";        // auto, mapped, direct (memory/block_reader.h)
    struct Limits {                          // bytes of the budget for each kind; 0: none but the budget
      uint64_t weights = 0;
      uint64_t kv_cache = 0;
      uint64_t activations = 0;
      uint64_t index = 0;
      uint64_t io = 0;
    } limits;
  } memory;

  struct Chunking {
    int64_t max_tokens = 220;
    int64_t overlap_tokens = 32;
  } chunking;

  struct References {
    std::string paths;  // more files of laws, ':' between; the project's own are always read
  } references;

  struct Retrieval {
    bool dense = true;
    bool sparse = true;
    std::string fusion = "weighted";  // weighted, rrf
    /// Weight of the dense list in a weighted sum, by the question's language; the sparse list has the rest.
    struct DenseWeight {
      double en = 0.4;
      double pt = 0.15;
      double other = 0.2;
    } dense_weight;
    int64_t candidates = 100;
    int64_t top_k = 10;
    double min_score = 0;
  } retrieval;

  struct Rerank {
    bool enabled = true;
  } rerank;

  struct Answer {
    std::string mode = "auto";                         // auto, extract, generate, none
    int64_t deadline_ms = 0;                           // 0: none
    double abstain_below = 0.5;                        // confidence, 0 to 1
    int64_t min_generator_parameters = 1'000'000'000;  // for auto to generate; smaller models invent
  } answer;

  struct Hyde {
    std::string mode = "auto";  // auto, always, never
    int64_t max_new_tokens = 96;
    int64_t timeout_ms = 5000;
  } hyde;

  struct Cache {
    bool enabled = true;
    uint64_t max_bytes = uint64_t(64) << 20;
  } cache;

  struct Generate {
    int64_t max_new_tokens = 256;
    double temperature = 0;
    int64_t top_k = 0;  // 0: all
    double top_p = 1;
    double min_p = 0;
    double repeat_penalty = 1;
    int64_t seed = 0;
    std::string kv_dtype = "auto";     // auto, f32, f16, int8
    std::string chat_family = "auto";  // auto: as the pack names it; a name of model/tokenize/chat.h
    struct PrefixCache {
      bool enabled = true;
      uint64_t max_bytes = uint64_t(1) << 30;
    } prefix_cache;
  } generate;

  struct Log {
    std::string level = "warn";  // error, warn, info, debug
    std::string file;            // empty: standard error only
  } log;
};

/// One key of a Config: its dotted name, where its value lives, and what values it takes.
struct ConfigField {
  std::string_view key;
  std::variant<bool*, int64_t*, uint64_t*, double*, std::string*> value;  // uint64_t: a size in bytes
  double min = 0;
  double max = std::numeric_limits<double>::infinity();
  std::vector<std::string> choices = {};  // a string must be one of them, if there are any
};

/// Every key of `config`, in the order of configs/default.yaml. The pointers are into `config`.
std::vector<ConfigField> config_fields(Config& config);

/// The field's value as default.yaml writes it: sizes in bytes, strings bare.
std::string format_value(const ConfigField& field);

}  // namespace frugal
