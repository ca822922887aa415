// Loaded models by name: made by their loader on first use, shared by all users, and unloaded after the last one, at
// once (aggressive) or when their room is needed (cache). A tool that uses one model after another in aggressive mode
// never holds two.
// Not the budget, which counts bytes: the manager is one of its reclaimers.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <typeindex>
#include <vector>

#include "base/setting.h"
#include "memory/budget.h"
#include "memory/use_order.h"
#include "telemetry/metrics.h"

namespace frugal {

struct ManagerStats {
  struct Model {
    std::string name;
    bool loaded = false;
    int64_t users = 0;
    int64_t loads = 0, hits = 0;  // loads by the loader; uses that found it loaded
    int64_t load_ns = 0;          // sum over all loads
  };
  std::vector<Model> models;  // in the order of their registration
  int64_t loads = 0, hits = 0, failures = 0;
  int64_t unloads = 0, evictions = 0;   // evictions: unloads because room was needed
  int64_t loaded = 0, peak_loaded = 0;  // now; at most at any time
  int64_t prefetches = 0;
  int64_t predictions = 0, right_predictions = 0;  // of the model that is used next
  int64_t collections = 0;                         // calls of force_cleanup()
  uint64_t collected_bytes = 0;                    // anonymous memory that these returned to the system
  uint64_t ram_bytes = 0;                          // resident in this process, mapped pages included
  uint64_t gpu_bytes = 0;                          // reserved on the devices of the budget
};

/// Thread-safe. Must outlive every pointer that load() returned.
class Manager final : public Reclaimer, public MetricSource {
 public:
  enum class Mode { aggressive, cache };
  friend constexpr std::array<Named<Mode>, 2> names_of(Mode) {
    return {{{Mode::aggressive, "aggressive"}, {Mode::cache, "cache"}}};
  }

  /// Borrows `budget`, which evicts unused models before it refuses a reservation.
  explicit Manager(Mode mode, Budget& budget, Eviction eviction = Eviction::predictive);
  ~Manager() override;
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;

  /// `prefetch`, if given, makes the disk read the files that `make` needs; it runs on a thread of its own. Throws
  /// Error(usage) if the name is taken.
  template <typename T>
  void register_loader(const std::string& name, std::function<std::unique_ptr<T>()> make,
                       const std::function<void()>& prefetch = {}) {
    add(
        name, typeid(T), [make = std::move(make)] { return std::shared_ptr<void>(make()); }, prefetch);
  }
  /// The model of that name, loaded now unless it is; it stays until the last copy of the pointer is destroyed. If two
  /// threads ask at once, one loads and the other waits. Throws what the loader throws, after which nothing is held;
  /// Error(missing) for a name without a loader; Error(internal) if the type is another or a loader loads itself.
  template <typename T>
  std::shared_ptr<T> load(std::string_view name) {
    return std::static_pointer_cast<T>(load_any(name, typeid(T)));
  }

  /// The model if it is loaded now, else null. Does not count as a use. Throws as load() for a wrong name or type.
  template <typename T>
  std::shared_ptr<T> find_loaded(std::string_view name) {
    return std::static_pointer_cast<T>(find_loaded_any(name, typeid(T)));
  }

  /// Reads the model's files in the background, because it will be loaded soon. Once for each load; cheap.
  void prefetch(std::string_view name);

  /// False if the model is in use or not loaded.
  bool unload(std::string_view name);
  /// Unloads every model that is not in use; returns how many.
  int64_t unload_all();
  /// unload_all(), and returns freed heap pages to the system. Returns by how many bytes anonymous memory fell.
  uint64_t force_cleanup();
  /// force_cleanup() if more than `percent` of the budget, the machine or the cgroup is used, or if tasks waited for
  /// memory for 10 % of the last 10 s. Returns the bytes that it freed.
  uint64_t auto_cleanup_if_needed(double percent);
  ManagerStats stats() const;
  /// The same without the bytes, which take a look at every page of the process.
  ManagerStats counts() const;
  uint64_t reclaim(uint64_t bytes) override;
  void report(MetricSink& sink) const override;

 private:
  using Make = std::function<std::shared_ptr<void>()>;
  enum class State { unloaded, loading, loaded, unloading };
  struct Model {
    int32_t id;
    std::string name;
    std::type_index type;
    Make make;
    std::function<void()> prefetch;
    State state = State::unloaded;
    std::shared_ptr<void> object = {};  // set in State::loaded
    std::thread::id worker = {};        // that loads or unloads it, and would wait for itself if it asked for it
    bool prefetched = false;            // since the last load
    int64_t users = 0, loads = 0, hits = 0, load_ns = 0;
    bool in_transition() const { return state == State::loading || state == State::unloading; }
  };
  using Lock = std::unique_lock<std::mutex>;

  void add(std::string name, std::type_index type, Make make, std::function<void()> prefetch);
  Model& find(std::string_view name, std::optional<std::type_index> type = {});  // mutex_ held
  std::shared_ptr<void> load_any(std::string_view name, std::type_index type);
  std::shared_ptr<void> find_loaded_any(std::string_view name, std::type_index type);
  std::shared_ptr<void> lend(Lock& lock, Model& model);
  void make(Lock& lock, Model& model);
  void release(Model& model);
  void destroy(Lock& lock, const std::vector<Model*>& models);
  int64_t unload_where(const std::function<bool(const Model&)>& wanted);

  const Mode mode_;
  Budget& budget_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;  // a model left its transition
  std::deque<Model> models_;         // addresses stay
  UseOrder order_;
  ManagerStats counts_;     // all but `models`
  std::thread prefetcher_;  // of the last prefetch()
};

}  // namespace frugal
