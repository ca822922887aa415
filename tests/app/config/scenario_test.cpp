#include "app/config/scenario.h"

#include <doctest/doctest.h>

#include <array>
#include <filesystem>

#include "base/error.h"

using namespace frugal;
using Action = ScenarioStage::Action;

namespace {

std::string refusal(const std::string& yaml) {
  try {
    parse_scenario(yaml, "p.yaml");
  } catch (const Error& error) {
    CHECK(error.code() == Code::usage);
    return error.message();
  }
  return "";
}

}  // namespace

TEST_CASE("configs/pipeline.yaml loads, runs and unloads both default models") {
  const auto stages = load_scenario(std::filesystem::path(FRUGAL_SOURCE_DIR) / "configs/pipeline.yaml").stages;
  REQUIRE(stages.size() == 6);
  CHECK(stages[0].action == Action::load);
  CHECK(stages[0].model == "embedder");
  CHECK(stages[4].action == Action::run);
  CHECK(stages[4].model == "generator");
  CHECK(stages[4].max_new_tokens == 32);
  CHECK_FALSE(stages[4].text.empty());
  CHECK(stages[5].action == Action::unload);
}

TEST_CASE("a pipeline gives names to models, wherever it says so") {
  const std::string stages = "stages:\n  - load: generation\n  - load: b\n  - unload: generation\n";
  for (const std::string& yaml :
       {"models:\n  generation: a.pack\n" + stages, stages + "models:\n  generation: a.pack\n"}) {
    const auto parsed = parse_scenario(yaml, "p.yaml").stages;
    REQUIRE(parsed.size() == 3);
    CHECK(parsed[0].model == "generation");
    CHECK(parsed[0].source() == "a.pack");
    CHECK(parsed[1].source() == "b");
    CHECK(parsed[2].source() == "a.pack");
  }
  CHECK(refusal("models:\n  upscaling: a.pack\n" + stages) == "p.yaml:2: no stage uses the model 'upscaling'");
  CHECK(refusal("models:\n  generation:\n" + stages) == "p.yaml:2: 'generation' names no model");
}

TEST_CASE("the pipeline of generation, upscaling and interpolation has each model loaded alone") {
  const auto path =
      std::filesystem::path(FRUGAL_SOURCE_DIR) / "configs/pipelines/generation-upscaling-interpolation.yaml";
  const auto stages = load_scenario(path).stages;
  REQUIRE(stages.size() == 9);
  const char* names[] = {"generation", "upscaling", "interpolation"};
  for (size_t i = 0; i < stages.size(); ++i) {
    CHECK(stages[i].model == names[i / 3]);
    CHECK(stages[i].action == std::array{Action::load, Action::run, Action::unload}[i % 3]);
    CHECK_FALSE(stages[i].named.empty());
  }
}

TEST_CASE("an invalid stage is an error with its line") {
  CHECK(refusal("stages:\n  - run: a\n") == "p.yaml:2: 'a' is not loaded at this stage");
  CHECK(refusal("stages:\n  - load: a\n  - load: a\n") == "p.yaml:3: 'a' is loaded already");
  CHECK(refusal("stages:\n  - load: a\n  - unload: a\n  - unload: a\n") == "p.yaml:4: 'a' is not loaded at this stage");
  CHECK(refusal("stages:\n  - text: hello\n") == "p.yaml:2: a stage must have exactly one of load, run and unload");
  CHECK(refusal("stages:\n  - load: a\n    run: a\n") ==
        "p.yaml:3: a stage must have exactly one of load, run and unload");
  CHECK(refusal("stages:\n  - load:\n") == "p.yaml:2: 'load' names no model");
  CHECK(refusal("stages:\n  - lode: a\n") == "p.yaml:2: unknown key 'lode'");
  CHECK(refusal("stages: all\n") == "p.yaml:1: 'stages' must be a list");
  CHECK(refusal("steps: []\n") == "p.yaml:1: unknown key 'steps'");
  CHECK(refusal("stages:\n  - all\n") == "p.yaml:2: a stage must be a mapping, like `- load: embedder`");
  CHECK(refusal("") == "p.yaml: no stages");
  CHECK(refusal("stages:\n  - load: a\n    max_new_tokens: 0\n") ==
        "p.yaml:3: max_new_tokens takes a whole number from 1 to 1048576, not '0'");
}

TEST_CASE("a pipeline has a mode and limits for its stages") {
  const std::string stages = "stages:\n  - load: a\n";
  CHECK(parse_scenario(stages, "p.yaml").mode == Scenario::Mode::aggressive);
  CHECK(parse_scenario(stages, "p.yaml").alerts.empty());
  const Scenario pipeline =
      parse_scenario("mode: cache\nalerts:\n  peak_anon: 64MiB\n  pressure: 10\n" + stages, "p.yaml");
  CHECK(pipeline.mode == Scenario::Mode::cache);
  CHECK(pipeline.alerts == std::vector<std::string>{"peak_anon=64MiB", "pressure=10"});
  CHECK(refusal("mode: lazy\n" + stages) == "p.yaml:1: mode is aggressive or cache, not 'lazy'");
}

TEST_CASE("a role that is not configured is a usage error, and an absent pack is Error(missing)") {
  ModelNames models;
  models.generator.clear();
  CHECK_THROWS_WITH_AS(pack_of("generator", models), "no generator is configured", Error);
  try {
    pack_of("no-such-model-anywhere", models);
    FAIL("found a model that does not exist");
  } catch (const Error& error) {
    CHECK(error.code() == Code::missing);
  }
}
