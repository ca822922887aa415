#include "model/format/pytorch.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "base/checked.h"
#include "base/error.h"
#include "model/format/pickle.h"
#include "model/format/source_tensor.h"
#include "model/format/zip_archive.h"

namespace frugal {
namespace {

constexpr std::string_view kProgram = "data.pkl";
constexpr std::string_view kSaveHint =
    "load it in Python where you trust it, and write torch.save(model.state_dict(), \"model.pt\") or, better, "
    "safetensors.torch.save_file(…)";
// Keys under which training scripts put the model, beside the state of the training.
constexpr std::array<std::string_view, 2> kModelKeys{"state_dict", "model"};

bool is_bare_pickle(std::string_view magic) {
  return magic.size() > 1 && magic[0] == '\x80' && magic[1] >= 2 && magic[1] <= 5;
}

std::string_view first_bytes(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), std::min<size_t>(file.bytes().size(), 16)};
}

std::string show(const MappedFile& file) {
  return fmt::format("PyTorch '{}'", file.path().native());
}

// Older torch wrote pickles without an archive, with the tensors behind them.
const MappedFile& require_archive(const MappedFile& file) {
  if (is_bare_pickle(first_bytes(file)))
    throw Error(Code::bad_input, show(file) + " is a bare pickle, the format before torch 1.6, which is not read")
        .hint(std::string(kSaveHint));
  return file;
}

class PytorchReader {
 public:
  explicit PytorchReader(const MappedFile& file)
      : file_(file), archive_(require_archive(file)), folder_(find_folder()), pickle_(read_pickle()) {}

  std::vector<SourceTensor> read() const {
    const std::span<const PickleValue> items = pickle_.items(find_state_dict());
    std::vector<SourceTensor> tensors;
    for (size_t i = 0; i < items.size(); i += 2) {
      if (items[i + 1].kind != PickleKind::tensor) continue;
      if (tensors.size() == kMaxPickleTensors) fail(fmt::format("more than {} tensors", kMaxPickleTensors));
      tensors.push_back(read_tensor(items[i], items[i + 1]));
    }
    return tensors;
  }

 private:
  [[noreturn]] void fail(std::string_view what) const {
    throw Error(Code::corrupt_file, fmt::format("{}: {}", show(file_), what)).hint("download the file again");
  }
  [[noreturn]] void refuse(std::string_view what, std::string_view hint) const {
    throw Error(Code::bad_input, fmt::format("{}: {}", show(file_), what)).hint(std::string(hint));
  }

  // Every entry lies in one folder, named after the file when it was saved: "archive/", "pytorch_model/".
  std::string find_folder() const {
    std::vector<std::string_view> folders;
    for (const ZipEntry& entry : archive_.entries())
      if (const size_t slash = entry.name.find('/');
          slash != 0 && slash != entry.name.npos && entry.name.substr(slash + 1) == kProgram)
        folders.push_back(entry.name.substr(0, slash + 1));
    if (folders.empty())
      refuse("a zip archive without a data.pkl in its folder, so no checkpoint", "give what torch.save has written");
    if (folders.size() > 1) fail(fmt::format("{} folders have a data.pkl", folders.size()));
    return std::string(folders.front());
  }

  const ZipEntry* find(std::string_view name) const { return archive_.find(folder_ + std::string(name)); }

  Pickle read_pickle() const {
    refuse_torchscript();
    check_byte_order();
    const ZipEntry* program = find(kProgram);
    const uint64_t bytes = archive_.data(*program).size();
    return Pickle(file_.bytes(), program->data_offset, program->data_offset + bytes, show(file_));
  }

  void refuse_torchscript() const {
    const std::string code = folder_ + "code/";
    const bool has_code =
        std::ranges::any_of(archive_.entries(), [&](const ZipEntry& entry) { return entry.name.starts_with(code); });
    if (has_code || find("constants.pkl"))
      refuse("a TorchScript archive: a program (code/, constants.pkl), not a dict of tensors", kSaveHint);
  }

  // Absent in files of torch before 2.1, which are little-endian unless a big-endian machine wrote them.
  void check_byte_order() const {
    const ZipEntry* record = find("byteorder");
    if (!record) return;
    const auto bytes = archive_.data(*record);
    const std::string_view order(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (order == "big") refuse("its tensors are big-endian", "save it again on a little-endian machine");
    if (order != "little") fail(fmt::format("byteorder is '{}' (offset {})", printable(order), record->data_offset));
  }

  bool has_tensors(PickleValue dict) const {
    return std::ranges::any_of(pickle_.items(dict), [](PickleValue v) { return v.kind == PickleKind::tensor; });
  }

  // Unset if the key is not there.
  PickleValue find_value(PickleValue dict, std::string_view key) const {
    const auto items = pickle_.items(dict);
    PickleValue found;
    for (size_t i = 0; i < items.size(); i += 2) {
      if (items[i].kind != PickleKind::text || pickle_.text(items[i]) != key) continue;
      if (found.kind != PickleKind::unset) fail(fmt::format("the key '{}' appears twice", key));
      found = items[i + 1];
    }
    return found;
  }

  // The file's dict, or a dict in it under one of the usual keys: exactly one of them must hold tensors.
  PickleValue find_state_dict() const {
    const PickleValue root = pickle_.root();
    if (!root.is_dict()) refuse(fmt::format("it holds {}, not a dict of tensors", to_string(root.kind)), kSaveHint);
    std::vector<PickleValue> found;
    std::vector<std::string_view> places;
    const auto consider = [&](PickleValue dict, std::string_view place) {
      if (!dict.is_dict() || !has_tensors(dict)) return;
      found.push_back(dict);
      places.push_back(place);
    };
    consider(root, "the top level");
    for (const std::string_view key : kModelKeys) consider(find_value(root, key), key);
    if (found.empty())
      refuse(fmt::format("no tensors at the top level nor under '{}'", fmt::join(kModelKeys, "' or '")), kSaveHint);
    if (found.size() > 1)
      refuse(fmt::format("tensors in more than one place: {}", fmt::join(places, ", ")), "save the model's part alone");
    return found.front();
  }

  SourceTensor read_tensor(PickleValue key, PickleValue value) const {
    if (key.kind != PickleKind::text) fail(fmt::format("the name of a tensor is {}", to_string(key.kind)));
    SourceTensor tensor;
    tensor.name = pickle_.text(key);
    check_source_name(tensor.name, file_.path());
    const PickleTensor& source = pickle_.tensor(value);
    tensor.type = source.storage.type;
    tensor.shape = read_shape(tensor.name, source);
    tensor.data = find_data(tensor, source);
    return tensor;
  }

  std::vector<int64_t> integers(PickleValue tuple) const {
    std::vector<int64_t> values;
    for (const PickleValue value : pickle_.items(tuple)) values.push_back(value.payload);
    return values;
  }

  Shape read_shape(std::string_view name, const PickleTensor& source) const {
    const std::vector<int64_t> sizes = integers(source.sizes);
    const std::vector<int64_t> strides = integers(source.strides);
    if (sizes.size() > kMaxSourceRank)
      refuse(fmt::format("tensor '{}' has {} dimensions, supported are {}", name, sizes.size(), kMaxSourceRank),
             "leave it out of the saved dict");
    if (std::ranges::any_of(sizes, [](int64_t size) { return size <= 0; }))
      fail(fmt::format("tensor '{}' [{}] has a dimension that is not positive", name, fmt::join(sizes, ", ")));
    check_contiguous(name, sizes, strides);
    const std::optional<Shape> shape = source_shape(sizes);
    if (!shape) fail(fmt::format("tensor '{}' [{}] has too many elements", name, fmt::join(sizes, ", ")));
    return *shape;
  }

  // The stride of a dimension of size 1 is never used, and torch leaves anything there.
  void check_contiguous(std::string_view name, std::span<const int64_t> sizes, std::span<const int64_t> strides) const {
    std::optional<uint64_t> expected = 1;
    for (size_t i = sizes.size(); i-- > 0 && expected;) {
      if (sizes[i] != 1 && (strides[i] < 0 || static_cast<uint64_t>(strides[i]) != *expected))
        refuse(fmt::format("tensor '{}' [{}] is not contiguous: its strides are [{}]", name, fmt::join(sizes, ", "),
                           fmt::join(strides, ", ")),
               "in Python: torch.save({k: v.contiguous() for k, v in state_dict.items()}, \"model.pt\")");
      expected = checked_mul(*expected, static_cast<uint64_t>(sizes[i]));
    }
  }

  std::span<const std::byte> find_data(const SourceTensor& tensor, const PickleTensor& source) const {
    const auto width = static_cast<uint64_t>(source_block(tensor.type).bytes);
    const PickleStorage& storage = source.storage;
    const ZipEntry* entry = find(fmt::format("data/{}", storage.key));
    if (!entry) fail(fmt::format("tensor '{}': the archive has no storage '{}'", tensor.name, printable(storage.key)));
    const auto data = archive_.data(*entry);
    if (checked_mul(static_cast<uint64_t>(storage.elements), width) != data.size())
      fail(fmt::format("tensor '{}': storage '{}' has {} bytes, not {} of {} (offset {})", tensor.name,
                       printable(storage.key), data.size(), storage.elements, to_string(tensor.type),
                       entry->data_offset));
    const std::optional<uint64_t> bytes = source_bytes(tensor.type, tensor.shape);
    const std::optional<uint64_t> begin =
        source.offset < 0 ? std::nullopt : checked_mul(static_cast<uint64_t>(source.offset), width);
    if (!bytes || !begin || !fits(*begin, *bytes, data.size()))
      fail(fmt::format("tensor '{}' {} at element {} lies outside the {} of storage '{}'", tensor.name,
                       tensor.shape.to_string(), source.offset, storage.elements, printable(storage.key)));
    return data.subspan(*begin, *bytes);
  }

  const MappedFile& file_;
  ZipArchive archive_;
  std::string folder_;  // with its slash
  Pickle pickle_;
};

}  // namespace

bool is_pytorch(std::string_view magic) {
  return magic.starts_with("PK\x03\x04") || is_bare_pickle(magic);
}

std::vector<SourceTensor> read_pytorch(const MappedFile& file) {
  return PytorchReader(file).read();
}

}  // namespace frugal
