// BERT as a reader: a first exit ranks, the last layer ranks and reads. The layer of the first exit is computed for the
// first token alone; the few pairs that are read to the end go through it again as a whole. The heads are single linear
// layers in fp32: relevance from the first token at either exit; at the last layer also "answerable" from the first
// token, and begin and end of the answer from every token, where the first token stands for "no answer" (Devlin et al.
// 2018, 4.3).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "model/heads/reader_pairs.h"
#include "model/heads/source_tokenizer.h"
#include "model/nn/architecture.h"
#include "model/nn/config_reader.h"
#include "model/nn/reader.h"
#include "model/trunks/bert_encoder.h"

namespace frugal {
namespace {

// The coefficients of ConfidenceFeatures::values(), and the intercept behind them; others where the contrast is not
// known.
constexpr std::string_view kConfidence = "heads.confidence", kWithoutContrast = "heads.confidence_without_contrast";
constexpr int64_t kConfidenceSize = ConfidenceFeatures::kCount + 1;

struct ReaderConfig {
  int64_t first_exit, max_question, max_tokens;
};

using C = ReaderConfig;
constexpr HyperField<C> kFields[] = {
    {"first_exit", {"first_exit", ""}, &C::first_exit, {1, 1024}},
    {"max_question", {"max_question_tokens", ""}, &C::max_question, {1, 1 << 16}, 64.0},
    {"max_tokens", {"max_pair_tokens", ""}, &C::max_tokens, {8, 1 << 16}, 256.0},
};
constexpr HyperTable<C> kHyper("reader", kFields);

// outputs · hidden weights, and the biases.
struct Head {
  std::span<const float> weight, bias;

  float operator()(std::span<const float> state, size_t output = 0) const {
    const std::span<const float> row = weight.subspan(output * state.size(), state.size());
    float sum = bias[output];
    for (size_t i = 0; i < state.size(); ++i) sum += row[i] * state[i];
    return sum;
  }
};

class BertReader final : public Reader {
 public:
  BertReader(const ModelSource& source, Ops& ops)
      : ops_(ops),
        encoder_(source, ops),
        config_(kHyper.read(source.config())),
        hidden_(static_cast<size_t>(encoder_.config().hidden)),
        tokenizer_(open_tokenizer(source)),
        identity_(fmt::format("bert-reader/{}", source.identity())) {
    const BertConfig& bert = encoder_.config();
    if (config_.first_exit >= bert.layers) source.config().fail("reader.first_exit is not below bert.layers");
    if (config_.max_tokens > encoder_.max_tokens()) source.config().fail("reader.max_tokens is above bert.positions");
    if (bert.types < 2) source.config().fail("a reader needs two bert.types, for question and passage");
    const auto fixed =
        int64_t(tokenizer_->prefix().size() + tokenizer_->separator().size() + tokenizer_->suffix().size());
    if (config_.max_question + fixed >= config_.max_tokens)
      source.config().fail("reader.max_question leaves no room for a passage");
    const auto head = [&](const std::string& name, int64_t outputs) {
      return Head{source.vector(name + ".weight", outputs * bert.hidden), source.vector(name + ".bias", outputs)};
    };
    rank_first_ = head("heads.rank_first", 1);
    rank_last_ = head("heads.rank_last", 1);
    span_ = head("heads.span", 2);
    answerable_ = head("heads.answerable", 1);
    if (source.has(kConfidence)) confidence_ = source.vector(kConfidence, kConfidenceSize);
    if (source.has(kWithoutContrast)) without_contrast_ = source.vector(kWithoutContrast, kConfidenceSize);
  }

  std::string identity() const override { return identity_; }
  const Tokenizer& tokenizer() const override { return *tokenizer_; }
  int64_t max_tokens() const override { return config_.max_tokens; }

  ReaderPair pair(std::string_view question, std::string_view passage) const override {
    return make_reader_pair(*tokenizer_, {config_.max_question, config_.max_tokens}, question, passage);
  }

  std::vector<HalfRead> read_half(std::span<const ReaderPair> pairs) override {
    std::vector<HalfRead> halves(pairs.size());
    in_pair_batches(
        pairs.size(), [&](size_t i) { return pairs[i].ids.size(); },
        [&](size_t first, size_t last) {
          TokenBatch batch;
          for (size_t i = first; i < last; ++i) {
            encoder_.check_ids(pairs[i].ids);
            batch.append(pairs[i].ids, pairs[i].passage);
          }
          const Ops::Scope scope(ops_);
          const View x = encoder_.embed(batch);
          encoder_.run(batch.spans, x, 0, config_.first_exit - 1);
          const View firsts = ops_.allocate(Shape{int64_t(last - first), encoder_.config().hidden});
          encoder_.run_firsts(batch.spans, x, config_.first_exit - 1, firsts);
          std::vector<float> ranked(static_cast<size_t>(firsts.shape.elements()));
          std::vector<float> states(static_cast<size_t>(x.shape.elements()));
          ops_.download(firsts, ranked);
          ops_.download(x, states);
          std::span<const float> rest = states;
          for (size_t i = first; i < last; ++i) {
            const std::span<const float> own = rest.first(pairs[i].ids.size() * hidden_);
            rest = rest.subspan(own.size());
            halves[i] = {rank_first_(std::span<const float>(ranked).subspan((i - first) * hidden_, hidden_)),
                         pairs[i].passage,
                         pairs[i].pieces.size(),
                         {own.begin(), own.end()}};
          }
        });
    return halves;
  }

  std::vector<Reading> read_rest(std::span<const HalfRead* const> halves) override {
    std::vector<Reading> readings(halves.size());
    in_pair_batches(
        halves.size(), [&](size_t i) { return halves[i]->states.size() / hidden_; },
        [&](size_t first, size_t last) {
          std::vector<float> states;
          std::vector<AttentionSpan> spans;
          for (size_t i = first; i < last; ++i) {
            const auto begin = int64_t(states.size() / hidden_), tokens = int64_t(halves[i]->states.size() / hidden_);
            spans.push_back({begin, tokens, begin, tokens});
            states.insert(states.end(), halves[i]->states.begin(), halves[i]->states.end());
          }
          const Ops::Scope scope(ops_);
          const View x = ops_.allocate(Shape{int64_t(states.size() / hidden_), encoder_.config().hidden});
          ops_.upload(states, x);
          encoder_.run(spans, x, config_.first_exit - 1, encoder_.config().layers);
          ops_.download(x, states);
          for (size_t i = first; i < last; ++i)
            readings[i] = reading_of(
                *halves[i], std::span<const float>(states).subspan(
                                static_cast<size_t>(spans[i - first].q_begin) * hidden_, halves[i]->states.size()));
        });
    return readings;
  }

  float confidence(const ConfidenceFeatures& features) const override {
    float logit = features.answerable;
    const std::span<const float> coefficients = features.contrast ? confidence_ : without_contrast_;
    if (!coefficients.empty()) {
      const std::array<float, ConfidenceFeatures::kCount> values = features.values();
      logit = std::inner_product(values.begin(), values.end(), coefficients.begin(), coefficients.back());
    }
    return 1 / (1 + std::exp(-logit));
  }

 private:
  // states: those of the last layer, [ids, hidden].
  Reading reading_of(const HalfRead& half, std::span<const float> states) const {
    const std::span<const float> start = states.first(hidden_);
    Reading reading;
    reading.relevance = rank_last_(start);
    reading.answerable = answerable_(start);
    reading.none = span_(start, 0) + span_(start, 1);
    for (size_t i = 0; i < half.pieces; ++i) {
      const std::span<const float> state = states.subspan((half.passage + i) * hidden_, hidden_);
      reading.begin.push_back(span_(state, 0));
      reading.end.push_back(span_(state, 1));
    }
    return reading;
  }

  Ops& ops_;
  BertEncoder encoder_;
  ReaderConfig config_;
  size_t hidden_;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::string identity_;
  Head rank_first_, rank_last_, span_, answerable_;
  std::span<const float> confidence_, without_contrast_;  // empty: none
};

ModelPlan plan(const Checkpoint& checkpoint) {
  ModelPlan plan;
  TensorTable table = bert_names();
  const BertConfig bert = plan_bert_encoder(checkpoint, table, plan.config);
  const ReaderConfig config = kHyper.read(ConfigReader(checkpoint));
  kHyper.write(config, plan.config);
  for (const auto& [name, outputs] :
       {std::pair("rank_first", 1), std::pair("rank_last", 1), std::pair("span", 2), std::pair("answerable", 1)})
    table.exact({fmt::format("heads.{}", name), name, ""}, outputs, bert.hidden);
  table.optional_vector({std::string(kConfidence), "confidence", ""}, kConfidenceSize);
  table.optional_vector({std::string(kWithoutContrast), "confidence_without_contrast", ""}, kConfidenceSize);
  plan.tensors = std::move(table).take();
  return plan;
}

std::unique_ptr<Model> open(const ModelSource& source, Ops& ops) {
  return std::make_unique<BertReader>(source, ops);
}

constexpr std::string_view kAliases[] = {"bert-reader"};

}  // namespace

extern const Architecture kBertReaderArchitecture{"bert-reader", kAliases, ModelKind::reader, plan, open};

}  // namespace frugal
