// The prompt is that of Qwen3-Reranker's model card. It has no answer, so one pass over its tokens gives the logits
// that follow it, and of those only two rows of the output layer are needed:
//
//   relevance = (row of "yes" − row of "no") · state of the last token
//
// The rows are read once, when the model is opened. Checkpoints that were converted to a classifier have their
// difference as the only row of `score`.
//
// Question and passage are tokenised together with the words between them, as the model was trained: a byte-level
// tokenizer joins the space of "<Document>: " to the first word of the passage.
#include "model/heads/prompt_ranker.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "base/error.h"
#include "model/format/flat_json.h"
#include "model/format/sentence_modules.h"
#include "model/heads/ranker.h"
#include "model/nn/blocks.h"
#include "model/nn/pooling_config.h"
#include "model/vocabulary/build_tokenizer.h"

namespace frugal {
namespace {

constexpr std::string_view kBefore =
    "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct "
    "provided. "
    "Note that the answer can only be \"yes\" or \"no\".<|im_end|>\n<|im_start|>user\n";
constexpr std::string_view kAfter = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n";
constexpr std::string_view kInstruct = "<Instruct>: ", kQuery = "\n<Query>: ", kDocument = "\n<Document>: ";
constexpr std::string_view kInstruction = "Given a web search query, retrieve relevant passages that answer the query";

constexpr std::string_view kYesKey = "rank.yes", kNoKey = "rank.no", kInstructionKey = "rank.instruction";

// Rows of the output layer: the embeddings, unless the model has a layer of its own.
std::vector<float> output_rows(const ModelSource& source, Ops& ops, int64_t vocab, int64_t hidden,
                               std::span<const int32_t> ids) {
  const char* table = source.has("head.weight") ? "head.weight" : "embeddings.weight";
  const EmbeddingTable rows = source.embedding(table, vocab, hidden, ops);
  const Ops::Scope scope(ops);
  const View out = ops.allocate(Shape{int64_t(ids.size()), hidden});
  embed(ops, rows, ids, out, false);
  std::vector<float> values(static_cast<size_t>(out.shape.elements()));
  ops.download(out, values);
  return values;
}

std::vector<float> read_label(const ModelSource& source, Ops& ops, int64_t vocab, int64_t hidden) {
  if (source.has("rank.label.weight")) {
    const std::span<const float> label = source.vector("rank.label.weight", hidden);
    return {label.begin(), label.end()};
  }
  const auto token = [&](std::string_view key) {
    return static_cast<int32_t>(source.config().require_int(key, 0, vocab - 1));
  };
  const std::vector<float> rows = output_rows(source, ops, vocab, hidden, std::array{token(kYesKey), token(kNoKey)});
  std::vector<float> label(static_cast<size_t>(hidden));
  std::transform(rows.begin(), rows.begin() + hidden, rows.begin() + hidden, label.begin(), std::minus<>());
  return label;
}

class PromptRanker final : public Ranker {
 public:
  PromptRanker(std::string_view family, std::unique_ptr<TextEncoder> text_encoder, int64_t vocab,
               const ModelSource& source, Ops& ops)
      : Ranker(family, std::move(text_encoder), source, ops),
        before_(tokenizer().encode(kBefore, true)),
        after_(tokenizer().encode(kAfter, true)),
        question_prompt_(fmt::format("{}{}{}", kInstruct, source.config().require_text(kInstructionKey), kQuery)),
        label_(read_label(source, ops, vocab, encoder().hidden())) {
    const size_t words =
        tokenizer().encode(question_prompt_, false).size() + tokenizer().encode(kDocument, false).size();
    require_room(source.config(), int64_t(before_.size() + after_.size() + words));
  }

  ReaderPair pair(std::string_view question, std::string_view passage) const override {
    std::string text = fmt::format("{}{}{}", question_prompt_, cut(question), kDocument);
    const size_t begin = text.size();
    text += passage;
    std::vector<Tokenizer::Piece> pieces = tokenizer().encode_pieces(text, false);
    const size_t room = static_cast<size_t>(limits().pair) - before_.size() - after_.size();
    pieces.resize(std::min(pieces.size(), room));
    ReaderPair pair;
    pair.ids = before_;
    for (const Tokenizer::Piece& piece : pieces) pair.ids.push_back(piece.id);
    pair.ids.insert(pair.ids.end(), after_.begin(), after_.end());
    const auto first =
        std::find_if(pieces.begin(), pieces.end(), [&](const Tokenizer::Piece& piece) { return piece.end > begin; });
    pair.passage = before_.size() + static_cast<size_t>(first - pieces.begin());
    for (auto piece = first; piece != pieces.end(); ++piece)
      pair.pieces.push_back({piece->id, static_cast<uint32_t>(std::max<size_t>(piece->begin, begin) - begin),
                             static_cast<uint32_t>(piece->end - begin)});
    return pair;
  }

 private:
  // The part of a question that fits, in whole characters.
  std::string_view cut(std::string_view question) const {
    const std::vector<Tokenizer::Piece> pieces = tokenizer().encode_pieces(question, false);
    if (int64_t(pieces.size()) <= limits().question) return question;
    size_t end = pieces[static_cast<size_t>(limits().question)].begin;
    while (end > 0 && (static_cast<unsigned char>(question[end]) & 0xC0) == 0x80) --end;
    return question.substr(0, end);
  }

  std::vector<float> rank(const TokenBatch& batch) override {
    const Ops::Scope scope(ops());
    const View last = encode_pooled(ops(), encoder(), Pooling::last, batch);
    std::vector<float> states(static_cast<size_t>(last.shape.elements()));
    ops().download(last, states);
    std::vector<float> logits;
    logits.reserve(batch.spans.size());
    for (auto state = states.begin(); state != states.end(); state += last.cols())
      logits.push_back(std::inner_product(label_.begin(), label_.end(), state, 0.0f));
    return logits;
  }

  std::vector<TokenId> before_, after_;  // the tokens around the pair
  std::string question_prompt_;
  std::vector<float> label_;  // [hidden]
};

// --- plan of a checkpoint ------------------------------------------------------------------------------------------

// The tokens of both answers: those of sentence-transformers' LogitScore module, or else the words.
void plan_answers(const Checkpoint& checkpoint, int64_t vocab, std::map<std::string, std::string>& keys) {
  std::string file;
  for (const SentenceModule& module : read_modules(checkpoint))
    if (module.kind == "LogitScore") file = module.file("config.json");
  const auto side = checkpoint.side_file(file);
  const FlatJson score = side ? FlatJson(*side, file) : FlatJson();
  const std::string blob = side ? "" : build_tokenizer_blob(checkpoint.tokenizer());
  const auto put = [&](std::string_view key, std::string_view field, std::string_view word) {
    const std::optional<int64_t> stated = score.integer(field);
    std::optional<int64_t> id = stated;
    if (!side) id = Tokenizer::open(std::as_bytes(std::span(blob)))->find(word);
    if (!id)
      throw Error(Code::bad_input, side ? fmt::format("{}: '{}' is missing", file, field)
                                        : fmt::format("the tokenizer has no token '{}' for an answer", word));
    if (*id < 0 || *id >= vocab)
      throw Error(Code::bad_input,
                  fmt::format("the token {} of '{}' is outside the vocabulary of {}", *id, word, vocab));
    keys[std::string(key)] = std::to_string(*id);
  };
  put(kYesKey, "true_token_id", "yes");
  put(kNoKey, "false_token_id", "no");
}

}  // namespace

void plan_prompt_ranker(const Checkpoint& checkpoint, const RankedEncoder& encoder, TensorTable& table,
                        std::map<std::string, std::string>& keys) {
  plan_pair_limit(encoder.tokens, keys);
  const std::string instruction = planned_query_prompt(checkpoint);
  keys[std::string(kInstructionKey)] = instruction.empty() ? kInstruction : instruction;
  if (const SourceTensor* label = checkpoint.find("score.weight")) {
    if (label->shape.rows() != 1)
      throw Error(Code::bad_input, fmt::format("'score.weight' has {} labels; a ranker has one", label->shape.rows()))
          .hint("give a reranker with one label, or the checkpoint that it was made from");
    table.norm({"rank.label", "score", ""}, encoder.hidden);
    return;
  }
  plan_answers(checkpoint, encoder.vocab, keys);
  if (checkpoint.find("lm_head.weight")) table.embedding({"head.weight", "lm_head", ""}, encoder.vocab, encoder.hidden);
}

std::unique_ptr<Reader> make_prompt_ranker(std::string_view family, std::unique_ptr<TextEncoder> encoder, int64_t vocab,
                                           const ModelSource& source, Ops& ops) {
  return std::make_unique<PromptRanker>(family, std::move(encoder), vocab, source, ops);
}

}  // namespace frugal
