// quantize-model: converts a published checkpoint into a pack (docs/tools/quantize-model.md).
#include <fmt/format.h>

#include <memory>
#include <optional>

#include "app/cli/memory_options.h"
#include "app/cli/output.h"
#include "app/cli/progress.h"
#include "app/cli/tool.h"
#include "app/wiring/settings.h"
#include "base/error.h"
#include "base/units.h"
#include "model/quant/pack_check.h"
#include "model/quant/quantize.h"
#include "model/quant/quantize_report.h"

namespace frugal {
namespace {

constexpr std::string_view kExamples =
    "  quantize-model models/all-minilm-l6-v2 -o models/all-minilm-l6-v2.pack\n"
    "      convert a Hugging Face folder to int8\n"
    "  quantize-model model.Q4_1.gguf -o model.pack --verify --report report.html\n"
    "      keep the 4-bit weights, compare with full precision, report on each tensor\n"
    "  quantize-model model/ -o model.pack --dtype int4 --tensor-type 'down|embeddings=int8'\n"
    "      4 bits except some tensors (a POSIX regular expression on the names that --dry-run shows)\n"
    "  quantize-model model/ -o model.pack --dtype auto --report report.html\n"
    "      measure each dtype for each tensor, choose the best, and report the reasons\n"
    "  quantize-model --check model.pack\n"
    "      verify the checksums of a pack";

struct Arguments {
  std::string input, output, kind, dtype, auto_target = "size", calibration, max_ram, report, verify_text;
  std::vector<std::string> rules;
  std::optional<int64_t> dimensions;
  bool allow_requantize = false, force = false, verify = false, dry_run = false, check = false;
};

void declare(cli::Tool& tool, Arguments& args) {
  CLI::App& app = tool.app();
  app.add_option("IN", args.input, "Hugging Face folder, .safetensors, .pt, .bin or .gguf file; with --check, a pack")
      ->required();
  tool.output_file("-o,--output", args.output, "pack to write")->type_name("OUT.pack");
  app.add_option("--as", args.kind,
                 "what the model is for, where its checkpoint fits several kinds: embedder, decoder or reader")
      ->type_name("KIND");
  app.add_option("--dimensions", args.dimensions, "of an embedder: keep the first N values of each vector")
      ->type_name("N");
  app.add_option("--dtype", args.dtype,
                 "keep, int8, int4, fp16, fp32 or auto (default: keep for a quantised source, otherwise int8)");
  app.add_option("--auto-target", args.auto_target, "goal of --dtype auto: size, speed or quality (default size)");
  app.add_option("--calibration", args.calibration, "text to measure layers with for --dtype auto, a sample per line")
      ->type_name("FILE");
  app.add_option("--tensor-type", args.rules, "another dtype for weights whose name matches; repeatable")
      ->type_name("REGEX=DTYPE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--max-ram", args.max_ram, "limit on anonymous memory (default: the largest tensor + 64 MiB)")
      ->type_name("SIZE");
  app.add_flag("--verify", args.verify, "compare with full precision; write no pack if it is too far off (exit 4)");
  app.add_option("--verify-text", args.verify_text, "text to verify with, instead of the built-in one")
      ->type_name("FILE");
  app.add_flag("--dry-run", args.dry_run, "show the plan and the sizes, write nothing");
  tool.output_file("--report", args.report, "write a report on each tensor")->type_name("FILE.json|.html");
  app.add_flag("--force", args.force, "write the pack even if it is up to date");
  app.add_flag("--allow-requantize", args.allow_requantize, "allow fewer bits for weights that are already quantised");
  app.add_flag("--check", args.check, "verify the checksums of a pack and write nothing");
}

void check_arguments(const Arguments& args) {
  if (args.check && !args.output.empty()) throw Error(Code::usage, "--check takes a pack and no --output");
  if (!args.check && !args.dry_run && args.output.empty())
    throw Error(Code::usage, "no output named").hint("add -o MODEL.pack, or --dry-run to see the plan");
  if (!args.verify_text.empty() && !args.verify && args.dtype != "auto")
    throw Error(Code::usage, "--verify-text requires --verify, or --dtype auto");
  if (args.dtype != "auto" && (!args.calibration.empty() || args.auto_target != "size"))
    throw Error(Code::usage, "--auto-target and --calibration are for --dtype auto");
  if (!args.report.empty() && !args.report.ends_with(".json") && !args.report.ends_with(".html"))
    throw Error(Code::usage, fmt::format("--report '{}' ends in neither .json nor .html", args.report));
}

// A progress line for each stage.
QuantizeProgress show_progress() {
  struct State {
    std::string stage;
    std::unique_ptr<cli::Progress> line;
  };
  return [state = std::make_shared<State>()](std::string_view stage, uint64_t done, uint64_t total) {
    if (state->stage != stage) {
      state->line.reset();  // only one line can be drawn at a time
      state->line = std::make_unique<cli::Progress>(std::string(stage), "", total, cli::ProgressUnit::bytes);
      state->stage = stage;
    }
    state->line->update(done);
  };
}

QuantizeOptions options_of(const Arguments& args, const cli::Tool& tool, const Settings& settings) {
  QuantizeOptions options;
  options.input = args.input;
  options.output = args.output;
  if (!args.kind.empty()) options.plan.kind = parse_model_kind(args.kind);
  options.plan.dimensions = args.dimensions;
  if (!args.dtype.empty()) options.precision = parse_precision(args.dtype);
  for (const std::string& rule : args.rules) options.rules.push_back(parse_rule(rule));
  options.threads = tool.threads();
  const cli::BudgetRequest budget = cli::parse_budget(settings.common.memory.budget);
  options.max_ram_bytes = args.max_ram.empty() ? budget.bytes : parse_bytes(args.max_ram, "--max-ram");
  options.allow_requantize = args.allow_requantize;
  options.force = args.force;
  options.verify = args.verify;
  options.verify_backend = tool.backend();
  options.auto_target = parse_auto_target(args.auto_target);
  if (!args.calibration.empty()) options.calibration_texts = read_verification_texts(args.calibration);
  if (!args.verify_text.empty()) options.verify_texts = read_verification_texts(args.verify_text);
  options.measure_error = !args.report.empty();
  options.progress = show_progress();
  return options;
}

int check(const Arguments& args, const cli::Tool& tool) {
  const PackCheck check = check_pack(args.input);
  const bool json = tool.format() == "json";
  if (json || check.problem.empty()) cli::print(json ? check_json(check) : check_text(check));
  if (check.problem.empty()) return 0;
  throw Error(Code::verify_failed, check.problem).hint(check.hint);
}

int quantize(const Arguments& args, const cli::Tool& tool, const Settings& settings) {
  Quantizer quantizer(options_of(args, tool, settings));
  for (const std::string& note : quantizer.tensors().notes) cli::print_message(note);
  std::optional<QuantizeResult> result;
  if (!args.dry_run) result = quantizer.run();
  const QuantizeResult* done = result ? &*result : nullptr;
  if (!args.report.empty()) write_report(args.report, quantizer, done);
  if (tool.format() == "json")
    cli::print(report_json(quantizer, done));
  else
    cli::print(done ? result_text(args.output, quantizer, *done) : plan_text(quantizer));
  return 0;
}

}  // namespace
}  // namespace frugal

int main(int argc, char** argv) {
  using namespace frugal;
  return run_tool(argc, argv,
                  {"quantize-model", "Converts a published checkpoint into a pack, the model file that frugal runs.",
                   std::string(kExamples)},
                  [](cli::Tool& tool, const Settings& settings) {
                    Arguments args;
                    declare(tool, args);
                    tool.parse();
                    check_arguments(args);
                    return args.check ? check(args, tool) : quantize(args, tool, settings);
                  });
}
