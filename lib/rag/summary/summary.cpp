// A level of the summary is a list of excerpts: at first the chunks, then the sentences that were kept of each part.
// Neighbouring excerpts are grouped into parts that the model reads whole, as equal as possible. While there is more
// than one part, each is shortened to at most a quarter of what the model reads, so that four parts or more become one
// of the next level. The last part is written in the style and length that was asked for.
//
// What the model writes is checked sentence by sentence (rag/answer/answer_generate.h) against the chunks that the
// excerpts stem from, at every level: a sentence of the final summary cites a chunk of the text, not a summary of it.
// Of a part of which nothing remains, the central sentences are quoted. A level with no fewer parts than the one before
// ends the same way, so a model that does not shorten cannot loop.
//
// The raw text of a part is cached under the hash of all that it depends on. A run that was killed continues after the
// parts that it has written, and of a changed text only the changed parts are written again.
#include "rag/summary/summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/ascii.h"
#include "base/hash.h"
#include "rag/answer/answer_generate.h"
#include "rag/reply/cite.h"
#include "rag/summary/central_sentences.h"
#include "rag/summary/kept_sentences.h"
#include "rag/text/plain_text.h"

namespace frugal {
namespace {

// A part's summary takes at most this share of the part, in tokens and so about in words.
constexpr int64_t kShrink = 4;
constexpr int64_t kTokensPerWord = 2;  // of most texts, and rather too many

struct Excerpt {
  std::string text;
  const Hit* source = nullptr;
  int64_t tokens = 0;
};
using Part = std::span<const Excerpt>;

Language language_of(std::span<const Hit> chunks) {
  std::array<uint64_t, kLanguages> bytes{};
  for (const Hit& hit : chunks) bytes[static_cast<size_t>(hit.chunk.language)] += hit.chunk.text.size();
  bytes[static_cast<size_t>(Language::unknown)] = 0;
  const auto most = std::max_element(bytes.begin(), bytes.end());
  return *most > 0 ? static_cast<Language>(most - bytes.begin()) : Language::unknown;
}

// Consecutive excerpts of about equal sums of tokens, of at most `room` each, unless a single one exceeds it.
std::vector<Part> parts_of(std::span<const Excerpt> excerpts, int64_t room) {
  int64_t total = 0;
  for (const Excerpt& excerpt : excerpts) total += excerpt.tokens;
  const int64_t count = std::max<int64_t>((total + room - 1) / room, 1);
  const int64_t fair = (total + count - 1) / count;
  std::vector<Part> parts;
  size_t begin = 0;
  int64_t tokens = 0;
  for (size_t i = 0; i < excerpts.size(); ++i) {
    const bool is_full = tokens >= fair || tokens + excerpts[i].tokens > room;
    if (i > begin && is_full) {
      parts.push_back(excerpts.subspan(begin, i - begin));
      begin = i;
      tokens = 0;
    }
    tokens += excerpts[i].tokens;
  }
  if (begin < excerpts.size()) parts.push_back(excerpts.subspan(begin));
  return parts;
}

std::vector<const Hit*> sources_of(Part part) {
  std::vector<const Hit*> sources;
  for (const Excerpt& excerpt : part)
    if (std::find(sources.begin(), sources.end(), excerpt.source) == sources.end()) sources.push_back(excerpt.source);
  return sources;
}

std::string text_of(Part part) {
  std::string text;
  for (const Excerpt& excerpt : part) text += (text.empty() ? "" : "\n") + excerpt.text;
  return text;
}

class Summariser {
 public:
  Summariser(SummaryWriter* writer, const SummaryOptions& options, const SummaryHooks& hooks, Language language)
      : writer_(writer), options_(options), hooks_(hooks) {
    summary_.mode = writer ? SummaryMode::generate : SummaryMode::extract;
    summary_.style = options.style;
    summary_.language = language;
  }

  TextSummary run(std::span<const Hit> chunks) {
    summary_.chunks = int64_t(chunks.size());
    if (writer_) {
      write(chunks);
    } else {
      std::vector<const Hit*> all;
      all.reserve(chunks.size());
      for (const Hit& hit : chunks) all.push_back(&hit);
      finish_by_quotes(all);
    }
    return std::move(summary_);
  }

 private:
  void write(std::span<const Hit> chunks) {
    std::vector<Excerpt> excerpts;
    excerpts.reserve(chunks.size());
    for (const Hit& hit : chunks) excerpts.push_back({hit.chunk.text, &hit, writer_->count_tokens(hit.chunk.text)});
    const int64_t room = std::min(options_.part_tokens, writer_->max_source_tokens(options_.max_words));
    std::vector<Part> parts = parts_of(excerpts, room);
    while (parts.size() > 1) {
      std::vector<Excerpt> shorter = shorten(parts, std::max<int64_t>(room / (kShrink * kTokensPerWord), 1));
      std::vector<Part> fewer = parts_of(shorter, room);
      if (fewer.size() >= parts.size()) return finish_by_quotes(sources_of(shorter));
      excerpts.swap(shorter);  // the parts stay valid
      parts = std::move(fewer);
    }
    if (parts.empty()) return;
    ++summary_.levels;
    const bool one = options_.style == SummaryStyle::one_line;
    kept_of(parts.front(), options_.style, options_.max_words, one, [this](const KeptSentence& kept) { add(kept); });
  }

  // One level of the map: each part becomes a few sentences.
  std::vector<Excerpt> shorten(std::span<const Part> parts, int64_t max_words) {
    ++summary_.levels;
    std::vector<Excerpt> shorter;
    for (size_t i = 0; i < parts.size(); ++i) {
      if (hooks_.progress) hooks_.progress(int64_t(i), int64_t(parts.size()));
      for (KeptSentence& kept : kept_of(parts[i], SummaryStyle::paragraph, max_words, false, {})) {
        const int64_t tokens = writer_->count_tokens(kept.text);
        shorter.push_back({std::move(kept.text), kept.source, tokens});
      }
    }
    if (hooks_.progress) hooks_.progress(int64_t(parts.size()), int64_t(parts.size()));
    return shorter;
  }

  // What the model writes of a part and its sources bear out, or else what they say.
  std::vector<KeptSentence> kept_of(Part part, SummaryStyle style, int64_t max_words, bool only_one,
                                    const KeptSentences::Sink& sink) {
    ++summary_.parts;
    const std::vector<const Hit*> sources = sources_of(part);
    std::vector<Hit> hits;
    hits.reserve(sources.size());
    for (const Hit* source : sources) hits.push_back(*source);
    GroundedText grounded(hits, summary_.language, options_.min_support, {hooks_.laws, nullptr});
    KeptSentences kept(sources, max_words, only_one, sink);
    const std::string text = text_of(part);
    write_or_recall({text, summary_.language, style, max_words}, [&](std::string_view written) {
      grounded.add(written);
      return kept.take(grounded.statements()) && !grounded.ended();
    });
    grounded.finish();
    kept.take(grounded.statements());
    summary_.dropped_sentences += grounded.dropped();
    if (!kept.empty()) return kept.take_all();
    ++summary_.quoted_parts;
    for (KeptSentence& quote : quotes_of(sources, max_words)) kept.keep(std::move(quote));
    return kept.take_all();
  }

  void write_or_recall(const SummaryRequest& request, const TokenSink& sink) {
    const std::string key = sha256_hex(fmt::format("{}\n{} {} {}\n{}", writer_->identity(), to_string(request.language),
                                                   to_string(request.style), request.max_words, request.text));
    if (hooks_.cache)
      if (const auto known = hooks_.cache->find(key)) {
        ++summary_.cached_parts;
        sink(*known);
        return;
      }
    const WrittenSummary written = writer_->write(request, sink);
    summary_.source_tokens += written.source_tokens;
    summary_.new_tokens += written.new_tokens;
    if (hooks_.cache) hooks_.cache->put(key, written.text);
  }

  std::vector<KeptSentence> quotes_of(std::span<const Hit* const> sources, int64_t max_words) const {
    std::vector<KeptSentence> quotes;
    for (const CentralSentence& each : central_sentences(sources, summary_.language, max_words)) {
      const Hit* source = sources[each.chunk];
      const std::string_view bytes =
          trim(std::string_view(source->chunk.text).substr(each.range.begin, each.range.end - each.range.begin));
      const auto begin = static_cast<uint32_t>(bytes.data() - source->chunk.text.data());
      quotes.push_back({collapse_spaces(plain_text(bytes)), source, {begin, begin + uint32_t(bytes.size())}});
    }
    return quotes;
  }

  // The summary itself, where there is no model or it does not shorten.
  void finish_by_quotes(std::span<const Hit* const> sources) {
    if (writer_) ++summary_.quoted_parts;
    const KeptSentences::Sink sink = [this](const KeptSentence& kept) { add(kept); };
    KeptSentences kept(sources, options_.max_words, options_.style == SummaryStyle::one_line, sink);
    for (KeptSentence& quote : quotes_of(sources, options_.max_words)) kept.keep(std::move(quote));
  }

  void add(const KeptSentence& kept) {
    Citation citation = cite(*kept.source, kept.quote.begin, kept.quote.end, int64_t(summary_.citations.size()) + 1);
    const auto same = std::find_if(summary_.citations.begin(), summary_.citations.end(), [&](const Citation& earlier) {
      return earlier.id == citation.id && earlier.text_begin == citation.text_begin &&
             earlier.text_end == citation.text_end;
    });
    const int64_t n = same != summary_.citations.end() ? same->n : citation.n;
    if (same == summary_.citations.end()) summary_.citations.push_back(std::move(citation));
    summary_.statements.push_back({kept.text, n});
    if (hooks_.statement) hooks_.statement(summary_.statements.back());
  }

  SummaryWriter* writer_;
  const SummaryOptions& options_;
  const SummaryHooks& hooks_;
  TextSummary summary_;
};

}  // namespace

TextSummary summarise(std::span<const Hit> chunks, SummaryWriter* writer, const SummaryOptions& options,
                      const SummaryHooks& hooks) {
  return Summariser(writer, options, hooks, language_of(chunks)).run(chunks);
}

}  // namespace frugal
