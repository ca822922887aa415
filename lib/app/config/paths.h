// Finds the folders and files of the tools: configuration, models, hardware profiles, tables of laws, indexes, caches.
// It follows the XDG base directory specification.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/setting.h"

namespace frugal {

/// The configured models: each a path, or a name for find_model(). Empty: none. Embedder, reader and generator may be
/// models of a service, or lists (model/remote/model_list.h).
struct ModelNames {
  std::string embedder = "e5-small-enpt.pack";
  std::string generator = "smollm2-135m-instruct.pack";
  std::string reader = "reader-enpt.pack";
  std::string summarizer;  // empty: the generator
  std::string captioner;
  std::string image_embedder;

  template <typename F>
  void visit(F&& f) {
    f("models.embedder", embedder,
      {"pack of the embedder: a path, or a name to look up (docs/tools/common.md); an index works only with the "
       "embedder that made it; or a remote (docs/remote.md)"});
    f("models.reader", reader,
      {"pack of the reader, which reranks passages and finds answers in them, or remotes and "
       "packs in their order (docs/remote.md); empty: none"});
    f("models.generator", generator,
      {"pack of the generator, which writes answers and HyDE's passages, or remotes and packs in their order, such as "
       "[openai:http://127.0.0.1:8080#MODEL, local, extract] (docs/remote.md)"});
    f("models.summarizer", summarizer,
      {"pack of the model that writes summaries: an encoder-decoder or a generator; empty: the generator"});
    f("models.captioner", captioner, {"pack of the model that describes images, such as BLIP-2; empty: none"});
    f("models.image_embedder", image_embedder,
      {"pack of the model that embeds images and questions about them, such as CLIP; empty: that of the index, or "
       "none"});
  }
};

/// $HOME if it is absolute, else the folder of the user's entry in passwd; nullopt if there is neither. The current
/// folder never stands in for it: others may have put files there.
std::optional<std::filesystem::path> home_folder();
/// $XDG_CONFIG_HOME/frugal, else ~/.config/frugal; nullopt without a home folder.
std::optional<std::filesystem::path> config_home();
/// $XDG_DATA_HOME/frugal, else ~/.local/share/frugal: models and indexes.
std::optional<std::filesystem::path> data_home();
/// $XDG_CACHE_HOME/frugal, else ~/.cache/frugal: files that can be rebuilt.
std::optional<std::filesystem::path> cache_home();

/// `path` with a leading "~/" replaced by the home folder. Throws Error(usage) if there is none.
std::filesystem::path expand_home(const std::string& path);

/// The folders that find_model() searches, in order: $FRUGAL_MODELS, ./models, data_home()/models and, relative to the
/// executable, ../../../models (a build tree) and ../share/frugal/models (an installation).
std::vector<std::filesystem::path> model_folders();

/// The pack that `name` refers to: a path, or a name within model_folders(), with or without ".pack". Throws
/// Error(missing) listing the folders that were searched, Error(usage) for an empty name.
std::filesystem::path find_model(const std::string& name);

/// The checkpoint that the pack `name` was made from, as scripts/fetch-models stores it: the folder named like the pack
/// without ".pack" within model_folders(), or the .gguf or .bin file in that folder if it has exactly one and no
/// config.json. Throws Error(missing).
std::filesystem::path find_checkpoint(const std::string& name);

/// The project's tables of laws: *.yaml, sorted by name, of the first folder that exists among $FRUGAL_REFERENCES and,
/// relative to the executable, ../../../configs/references (a build tree) and ../share/frugal/references (an
/// installation).
std::vector<std::filesystem::path> reference_files();

/// The project's hardware profiles: *.yaml, sorted by name, of the first folder that exists among $FRUGAL_PROFILES and,
/// relative to the executable, ../../../configs/profiles (a build tree) and ../share/frugal/profiles (an installation).
std::vector<std::filesystem::path> hardware_profile_files();
/// The file of a profile: `name` is a path, or a name among hardware_profile_files(). Throws Error(usage) listing the
/// known names.
std::filesystem::path find_hardware_profile(const std::string& name);

/// The packs of the configured models, without those that do not exist.
std::vector<std::filesystem::path> existing_packs(const ModelNames& models);

/// The folder in which an index is created if none is named: ./.frugal/index.
std::filesystem::path default_index();
/// The folders in data_home()/indexes, sorted: indexes that can be named without a path.
std::vector<std::filesystem::path> named_indexes();
/// The index that `named` refers to: a path, or if nothing exists there the name of one of named_indexes(). If `named`
/// is empty, default_index() if it exists, else the only one of named_indexes(). Throws Error(missing) if there is
/// none, Error(usage) listing them if there are several.
std::filesystem::path find_index(const std::string& named);

}  // namespace frugal
