// The pack: one read-only file a model, mapped and used in place (docs/pack-format.md).
// Not a container for arbitrary data, not appendable, never rewritten.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "compute/tensor/packed.h"
#include "compute/tensor/view.h"
#include "memory/budget.h"
#include "memory/pager.h"
#include "model/format/model_config.h"
#include "model/format/tensor_role.h"

namespace frugal {

/// An entry of a pack's table of contents. Offsets and sizes have been checked against the file.
struct PackTensor {
  std::string_view name;
  DType dtype = DType::f32;
  TensorRole role = TensorRole::vector;
  Shape shape;  // logical: [outputs, inputs] for linear types
  std::span<const std::byte> data;
  std::span<const float> scales;  // linear_i8: [padded outputs]; i8: [rows]; otherwise empty
};

/// Opening checks magic, version, footer, sizes, the checksum of the header and every entry's bounds; it reads no
/// tensor. Throws Error(missing) if there is no file, Error(corrupt_file) naming file, field and offset.
class Pack : public ModelConfig {
 public:
  explicit Pack(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return file_.path(); }
  uint64_t file_bytes() const { return file_.bytes().size(); }
  const MappedFile& file() const { return file_; }

  std::span<const PackTensor> tensors() const { return tensors_; }
  std::optional<PackTensor> find(std::string_view name) const;
  /// Throws Error(corrupt_file) that names the tensor.
  PackTensor require(std::string_view name) const;
  /// As a linear weight. Throws Error(corrupt_file) if absent or of another kind or shape.
  PackedWeight require_linear(std::string_view name, int64_t outputs, int64_t inputs) const;
  /// As dense fp32 of exactly this shape (norms, biases).
  std::span<const float> require_f32(std::string_view name, const Shape& shape) const;

  // The model's configuration (ModelConfig).
  std::optional<std::string_view> text(std::string_view key) const override;
  [[noreturn]] void fail(std::string_view what) const override;
  /// Every key with its value as text, in file order: for status and --dry-run.
  std::vector<std::pair<std::string_view, std::string_view>> entries() const;

  /// A blob that is used where it lies: "tokenizer" (model/tokenize/tokenizer.h). Empty if absent.
  std::span<const std::byte> blob(std::string_view name) const;

  /// SHA-256 of the recipe and the source, as written by the writer: names the model's content.
  std::string_view identity() const { return require_text("provenance.identity"); }

  /// From now on matrices, the weights of linear layers and embedding tables, are resident within `budget` only, and
  /// read under a pin of pager(). Before any of them is handed out. Throws Error(over_budget).
  void page(Budget& budget, const PagerOptions& options = {});
  Pager* pager() const { return pager_.get(); }

  /// Checks every tensor's and blob's checksum. Throws Error(verify_failed) naming the first that fails.
  void verify() const;

 private:
  // Spans and views point into the map, which keeps its address when the Pack is moved.
  MappedFile file_;
  std::vector<PackTensor> tensors_;  // sorted by name
  std::span<const std::byte> tensor_table_, config_table_, blob_table_, strings_;
  std::unique_ptr<Pager> pager_;

  struct Reader;
  std::string_view string_at(uint32_t offset, uint32_t length) const;
};

/// Writes a pack in one pass, holding no more than the caller's buffers. Nothing appears at `path` before finish(), and
/// destroyed before that it leaves nothing behind. The bytes depend only on what is written, not on the order of
/// writing.
class PackWriter {
 public:
  struct Plan {
    std::string name;
    DType dtype = DType::f32;
    Shape shape;
    TensorRole role = TensorRole::vector;
  };

  /// The plan fixes order, sizes and so the layout; it is what makes the output independent of threads and memory
  /// limits. Reserves the disk space now. Throws Error(io) if the disk cannot hold the file, Error(internal) for an
  /// impossible plan.
  PackWriter(const std::filesystem::path& path, std::vector<Plan> tensors, std::map<std::string, std::string> config,
             std::map<std::string, std::string> blobs);
  PackWriter(PackWriter&&) noexcept;
  ~PackWriter();

  /// Bytes the finished file will have.
  uint64_t file_bytes() const;
  /// Writes part of tensor `index` of the plan: data at `offset` within the tensor. Any order, any thread; every byte
  /// exactly once.
  void write_data(size_t index, uint64_t offset, std::span<const std::byte> data);
  /// Writes scales [first, first + scales.size()) of tensor `index`.
  void write_scales(size_t index, uint64_t first, std::span<const float> scales);
  /// Reads everything back for the checksums and writes table and footer. The pack can then be opened at the path
  /// returned, which goes away with the writer: for verifying before publishing. Throws Error(internal) if a byte was
  /// not written.
  const std::filesystem::path& seal();
  /// seal() if that has not happened, then fsync and rename.
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Bytes of data (scales included) that a tensor of this type and shape takes in a pack.
uint64_t pack_tensor_bytes(DType dtype, const Shape& shape);

}  // namespace frugal
