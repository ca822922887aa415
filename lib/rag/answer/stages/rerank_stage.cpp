// Reorders the first candidates with a reader, as a cascade: half of its layers rank them, best first, until those
// behind are not expected among the few that all layers then read. A candidate's score is the reader's logit of
// relevance plus its weighted fused score in standard deviations: words and vectors know what the reader, which sees a
// passage alone, does not. Of the passages that are read, the one that answers is chosen with a smaller weight of the
// fused score: there the reader knows better. A reader that only ranks has no second half, and leaves the answer to
// extraction. Chunks that hold a named article keep the places in front that they have been given.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "rag/answer/pipeline.h"
#include "rag/answer/stages/stage_list.h"

namespace frugal {
namespace {

// Pairs between two looks at the clock: about a forward pass.
constexpr size_t kPairsPerStep = 4;

// A candidate while it is ranked.
struct Ranked {
  Candidate candidate;
  float fused = 0;   // the fused score in standard deviations from the mean
  std::string text;  // until it is ranked
  ReaderPair pair;
  HalfRead half;
  float score = 0;
};

float sigmoid(float logit) {
  return 1 / (1 + std::exp(-logit));
}

// (score − mean) / deviation of each fused score; all 0 if they are equal.
std::vector<float> standardised(std::span<const Candidate> candidates) {
  double sum = 0, squares = 0;
  for (const Candidate& candidate : candidates) sum += candidate.score;
  const double mean = sum / double(candidates.size());
  for (const Candidate& candidate : candidates) squares += (candidate.score - mean) * (candidate.score - mean);
  const double deviation = std::sqrt(squares / double(candidates.size()));
  std::vector<float> result;
  for (const Candidate& candidate : candidates)
    result.push_back(deviation > 0 ? static_cast<float>((candidate.score - mean) / deviation) : 0.0f);
  return result;
}

class Cascade {
 public:
  Cascade(QuestionState& state, const Resources& resources, std::shared_ptr<Reader> reader)
      : state_(state),
        options_(resources.options.rerank),
        store_(resources.store),
        reader_(std::move(reader)),
        // Where hits are all that is asked for, their order matters to the last.
        ranks_all_(!reader_->finds_answers() || resources.options.answer == AnswerMode::none) {}

  void run() {
    std::vector<Candidate>& ranking = state_.reply.ranking;
    const auto first =
        std::find_if(ranking.begin(), ranking.end(), [](const Candidate& c) { return c.reference_score == 0; });
    const auto last = first + std::min<std::ptrdiff_t>(ranking.end() - first, options_.candidates);
    std::vector<Ranked> list = open({first, last});
    // Stages of their own, so that memory is read while the reader is loaded.
    const size_t ranked = state_.trace.stage("rank", [&] { return rank(list); });
    const size_t best = reader_->finds_answers() ? std::min(list.size(), static_cast<size_t>(options_.read)) : 0;
    const bool settled = is_settled(list, ranked);  // reading changes the scores
    const size_t read =
        state_.trace.stage("read", [&] { return read_best(std::span(list).first(settled ? best : 0)); });
    if (!settled)
      note(fmt::format("{} of {} hits ranked", ranked, list.size()));
    else if (read < best)
      note(fmt::format("{} of {} hits read", read, best));
    std::transform(list.begin(), list.end(), first, [](const Ranked& each) { return each.candidate; });
  }

 private:
  bool is_late() const {
    return options_.budget_ms > 0 && state_.trace.now() - began_ >= std::chrono::milliseconds(options_.budget_ms);
  }

  void note(const std::string& how_far) {
    state_.reply.skipped.push_back(fmt::format("rerank: budget of {} ms, {}", options_.budget_ms, how_far));
    state_.reply.cut_short = true;
  }

  std::vector<Ranked> open(std::span<const Candidate> candidates) {
    std::vector<int64_t> ids;
    ids.reserve(candidates.size());
    for (const Candidate& candidate : candidates) ids.push_back(candidate.id);
    std::unordered_map<int64_t, std::string> texts;
    for (Chunk& chunk : store_.fetch(ids)) texts[chunk.id] = std::move(chunk.text);
    const std::vector<float> fused = standardised(candidates);
    std::vector<Ranked> list;
    for (size_t i = 0; i < candidates.size(); ++i)
      list.push_back({candidates[i], fused[i], std::move(texts[candidates[i].id]), {}, {}, 0});
    return list;
  }

  // True if none of the candidates behind the first `ranked` would be read, even if the reader found it as relevant as
  // is expected at most.
  bool is_settled(std::span<const Ranked> list, size_t ranked) const {
    if (ranked == list.size()) return true;
    const auto wanted = static_cast<size_t>(options_.read);
    if (ranks_all_ || ranked < wanted) return false;
    std::vector<float> scores;
    scores.reserve(ranked);
    for (const Ranked& each : list.first(ranked)) scores.push_back(each.score);
    const auto last_read = scores.begin() + options_.read - 1;
    std::nth_element(scores.begin(), last_read, scores.end(), std::greater<>());
    return std::all_of(list.begin() + static_cast<std::ptrdiff_t>(ranked), list.end(),
                       [&](const Ranked& each) { return options_.ceiling + options_.prior * each.fused < *last_read; });
  }

  // Ranks with half of the layers; returns how many it came to. The others keep their order, behind.
  size_t rank(std::vector<Ranked>& list) {
    // A reader that only ranks may be a remote, which takes all pairs in one request.
    const bool at_once = !reader_->finds_answers() && options_.budget_ms == 0;
    size_t done = 0;
    while (!is_settled(list, done) && !is_late()) {
      const size_t count = std::min(at_once ? list.size() : kPairsPerStep, list.size() - done);
      std::vector<ReaderPair> pairs;
      for (size_t i = done; i < done + count; ++i)
        pairs.push_back(reader_->pair(state_.question.text, std::exchange(list[i].text, {})));
      std::vector<HalfRead> halves = reader_->read_half(pairs);
      for (size_t i = 0; i < count; ++i) {
        Ranked& each = list[done + i];
        each.pair = std::move(pairs[i]);
        each.half = std::move(halves[i]);
        each.score = each.half.relevance + options_.prior * each.fused;
        each.candidate.rerank_score = sigmoid(each.half.relevance);
      }
      done += count;
    }
    sort(std::span(list).first(done));
    return done;
  }

  // Reads with all layers; returns how many it came to.
  size_t read_best(std::span<Ranked> best) {
    size_t done = 0;
    while (done < best.size() && !is_late()) {
      const size_t count = std::min(kPairsPerStep, best.size() - done);
      std::vector<const HalfRead*> halves;
      for (size_t i = done; i < done + count; ++i) halves.push_back(&best[i].half);
      std::vector<Reading> readings = reader_->read_rest(halves);
      for (size_t i = 0; i < count; ++i) {
        Ranked& each = best[done + i];
        const float choice = readings[i].relevance + options_.answer_prior * each.fused;
        each.score = readings[i].relevance + options_.prior * each.fused;
        each.candidate.rerank_score = sigmoid(readings[i].relevance);
        state_.readings[each.candidate.id] = {std::move(readings[i]), choice, std::move(each.pair.pieces)};
      }
      done += count;
    }
    sort(best.first(done));
    return done;
  }

  static void sort(std::span<Ranked> list) {
    std::stable_sort(list.begin(), list.end(), [](const Ranked& a, const Ranked& b) { return a.score > b.score; });
  }

  QuestionState& state_;
  const RerankOptions& options_;
  Store& store_;
  std::shared_ptr<Reader> reader_;
  const bool ranks_all_;
  const Trace::Clock::time_point began_ = state_.trace.now();
};

// Reorders with the first reader of the list that does not fail; the order of the search stays if none is left.
void rerank(QuestionState& state, const Resources& resources) {
  const std::vector<NamedModel<Reader>> readers = resources.models.readers();
  for (size_t i = 0; i < readers.size() && readers[i].open; ++i) {
    try {
      state.reader = i;
      return Cascade(state, resources, readers[i].open()).run();
    } catch (const Error& error) {
      if (error.code() != Code::remote || i + 1 == readers.size()) throw;
      state.readings.clear();
      note_fallback(state, {"rerank", readers[i].name, error.message(), readers[i + 1].name});
    }
  }
}

std::string reason_to_skip(const Resources& resources) {
  const StageMode mode = resources.options.rerank.mode;
  if (mode == StageMode::never) return "switched off";
  if (!resources.models.has_reader()) return "no reader configured";
  // Hits alone are asked for where milliseconds count: reading twenty takes ten times as long as finding them.
  if (mode == StageMode::automatic && resources.options.answer == AnswerMode::none)
    return "no answer is read from the hits (--rerank always)";
  return "";
}

}  // namespace

Stage rerank_stage(const Resources& resources) {
  return {.name = "rerank",
          .run =
              [&resources](QuestionState& state) {
                if (!state.reply.ranking.empty()) rerank(state, resources);
              },
          .off = reason_to_skip(resources),
          .deadline_group = "rerank"};
}

}  // namespace frugal
