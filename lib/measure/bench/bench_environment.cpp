#include "measure/bench/bench_environment.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/units.h"
#include "base/version.h"

namespace frugal {

using Json = nlohmann::ordered_json;

Json environment_json(const Environment& environment, const std::optional<CpuShare::Percent>& load) {
  Json models = Json::array();
  for (const ModelIdentity& model : environment.models)
    models.push_back({{"file", model.file}, {"sha256", model.sha256}, {"bytes", model.bytes}});
  return {{"cpu", environment.cpu},
          {"isa", environment.isa},
          {"cpus", environment.cpus},
          {"kernel", environment.kernel},
          {"governor", environment.governor ? Json(*environment.governor) : Json(nullptr)},
          {"memory_bytes", environment.memory_bytes},
          {"busy_percent", load ? Json(load->busy) : Json(nullptr)},
          {"steal_percent", load ? Json(load->steal) : Json(nullptr)},
          {"others_percent", load ? Json(load->others) : Json(nullptr)},
          {"version", version()},
          {"commit", commit()},
          {"models", models}};
}

std::string environment_text(const Environment& environment, const std::optional<CpuShare::Percent>& load) {
  std::string text =
      fmt::format("{} · {} · {} cpus · {} · governor {} · frugal {} ({})\n", environment.cpu, environment.isa,
                  environment.cpus, environment.kernel, environment.governor.value_or("none"), version(), commit());
  if (load)
    text += fmt::format("machine busy {:.0f} %, by other programs {:.0f} %, stolen {:.1f} % while this ran\n",
                        load->busy, load->others, load->steal);
  for (const ModelIdentity& model : environment.models)
    text += fmt::format("{} · {} · sha256 {}\n", model.file, format_bytes(model.bytes), model.sha256.substr(0, 16));
  return text;
}

}  // namespace frugal
