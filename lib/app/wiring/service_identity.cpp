#include "app/wiring/service_identity.h"

#include <fmt/format.h>

#include <cstdlib>

#include "app/config/paths.h"
#include "app/config/setting_list.h"
#include "base/cpu.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/version.h"

namespace frugal {
namespace {

std::string place_of_pack(const std::string& name) {
  if (name.empty()) return "none";
  try {
    return std::filesystem::absolute(find_model(name)).lexically_normal().native();
  } catch (const Error&) {
    return "missing " + name;  // or remote
  }
}

template <typename Options>
std::string texts_of(Options options) {
  std::string text;
  const SettingList list(options);
  for (const SettingField& field : list.fields()) text += fmt::format("{}={}\n", field.key(), field.text());
  return text;
}

}  // namespace

std::filesystem::path default_service_socket() {
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  if (runtime && *runtime == '/') return std::filesystem::path(runtime) / "frugal" / "serve.socket";
  const auto cache = cache_home();
  return cache ? *cache / "serve.socket" : std::filesystem::path();
}

std::string service_identity(const cli::Tool& tool, const Settings& settings) {
  const std::filesystem::path index = std::filesystem::absolute(find_index(settings.index)).lexically_normal();
  const Backend& backend = tool.backend();
  const ModelNames& models = settings.models;
  return sha256_hex(fmt::format("{} {}\n{}\n{}\n{}\n{}\n{}\n{} {} {} {}\n{}{}{}", version(), commit(), index.native(),
                                place_of_pack(models.embedder), place_of_pack(models.reader),
                                place_of_pack(models.generator), place_of_pack(models.image_embedder), backend.plugin,
                                backend.device, int(backend.precision), to_string(choose_isa()),
                                settings.chat_family ? to_string(*settings.chat_family) : "auto",
                                texts_of(settings.generator), texts_of(settings.cache)));
}

}  // namespace frugal
