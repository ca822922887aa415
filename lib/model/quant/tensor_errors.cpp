#include "model/quant/tensor_errors.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

#include "base/checked.h"
#include "base/thread_pool.h"
#include "compute/tensor/packed.h"

namespace frugal {
namespace {

// The rows of one partial sum. Fixed, so that sums are added in the same order on any number of threads.
constexpr int64_t kRowsPerSum = 64;

struct ErrorSums {
  double abs_error = 0, max_error = 0, squared_error = 0, squared_source = 0;
  int64_t count = 0;

  void add(std::span<const float> source, std::span<const float> stored) {
    for (size_t i = 0; i < source.size(); ++i) {
      const double error = std::fabs(double(source[i]) - double(stored[i]));
      abs_error += error;
      max_error = std::max(max_error, error);
      squared_error += error * error;
      squared_source += double(source[i]) * double(source[i]);
    }
    count += static_cast<int64_t>(source.size());
  }
  void add(const ErrorSums& other) {
    abs_error += other.abs_error;
    max_error = std::max(max_error, other.max_error);
    squared_error += other.squared_error;
    squared_source += other.squared_source;
    count += other.count;
  }
  TensorError result() const {
    if (count == 0) return {};
    return {abs_error / static_cast<double>(count), max_error,
            squared_source > 0 ? std::sqrt(squared_error / squared_source) : 0};
  }
};

// The rows of a job's tensor as the pack has them, decoded to fp32.
class StoredRows {
 public:
  StoredRows(const Pack& pack, const TensorJob& job) : pack_(pack), cols_(source_matrix(job.spec).cols) {
    const Shape& shape = job.spec.shape;
    if (job.rank > 0) {
      whole_ = pack.require_linear(job.spec.name + ".u", shape[0], job.rank);
      right_factor_ = pack.require_linear(job.spec.name + ".v", job.rank, shape[1]);
    } else if (is_linear(job.dtype)) {
      whole_ = pack.require_linear(job.spec.name, shape[0], shape[1]);
    } else {
      table_ = pack.require(job.spec.name);
    }
  }

  void read(int64_t row, std::span<float> out) const {
    if (right_factor_) return read_product(row, out);
    if (whole_) return unpack_output(*whole_, row, out);
    const size_t bytes = element_bytes(table_->dtype);
    const std::byte* data = table_->data.data() + static_cast<size_t>(row * cols_) * bytes;
    for (size_t i = 0; i < out.size(); ++i) out[i] = element(data + i * bytes, row);
  }

  void release() const {
    for (const PackTensor& tensor : pack_.tensors())
      if (is_read(tensor))
        pack_.file().release(static_cast<uint64_t>(tensor.data.data() - pack_.file().bytes().data()),
                             tensor.data.size());
  }

 private:
  bool is_read(const PackTensor& tensor) const {
    const std::byte* data = tensor.data.data();
    return (whole_ && whole_->data == data) || (right_factor_ && right_factor_->data == data) ||
           (table_ && table_->data.data() == data);
  }

  void read_product(int64_t row, std::span<float> out) const {
    std::vector<float> left(static_cast<size_t>(whole_->inputs)), right(out.size());
    unpack_output(*whole_, row, left);
    std::fill(out.begin(), out.end(), 0.0f);
    for (size_t k = 0; k < left.size(); ++k) {
      unpack_output(*right_factor_, static_cast<int64_t>(k), right);
      for (size_t i = 0; i < out.size(); ++i) out[i] += left[k] * right[i];
    }
  }

  float element(const std::byte* at, int64_t row) const {
    if (table_->dtype == DType::i8)
      return table_->scales[static_cast<size_t>(row)] * static_cast<float>(static_cast<int8_t>(*at));
    if (table_->dtype == DType::f16) {
      uint16_t half;
      std::memcpy(&half, at, sizeof half);
      return f16_to_f32(half);
    }
    float value;
    std::memcpy(&value, at, sizeof value);
    return value;
  }

  const Pack& pack_;
  int64_t cols_;
  std::optional<PackedWeight> whole_, right_factor_;  // a linear type; with `right_factor_`, `whole_` is the left one
  std::optional<PackTensor> table_;                   // any other type
};

TensorError measure(const TensorJob& job, const StoredRows& stored, ThreadPool& pool) {
  const SourceMatrix matrix = source_matrix(job.spec);
  SourceTensor source = *job.source;
  source.shape = Shape{matrix.rows, matrix.cols};
  std::vector<ErrorSums> sums(static_cast<size_t>(ceil_div(matrix.rows, kRowsPerSum)));
  pool.parallel_for(static_cast<int64_t>(sums.size()), 1, [&](int64_t begin, int64_t end) {
    std::vector<float> original(static_cast<size_t>(matrix.cols)), decoded(original.size());
    for (int64_t row = begin * kRowsPerSum; row < std::min(end * kRowsPerSum, matrix.rows); ++row) {
      read_planned_rows(job.spec, source, row, original);
      stored.read(row, decoded);
      sums[static_cast<size_t>(row / kRowsPerSum)].add(original, decoded);
    }
  });
  ErrorSums total;
  for (const ErrorSums& part : sums) total.add(part);
  return total.result();
}

}  // namespace

std::vector<TensorError> measure_errors(const Checkpoint& checkpoint, const TensorPlan& plan, const Pack& pack,
                                        int threads, const ByteProgress& progress) {
  ThreadPool pool(threads);
  std::vector<TensorError> errors;
  uint64_t done_bytes = 0;
  for (const TensorJob& job : plan.jobs) {
    const StoredRows stored(pack, job);
    errors.push_back(measure(job, stored, pool));
    checkpoint.release(job.source->data);
    stored.release();
    done_bytes += job.source->data.size();
    if (progress) progress(done_bytes);
  }
  return errors;
}

}  // namespace frugal
