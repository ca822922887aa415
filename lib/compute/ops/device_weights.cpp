// An entry is resident, with a number in the plugin and a reservation of its bytes, or absent, with neither. add()
// makes it resident if the budget has room without reclaiming and the device has the memory, which other processes may
// have taken. reclaim() makes it absent for good: keys, values and activations evict weights, never the reverse.
//
// use() of an absent weight streams it. For each slice of its outputs: unpack from the mapped pack, send, call `use`,
// release. One slice is reserved and on the device at a time. Outputs do not depend on each other, so a product by
// slices differs from the whole product at most in rounding. Rows of an absent embedding are unpacked on the host
// (read_rows), which sends the rows only.
//
// A weight given as rows cannot be streamed, so add() fails if it does not fit, and reclaim() passes over it.
//
// mutex_ is held while the plugin uses a weight, so that reclaim() on another thread does not release it meanwhile.
// Nothing is reserved under the mutex: the reservation may need to reclaim, which would wait for the mutex.
#include "compute/ops/device_weights.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/units.h"

namespace frugal {
namespace {

// Bytes of a streamed weight that are on the device at a time. Large enough for a product to outweigh its call.
constexpr uint64_t kSliceBytes = 8 * kMiB;

WeightRows rows_of(const PackedWeight& weight, std::vector<float>& block) {
  block.resize(static_cast<size_t>(kOutputBlock * weight.inputs));  // padding included
  return {weight.outputs, weight.inputs, [&weight, &block](int64_t first, std::span<float> rows) {
            unpack_block(weight, first / kOutputBlock, block);
            std::copy_n(block.begin(), rows.size(), rows.begin());
          }};
}

}  // namespace

void DeviceWeights::OnDevice::release() {
  if (plugin_) plugin_->release_weight(context_, id_);
  plugin_ = nullptr;
}

DeviceWeights::OnDevice& DeviceWeights::OnDevice::operator=(OnDevice&& other) noexcept {
  if (this == &other) return *this;
  release();
  plugin_ = std::exchange(other.plugin_, nullptr);
  context_ = other.context_;
  id_ = other.id_;
  return *this;
}

DeviceWeights::DeviceWeights(const frugal_plugin& plugin, frugal_context* context, uint64_t element_bytes,
                             Budget& budget, Check check)
    : plugin_(plugin), context_(context), element_bytes_(element_bytes), budget_(budget), check_(std::move(check)) {
  budget_.add(*this);
  metric_registry().add(*this);
}

DeviceWeights::~DeviceWeights() {
  metric_registry().remove(*this);
  budget_.remove(*this);
}

// Sends a block of outputs at a time, so that the weight never exists in fp32 as a whole.
DeviceWeights::OnDevice DeviceWeights::make(int64_t first_output, int64_t outputs, const WeightRows& weight) {
  int64_t id = -1;
  check_(plugin_.make_weight(context_, outputs, weight.inputs, &id), "make_weight");
  OnDevice made(plugin_, context_, id);
  std::vector<float> buffer(static_cast<size_t>(kOutputBlock * weight.inputs));
  for (int64_t done = 0; done < outputs; done += kOutputBlock) {
    const int64_t count = std::min(kOutputBlock, outputs - done);
    const std::span<float> rows = std::span(buffer).first(static_cast<size_t>(count * weight.inputs));
    weight.read(first_output + done, rows);
    check_(plugin_.fill_weight(context_, id, done, {rows.data(), static_cast<int64_t>(rows.size())}), "fill_weight");
  }
  return made;
}

int64_t DeviceWeights::keep(Entry entry) {
  const std::lock_guard lock(mutex_);
  entries_.push_back(std::move(entry));
  return static_cast<int64_t>(entries_.size()) - 1;
}

int64_t DeviceWeights::add(const PackedWeight& weight) {
  FRUGAL_CHECK(weight.data && is_linear(weight.dtype));
  Entry entry{weight, {}, {}};
  const uint64_t bytes = bytes_of(weight.outputs, weight.inputs);
  entry.reservation = budget_.reserve_up_to(MemoryTag::weights, bytes, Budget::Reclaim::no);
  if (entry.reservation.bytes() < bytes)
    entry.reservation.release();
  else
    try_to_place(entry);
  return keep(std::move(entry));
}

// The device may have less than the budget says, because other processes use it.
void DeviceWeights::try_to_place(Entry& entry) {
  std::vector<float> block;
  const std::lock_guard lock(mutex_);
  try {
    entry.resident = make(0, entry.packed.outputs, rows_of(entry.packed, block));
  } catch (const Error& error) {
    if (error.code() != Code::over_budget) throw;
    entry.reservation.release();
  }
}

int64_t DeviceWeights::add(const WeightRows& weight) {
  Entry entry{PackedWeight{DType::linear_f32, weight.outputs, weight.inputs}, {}, {}};
  entry.reservation =
      budget_.reserve(MemoryTag::weights, bytes_of(weight.outputs, weight.inputs), "weights of the plugin's backend");
  {
    const std::lock_guard lock(mutex_);
    entry.resident = make(0, weight.outputs, weight);
  }
  return keep(std::move(entry));
}

void DeviceWeights::use(int64_t weight, const Use& use) {
  PackedWeight absent;
  {
    const std::lock_guard lock(mutex_);
    const Entry& entry = entries_[static_cast<size_t>(weight)];
    ++uses_;
    if (entry.resident) {
      ++resident_uses_;
      return use(entry.resident.id(), 0, entry.packed.outputs);
    }
    absent = entry.packed;
  }
  stream(absent, use);
}

bool DeviceWeights::read_rows(int64_t index, std::span<const int32_t> ids, std::vector<float>& rows) const {
  PackedWeight weight;
  {
    const std::lock_guard lock(mutex_);
    const Entry& entry = entries_[static_cast<size_t>(index)];
    if (entry.resident) return false;
    weight = entry.packed;
  }
  const auto inputs = static_cast<size_t>(weight.inputs);
  std::vector<float> block(static_cast<size_t>(kOutputBlock) * inputs);
  rows.clear();
  for (const int32_t id : ids) {
    unpack_block(weight, id / kOutputBlock, block);
    const auto row = block.begin() + static_cast<ptrdiff_t>(static_cast<size_t>(id % kOutputBlock) * inputs);
    rows.insert(rows.end(), row, row + static_cast<ptrdiff_t>(inputs));
  }
  return true;
}

void DeviceWeights::stream(const PackedWeight& weight, const Use& use) {
  const auto blocks = static_cast<int64_t>(kSliceBytes / bytes_of(kOutputBlock, weight.inputs));
  const int64_t slice = std::min(weight.outputs, std::max<int64_t>(1, blocks) * kOutputBlock);
  const Reservation reservation =
      budget_.reserve(MemoryTag::weights, bytes_of(slice, weight.inputs), "a slice of a weight on the device");
  std::vector<float> block;
  const WeightRows rows = rows_of(weight, block);
  const std::lock_guard lock(mutex_);
  for (int64_t first = 0; first < weight.outputs; first += slice) {
    const int64_t outputs = std::min(slice, weight.outputs - first);
    const OnDevice part = make(first, outputs, rows);
    use(part.id(), first, outputs);
    streamed_bytes_ += bytes_of(outputs, weight.inputs);
  }
}

uint64_t DeviceWeights::reclaim(uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  uint64_t got = 0;
  for (auto entry = entries_.rbegin(); entry != entries_.rend() && got < bytes; ++entry) {
    if (!entry->resident || !entry->packed.data) continue;
    entry->resident.release();
    got += entry->reservation.bytes();
    entry->reservation.release();
  }
  return got;
}

void DeviceWeights::report(MetricSink& sink) const {
  const std::lock_guard lock(mutex_);
  uint64_t resident_bytes = 0;
  for (const Entry& entry : entries_)
    if (entry.resident) resident_bytes += bytes_of(entry.packed.outputs, entry.packed.inputs);
  sink.gauge("frugal_device_weight_bytes", "Bytes of weights resident on a plugin's device",
             static_cast<double>(resident_bytes));
  sink.counter("frugal_device_streamed_bytes_total", "Bytes of weights streamed to a plugin's device for one use",
               static_cast<double>(streamed_bytes_));
  sink.ratio("frugal_device_hit_ratio", "Share of the uses of weights that were resident on a plugin's device",
             static_cast<double>(resident_uses_), static_cast<double>(uses_));
}

}  // namespace frugal
