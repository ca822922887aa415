// Searches again with more than the question says: where the first search is weak (auto) or always. What is added comes
// from a passage that an able generator writes (hyde.h), whose vector is averaged with the question's, or without such
// a generator from the first hits (rag/feedback/feedback.h).
//
// The first hits, which an answer reads, stay as they are; the others are those of the second search. So the answer to
// a question that one passage answers stays, too. Cosines remain those with the question: a vector that was moved
// towards the hits is nearer to all of them.
//
// Questions that name an article are not expanded: references puts it first. A generator that is missing, fails or
// takes too long is reported in Reply::hyde_reason, and feedback takes its place. If the second search fails because a
// server with the vectors went away, the first one stays.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <unordered_map>

#include "base/error.h"
#include "rag/answer/hyde.h"
#include "rag/answer/pipeline.h"
#include "rag/answer/stages/stage_list.h"
#include "rag/law/articles.h"

namespace frugal {
namespace {

constexpr std::string_view kNever = "never";

// Reply::hyde_reason distinguishes an option from a stage that was switched off.
void report(Reply& reply, const Stage& stage) {
  reply.hyde_reason = stage.off == kNever ? stage.off : "skipped: " + stage.off;
}

struct ExpansionGate {
  bool expand = false;
  std::string reason;
};

// Expands where no hit stands out, so that others may be as good, and both lists begin with the same hit, so that it is
// worth learning from (docs/design/0034). Costs nothing.
ExpansionGate judge(const QuestionState& state, const HydeOptions& options) {
  if (state.dense.empty() || state.sparse.empty()) return {false, "off, only one of the searches has hits"};
  if (state.dense.front().id != state.sparse.front().id)
    return {false, "off, the searches by words and by vectors begin with different hits"};
  const std::vector<Candidate>& ranking = state.reply.ranking;
  const float lead = ranking.size() > 1 ? ranking[0].score - ranking[1].score : ranking[0].score;
  if (lead >= options.max_lead) return {false, fmt::format("off, the first hit leads by {:.2f}", lead)};
  return {true, fmt::format("both searches begin with the same hit, which leads by {:.2f}", lead)};
}

class Expansion {
 public:
  Expansion(QuestionState& state, const Resources& resources)
      : state_(state), reply_(state.reply), options_(resources.options.hyde), resources_(resources) {}

  void run() {
    if (std::string why = obstacle(); !why.empty()) return void(reply_.hyde_reason = "skipped: " + why);
    if (options_.mode == StageMode::automatic) {
      const ExpansionGate gate = judge(state_, options_);
      reply_.hyde_reason = "auto: " + gate.reason;
      if (!gate.expand) return;
    } else {
      reply_.hyde_reason = "always";
    }
    const std::vector<Candidate> first = reply_.ranking;
    try {
      expand(first);
    } catch (const Error& error) {
      if (error.code() != Code::remote) throw;
      reply_.ranking = first;
      reply_.hyde_reason += fmt::format("; {}", error.message());
      note_fallback(state_, {"hyde", "vectors", error.message(), "the first search"});
    }
  }

 private:
  void expand(std::span<const Candidate> first) {
    if (!add_passage()) add_feedback(first);
    fuse_lists(state_, resources_);
    restore_cosines(first);
    keep_first(first);
    reply_.hyde_ran = true;
  }

  std::string obstacle() const {
    if (state_.nothing_passes()) return "no passage passes the filter";
    if (reply_.ranking.empty()) return "nothing was found";
    if (!named_articles(state_.question.provisions).empty()) return "the question names an article";
    return {};
  }

  // Searches with what the generator writes; false if it cannot.
  bool add_passage() {
    const int64_t least = resources_.options.min_generator_parameters;
    if (state_.vector.empty() || resources_.models.generator_size(least) != GeneratorSize::sufficient) return false;
    const HydePassage passage = write_hyde(state_.question, options_, resources_.models, state_.remaining_ms());
    if (passage.text.empty()) {
      reply_.hyde_reason += fmt::format("; {}", passage.failure);
      return false;
    }
    try {
      search_with(passage.text);
    } catch (const Error& error) {
      if (error.code() != Code::remote) throw;
      reply_.hyde_reason += fmt::format("; {}", error.message());
      return false;
    }
    reply_.hyde_engine = "generator";
    return true;
  }

  void search_with(const std::string& passage) {
    // The embedder's memory may be needed by the answer (embed_stage.cpp).
    const bool holds_embedder = state_.embedder != nullptr;
    if (!holds_embedder) state_.embedder = resources_.models.embedder();
    search_dense(
        blend(state_.vector, embed_text(*state_.embedder, passage, TextRole::passage, resources_.vectors).dense));
    if (!holds_embedder) state_.embedder.reset();
  }

  void add_feedback(std::span<const Candidate> first) {
    const std::vector<FeedbackPassage> passages = feedback_passages(first);
    if (!state_.vector.empty())
      search_dense(feedback_vector(passages, state_.vector, options_.feedback, resources_.store));
    if (state_.runs("sparse")) {
      const std::vector<WeightedWord> words =
          feedback_words(passages, state_.question.words, reply_.fusion.language, options_.feedback, resources_.store);
      state_.sparse = resources_.store.search_sparse({.text = state_.question.text,
                                                      .language = state_.question.language,
                                                      .within = state_.within(),
                                                      .expansion = words},
                                                     resources_.options.retrieve.candidates);
    }
    reply_.hyde_engine = "feedback";
  }

  // The first passages, with shares of the feedback by their fused scores.
  std::vector<FeedbackPassage> feedback_passages(std::span<const Candidate> first) const {
    first = first.first(std::min(first.size(), static_cast<size_t>(options_.feedback.passages)));
    const float sum = std::accumulate(first.begin(), first.end(), 0.0f,
                                      [](float so_far, const Candidate& each) { return so_far + each.score; });
    std::vector<FeedbackPassage> passages;
    for (const Candidate& each : first)
      passages.push_back({each.id, sum > 0 ? each.score / sum : 1 / static_cast<float>(first.size())});
    return passages;
  }

  void search_dense(std::span<const float> vector) {
    state_.dense = resources_.store.search_dense(vector, resources_.options.retrieve.candidates, state_.within());
  }

  // The first hits stay as they are, with their scores; those behind have lower ones.
  void keep_first(std::span<const Candidate> first) {
    std::vector<Candidate>& ranking = reply_.ranking;
    const auto kept = first.first(std::min(first.size(), static_cast<size_t>(options_.kept)));
    if (kept.empty()) return;
    std::erase_if(ranking, [&](const Candidate& each) {
      return std::any_of(kept.begin(), kept.end(), [&](const Candidate& other) { return other.id == each.id; });
    });
    for (Candidate& each : ranking) each.score = std::min(each.score, kept.back().score);
    ranking.insert(ranking.begin(), kept.begin(), kept.end());
  }

  void restore_cosines(std::span<const Candidate> first) {
    std::unordered_map<int64_t, float> cosines;
    for (const Candidate& each : first)
      if (each.dense_rank > 0) cosines[each.id] = each.dense_score;
    std::vector<int64_t> ids;
    for (const Candidate& each : reply_.ranking)
      if (each.dense_rank > 0 && !cosines.contains(each.id)) ids.push_back(each.id);
    for (const ChunkVector& each : resources_.store.fetch_vectors(ids))
      cosines[each.id] = std::inner_product(each.values.begin(), each.values.end(), state_.vector.begin(), 0.0f);
    for (Candidate& each : reply_.ranking)
      if (each.dense_rank > 0) each.dense_score = cosines[each.id];
  }

  QuestionState& state_;
  Reply& reply_;
  const HydeOptions& options_;
  const Resources& resources_;
};

}  // namespace

Stage hyde_stage(const Resources& resources) {
  return {.name = "hyde",
          .run = [&resources](QuestionState& state) { Expansion(state, resources).run(); },
          .off = std::string(resources.options.hyde.mode == StageMode::never ? kNever : ""),
          .deadline_group = "hyde",
          .report_off = report};
}

}  // namespace frugal
