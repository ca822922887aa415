#include "app/wiring/open_models.h"

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "app/config/paths.h"
#include "base/error.h"
#include "compute/ops/plugin.h"
#include "model/remote/remote_models.h"

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

namespace {

// The path of the pack that a list names, "local" alone being the default one; null: it names none.
std::function<std::filesystem::path()> pack_path(const std::vector<ModelEntry>& list, const std::string& default_name) {
  for (const ModelEntry& entry : list)
    if (entry.kind == ModelEntry::Kind::pack)
      return [name = entry.name.empty() ? default_name : entry.name] { return find_model(name); };
  return nullptr;
}

std::filesystem::path no_pack() {
  throw Error(Code::missing, "the settings name no pack").hint("set models.embedder and models.generator");
}

// The file of the key may be written with "~/".
RemoteModelOptions remote_options(const Settings& settings) {
  RemoteModelOptions options = settings.remote;
  if (!options.service.key_file.empty()) options.service.key_file = expand_home(options.service.key_file).native();
  return options;
}

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

std::unique_ptr<Models> open_models(const Settings& settings, const ModelOptions& options) {
  const ModelNames defaults;
  ModelLists lists{parse_model_list(settings.models.embedder), parse_model_list(settings.models.generator),
                   parse_model_list(settings.models.reader)};
  ModelPaths paths;
  paths.embedder = pack_path(lists.embedder, defaults.embedder);
  paths.reader = pack_path(lists.reader, defaults.reader);
  paths.generator = pack_path(lists.generator, defaults.generator);
  if (!settings.models.image_embedder.empty())
    paths.image_embedder = [name = settings.models.image_embedder] { return find_model(name); };
  if (!paths.embedder) paths.embedder = no_pack;
  if (!paths.generator) paths.generator = no_pack;
  std::unique_ptr<Models> packs = open_pack_models(std::move(paths), options);
  if (!needs_remote(lists)) return packs;
  return open_remote_models(std::move(lists), remote_options(settings), std::move(packs));
}

std::unique_ptr<Models> naive_models(const cli::Tool& tool, const Settings& settings, Budget& budget) {
  const ModelNames& names = settings.models;
  const NaivePaths paths{find_checkpoint(names.embedder), find_model(names.embedder),
                         found_or_none([&] { return find_checkpoint(names.generator); }),
                         found_or_none([&] { return find_model(names.generator); })};
  return open_naive_models(paths, tool.backend().native() ? parse_backend("torch") : tool.backend(), tool.threads(),
                           budget, settings.chat_family);
}

}  // namespace frugal
