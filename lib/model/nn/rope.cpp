#include "model/nn/rope.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "base/error.h"

namespace frugal {
namespace {

// Llama 3.1's rule: low frequencies are divided by `factor`, high ones stay, those between are interpolated.
double scale_llama3(double frequency, const RopeScaling& s) {
  const double turns = s.original_positions * frequency / (2 * M_PI);  // full turns within the training length
  if (turns < s.low_freq_factor) return frequency / s.factor;
  if (turns > s.high_freq_factor) return frequency;
  const double smooth = (turns - s.low_freq_factor) / (s.high_freq_factor - s.low_freq_factor);
  return (1 - smooth) * frequency / s.factor + smooth * frequency;
}

// A parameter of a scaling: its key in a pack, its names in checkpoints, its member. Linear scaling has the first only.
struct ScalingField {
  std::string_view key, huggingface, gguf;
  double RopeScaling::*member;
};
constexpr std::array<ScalingField, 4> kScalingFields{{
    {"factor", "factor", "factor", &RopeScaling::factor},
    {"low_freq_factor", "low_freq_factor", "low_freq_factor", &RopeScaling::low_freq_factor},
    {"high_freq_factor", "high_freq_factor", "high_freq_factor", &RopeScaling::high_freq_factor},
    {"original_positions", "original_max_position_embeddings", "original_context_length",
     &RopeScaling::original_positions},
}};

size_t parameters_of(std::string_view kind) {
  if (kind == "none") return 0;
  return kind == "linear" ? 1 : kScalingFields.size();
}

// transformers 5 moved rope_theta and rope_scaling into rope_parameters. `at`: the prefix that this checkpoint uses.
std::string scaling_kind(const Checkpoint& checkpoint, const ConfigReader& reader, const std::string& at) {
  std::optional<std::string> kind;
  if (reader.gguf()) {
    kind = reader.text({"", "rope.scaling.type"});
  } else {
    kind = checkpoint.text(at + "rope_type");
    if (!kind) kind = checkpoint.text(at + "type");
  }
  if (!kind || *kind == "default") return "none";
  if (*kind != "none" && *kind != "linear" && *kind != "llama3")
    throw Error(Code::bad_input, fmt::format("unknown rope scaling '{}'", *kind)).hint("known: none, linear, llama3");
  return *kind;
}

}  // namespace

void plan_rope(const Checkpoint& checkpoint, const ConfigReader& reader, std::string_view prefix,
               std::map<std::string, std::string>& config) {
  const auto put = [&](std::string_view key, double value) {
    config[fmt::format("{}.rope.{}", prefix, key)] = fmt::format("{}", value);
  };
  const double theta = reader.number({"rope_theta", "rope.freq_base"}, 1, 1e12, 10000);
  put("theta", checkpoint.number("rope_parameters.rope_theta").value_or(theta));
  const std::string at = checkpoint.text("rope_parameters.rope_type") ? "rope_parameters." : "rope_scaling.";
  const std::string kind = scaling_kind(checkpoint, reader, at);
  config[fmt::format("{}.rope.scaling", prefix)] = kind;
  for (size_t i = 0; i < parameters_of(kind); ++i) {
    const ScalingField& field = kScalingFields[i];
    const std::string huggingface = at + std::string(field.huggingface),
                      gguf = fmt::format("rope.scaling.{}", field.gguf);
    put(field.key, reader.number({huggingface, gguf}, 1e-6, 1e9));
  }
}

RopeTable read_rope(const ModelSource& source, std::string_view prefix, int64_t rotary_dim) {
  const ModelConfig& config = source.config();
  const auto name = [&](std::string_view key) { return fmt::format("{}.rope.{}", prefix, key); };
  RopeScaling scaling;
  scaling.kind = config.require_text(name("scaling"));
  for (const ScalingField& field : kScalingFields)
    scaling.*field.member = config.find_float(name(field.key)).value_or(scaling.*field.member);
  std::vector<float> divisors;
  if (source.has("rope.divisors")) {
    const std::span<const float> stored = source.vector("rope.divisors", rotary_dim / 2);
    divisors.assign(stored.begin(), stored.end());
  }
  return RopeTable(rotary_dim, config.require_float(name("theta")), scaling, std::move(divisors));
}

RopeTable::RopeTable(int64_t rotary_dim, double theta, const RopeScaling& scaling, std::vector<float> divisors)
    : rotary_dim_(rotary_dim) {
  FRUGAL_CHECK(divisors.empty() || int64_t(divisors.size()) == rotary_dim / 2);
  for (int64_t i = 0; i < rotary_dim / 2; ++i) {
    double frequency = std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(rotary_dim));
    if (scaling.kind == "linear") frequency /= scaling.factor;
    if (scaling.kind == "llama3") frequency = scale_llama3(frequency, scaling);
    if (!divisors.empty()) frequency /= static_cast<double>(divisors[static_cast<size_t>(i)]);
    frequencies_.push_back(frequency);
  }
}

RopeSpec RopeTable::spec(int64_t positions) {
  const size_t half = frequencies_.size();
  const size_t known = half ? cosine_.size() / half : 0;
  // By at least half, so that decoding token by token does not copy the table every time.
  const size_t wanted = static_cast<size_t>(positions) <= known
                            ? known
                            : std::max<size_t>(static_cast<size_t>(positions), known + known / 2);
  cosine_.reserve(wanted * half);
  sine_.reserve(wanted * half);
  for (size_t p = known; p < wanted; ++p)
    for (const double frequency : frequencies_) {
      const double angle = static_cast<double>(p) * frequency;
      cosine_.push_back(static_cast<float>(std::cos(angle)));
      sine_.push_back(static_cast<float>(std::sin(angle)));
    }
  return {cosine_, sine_, rotary_dim_, false};
}

}  // namespace frugal
