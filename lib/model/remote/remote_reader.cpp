#include "model/remote/remote_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "model/remote/estimating_tokenizer.h"
#include "model/remote/remote_answer.h"

namespace frugal {
namespace {

constexpr int64_t kMaxBytes = 64 << 10;  // of a pair; a service cuts what its model does not take

class RemoteReader final : public Reader {
 public:
  RemoteReader(std::shared_ptr<HttpService> service, const ModelEntry& remote)
      : service_(std::move(service)), remote_(remote) {}

  std::string identity() const override { return remote_.name; }
  const Tokenizer& tokenizer() const override { return tokenizer_; }
  int64_t max_tokens() const override { return kMaxBytes; }
  bool finds_answers() const override { return false; }

  ReaderPair pair(std::string_view question, std::string_view passage) const override {
    question = question.substr(0, kMaxBytes / 2);
    passage = passage.substr(0, kMaxBytes - question.size());
    ReaderPair pair{tokenizer_.encode(question, false), question.size(), {}};
    const std::vector<TokenId> ids = tokenizer_.encode(passage, false);
    pair.ids.insert(pair.ids.end(), ids.begin(), ids.end());
    return pair;
  }

  std::vector<HalfRead> read_half(std::span<const ReaderPair> pairs) override {
    std::vector<HalfRead> halves(pairs.size());
    for (size_t begin = 0; begin < pairs.size();) {
      // A request is for one question.
      const std::string question = question_of(pairs[begin]);
      size_t end = begin + 1;
      while (end < pairs.size() && question_of(pairs[end]) == question) ++end;
      const std::vector<float> scores = ask(question, pairs.subspan(begin, end - begin));
      for (size_t i = begin; i < end; ++i) halves[i] = {scores[i - begin], pairs[i].passage, 0, {}};
      begin = end;
    }
    return halves;
  }

  std::vector<Reading> read_rest(std::span<const HalfRead* const> halves) override {
    std::vector<Reading> readings;
    readings.reserve(halves.size());
    for (const HalfRead* half : halves) readings.push_back({half->relevance, 0, 0, {}, {}});
    return readings;
  }

  float confidence(const ConfidenceFeatures& features) const override {
    return 1 / (1 + std::exp(-features.answerable));
  }

 private:
  std::string question_of(const ReaderPair& pair) const {
    return tokenizer_.decode(std::span(pair.ids).first(pair.passage), true);
  }

  std::vector<float> ask(const std::string& question, std::span<const ReaderPair> pairs) {
    std::vector<std::string> passages;
    passages.reserve(pairs.size());
    for (const ReaderPair& pair : pairs)
      passages.push_back(tokenizer_.decode(std::span(pair.ids).subspan(pair.passage), true));
    const std::string texts = json_strings({passages.begin(), passages.end()});
    const bool is_tei = remote_.shape == RemoteShape::tei;
    const std::string request =
        is_tei ? fmt::format("{{\"query\":{},\"texts\":{},\"raw_scores\":true,\"truncate\":true}}",
                             json_string(question), texts)
               : fmt::format("{{\"model\":{},\"query\":{},\"documents\":{},\"top_n\":{}}}", json_string(remote_.model),
                             json_string(question), texts, pairs.size());
    const RemoteAnswer answer(*service_,
                              service_->post(is_tei ? "/rerank" : api_path(remote_.url, "/rerank"), request));
    const simdjson::dom::array results =
        is_tei ? answer.list(answer.root(), "body") : answer.list(answer.member(answer.root(), "results"), "'results'");
    if (results.size() != pairs.size())
      answer.fail(fmt::format("{} scores for {} texts", results.size(), pairs.size()));
    std::vector<float> scores(pairs.size(), std::nanf(""));
    for (const simdjson::dom::element result : results) {
      const int64_t index = answer.integer(result, "index");
      if (index < 0 || static_cast<size_t>(index) >= scores.size() || !std::isnan(scores[static_cast<size_t>(index)]))
        answer.fail(fmt::format("a score has the index {}", index));
      const float score = answer.number(answer.member(result, is_tei ? "score" : "relevance_score"), "score");
      scores[static_cast<size_t>(index)] = remote_.shape == RemoteShape::cohere ? logit_of(answer, score) : score;
    }
    return scores;
  }

  static float logit_of(const RemoteAnswer& answer, float probability) {
    constexpr float kLeast = 1e-6f;
    if (probability < 0 || probability > 1)
      answer.fail(fmt::format("the score {} is no probability (openai: takes logits)", probability));
    const float p = std::clamp(probability, kLeast, 1 - kLeast);
    return std::log(p / (1 - p));
  }

  std::shared_ptr<HttpService> service_;
  const ModelEntry remote_;
  const EstimatingTokenizer tokenizer_;
};

}  // namespace

std::unique_ptr<Reader> make_remote_reader(std::shared_ptr<HttpService> service, const ModelEntry& remote) {
  if (remote.shape != RemoteShape::tei && remote.model.empty())
    throw Error(Code::usage, fmt::format("'{}' is no reader", remote.name))
        .hint("write models.reader like tei:http://127.0.0.1:8080 or cohere:http://127.0.0.1:8080#MODEL");
  return std::make_unique<RemoteReader>(std::move(service), remote);
}

}  // namespace frugal
