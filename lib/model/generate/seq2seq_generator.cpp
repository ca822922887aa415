// Beam search (Graves 2012) in the form that transformers gave it. Its quirks decide results, so they are kept:
//
// - Each step takes the best continuations of all beams, twice as many as there are beams, or more if several tokens
//   end a text, so that enough remain to continue when some of them end. A continuation that ends can only become a
//   finished text if it is among the first num_beams.
// - Rules change log-probabilities, not logits, so what remains is not a distribution any more. Greedy search applies
//   them to logits.
// - Finished texts compete by their score divided by length ^ length_penalty; beams compete by the score itself.
// - A score of −10⁹ marks what must not be chosen, and fp32 keeps nothing of the score it is added to.
//
// Equal scores are resolved by position: the earlier beam and the lower token first.
#include "model/generate/seq2seq_generator.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/error.h"
#include "model/nn/logits.h"

namespace frugal {
namespace {

constexpr float kNever = -1e9f;
constexpr float kImpossible = -std::numeric_limits<float>::infinity();
// Tokens before the first generated one: the start token.
constexpr int64_t kPromptTokens = 1;

bool contains(const std::vector<TokenId>& tokens, TokenId id) {
  return std::find(tokens.begin(), tokens.end(), id) != tokens.end();
}

// The rules of the settings that change the scores of a text's next token.
class ScoreRules {
 public:
  explicit ScoreRules(const Seq2SeqSettings& settings) : settings_(settings) {}

  // text: from the start token on. scores: [vocab].
  void apply(std::span<const TokenId> text, std::span<float> scores) const {
    const auto length = static_cast<int64_t>(text.size());
    forbid_repeated_ngrams(text, scores);
    if (length < settings_.min_length)
      for (const TokenId end : settings_.ends) scores[static_cast<size_t>(end)] = kImpossible;
    if (settings_.forced_bos && length == kPromptTokens) force(*settings_.forced_bos, scores);
    if (settings_.forced_eos && length == settings_.max_length - 1) force(*settings_.forced_eos, scores);
  }

 private:
  static void force(TokenId id, std::span<float> scores) {
    std::fill(scores.begin(), scores.end(), kImpossible);
    scores[static_cast<size_t>(id)] = 0;
  }

  void forbid_repeated_ngrams(std::span<const TokenId> text, std::span<float> scores) const {
    if (settings_.no_repeat_ngram_size == 0) return;
    const auto before = static_cast<size_t>(settings_.no_repeat_ngram_size - 1);
    if (text.size() < before + 1) return;
    const auto last = text.last(before);
    for (size_t i = 0; i + before < text.size(); ++i)
      if (std::equal(last.begin(), last.end(), text.begin() + ptrdiff_t(i)))
        scores[static_cast<size_t>(text[i + before])] = kImpossible;
  }

  const Seq2SeqSettings& settings_;
};

std::vector<TokenId> search_greedily(Seq2Seq& model, std::span<const TokenId> source, const Seq2SeqSettings& settings,
                                     Budget& budget, KvType type) {
  const ScoreRules rules(settings);
  BeamCache cache = model.encode(source, 1, settings.max_length - 1, budget, type);
  std::vector<TokenId> text = {settings.decoder_start};
  std::vector<float> logits(static_cast<size_t>(model.vocab_size()));
  do {
    model.decode(std::span(text).last(1), cache, logits);
    rules.apply(text, logits);
    text.push_back(static_cast<TokenId>(argmax(logits)));
  } while (int64_t(text.size()) < settings.max_length && !contains(settings.ends, text.back()));
  return text;
}

// Indices of the `count` highest scores, the highest first, of equals the first.
std::vector<size_t> indices_of_highest(std::span<const float> scores, size_t count) {
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t(0));
  count = std::min(count, order.size());
  std::partial_sort(order.begin(), order.begin() + ptrdiff_t(count), order.end(),
                    [&](size_t a, size_t b) { return scores[a] != scores[b] ? scores[a] > scores[b] : a < b; });
  order.resize(count);
  return order;
}

// x = log softmax(x).
void to_log_probabilities(std::span<float> x) {
  const float highest = *std::max_element(x.begin(), x.end());
  double sum = 0;
  for (const float v : x) sum += std::exp(double(v - highest));
  const auto shift = static_cast<float>(std::log(sum));
  for (float& v : x) v = v - highest - shift;
}

class BeamSearch {
 public:
  BeamSearch(Seq2Seq& model, const Seq2SeqSettings& settings)
      : model_(model), settings_(settings), rules_(settings), beams_(static_cast<size_t>(settings.num_beams)) {
    running_.assign(beams_, {{settings.decoder_start}, kNever, false});
    running_.front().score = 0;  // the others would only repeat it
    best_.assign(beams_, {{settings.decoder_start}, kNever, false});
  }

  std::vector<TokenId> run(std::span<const TokenId> source, Budget& budget, KvType type) {
    BeamCache cache = model_.encode(source, settings_.num_beams, settings_.max_length - 1, budget, type);
    for (;;) {
      const std::vector<Continuation> found = continuations(cache);
      keep_finished(found);
      const bool all_end = std::all_of(found.begin(), found.end(), [](const auto& c) { return c.ends; });
      cache.reorder(keep_running(found));
      ++length_;
      improvable_ = improvable_ && can_improve();
      if (!improvable_ || (all_finished() && settings_.early_stopping == EarlyStopping::yes) || all_end) break;
    }
    return best_.front().tokens;
  }

 private:
  struct Text {
    std::vector<TokenId> tokens;
    float score;
    bool finished;
  };
  struct Continuation {
    size_t beam;
    TokenId token;
    float score;
    bool ends;
  };

  std::vector<Continuation> continuations(BeamCache& cache) {
    const auto vocab = static_cast<size_t>(model_.vocab_size());
    std::vector<TokenId> last;
    for (const Text& text : running_) last.push_back(text.tokens.back());
    scores_.resize(beams_ * vocab);
    model_.decode(last, cache, scores_);
    for (size_t i = 0; i < beams_; ++i) {
      const std::span<float> row = std::span(scores_).subspan(i * vocab, vocab);
      to_log_probabilities(row);
      rules_.apply(running_[i].tokens, row);
      for (float& score : row) score += running_[i].score;
    }
    std::vector<Continuation> found;
    for (const size_t index : indices_of_highest(scores_, std::max<size_t>(2, 1 + settings_.ends.size()) * beams_)) {
      const auto token = static_cast<TokenId>(index % vocab);
      const bool ends = contains(settings_.ends, token) || length_ + 1 >= settings_.max_length;
      found.push_back({index / vocab, token, scores_[index], ends});
    }
    return found;
  }

  // Merges the texts that have just ended with those that ended before.
  void keep_finished(std::span<const Continuation> found) {
    const float divisor = divisor_of(length_ + 1 - kPromptTokens);
    const bool full = all_finished() && settings_.early_stopping == EarlyStopping::yes;
    std::vector<Text> merged = best_;
    std::vector<float> scores;
    for (const Text& text : best_) scores.push_back(text.score);
    for (size_t i = 0; i < found.size(); ++i) {
      const bool finished = found[i].ends && i < beams_;
      float score = found[i].score / divisor;
      for (const bool excluded : {full, !improvable_, !finished}) score += excluded ? kNever : 0;
      merged.push_back({extended(found[i]), score, finished});
      scores.push_back(score);
    }
    const std::vector<size_t> order = indices_of_highest(scores, beams_);
    for (size_t i = 0; i < order.size(); ++i) best_[i] = merged[order[i]];
  }

  // Replaces the running texts; returns the place of each one's beginning among those before.
  std::vector<size_t> keep_running(std::span<const Continuation> found) {
    std::vector<float> scores;
    for (const Continuation& c : found) scores.push_back(c.score + (c.ends ? kNever : 0));
    std::vector<Text> next;
    std::vector<size_t> parents;
    for (const size_t i : indices_of_highest(scores, beams_)) {
      next.push_back({extended(found[i]), scores[i], false});
      parents.push_back(found[i].beam);
    }
    running_ = std::move(next);
    return parents;
  }

  std::vector<TokenId> extended(const Continuation& by) const {
    std::vector<TokenId> tokens = running_[by.beam].tokens;
    tokens.push_back(by.token);
    return tokens;
  }

  bool all_finished() const {
    return std::all_of(best_.begin(), best_.end(), [](const Text& text) { return text.finished; });
  }

  // Whether the best running text could still displace a finished one.
  bool can_improve() const {
    const bool at_most = settings_.early_stopping == EarlyStopping::never && settings_.length_penalty > 0;
    const float reachable =
        running_.front().score / divisor_of((at_most ? settings_.max_length : length_) - kPromptTokens);
    return reachable > (all_finished() ? best_.back().score : kNever);
  }

  float divisor_of(int64_t tokens) const {
    return static_cast<float>(std::pow(double(tokens), settings_.length_penalty));
  }

  Seq2Seq& model_;
  const Seq2SeqSettings& settings_;
  ScoreRules rules_;
  size_t beams_;
  int64_t length_ = kPromptTokens;  // of the running texts
  bool improvable_ = true;
  std::vector<Text> running_, best_;  // each the best first
  std::vector<float> scores_;         // [beams, vocab]
};

void check_settings(const Seq2SeqSettings& settings, int64_t vocab) {
  const auto check = [](std::string_view name, int64_t value, int64_t min, int64_t max) {
    if (value < min || value > max)
      throw Error(Code::usage, fmt::format("{} is {}, outside [{}, {}]", name, value, min, max));
  };
  check("num_beams", settings.num_beams, 1, kMaxBeams);
  check("max_length", settings.max_length, kPromptTokens + 1, std::numeric_limits<int32_t>::max());
  check("no_repeat_ngram_size", settings.no_repeat_ngram_size, 0, std::numeric_limits<int32_t>::max());
  std::vector<TokenId> ids = settings.ends;
  ids.push_back(settings.decoder_start);
  ids.push_back(settings.forced_bos.value_or(0));
  ids.push_back(settings.forced_eos.value_or(0));
  for (const TokenId id : ids) check("a special token", id, 0, vocab - 1);
}

}  // namespace

std::vector<TokenId> generate_tokens(Seq2Seq& model, std::span<const TokenId> source, const Seq2SeqSettings& settings,
                                     Budget& budget, KvType type) {
  check_settings(settings, model.vocab_size());
  Seq2SeqSettings possible = settings;
  possible.max_length = std::min(settings.max_length, model.max_target_tokens());
  if (possible.num_beams == 1) return search_greedily(model, source, possible, budget, type);
  return BeamSearch(model, possible).run(source, budget, type);
}

RewrittenText rewrite_text(Seq2Seq& model, std::string_view text, const Seq2SeqSettings& settings, Budget& budget,
                           KvType type) {
  const std::vector<TokenId> source = model.source_ids(text);
  const std::vector<TokenId> tokens = generate_tokens(model, source, settings, budget, type);
  return {model.tokenizer().decode(tokens, false), int64_t(source.size()), int64_t(tokens.size()) - kPromptTokens};
}

}  // namespace frugal
