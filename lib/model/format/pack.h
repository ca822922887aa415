// The pack: one read-only file per model, mapped and used in place (docs/pack-format.md). Not a container for arbitrary
// data; never appended to or rewritten.
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

/// An entry of the table of contents. Its offsets and sizes have been checked against the file.
struct PackTensor {
  std::string_view name;
  DType dtype = DType::f32;
  TensorRole role = TensorRole::vector;
  Shape shape;  // logical: [outputs, inputs] for linear types
  std::span<const std::byte> data;
  std::span<const float> scales;  // linear_i8: [padded outputs]; i8: [rows]; otherwise empty
};

/// An open pack. Opening checks magic, version, footer, sizes, the header's checksum and the bounds of every entry; it
/// reads no tensor. Throws Error(missing) if there is no file, Error(corrupt_file) naming file, field and offset.
class Pack : public ModelConfig {
 public:
  explicit Pack(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return file_.path(); }
  uint64_t file_bytes() const { return file_.bytes().size(); }
  const MappedFile& file() const { return file_; }

  std::span<const PackTensor> tensors() const { return tensors_; }
  std::optional<PackTensor> find(std::string_view name) const;
  /// The tensor `name`. Throws Error(corrupt_file) that names it if it is missing.
  PackTensor require(std::string_view name) const;
  /// A linear weight. Throws Error(corrupt_file) if it is missing or of another type or shape.
  PackedWeight require_linear(std::string_view name, int64_t outputs, int64_t inputs) const;
  /// A dense fp32 tensor of exactly this shape (norms, biases). Throws Error(corrupt_file).
  std::span<const float> require_f32(std::string_view name, const Shape& shape) const;

  // The model's configuration (ModelConfig).
  std::optional<std::string_view> text(std::string_view key) const override;
  [[noreturn]] void fail(std::string_view what) const override;
  /// All keys and values, in file order: for status and --dry-run.
  std::vector<std::pair<std::string_view, std::string_view>> entries() const;

  /// A blob, used in place: "tokenizer" (model/tokenize/tokenizer.h). Empty if absent.
  std::span<const std::byte> blob(std::string_view name) const;

  /// Identifies the model's content: SHA-256 of recipe and source, stored by the writer.
  std::string_view identity() const { return require_text("provenance.identity"); }

  /// Pages the matrices (weights of linear layers, embedding tables): from now on they are resident within `budget`
  /// only and must be read under a pin of pager(). Call it before any of them is handed out. Throws Error(over_budget).
  void page(Budget& budget, const PagerOptions& options = {});
  Pager* pager() const { return pager_.get(); }

  /// Verifies the checksum of every tensor and blob. Throws Error(verify_failed) naming the first that fails.
  void verify() const;

 private:
  // Spans and views point into the mapping, which keeps its address when the Pack is moved.
  MappedFile file_;
  std::vector<PackTensor> tensors_;  // sorted by name
  std::span<const std::byte> tensor_table_, config_table_, blob_table_, strings_;
  std::unique_ptr<Pager> pager_;

  struct Reader;
  std::string_view string_at(uint32_t offset, uint32_t length) const;
};

/// Writes a pack in one pass, with no buffers beyond the caller's. The file appears at `path` in finish(); destroyed
/// before, the writer leaves nothing behind. The bytes depend on the content only, not on the order of writing.
class PackWriter {
 public:
  struct Plan {
    std::string name;
    DType dtype = DType::f32;
    Shape shape;
    TensorRole role = TensorRole::vector;
  };

  /// The plan fixes order and sizes, and with them the layout: the output is independent of threads and memory limits.
  /// Reserves the disk space now. Throws Error(io) if the disk is too full, Error(internal) for an impossible plan.
  PackWriter(const std::filesystem::path& path, std::vector<Plan> tensors, std::map<std::string, std::string> config,
             std::map<std::string, std::string> blobs);
  PackWriter(PackWriter&&) noexcept;
  ~PackWriter();

  /// Bytes the finished file will have.
  uint64_t file_bytes() const;
  /// Writes part of the data of tensor `index` of the plan, at `offset` within the tensor. Any order, any thread; each
  /// byte exactly once.
  void write_data(size_t index, uint64_t offset, std::span<const std::byte> data);
  /// Writes scales [first, first + scales.size()) of tensor `index`.
  void write_scales(size_t index, uint64_t first, std::span<const float> scales);
  /// Reads everything back for the checksums and writes table and footer. The pack can then be opened at the returned
  /// path, which is deleted with the writer: for verifying before publishing. Throws Error(internal) if a byte was not
  /// written.
  const std::filesystem::path& seal();
  /// seal(), unless already done; then fsync and rename.
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Bytes of a tensor of this type and shape in a pack, scales included.
uint64_t pack_tensor_bytes(DType dtype, const Shape& shape);

}  // namespace frugal
