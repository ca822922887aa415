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

// YaRN (Peng et al. 2023): frequencies that turn often within the training length stay, those that turn rarely are
// divided by `factor`, and those between are mixed by their place among the dimensions.
void scale_yarn(std::vector<double>& frequencies, double theta, const RopeScaling& s) {
  const double dim = 2 * static_cast<double>(frequencies.size());
  const auto place_of = [&](double turns) {
    return dim * std::log(s.original_positions / (turns * 2 * M_PI)) / (2 * std::log(theta));
  };
  const double low = std::max(std::floor(place_of(s.beta_fast)), 0.0);
  const double high = std::max(std::min(std::ceil(place_of(s.beta_slow)), dim - 1), low + 0.001);
  for (size_t i = 0; i < frequencies.size(); ++i) {
    const double rare = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    frequencies[i] *= (1 - rare) + rare / s.factor;
  }
}

// A parameter of a scaling: its key in a pack, its names in checkpoints, its member, and the scalings that have it.
struct ScalingField {
  std::string_view key, huggingface, gguf;
  double RopeScaling::*member;
  std::string_view kinds;
  double min;
  bool has_default;
};
constexpr std::array<ScalingField, 7> kScalingFields{{
    {"factor", "factor", "factor", &RopeScaling::factor, "linear llama3 yarn", 1e-6, false},
    {"original_positions", "original_max_position_embeddings", "original_context_length",
     &RopeScaling::original_positions, "llama3 yarn", 1e-6, false},
    {"low_freq_factor", "low_freq_factor", "low_freq_factor", &RopeScaling::low_freq_factor, "llama3", 1e-6, false},
    {"high_freq_factor", "high_freq_factor", "high_freq_factor", &RopeScaling::high_freq_factor, "llama3", 1e-6, false},
    {"beta_fast", "beta_fast", "yarn_beta_fast", &RopeScaling::beta_fast, "yarn", 1e-6, true},
    {"beta_slow", "beta_slow", "yarn_beta_slow", &RopeScaling::beta_slow, "yarn", 1e-6, true},
    {"attention_factor", "attention_factor", "attn_factor", &RopeScaling::attention_factor, "yarn", 0, true},
}};

// transformers 5 moved rope_theta and rope_scaling into rope_parameters. `at`: the prefix that this checkpoint uses.
std::string scaling_kind(const ConfigReader& reader, const std::string& at) {
  std::optional<std::string> kind = reader.text({at + "rope_type", "rope.scaling.type"});
  if (!kind && !reader.gguf()) kind = reader.text({at + "type", ""});
  if (!kind || *kind == "default") return "none";
  if (*kind != "none" && *kind != "linear" && *kind != "llama3" && *kind != "yarn")
    throw Error(Code::bad_input, fmt::format("unknown rope scaling '{}'", *kind))
        .hint("known: none, linear, llama3, yarn");
  return *kind;
}

}  // namespace

void plan_rope(const ConfigReader& reader, std::string_view prefix, std::map<std::string, std::string>& config,
               const RopeKeys& source) {
  const auto put = [&](std::string_view key, double value) {
    config[fmt::format("{}.rope.{}", prefix, key)] = fmt::format("{}", value);
  };
  const std::string parameters =
      source.kind.empty() ? "rope_parameters." : fmt::format("rope_parameters.{}.", source.kind);
  const double theta = reader.number(source.theta, 1, 1e12, source.default_theta);
  const std::string own_theta = parameters + "rope_theta";
  put("theta", reader.number({own_theta, source.theta.gguf}, 1, 1e12, theta));
  const bool is_new = reader.text({parameters + "rope_type", ""}).has_value();
  const std::string at = is_new ? parameters : "rope_scaling.";
  const std::string kind = is_new || source.has_scaling ? scaling_kind(reader, at) : "none";
  config[fmt::format("{}.rope.scaling", prefix)] = kind;
  for (const ScalingField& field : kScalingFields) {
    if (field.kinds.find(kind) == std::string_view::npos) continue;
    const std::string huggingface = at + std::string(field.huggingface),
                      gguf = fmt::format("rope.scaling.{}", field.gguf);
    const double fallback = RopeScaling().*field.member;
    put(field.key,
        reader.number({huggingface, gguf}, field.min, 1e9, field.has_default ? std::optional(fallback) : std::nullopt));
  }
}

RopeRows make_rope_rows(std::span<const AxialPair> pairs, std::span<const AxialPosition> positions, double magnitude) {
  RopeRows rows;
  rows.rotary_dim = 2 * static_cast<int64_t>(pairs.size());
  rows.cosine.reserve(positions.size() * pairs.size());
  rows.sine.reserve(positions.size() * pairs.size());
  for (const AxialPosition& position : positions)
    for (const AxialPair& pair : pairs) {
      const double angle = position[static_cast<size_t>(pair.axis)] * pair.frequency;
      rows.cosine.push_back(static_cast<float>(magnitude * std::cos(angle)));
      rows.sine.push_back(static_cast<float>(magnitude * std::sin(angle)));
    }
  return rows;
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
  if (scaling.kind != "yarn") return;
  scale_yarn(frequencies_, theta, scaling);
  magnitude_ =
      scaling.attention_factor > 0 ? scaling.attention_factor : 0.1 * std::log(std::max(scaling.factor, 1.0)) + 1;
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
      cosine_.push_back(static_cast<float>(magnitude_ * std::cos(angle)));
      sine_.push_back(static_cast<float>(magnitude_ * std::sin(angle)));
    }
  return {cosine_, sine_, rotary_dim_, false};
}

RopeRows RopeTable::rows(std::span<const AxialPosition> positions, const RopeSections& sections) const {
  constexpr int kTime = 0, kHeight = 1, kWidth = 2;
  const auto axis_of = [&](int64_t pair) {
    if (pair % 3 == kHeight && pair < 3 * sections.height) return kHeight;
    if (pair % 3 == kWidth && pair < 3 * sections.width) return kWidth;
    return kTime;
  };
  std::vector<AxialPair> pairs;
  pairs.reserve(frequencies_.size());
  for (size_t i = 0; i < frequencies_.size(); ++i) pairs.push_back({frequencies_[i], axis_of(int64_t(i))});
  return make_rope_rows(pairs, positions, magnitude_);
}

}  // namespace frugal
