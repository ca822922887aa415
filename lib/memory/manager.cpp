#include "memory/manager.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <new>

#include "base/error.h"
#include "base/log.h"
#include "base/units.h"
#include "telemetry/process_memory.h"
#include "telemetry/system_memory.h"

namespace frugal {
namespace {

// Share of time that some task waited for memory at which caches are given up, before the kernel takes pages in use.
constexpr double kHighPressurePercent = 10;

uint64_t anonymous_bytes() {
  const MemoryReading now = read_memory();
  return now.anon_bytes + now.swap_bytes;
}

void log_memory(std::string_view what, std::string_view name) {
  if (!log_enabled(LogLevel::info)) return;
  const MemoryReading now = read_memory();
  log(LogLevel::info, "{} {}: {} anonymous, {} of files, {} available", what, name, format_bytes(now.anon_bytes),
      format_bytes(now.file_bytes), format_bytes(read_system_memory().available_bytes()));
}

}  // namespace

Manager::Manager(Mode mode, Budget* budget, Eviction eviction) : mode_(mode), budget_(budget), order_(eviction) {
  if (budget_) budget_->add(*this);
  metric_registry().add(*this);
}

Manager::~Manager() {
  metric_registry().remove(*this);
  if (budget_) budget_->remove(*this);
  if (near_.joinable()) near_.join();
}

void Manager::add(std::string name, std::type_index type, Make make, std::function<void()> bring_near) {
  const Lock lock(mutex_);
  for (const Thing& thing : things_)
    if (thing.name == name) throw Error(Code::usage, fmt::format("there is a loader of the name '{}' already", name));
  things_.push_back(
      {static_cast<int32_t>(things_.size()), std::move(name), type, std::move(make), std::move(bring_near)});
}

Manager::Thing& Manager::find(std::string_view name) {
  std::string known;
  for (Thing& thing : things_) {
    if (thing.name == name) return thing;
    known += (known.empty() ? "" : ", ") + thing.name;
  }
  throw Error(Code::missing, fmt::format("nobody knows how to load '{}'", name)).hint("known: " + known);
}

std::shared_ptr<void> Manager::load_any(std::string_view name, std::type_index type) {
  Lock lock(mutex_);
  Thing& thing = find(name);
  if (thing.type != type) throw Error(Code::internal, fmt::format("'{}' is asked for as another type", name));
  if (thing.busy == std::this_thread::get_id())
    throw Error(Code::internal, fmt::format("the loader of '{}' asks for itself", name));
  ready_.wait(lock, [&] { return thing.busy == std::thread::id(); });
  order_.touch(thing.id);
  if (thing.object) {
    ++thing.hits;
    ++counts_.hits;
  } else {
    make(lock, thing);
  }
  ++thing.users;
  lock.unlock();  // should the next line fail, it lets go
  return {thing.object.get(), [this, &thing](void*) { let_go(thing); }};
}

// Without the lock while the loader runs: others load other things meanwhile, and the budget may ask us to let go.
void Manager::make(Lock& lock, Thing& thing) {
  thing.busy = std::this_thread::get_id();
  lock.unlock();
  log_memory("before loading", thing.name);
  const auto began = std::chrono::steady_clock::now();
  std::shared_ptr<void> object;
  std::exception_ptr failure;
  try {
    try {
      object = thing.make();
    } catch (const std::bad_alloc&) {  // perhaps there is room without what nobody uses
      force_cleanup();
      object = thing.make();
    }
  } catch (...) {
    failure = std::current_exception();
  }
  const auto took = std::chrono::steady_clock::now() - began;
  log_memory(failure ? "failed to load" : "after loading", thing.name);
  lock.lock();
  thing.busy = {};
  thing.expected = false;
  ready_.notify_all();
  if (failure) {
    ++counts_.failures;
    std::rethrow_exception(failure);
  }
  thing.object = std::move(object);
  ++counts_.loads;
  ++thing.loads;
  thing.load_ns += std::chrono::duration_cast<std::chrono::nanoseconds>(took).count();
  counts_.most_loaded = std::max(counts_.most_loaded, ++counts_.loaded);
}

void Manager::let_go(Thing& thing) {
  {
    Lock lock(mutex_);
    if (--thing.users > 0 || mode_ == Mode::cache) return;
    give_up(lock, {&thing});
  }
  release_free_heap();
  log_memory("after unloading", thing.name);
}

// Destroyed without the lock, since that may ask others; whoever wants one of them again waits until it is gone, so
// that there are never two.
void Manager::give_up(Lock& lock, const std::vector<Thing*>& things) {
  std::vector<std::shared_ptr<void>> dying;
  for (Thing* thing : things) {
    dying.push_back(std::move(thing->object));
    thing->busy = std::this_thread::get_id();
  }
  const auto count = static_cast<int64_t>(things.size());
  counts_.unloads += count;
  counts_.loaded -= count;
  lock.unlock();
  dying.clear();
  lock.lock();
  for (Thing* thing : things) thing->busy = {};
  ready_.notify_all();
}

void Manager::expect(std::string_view name) {
  const Lock lock(mutex_);
  Thing& thing = find(name);
  if (thing.object || thing.expected || !thing.bring_near) return;
  thing.expected = true;
  ++counts_.prefetches;
  if (near_.joinable()) near_.join();
  near_ = std::thread([&thing] {
    try {
      thing.bring_near();
    } catch (...) {  // whoever loads it will meet what is wrong
    }
  });
}

int64_t Manager::unload_where(const std::function<bool(const Thing&)>& wanted) {
  Lock lock(mutex_);
  std::vector<Thing*> things;
  for (Thing& thing : things_)
    if (thing.object && thing.users == 0 && wanted(thing)) things.push_back(&thing);
  give_up(lock, things);
  return static_cast<int64_t>(things.size());
}

bool Manager::unload(std::string_view name) {
  {
    const Lock lock(mutex_);
    find(name);
  }
  return unload_where([&](const Thing& thing) { return thing.name == name; }) > 0;
}

int64_t Manager::unload_all() {
  return unload_where([](const Thing&) { return true; });
}

uint64_t Manager::force_cleanup() {
  const uint64_t before = anonymous_bytes();
  unload_all();
  release_free_heap();
  const uint64_t after = anonymous_bytes(), freed = before - std::min(before, after);
  const Lock lock(mutex_);
  ++counts_.collections;
  counts_.collected_bytes += freed;
  return freed;
}

uint64_t Manager::auto_cleanup_if_needed(double percent) {
  const auto over = [&](double used, double of) { return of > 0 && used / of * 100 > percent; };
  const SystemMemory system = read_system_memory();
  const uint64_t total = system.limit_bytes();
  const uint64_t taken = total - std::min(total, system.available_bytes());
  const bool full = over(static_cast<double>(taken), static_cast<double>(total));
  const bool budget_full =
      budget_ && budget_->limited() &&
      over(static_cast<double>(budget_->used_bytes()), static_cast<double>(budget_->limit_bytes()));
  const bool pressed = system.pressure && system.pressure->some_avg10 > kHighPressurePercent;
  return full || budget_full || pressed ? force_cleanup() : 0;
}

ManagerStats Manager::stats() const {
  ManagerStats stats = counts();
  if (const auto process = read_process()) stats.ram_bytes = process->rss_bytes();
  for (const Metric& metric : metric_registry().collect())
    for (const auto& [label, value] : metric.labels)
      if (metric.name == "frugal_memory_bytes" && label == "tier" && value == "gpu")
        stats.gpu_bytes += static_cast<uint64_t>(metric.value());
  return stats;
}

ManagerStats Manager::counts() const {
  const Lock lock(mutex_);
  ManagerStats stats = counts_;
  stats.predictions = order_.predictions();
  stats.right_predictions = order_.right();
  for (const Thing& thing : things_)
    stats.things.push_back({thing.name, thing.object != nullptr, thing.users, thing.loads, thing.hits, thing.load_ns});
  return stats;
}

void Manager::report(MetricSink& sink) const {
  const ManagerStats now = counts();
  const auto figure = [](int64_t count) { return static_cast<double>(count); };
  sink.counter("frugal_model_loads_total", "Models made anew", figure(now.loads));
  sink.ratio("frugal_model_hit_ratio", "Share of the uses of models that found them loaded", figure(now.hits),
             figure(now.hits + now.loads));
  sink.counter("frugal_model_load_failures_total", "Loaders that failed", figure(now.failures));
  sink.counter("frugal_model_unloads_total", "Models given up", figure(now.unloads));
  sink.counter("frugal_model_evictions_total", "Models given up because room was needed", figure(now.evictions));
  sink.counter("frugal_model_prefetches_total", "Models whose files were read before they were asked for",
               figure(now.prefetches));
  sink.counter("frugal_collections_total", "Times that everything unused was given up", figure(now.collections));
  sink.counter("frugal_collected_bytes_total", "Anonymous memory that this gave back to the system",
               static_cast<double>(now.collected_bytes));
  sink.gauge("frugal_models_loaded", "Models that are loaded", figure(now.loaded));
  sink.peak("frugal_models_loaded_peak", "The most models that were loaded at once", figure(now.most_loaded));
  sink.ratio("frugal_model_prediction_accuracy", "Share of the uses of models that were foretold",
             figure(now.right_predictions), figure(now.predictions));
  for (const ManagerStats::Thing& thing : now.things)
    sink.counter("frugal_model_load_seconds_total", "Time that loading took", static_cast<double>(thing.load_ns) / 1e9,
                 {{"model", thing.name}});
}

// One after another until the budget has got what it asked for.
uint64_t Manager::reclaim(uint64_t bytes) {
  const uint64_t before = budget_->used_bytes();
  const auto idle = [&](int32_t id) {
    const Thing& thing = things_[static_cast<size_t>(id)];
    return thing.object && thing.users == 0;
  };
  uint64_t freed = 0;
  while (freed < bytes) {
    {
      Lock lock(mutex_);
      const auto victim = order_.victim(idle);
      if (!victim) break;
      ++counts_.evictions;
      give_up(lock, {&things_[static_cast<size_t>(*victim)]});
    }
    freed = before - std::min(before, budget_->used_bytes());
  }
  return freed;
}

}  // namespace frugal
