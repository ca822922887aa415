#include "model/format/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>

#include "base/checked.h"
#include "base/error.h"
#include "model/format/e5s1.h"
#include "model/format/gguf.h"
#include "model/format/hf_folder.h"
#include "model/format/pytorch.h"
#include "model/format/source_tensor.h"

namespace frugal {
namespace {

constexpr size_t kMaxTensorNameBytes = 512;
// Shape counts in int64; 2^56 elements of 8 bytes still fit it.
constexpr uint64_t kMaxElements = uint64_t(1) << 56;

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

// The first bytes of a file; fewer if it is shorter.
std::string read_magic(const std::filesystem::path& path) {
  std::error_code unreadable;
  if (std::filesystem::exists(path, unreadable) && !std::filesystem::is_regular_file(path, unreadable))
    throw Error(Code::bad_input, fmt::format("'{}' is not a regular file", path.native()));
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw io_error("open", path.native());
  std::array<char, 16> magic{};
  stream.read(magic.data(), magic.size());
  return std::string(magic.data(), static_cast<size_t>(stream.gcount()));
}

}  // namespace

std::optional<Shape> source_shape(std::span<const int64_t> dims) {
  if (dims.empty()) return Shape{1};
  constexpr size_t kLast = Shape::kMaxRank - 1;
  std::array<int64_t, Shape::kMaxRank> kept{};
  for (size_t i = 0; i < dims.size(); ++i) {
    const auto before = i > kLast ? static_cast<uint64_t>(kept.back()) : 1;
    const std::optional<uint64_t> product = checked_mul(before, static_cast<uint64_t>(dims[i]));
    if (i > kLast && (!product || *product > kMaxElements)) return std::nullopt;
    kept[std::min(i, kLast)] = static_cast<int64_t>(*product);
  }
  return Shape(std::span<const int64_t>(kept).first(std::min(dims.size(), kept.size())));
}

std::optional<uint64_t> source_bytes(SourceType type, const Shape& shape) {
  uint64_t elements = 1;
  for (int i = 0; i < shape.rank(); ++i) {
    const std::optional<uint64_t> product = checked_mul(elements, static_cast<uint64_t>(shape[i]));
    if (!product || *product > kMaxElements) return std::nullopt;
    elements = *product;
  }
  const SourceBlock block = source_block(type);
  if (shape.cols() % block.elements != 0) return std::nullopt;
  return elements / static_cast<uint64_t>(block.elements) * static_cast<uint64_t>(block.bytes);
}

void check_source_name(std::string_view name, const std::filesystem::path& file) {
  if (!name.empty() && name.size() <= kMaxTensorNameBytes && std::none_of(name.begin(), name.end(), is_control)) return;
  throw Error(Code::corrupt_file, fmt::format("'{}': a tensor's name is empty, longer than {} bytes or holds control "
                                              "characters: '{}'",
                                              file.native(), kMaxTensorNameBytes, printable(name)));
}

std::string printable(std::string_view text) {
  constexpr size_t kLongest = 80;
  std::string result(text.substr(0, kLongest));
  std::replace_if(result.begin(), result.end(), is_control, '?');
  return text.size() > kLongest ? result + "…" : result;
}

void sort_by_name(std::vector<SourceTensor>& tensors, const std::filesystem::path& file) {
  std::sort(tensors.begin(), tensors.end(),
            [](const SourceTensor& a, const SourceTensor& b) { return a.name < b.name; });
  const auto twice = std::adjacent_find(tensors.begin(), tensors.end(),
                                        [](const SourceTensor& a, const SourceTensor& b) { return a.name == b.name; });
  if (twice != tensors.end())
    throw Error(Code::corrupt_file, fmt::format("'{}': tensor '{}' appears twice", file.native(), twice->name));
}

const SourceTensor* Checkpoint::find(std::string_view name) const {
  const std::span<const SourceTensor> all = tensors();
  const auto at = std::lower_bound(all.begin(), all.end(), name,
                                   [](const SourceTensor& tensor, std::string_view key) { return tensor.name < key; });
  return at != all.end() && at->name == name ? &*at : nullptr;
}

std::unique_ptr<Checkpoint> open_checkpoint(const std::filesystem::path& path) {
  std::error_code status;
  if (!std::filesystem::exists(path, status))
    throw Error(Code::missing, fmt::format("no checkpoint at '{}'", path.native()))
        .hint("check the path; scripts/fetch-models fetches those of models/manifest.yaml");
  if (std::filesystem::is_directory(path, status)) return open_hf_folder(path);
  const std::string magic = read_magic(path);
  if (magic.starts_with("GGUF")) return open_gguf(path);
  if (magic.starts_with("E5S1")) return open_e5s1(path);
  if (is_pytorch(magic)) return open_pytorch_file(path);
  if (magic.starts_with("FRUGALPK"))
    throw Error(Code::bad_input, fmt::format("'{}' is already a pack", path.native()))
        .hint("give the checkpoint from which it was made");
  if (magic.size() > 8 && magic[8] == '{') return open_safetensors_file(path);
  throw Error(Code::bad_input, fmt::format("'{}' is neither GGUF, safetensors, PyTorch nor E5S1 ({})", path.native(),
                                           magic.empty() ? "it is empty" : "unknown first bytes"))
      .hint("give a Hugging Face folder, or a .safetensors, .gguf, .pt or .bin file");
}

}  // namespace frugal
