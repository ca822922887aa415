// Weights of a plugin's backend: resident on its device while their budget has room, else streamed to it for each use,
// so that a model larger than the device's memory runs. The first weights that fit stay: a forward pass uses all
// weights in turn, so no other choice saves transfers, and exchanging weights would add some (docs/design/0019, 0023).
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

/// reclaim() may be called from any thread; the rest belongs to one thread, like the context.
class DeviceWeights final : public Reclaimer, public MetricSource {
 public:
  /// Called while a weight, or a run of its outputs, is on the device under the number `id`.
  using Use = std::function<void(int64_t id, int64_t first_output, int64_t outputs)>;
  /// Throws the Error for a status of the plugin other than FRUGAL_OK.
  using Check = std::function<void(int32_t status, const char* operation)>;

  /// Borrows all arguments. element_bytes: size of an element of a weight on the device.
  DeviceWeights(const frugal_plugin& plugin, frugal_context* context, uint64_t element_bytes, Budget& budget,
                Check check);
  ~DeviceWeights() override;
  DeviceWeights(const DeviceWeights&) = delete;
  DeviceWeights& operator=(const DeviceWeights&) = delete;

  /// Returns the number for use(). Borrows the packed data, which is read again for each use of a weight that is not
  /// resident.
  int64_t add(const PackedWeight& weight);
  /// These stay resident, because their rows can be read only now. Throws Error(over_budget).
  int64_t add(const WeightRows& weight);
  /// Calls `use` once for a resident weight, else for a few MiB of its outputs at a time. Throws Error(over_budget) if
  /// there is no room even for those.
  void use(int64_t weight, const Use& use);
  /// Rows `ids` of a weight that is not resident, from the host: [ids, inputs]. False, and reads nothing, if it is
  /// resident.
  bool read_rows(int64_t weight, std::span<const int32_t> ids, std::vector<float>& rows) const;

  /// Evicts weights from the device, the last added first.
  uint64_t reclaim(uint64_t bytes) override;
  void report(MetricSink& sink) const override;

 private:
  /// A weight in the plugin, released by the destructor.
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
    PackedWeight packed;  // data null: shape only, the weight cannot be read again
    OnDevice resident;
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
  Budget& budget_;
  Check check_;
  // Held while the plugin's weights are used. Nothing is reserved under it, because reclaim() waits for it during the
  // reservations of other objects.
  mutable std::mutex mutex_;
  std::vector<Entry> entries_;
  uint64_t streamed_bytes_ = 0;  // since the start
  int64_t uses_ = 0, resident_uses_ = 0;
};

}  // namespace frugal
