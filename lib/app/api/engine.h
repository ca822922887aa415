// What the routes of the server can ask for: answers from the index, vectors, scores, generated text, summaries. One
// interface for the protocols, so that each is only a translation. WarmEngine (warm_engine.h) implements it with the
// models and the index of the settings; tests have one of their own.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/wiring/caption_report.h"
#include "app/wiring/summary_session.h"
#include "model/generate/generator.h"
#include "model/nn/embedder.h"
#include "rag/reply/passage.h"
#include "rag/reply/reply.h"

namespace frugal::api {

/// A question, with settings of PipelineOptions for it alone: "retrieval.top_k" = "3".
struct AskRequest {
  Query query;
  std::vector<std::pair<std::string, std::string>> settings;
};

struct EmbedRequest {
  std::vector<std::string> texts;
  TextRole role = TextRole::passage;
  bool with_weights = false;  // also the weights of tokens (learned sparse), if the embedder has them
};

/// Of each text.
struct Embedded {
  std::vector<std::vector<float>> vectors;        // [dimension] each
  std::vector<std::vector<TokenWeight>> weights;  // if they were asked for
  std::vector<int64_t> tokens;                    // of the whole text, those of the template included
  int64_t max_tokens = 0;                         // longer texts were cut to it
};

struct RerankRequest {
  std::string query;
  std::vector<std::string> texts;
};

struct Reranked {
  std::vector<float> logits;  // of relevance, one for each text; comparable only within one request
  std::vector<int64_t> tokens;
};

struct SummariseRequest {
  std::string text;
  std::optional<SummaryStyle> style = {};  // nullopt: as set
  std::optional<int64_t> max_words = {};   // nullopt: as set
};

/// Gets each sentence of a summary as soon as it is known, and null between the parts of a long text. False ends the
/// work.
using SummarySink = std::function<bool(const SummaryStatement* statement)>;

struct CaptionRequest {
  std::string image;   // the bytes of a file
  std::string prompt;  // empty: a caption is asked for
};

struct Captioned {
  ImageCaption caption;
  std::string model;  // file of its pack
};

struct EngineModel {
  std::string role;  // "embedder", "reader", "generator"
  std::string name;  // as configured: of the pack
  std::string file;  // empty: there is none
  uint64_t file_bytes = 0;
  bool is_loaded = false;
  int64_t loads = 0, uses = 0;
};

/// Of the questions so far.
struct EngineTimes {
  std::vector<std::pair<std::string, double>> stage_ms;  // sum by stage (Timings)
  std::vector<double> recent_ms;                         // of the last questions, in no order
  int64_t cache_hits = 0;
};

struct EngineStatus {
  std::string index;                   // its folder; empty: none
  std::optional<uint64_t> generation;  // of the open index; nullopt: it is not open
  std::vector<EngineModel> models;
  std::optional<std::chrono::system_clock::time_point> closes_at = {};  // unless used again; nullopt: never
  bool is_awake = false;                                                // an index or a model is open
  int64_t asked = 0, embedded = 0, reranked = 0, generated = 0;         // texts or questions so far
  int64_t batches = 0;  // passes that embedded or ranked: fewer than their requests where these came together
  EngineTimes times;
};

/// Thread-safe. Calls may wait for each other: there is one computation at a time. Each throws Error: missing (a model
/// or an index), mismatch, bad_input, over_budget.
class Engine {
 public:
  virtual ~Engine() = default;
  virtual Reply ask(const AskRequest& request, const TokenSink& stream) = 0;
  virtual Embedded embed(const EmbedRequest& request) = 0;
  virtual Reranked rerank(const RerankRequest& request) = 0;
  virtual Generation generate(std::span<const ChatMessage> messages, const GenerateOptions& options,
                              const TokenSink& stream) = 0;
  /// The generator's options from the settings.
  virtual GenerateOptions generate_defaults() const = 0;
  /// The tokens of a text, with those of the template, and their bytes in it.
  virtual std::vector<Tokenizer::Piece> tokenize(const std::string& text) = 0;
  /// Throws Error(negative) if there is no sentence to summarise, or `sink` ended it.
  virtual SummarySession::Result summarise(const SummariseRequest& request, const SummarySink& sink) = 0;
  /// `sink` is called between tokens, and may end it. Throws Error(missing) if no captioner is configured.
  virtual Captioned describe(const CaptionRequest& request, const TokenSink& sink) = 0;
  /// Lines of an indexed file, as read_passage() finds them.
  virtual Passage read(const std::string& place) = 0;
  /// Opens index and embedder, so that the next request does not wait for them.
  virtual void preload() = 0;
  /// How long after the last request they stay loaded, from now on; negative: for ever.
  virtual void set_keep_alive(std::chrono::milliseconds duration) = 0;
  /// To be called now and then: unload(), if nothing was asked for so long. Returns free memory to the system after a
  /// second without a request, and about once a second while requests keep coming.
  virtual void unload_if_idle() = 0;
  /// Closes the index and unloads the models once no request uses them. Returns the anonymous bytes that this freed.
  virtual uint64_t unload() = 0;
  /// Loads and opens nothing, and waits for no computation.
  virtual EngineStatus status() const = 0;
};

}  // namespace frugal::api
