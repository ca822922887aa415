#include "app/wiring/image_query.h"

#include <fmt/format.h>

#include <memory>
#include <span>
#include <vector>

#include "app/cli/input.h"
#include "app/cli/output.h"
#include "app/config/paths.h"
#include "app/wiring/decode_image.h"
#include "app/wiring/image_captioner.h"
#include "app/wiring/open_models.h"
#include "app/wiring/secret.h"
#include "base/error.h"
#include "base/file.h"
#include "base/naming.h"
#include "base/units.h"
#include "memory/budget.h"
#include "rag/answer/memory_peak.h"
#include "rag/answer/pipeline.h"
#include "rag/extract/extract.h"
#include "rag/index/store.h"
#include "rag/reply/render.h"
#include "telemetry/trace.h"

namespace frugal::cli {
namespace {

RgbImage decode_elsewhere(const std::string& file, Budget& budget) {
  const uint64_t limit = ExtractOptions().max_file_bytes;
  std::string bytes = file == "-" ? read_standard_input(limit) : read_file(file, limit);
  return naming_file(file == "-" ? "standard input" : file,
                     [&] { return decode_image_elsewhere(std::move(bytes), ImageReading().max_pixels, budget); });
}

/// The embedder and the captioner are not open at once.
std::vector<ScoredImage> images_like(const RgbImage& image, Store& store, const Tool& tool, const Settings& settings,
                                     const ChunkFilter& filter, Budget& budget) {
  const auto models = open_models(settings, model_options(tool, settings, budget, Manager::Mode::aggressive));
  const std::shared_ptr<ImageEmbedder> embedder = image_embedder_for(store, *models, settings.index);
  std::vector<float> vector(static_cast<size_t>(embedder->dimension()));
  embedder->embed_images(std::span(&image, 1), budget, vector);
  return store.search_images(vector, settings.pipeline.top_k, filter);
}

Reply reply_to_image(const Tool& tool, Settings settings, const std::string& file, const Query& query) {
  Budget budget(tool.budget_limits());
  settings.index = find_index(settings.index).native();
  const std::unique_ptr<Store> store = open_store(settings.index, budget, vector_options(settings));
  if (store->image_embedder_fingerprint().empty())
    throw Error(Code::missing, fmt::format("the index at '{}' has no images", settings.index))
        .hint(fmt::format("run rag-index add --image-embedder PACK --index {}", settings.index));
  std::string& pack = settings.models.image_embedder;
  if (pack.empty()) pack = store->image_embedder_name();
  Reply reply;
  reply.query = query;
  Trace trace(true);
  const RgbImage image = decode_elsewhere(file, budget);
  trace.stage("retrieve", [&] {
    naming_file(file, [&] { reply.images = images_like(image, *store, tool, settings, query.filter, budget); });
  });
  if (!query.text.empty())
    trace.stage("answer", [&] {
      ImageCaptioner captioner(tool, settings, budget);
      reply.image_answer = {captioner.describe(image, query.text).text, captioner.pack().filename().native()};
    });
  reply.memory = memory_peak(trace, false);
  Timings& timings = reply.timings;
  timings.retrieve_ms = to_milliseconds(trace.elapsed_ns("retrieve"));
  timings.answer_ms = to_milliseconds(trace.elapsed_ns("answer"));
  timings.total_ms = to_milliseconds(trace.total_ns());
  timings.other_ms = timings.total_ms - timings.retrieve_ms - timings.answer_ms;
  return reply;
}

}  // namespace

void declare_images(Tool& tool, std::string& file) {
  tool.app()
      .add_option("--image", file, "find images like this one, and ask the captioner about it; - for standard input")
      ->type_name("FILE")
      ->excludes("--batch");
  tool.key("--images", "retrieval.images");
  tool.key("--image-embedder", "models.image_embedder");
  tool.key("--captioner", "models.captioner");
}

int find_images(const Tool& tool, const Settings& settings, const std::string& file, const Query& query) {
  const Reply reply = reply_to_image(tool, settings, file, query);
  print(render_reply(reply, {.format = parse_reply_format(tool.format())}));
  return reply.images->empty() && !reply.image_answer ? exit_code(Code::negative) : 0;
}

}  // namespace frugal::cli
