// The engine of the server: the index and the models of the settings, opened by the first request that needs them and
// closed when none has come for a while. Opening takes about as long as a question, so closing costs little.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "app/api/batcher.h"
#include "app/api/engine.h"
#include "app/api/fair_mutex.h"
#include "app/wiring/query_session.h"
#include "app/wiring/settings.h"

namespace frugal::api {

class WarmEngine final : public Engine {
 public:
  /// Opens nothing. Borrows its arguments.
  WarmEngine(const cli::Tool& tool, const Settings& settings, std::chrono::milliseconds keep_alive);
  ~WarmEngine() override;

  Reply ask(const AskRequest& request, const TokenSink& stream) override;
  Embedded embed(const EmbedRequest& request) override;
  Reranked rerank(const RerankRequest& request) override;
  Generation generate(std::span<const ChatMessage> messages, const GenerateOptions& options,
                      const TokenSink& stream) override;
  GenerateOptions generate_defaults() const override;
  SummarySession::Result summarise(const SummariseRequest& request, const SummarySink& sink) override;
  Captioned describe(const CaptionRequest& request, const TokenSink& sink) override;
  std::vector<Tokenizer::Piece> tokenize(const std::string& text) override;
  Passage read(const std::string& place) override;
  void preload() override;
  void set_keep_alive(std::chrono::milliseconds duration) override;
  void unload_if_idle() override;
  uint64_t unload() override;
  EngineStatus status() const override;

 private:
  struct EmbedJob {
    const EmbedRequest* request;
    Embedded result;
    size_t weight() const;
  };
  struct RerankJob {
    const RerankRequest* request;
    Reranked result;
    size_t weight() const;
  };
  struct Opened;
  // What is computed counts as use at its end, too: it may take longer than a quiet second, and leaves memory behind.
  class InUse {
   public:
    explicit InUse(WarmEngine& engine);
    ~InUse();
    InUse(const InUse&) = delete;
    InUse& operator=(const InUse&) = delete;

   private:
    WarmEngine& engine_;
  };

  // All of these need turn_.
  Models& models();
  QuerySession& session();
  void close();
  void embed_batch(std::span<EmbedJob* const> jobs);
  void rerank_batch(std::span<RerankJob* const> jobs);
  void publish(std::shared_ptr<Opened> opened);
  void let_others_compute();

  void note_use();
  void note_times(const Reply& reply);

  const cli::Tool& tool_;
  const Settings& settings_;
  std::atomic<int64_t> keep_alive_ms_;
  std::atomic<int64_t> last_use_ms_{0}, last_trim_ms_{0};
  std::atomic<bool> has_used_heap_{false}, has_working_memory_{false};  // since the last release of it
  std::atomic<int64_t> asked_{0}, embedded_{0}, reranked_{0}, generated_{0}, batches_{0};
  FairMutex writing_;               // of a summary or a caption, which pass their turn on; taken before turn_
  FairMutex turn_;                  // of whoever computes: threads and caches serve one computation best
  std::shared_ptr<Opened> opened_;  // shared with a generation that others interrupt
  Batcher<EmbedJob> embeds_;
  Batcher<RerankJob> reranks_;
  std::string index_;  // its folder; empty: none
  mutable std::mutex status_mutex_;
  std::shared_ptr<const Opened> published_;  // what status() may look at; null: nothing is open
  EngineTimes times_;
  size_t next_recent_ = 0;
};

}  // namespace frugal::api
