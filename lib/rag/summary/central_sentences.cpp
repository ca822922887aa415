#include "rag/summary/central_sentences.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "base/ascii.h"
#include "rag/evidence/evidence.h"
#include "rag/summary/summary_length.h"
#include "rag/text/rarity.h"
#include "rag/text/stemmer.h"
#include "rag/text/words.h"

namespace frugal {
namespace {

// Shorter ones say too little to stand alone, longer ones are lists and tables that were taken for sentences.
constexpr int64_t kMinWords = 6, kMaxWords = 80;
// What a repetition of a chosen sentence costs, where centrality counts 1.
constexpr float kRedundancy = 0.7f;

// The first sentences of a text say what it is about (Edmundson 1969): the first one counts so much more, the one after
// kLeadSentences half as much more, and so on.
constexpr float kLead = 0.5f, kLeadSentences = 4;
// What a sentence counts that cannot be understood alone.
constexpr float kLeans = 0.5f;

// Weights of stems by their ids, sorted by id, scaled to unit length.
using StemVector = std::vector<std::pair<uint32_t, float>>;

float cosine(const StemVector& a, const StemVector& b) {
  float sum = 0;
  for (auto i = a.begin(), j = b.begin(); i != a.end() && j != b.end();) {
    if (i->first == j->first)
      sum += (i++)->second * (j++)->second;
    else if (i->first < j->first)
      ++i;
    else
      ++j;
  }
  return sum;
}

void scale_to_unit(StemVector& vector) {
  float squares = 0;
  for (const auto& [id, weight] : vector) squares += weight * weight;
  if (squares > 0)
    for (auto& [id, weight] : vector) weight /= std::sqrt(squares);
}

class StemTable {
 public:
  explicit StemTable(Language language) : language_(language), stemmer_(language) {}

  /// Counts by id, sorted by id.
  StemVector counts_of(std::string_view text) {
    StemVector counts;
    for (const std::string& stem : content_stems(text, language_, stemmer_))
      counts.emplace_back(ids_.try_emplace(stem, uint32_t(ids_.size())).first->second, 1.0f);
    std::sort(counts.begin(), counts.end());
    size_t kept = 0;
    for (size_t i = 0; i < counts.size(); ++i) {
      if (kept > 0 && counts[kept - 1].first == counts[i].first)
        counts[kept - 1].second += 1;
      else
        counts[kept++] = counts[i];
    }
    counts.resize(kept);
    return counts;
  }
  size_t size() const { return ids_.size(); }

 private:
  Language language_;
  Stemmer stemmer_;
  std::unordered_map<std::string, uint32_t> ids_;
};

// Words that a sentence begins with if it leans on the one before, and words that refer to what stands around it.
constexpr std::string_view kLeaning[] = {
    "this",   "these", "that",  "those",  "it",     "its",   "he",    "she",     "they",      "their",
    "his",    "her",   "such",  "but",    "and",    "or",    "so",    "however", "therefore", "thus",
    "also",   "here",  "then",  "isso",   "isto",   "este",  "esta",  "estes",   "estas",     "esse",
    "essa",   "esses", "essas", "aquele", "aquela", "ele",   "ela",   "eles",    "elas",      "seu",
    "sua",    "tal",   "tais",  "mas",    "e",      "ou",    "porem", "contudo", "assim",     "portanto",
    "tambem", "nesse", "nessa", "neste",  "nesta",  "dessa", "desse"};
constexpr std::string_view kPointing[] = {"this article", "this section",   "this chapter", "neste artigo",
                                          "deste artigo", "este artigo",    "o caput",      "no caput",
                                          "do caput",     "deste paragrafo"};

// Whether a reader who sees nothing else understands the sentence.
bool stands_alone(std::string_view sentence) {
  constexpr size_t kReadBytes = 400;
  const std::string folded = fold(first_bytes(sentence, kReadBytes));
  const std::vector<Word> words = split_words(first_bytes(sentence, kReadBytes));
  if (words.empty() || sentence.starts_with("§") || sentence.starts_with("(")) return false;
  if (std::find(std::begin(kLeaning), std::end(kLeaning), words.front().folded) != std::end(kLeaning)) return false;
  return std::none_of(std::begin(kPointing), std::end(kPointing),
                      [&](std::string_view words_of_it) { return folded.find(words_of_it) != folded.npos; });
}

struct SentenceScore {
  CentralSentence place;
  int64_t words = 0;
  StemVector stems;
  float weight = 1;  // by place and wording; of its centrality
  float centrality = 0;
  float repeats = 0;  // the greatest cosine with a chosen one
  bool chosen = false;
};

std::vector<SentenceScore> candidates_of(std::span<const Hit* const> chunks, StemTable& stems,
                                         std::vector<int64_t>& chunks_with) {
  std::vector<SentenceScore> candidates;
  for (size_t i = 0; i < chunks.size(); ++i) {
    const PassageParts parts(chunks[i]->chunk.text);
    std::unordered_set<uint32_t> here;
    for (size_t part = 0; part < parts.count(); ++part) {
      StemVector counts = stems.counts_of(parts.words(part));
      for (const auto& [id, count] : counts) here.insert(id);
      const int64_t words = count_words(parts.words(part));
      const bool is_whole = parts.role(part) == PartRole::statement && !parts.introduces(part);
      if (!is_whole || words < kMinWords || words > kMaxWords) continue;
      const float place = 1 + kLead / (1 + float(candidates.size()) / kLeadSentences);
      candidates.push_back({{i, {parts.begin_of_words(part), parts.range(part).end}},
                            words,
                            std::move(counts),
                            stands_alone(parts.words(part)) ? place : kLeans * place});
    }
    chunks_with.resize(stems.size());
    for (const uint32_t id : here) ++chunks_with[id];
  }
  return candidates;
}

void weigh(std::vector<SentenceScore>& candidates, std::span<const int64_t> chunks_with, int64_t chunks) {
  std::vector<float> sum(chunks_with.size());
  for (SentenceScore& candidate : candidates) {
    for (auto& [id, weight] : candidate.stems) weight *= inverse_document_frequency(chunks_with[id], chunks);
    scale_to_unit(candidate.stems);
    for (const auto& [id, weight] : candidate.stems) sum[id] += weight;
  }
  StemVector centroid;
  for (size_t id = 0; id < sum.size(); ++id)
    if (sum[id] > 0) centroid.emplace_back(uint32_t(id), sum[id]);
  scale_to_unit(centroid);
  for (SentenceScore& candidate : candidates)
    candidate.centrality = candidate.weight * cosine(candidate.stems, centroid);
}

SentenceScore* best_of(std::vector<SentenceScore>& candidates, int64_t max_words) {
  SentenceScore* best = nullptr;
  const auto value = [](const SentenceScore& c) { return c.centrality - kRedundancy * c.repeats; };
  for (SentenceScore& each : candidates)
    if (!each.chosen && each.words <= max_words && (!best || value(each) > value(*best))) best = &each;
  return best;
}

}  // namespace

std::vector<CentralSentence> central_sentences(std::span<const Hit* const> chunks, Language language,
                                               int64_t max_words) {
  StemTable stems(language);
  std::vector<int64_t> chunks_with;
  std::vector<SentenceScore> candidates = candidates_of(chunks, stems, chunks_with);
  weigh(candidates, chunks_with, int64_t(chunks.size()));
  std::vector<CentralSentence> chosen;
  int64_t room = max_words;
  SentenceScore* first = best_of(candidates, room);
  if (!first) first = best_of(candidates, kMaxWords);
  for (SentenceScore* next = first; next; next = best_of(candidates, room)) {
    next->chosen = true;
    chosen.push_back(next->place);
    room -= next->words;
    for (SentenceScore& each : candidates) each.repeats = std::max(each.repeats, cosine(each.stems, next->stems));
  }
  std::sort(chosen.begin(), chosen.end(), [](const CentralSentence& a, const CentralSentence& b) {
    return std::pair(a.chunk, a.range.begin) < std::pair(b.chunk, b.range.begin);
  });
  return chosen;
}

}  // namespace frugal
