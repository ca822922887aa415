// Where things are looked for and kept: the XDG folders, models, indexes.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/setting.h"

namespace frugal {

/// The models that are used: a path each, or a name to be found.
struct ModelNames {
  std::string embedder = "all-minilm-l6-v2.pack";
  std::string generator = "smollm2-135m-instruct.pack";

  template <typename F>
  void visit(F&& f) {
    f("models.embedder", embedder,
      {"pack of the embedder: a path, or a name to look up (docs/tools/common.md); an index works only with the "
       "embedder that made it"});
    f("models.generator", generator, {"pack of the generator, which writes answers and HyDE's passages"});
  }
};

/// $XDG_CONFIG_HOME/frugal, else ~/.config/frugal.
std::filesystem::path config_home();
/// $XDG_DATA_HOME/frugal, else ~/.local/share/frugal: models and indexes.
std::filesystem::path data_home();
/// $XDG_CACHE_HOME/frugal, else ~/.cache/frugal: what can be rebuilt.
std::filesystem::path cache_home();

/// `path` with a leading "~/" replaced by the home folder.
std::filesystem::path expand_home(const std::string& path);

/// Folders that find_model looks in after the path itself, in order: $FRUGAL_MODELS, ./models, data_home()/models,
/// and beside the executable: ../../../models (a build tree) and ../share/frugal/models (an installation).
std::vector<std::filesystem::path> model_folders();

/// The file of a model named as in a config: a path, or a name within model_folders(), with or without ".pack".
/// Throws Error(missing) that lists where it looked.
std::filesystem::path find_model(const std::string& name);

/// The published checkpoint that the pack of this name is made of, where scripts/fetch-models puts it: the folder of
/// the pack's name without ".pack" within model_folders(), or the one .gguf file in it. Throws Error(missing).
std::filesystem::path find_checkpoint(const std::string& name);

/// The project's tables of laws, *.yaml in order of names: from the first of $FRUGAL_REFERENCES and, beside the
/// executable,
/// ../../../configs/references (a build tree) and ../share/frugal/references (an installation) that is a folder.
std::vector<std::filesystem::path> reference_files();

/// The project's profiles of hardware, *.yaml in order of names: from the first of $FRUGAL_PROFILES and, beside the
/// executable, ../../../configs/profiles (a build tree) and ../share/frugal/profiles (an installation) that is a
/// folder.
std::vector<std::filesystem::path> hardware_profile_files();
/// A profile named by a path, or by its name among those. Throws Error(usage) that lists them.
std::filesystem::path find_hardware_profile(const std::string& name);

/// The packs that the configuration names and that are there.
std::vector<std::filesystem::path> present_models(const ModelNames& models);

/// Where an index is made when none is named: ./.frugal/index.
std::filesystem::path default_index();
/// The index to read: `named` where it is not empty, else default_index() if it is there, else the only one in
/// data_home()/indexes. Throws Error(missing) where there is none, Error(usage) listing them where there are several.
std::filesystem::path find_index(const std::string& named);

}  // namespace frugal
