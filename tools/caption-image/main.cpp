// caption-image: says what is in images (docs/tools/caption-image.md).
#include <fmt/format.h>

#include <optional>
#include <string>
#include <vector>

#include "app/cli/output.h"
#include "app/cli/progress.h"
#include "app/cli/tool.h"
#include "app/wiring/caption_report.h"
#include "app/wiring/caption_session.h"
#include "app/wiring/settings.h"
#include "base/error.h"

namespace frugal {
namespace {

constexpr const char* kExamples =
    "  caption-image photo.jpg --model blip2-opt-2.7b.pack         what is in the image\n"
    "  caption-image photo.jpg --question \"how many dogs?\"         asks about it\n"
    "  caption-image *.png --format jsonl > captions.jsonl         a JSON object for each image, loading the model "
    "once";

struct Flags {
  std::vector<std::string> files;
  std::string question;
};

void declare(cli::Tool& tool, Flags& flags) {
  CLI::App& app = tool.app();
  app.add_option("FILE", flags.files, "JPEG, PNG, WebP or GIF (its first frame); - for standard input")->required();
  app.add_option("--question", flags.question, "ask this about each image, instead of for a caption")
      ->type_name("TEXT");
  tool.key("--model", "models.captioner");
  tool.key("--max-length", "caption.max_length");
  tool.key("--max-pixels", "caption.max_pixels");
  tool.key("--cache-type-kv", "generate.kv_dtype");
}

void print_caption(const cli::Tool& tool, const ImageCaption& caption, const CaptionSession& session,
                   const Flags& flags) {
  const bool several = flags.files.size() > 1;
  if (tool.format() == "text")
    cli::print("{}{}\n", several ? caption.path + "\t" : "", caption.written.text);
  else
    cli::print(caption_to_json(caption, session.model_name(), flags.question, tool.format() == "json" ? 2 : -1));
  cli::flush_output();
}

int run(cli::Tool& tool, const Settings& settings) {
  Flags flags;
  declare(tool, flags);
  tool.parse();
  const bool several = flags.files.size() > 1;
  if (several && tool.format() == "json")
    throw Error(Code::usage, "--format json is for one image").hint("--format jsonl prints an object for each image");
  CaptionSession session(tool, settings);
  std::optional<cli::Progress> bar;
  if (several && !cli::stdout_is_terminal()) bar.emplace("describing", "images", flags.files.size());
  int64_t failed = 0;
  for (size_t i = 0; i < flags.files.size(); ++i) {
    try {
      print_caption(tool, session.describe(flags.files[i], flags.question), session, flags);
    } catch (const Error& error) {
      if (!several || error.code() == Code::over_budget) throw;
      cli::print_error(error.message(), error.hint());
      if (tool.format() == "jsonl") cli::print(caption_error_to_json(flags.files[i], error));
      ++failed;
    }
    if (bar) bar->update(i + 1);
  }
  return failed > 0 ? exit_code(Code::negative) : 0;
}

}  // namespace
}  // namespace frugal

int main(int argc, char** argv) {
  return frugal::run_tool(argc, argv,
                          {"caption-image",
                           "Says what is in images, or answers a question about them.",
                           frugal::kExamples,
                           {"text", "json", "jsonl"}},
                          frugal::run);
}
