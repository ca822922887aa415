#include "rag/answer/pipeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/ascii.h"
#include "base/error.h"
#include "base/units.h"
#include "rag/answer/answer_generate.h"
#include "rag/answer/cite.h"
#include "rag/answer/memory_peak.h"
#include "rag/answer/prompt.h"
#include "rag/law/articles.h"

namespace frugal {
namespace {

constexpr float kNamedReferenceConfidence = 0.99f;

// Stages do not overlap, so that what is left of the whole is time outside them.
Timings timings_of(const Trace& trace) {
  Timings t;
  int64_t in_stages_ns = 0;
  const auto take = [&](std::string_view stage) {
    const int64_t ns = trace.elapsed_ns(stage);
    in_stages_ns += ns;
    return to_milliseconds(ns);
  };
  t.startup_ms = take("startup");
  t.cache_ms = take("cache");
  t.hyde_ms = take("hyde");
  t.embed_ms = take("embed");
  t.retrieve_ms = take("retrieve");
  t.rerank_ms = take("rerank");
  t.answer_ms = take("answer");
  const int64_t total_ns = trace.total_ns();
  t.total_ms = to_milliseconds(total_ns);
  t.other_ms = to_milliseconds(total_ns - in_stages_ns);
  return t;
}

}  // namespace

std::string PipelineOptions::key() const {
  const DenseWeights& w = retrieve.dense_weights;
  return fmt::format(
      "dense {} sparse {} references {} fusion {} weights {} {} {} candidates {} top_k {} min_score {} hyde {} {} {} "
      "rerank {} answer {} read {} embedded {} quote {} generate {} {} {} {} {} {} {} abstain {} generator {} "
      "support "
      "{} deadline {} template {}",
      dense, retrieve.sparse, retrieve.references, to_string(retrieve.fusion), w.english, w.portuguese, w.other,
      retrieve.candidates, top_k, min_score, to_string(hyde.mode), hyde.max_new_tokens, hyde.timeout_ms, rerank,
      to_string(answer), extract.hits_read, extract.sentences_embedded, extract.max_quote_bytes,
      generate.max_new_tokens, generate.temperature, generate.top_p, generate.top_k, generate.min_p,
      generate.repeat_penalty, generate.seed, abstain_below, min_generator_parameters, min_support, deadline_ms,
      kPromptTemplate);
}

std::shared_ptr<Embedder> embedder_for(const Store& store, Models& models, std::string_view index_name) {
  std::shared_ptr<Embedder> embedder = models.embedder();
  const std::string& made_with = store.embedder_fingerprint();
  if (embedder->fingerprint() != made_with)
    throw Error(Code::mismatch, fmt::format("index '{}' was made with another embedder ({}, this one is {})",
                                            index_name, made_with, embedder->fingerprint()))
        .hint(fmt::format(
            "index again with rag-index add PATH… --index {} --re-embed, or name the pack that made it with "
            "--embedder, or search by words with --no-dense",
            index_name));
  return embedder;
}

// The question, what is known about it so far, and the clock.
struct Pipeline::Asking {
  Asking(const Query& query, const TokenSink& sink, Trace&& begun, int64_t deadline_ms)
      : stream(sink), trace(std::move(begun)), deadline_ms_(deadline_ms) {
    reply.query = query;
  }

  int64_t remaining_ms() const {
    if (deadline_ms_ <= 0) return 0;
    const auto spent = std::chrono::duration_cast<std::chrono::milliseconds>(Trace::Clock::now() - began_).count();
    return std::max<int64_t>(1, deadline_ms_ - spent);
  }
  // True once the time is over; what is skipped for it goes on record.
  bool too_late(std::string_view stage) {
    if (deadline_ms_ <= 0 || Trace::Clock::now() - began_ < std::chrono::milliseconds(deadline_ms_)) return false;
    reply.skipped.push_back(fmt::format("{}: deadline of {} ms", stage, deadline_ms_));
    reply.cut_short = true;
    trace.skip(stage, "deadline");
    return true;
  }

  Reply reply;
  const TokenSink& stream;
  Trace trace;
  std::shared_ptr<Embedder> embedder;  // from its first use to its last
  std::vector<float> vector;           // of the probe; empty: no dense list
  std::vector<FoundProvision> references;

 private:
  int64_t deadline_ms_;
  Trace::Clock::time_point began_ = Trace::Clock::now();
};

Pipeline::Pipeline(Store& store, Models& models, const LawTable& laws, PipelineOptions options,
                   const AnswerCache* cache, std::string index_name, const ProbeCache* probes)
    : store_(store),
      models_(models),
      laws_(laws),
      options_(std::move(options)),
      retriever_(store, laws, options_.retrieve),
      cache_(cache),
      index_name_(std::move(index_name)),
      probes_(probes) {}

Reply Pipeline::ask(const Query& query, const TokenSink& stream, Trace trace) {
  check_question(query.text);
  Asking asking(query, stream, std::move(trace), options_.deadline_ms);
  CacheKey key;
  if (cache_) {
    auto kept = asking.trace.stage("cache", [&] {
      key = cache_key(query);
      return cache_->find(key);
    });
    asking.reply.cache = CacheStatus::miss;
    if (kept) {
      asking.reply = std::move(*kept);
      asking.reply.query = query;
      asking.reply.cache = CacheStatus::exact;
      asking.reply.cache_similarity = 1.0f;
      finish(asking);
      return std::move(asking.reply);
    }
  }
  try {
    probe(asking);
    asking.trace.stage("retrieve", [&] { retrieve(asking); });
    rerank(asking);
  } catch (Error& error) {
    // What an answer takes is known when its prompt is; that it takes more than the search is known now.
    if (error.code() == Code::over_budget && answer_mode() == AnswerMode::generate)
      error.hint(error.hint() + "; generating the answer takes more");
    throw;
  }
  answer(asking);
  asking.reply.hits.resize(std::min(asking.reply.hits.size(), static_cast<size_t>(options_.top_k)));
  // A reply that the deadline cut short is not the answer to the question, only to the hurry.
  if (cache_ && !asking.reply.cut_short) asking.trace.stage("cache", [&] { cache_->put(key, asking.reply); });
  finish(asking);
  return std::move(asking.reply);
}

CacheKey Pipeline::cache_key(const Query& query) {
  return {collapse_spaces(query.text), options_.key(),
          fmt::format("{} generation {} chunks {} embedder {}", index_name_, store_.generation(), store_.chunk_count(),
                      store_.embedder_fingerprint()),
          models_.identity()};
}

void Pipeline::probe(Asking& asking) {
  Reply& reply = asking.reply;
  if (options_.dense && store_.embedder_fingerprint().empty()) {
    reply.skipped.push_back("dense: the index has no vectors");
    reply.hyde_reason = "skipped: the index has no vectors";
    return;
  }
  if (!options_.dense) {
    reply.skipped.push_back("dense: switched off");
    reply.hyde_reason = "skipped: dense retrieval is switched off";
    return;
  }
  if (asking.too_late("embed")) return;
  const HydeResult hyde = asking.trace.stage(
      "hyde", [&] { return expand(reply.query.text, options_.hyde, models_, asking.remaining_ms()); });
  reply.hyde_ran = hyde.ran;
  reply.hyde_reason = hyde.reason;
  asking.trace.stage("embed", [&] {
    asking.embedder = embedder_for(store_, models_, index_name_);
    asking.vector = embed(*asking.embedder, reply.query.text);
    if (hyde.ran) asking.vector = blend(asking.vector, embed(*asking.embedder, hyde.passage));
  });
  const AnswerMode mode = answer_mode();
  if (mode == AnswerMode::none || mode == AnswerMode::generate) asking.embedder.reset();
}

std::vector<float> Pipeline::embed(Embedder& embedder, const std::string& text) {
  const VectorKey key{embedder.fingerprint(), text, embedder.dimension()};
  if (probes_)
    if (auto known = probes_->find(key)) return std::move(*known);
  std::vector<float> vector(static_cast<size_t>(key.dimension));
  const std::string_view view = text;
  embedder.embed(std::span(&view, 1), vector);
  if (probes_) probes_->put(key, vector);
  return vector;
}

void Pipeline::retrieve(Asking& asking) {
  Reply& reply = asking.reply;
  if (!options_.retrieve.sparse) reply.skipped.push_back("sparse: switched off");
  if (options_.retrieve.references) asking.references = find_provisions(reply.query.text, laws_);
  Ranking ranking = retriever_.rank({reply.query.text, asking.vector});
  reply.fusion = std::move(ranking.note);
  const int64_t wanted =
      options_.answer == AnswerMode::none ? options_.top_k : std::max(options_.top_k, options_.extract.hits_read);
  reply.hits = retriever_.fetch(ranking, wanted, options_.min_score);
}

// The stage stands; the model that would run in it is yet to be trained, so its budget binds nothing.
void Pipeline::rerank(Asking& asking) {
  const std::string_view why = options_.rerank ? "no reranker configured" : "switched off";
  asking.trace.skip("rerank", why);
  asking.reply.skipped.push_back(fmt::format("rerank: {}", why));
}

void Pipeline::answer(Asking& asking) {
  if (options_.answer == AnswerMode::none || asking.too_late("answer")) return;
  asking.trace.stage("answer", [&] {
    Reply& reply = asking.reply;
    const AnswerMode mode = answer_mode();
    reply.answer.mode = mode;
    if (options_.answer == AnswerMode::automatic && mode == AnswerMode::extract)
      reply.answer.note = models_.generator_parameters() == 0 ? "auto: no generator, so quoted"
                                                              : "auto: the generator is too small, so quoted";
    if (reply.hits.empty()) return abstain(asking, "nothing was found");
    const Evidence evidence(reply.query.text, reply.fusion.language, asking.references, store_);
    reply.answer.confidence = confidence(asking, evidence);
    if (names_absent_articles(asking))
      return abstain(asking, fmt::format("the index does not hold {}", fmt::join(reply.fusion.missing, ", ")));
    if (*reply.answer.confidence < options_.abstain_below) return abstain(asking, "no source supports an answer");
    if (mode == AnswerMode::generate && generate(asking)) return;
    if (!reply.answer.abstained) extract(asking, evidence);
  });
}

AnswerMode Pipeline::answer_mode() const {
  if (options_.answer != AnswerMode::automatic) return options_.answer;
  return models_.generator_parameters() >= options_.min_generator_parameters ? AnswerMode::generate
                                                                             : AnswerMode::extract;
}

float Pipeline::confidence(const Asking& asking, const Evidence& evidence) const {
  const std::vector<Hit>& hits = asking.reply.hits;
  if (hits.front().reference_score) return kNamedReferenceConfidence;
  float coverage = 0;
  std::optional<float> cosine;
  for (size_t i = 0; i < std::min(hits.size(), static_cast<size_t>(options_.extract.hits_read)); ++i) {
    const Chunk& chunk = hits[i].chunk;
    coverage = std::max(coverage, evidence.coverage(chunk.title + "\n" + chunk.heading + "\n" + chunk.text));
    if (hits[i].dense_score) cosine = std::max(cosine.value_or(-1.0f), *hits[i].dense_score);
  }
  return answer_confidence(coverage, cosine);
}

// Articles are asked for by number, none is in the index, and the sources do not speak of them either.
bool Pipeline::names_absent_articles(const Asking& asking) const {
  const FusionNote& note = asking.reply.fusion;
  if (note.missing.empty() || !note.references.empty()) return false;
  const std::vector<Provision> asked = named_articles(asking.references);
  const std::vector<Hit>& hits = asking.reply.hits;
  return std::none_of(hits.begin(), hits.end(),
                      [&](const Hit& hit) { return mentions_article(hit.chunk.text, asked, laws_); });
}

void Pipeline::abstain(Asking& asking, std::string why) {
  Answered& answer = asking.reply.answer;
  answer.abstained = true;
  answer.text.reset();
  answer.note = std::move(why);
  asking.reply.citations.clear();
}

void Pipeline::extract(Asking& asking, const Evidence& evidence) {
  Reply& reply = asking.reply;
  if (!asking.vector.empty() && !asking.embedder) asking.embedder = models_.embedder();
  const auto quote = extract_quote(evidence, reply.hits, asking.embedder.get(), asking.vector, options_.extract);
  if (!quote) return abstain(asking, "no source holds a sentence to quote");
  reply.answer.mode = AnswerMode::extract;
  reply.citations = {cite(reply.hits[quote->hit], quote->begin, quote->end, 1)};
  reply.answer.text = collapse_spaces(reply.citations.front().quote);
}

// False: extract instead, the note says why. An abstention of the generator's counts as an answer.
bool Pipeline::generate(Asking& asking) {
  Reply& reply = asking.reply;
  if (asking.too_late("generate")) return false;
  const std::shared_ptr<Generator> generator = models_.generator();
  GenerateOptions options = options_.generate;
  options.deadline_ms = asking.remaining_ms();
  const auto count = [&](std::span<const ChatMessage> messages) { return generator->count_tokens(messages); };
  if (!boundaries_) boundaries_ = options_.boundary_key.empty() ? BoundaryKey() : BoundaryKey(options_.boundary_key);
  const auto boundary_of = [&](std::string_view source) { return boundaries_->boundary(source); };
  const GroundedPrompt prompt = grounded_prompt(reply.query.text, reply.hits, boundary_of,
                                                generator->context_tokens() - options.max_new_tokens, count);
  TokenSink plain_stream;
  if (asking.stream) plain_stream = [&](std::string_view text) { return asking.stream(plain_text(text)); };
  const Generation written = generator->chat(prompt.messages, options, plain_stream);
  reply.generated = GenerationNote{written.prompt_tokens, written.prefix_tokens_reused, written.new_tokens,
                                   to_milliseconds(written.prefill_ns), to_milliseconds(written.decode_ns)};
  if (written.finish == Finish::deadline) {
    reply.skipped.push_back("generate: cut short by the deadline");
    reply.cut_short = true;
  }
  if (says_not_in_sources(written.text)) {
    abstain(asking, "the generator found no answer in the sources");
    return true;
  }
  const std::span<const Hit> sources(reply.hits.data(), prompt.sources);
  GroundedText grounded = ground(check_sentences(written.text, sources, reply.fusion.language, options_.min_support),
                                 sources, reply.fusion.language);
  if (grounded.text.empty()) {
    reply.answer.note = "no source bears out what the generator wrote, so a source is quoted";
    return false;
  }
  if (grounded.dropped > 0)
    reply.answer.note = fmt::format("{} sentences that no source bears out were dropped", grounded.dropped);
  reply.answer.text = std::move(grounded.text);
  reply.citations = std::move(grounded.citations);
  return true;
}

void Pipeline::finish(Asking& asking) const {
  asking.embedder.reset();
  models_.tidy();
  asking.reply.memory = memory_peak(asking.trace, options_.measure_pss);
  asking.reply.timings = timings_of(asking.trace);
}

}  // namespace frugal
