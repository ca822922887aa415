// Layout, little-endian:
//
//   header         "E5S1", u32 version 1; i32 hidden, layers, heads, intermediate, vocabulary, positions, types;
//                  f32 epsilon; i32 elements of a quantised block, 32
//   tokenizer      i32 pieces, bos, eos, pad, unk; u64 bytes of the text; u32 offsets [pieces + 1] into the text;
//                  f32 scores [pieces]; the text, UTF-8
//   normalisation  i32 entries, u32 bytes, then for each entry: u32 code point, u8 count, u32 code points [count]
//   directory      i32 tensors, then for each: u16 length and the name, u8 dtype (0: f32, 1: Q4_0), u32 elements,
//                  u64 offset from the begin of the file, u64 bytes
//
// The directory has no shapes; a tensor's name and the header give them. So an unknown name is refused.
#include "model/format/e5s1.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/checked.h"
#include "base/error.h"
#include "base/file.h"
#include "base/utf8.h"
#include "model/format/byte_cursor.h"
#include "model/format/source_tensor.h"

namespace frugal {
namespace {

constexpr int32_t kBlockElements = 32;
constexpr uint32_t kMaxE5Tensors = 65'536;
constexpr int32_t kCodePoints = 0x110000;

// A dimension of the header, with its key in a Hugging Face configuration.
struct Dimension {
  std::string_view key;
  int32_t max;
};
enum DimensionIndex : size_t { kHidden, kLayers, kHeads, kIntermediate, kVocabulary, kPositions, kTypes, kDimensions };
constexpr std::array<Dimension, kDimensions> kHeader{{{"hidden_size", 1 << 20},
                                                      {"num_hidden_layers", 1024},
                                                      {"num_attention_heads", 1024},
                                                      {"intermediate_size", 1 << 22},
                                                      {"vocab_size", 1 << 22},
                                                      {"max_position_embeddings", 1 << 20},
                                                      {"type_vocab_size", 1024}}};

// A tensor by the part of its name after "l{i}.", or by its whole name outside the layers. A vector has no columns.
struct Known {
  std::string_view name;
  std::string_view huggingface;
  DimensionIndex rows;
  DimensionIndex columns = kDimensions;
};
constexpr Known kOutside[] = {
    {"emb.word", "embeddings.word_embeddings.weight", kVocabulary, kHidden},
    {"emb.pos", "embeddings.position_embeddings.weight", kPositions, kHidden},
    {"emb.type", "embeddings.token_type_embeddings.weight", kTypes, kHidden},
    {"emb.ln.w", "embeddings.LayerNorm.weight", kHidden},
    {"emb.ln.b", "embeddings.LayerNorm.bias", kHidden},
};
constexpr Known kInLayer[] = {
    {"q.w", "attention.self.query.weight", kHidden, kHidden},
    {"q.b", "attention.self.query.bias", kHidden},
    {"k.w", "attention.self.key.weight", kHidden, kHidden},
    {"k.b", "attention.self.key.bias", kHidden},
    {"v.w", "attention.self.value.weight", kHidden, kHidden},
    {"v.b", "attention.self.value.bias", kHidden},
    {"ao.w", "attention.output.dense.weight", kHidden, kHidden},
    {"ao.b", "attention.output.dense.bias", kHidden},
    {"aln.w", "attention.output.LayerNorm.weight", kHidden},
    {"aln.b", "attention.output.LayerNorm.bias", kHidden},
    {"fi.w", "intermediate.dense.weight", kIntermediate, kHidden},
    {"fi.b", "intermediate.dense.bias", kIntermediate},
    {"fo.w", "output.dense.weight", kHidden, kIntermediate},
    {"fo.b", "output.dense.bias", kHidden},
    {"oln.w", "output.LayerNorm.weight", kHidden},
    {"oln.b", "output.LayerNorm.bias", kHidden},
};

const Known* find_known(std::span<const Known> table, std::string_view name) {
  const auto at = std::find_if(table.begin(), table.end(), [&](const Known& known) { return known.name == name; });
  return at == table.end() ? nullptr : &*at;
}

class E5s1File final : public Checkpoint {
 public:
  explicit E5s1File(const std::filesystem::path& path)
      : file_(path), cursor_(file_.bytes(), 0, fmt::format("E5S1 '{}'", file_.path().native())) {
    read_header();
    read_pieces();
    read_normalization();
    read_directory();
    check_overlap();
    sort_by_name(tensors_, file_.path());
  }

  std::string_view format() const override { return "e5s1"; }
  std::string architecture() const override { return "bert"; }
  std::span<const SourceTensor> tensors() const override { return tensors_; }
  void release(std::span<const std::byte> data) const override {
    file_.release(static_cast<uint64_t>(data.data() - file_.bytes().data()), data.size());
  }

  std::optional<std::string> text(std::string_view) const override { return std::nullopt; }
  std::optional<int64_t> integer(std::string_view key) const override {
    for (size_t i = 0; i < kHeader.size(); ++i)
      if (kHeader[i].key == key) return dimensions_[i];
    return std::nullopt;
  }
  std::optional<double> number(std::string_view key) const override {
    if (key == "layer_norm_eps") return epsilon_;
    const std::optional<int64_t> whole = integer(key);
    return whole ? std::optional(static_cast<double>(*whole)) : std::nullopt;
  }
  std::vector<double> numbers(std::string_view) const override { return {}; }

  TokenizerSource tokenizer() const override {
    TokenizerSource source;
    source.unigram = unigram_;
    for (size_t i = 0; i < num_pieces_; ++i) {
      source.unigram->pieces.emplace_back(piece(i));
      source.unigram->scores.push_back(element<float>(scores_, i));
    }
    return source;
  }

  /// The prompts of E5 (Wang et al. 2022), which the file implies, in the form of sentence-transformers.
  std::optional<std::string> side_file(std::string_view name) const override {
    if (name != "config_sentence_transformers.json") return std::nullopt;
    return R"({"prompts": {"query": "query: ", "passage": "passage: "}})";
  }
  std::vector<std::filesystem::path> files() const override { return {file_.path()}; }

 private:
  template <typename T>
  static T element(std::span<const std::byte> rows, size_t row) {
    T value;
    std::memcpy(&value, rows.data() + row * sizeof value, sizeof value);
    return value;
  }

  void read_header() {
    if (cursor_.take_text(4, "magic") != "E5S1") cursor_.fail_at(0, "no magic 'E5S1'");
    if (const auto version = cursor_.read<uint32_t>("version"); version != 1)
      throw Error(Code::bad_input, fmt::format("{}: version {} (offset 4), supported is 1", cursor_.where(), version))
          .hint("fetch the model that models/manifest.yaml names");
    for (size_t i = 0; i < kHeader.size(); ++i) {
      dimensions_[i] = cursor_.read<int32_t>(kHeader[i].key);
      if (dimensions_[i] < 1 || dimensions_[i] > kHeader[i].max)
        cursor_.fail_at(cursor_.offset() - 4,
                        fmt::format("{} is {}, outside [1, {}]", kHeader[i].key, dimensions_[i], kHeader[i].max));
    }
    epsilon_ = cursor_.read<float>("epsilon");
    if (const auto block = cursor_.read<int32_t>("block"); block != kBlockElements)
      cursor_.fail_at(cursor_.offset() - 4, fmt::format("blocks have {} elements, not {}", block, kBlockElements));
  }

  int32_t read_id(std::string_view name) {
    const auto id = cursor_.read<int32_t>(name);
    if (id < 0 || id >= dimensions_[kVocabulary])
      cursor_.fail_at(cursor_.offset() - 4,
                      fmt::format("{} {} is outside the vocabulary of {}", name, id, dimensions_[kVocabulary]));
    return id;
  }

  void read_pieces() {
    if (const auto pieces = cursor_.read<int32_t>("pieces"); pieces != dimensions_[kVocabulary])
      cursor_.fail_at(cursor_.offset() - 4,
                      fmt::format("{} pieces for a vocabulary of {}", pieces, dimensions_[kVocabulary]));
    num_pieces_ = static_cast<size_t>(dimensions_[kVocabulary]);
    unigram_.bos = read_id("bos"), unigram_.eos = read_id("eos");
    unigram_.pad = read_id("pad"), unigram_.unk = read_id("unk");
    const auto text_bytes = cursor_.read<uint64_t>("bytes of the pieces");
    const uint64_t begin = cursor_.offset();
    offsets_ = cursor_.take(4 * (num_pieces_ + 1), "offsets of the pieces");
    scores_ = cursor_.take(4 * num_pieces_, "scores");
    pieces_ = cursor_.take_text(text_bytes, "pieces");
    for (size_t i = 0; i < num_pieces_; ++i) check_piece(i, begin + 4 * i);
  }

  void check_piece(size_t i, uint64_t at) const {
    const auto first = element<uint32_t>(offsets_, i), last = element<uint32_t>(offsets_, i + 1);
    if (first > last || last > pieces_.size())
      cursor_.fail_at(at, fmt::format("piece {} is bytes {} to {} of {}", i, first, last, pieces_.size()));
    if (!is_valid_utf8(piece(i))) cursor_.fail_at(at, fmt::format("piece {} is not UTF-8", i));
    if (!std::isfinite(element<float>(scores_, i)))
      cursor_.fail_at(at, fmt::format("the score of piece {} is no number", i));
  }

  std::string_view piece(size_t i) const {
    const auto first = element<uint32_t>(offsets_, i);
    return pieces_.substr(first, element<uint32_t>(offsets_, i + 1) - first);
  }

  void read_normalization() {
    const auto entries = cursor_.read<int32_t>("entries of the normalisation");
    const auto bytes = cursor_.read<uint32_t>("bytes of the normalisation");
    if (entries < 0 || entries > kCodePoints)
      cursor_.fail_at(cursor_.offset() - 8, fmt::format("the normalisation has {} entries", entries));
    const uint64_t end = cursor_.offset() + bytes;
    if (bytes > cursor_.remaining()) cursor_.fail(fmt::format("a normalisation of {} bytes runs past the end", bytes));
    for (int32_t i = 0; i < entries; ++i) {
      const char32_t from = read_code_point();
      std::string to;
      for (auto count = cursor_.read<uint8_t>("normalisation"); count > 0; --count) append_utf8(to, read_code_point());
      unigram_.replacements.emplace_back(from, std::move(to));
    }
    if (cursor_.offset() != end)
      cursor_.fail(fmt::format("the normalisation ends here, not after its {} bytes", bytes));
    check_distinct();
  }

  char32_t read_code_point() {
    const auto value = cursor_.read<uint32_t>("normalisation");
    if (value >= uint32_t{kCodePoints} || (value >= 0xD800 && value < 0xE000))
      cursor_.fail_at(cursor_.offset() - 4, fmt::format("the normalisation has the code point {:#x}", value));
    return value;
  }

  void check_distinct() {
    auto& replacements = unigram_.replacements;
    std::sort(replacements.begin(), replacements.end());
    const auto twice = std::adjacent_find(replacements.begin(), replacements.end(),
                                          [](const auto& a, const auto& b) { return a.first == b.first; });
    if (twice != replacements.end())
      cursor_.fail(fmt::format("the normalisation has U+{:04X} twice", static_cast<uint32_t>(twice->first)));
  }

  void read_directory() {
    const auto count = cursor_.read<uint32_t>("tensor count");
    if (count == 0 || count > kMaxE5Tensors) cursor_.fail_at(cursor_.offset() - 4, fmt::format("{} tensors", count));
    for (uint32_t i = 0; i < count; ++i) read_tensor();
  }

  void read_tensor() {
    const auto length = cursor_.read<uint16_t>("tensor name");
    const std::string_view name = cursor_.take_text(length, "tensor name");
    check_source_name(name, file_.path());
    SourceTensor tensor = describe(name);
    const bool is_vector = tensor.shape.rank() == 1;
    const auto dtype = cursor_.read<uint8_t>("tensor dtype");
    if (dtype > (is_vector ? 0 : 1))
      throw Error(Code::bad_input, fmt::format("{}: tensor '{}' has the dtype {} (offset {})", cursor_.where(), name,
                                               dtype, cursor_.offset() - 1))
          .hint(is_vector ? "expected f32 (0)" : "expected f32 (0) or Q4_0 (1)");
    tensor.type = dtype == 0 ? SourceType::f32 : SourceType::q4_0;
    const auto elements = cursor_.read<uint32_t>("tensor elements");
    if (elements != static_cast<uint64_t>(tensor.shape.elements()))
      cursor_.fail_at(cursor_.offset() - 4, fmt::format("tensor '{}' has {} elements, the header says {}", name,
                                                        elements, tensor.shape.to_string()));
    place(tensor, name);
    tensors_.push_back(std::move(tensor));
  }

  void place(SourceTensor& tensor, std::string_view name) {
    const auto offset = cursor_.read<uint64_t>("tensor offset"), bytes = cursor_.read<uint64_t>("tensor bytes");
    const std::optional<uint64_t> expected = source_bytes(tensor.type, tensor.shape);
    if (!expected || *expected != bytes)
      cursor_.fail_at(cursor_.offset() - 8, fmt::format("tensor '{}' has {} bytes, which is not {} of {}", name, bytes,
                                                        tensor.shape.to_string(), to_string(tensor.type)));
    if (!fits(offset, bytes, file_.bytes().size()))
      cursor_.fail_at(cursor_.offset() - 16,
                      fmt::format("tensor '{}': {} bytes at {} lie outside the {} bytes of the file", name, bytes,
                                  offset, file_.bytes().size()));
    tensor.data = file_.bytes().subspan(offset, bytes);
  }

  // Name and shape of a tensor of the directory.
  SourceTensor describe(std::string_view name) const {
    const Known* known = find_known(kOutside, name);
    std::string prefix;
    if (!known && name.starts_with('l')) {
      int32_t layer = -1;
      const char* end = std::from_chars(name.data() + 1, name.data() + name.size(), layer).ptr;
      const std::string_view rest = name.substr(static_cast<size_t>(end - name.data()));
      if (layer >= 0 && layer < dimensions_[kLayers] && rest.starts_with('.'))
        known = find_known(kInLayer, rest.substr(1));
      prefix = fmt::format("encoder.layer.{}.", layer);
    }
    if (!known) cursor_.fail(fmt::format("unknown tensor '{}'", printable(name)));
    SourceTensor tensor;
    tensor.name = prefix + std::string(known->huggingface);
    const int64_t rows = dimensions_[known->rows];
    tensor.shape = known->columns == kDimensions ? Shape{rows} : Shape{rows, int64_t{dimensions_[known->columns]}};
    return tensor;
  }

  void check_overlap() {
    std::sort(tensors_.begin(), tensors_.end(),
              [](const SourceTensor& a, const SourceTensor& b) { return a.data.data() < b.data.data(); });
    if (tensors_.front().data.data() < file_.bytes().data() + cursor_.offset())
      cursor_.fail(fmt::format("tensor '{}' overlaps the directory", tensors_.front().name));
    for (size_t i = 1; i < tensors_.size(); ++i)
      if (tensors_[i - 1].data.data() + tensors_[i - 1].data.size() > tensors_[i].data.data())
        cursor_.fail(fmt::format("tensors '{}' and '{}' overlap", tensors_[i - 1].name, tensors_[i].name));
  }

  MappedFile file_;
  ByteCursor cursor_;
  std::array<int32_t, kDimensions> dimensions_{};
  double epsilon_ = 0;
  size_t num_pieces_ = 0;
  std::span<const std::byte> offsets_, scores_;
  std::string_view pieces_;
  UnigramSource unigram_;  // without pieces and scores, which stay in the file until they are needed
  std::vector<SourceTensor> tensors_;
};

}  // namespace

std::unique_ptr<Checkpoint> open_e5s1(const std::filesystem::path& file) {
  return std::make_unique<E5s1File>(file);
}

}  // namespace frugal
