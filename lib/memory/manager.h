// Loaded things by name: made by their loader when first asked for, shared while somebody holds them, and given up when
// nobody does: at once (aggressive) or when their room is needed (cache). A tool that asks for one model after another
// in aggressive mode never holds two.
// Not the budget, which counts bytes; the manager is one of those whom it asks to let go.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <typeindex>
#include <vector>

#include "memory/budget.h"
#include "memory/use_order.h"
#include "telemetry/metrics.h"

namespace frugal {

struct ManagerStats {
  struct Thing {
    std::string name;
    bool loaded = false;
    int64_t users = 0;
    int64_t loads = 0, hits = 0;  // made anew, found loaded
    int64_t load_ns = 0;          // of all loads
  };
  std::vector<Thing> things;  // in the order of their registration
  int64_t loads = 0, hits = 0, failures = 0;
  int64_t unloads = 0, evictions = 0;   // of those unloads, because room was needed
  int64_t loaded = 0, most_loaded = 0;  // now, and the most at any time
  int64_t prefetches = 0;
  int64_t predictions = 0, right_predictions = 0;  // of what is loaded next
  int64_t collections = 0;                         // force_cleanup()s
  uint64_t collected_bytes = 0;                    // of anonymous memory that they gave back
  uint64_t ram_bytes = 0;                          // resident in this process, mapped pages included
  uint64_t gpu_bytes = 0;                          // reserved in the budgets of devices; 0 without one
};

/// Thread-safe. What it gave out has to be let go before it dies.
class Manager final : public Reclaimer, public MetricSource {
 public:
  enum class Mode { aggressive, cache };

  /// Borrows `budget` (may be null), which asks it to give up what nobody uses before it refuses anything.
  explicit Manager(Mode mode, Budget* budget = nullptr, Eviction eviction = Eviction::predictive);
  ~Manager() override;
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;

  /// `bring_near`, if given, has the disk read what `make` will need; it is called on a thread of its own. Throws
  /// Error(usage) if the name is taken.
  template <typename T>
  void register_loader(std::string name, std::function<std::unique_ptr<T>()> make,
                       std::function<void()> bring_near = {}) {
    add(
        std::move(name), typeid(T), [make = std::move(make)] { return std::shared_ptr<void>(make()); },
        std::move(bring_near));
  }
  /// The thing of that name, loaded now if it is not; it stays until the last copy of the pointer dies. Of two who ask
  /// at once one loads and the other waits. Throws what the loader throws, after which nothing is held; Error(missing)
  /// for a name that nobody registered, Error(internal) if its type is another or a loader asks for itself.
  template <typename T>
  std::shared_ptr<T> load(std::string_view name) {
    return std::static_pointer_cast<T>(load_any(name, typeid(T)));
  }

  /// Says that `name` will be loaded soon: its files are read while others compute. Once for each load; cheap.
  void expect(std::string_view name);

  /// Gives up one that nobody uses; false if it is in use or not loaded.
  bool unload(std::string_view name);
  /// Gives up all that nobody uses; how many those were.
  int64_t unload_all();
  /// unload_all(), and freed heap pages go back to the system. Returns by how many bytes anonymous memory fell.
  uint64_t force_cleanup();
  /// force_cleanup() if the budget, or the machine or cgroup, is used by more than `percent`, or if tasks waited for
  /// memory for 10 % of the last 10 s. Returns what that gave back.
  uint64_t auto_cleanup_if_needed(double percent);
  ManagerStats stats() const;
  uint64_t reclaim(uint64_t bytes) override;
  void report(MetricSink& sink) const override;

 private:
  using Make = std::function<std::shared_ptr<void>()>;
  struct Thing {
    int32_t id;
    std::string name;
    std::type_index type;
    Make make;
    std::function<void()> bring_near;
    std::shared_ptr<void> object = {};  // null: not loaded
    std::thread::id busy = {};          // who loads or destroys it; default: nobody
    bool expected = false;              // bring_near was called since the last load
    int64_t users = 0, loads = 0, hits = 0, load_ns = 0;
  };
  using Lock = std::unique_lock<std::mutex>;

  void add(std::string name, std::type_index type, Make make, std::function<void()> bring_near);
  ManagerStats counts() const;         // all but the bytes
  Thing& find(std::string_view name);  // mutex_ held
  std::shared_ptr<void> load_any(std::string_view name, std::type_index type);
  void make(Lock& lock, Thing& thing);
  void let_go(Thing& thing);
  void give_up(Lock& lock, const std::vector<Thing*>& things);
  int64_t unload_where(const std::function<bool(const Thing&)>& wanted);

  const Mode mode_;
  Budget* budget_;
  mutable std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<Thing> things_;  // addresses stay
  UseOrder order_;
  ManagerStats counts_;  // but for `things`
  std::thread near_;     // that of the last expect()
};

}  // namespace frugal
