// Answers the question from the hits, or abstains. In this order:
//
// 1. No hits: it abstains.
// 2. The confidence is determined: fixed if the first hit holds an article that the question names; else the reader's
//    of the answer that it found (reader.h); without a reader, from the words and the best cosine of the hits that an
//    answer may read, compared with the other candidates' (evidence.h).
// 3. If the question names articles, the index holds none of them and no hit mentions one, it abstains: a neighbouring
//    article is a wrong answer that looks right.
// 4. If the confidence is below answer.abstain_below, it abstains.
// 5. In mode generate, unless the deadline has passed, the generator writes an answer from the hits, which is checked
//    against them sentence by sentence (answer_generate.h), and stopped if it repeats itself. It may abstain, too. If
//    none of its sentences is supported, extraction follows.
// 6. What the reader found is quoted, and behind it the second best if that is about as likely, or several if the
//    question asks for several (answer_read.h); without a reader, or if it found nothing, the best sentence
//    (answer_extract.h).
//
// The generator is opened in step 5 only, so the abstentions before it never load it. If it cannot be opened, mode auto
// quotes, and mode generate fails. A remote that fails leaves its place to the next generator of the list
// (Models::generators()), or to a quote. The hits that fit the prompt are its sources, numbered as they stand there.
// With a reader, each statement must also cite a source that answers the question, as the reader sees it. The stream
// gets each statement when it has been checked, with its mark: together they are the text of the reply.
//
// Answer::confidence is what step 2 found. An abstention has it only if it was decided by it, in step 4.
//
// Answer::note says why it abstained or why it quotes instead of generating, in the language of the question.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/units.h"
#include "rag/answer/answer_generate.h"
#include "rag/answer/answer_read.h"
#include "rag/answer/pipeline.h"
#include "rag/answer/source_reader.h"
#include "rag/answer/stages/stage_list.h"
#include "rag/law/articles.h"
#include "rag/prompt/boundary.h"
#include "rag/prompt/prompt.h"
#include "rag/quote/several.h"
#include "rag/reply/answer_texts.h"
#include "rag/reply/cite.h"

namespace frugal {
namespace {

constexpr float kNamedReferenceConfidence = 0.99f;

// So many spans are quoted for a question that asks for several things, or of which the reader is in doubt.
constexpr size_t kMaxQuoted = 3;

// Why answer.mode auto does not generate.
std::string_view auto_note(GeneratorSize size, const AnswerTexts& texts) {
  switch (size) {
    case GeneratorSize::none:
      return texts.auto_no_generator;
    case GeneratorSize::unreadable:
      return texts.auto_unreadable;
    case GeneratorSize::small:
      return texts.auto_small;
    case GeneratorSize::sufficient:
      break;
  }
  return "";
}

class AnswerWriter {
 public:
  /// `boundaries` is filled for the first prompt of the pipeline.
  AnswerWriter(QuestionState& state, const Resources& resources, std::optional<BoundaryKey>& boundaries)
      : state_(state),
        reply_(state.reply),
        options_(resources.options),
        texts_(answer_texts(state.question.language)),
        resources_(resources),
        boundaries_(boundaries) {}

  void run() {
    const AnswerMode mode = answer_mode(resources_);
    reply_.answer.mode = mode;
    if (options_.answer == AnswerMode::automatic)
      reply_.answer.note = auto_note(resources_.models.generator_size(options_.min_generator_parameters), texts_);
    if (state_.nothing_passes()) return abstain(texts_.no_passage_passes);
    if (reply_.hits.empty()) return abstain(texts_.nothing_found);
    const Evidence evidence(state_.question.words, reply_.fusion.language, matched_provisions(), resources_.store);
    const float found = confidence(evidence);
    if (all_named_articles_missing()) return abstain(missing_articles());
    if (found < options_.abstain_below) {
      abstain(texts_.no_support);
      reply_.answer.confidence = found;
      return;
    }
    reply_.answer.confidence = found;
    reply_.answer.remark = remark();
    if (mode == AnswerMode::generate && generate(evidence)) return;
    if (!reply_.answer.abstained) extract(evidence);
  }

 private:
  // Words of a provision do not count as evidence if the provision itself was looked up.
  std::span<const FoundProvision> matched_provisions() const {
    if (state_.runs("references")) return state_.question.provisions;
    return {};
  }

  float confidence(const Evidence& evidence) {
    const std::vector<Hit>& hits = reply_.hits;
    if (hits.front().reference_score) return kNamedReferenceConfidence;
    if (!spans(evidence).empty()) {
      const AnswerSpan& found = spans(evidence).front();
      ConfidenceFeatures features = found.features;
      const Hit& hit = hits[found.place.hit];
      features.contrast = contrast_of(hit);
      features.portuguese = reply_.fusion.language == Language::portuguese ? 1.0f : 0.0f;
      reply_.reading = features;
      return open_reader()->confidence(features);
    }
    float coverage = 0;
    std::optional<float> cosine;
    for (size_t i = 0; i < std::min(hits.size(), static_cast<size_t>(options_.extract.hits_read)); ++i) {
      const Chunk& chunk = hits[i].chunk;
      coverage = std::max(coverage, evidence.coverage(chunk.title + "\n" + chunk.heading + "\n" + chunk.text));
      if (hits[i].dense_score) cosine = std::max(cosine.value_or(-1.0f), *hits[i].dense_score);
    }
    if (!cosine || !state_.background) return answer_confidence(coverage, std::nullopt);
    return answer_confidence(coverage, cosine_contrast(*cosine, *state_.background));
  }

  // An index of few chunks does not tell what is usual. A hit that the search by vectors has not found is no closer
  // than that.
  std::optional<float> contrast_of(const Hit& hit) const {
    if (!state_.background) return std::nullopt;
    return hit.dense_score ? cosine_contrast(*hit.dense_score, *state_.background) : 0.0f;
  }

  // True if the question names articles, the index holds none of them, and no hit mentions one.
  bool all_named_articles_missing() const {
    if (reply_.fusion.missing.empty() || !reply_.fusion.references.empty()) return false;
    const std::vector<Provision> asked = named_articles(state_.question.provisions);
    return std::none_of(reply_.hits.begin(), reply_.hits.end(),
                        [&](const Hit& hit) { return mentions_article(hit.chunk.text, asked, resources_.laws); });
  }

  std::string missing_articles() const {
    return fill(state_.filter.empty() ? texts_.not_held : texts_.none_that_passes_holds,
                fmt::format("{}", fmt::join(reply_.fusion.missing, ", ")));
  }

  void abstain(std::string_view why) {
    reply_.answer.abstained = true;
    reply_.answer.text.reset();
    reply_.answer.span.reset();
    reply_.answer.confidence.reset();
    reply_.answer.quoted_instead = false;
    reply_.answer.remark.clear();
    reply_.answer.note = why;
    reply_.citations.clear();
  }

  void extract(const Evidence& evidence) {
    std::vector<Quote> quotes = quote_articles(evidence, reply_.hits, state_.articles, options_.extract);
    const bool names_articles = !quotes.empty() || !state_.articles.empty();
    if (!names_articles) quotes = quote_reading(evidence);
    if (quotes.empty()) {
      quotes = quote_sentences(evidence);
      if (quotes.empty()) return abstain(texts_.nothing_to_quote);
    }
    reply_.answer.mode = AnswerMode::extract;
    reply_.citations.clear();
    for (const Quote& quote : quotes)
      reply_.citations.push_back(
          cite(reply_.hits[quote.hit], quote.begin, quote.end, static_cast<int64_t>(reply_.citations.size()) + 1));
    reply_.answer.text = text_of_quotes(reply_.citations);
  }

  // By the embedder, too, unless it is a remote that fails and may.
  std::vector<Quote> quote_sentences(const Evidence& evidence) {
    try {
      if (!state_.vector.empty() && !state_.embedder) state_.embedder = resources_.models.embedder();
      return extract_quotes(evidence, reply_.hits, state_.embedder.get(), state_.vector, options_.extract);
    } catch (const Error& error) {
      const std::string dispensable = resources_.models.dispensable_embedder();
      if (error.code() != Code::remote || dispensable.empty()) throw;
      note_fallback(state_, {"embed", dispensable, error.message(), "none"});
      return extract_quotes(evidence, reply_.hits, nullptr, {}, options_.extract);
    }
  }

  // The reader of the readings.
  std::shared_ptr<Reader> open_reader() { return resources_.models.readers()[state_.reader].open(); }

  // What the reader found, best first; empty if it has not read.
  const std::vector<AnswerSpan>& spans(const Evidence& evidence) {
    if (!spans_) spans_ = read_answers(reply_.hits, state_.readings, &evidence, kMaxQuoted);
    return *spans_;
  }

  std::vector<Quote> quote_reading(const Evidence& evidence) {
    std::vector<Quote> quotes;
    for (const AnswerSpan& found : spans(evidence)) {
      const std::vector<Quote> around =
          quotes_around(reply_.hits, found.place, options_.extract.max_quote_bytes, asks_for_several_);
      if (quotes.empty() && !around.empty()) reply_.answer.span = short_text(found.place);
      for (const Quote& quote : around)
        if (!is_quoted(quotes, quote)) quotes.push_back(quote);
    }
    return quotes;
  }

  static bool is_quoted(std::span<const Quote> quotes, const Quote& quote) {
    return std::any_of(quotes.begin(), quotes.end(), [&](const Quote& each) {
      return each.hit == quote.hit && each.begin <= quote.begin && quote.end <= each.end;
    });
  }

  std::string short_text(const Quote& place) const {
    return text_of_quote(
        std::string_view(reply_.hits[place.hit].chunk.text).substr(place.begin, place.end - place.begin));
  }

  // What the question leaves open about the articles that it names.
  std::string remark() const {
    std::string said;
    const std::vector<FoundArticle>& articles = state_.articles;
    for (auto begin = articles.begin(); begin != articles.end();) {
      const auto end =
          std::find_if(begin, articles.end(), [&](const auto& each) { return each.asked != begin->asked; });
      std::vector<std::string_view> laws;
      for (auto each = begin; each != end; ++each) laws.push_back(each->law);
      if (laws.size() > 1)
        said += (said.empty() ? "" : "; ") + fill(texts_.in_several_laws, to_string(begin->asked), laws.size(),
                                                  fmt::format("{}", fmt::join(laws, ", ")));
      begin = end;
    }
    if (!articles.empty() && !reply_.fusion.missing.empty()) said += (said.empty() ? "" : "; ") + missing_articles();
    return said;
  }

  // By the first generator of the list that does not fail. False if a quote must be extracted instead; an abstention of
  // a generator is final.
  bool generate(const Evidence& evidence) {
    const std::vector<NamedModel<Generator>> list = resources_.models.generators();
    std::string failure;
    for (size_t i = 0; i < list.size() && list[i].open; ++i) {
      if (state_.skip_if_late(i == 0 ? "generate" : "generate with the next"))
        return quote_instead(std::string(texts_.too_late));
      try {
        const std::shared_ptr<Generator> generator = open_generator(list[i]);
        return generator && generate_with(*generator, list[i].name, evidence);
      } catch (const Error& error) {
        const bool is_last = i + 1 == list.size();
        if (error.code() != Code::remote || (is_last && options_.answer != AnswerMode::automatic)) throw;
        failure = error.message();
        note_fallback(state_, {"generate", list[i].name, failure, is_last ? "extract" : list[i + 1].name});
      }
    }
    return quote_instead(fill(texts_.generator_failed, failure));
  }

  bool generate_with(Generator& generator, const std::string& name, const Evidence& evidence) {
    const GroundedPrompt prompt = prompt_for(generator);
    std::vector<Hit> sources;
    for (const size_t hit : prompt.sources) sources.push_back(reply_.hits[hit]);
    std::optional<SourceReader> reader;
    if (!state_.readings.empty()) {
      reading_ = open_reader();
      reader.emplace(*reading_, state_.question.text, evidence, state_.readings, options_.extract.max_quote_bytes);
    }
    GroundedText grounded(sources, reply_.fusion.language, options_.min_support,
                          {&resources_.laws, reader ? &*reader : nullptr});
    const Generation written = write(generator, prompt, grounded);
    reply_.generated = GenerationNote{written.prompt_tokens,
                                      written.prefix_tokens_reused,
                                      written.new_tokens,
                                      to_milliseconds(written.prefill_ns),
                                      to_milliseconds(written.decode_ns),
                                      name};
    if (written.finish == Finish::deadline) {
      reply_.skipped.push_back("generate: cut short by the deadline");
      reply_.cut_short = true;
    }
    if (grounded.abstains()) {
      abstain(texts_.generator_found_nothing);
      return true;
    }
    return keep(grounded);
  }

  // Null if mode auto cannot open it.
  std::shared_ptr<Generator> open_generator(const NamedModel<Generator>& named) {
    try {
      return named.open();
    } catch (const Error& error) {
      const bool unusable = error.code() == Code::missing || error.code() == Code::corrupt_file ||
                            error.code() == Code::mismatch || error.code() == Code::io;
      if (options_.answer != AnswerMode::automatic || !unusable) throw;
      quote_instead(fill(texts_.auto_unusable, error.message()));
      return nullptr;
    }
  }

  GroundedPrompt prompt_for(const Generator& generator) {
    const auto count = [&](std::span<const ChatMessage> messages) { return generator.count_tokens(messages); };
    if (!boundaries_) boundaries_ = options_.boundary_key.empty() ? BoundaryKey() : BoundaryKey(options_.boundary_key);
    const auto boundary_of = [&](std::string_view source) { return boundaries_->boundary(source); };
    return grounded_prompt(state_.question.text, reply_.hits, boundary_of,
                           generator.context_tokens() - options_.generate.max_new_tokens, count);
  }

  // A remote that fails in the middle is an error, and the next generator begins anew, unless a statement has been
  // shown already: that stays, and is the answer, since its source supports it.
  Generation write(Generator& generator, const GroundedPrompt& prompt, GroundedText& grounded) {
    GenerateOptions options = options_.generate;
    options.deadline_ms = state_.remaining_ms();
    bool shown = false;
    const auto stream = [&](const std::string& checked) {
      if (checked.empty() || !state_.stream) return true;
      shown = true;
      return state_.stream(checked);
    };
    Generation written;
    try {
      written = generator.chat(prompt.messages, options,
                               [&](std::string_view text) { return stream(grounded.add(text)) && !grounded.ended(); });
    } catch (const Error& error) {
      if (error.code() != Code::remote || !shown) throw;
      reply_.answer.note = fill(texts_.broke_off, error.message());
      reply_.cut_short = true;
      return written;
    }
    stream(grounded.finish());
    return written;
  }

  bool keep(const GroundedText& grounded) {
    if (grounded.text().empty())
      return quote_instead(std::string(grounded.loops() ? texts_.repeated_itself : texts_.not_borne_out));
    if (grounded.dropped() > 0) reply_.answer.note = fill(texts_.sentences_dropped, grounded.dropped());
    reply_.answer.text = grounded.text();
    reply_.citations = grounded.citations();
    return true;
  }

  bool quote_instead(std::string why) {
    reply_.answer.quoted_instead = true;
    reply_.answer.note = std::move(why);
    return false;
  }

  QuestionState& state_;
  Reply& reply_;
  const PipelineOptions& options_;
  const AnswerTexts& texts_;
  const Resources& resources_;
  std::optional<BoundaryKey>& boundaries_;
  const bool asks_for_several_ = asks_for_several(state_.question.words);
  std::optional<std::vector<AnswerSpan>> spans_;
  std::shared_ptr<Reader> reading_;  // held while the generator's statements are checked
};

// A caption is what a model says about an image, and no source says it: it is shown among the hits, and never quoted,
// nor given to a generator.
void answer_from_sources(QuestionState& state, const Resources& resources, std::optional<BoundaryKey>& boundaries) {
  std::vector<Hit>& hits = state.reply.hits;
  if (std::none_of(hits.begin(), hits.end(), [](const Hit& hit) { return hit.chunk.generated; }))
    return AnswerWriter(state, resources, boundaries).run();
  std::vector<Hit> all = hits;
  std::erase_if(hits, [](const Hit& hit) { return hit.chunk.generated; });
  AnswerWriter(state, resources, boundaries).run();
  hits = std::move(all);
}

}  // namespace

Stage answer_stage(const Resources& resources) {
  return {.name = "answer",
          .run = [&resources, boundaries = std::optional<BoundaryKey>()](
                     QuestionState& state) mutable { answer_from_sources(state, resources, boundaries); },
          .off = resources.options.answer == AnswerMode::none ? "no answer is asked for" : "",
          .deadline_group = "answer",
          .report_off = reported_elsewhere};  // Answer::mode
}

}  // namespace frugal
