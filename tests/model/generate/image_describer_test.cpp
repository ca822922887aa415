// Texts about images, against those that transformers writes (scripts/make_vision_language_goldens.py).
#include "model/generate/image_describer.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>

#include "base/error.h"
#include "base/thread_pool.h"
#include "compute/ops/ops.h"
#include "model/arch/registry.h"
#include "model/format/pack.h"
#include "support/golden.h"
#include "support/images.h"

using namespace frugal;
using namespace frugal::testing;

namespace {

struct OpenModel {
  explicit OpenModel(const std::string& golden = "blip2") : made(kRoot / "tests/golden" / golden, Precision::fp32) {}

  TemporaryPack made;
  Pack pack{made.path};
  ThreadPool threads{1};
  std::unique_ptr<Ops> ops = make_cpu_ops(threads, Budget::unlimited());
  std::unique_ptr<VisionLanguage> model = open_as<VisionLanguage>(PackSource(pack), *ops);
};

GenerateOptions at_most(int64_t tokens) {
  GenerateOptions options;
  options.max_new_tokens = tokens;
  return options;
}

}  // namespace

TEST_CASE("captions and answers are those of the original, and are streamed") {
  for (const std::string golden : {"blip2", "blip2-t5", "qwen3-vl"}) {
    CAPTURE(golden);
    const OpenModel open(golden);
    Outputs outputs(golden);
    for (const auto expected : outputs.cases()) {
      const RgbImage image =
          image_of(int64_t(expected["width"]), int64_t(expected["height"]), std::string_view(expected["rgb"]));
      std::string streamed;
      const Generation written = describe_image(
          *open.model, image, std::string_view(expected["request"]), at_most(12), Budget::unlimited(),
          [&](std::string_view text) {
            streamed += text;
            return true;
          },
          KvType::f32);
      CHECK(written.text == std::string(std::string_view(expected["caption"])));
      CHECK(streamed == written.text);
      CHECK(written.prompt_tokens == int64_t(expected["image_tokens"]) +
                                         int64_t(ids(expected["before"]).size() + ids(expected["after"]).size()));
    }
  }
}

TEST_CASE("a sink ends the text, and so does the number of tokens") {
  const OpenModel open;
  const RgbImage image = pattern_image(40, 30, 1);
  const Generation cancelled =
      describe_image(*open.model, image, "", at_most(12), Budget::unlimited(), [](std::string_view) { return false; });
  CHECK(cancelled.finish == Finish::cancelled);
  const Generation shorter = describe_image(*open.model, image, "", at_most(3), Budget::unlimited());
  CHECK(shorter.new_tokens <= 3);
}

TEST_CASE("a request that is longer than the context, and memory that does not suffice, are errors") {
  const RgbImage image = pattern_image(40, 30, 1);
  const OpenModel opt, t5("blip2-t5");
  CHECK_THROWS_WITH_AS(describe_image(*opt.model, image, std::string(500, 'x'), at_most(5), Budget::unlimited()),
                       doctest::Contains("leave no room in a context of 128"), Error);
  CHECK_THROWS_AS(describe_image(*t5.model, image, std::string(20000, 'x'), at_most(5), Budget::unlimited()), Error);
  for (const OpenModel* open : {&opt, &t5}) {
    Budget small(1024);
    try {
      describe_image(*open->model, image, "", at_most(5), small);
      FAIL("no error");
    } catch (const Error& error) {
      CHECK(error.code() == Code::over_budget);
    }
  }
}
