#include "model/remote/remote_models.h"

#include <fmt/format.h>

#include <map>
#include <mutex>
#include <utility>

#include "base/error.h"
#include "model/remote/remote_embedder.h"
#include "model/remote/remote_generator.h"
#include "model/remote/remote_reader.h"

namespace frugal {
namespace {

using Entries = std::vector<ModelEntry>;
using Kind = ModelEntry::Kind;

std::string text_of(const Entries& list) {
  std::string text;
  for (const ModelEntry& each : list)
    text += fmt::format("{}{}", text.empty() ? "" : ", ", each.name.empty() ? "local" : each.name);
  return text;
}

Error bad_list(std::string_view setting, const Entries& list, std::string_view why) {
  return Error(Code::usage, fmt::format("{} '{}': {}", setting, text_of(list), why))
      .hint("docs/remote.md shows which lists there are");
}

void check(std::string_view setting, const Entries& list) {
  if (!list.empty() && list.front().kind == Kind::none) throw bad_list(setting, list, "it begins with no model");
}

class RemoteModels final : public Models {
 public:
  RemoteModels(ModelLists lists, RemoteModelOptions options, std::unique_ptr<Models> packs)
      : lists_(std::move(lists)), options_(std::move(options)), packs_(std::move(packs)) {
    check("models.embedder", lists_.embedder);
    check("models.generator", lists_.generator);
    check("models.reader", lists_.reader);
    if (lists_.embedder.size() > 1 && lists_.embedder[1].kind != Kind::none)
      throw bad_list("models.embedder", lists_.embedder,
                     "vectors of two models do not mix; only none may follow: a search by words");
  }

  std::shared_ptr<Embedder> embedder() override {
    if (lists_.embedder.empty() || lists_.embedder.front().kind == Kind::pack) return packs_->embedder();
    const ModelEntry& entry = lists_.embedder.front();
    return made(embedders_, entry, [&] {
      return make_remote_embedder(service(entry, "FRUGAL_EMBEDDER_KEY"), entry,
                                  {options_.query_prompt, options_.passage_prompt});
    });
  }
  std::string dispensable_embedder() const override {
    return !lists_.embedder.empty() && lists_.embedder.back().kind == Kind::none ? lists_.embedder.front().name : "";
  }

  std::shared_ptr<Generator> generator() override { return generators().front().open(); }
  std::vector<NamedModel<Generator>> generators() override {
    if (lists_.generator.empty()) return packs_->generators();
    return named<Generator>(lists_.generator, [this](const ModelEntry& entry) -> std::shared_ptr<Generator> {
      if (entry.kind == Kind::pack) return packs_->generator();
      return made(generators_, entry, [&] {
        return make_remote_generator(service(entry, "FRUGAL_GENERATOR_KEY"), entry, options_.context_tokens);
      });
    });
  }

  bool has_reader() const override { return !lists_.reader.empty(); }
  std::shared_ptr<Reader> reader() override { return readers().front().open(); }
  std::vector<NamedModel<Reader>> readers() override {
    FRUGAL_CHECK(has_reader());
    return named<Reader>(lists_.reader, [this](const ModelEntry& entry) -> std::shared_ptr<Reader> {
      if (entry.kind == Kind::pack) return packs_->reader();
      return made(readers_, entry, [&] { return make_remote_reader(service(entry, "FRUGAL_READER_KEY"), entry); });
    });
  }

  std::shared_ptr<ImageEmbedder> image_embedder() override { return packs_->image_embedder(); }
  void prefetch_embedder() override {
    if (lists_.embedder.empty() || lists_.embedder.front().kind == Kind::pack) packs_->prefetch_embedder();
  }

  // How many weights a remote has is not known, but who names it has chosen it.
  GeneratorSize generator_size(int64_t min_parameters) override {
    if (!lists_.generator.empty() && lists_.generator.front().kind == Kind::remote) return GeneratorSize::sufficient;
    return packs_->generator_size(min_parameters);
  }

  std::string identity() override {
    return fmt::format("{}\nremote embedder {} {} {}\nremote reader {}\nremote generator {} {}", packs_->identity(),
                       text_of(lists_.embedder), options_.query_prompt, options_.passage_prompt, text_of(lists_.reader),
                       text_of(lists_.generator), options_.context_tokens);
  }
  void unload_idle() override { packs_->unload_idle(); }
  void release_working_memory() override { packs_->release_working_memory(); }
  const Manager* manager() const override { return packs_->manager(); }

 private:
  template <class Model>
  std::vector<NamedModel<Model>> named(const Entries& list,
                                       std::function<std::shared_ptr<Model>(const ModelEntry&)> open) {
    std::vector<NamedModel<Model>> all;
    all.reserve(list.size());
    for (const ModelEntry& entry : list) {
      NamedModel<Model> model{entry.name.empty() ? "local" : entry.name, nullptr};
      if (entry.kind != Kind::none) model.open = [open, &entry] { return open(entry); };
      all.push_back(std::move(model));
    }
    return all;
  }

  // One of each name, kept: what it has learned of its service is not asked again.
  template <class Model, class Make>
  std::shared_ptr<Model> made(std::map<std::string, std::shared_ptr<Model>>& all, const ModelEntry& entry,
                              const Make& make) {
    const std::lock_guard lock(mutex_);
    std::shared_ptr<Model>& model = all[entry.name];
    if (!model) model = make();
    return model;
  }

  std::shared_ptr<HttpService> service(const ModelEntry& entry, const char* key_variable) {
    return std::make_shared<HttpService>(entry.name, entry.url, read_service_key(options_.service, key_variable),
                                         options_.service);
  }

  const ModelLists lists_;
  const RemoteModelOptions options_;
  const std::unique_ptr<Models> packs_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Embedder>> embedders_;
  std::map<std::string, std::shared_ptr<Generator>> generators_;
  std::map<std::string, std::shared_ptr<Reader>> readers_;
};

}  // namespace

bool needs_remote(const ModelLists& lists) {
  return is_remote_list(lists.embedder) || is_remote_list(lists.generator) || is_remote_list(lists.reader);
}

std::unique_ptr<Models> open_remote_models(ModelLists lists, RemoteModelOptions options,
                                           std::unique_ptr<Models> packs) {
  return std::make_unique<RemoteModels>(std::move(lists), std::move(options), std::move(packs));
}

}  // namespace frugal
