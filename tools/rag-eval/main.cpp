// rag-eval: measures retrieval and answers on a set of questions with known answers (docs/tools/rag-eval.md).
#include <fmt/format.h>

#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "../shared/configured_laws.h"
#include "../shared/rag_options.h"
#include "app/cli/output.h"
#include "app/cli/progress.h"
#include "app/cli/tool.h"
#include "app/config/load.h"
#include "base/error.h"
#include "base/hash.h"
#include "measure/eval/evaluation.h"
#include "memory/budget.h"
#include "rag/index/index_writer.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

constexpr const char* kExamples =
    "  rag-eval --set eval/squad-dev-b                          each list and their fusion, indexing the set once\n"
    "  rag-eval --set eval/cranfield --format json --limit 100  the first hundred queries, for programs\n"
    "  rag-eval --set A --answers --foreign B/queries.jsonl     quotes too, and questions that A cannot answer";

struct Flags {
  std::vector<std::string> set;
  int64_t limit = 0;
  fs::path out_run;
  bool answers = false;
  fs::path foreign;
  int64_t foreign_limit = 500;
};

void declare(cli::Tool& tool, Flags& flags) {
  CLI::App& app = tool.app();
  // Here --set names the set of questions; KEY=VALUE still overrides the configuration, as in every tool.
  app.remove_option(app.get_option("--set"));
  app.add_option("--set", flags.set, "folder with corpus.jsonl, queries.jsonl and qrels.tsv; or a key to override")
      ->type_name("DIR|KEY=VALUE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--limit", flags.limit, "ask the first N queries only; 0: all")->check(CLI::NonNegativeNumber);
  app.add_option("--out-run", flags.out_run, "write the fused ranking as a TREC run")->type_name("FILE");
  app.add_flag("--answers", flags.answers, "also answer by extraction: EM, F1 and abstention (slower)");
  app.add_option("--foreign", flags.foreign, "queries that the set cannot answer, for the rate of true abstention")
      ->type_name("FILE");
  app.add_option("--foreign-limit", flags.foreign_limit, "the first N of these")->check(CLI::NonNegativeNumber);
  tool.key("--index", "index", "keep the set's index here; default: below the cache folder, by set and embedder");
  tool.key("--fusion", "retrieval.fusion", "weighted or rrf");
  tool.key("-C,--candidates", "retrieval.candidates", "chunks to take from each list");
  tool.key("--embedder", "models.embedder", "pack of the embedder");
  tool.key_flag("--no-dense", "retrieval.dense", "false", "words only; no embedder is needed");
}

// A folder that is there is a set, whatever its name; of the rest, what has an equals sign is an assignment.
fs::path take_set(const Flags& flags, Config& config) {
  fs::path folder;
  for (const std::string& value : flags.set) {
    if (!fs::is_directory(value) && value.find('=') != std::string::npos) {
      set_assignment(config, value);
    } else if (folder.empty()) {
      folder = value;
    } else {
      throw Error(Code::usage, "--set names two sets").hint("measure one set at a time");
    }
  }
  if (folder.empty()) throw Error(Code::usage, "no set").hint("rag-eval --set DIR; rag-eval --help shows more");
  return folder;
}

// One index a set and an embedder; rag-index sees for itself whether the corpus has changed.
fs::path index_folder(const Config& config, const EvalSet& set) {
  if (!config.index.empty()) return config.index;
  const std::string what = fs::absolute(set.corpus).native() + "\n" + config.models.embedder +
                           (config.retrieval.dense ? "" : "\nwords only");
  return cache_home() / "eval" / fmt::format("{}-{}", set.name, sha256_hex(what).substr(0, 12));
}

void index_set(const Config& config, const EvalSet& set, const fs::path& folder, Models& models) {
  IndexOptions options;
  const auto embedder = config.retrieval.dense ? models.embedder() : nullptr;
  options.embedder = embedder.get();
  options.laws = configured_laws(config);
  options.chunk_tokens = config.chunking.max_tokens;
  options.overlap_tokens = config.chunking.overlap_tokens;
  std::optional<cli::Progress> bar;
  options.progress = [&](const IndexProgress& progress) {
    if (progress.stage != IndexProgress::Stage::embedding) return;
    if (!bar) bar.emplace("indexing", "chunks", static_cast<uint64_t>(progress.total));
    bar->update(static_cast<uint64_t>(progress.done));
  };
  fs::create_directories(fs::absolute(folder).parent_path());
  const IndexReport report = IndexWriter(folder, options).add({set.corpus.native()});
  bar.reset();
  if (report.vectors_computed > 0)
    cli::narrate(fmt::format("indexed {} documents, {} chunks; {:.1f} chunks/s embedded", report.documents,
                             report.chunks, static_cast<double>(report.vectors_computed) / report.embedding_seconds));
}

int run(cli::Tool& tool) {
  Flags flags;
  declare(tool, flags);
  tool.parse();
  Config config = tool.config();
  const EvalSet set = read_eval_set(take_set(flags, config), flags.limit);
  Budget budget(tool.budget_limits());
  ModelOptions memory = model_options(tool, budget, Manager::Mode::cache);
  memory.generator = generator_memory(config, /*prefix_cache=*/false);
  const auto models = configured_models(config, memory);
  const fs::path folder = index_folder(config, set);
  index_set(config, set, folder, *models);
  const auto store = open_store(folder, &budget);

  EvalOptions options;
  options.pipeline = pipeline_options(config);
  options.answers = flags.answers;
  if (!flags.foreign.empty()) options.foreign = read_eval_queries(flags.foreign, flags.foreign_limit);
  std::optional<cli::Progress> bar;
  bar.emplace("asking", "queries", set.queries.size());
  options.progress = [&](int64_t done, int64_t) { bar->update(static_cast<uint64_t>(done)); };
  std::ofstream trec_run;
  if (!flags.out_run.empty()) {
    trec_run.open(flags.out_run);
    if (!trec_run) throw io_error("write", flags.out_run.native());
  }
  const EvalReport report = evaluate(set, *store, *models, options, trec_run.is_open() ? &trec_run : nullptr);
  bar.reset();
  if (trec_run.is_open() && !trec_run.flush()) throw io_error("write", flags.out_run.native());
  cli::print(tool.format() == "json" ? report_to_json(report, 2) + "\n" : report_to_markdown(report));
  return 0;
}

}  // namespace
}  // namespace frugal

int main(int argc, char** argv) {
  return frugal::cli::run_tool(argc, argv,
                               {"rag-eval",
                                "Measures retrieval and answers on a set of questions with known answers.",
                                frugal::kExamples,
                                {"md", "json"}},
                               frugal::run);
}
