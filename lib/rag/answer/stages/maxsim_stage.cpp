// Reorders the first candidates by late interaction (MaxSim, Khattab & Zaharia 2020): the mean over the question's
// tokens of the highest cosine with a token of the passage. The embedder makes the vectors of the tokens now, for the
// text that the index has embedded; none are stored. Chunks that hold a named article keep the places in front. A
// reader that runs after this stage gets the new order.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <numeric>
#include <span>
#include <unordered_map>

#include "rag/answer/pipeline.h"
#include "rag/answer/stages/stage_list.h"
#include "rag/index/embed_chunks.h"

namespace frugal {
namespace {

// Passages between two looks at the clock: about a forward pass.
constexpr size_t kPassagesPerStep = 4;

// question, passage: rows of `width`.
float max_sim(std::span<const float> question, std::span<const float> passage, size_t width) {
  if (question.empty() || passage.empty()) return 0;
  float sum = 0;
  for (size_t q = 0; q < question.size(); q += width) {
    float best = -1;
    for (size_t p = 0; p < passage.size(); p += width)
      best = std::max(best, std::inner_product(question.begin() + static_cast<std::ptrdiff_t>(q),
                                               question.begin() + static_cast<std::ptrdiff_t>(q + width),
                                               passage.begin() + static_cast<std::ptrdiff_t>(p), 0.0f));
    sum += best;
  }
  const size_t tokens = question.size() / width;
  return sum / static_cast<float>(tokens);
}

class LateInteraction {
 public:
  LateInteraction(QuestionState& state, const Resources& resources)
      : state_(state), options_(resources.options.rerank), store_(resources.store), embedder_(*state.embedder) {}

  void run() {
    if (embedder_.token_dimension() == 0) {
      state_.reply.skipped.emplace_back("maxsim: the embedder gives no vectors of tokens");
      return;
    }
    std::vector<Candidate>& ranking = state_.reply.ranking;
    const auto first =
        std::find_if(ranking.begin(), ranking.end(), [](const Candidate& c) { return c.reference_score == 0; });
    const auto last = first + std::min<std::ptrdiff_t>(ranking.end() - first, options_.maxsim);
    const size_t done = score({first, last});
    std::stable_sort(first, first + static_cast<std::ptrdiff_t>(done),
                     [](const Candidate& a, const Candidate& b) { return a.maxsim_score > b.maxsim_score; });
    const auto count = static_cast<size_t>(last - first);
    if (done == count) return;
    state_.reply.skipped.push_back(
        fmt::format("maxsim: budget of {} ms, {} of {} hits scored", options_.budget_ms, done, count));
    state_.reply.cut_short = true;
  }

 private:
  bool is_late() const {
    return options_.budget_ms > 0 && state_.trace.now() - began_ >= std::chrono::milliseconds(options_.budget_ms);
  }

  // Returns how many it came to.
  size_t score(std::span<Candidate> candidates) {
    const std::string_view asked = state_.question.text;
    const TextEmbedding question = embedder_.embed_all(std::span(&asked, 1), TextRole::query).front();
    const std::vector<std::string> texts = texts_of(candidates);
    size_t done = 0;
    while (done < candidates.size() && !is_late()) {
      const size_t count = std::min(kPassagesPerStep, candidates.size() - done);
      const std::vector<std::string_view> some(texts.begin() + static_cast<std::ptrdiff_t>(done),
                                               texts.begin() + static_cast<std::ptrdiff_t>(done + count));
      for (const TextEmbedding& passage : embedder_.embed_all(some, TextRole::passage))
        candidates[done++].maxsim_score =
            max_sim(question.token_vectors, passage.token_vectors, static_cast<size_t>(embedder_.token_dimension()));
    }
    return done;
  }

  // Those that were embedded for the index; of a chunk that the store lacks, an empty one.
  std::vector<std::string> texts_of(std::span<const Candidate> candidates) {
    std::vector<int64_t> ids;
    ids.reserve(candidates.size());
    for (const Candidate& candidate : candidates) ids.push_back(candidate.id);
    std::unordered_map<int64_t, std::string> known;
    for (const Chunk& chunk : store_.fetch(ids)) known[chunk.id] = embedding_text(chunk.title, chunk.text);
    std::vector<std::string> texts;
    texts.reserve(ids.size());
    for (const int64_t id : ids) texts.push_back(known[id]);
    return texts;
  }

  QuestionState& state_;
  const RerankOptions& options_;
  Store& store_;
  Embedder& embedder_;
  const Trace::Clock::time_point began_ = state_.trace.now();
};

void reorder(QuestionState& state, const Resources& resources) {
  if (!state.reply.ranking.empty()) {
    if (!state.embedder) state.embedder = embedder_for(resources.store, resources.models, resources.index_name);
    LateInteraction(state, resources).run();
  }
  release_embedder(state, resources);
}

}  // namespace

Stage maxsim_stage(const Resources& resources) {
  const bool is_asked = resources.options.rerank.maxsim > 0;
  return {.name = "maxsim",
          .run = [&resources](QuestionState& state) { reorder(state, resources); },
          .off = is_asked ? dense_off_reason(resources) : "switched off",
          .record = "rerank",
          .deadline_group = "maxsim",
          .report_off = is_asked ? report_as_skipped : reported_elsewhere};
}

}  // namespace frugal
