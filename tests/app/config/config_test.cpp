#include <doctest/doctest.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "app/config/load.h"
#include "app/config/paths.h"
#include "base/error.h"
#include "base/file.h"

using namespace frugal;

namespace {

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
  return error_of([&] { apply_yaml(config, yaml, "x.yaml"); });
}

/// A folder that goes away with the test, and variables that are put back.
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

}  // namespace

TEST_CASE("configs/default.yaml holds exactly the built-in defaults, every key of them") {
  const std::string yaml = read_file(std::string(FRUGAL_SOURCE_DIR) + "/configs/default.yaml");
  // Every value is first set to something else, so that a key which the file leaves out shows.
  Config from_file, defaults;
  for (const ConfigField& field : config_fields(from_file)) {
    if (bool* const* flag = std::get_if<bool*>(&field.value)) **flag = !**flag;
    if (int64_t* const* count = std::get_if<int64_t*>(&field.value)) **count = -77;
    if (uint64_t* const* bytes = std::get_if<uint64_t*>(&field.value)) **bytes = 77;
    if (double* const* number = std::get_if<double*>(&field.value)) **number = -77;
    if (std::string* const* text = std::get_if<std::string*>(&field.value)) **text = "changed";
  }
  apply_yaml(from_file, yaml, "default.yaml");
  const auto found = config_fields(from_file), expected = config_fields(defaults);
  for (size_t i = 0; i < expected.size(); ++i) {
    INFO(expected[i].key);
    CHECK(format_value(found[i]) == format_value(expected[i]));
  }
}

TEST_CASE("a file sets nested keys of every type and leaves the others alone") {
  Config config;
  apply_yaml(config,
             "retrieval: {fusion: rrf, dense: no, dense_weight: {pt: 0.25}}\n"
             "memory: {budget: 1.5G, limits: {kv_cache: 64MiB}}\nthreads: 3\nmodels:\n  generator: my.pack\n",
             "x.yaml");
  CHECK(config.retrieval.fusion == "rrf");
  CHECK_FALSE(config.retrieval.dense);
  CHECK(config.retrieval.dense_weight.pt == 0.25);
  CHECK(config.retrieval.dense_weight.en == Config().retrieval.dense_weight.en);
  CHECK(config.memory.budget == "1.5G");
  CHECK(config.memory.limits.kv_cache == uint64_t(64) << 20);
  CHECK(config.threads == 3);
  CHECK(config.models.generator == "my.pack");
}

TEST_CASE("an empty file and a file of comments change nothing") {
  Config config;
  apply_yaml(config, "", "x.yaml");
  apply_yaml(config, "# nothing\n", "x.yaml");
  CHECK(config.retrieval.top_k == Config().retrieval.top_k);
}

TEST_CASE("an unknown key is refused with its line and the nearest name") {
  const Error error = yaml_error_of("threads: 2\nretrieval:\n  top_k: 3\n  canidates: 5\n");
  CHECK(error.code() == Code::usage);
  CHECK(error.message() == "x.yaml:4: unknown key 'retrieval.canidates'");
  CHECK(error.hint() == "did you mean 'retrieval.candidates'?");
  CHECK(yaml_error_of("retrival:\n  top_k: 3\n").hint() == "did you mean 'retrieval'?");
  CHECK(yaml_error_of("zzzzzzzz: 3\n").hint() == "configs/default.yaml lists every key");
}

TEST_CASE("keys of parts that do not exist yet are unknown, not ignored") {
  for (const char* assignment : {"models.reader=my.pack", "rerank.budget_ms=5", "memory.limits.text_embeddings=1MiB",
                                 "memory.limits.vision_features=1MiB"}) {
    INFO(assignment);
    Config config;
    CHECK(error_of([&] { set_assignment(config, assignment); }).message().find("unknown key") != std::string::npos);
  }
}

TEST_CASE("a value of the wrong type or out of range is refused with what would do") {
  CHECK(yaml_error_of("threads: many\n").message() == "x.yaml:1: 'many' is no value for threads");
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

TEST_CASE("a key that comes twice, a list, broken YAML and deep nesting are errors, never crashes") {
  CHECK(yaml_error_of("threads: 1\nthreads: 2\n").message() == "x.yaml:2: key 'threads' comes twice");
  CHECK(yaml_error_of("- 1\n- 2\n").message() == "x.yaml:1: expected `key: value` lines");
  CHECK(yaml_error_of("threads: [1\n").code() == Code::usage);
  CHECK(yaml_error_of("? [a, b]\n: 1\n").code() == Code::usage);
  CHECK(yaml_error_of(std::string(20000, '[')).code() == Code::usage);
  CHECK(yaml_error_of(std::string("\0\x01\xff", 3)).code() == Code::usage);
}

TEST_CASE("assignments name any key by its dotted path") {
  Config config;
  set_assignment(config, "retrieval.dense_weight.en=0.75");
  set_assignment(config, "models.generator=a=b");
  CHECK(config.retrieval.dense_weight.en == 0.75);
  CHECK(config.models.generator == "a=b");
  CHECK(error_of([&] { set_assignment(config, "threads"); }).message() == "--set: 'threads' is not key=value");
  CHECK(error_of([&] { set_assignment(config, "thread=1"); }).hint() == "did you mean 'threads'?");
}

TEST_CASE("the project's file overrides the user's, and a named file stands in the project's place") {
  const TempHome home;
  CHECK(load_config().threads == 0);
  home.write("XDG_CONFIG_HOME/frugal/config.yaml", "threads: 1\nretrieval: {top_k: 1}\nhyde: {mode: never}\n");
  CHECK(load_config().threads == 1);
  home.write("frugal.yaml", "threads: 2\nretrieval: {top_k: 2}\n");
  CHECK(load_config().threads == 2);
  const auto named = home.write("named.yaml", "threads: 3\n");
  const Config config = load_config(named);
  CHECK(config.threads == 3);
  CHECK(config.retrieval.top_k == 1);
  CHECK(config.hyde.mode == "never");
}

TEST_CASE("a named file that is missing or too large is an error") {
  const TempHome home;
  CHECK(error_of([] { load_config("nope.yaml"); }).code() == Code::io);
  const auto large = home.write("large.yaml", std::string(2 << 20, '#'));
  CHECK(error_of([&] { load_config(large); }).code() == Code::bad_input);
}

TEST_CASE("a model is found by path, with and without .pack, in FRUGAL_MODELS before ./models before the data folder") {
  const TempHome home;
  CHECK(error_of([] { find_model("m"); }).code() == Code::missing);
  home.write("XDG_DATA_HOME/frugal/models/m.pack", "data");
  CHECK(find_model("m") == data_home() / "models/m.pack");
  home.write("models/m.pack", "local");
  CHECK(find_model("m.pack") == "models/m.pack");
  home.write("elsewhere/m.pack", "env");
  ::setenv("FRUGAL_MODELS", (home / "elsewhere").c_str(), 1);
  CHECK(find_model("m.pack") == home / "elsewhere/m.pack");
  home.write("m.pack", "here");
  CHECK(find_model("m.pack") == "m.pack");
  ::unsetenv("FRUGAL_MODELS");
}

TEST_CASE("the index is the named one, the project's, or the only one of the user") {
  const TempHome home;
  CHECK(find_index("some/where") == "some/where");
  CHECK(error_of([] { find_index(""); }).code() == Code::missing);
  home.write("XDG_DATA_HOME/frugal/indexes/laws/x", "");
  CHECK(find_index("") == data_home() / "indexes/laws");
  home.write("XDG_DATA_HOME/frugal/indexes/notes/x", "");
  CHECK(error_of([] { find_index(""); }).code() == Code::usage);
  home.write(".frugal/index/x", "");
  CHECK(find_index("") == ".frugal/index");
}
