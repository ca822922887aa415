#include "app/config/paths.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>

#include "base/error.h"
#include "base/folder.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

// The XDG base directory specification requires that relative values are ignored.
std::optional<fs::path> xdg_folder(const char* variable, const char* fallback) {
  const fs::path base = environment(variable);
  if (base.is_absolute()) return base / "frugal";
  const std::optional<fs::path> home = home_folder();
  return home ? std::optional(*home / fallback / "frugal") : std::nullopt;
}

bool is_file(const fs::path& path) {
  std::error_code unreadable;
  return fs::is_regular_file(path, unreadable);
}

bool is_folder(const fs::path& path) {
  std::error_code unreadable;
  return fs::is_directory(path, unreadable);
}

/// The folder of the running executable; empty if it cannot be read.
fs::path tool_folder() {
  std::error_code unreadable;
  return fs::read_symlink("/proc/self/exe", unreadable).parent_path();
}

std::vector<fs::path> sorted_entries(const fs::path& folder) {
  std::vector<fs::path> entries = folder_entries(folder);
  std::sort(entries.begin(), entries.end());
  return entries;
}

}  // namespace

std::optional<fs::path> home_folder() {
  if (const fs::path named = environment("HOME"); named.is_absolute()) return named;
  std::array<char, 1 << 14> buffer;
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found) != 0 || !found) return std::nullopt;
  const fs::path home = found->pw_dir ? found->pw_dir : "";
  return home.is_absolute() ? std::optional(home) : std::nullopt;
}

std::optional<fs::path> config_home() {
  return xdg_folder("XDG_CONFIG_HOME", ".config");
}
std::optional<fs::path> data_home() {
  return xdg_folder("XDG_DATA_HOME", ".local/share");
}
std::optional<fs::path> cache_home() {
  return xdg_folder("XDG_CACHE_HOME", ".cache");
}

fs::path expand_home(const std::string& path) {
  if (path.substr(0, 2) != "~/") return path;
  const std::optional<fs::path> home = home_folder();
  if (!home)
    throw Error(Code::usage, fmt::format("'{}': there is no home folder", path))
        .hint("set HOME, or write the whole path");
  return *home / path.substr(2);
}

std::vector<fs::path> model_folders() {
  std::vector<fs::path> folders;
  if (const std::string named = environment("FRUGAL_MODELS"); !named.empty()) folders.push_back(expand_home(named));
  folders.push_back("models");
  if (const std::optional<fs::path> data = data_home()) folders.push_back(*data / "models");
  const fs::path tool = tool_folder();
  if (!tool.empty()) {
    folders.push_back((tool / "../../../models").lexically_normal());
    folders.push_back((tool / "../share/frugal/models").lexically_normal());
  }
  return folders;
}

namespace {

// *.yaml of the first folder that exists: the one in the environment variable, or `name` of a build tree or
// installation.
std::vector<fs::path> project_files(const char* variable, const std::string& name) {
  const fs::path tool = tool_folder();
  std::vector<fs::path> files;
  for (const fs::path& folder :
       {expand_home(environment(variable)), tool / "../../../configs" / name, tool / "../share/frugal" / name}) {
    if (!is_folder(folder)) continue;
    for (const fs::path& entry : sorted_entries(folder))
      if (entry.extension() == ".yaml") files.push_back(entry.lexically_normal());
    break;
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

std::vector<fs::path> reference_files() {
  return project_files("FRUGAL_REFERENCES", "references");
}

std::vector<fs::path> hardware_profile_files() {
  return project_files("FRUGAL_PROFILES", "profiles");
}

fs::path find_hardware_profile(const std::string& name) {
  fs::path given = expand_home(name);
  if (is_file(given)) return given;
  std::string known = "auto";
  for (const fs::path& file : hardware_profile_files()) {
    if (file.stem() == name) return file;
    known += ", " + file.stem().native();
  }
  throw Error(Code::usage, fmt::format("unknown profile '{}'", name)).hint(fmt::format("known: {}", known));
}

namespace {

std::vector<fs::path> model_places(const std::string& name) {
  const fs::path given = expand_home(name);
  std::vector<fs::path> places = {given};
  if (given.is_relative())
    for (const fs::path& folder : model_folders()) places.push_back(folder / given);
  return places;
}

std::optional<fs::path> first_pack(const std::vector<fs::path>& places) {
  for (const fs::path& place : places)
    for (const fs::path& file : {place, fs::path(place.native() + ".pack")})
      if (is_file(file)) return file;
  return std::nullopt;
}

}  // namespace

fs::path find_model(const std::string& name) {
  if (name.empty()) throw Error(Code::usage, "no model is configured").hint("set models.* in the configuration");
  const std::vector<fs::path> places = model_places(name);
  if (const std::optional<fs::path> file = first_pack(places)) return *file;
  std::vector<std::string> looked;
  looked.reserve(places.size());
  for (const fs::path& place : places) looked.push_back(place.has_parent_path() ? place.parent_path().native() : ".");
  throw Error(Code::missing, fmt::format("no model '{}' (looked in {})", name, fmt::join(looked, ", ")))
      .hint(
          "fetch it with scripts/fetch-models NAME and make its pack with quantize-model, run scripts/quickstart for "
          "the "
          "default embedder, or set FRUGAL_MODELS to the folder of your packs");
}

fs::path find_checkpoint(const std::string& name) {
  const std::string stem = fs::path(name).extension() == ".pack" ? fs::path(name).stem().native() : name;
  for (const fs::path& folder : model_places(stem)) {
    if (!is_folder(folder)) continue;
    if (is_file(folder / "config.json")) return folder;
    std::vector<fs::path> files;
    for (const fs::path& entry : sorted_entries(folder))
      if (entry.extension() == ".gguf" || entry.extension() == ".bin") files.push_back(entry);
    return files.size() == 1 ? files.front() : folder;
  }
  throw Error(Code::missing, fmt::format("no checkpoint '{}'", stem))
      .hint("run scripts/fetch-models --all, or set FRUGAL_MODELS to the folder that holds it");
}

std::vector<fs::path> existing_packs(const ModelNames& models) {
  std::vector<fs::path> packs;
  for (const std::string& name : {models.embedder, models.reader, models.generator})
    if (const std::optional<fs::path> pack = name.empty() ? std::nullopt : first_pack(model_places(name)))
      packs.push_back(*pack);
  return packs;
}

fs::path default_index() {
  return ".frugal/index";
}

std::vector<fs::path> named_indexes() {
  const std::optional<fs::path> data = data_home();
  std::vector<fs::path> indexes = data ? sorted_entries(*data / "indexes") : std::vector<fs::path>();
  std::erase_if(indexes, [](const fs::path& entry) { return !is_folder(entry); });
  return indexes;
}

fs::path find_index(const std::string& named) {
  if (!named.empty()) {
    fs::path given = expand_home(named);
    std::error_code unreadable;
    if (fs::exists(given, unreadable)) return given;
    for (const fs::path& index : named_indexes())
      if (index.filename() == given) return index;
    return given;
  }
  if (is_folder(default_index())) return default_index();
  std::vector<std::string> indexes;
  for (const fs::path& each : named_indexes()) indexes.push_back(each.native());
  if (indexes.size() == 1) return indexes.front();
  if (indexes.empty())
    throw Error(Code::missing, "no index here").hint("run rag-index add PATH…, or name an index with --index DIR");
  throw Error(Code::usage, fmt::format("several indexes: {}", fmt::join(indexes, ", ")))
      .hint("choose one with --index DIR");
}

}  // namespace frugal
