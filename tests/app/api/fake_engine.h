// An engine without models: what it answers can be told from what it was asked.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "app/api/engine.h"
#include "base/error.h"

namespace frugal::testing {

class FakeEngine : public api::Engine {
 public:
  /// The answer is the question in capitals; "nothing" is not in the sources; "fail" is an index that is missing.
  Reply ask(const api::AskRequest& request, const TokenSink& stream) override {
    wait_while_held();
    last_ask = request;
    if (request.query.text == "fail") throw Error(Code::missing, "no index").hint("run rag-index add");
    if (request.query.text == "bug") throw std::runtime_error("secret of the inside");
    Reply reply;
    reply.query = request.query;
    if (request.query.text == "nothing") {
      reply.answer.abstained = true;
      return reply;
    }
    std::string text = request.query.text;
    for (char& c : text)
      if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    for (int i = 0; stream && i < pieces; ++i)
      if (!stream(text)) ++cancelled;
    reply.answer.mode = AnswerMode::extract;
    reply.answer.text = text + " [1]";
    Citation citation;
    citation.n = 1;
    citation.path = "notes.txt";
    citation.line = 7;
    citation.quote = text;
    reply.citations.push_back(citation);
    return reply;
  }

  /// The vector of a text is its length, then 1; its tokens are its bytes.
  api::Embedded embed(const api::EmbedRequest& request) override {
    api::Embedded embedded;
    embedded.max_tokens = 512;
    for (const std::string& text : request.texts) {
      embedded.vectors.push_back({float(text.size()), 1});
      if (request.with_weights) embedded.weights.push_back({{3, 0.5f}});
      embedded.tokens.push_back(int64_t(text.size()));
    }
    return embedded;
  }

  /// The logit of a text is its length, less 3.
  api::Reranked rerank(const api::RerankRequest& request) override {
    api::Reranked ranked;
    for (const std::string& text : request.texts) {
      ranked.logits.push_back(float(text.size()) - 3);
      ranked.tokens.push_back(int64_t(text.size()));
    }
    return ranked;
  }

  /// Repeats the last message, word by word, as far as one that is "broken".
  Generation generate(std::span<const ChatMessage> messages, const GenerateOptions& options,
                      const TokenSink& stream) override {
    last_generate = options;
    Generation generation;
    std::string rest = messages.back().content;
    while (!rest.empty() && generation.new_tokens < options.max_new_tokens) {
      const size_t end = std::min(rest.find(' ', 1), rest.size());
      generation.text += rest.substr(0, end);
      ++generation.new_tokens;
      if (rest.starts_with(" broken")) throw Error(Code::over_budget, "the cache does not fit");
      if (stream && !stream(rest.substr(0, end))) {
        generation.finish = Finish::cancelled;
        return generation;
      }
      rest.erase(0, end);
    }
    generation.prompt_tokens = int64_t(messages.size());
    generation.finish = rest.empty() ? Finish::stop : Finish::length;
    return generation;
  }

  GenerateOptions generate_defaults() const override { return {}; }
  std::vector<Tokenizer::Piece> tokenize(const std::string& text) override { return {{1, 0, uint32_t(text.size())}}; }
  Passage read(const std::string& place) override {
    if (place.starts_with("other")) throw Error(Code::bad_input, "the index has no such file");
    return {place, 1, 2, SourceState::unchanged, false, "first\nsecond\n"};
  }
  /// Its statements are the words of the text; "fail" is a model that is missing after the first of them.
  SummarySession::Result summarise(const api::SummariseRequest& request, const api::SummarySink& sink) override {
    last_summary = request;
    SummarySession::Result result;
    result.frame.path = "text";
    std::istringstream words(request.text);
    for (std::string word; words >> word;) {
      if (word == "fail") throw Error(Code::missing, "no model").hint("set models.summarizer");
      result.summary.statements.push_back({word, int64_t(result.summary.statements.size()) + 1});
      if (!sink(nullptr) || !sink(&result.summary.statements.back()))
        throw Error(Code::negative, "the client has left");
    }
    return result;
  }
  /// An image is as wide as it has bytes; its text is the prompt.
  api::Captioned describe(const api::CaptionRequest& request, const TokenSink&) override {
    last_image = request.image;
    api::Captioned captioned;
    captioned.model = "painter.pack";
    captioned.caption.path = "image";
    captioned.caption.width = int64_t(request.image.size());
    captioned.caption.written.text = request.prompt;
    return captioned;
  }
  void preload() override { wait_while_held(); }
  void set_keep_alive(std::chrono::milliseconds duration) override { keep_alive = duration; }
  void unload_if_idle() override {}
  uint64_t unload() override {
    ++unloads;
    if (unload_fails) throw Error(Code::io, "the index cannot be closed");
    return 4096;
  }
  api::EngineStatus status() const override {
    api::EngineStatus status;
    status.index = "/somewhere/kb";
    status.models = {{"embedder", "e5.pack", "/models/e5.pack", 100, true, 1, 2},
                     {"reader", "judge.pack", "/models/judge.pack", 100, false, 0, 0},
                     {"generator", "writer.pack", "/models/writer.pack", 100, false, 0, 0}};
    status.is_awake = true;
    status.asked = asked;
    if (keep_alive >= std::chrono::milliseconds(0)) status.closes_at = last_use + keep_alive;
    return status;
  }

  /// While held, questions wait.
  void hold() {
    const std::lock_guard guard(mutex_);
    held_ = true;
  }
  void release() {
    {
      const std::lock_guard guard(mutex_);
      held_ = false;
    }
    changed_.notify_all();
  }

  api::AskRequest last_ask;
  GenerateOptions last_generate;
  api::SummariseRequest last_summary;
  std::string last_image;
  std::chrono::milliseconds keep_alive{0};
  std::atomic<int> unloads{0}, cancelled{0}, waiting{0};
  int pieces = 2;  // of a streamed answer
  int64_t asked = 0;
  bool unload_fails = false;
  std::chrono::system_clock::time_point last_use{};

 private:
  void wait_while_held() {
    std::unique_lock guard(mutex_);
    ++waiting;
    changed_.wait(guard, [&] { return !held_; });
    --waiting;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool held_ = false;
};

}  // namespace frugal::testing
