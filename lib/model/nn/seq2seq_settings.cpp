#include "model/nn/seq2seq_settings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>

#include "base/error.h"
#include "model/format/flat_json.h"

namespace frugal {
namespace {

constexpr int64_t kMaxLength = 1 << 20;
constexpr size_t kMaxEnds = 16;

struct IntegerSetting {
  std::string_view key;  // in generation_config.json and, after "seq2seq.", in a pack
  int64_t Seq2SeqSettings::*member;
  int64_t min, max;
};
constexpr IntegerSetting kIntegers[] = {
    {"num_beams", &Seq2SeqSettings::num_beams, 1, kMaxBeams},
    {"no_repeat_ngram_size", &Seq2SeqSettings::no_repeat_ngram_size, 0, kMaxLength},
    {"min_length", &Seq2SeqSettings::min_length, 0, kMaxLength},
    {"max_length", &Seq2SeqSettings::max_length, 2, kMaxLength},
};
constexpr double kMaxLengthPenalty = 100;

std::string pack_key(std::string_view key) {
  return fmt::format("seq2seq.{}", key);
}

// Values of generation_config.json, or of config.json where the first lacks them, as checkpoints of earlier versions of
// transformers have them.
class GenerationConfig {
 public:
  GenerationConfig(const Checkpoint& checkpoint, std::string_view part) : checkpoint_(checkpoint), part_(part) {
    if (!part.empty()) return;
    if (const auto json = checkpoint.side_file("generation_config.json"))
      own_ = FlatJson(*json, "generation_config.json");
  }
  std::optional<int64_t> integer(std::string_view key) const {
    const auto own = own_.integer(key);
    return own ? own : checkpoint_.integer(name(key));
  }
  std::optional<double> number(std::string_view key) const {
    const auto own = own_.number(key);
    return own ? own : checkpoint_.number(name(key));
  }
  std::optional<std::string> text(std::string_view key) const {
    const auto own = own_.text(key);
    return own ? own : checkpoint_.text(name(key));
  }
  // One token or a list of them.
  std::vector<double> tokens(std::string_view key) const {
    if (const auto one = own_.integer(key)) return {double(*one)};
    if (std::vector<double> list = own_.numbers(key); !list.empty()) return list;
    if (const auto one = checkpoint_.integer(name(key))) return {double(*one)};
    return checkpoint_.numbers(name(key));
  }

 private:
  std::string name(std::string_view key) const { return fmt::format("{}{}", part_, key); }

  const Checkpoint& checkpoint_;
  std::string_view part_;
  FlatJson own_;
};

void check_range(std::string_view key, double value, double min, double max) {
  if (!(value >= min && value <= max))
    throw Error(Code::bad_input, fmt::format("'{}' is {}, outside [{}, {}]", key, value, min, max));
}

std::string planned_tokens(const GenerationConfig& from, std::string_view key, int64_t vocab) {
  const std::vector<double> ids = from.tokens(key);
  if (ids.size() > kMaxEnds)
    throw Error(Code::bad_input, fmt::format("'{}' has {} tokens, at most {} are possible", key, ids.size(), kMaxEnds));
  std::vector<int64_t> checked;
  checked.reserve(ids.size());
  for (const double id : ids) {
    check_range(key, id, 0, double(vocab - 1));
    checked.push_back(static_cast<int64_t>(id));
  }
  return fmt::format("{}", fmt::join(checked, ","));
}

std::optional<TokenId> optional_token(const ModelConfig& pack, std::string_view key, int64_t vocab) {
  if (!pack.text(pack_key(key))) return std::nullopt;
  return static_cast<TokenId>(pack.require_int(pack_key(key), 0, vocab - 1));
}

std::vector<TokenId> read_ends(const ModelConfig& pack, int64_t vocab) {
  const std::string_view list = pack.require_text("seq2seq.eos_token_id");
  std::vector<TokenId> ends;
  for (const char *at = list.data(), *end = at + list.size(); at < end;) {
    TokenId id = -1;
    const auto [rest, error] = std::from_chars(at, end, id);
    if (error != std::errc() || id < 0 || id >= vocab || (rest < end && *rest != ',') || ends.size() == kMaxEnds)
      pack.fail(fmt::format("config key 'seq2seq.eos_token_id' is '{}', expected tokens of the vocabulary", list));
    ends.push_back(id);
    at = rest + 1;
  }
  return ends;
}

}  // namespace

void plan_seq2seq(const Checkpoint& checkpoint, int64_t vocab, std::map<std::string, std::string>& config,
                  std::string_view part) {
  const GenerationConfig from(checkpoint, part);
  for (const IntegerSetting& setting : kIntegers)
    if (const auto value = from.integer(setting.key)) {
      check_range(setting.key, double(*value), double(setting.min), double(setting.max));
      config[pack_key(setting.key)] = std::to_string(*value);
    }
  if (const auto penalty = from.number("length_penalty")) {
    check_range("length_penalty", *penalty, -kMaxLengthPenalty, kMaxLengthPenalty);
    config["seq2seq.length_penalty"] = fmt::format("{}", *penalty);
  }
  const auto stopping = from.integer("early_stopping");
  config["seq2seq.early_stopping"] = from.text("early_stopping") == "never" ? "never"
                                     : stopping.value_or(0) == 1            ? "true"
                                                                            : "false";
  for (const std::string_view key : {"forced_bos_token_id", "forced_eos_token_id"})
    if (const std::string token = planned_tokens(from, key, vocab); !token.empty()) config[pack_key(key)] = token;
  config["seq2seq.eos_token_id"] = planned_tokens(from, "eos_token_id", vocab);
  std::string start = planned_tokens(from, "decoder_start_token_id", vocab);
  if (start.empty()) start = planned_tokens(from, "bos_token_id", vocab);
  if (start.empty())
    throw Error(Code::bad_input, "the configuration lacks 'decoder_start_token_id'")
        .hint("check that the checkpoint is complete");
  config["seq2seq.decoder_start_token_id"] = start;
  if (const auto prefix = from.text("task_specific_params.summarization.prefix"); prefix && !prefix->empty())
    config["seq2seq.summary_prefix"] = *prefix;
}

Seq2SeqSettings read_seq2seq(const ModelConfig& pack, int64_t vocab) {
  Seq2SeqSettings settings;
  for (const IntegerSetting& setting : kIntegers)
    if (pack.text(pack_key(setting.key)))
      settings.*setting.member = pack.require_int(pack_key(setting.key), setting.min, setting.max);
  settings.length_penalty = pack.find_float("seq2seq.length_penalty").value_or(settings.length_penalty);
  if (!(settings.length_penalty >= -kMaxLengthPenalty && settings.length_penalty <= kMaxLengthPenalty))
    pack.fail("config key 'seq2seq.length_penalty' is out of range");
  const auto stopping = find_named<EarlyStopping>(pack.require_text("seq2seq.early_stopping"));
  if (!stopping) pack.fail("config key 'seq2seq.early_stopping' is neither true, false nor never");
  settings.early_stopping = *stopping;
  settings.decoder_start = static_cast<TokenId>(pack.require_int("seq2seq.decoder_start_token_id", 0, vocab - 1));
  settings.ends = read_ends(pack, vocab);
  settings.forced_bos = optional_token(pack, "forced_bos_token_id", vocab);
  settings.forced_eos = optional_token(pack, "forced_eos_token_id", vocab);
  settings.summary_prefix = pack.text("seq2seq.summary_prefix").value_or("");
  return settings;
}

}  // namespace frugal
