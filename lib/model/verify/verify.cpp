#include "model/verify/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/error.h"
#include "base/file.h"
#include "compute/ops/ops.h"
#include "memory/budget.h"
#include "model/nn/model_source.h"

namespace frugal {

// Each is defined in verify_KIND.cpp.
extern const QuantizedKind kQuantizedEmbedder, kQuantizedDecoder, kQuantizedReader, kQuantizedSeq2Seq,
    kQuantizedImageEmbedder, kQuantizedVisionLanguage;

namespace {

constexpr const QuantizedKind* kKinds[] = {&kQuantizedEmbedder, &kQuantizedDecoder,       &kQuantizedReader,
                                           &kQuantizedSeq2Seq,  &kQuantizedImageEmbedder, &kQuantizedVisionLanguage};

std::string to_text(const QualityFigure& figure) {
  const std::string_view side = figure.side == QualityFigure::Bound::at_least ? "at least" : "at most";
  if (figure.percent)
    return fmt::format("{} {:.1f} % ({} {:.0f} %)", figure.label, 100 * figure.value, side, 100 * figure.bound);
  return fmt::format("{} {:.4f} ({} {})", figure.label, figure.value, side, figure.bound);
}

}  // namespace

const QuantizedKind& quantized_kind(ModelKind kind) {
  const auto at = std::find_if(std::begin(kKinds), std::end(kKinds), [&](const auto* k) { return k->kind == kind; });
  FRUGAL_CHECK(at != std::end(kKinds));
  return **at;
}

bool Verification::passed() const {
  return !figures.empty() && std::all_of(figures.begin(), figures.end(), [](const auto& f) { return f.holds(); });
}

double Verification::value(std::string_view name) const {
  const auto at = std::find_if(figures.begin(), figures.end(), [&](const auto& f) { return f.name == name; });
  FRUGAL_CHECK(at != figures.end());
  return at->value;
}

std::string Verification::summary() const {
  std::string text;
  for (const QualityFigure& figure : figures) text += fmt::format("{}{}", text.empty() ? "" : ", ", to_text(figure));
  return fmt::format("{} over {} {}", text, compared, unit);
}

std::vector<std::string> read_verification_texts(const std::filesystem::path& path) {
  const std::string content = read_file(path);
  std::vector<std::string> texts;
  for (size_t begin = 0; begin < content.size();) {
    const size_t end = std::min(content.find('\n', begin), content.size());
    if (end > begin) texts.push_back(content.substr(begin, end - begin));
    begin = end + 1;
  }
  if (texts.empty()) throw Error(Code::bad_input, fmt::format("'{}' holds no text to verify with", path.native()));
  return texts;
}

std::vector<TokenId> joined_ids(const Tokenizer& tokenizer, std::span<const std::string_view> texts,
                                int64_t max_tokens) {
  std::string joined;
  for (const std::string_view text : texts) joined += std::string(text) + "\n\n";
  std::vector<TokenId> ids(tokenizer.prefix().begin(), tokenizer.prefix().end());
  for (const TokenId id : tokenizer.encode(joined, false)) ids.push_back(id);
  ids.resize(static_cast<size_t>(std::min(int64_t(ids.size()), max_tokens)));
  return ids;
}

QualityMeter::QualityMeter(const ModelSource& full_precision, ModelKind kind, std::span<const std::string_view> texts,
                           int64_t max_tokens, int threads, const Backend& reference)
    : pool_(threads), ops_(make_ops(reference, pool_, Budget::unlimited())) {
  if (texts.empty()) throw Error(Code::bad_input, "there is no text to verify with");
  comparison_ = quantized_kind(kind).compare_with(full_precision, texts, max_tokens, pool_, *ops_);
}

Verification verify_against(const Pack& pack, const Pack& full_precision, ModelKind kind, VerifyLevel level,
                            std::span<const std::string_view> texts, int threads, const Backend& reference,
                            const std::function<void(double)>& progress) {
  const PackSource full(full_precision), source(pack);
  return QualityMeter(full, kind, texts, kMaxVerifyTokens, threads, reference).measure(source, level, progress);
}

}  // namespace frugal
