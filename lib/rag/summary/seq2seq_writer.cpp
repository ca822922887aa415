#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "model/generate/seq2seq_generator.h"
#include "rag/summary/summary_length.h"
#include "rag/summary/summary_writer.h"
#include "rag/text/plain_text.h"

namespace frugal {
namespace {

class Seq2SeqWriter final : public SummaryWriter {
 public:
  Seq2SeqWriter(Seq2Seq& model, Budget& budget, KvType kv_type) : model_(model), budget_(budget), kv_type_(kv_type) {}

  std::string identity() const override { return fmt::format("{} {}", model_.identity(), to_string(kv_type_)); }

  int64_t count_tokens(std::string_view text) const override {
    return int64_t(model_.tokenizer().encode(text, false).size());
  }

  int64_t max_source_tokens(int64_t) const override {
    const Tokenizer& tokenizer = model_.tokenizer();
    const int64_t around = int64_t(tokenizer.prefix().size() + tokenizer.suffix().size());
    return std::max<int64_t>(model_.max_source_tokens() - around - count_tokens(model_.settings().summary_prefix), 1);
  }

  WrittenSummary write(const SummaryRequest& request, const TokenSink& sink) override {
    Seq2SeqSettings settings = model_.settings();
    const std::string text = plain_text(request.text);
    settings.max_length = std::max<int64_t>(tokens_for_words(request.max_words, text, count_tokens(text)), 2);
    settings.min_length = std::min(settings.min_length, settings.max_length / 2);
    RewrittenText written = rewrite_text(model_, settings.summary_prefix + text, settings, budget_, kv_type_);
    if (sink) sink(written.text);
    return {std::move(written.text), written.source_tokens, written.new_tokens};
  }

 private:
  Seq2Seq& model_;
  Budget& budget_;
  KvType kv_type_;
};

}  // namespace

std::unique_ptr<SummaryWriter> make_seq2seq_writer(Seq2Seq& model, Budget& budget, KvType kv_type) {
  return std::make_unique<Seq2SeqWriter>(model, budget, kv_type);
}

}  // namespace frugal
