#include "app/wiring/image_query.h"

#include <fmt/format.h>

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "app/cli/input.h"
#include "app/cli/output.h"
#include "app/config/paths.h"
#include "app/wiring/open_models.h"
#include "base/error.h"
#include "base/file.h"
#include "base/naming.h"
#include "memory/budget.h"
#include "rag/answer/pipeline.h"
#include "rag/extract/extraction_child.h"
#include "rag/index/store.h"
#include "rag/reply/render.h"

namespace frugal::cli {
namespace {

RgbImage decode_elsewhere(const std::string& file, Budget& budget) {
  const ExtractOptions limits;
  const ImageReading reading;
  std::string bytes = file == "-" ? read_standard_input(limits.max_file_bytes) : read_file(file, limits.max_file_bytes);
  return naming_file(file == "-" ? "standard input" : file, [&] {
    if (bytes.size() > limits.max_file_bytes) throw Error(Code::bad_input, "has more bytes than an image");
    ExtractionChild child;
    child.read(
        FileKind::image, std::move(bytes), budget, [](uint64_t) {}, reading.max_pixels);
    std::optional<ExtractionChild::Image> image = child.next_image(budget);
    if (!image) throw Error(Code::bad_input, "has no pixels");
    return std::move(image->pixels);
  });
}

std::vector<ScoredImage> images_like(const Tool& tool, Settings settings, const std::string& file,
                                     const ChunkFilter& filter) {
  Budget budget(tool.budget_limits());
  const std::filesystem::path folder = find_index(settings.index);
  const std::unique_ptr<Store> store = open_store(folder, budget);
  if (store->image_embedder_fingerprint().empty())
    throw Error(Code::missing, fmt::format("the index at '{}' has no images", folder.native()))
        .hint(fmt::format("run rag-index add --image-embedder PACK --index {}", folder.native()));
  std::string& pack = settings.models.image_embedder;
  if (pack.empty()) pack = store->image_embedder_name();
  const auto models = open_models(settings, model_options(tool, settings, budget, Manager::Mode::aggressive));
  const std::shared_ptr<ImageEmbedder> embedder = image_embedder_for(*store, *models, folder.native());
  const RgbImage image = decode_elsewhere(file, budget);
  std::vector<float> vector(static_cast<size_t>(embedder->dimension()));
  naming_file(file, [&] { embedder->embed_images(std::span(&image, 1), budget, vector); });
  return store->search_images(vector, settings.pipeline.top_k, filter);
}

}  // namespace

void declare_images(Tool& tool, std::string& file) {
  tool.app()
      .add_option("--image", file, "instead of a question: find images like this one; - for standard input")
      ->type_name("FILE");
  tool.key("--images", "retrieval.images");
  tool.key("--image-embedder", "models.image_embedder");
}

int find_images(const Tool& tool, const Settings& settings, const std::string& file, const Query& query) {
  if (!query.text.empty())
    throw Error(Code::usage, "both a question and --image")
        .hint("search by an image, or ask a question; caption-image --question asks about one image");
  Reply reply;
  reply.query = query;
  reply.images = images_like(tool, settings, file, query.filter);
  print(render_reply(reply, {.format = parse_reply_format(tool.format())}));
  return reply.images->empty() ? exit_code(Code::negative) : 0;
}

}  // namespace frugal::cli
