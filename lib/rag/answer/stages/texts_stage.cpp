// Fetches the texts of the first candidates: as many as are shown or, if more, as the answer reads or quotes.
#include <algorithm>
#include <unordered_map>

#include "rag/answer/pipeline.h"
#include "rag/answer/stages/stage_list.h"

namespace frugal {
namespace {

Hit hit_of(const Candidate& from, Chunk&& chunk) {
  Hit hit;
  hit.chunk = std::move(chunk);
  hit.score = from.score;
  if (from.dense_rank > 0) hit.dense_rank = from.dense_rank, hit.dense_score = from.dense_score;
  if (from.sparse_rank > 0) hit.sparse_rank = from.sparse_rank, hit.sparse_score = from.sparse_score;
  if (from.learned_rank > 0) hit.learned_rank = from.learned_rank, hit.learned_score = from.learned_score;
  if (from.reference_score > 0) hit.reference_score = from.reference_score;
  hit.maxsim_score = from.maxsim_score;
  hit.rerank_score = from.rerank_score;
  return hit;
}

// A candidate whose chunk is not in the store is left out, and the next one takes its place.
std::vector<Hit> fetch(const std::vector<Candidate>& ranking, int64_t count, float min_score, Store& store) {
  std::vector<Hit> hits;
  auto next = ranking.begin();
  // One round is enough unless the store leaves chunks out.
  while (static_cast<int64_t>(hits.size()) < count && next != ranking.end()) {
    const size_t missing = static_cast<size_t>(count) - hits.size();
    std::vector<int64_t> ids;
    std::unordered_map<int64_t, const Candidate*> asked;
    for (; next != ranking.end() && ids.size() < missing; ++next) {
      // The minimum score does not apply to a chunk that holds a named article.
      if (next->score < min_score && next->reference_score == 0) continue;
      ids.push_back(next->id);
      asked[next->id] = &*next;
    }
    for (Chunk& chunk : store.fetch(ids)) {
      const Candidate& from = *asked.at(chunk.id);
      hits.push_back(hit_of(from, std::move(chunk)));
    }
  }
  return hits;
}

}  // namespace

Stage texts_stage(const Resources& resources) {
  return {.name = "texts",
          .run =
              [&resources](QuestionState& state) {
                const PipelineOptions& options = resources.options;
                const int64_t read = state.runs("answer") ? options.extract.hits_read : 0;
                int64_t quoted = 0;  // the articles that the question names are quoted, however many there are
                for (const FoundArticle& article : state.articles)
                  quoted += static_cast<int64_t>(article.chunks.size());
                state.reply.hits = fetch(state.reply.ranking, std::max({options.top_k, read, quoted}),
                                         options.min_score, resources.store);
              },
          .record = "retrieve"};
}

}  // namespace frugal
