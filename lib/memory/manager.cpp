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

// Share of time that some task waited for memory, above which unused models go before the kernel evicts used pages.
constexpr double kHighPressurePercent = 10;

uint64_t anonymous_bytes() {
  const MemoryReading now = read_memory();
  return now.anon_bytes + now.swap_bytes;
}

void log_memory(std::string_view what, std::string_view name) {
  if (!log_enabled(LogLevel::info)) return;
  const MemoryReading now = read_memory();
  log(LogLevel::info, "{} {}: {} anonymous, {} file-backed, {} available", what, name, format_bytes(now.anon_bytes),
      format_bytes(now.file_bytes), format_bytes(read_system_memory().available_bytes()));
}

}  // namespace

Manager::Manager(Mode mode, Budget& budget, Eviction eviction) : mode_(mode), budget_(budget), order_(eviction) {
  budget_.add(*this);
  metric_registry().add(*this);
}

Manager::~Manager() {
  metric_registry().remove(*this);
  budget_.remove(*this);
  if (prefetcher_.joinable()) prefetcher_.join();
}

void Manager::add(std::string name, std::type_index type, Make make, std::function<void()> prefetch) {
  const Lock lock(mutex_);
  for (const Model& model : models_)
    if (model.name == name) throw Error(Code::usage, fmt::format("a loader named '{}' is registered already", name));
  models_.push_back(
      {static_cast<int32_t>(models_.size()), std::move(name), type, std::move(make), std::move(prefetch)});
}

Manager::Model& Manager::find(std::string_view name, std::optional<std::type_index> type) {
  std::string known;
  for (Model& model : models_) {
    if (model.name == name) {
      if (type && model.type != *type)
        throw Error(Code::internal, fmt::format("'{}' is registered as another type", name));
      return model;
    }
    known += (known.empty() ? "" : ", ") + model.name;
  }
  throw Error(Code::missing, fmt::format("no loader is registered for '{}'", name)).hint("known: " + known);
}

std::shared_ptr<void> Manager::load_any(std::string_view name, std::type_index type) {
  Lock lock(mutex_);
  Model& model = find(name, type);
  if (model.in_transition() && model.worker == std::this_thread::get_id())
    throw Error(Code::internal, fmt::format("the loader of '{}' loads itself", name));
  changed_.wait(lock, [&] { return !model.in_transition(); });
  order_.touch(model.id);
  if (model.state == State::loaded) {
    ++model.hits;
    ++counts_.hits;
  } else {
    make(lock, model);
  }
  return lend(lock, model);
}

std::shared_ptr<void> Manager::find_loaded_any(std::string_view name, std::type_index type) {
  Lock lock(mutex_);
  Model& model = find(name, type);
  return model.state == State::loaded ? lend(lock, model) : nullptr;
}

std::shared_ptr<void> Manager::lend(Lock& lock, Model& model) {
  ++model.users;
  lock.unlock();  // if the next line throws, it releases the model
  return {model.object.get(), [this, &model](void*) { release(model); }};
}

// Without the lock while the loader runs: other threads load other models meanwhile, and the budget may reclaim.
void Manager::make(Lock& lock, Model& model) {
  model.state = State::loading;
  model.worker = std::this_thread::get_id();
  lock.unlock();
  log_memory("before loading", model.name);
  const auto began = std::chrono::steady_clock::now();
  std::shared_ptr<void> object;
  std::exception_ptr failure;
  try {
    try {
      object = model.make();
    } catch (const std::bad_alloc&) {  // there may be room without the unused models
      force_cleanup();
      object = model.make();
    }
  } catch (...) {
    failure = std::current_exception();
  }
  const auto took = std::chrono::steady_clock::now() - began;
  log_memory(failure ? "failed to load" : "after loading", model.name);
  lock.lock();
  model.state = failure ? State::unloaded : State::loaded;
  model.prefetched = false;
  changed_.notify_all();
  if (failure) {
    ++counts_.failures;
    std::rethrow_exception(failure);
  }
  model.object = std::move(object);
  ++counts_.loads;
  ++model.loads;
  model.load_ns += std::chrono::duration_cast<std::chrono::nanoseconds>(took).count();
  counts_.peak_loaded = std::max(counts_.peak_loaded, ++counts_.loaded);
}

void Manager::release(Model& model) {
  {
    Lock lock(mutex_);
    if (--model.users > 0 || mode_ == Mode::cache) return;
    destroy(lock, {&model});
  }
  release_free_heap();
  log_memory("after unloading", model.name);
}

// Without the lock, since destructors may call the budget. A thread that wants one of the models meanwhile waits until
// it is destroyed, so there are never two copies.
void Manager::destroy(Lock& lock, const std::vector<Model*>& models) {
  std::vector<std::shared_ptr<void>> dying;
  for (Model* model : models) {
    dying.push_back(std::move(model->object));
    model->state = State::unloading;
    model->worker = std::this_thread::get_id();
  }
  const auto count = static_cast<int64_t>(models.size());
  counts_.unloads += count;
  counts_.loaded -= count;
  lock.unlock();
  dying.clear();
  lock.lock();
  for (Model* model : models) model->state = State::unloaded;
  changed_.notify_all();
}

void Manager::prefetch(std::string_view name) {
  const Lock lock(mutex_);
  Model& model = find(name);
  if (model.state == State::loaded || model.prefetched || !model.prefetch) return;
  model.prefetched = true;
  ++counts_.prefetches;
  if (prefetcher_.joinable()) prefetcher_.join();
  prefetcher_ = std::thread([&model] {
    try {
      model.prefetch();
    } catch (...) {  // load() will meet the same error
    }
  });
}

int64_t Manager::unload_where(const std::function<bool(const Model&)>& wanted) {
  Lock lock(mutex_);
  std::vector<Model*> models;
  for (Model& model : models_)
    if (model.state == State::loaded && model.users == 0 && wanted(model)) models.push_back(&model);
  destroy(lock, models);
  return static_cast<int64_t>(models.size());
}

bool Manager::unload(std::string_view name) {
  {
    const Lock lock(mutex_);
    find(name);
  }
  return unload_where([&](const Model& model) { return model.name == name; }) > 0;
}

int64_t Manager::unload_all() {
  return unload_where([](const Model&) { return true; });
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
      budget_.limited() && over(static_cast<double>(budget_.used_bytes()), static_cast<double>(budget_.limit_bytes()));
  const bool pressed = system.pressure && system.pressure->some_avg10 > kHighPressurePercent;
  return full || budget_full || pressed ? force_cleanup() : 0;
}

ManagerStats Manager::stats() const {
  ManagerStats stats = counts();
  if (const auto process = read_process()) stats.ram_bytes = process->rss_bytes();
  for (const Budget::Device& device : budget_.devices()) stats.gpu_bytes += device.used_bytes;
  return stats;
}

ManagerStats Manager::counts() const {
  const Lock lock(mutex_);
  ManagerStats stats = counts_;
  stats.predictions = order_.predictions();
  stats.right_predictions = order_.right_predictions();
  for (const Model& model : models_)
    stats.models.push_back(
        {model.name, model.state == State::loaded, model.users, model.loads, model.hits, model.load_ns});
  return stats;
}

void Manager::report(MetricSink& sink) const {
  const ManagerStats now = counts();
  const auto figure = [](int64_t count) { return static_cast<double>(count); };
  sink.counter("frugal_model_loads_total", "Models loaded", figure(now.loads));
  sink.ratio("frugal_model_hit_ratio", "Share of the uses of a model that found it loaded", figure(now.hits),
             figure(now.hits + now.loads));
  sink.counter("frugal_model_load_failures_total", "Loads that failed", figure(now.failures));
  sink.counter("frugal_model_unloads_total", "Models unloaded", figure(now.unloads));
  sink.counter("frugal_model_evictions_total", "Models unloaded because room was needed", figure(now.evictions));
  sink.counter("frugal_model_prefetches_total", "Models whose files were prefetched", figure(now.prefetches));
  sink.counter("frugal_collections_total", "Times that all unused models were unloaded", figure(now.collections));
  sink.counter("frugal_collected_bytes_total", "Anonymous memory that this returned to the system",
               static_cast<double>(now.collected_bytes));
  sink.gauge("frugal_models_loaded", "Models loaded now", figure(now.loaded));
  sink.peak("frugal_models_loaded_peak", "Peak of the models loaded at once", figure(now.peak_loaded));
  sink.ratio("frugal_model_prediction_accuracy", "Share of the predictions of the next model that were right",
             figure(now.right_predictions), figure(now.predictions));
  for (const ManagerStats::Model& model : now.models)
    sink.counter("frugal_model_load_seconds_total", "Time spent loading", static_cast<double>(model.load_ns) / 1e9,
                 {{"model", model.name}});
}

// One model after another until the budget has the bytes it asked for.
uint64_t Manager::reclaim(uint64_t bytes) {
  const uint64_t before = budget_.used_bytes();
  const auto idle = [&](int32_t id) {
    const Model& model = models_[static_cast<size_t>(id)];
    return model.state == State::loaded && model.users == 0;
  };
  uint64_t freed = 0;
  while (freed < bytes) {
    {
      Lock lock(mutex_);
      const auto victim = order_.victim(idle);
      if (!victim) break;
      ++counts_.evictions;
      destroy(lock, {&models_[static_cast<size_t>(*victim)]});
    }
    freed = before - std::min(before, budget_.used_bytes());
  }
  return freed;
}

}  // namespace frugal
