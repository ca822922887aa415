#include "cli/pipeline_profile.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "base/file.h"

namespace frugal::cli {

namespace {

using Action = PipelineStage::Action;

Estimates rehearse(const std::vector<PipelineStage>& stages, const ProfileOptions& options) {
  MemoryEstimator estimator(options.threads);
  Estimates estimates;
  for (const PipelineStage& stage : stages) {
    if (stage.action == Action::load)
      estimates.push_back(estimator.load(stage.model, pack_of(stage.model, options.models)));
    if (stage.action == Action::run) estimates.push_back(estimator.run(stage.model, stage.text, stage.max_new_tokens));
    if (stage.action == Action::unload) {
      estimator.unload(stage.model);
      estimates.push_back(std::nullopt);
    }
  }
  return estimates;
}

// Whole or not at all: false if the other end went away.
bool transfer(int fd, std::span<std::byte> bytes, bool writing) {
  while (!bytes.empty()) {
    const ssize_t done = writing ? ::write(fd, bytes.data(), bytes.size()) : ::read(fd, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(done));
  }
  return true;
}

[[noreturn]] void rehearse_in_child(const std::vector<PipelineStage>& stages, const ProfileOptions& options, int to) {
  int status = 1;
  try {
    Estimates estimates = rehearse(stages, options);
    status = transfer(to, std::as_writable_bytes(std::span(estimates)), true) ? 0 : 1;
  } catch (...) {  // the parent finds out what it was
  }
  ::_exit(status);
}

}  // namespace

PipelineProfiler::PipelineProfiler(ProfileOptions options)
    : options_(std::move(options)), threads_(options_.threads), budget_(options_.budget_bytes) {}

uint64_t PipelineProfiler::idle_anon_bytes(const std::vector<PipelineStage>& stages) const {
  std::vector<std::filesystem::path> files;
  for (const PipelineStage& stage : stages) files.push_back(pack_of(stage.model, options_.models));
  profile_stage("warm", files, [] {});  // what measuring itself takes once is there before the first stage
  return profile_stage("idle", files, [] {}).peak.anon_with_swap_bytes;
}

StageProfile PipelineProfiler::profile(const PipelineStage& stage) {
  const std::vector<std::filesystem::path> files = {pack_of(stage.model, options_.models)};
  note_.clear();
  // So that the device's peak is this stage's own.
  for (const auto& [name, model] : loaded_)
    if (PluginOps* device = model->device()) device->reset_peak();
  return profile_stage(
      fmt::format("{} {}", to_string(stage.action), stage.model), files, [&] { perform(stage, files[0]); },
      [&] { return gpu(); });
}

void PipelineProfiler::perform(const PipelineStage& stage, const std::filesystem::path& pack) {
  switch (stage.action) {
    case Action::load:
      loaded_[stage.model] = std::make_unique<LoadedModel>(pack, threads_, &budget_, options_.backend);
      return;
    case Action::run:
      note_ = loaded_.at(stage.model)->run(stage.text, stage.max_new_tokens);
      return;
    case Action::unload:
      loaded_.erase(stage.model);
      return;
  }
}

// The device's allocator counts for all its users, so one model speaks for all.
std::optional<GpuMemory> PipelineProfiler::gpu() const {
  for (const auto& [name, model] : loaded_) {
    const PluginOps* device = model->device();
    if (!device || device->device() == "cpu") continue;
    const DeviceMemory memory = device->memory();
    return GpuMemory{memory.used_bytes, memory.reserved_bytes, memory.peak_bytes};
  }
  return std::nullopt;
}

Estimates estimate_pipeline(const std::vector<PipelineStage>& stages, const ProfileOptions& options) {
  if (!options.backend.native())
    throw Error(Code::usage, "--estimate knows the native backend only").hint("leave --backend out");
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw io_error("open", "a pipe");
  const FileDescriptor from(ends[0]);
  FileDescriptor to(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) throw io_error("start", "a child process");
  if (child == 0) rehearse_in_child(stages, options, to.get());
  to.close();
  Estimates estimates(stages.size());
  const bool whole = transfer(from.get(), std::as_writable_bytes(std::span(estimates)), false);
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  // What went wrong there goes wrong here too, and is then an error that can be shown.
  return whole ? estimates : rehearse(stages, options);
}

std::vector<PipelineStage> one_model_pipeline(const std::string& pack, const std::string& text,
                                              int64_t max_new_tokens) {
  return {{Action::load, pack, {}, 0}, {Action::run, pack, text, max_new_tokens}, {Action::unload, pack, {}, 0}};
}

}  // namespace frugal::cli
