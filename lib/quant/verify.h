// Does the pack still answer as the full-precision model does? Both run through the same code on the same built-in
// text.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "format/pack.h"
#include "ops/plugin.h"

namespace frugal {

/// Figures of one comparison, with the floors they were held against (docs/tools/quantize-model.md says where these
/// come from).
struct Verification {
  bool decoder = false;
  int64_t texts = 0;   // embedder: texts compared
  int64_t tokens = 0;  // decoder: positions compared
  // Embedder: cosine between the vectors of a text.
  double mean_cosine = 0, min_cosine = 0;
  double mean_cosine_floor = 0, min_cosine_floor = 0;
  // Decoder: KL(full ‖ pack) of the next-token distributions in nats, and how often both name the same token first.
  double mean_kl = 0, top1_agreement = 0;
  double mean_kl_ceiling = 0, top1_agreement_floor = 0;

  bool passed() const;
  /// "mean cosine 0.9982 (floor 0.99), …"
  std::string summary() const;
};

/// The coarsest precision in a pack decides what may be expected of it.
enum class VerifyLevel { fp16, int8, int4 };

/// Runs both packs over `texts`; a decoder reads them one after the other, at most 4,096 tokens in windows of 1,024.
/// `reference` is the backend that the full precision runs on: another than ours makes it a second oracle.
/// `progress` gets the share done, 0…1. Throws what opening and running the models throws, and Error(bad_input) if
/// there is no text.
Verification verify_against(const Pack& pack, const Pack& full_precision, bool decoder, VerifyLevel level,
                            std::span<const std::string_view> texts, int threads, const Backend& reference,
                            const std::function<void(double share)>& progress = {});

/// The built-in text: paragraphs in English and Portuguese, written for this purpose.
std::vector<std::string_view> verification_texts();

/// The lines of a text file that hold anything. Throws Error(bad_input | io).
std::vector<std::string> read_verification_texts(const std::filesystem::path& path);

}  // namespace frugal
