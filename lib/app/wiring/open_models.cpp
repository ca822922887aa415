#include "app/wiring/open_models.h"

#include <utility>

#include "app/config/paths.h"
#include "base/error.h"
#include "compute/ops/plugin.h"

namespace frugal {

ModelOptions model_options(const cli::Tool& tool, const Settings& settings, Budget& budget, Manager::Mode auto_mode) {
  ModelOptions options(budget);
  options.backend = tool.backend();
  options.threads = tool.threads();
  options.mode = settings.common.memory.mode.value_or(auto_mode);
  options.paging = settings.common.memory.paging;
  options.generator = settings.generator;
  options.chat_family = settings.chat_family;
  return options;
}

std::unique_ptr<Models> open_models(const Settings& settings, const ModelOptions& options) {
  ModelPaths paths;
  paths.embedder = [name = settings.models.embedder] { return find_model(name); };
  if (!settings.models.reader.empty()) paths.reader = [name = settings.models.reader] { return find_model(name); };
  if (!settings.models.image_embedder.empty())
    paths.image_embedder = [name = settings.models.image_embedder] { return find_model(name); };
  paths.generator = [name = settings.models.generator] { return find_model(name); };
  return open_pack_models(std::move(paths), options);
}

namespace {

// An answer that is quoted needs no generator: its place is empty if `find` does not find it.
template <typename Find>
std::filesystem::path found_or_none(const Find& find) {
  try {
    return find();
  } catch (const Error& error) {
    if (error.code() != Code::missing) throw;
    return {};
  }
}

}  // namespace

std::unique_ptr<Models> naive_models(const cli::Tool& tool, const Settings& settings, Budget& budget) {
  const ModelNames& names = settings.models;
  const NaivePaths paths{find_checkpoint(names.embedder), find_model(names.embedder),
                         found_or_none([&] { return find_checkpoint(names.generator); }),
                         found_or_none([&] { return find_model(names.generator); })};
  return open_naive_models(paths, tool.backend().native() ? parse_backend("torch") : tool.backend(), tool.threads(),
                           budget, settings.chat_family);
}

}  // namespace frugal
