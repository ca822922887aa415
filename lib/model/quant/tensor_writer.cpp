// A tensor is a matrix of rows, and a unit is the smallest number of rows that can be converted alone: a packed block
// of 16 outputs for linear types, one row otherwise. TensorStream converts ranges of units; the thread pool gives
// disjoint ranges to its threads, and each range is written to its own place in the pack, so the bytes depend neither
// on the number of threads nor on their order.
//
// Within a range, a thread works in chunks. For each unit it reads the source rows as fp32, checks that the values are
// finite and fit the type, and encodes them. The encoded chunk is written with one call, and the source pages behind it
// are released.
//
// If the pack has the form of the source (TensorJob::keeps_groups), groups are copied instead: codes and scales stay as
// they are, except that the scales of Q4_K are products and are rounded to fp16.
//
// GGUF permutes the rows of Llama's q and k. Such rows are read one at a time from their permuted place, and the pages
// of these tensors are released only when the whole tensor is done, since later units read from them again.
#include "model/quant/tensor_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <mutex>

#include "base/error.h"
#include "base/units.h"
#include "compute/tensor/packed.h"

namespace frugal {
namespace {

// The maximum of a thread's buffers: large enough to make few write calls, small enough for a core's cache.
constexpr uint64_t kChunkBytes = 1 * kMiB;
constexpr float kMaxF16 = 65504.0f;

int64_t rows_per_unit(DType dtype) {
  return is_linear(dtype) ? kOutputBlock : 1;
}

uint64_t encoded_unit_bytes(const TensorJob& job) {
  const auto cols = static_cast<uint64_t>(source_matrix(job.spec).cols);
  return is_linear(job.dtype) ? packed_block_bytes(job.dtype, job.spec.shape.cols()) : cols * element_bytes(job.dtype);
}

uint64_t unit_work_bytes(const TensorJob& job) {
  const auto floats = static_cast<uint64_t>(rows_per_unit(job.dtype) * source_matrix(job.spec).cols) * sizeof(float);
  const uint64_t rows = static_cast<uint64_t>(rows_per_unit(job.dtype)) * sizeof(float);
  return floats + encoded_unit_bytes(job) + rows;
}

// True for types whose values or scales are fp16.
bool needs_f16_range(DType dtype) {
  return dtype == DType::f16 || dtype == DType::linear_f16 || dtype == DType::linear_i8g || dtype == DType::linear_i4;
}

float encode_row_i8(std::span<const float> row, std::byte* codes) {
  float largest = 0;
  for (const float value : row) largest = std::max(largest, std::fabs(value));
  const float scale = largest / 127.0f;
  const float inverse = scale > 0 ? 1.0f / scale : 0.0f;
  for (size_t i = 0; i < row.size(); ++i)
    codes[i] =
        static_cast<std::byte>(static_cast<int8_t>(std::clamp(std::nearbyint(row[i] * inverse), -127.0f, 127.0f)));
  return scale;
}

// Converts one tensor. run() may be called from several threads, for disjoint ranges of units.
class TensorStream {
 public:
  TensorStream(const Checkpoint& checkpoint, const TensorJob& job, size_t index, PackWriter& writer,
               const WriteOptions& options, uint64_t& done_bytes)
      : checkpoint_(checkpoint),
        job_(job),
        index_(index),
        writer_(writer),
        options_(options),
        done_bytes_(done_bytes),
        matrix_(source_matrix(job.spec)),
        source_(*job.source),
        unit_rows_(rows_per_unit(job.dtype)),
        unit_bytes_(encoded_unit_bytes(job)) {
    // So that a permuted vector is read as rows of one element.
    source_.shape = Shape{matrix_.rows, matrix_.cols};
  }

  int64_t units() const { return (matrix_.rows + unit_rows_ - 1) / unit_rows_; }

  void run(int64_t begin, int64_t end, int64_t chunk_units) {
    for (int64_t unit = begin; unit < end; unit += chunk_units) write_chunk(unit, std::min(unit + chunk_units, end));
  }

 private:
  void write_chunk(int64_t begin, int64_t end) {
    const auto count = static_cast<size_t>(end - begin);
    std::vector<std::byte> encoded(count * unit_bytes_);
    std::vector<float> scales(count * static_cast<size_t>(unit_rows_));
    std::vector<float> rows(static_cast<size_t>(unit_rows_ * matrix_.cols));
    for (int64_t unit = begin; unit < end; ++unit) {
      const auto at = static_cast<size_t>(unit - begin);
      std::byte* data = encoded.data() + at * unit_bytes_;
      float* unit_scales = scales.data() + at * static_cast<size_t>(unit_rows_);
      encode_unit(unit, rows, data, unit_scales);
    }
    writer_.write_data(index_, static_cast<uint64_t>(begin) * unit_bytes_, encoded);
    if (job_.dtype == DType::linear_i8 || job_.dtype == DType::i8)
      writer_.write_scales(index_, static_cast<uint64_t>(begin * unit_rows_), scales);
    finish_chunk(begin, end);
  }

  void encode_unit(int64_t unit, std::span<float> buffer, std::byte* data, float* scales) {
    if (job_.keeps_groups) return encode_groups(unit, data);
    const std::span<const float> rows = read_rows(unit, buffer);
    if (is_linear(job_.dtype)) return pack_block(job_.dtype, rows, matrix_.cols, data, scales);
    switch (job_.dtype) {
      case DType::i8:
        *scales = encode_row_i8(rows, data);
        break;
      case DType::f16:
        for (size_t i = 0; i < rows.size(); ++i) {
          const uint16_t half = f32_to_f16(rows[i]);
          std::memcpy(data + i * sizeof half, &half, sizeof half);
        }
        break;
      default:
        std::memcpy(data, rows.data(), rows.size_bytes());
    }
  }

  void encode_groups(int64_t unit, std::byte* data) {
    std::memset(data, 0, unit_bytes_);
    const int64_t first = unit * unit_rows_;
    const int64_t last = std::min(first + unit_rows_, matrix_.rows);
    for (int64_t row = first; row < last; ++row)
      for (int64_t g = 0; g < matrix_.cols / kInputGroup; ++g) {
        const SourceGroup group = read_group(source_, source_row(job_.spec, row), g);
        if (!std::isfinite(f16_to_f32(group.d_f16)) || !std::isfinite(f16_to_f32(group.m_f16)))
          fail_value(row, "a scale that is not a finite number");
        put_group(job_.dtype, data, g, row - first, group.codes, group.d_f16, group.m_f16);
      }
  }

  std::span<const float> read_rows(int64_t unit, std::span<float> buffer) const {
    const int64_t first = unit * unit_rows_;
    const int64_t count = std::min(unit_rows_, matrix_.rows - first);
    const std::span<float> rows = buffer.first(static_cast<size_t>(count * matrix_.cols));
    read_planned_rows(job_.spec, source_, first, rows);
    check_range(first, rows);
    return rows;
  }

  void check_range(int64_t first_row, std::span<const float> rows) const {
    const float limit = needs_f16_range(job_.dtype) ? kMaxF16 : std::numeric_limits<float>::max();
    for (size_t i = 0; i < rows.size(); ++i) {
      if (std::fabs(rows[i]) <= limit) continue;  // false for NaN
      fail_value(first_row + static_cast<int64_t>(i) / matrix_.cols,
                 std::isfinite(rows[i]) ? fmt::format("{}, which fp16 cannot hold", rows[i])
                                        : "a weight that is not a finite number");
    }
  }

  [[noreturn]] void fail_value(int64_t row, std::string_view what) const {
    throw Error(Code::bad_input,
                fmt::format("tensor '{}' has {} (row {})", job_.source->name, what, source_row(job_.spec, row)))
        .hint("fetch the checkpoint again, or store this tensor with --tensor-type REGEX=fp32");
  }

  void finish_chunk(int64_t begin, int64_t end) {
    const uint64_t row_bytes = source_.data.size() / static_cast<uint64_t>(matrix_.rows);
    const auto first = static_cast<uint64_t>(begin * unit_rows_);
    const auto last = static_cast<uint64_t>(std::min(end * unit_rows_, matrix_.rows));
    // Other units read the pages of permuted rows again; write_tensors() releases those after the tensor.
    if (job_.spec.unpermute_heads == 0)
      checkpoint_.release(source_.data.subspan(first * row_bytes, (last - first) * row_bytes));
    std::lock_guard lock(mutex_);
    done_bytes_ += (last - first) * row_bytes;
    if (options_.progress) options_.progress(done_bytes_);
  }

  const Checkpoint& checkpoint_;
  const TensorJob& job_;
  const size_t index_;
  PackWriter& writer_;
  const WriteOptions& options_;
  uint64_t& done_bytes_;  // of all tensors so far; mutex_ suffices, since tensors are converted one after the other
  const SourceMatrix matrix_;
  SourceTensor source_;
  const int64_t unit_rows_;
  const uint64_t unit_bytes_;
  std::mutex mutex_;
};

}  // namespace

uint64_t min_work_bytes(const TensorPlan& plan) {
  uint64_t most = 0;
  for (const TensorJob& job : plan.jobs) most = std::max(most, unit_work_bytes(job));
  return most;
}

void write_tensors(const Checkpoint& checkpoint, const TensorPlan& plan, PackWriter& writer,
                   const WriteOptions& options) {
  const uint64_t unit_bytes = min_work_bytes(plan);
  if (options.work_bytes < unit_bytes)
    throw Error(Code::over_budget, fmt::format("quantising a block of 16 rows needs buffers of {}, the limit leaves {}",
                                               format_bytes(unit_bytes), format_bytes(options.work_bytes)))
        .hint("raise --max-ram");
  const auto fitting = static_cast<int>(std::min<uint64_t>(options.work_bytes / unit_bytes, 1024));
  ThreadPool pool(std::clamp(options.threads, 1, fitting));
  const uint64_t thread_bytes = std::min(options.work_bytes / static_cast<uint64_t>(pool.threads()), kChunkBytes);

  uint64_t done_bytes = 0;
  for (size_t i = 0; i < plan.jobs.size(); ++i) {
    const TensorJob& job = plan.jobs[i];
    TensorStream stream(checkpoint, job, i, writer, options, done_bytes);
    const auto chunk_units = static_cast<int64_t>(std::max<uint64_t>(thread_bytes / unit_work_bytes(job), 1));
    pool.parallel_for(stream.units(), chunk_units,
                      [&](int64_t begin, int64_t end) { stream.run(begin, end, chunk_units); });
    checkpoint.release(job.source->data);
  }
}

}  // namespace frugal
