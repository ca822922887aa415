// The settings that all tools share: threads, hardware profile, backend, memory and log. app/wiring/settings.h adds
// those of models and retrieval.
#pragma once

#include <cstdint>
#include <string>

#include "app/cli/memory_options.h"
#include "base/log.h"
#include "base/setting.h"

namespace frugal::cli {

struct LogSettings {
  LogLevel level = LogLevel::warn;
  std::string file;  // empty: none

  template <typename F>
  void visit(F&& f) {
    f("log.level", level, {"least severe messages to log: error, warn, info, debug"});
    f("log.file", file,
      {"file to append the log to, beside standard error; empty: none. Not taken from ./frugal.yaml",
       {},
       Unit::none,
       true});
  }
};

struct CommonSettings {
  int64_t threads = 0;          // 0: available_cpus()
  std::string profile;          // name or path of a hardware profile, or "auto"; empty: none
  std::string backend = "cpu";  // compute/ops/plugin.h
  MemorySettings memory;
  LogSettings log;

  template <typename F>
  void visit(F&& f) {
    f("threads", threads, {"threads to use; 0: one for each processor that this process may run on", Range{0, 1024}});
    f("profile", profile,
      {"hardware profile whose settings replace the defaults: a name in configs/profiles, a file, or auto (the profile "
       "that fits this machine); empty: none"});
    f("backend", backend,
      {"cpu, torch or torch:cuda; append :bf16 or :fp16 for weights of half the size (docs/plugins.md)"});
    f(memory);
    f(log);
  }
};

}  // namespace frugal::cli
