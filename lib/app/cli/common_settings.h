// The settings that every tool has.
#pragma once

#include <cstdint>
#include <string>

#include "app/cli/memory_options.h"
#include "base/log.h"
#include "base/setting.h"

namespace frugal::cli {

struct LogSettings {
  LogLevel level = LogLevel::warn;
  std::string file;

  template <typename F>
  void visit(F&& f) {
    f("log.level", level, {"error, warn, info, debug"});
    f("log.file", file, {"append the log to this file as well; empty: standard error only"});
  }
};

struct CommonSettings {
  int64_t threads = 0;
  std::string profile;
  std::string backend = "cpu";  // compute/ops/plugin.h
  MemorySettings memory;
  LogSettings log;

  template <typename F>
  void visit(F&& f) {
    f("threads", threads, {"threads to use; 0: as many as this process may run on", Range{0, 1024}});
    f("profile", profile,
      {"settings for a kind of machine, beneath all others: a name in configs/profiles, a file, auto (the machine is "
       "read); empty: none"});
    f("backend", backend, {"cpu, torch or torch:cuda; :bf16 or :fp16 behind it halves the weights (docs/plugins.md)"});
    f(memory);
    f(log);
  }
};

}  // namespace frugal::cli
