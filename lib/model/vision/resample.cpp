// A sample of the output is a weighted mean of the samples of the input around its centre. The filter, a function of
// the distance, gives the weights. If the output is smaller, the filter is stretched by the ratio, so that every sample
// of the input counts: this is the antialiasing. At the edges the weights of the samples that exist are scaled to a sum
// of 1.
//
// Both directions are separate passes, over rows and over columns. Equality with Pillow to the byte needs four more
// conditions:
//
//   - weights are computed in double precision and rounded to integers, multiples of 2^-22;
//   - each pass adds products of integers, from half a unit on, and keeps the upper bits: rounding to nearest;
//   - the result of the first pass is rounded to 8 bits and clamped, too; a pass that changes no size is left out;
//   - the passes go in Pillow's order: columns_go_first().
//
// 22 bits of fraction, 8 bits of sample and 2 for sums beyond 1, which filters with negative lobes have, fit 32 bits.
//
// If rows go first, columns need a few of the narrower rows at a time. They are in a ring that is as long as the widest
// support, so working memory depends on the output and the ratio, not on the height of the input.
#include "model/vision/resample.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "base/error.h"

namespace frugal {
namespace {

constexpr int kWeightBits = 22;

struct FilterKind {
  double support;  // weights are 0 from this distance on
  double (*weight)(double distance);
};

double bilinear_weight(double distance) {
  const double x = std::fabs(distance);
  return x < 1 ? 1 - x : 0;
}

// Keys's cubic convolution with a = -1/2, in Horner's form: its rounding decides about the last bit of a weight.
double bicubic_weight(double distance) {
  constexpr double a = -0.5;
  const double x = std::fabs(distance);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

double sinc(double x) {
  if (x == 0) return 1;
  const double angle = x * std::numbers::pi;
  return std::sin(angle) / angle;
}

double lanczos_weight(double distance) {
  return -3 <= distance && distance < 3 ? sinc(distance) * sinc(distance / 3) : 0;
}

FilterKind kind_of(ResampleFilter filter) {
  switch (filter) {
    case ResampleFilter::bilinear:
      return {1, bilinear_weight};
    case ResampleFilter::bicubic:
      return {2, bicubic_weight};
    case ResampleFilter::lanczos:
      return {3, lanczos_weight};
  }
  check_failed("a filter that is known", __FILE__, __LINE__);
}

// The samples of the input that an output sample is the mean of.
struct Support {
  int64_t begin = 0, count = 0;
};

// The weights of one direction.
class Weights {
 public:
  Weights(const FilterKind& kind, int64_t input, int64_t output)
      : kind_(kind),
        input_(input),
        scale_(double(input) / double(output)),
        stretch_(std::max(scale_, 1.0)),
        radius_(kind.support * stretch_),
        max_count_(std::min(input, int64_t(std::ceil(radius_)) * 2 + 1)),
        exact_(static_cast<size_t>(max_count_)) {}

  int64_t max_count() const { return max_count_; }

  /// Writes max_count() integers, 0 beyond the support.
  Support at(int64_t output, int32_t* weights) {
    const double center = (double(output) + 0.5) * scale_;
    const auto begin = std::max<int64_t>(0, static_cast<int64_t>(std::floor(center - radius_ + 0.5)));
    const auto end = std::min<int64_t>(input_, static_cast<int64_t>(std::floor(center + radius_ + 0.5)));
    const int64_t count = std::min(end - begin, max_count_);
    double sum = 0;
    for (int64_t i = 0; i < count; ++i) {
      exact_[size_t(i)] = kind_.weight((double(i + begin) - center + 0.5) * (1 / stretch_));
      sum += exact_[size_t(i)];
    }
    for (int64_t i = 0; i < count; ++i) {
      const double weight = sum == 0 ? exact_[size_t(i)] : exact_[size_t(i)] / sum;
      weights[i] = static_cast<int32_t>((weight < 0 ? -0.5 : 0.5) + weight * (1 << kWeightBits));
    }
    std::fill(weights + count, weights + max_count_, 0);
    return {begin, count};
  }

 private:
  FilterKind kind_;
  int64_t input_;
  double scale_;    // input samples for each output sample
  double stretch_;  // of the filter
  double radius_;   // of the support, in input samples
  int64_t max_count_;
  std::vector<double> exact_;
};

constexpr int32_t kHalf = 1 << (kWeightBits - 1);

uint8_t to_sample(int32_t sum) {
  return static_cast<uint8_t>(std::clamp(sum >> kWeightBits, 0, 255));
}

// Makes rows of `input` pixels `output` pixels wide.
class RowResizer {
 public:
  RowResizer(const FilterKind& kind, int64_t input, int64_t output, Budget& budget) : width_(output) {
    if (input == output) return;
    Weights weights(kind, input, output);
    stride_ = weights.max_count();
    memory_ = budget.reserve(MemoryTag::io, static_cast<uint64_t>(output * stride_ * 4 + output * 16 + stride_ * 8),
                             "the weights that resize an image");
    weights_.resize(static_cast<size_t>(output * stride_));
    supports_.reserve(static_cast<size_t>(output));
    for (int64_t x = 0; x < output; ++x) supports_.push_back(weights.at(x, weights_.data() + x * stride_));
  }

  void run(const uint8_t* row, uint8_t* out) const {
    if (supports_.empty()) {
      std::copy_n(row, kRgbChannels * width_, out);
      return;
    }
    const int32_t* weights = weights_.data();
    for (int64_t x = 0; x < width_; ++x, weights += stride_, out += kRgbChannels) {
      const Support support = supports_[size_t(x)];
      const uint8_t* in = row + kRgbChannels * support.begin;
      int32_t red = kHalf, green = kHalf, blue = kHalf;
      for (int64_t i = 0; i < support.count; ++i, in += kRgbChannels) {
        red += in[0] * weights[i];
        green += in[1] * weights[i];
        blue += in[2] * weights[i];
      }
      out[0] = to_sample(red);
      out[1] = to_sample(green);
      out[2] = to_sample(blue);
    }
  }

 private:
  int64_t width_, stride_ = 0;
  Reservation memory_;
  std::vector<int32_t> weights_;  // stride_ for each pixel of the output
  std::vector<Support> supports_;
};

// Makes `output` rows of `input` rows, of row_bytes each.
class ColumnResizer {
 public:
  ColumnResizer(const FilterKind& kind, int64_t input, int64_t output, int64_t row_bytes, Budget& budget)
      : weights_(kind, input, output),
        memory_(budget.reserve(MemoryTag::io, static_cast<uint64_t>(4 * row_bytes + 12 * weights_.max_count()),
                               "sums of rows")),
        row_weights_(static_cast<size_t>(weights_.max_count())),
        sums_(static_cast<size_t>(row_bytes)) {}

  int64_t max_count() const { return weights_.max_count(); }
  /// Prepares run(): the rows that output row y is made of.
  Support prepare(int64_t y) { return support_ = weights_.at(y, row_weights_.data()); }
  /// row_at(y): the bytes of an input row.
  template <class RowAt>
  void run(RowAt&& row_at, uint8_t* out) {
    std::fill(sums_.begin(), sums_.end(), kHalf);
    for (int64_t i = 0; i < support_.count; ++i) {
      const uint8_t* in = row_at(support_.begin + i);
      const int32_t weight = row_weights_[size_t(i)];
      for (size_t x = 0; x < sums_.size(); ++x) sums_[x] += in[x] * weight;
    }
    std::transform(sums_.begin(), sums_.end(), out, to_sample);
  }

 private:
  Weights weights_;
  Reservation memory_;
  std::vector<int32_t> row_weights_, sums_;
  Support support_;
};

// Rows of the input enter the ring in order, each once, at the width of the output.
void resize_rows_first(const RgbImage& image, const RowResizer& rows, const FilterKind& kind, Budget& budget,
                       RgbImage& out) {
  ColumnResizer columns(kind, image.height(), out.height(), out.row_bytes(), budget);
  const int64_t slots = columns.max_count();
  const auto ring_bytes = static_cast<size_t>(slots * out.row_bytes());
  const Reservation memory = budget.reserve(MemoryTag::io, ring_bytes, "rows to resize");
  std::vector<uint8_t> ring(ring_bytes);
  const auto slot = [&](int64_t y) { return ring.data() + y % slots * out.row_bytes(); };
  int64_t next = 0;  // the first row that was not in the ring yet
  for (int64_t y = 0; y < out.height(); ++y) {
    const Support support = columns.prepare(y);
    next = std::max(next, support.begin);
    for (; next < support.begin + support.count; ++next) rows.run(image.row(next), slot(next));
    columns.run(slot, out.row(y));
  }
}

void resize_columns_first(const RgbImage& image, const RowResizer& rows, const FilterKind& kind, Budget& budget,
                          RgbImage& out) {
  ColumnResizer columns(kind, image.height(), out.height(), image.row_bytes(), budget);
  const auto row_bytes = static_cast<size_t>(image.row_bytes());
  const Reservation memory = budget.reserve(MemoryTag::io, row_bytes, "a row to resize");
  std::vector<uint8_t> row(row_bytes);
  for (int64_t y = 0; y < out.height(); ++y) {
    columns.prepare(y);
    columns.run([&](int64_t in) { return image.row(in); }, row.data());
    rows.run(row.data(), out.row(y));
  }
}

// Pillow's choice, from version 13 on: the pass that removes more goes first, and a column counts as two rows.
bool columns_go_first(const RgbImage& image, int64_t width, int64_t height) {
  const int64_t fewer_columns = image.width() - width, fewer_rows = image.height() - height;
  return fewer_rows > 0 && fewer_rows > 2 * fewer_columns;
}

}  // namespace

RgbImage resize(const RgbImage& image, int64_t width, int64_t height, ResampleFilter filter, Budget& budget) {
  RgbImage out(budget, width, height, "a resized image");
  const FilterKind kind = kind_of(filter);
  const RowResizer rows(kind, image.width(), width, budget);
  if (height == image.height())
    for (int64_t y = 0; y < height; ++y) rows.run(image.row(y), out.row(y));
  else if (columns_go_first(image, width, height))
    resize_columns_first(image, rows, kind, budget, out);
  else
    resize_rows_first(image, rows, kind, budget, out);
  return out;
}

}  // namespace frugal
