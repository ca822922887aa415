#include <doctest/doctest.h>
#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/config/default_yaml.h"
#include "app/config/load.h"
#include "app/config/paths.h"
#include "base/error.h"

using namespace frugal;

namespace {

enum class Mode { automatic, always, never };
constexpr std::array<Named<Mode>, 3> names_of(Mode) {
  return {{{Mode::automatic, "auto"}, {Mode::always, "always"}, {Mode::never, "never"}}};
}

enum class Unload { at_once, late };
constexpr std::array<Named<Unload>, 2> names_of(Unload) {
  return {{{Unload::at_once, "at-once"}, {Unload::late, "late"}}};
}

/// A setting of every kind.
struct Retrieval {
  bool dense = true;
  float weight = 0.4f;
  float min_score = 0;
  int64_t candidates = 100;
  int64_t top_k = 10;
  int64_t unset = 3;
  template <typename F>
  void visit(F&& f) {
    f("retrieval.dense", dense, {"search by vectors"});
    f("retrieval.dense_weight.en", weight, {"share of the dense list", Range{0.01, 1}});
    f("retrieval.min_score", min_score, {"least score", Range{0, 1}});
    f("retrieval.candidates", candidates, {"chunks from each list", Range{1, 1e6}});
    f("retrieval.top_k", top_k, {"chunks to show", Range{1, 1e6}});
    f("retrieval.unset", unset, kInternal);
  }
};
struct Config {
  std::string generator = "some.pack";
  int64_t threads = 0;
  uint64_t seed = 0;
  Retrieval retrieval;
  Mode hyde = Mode::automatic;
  std::optional<Unload> unload;
  uint64_t cache_bytes = 7;
  template <typename F>
  void visit(F&& f) {
    f("models.generator", generator, {"a pack"});
    f("threads", threads, {"threads to use", Range{0, 1024}});
    f("seed", seed, {"of the sampling"});
    f(retrieval);
    f("hyde.mode", hyde, {"auto, always, never"});
    f("memory.unload", unload, {"auto, at-once, late"});
    f("cache.max_bytes", cache_bytes, {"bytes on disk", {}, Unit::bytes});
  }
};

struct Logging {
  std::string file;
  int64_t level = 0;
  template <typename F>
  void visit(F&& f) {
    f("log.file", file, {"a file", {}, Unit::none, true});
    f("log.level", level, {"a number"});
  }
};

struct Twice {
  Config one, two;
  template <typename F>
  void visit(F&& f) {
    f(one);
    f(two);
  }
};

/// The error that `body` throws, or an empty message if it throws none.
template <typename Body>
Error error_of(Body body) {
  try {
    body();
  } catch (const Error& error) {
    return error;
  }
  return Error(Code::internal, "");
}

Error yaml_error_of(const std::string& yaml) {
  Config config;
  return error_of([&] { apply_yaml(SettingList(config), yaml, "x.yaml"); });
}

/// A temporary home and working folder, removed at the end of the test.
class TempHome {
 public:
  TempHome() : folder_(std::filesystem::temp_directory_path() / fmt::format("frugal-config-{}", ::getpid())) {
    std::filesystem::create_directories(folder_);
    previous_ = std::filesystem::current_path();
    std::filesystem::current_path(folder_);
    for (const char* name : {"XDG_CONFIG_HOME", "XDG_DATA_HOME"}) ::setenv(name, (folder_ / name).c_str(), 1);
    ::unsetenv("FRUGAL_MODELS");
  }
  ~TempHome() {
    std::filesystem::current_path(previous_);
    std::filesystem::remove_all(folder_);
  }
  std::filesystem::path write(const std::filesystem::path& name, const std::string& text) const {
    std::filesystem::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << text;
    return folder_ / name;
  }
  std::filesystem::path operator/(const char* name) const { return folder_ / name; }

 private:
  std::filesystem::path folder_, previous_;
};

struct OneModel {
  std::string generator;
  template <typename F>
  void visit(F&& f) {
    f("models.generator", generator, {"doc"});
  }
};

}  // namespace

TEST_CASE("a file sets nested keys of every type and leaves the others alone") {
  Config config;
  apply_yaml(SettingList(config),
             "retrieval: {dense: no, dense_weight: {en: 0.25}}\nhyde: {mode: never}\nmemory: {unload: late}\n"
             "cache: {max_bytes: 64MiB}\nthreads: 3\nseed: 18446744073709551615\nmodels:\n  generator: my.pack\n",
             "x.yaml");
  CHECK_FALSE(config.retrieval.dense);
  CHECK(config.retrieval.weight == 0.25f);
  CHECK(config.retrieval.top_k == Config().retrieval.top_k);
  CHECK(config.hyde == Mode::never);
  CHECK(config.unload == Unload::late);
  CHECK(config.cache_bytes == uint64_t(64) << 20);
  CHECK(config.threads == 3);
  CHECK(config.seed == ~uint64_t(0));
  CHECK(config.generator == "my.pack");
}

TEST_CASE("an empty file and a file of comments change nothing") {
  Config config;
  const SettingList list(config);
  apply_yaml(list, "", "x.yaml");
  apply_yaml(list, "# nothing\n", "x.yaml");
  CHECK(config.retrieval.top_k == Config().retrieval.top_k);
}

TEST_CASE("reset() restores the defaults, and restore() the values of an earlier texts()") {
  Config config;
  config.retrieval.weight = 0.1f;
  const SettingList list(config);
  const std::vector<std::string> before = list.texts();
  for (const char* assignment : {"memory.unload=at-once", "retrieval.dense_weight.en=0.3", "models.generator="})
    set_assignment(list, assignment);
  const std::vector<std::string> changed = list.texts();
  list.reset();
  CHECK(list.texts() == before);
  CHECK_FALSE(config.unload);
  CHECK(config.retrieval.weight == 0.1f);
  list.restore(changed);
  CHECK(config.unload == Unload::at_once);
  CHECK(config.retrieval.weight == 0.3f);
  CHECK(config.generator.empty());
}

TEST_CASE("every value knows where it comes from") {
  Config config;
  const SettingList list(config);
  const auto origin = [&](const char* key) { return list.find(key)->origin(); };
  CHECK(origin("models.generator") == "default");
  apply_yaml(list, "# a comment\nmodels: {generator: x}\n", "mine.yaml");
  set_assignment(list, "retrieval.dense_weight.en=0.3");
  CHECK(origin("models.generator") == "mine.yaml:2");
  CHECK(origin("retrieval.dense_weight.en") == "--set");
  CHECK_THROWS_AS(set_key(list, "retrieval.dense_weight.en", "many", "FRUGAL_X"), Error);
  CHECK(origin("retrieval.dense_weight.en") == "--set");
  list.reset();
  CHECK(origin("models.generator") == "default");
}

TEST_CASE("an internal field is not a key") {
  Config config;
  CHECK(error_of([&] { set_assignment(SettingList(config), "retrieval.unset=5"); }).message() ==
        "--set: unknown key 'retrieval.unset'");
}

TEST_CASE("a key of two fields is an internal error") {
  Twice twice;
  CHECK(error_of([&] { SettingList list(twice); }).code() == Code::internal);
}

TEST_CASE("default.yaml has every key in its group, with its documentation") {
  Config config;
  const std::string yaml = default_yaml(SettingList(config));
  CHECK(yaml.find("\nmodels:\n  generator: some.pack                 # a pack\n") != std::string::npos);
  CHECK(yaml.find("\nretrieval:\n  dense: true ") != std::string::npos);
  CHECK(yaml.find("  dense_weight:\n    en: 0.4 ") != std::string::npos);
  CHECK(yaml.find("  mode: auto ") != std::string::npos);
  CHECK(yaml.find("unset") == std::string::npos);
}

TEST_CASE("an unknown key is an error with its line and the nearest name") {
  const Error error = yaml_error_of("threads: 2\nretrieval:\n  top_k: 3\n  canidates: 5\n");
  CHECK(error.code() == Code::usage);
  CHECK(error.message() == "x.yaml:4: unknown key 'retrieval.canidates'");
  CHECK(error.hint() == "did you mean 'retrieval.candidates'?");
  CHECK(yaml_error_of("retrival:\n  top_k: 3\n").hint() == "did you mean 'retrieval'?");
  CHECK(yaml_error_of("zzzzzzzz: 3\n").hint() == "configs/default.yaml lists every key");
}

TEST_CASE("a value of the wrong type or out of range is an error whose hint gives valid values") {
  CHECK(yaml_error_of("threads: many\n").message() == "x.yaml:1: 'many' is not a value for threads");
  CHECK(yaml_error_of("threads: -1\n").hint() == "threads takes a whole number from 0 to 1024");
  CHECK(yaml_error_of("threads: 2.5\n").code() == Code::usage);
  CHECK(yaml_error_of("threads:\n").code() == Code::usage);
  CHECK(yaml_error_of("threads: 99999999999999999999\n").code() == Code::usage);
  CHECK(yaml_error_of("retrieval: {min_score: nan}\n").code() == Code::usage);
  CHECK(yaml_error_of("retrieval: {dense: maybe}\n").hint() == "retrieval.dense takes true or false");
  CHECK(yaml_error_of("hyde: {mode: sometimes}\n").hint() == "hyde.mode takes one of auto, always, never");
  CHECK(yaml_error_of("cache: {max_bytes: lots}\n").message() == "x.yaml:1: cache.max_bytes: 'lots' is not a size");
  CHECK(yaml_error_of("threads: [1, 2]\n").message() == "x.yaml:1: 'threads' takes a single value");
  CHECK(yaml_error_of("retrieval: 3\n").message() == "x.yaml:1: 'retrieval' is a group of keys and takes no value");
}

TEST_CASE("a duplicate key, a list, broken YAML and deep nesting are errors, never crashes") {
  CHECK(yaml_error_of("threads: 1\nthreads: 2\n").message() == "x.yaml:2: key 'threads' appears twice");
  CHECK(yaml_error_of("- 1\n- 2\n").message() == "x.yaml:1: expected `key: value` lines");
  CHECK(yaml_error_of("threads: [1\n").code() == Code::usage);
  CHECK(yaml_error_of("? [a, b]\n: 1\n").code() == Code::usage);
  CHECK(yaml_error_of(std::string(20000, '[')).code() == Code::usage);
  CHECK(yaml_error_of(std::string("\0\x01\xff", 3)).code() == Code::usage);
}

TEST_CASE("aliases are read, and those that expand without end or beyond measure are errors") {
  CHECK(yaml_error_of("a: &a [*a]\n").message().find("the aliases of this file expand") != std::string::npos);
  std::string bomb = "a: &a [" + std::string(1000, 'x') + "]\n";
  for (char level = 'b'; level < 'h'; ++level) {
    bomb += fmt::format("{}: &{} [", level, level);
    for (int i = 0; i < 20; ++i) bomb += fmt::format("*{},", static_cast<char>(level - 1));
    bomb += "]\n";
  }
  CHECK(yaml_error_of(bomb).message().find("the aliases of this file expand") != std::string::npos);
  CHECK(yaml_error_of("threads: &n 2\nretrieval: {top_k: *n, depth: none}\n").message().find("depth") !=
        std::string::npos);
}

TEST_CASE("an assignment names a key by its dotted path") {
  Config config;
  const SettingList list(config);
  set_assignment(list, "retrieval.dense_weight.en=0.75");
  set_assignment(list, "models.generator=a=b");
  CHECK(config.retrieval.weight == 0.75f);
  CHECK(config.generator == "a=b");
  set_assignment(list, "retrieval.dense_weight.en=0.01");  // the limits of a range are valid
  CHECK(config.retrieval.weight == 0.01f);
  CHECK(error_of([&] { set_assignment(list, "threads"); }).message() == "--set: 'threads' is not key=value");
  CHECK(error_of([&] { set_assignment(list, "thread=1"); }).hint() == "did you mean 'threads'?");
}

TEST_CASE("the project's file overrides the user's, and a named file replaces the project's") {
  const TempHome home;
  const auto load = [](const std::filesystem::path& file = {}) {
    Config config;
    load_config(SettingList(config), file);
    return config;
  };
  CHECK(load().threads == 0);
  home.write("XDG_CONFIG_HOME/frugal/config.yaml", "threads: 1\nretrieval: {top_k: 1}\nhyde: {mode: never}\n");
  CHECK(load().threads == 1);
  home.write("frugal.yaml", "threads: 2\nretrieval: {top_k: 2}\n");
  CHECK(load().threads == 2);
  const Config config = load(home.write("named.yaml", "threads: 3\n"));
  CHECK(config.threads == 3);
  CHECK(config.retrieval.top_k == 1);
  CHECK(config.hyde == Mode::never);
}

TEST_CASE("a named file that is missing or too large is an error") {
  const TempHome home;
  Config config;
  CHECK(error_of([&] { load_config(SettingList(config), "nope.yaml"); }).code() == Code::io);
  const auto large = home.write("large.yaml", std::string(2 << 20, '#'));
  CHECK(error_of([&] { load_config(SettingList(config), large); }).code() == Code::bad_input);
}

TEST_CASE("the project's file is not read, and this is said, if it or its folder belongs to another user") {
  const TempHome home;
  const std::filesystem::path file = home.write("frugal.yaml", "threads: 2\n");
  const auto threads_and_warning = [](const std::filesystem::path& named = {}) {
    Config config;
    const std::string warning = load_config(SettingList(config), named);
    return std::pair(config.threads, warning);
  };
  CHECK(threads_and_warning() == std::pair(int64_t(2), std::string()));
  constexpr uid_t kOther = 4242;
  if (::chown(file.c_str(), kOther, gid_t(-1)) != 0) {
    MESSAGE("SKIP: only root can give a file away");
    return;
  }
  CHECK(threads_and_warning().first == 0);
  CHECK(threads_and_warning().second.find("read it with --config frugal.yaml") != std::string::npos);
  CHECK(threads_and_warning("frugal.yaml").first == 2);
  REQUIRE(::chown(file.c_str(), ::geteuid(), gid_t(-1)) == 0);
  REQUIRE(::chown(".", kOther, gid_t(-1)) == 0);
  CHECK(threads_and_warning().first == 0);
  REQUIRE(::chown(".", ::geteuid(), gid_t(-1)) == 0);
  CHECK(threads_and_warning().first == 2);
  home.write("other/frugal.yaml", "threads: 3\n");
  std::filesystem::remove(file);
  std::filesystem::create_symlink("other/frugal.yaml", file);
  CHECK(threads_and_warning().first == 3);
  REQUIRE(::chown("other/frugal.yaml", kOther, gid_t(-1)) == 0);
  CHECK(threads_and_warning().first == 0);
}

TEST_CASE("a list of models may be a list of YAML") {
  OneModel settings;
  apply_yaml(SettingList(settings), "models:\n  generator: [\"openai:http://h#m\", local, extract]\n", "x.yaml");
  CHECK(settings.generator == "openai:http://h#m, local, extract");
}

TEST_CASE("a key that names a file to write is the user's to set, not the project's") {
  const TempHome home;
  const auto load = [](const std::filesystem::path& named = {}) {
    Logging settings;
    load_config(SettingList(settings), named);
    return settings.file;
  };
  home.write("XDG_CONFIG_HOME/frugal/config.yaml", "log: {file: mine}\n");
  home.write("frugal.yaml", "log: {level: 2}\n");
  CHECK(load() == "mine");
  home.write("frugal.yaml", "log: {file: ../.bashrc}\n");
  const Error error = error_of([&] { load(); });
  CHECK(error.code() == Code::usage);
  CHECK(error.message() == "frugal.yaml: 'log.file' is the user's to set and is not taken from here");
  CHECK(load("frugal.yaml") == "../.bashrc");
}

TEST_CASE("without an absolute HOME the home folder is the one of passwd, and never the current one") {
  const TempHome home;
  const char* before = std::getenv("HOME");
  const std::string saved = before ? before : "";
  for (const char* name : {"XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"}) ::unsetenv(name);
  const passwd* entry = ::getpwuid(::geteuid());
  const std::optional<std::filesystem::path> expected =
      entry ? std::optional<std::filesystem::path>(entry->pw_dir) : std::nullopt;
  const auto check_home = [&] {
    CHECK(home_folder() == expected);
    if (expected) CHECK(cache_home() == *expected / ".cache/frugal");
    if (expected) CHECK(expand_home("~/x") == *expected / "x");
  };
  ::unsetenv("HOME");
  check_home();
  for (const char* value : {"", ".", "some/folder"}) {
    ::setenv("HOME", value, 1);
    check_home();
  }
  ::setenv("HOME", "/somewhere", 1);
  CHECK(config_home() == "/somewhere/.config/frugal");
  ::setenv("HOME", saved.c_str(), 1);
}

TEST_CASE("a model is found by path, with and without .pack, in FRUGAL_MODELS before ./models before the data folder") {
  const TempHome home;
  CHECK(error_of([] { find_model("m"); }).code() == Code::missing);
  home.write("XDG_DATA_HOME/frugal/models/m.pack", "data");
  CHECK(find_model("m") == *data_home() / "models/m.pack");
  home.write("models/m.pack", "local");
  CHECK(find_model("m.pack") == "models/m.pack");
  home.write("elsewhere/m.pack", "env");
  ::setenv("FRUGAL_MODELS", (home / "elsewhere").c_str(), 1);
  CHECK(find_model("m.pack") == home / "elsewhere/m.pack");
  home.write("m.pack", "here");
  CHECK(find_model("m.pack") == "m.pack");
  ::unsetenv("FRUGAL_MODELS");
}

TEST_CASE("the checkpoint of a pack is the folder of its name, or the only file of weights there") {
  const TempHome home;
  CHECK(error_of([] { find_checkpoint("m.pack"); }).code() == Code::missing);
  home.write("models/m/model.bin", "weights");
  CHECK(find_checkpoint("m.pack") == "models/m/model.bin");
  home.write("models/m/other.gguf", "more weights");
  CHECK(find_checkpoint("m") == "models/m");
  home.write("models/n/pytorch_model.bin", "weights");
  home.write("models/n/config.json", "{}");
  CHECK(find_checkpoint("n.pack") == "models/n");
}

TEST_CASE("the index is the named one, the project's, or the only one of the user") {
  const TempHome home;
  CHECK(find_index("some/where") == "some/where");
  CHECK(error_of([] { find_index(""); }).code() == Code::missing);
  home.write("XDG_DATA_HOME/frugal/indexes/laws/x", "");
  CHECK(find_index("") == *data_home() / "indexes/laws");
  home.write("XDG_DATA_HOME/frugal/indexes/notes/x", "");
  home.write("XDG_DATA_HOME/frugal/indexes/file", "");
  CHECK(named_indexes() ==
        std::vector<std::filesystem::path>{*data_home() / "indexes/laws", *data_home() / "indexes/notes"});
  CHECK(find_index("notes") == *data_home() / "indexes/notes");
  CHECK(find_index("letters") == "letters");
  CHECK(find_index("./notes") == "./notes");
  home.write("notes/x", "");
  CHECK(find_index("notes") == "notes");
  CHECK(error_of([] { find_index(""); }).code() == Code::usage);
  home.write(".frugal/index/x", "");
  CHECK(find_index("") == ".frugal/index");
}
