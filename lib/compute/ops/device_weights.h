// Weights of a plugin's backend: on its device while their budget has room, and brought there for each use where it has
// none, so that a model larger than the device's memory runs. Which stay is decided by the budget alone, in the order
// they were prepared: weights are used in a cycle, where any choice is as good and changing it is worse
// (docs/design/0019, 0023).
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "compute/ops/ops.h"
#include "compute/ops/plugin_abi.h"
#include "memory/budget.h"

namespace frugal {

/// Thread-safe beside reclaim(); otherwise of one thread, like the context.
class DeviceWeights final : public Reclaimer, public MetricSource {
 public:
  /// A weight, or a run of its outputs, is on the device as `id` while this is called.
  using Use = std::function<void(int64_t id, int64_t first_output, int64_t outputs)>;
  /// Throws what a status of the plugin that is not FRUGAL_OK means.
  using Check = std::function<void(int32_t status, const char* operation)>;

  /// Borrows all; `budget` may be null: no limit. element_bytes: of a weight on the device.
  DeviceWeights(const frugal_plugin& plugin, frugal_context* context, uint64_t element_bytes, Budget* budget,
                Check check);
  ~DeviceWeights() override;
  DeviceWeights(const DeviceWeights&) = delete;
  DeviceWeights& operator=(const DeviceWeights&) = delete;

  /// Number of the weight for use(). The packed data is borrowed: it is read again for each use if it does not stay.
  int64_t add(const PackedWeight& weight);
  /// Rows are there only now, so these stay. Throws Error(over_budget).
  int64_t add(const WeightRows& weight);
  /// Calls `use` for all of it where it stays, else for a few MiB of its outputs after another. Throws
  /// Error(over_budget) if there is no room even for those.
  void use(int64_t weight, const Use& use);
  /// Rows `ids` of a weight that is not on the device, from the host: [ids, inputs]. False, and nothing is read, if it
  /// is there.
  bool read_rows(int64_t weight, std::span<const int32_t> ids, std::vector<float>& rows) const;

  /// Takes weights from the device, the last first.
  uint64_t reclaim(uint64_t bytes) override;
  void report(MetricSink& sink) const override;

 private:
  /// A weight in the plugin, given up with this.
  class OnDevice {
   public:
    OnDevice() = default;
    OnDevice(const frugal_plugin& plugin, frugal_context* context, int64_t id)
        : plugin_(&plugin), context_(context), id_(id) {}
    OnDevice(OnDevice&& other) noexcept { *this = std::move(other); }
    OnDevice& operator=(OnDevice&& other) noexcept;
    ~OnDevice() { release(); }
    void release();
    explicit operator bool() const { return plugin_ != nullptr; }
    int64_t id() const { return id_; }

   private:
    const frugal_plugin* plugin_ = nullptr;
    frugal_context* context_ = nullptr;
    int64_t id_ = -1;
  };
  struct Entry {
    PackedWeight packed;  // data null: its shape only, there are no rows to read again
    OnDevice there;
    Reservation reservation;
  };

  uint64_t bytes_of(int64_t outputs, int64_t inputs) const {  // on the device
    return static_cast<uint64_t>(outputs) * static_cast<uint64_t>(inputs) * element_bytes_;
  }
  OnDevice make(int64_t first_output, int64_t outputs, const WeightRows& rows);
  void try_to_place(Entry& entry);
  int64_t keep(Entry entry);
  void stream(const PackedWeight& weight, const Use& use);

  const frugal_plugin& plugin_;
  frugal_context* context_;
  uint64_t element_bytes_;
  Budget* budget_;
  Check check_;
  // Held while the plugin's weights are used. Nothing is reserved under it: another's reservation may be waiting for
  // it in reclaim().
  mutable std::mutex mutex_;
  std::vector<Entry> entries_;
  uint64_t streamed_bytes_ = 0;  // brought to the device for one use, ever
  int64_t uses_ = 0, resident_uses_ = 0;
};

}  // namespace frugal
