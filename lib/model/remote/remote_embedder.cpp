#include "model/remote/remote_embedder.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <optional>
#include <utility>

#include "base/base64.h"
#include "base/error.h"
#include "model/remote/estimating_tokenizer.h"
#include "model/remote/remote_answer.h"

namespace frugal {
namespace {

constexpr size_t kTextsPerRequest = 32;  // what Text Embeddings Inference takes unless it is configured
constexpr int64_t kMaxTokens = 512;      // an estimate: services cut texts, or refuse longer ones
constexpr size_t kMaxDimension = 1 << 16;
constexpr std::string_view kProbe = "frugal";

using Vectors = std::vector<std::vector<float>>;

// Floats of 32 bits, little-endian, in base64; nullopt: it is none.
std::optional<std::vector<float>> floats_of_base64(std::string_view text) {
  static_assert(std::endian::native == std::endian::little);
  const std::optional<std::string> bytes = from_base64(text);
  if (!bytes) return std::nullopt;
  std::vector<float> floats(bytes->size() / sizeof(float));
  if (floats.size() * sizeof(float) != bytes->size()) return std::nullopt;
  std::memcpy(floats.data(), bytes->data(), bytes->size());
  if (!std::all_of(floats.begin(), floats.end(), [](float each) { return std::isfinite(each); })) return std::nullopt;
  return floats;
}

class RemoteEmbedder final : public Embedder {
 public:
  RemoteEmbedder(std::shared_ptr<HttpService> service, const ModelEntry& remote, EmbedderPrompts prompts)
      : service_(std::move(service)), remote_(remote), prompts_(std::move(prompts)) {}

  int64_t dimension() const override { return static_cast<int64_t>(probed().dimension); }
  int64_t max_tokens() const override { return kMaxTokens; }
  const Tokenizer& tokenizer() const override { return tokenizer_; }
  std::string_view prompt(TextRole role) const override {
    return role == TextRole::query ? prompts_.query : prompts_.passage;
  }
  std::string fingerprint() const override {
    const Probe& probe = probed();
    std::string print = fmt::format("{} dimension {}", remote_.name, probe.dimension);
    if (!probe.model.empty()) print += fmt::format(" model {}", probe.model);
    if (!prompts_.query.empty() || !prompts_.passage.empty())
      print += fmt::format(" prompts {} {}", json_string(prompts_.query), json_string(prompts_.passage));
    return print;
  }

  void embed(std::span<const std::string_view> texts, TextRole role, std::span<float> out) override {
    const size_t size = probed().dimension;
    for (size_t begin = 0; begin < texts.size(); begin += kTextsPerRequest) {
      const auto part = texts.subspan(begin, std::min(kTextsPerRequest, texts.size() - begin));
      const Vectors vectors = ask(part, prompt(role));
      for (size_t i = 0; i < vectors.size(); ++i) put(vectors[i], out.subspan((begin + i) * size, size));
    }
  }
  std::vector<float> hidden_states(std::span<const TokenId>) override {
    throw Error(Code::internal, "a remote embedder shows no hidden states");
  }

 private:
  struct Probe {
    size_t dimension = 0;
    std::string model;  // as the service names it; empty: it does not
  };

  const Probe& probed() const {
    if (probe_) return *probe_;
    Probe probe;
    const std::string_view text = kProbe;
    std::string model;
    probe.dimension = ask(std::span(&text, 1), "", &model).front().size();
    if (probe.dimension == 0 || probe.dimension > kMaxDimension)
      throw service_->failed(fmt::format("a vector has {} values", probe.dimension));
    probe.model = remote_.shape == RemoteShape::tei ? revision() : model;
    return probe_.emplace(std::move(probe));
  }

  // Of Text Embeddings Inference; empty: it does not tell.
  std::string revision() const {
    try {
      const RemoteAnswer answer(*service_, service_->send("GET", "/info", "", "application/json"));
      return fmt::format("{} {}", RemoteAnswer::text_or_empty(answer.root(), "model_id"),
                         RemoteAnswer::text_or_empty(answer.root(), "model_sha"));
    } catch (const Error& error) {
      if (error.code() != Code::remote) throw;
      return {};
    }
  }

  // A vector for each text. `model`: takes the service's name of the model, if it gives one.
  Vectors ask(std::span<const std::string_view> texts, std::string_view prompt, std::string* model = nullptr) const {
    std::vector<std::string> prompted;
    std::vector<std::string_view> views;
    prompted.reserve(texts.size());
    views.reserve(texts.size());
    for (const std::string_view text : texts) views.push_back(prompted.emplace_back(fmt::format("{}{}", prompt, text)));
    const bool is_tei = remote_.shape == RemoteShape::tei;
    const std::string request = is_tei ? fmt::format("{{\"inputs\":{},\"truncate\":true}}", json_strings(views))
                                       : fmt::format("{{\"model\":{},\"input\":{},\"encoding_format\":\"float\"}}",
                                                     json_string(remote_.model), json_strings(views));
    const RemoteAnswer answer(*service_,
                              service_->post(is_tei ? "/embed" : api_path(remote_.url, "/embeddings"), request));
    Vectors vectors = is_tei ? vectors_of_lists(answer) : vectors_of_data(answer, texts.size());
    if (vectors.size() != texts.size())
      answer.fail(fmt::format("{} vectors for {} texts", vectors.size(), texts.size()));
    const std::string_view named = RemoteAnswer::text_or_empty(answer.root(), "model");
    if (model) *model = named;
    if (!is_tei && probe_ && probe_->model != named)
      answer.fail(fmt::format("the model was '{}' and is '{}' now", probe_->model, named));
    return vectors;
  }

  static std::vector<float> vector_of(const RemoteAnswer& answer, simdjson::dom::element element) {
    if (std::string_view text; !element.get(text)) {
      std::optional<std::vector<float>> floats = floats_of_base64(text);
      if (!floats) answer.fail("a vector is no base64 of finite floats");
      return std::move(*floats);
    }
    std::vector<float> vector;
    const simdjson::dom::array list = answer.list(element, "vector");
    vector.reserve(list.size());
    for (const simdjson::dom::element value : list) vector.push_back(answer.number(value, "vector's value"));
    return vector;
  }

  static Vectors vectors_of_lists(const RemoteAnswer& answer) {
    Vectors vectors;
    const simdjson::dom::array list = answer.list(answer.root(), "body");
    vectors.reserve(list.size());
    for (const simdjson::dom::element element : list) vectors.push_back(vector_of(answer, element));
    return vectors;
  }

  // They may come in any order.
  static Vectors vectors_of_data(const RemoteAnswer& answer, size_t count) {
    Vectors vectors(count);
    const simdjson::dom::array data = answer.list(answer.member(answer.root(), "data"), "'data'");
    if (data.size() != count) answer.fail(fmt::format("{} vectors for {} texts", data.size(), count));
    for (const simdjson::dom::element entry : data) {
      const int64_t index = answer.integer(entry, "index");
      if (index < 0 || static_cast<size_t>(index) >= count || !vectors[static_cast<size_t>(index)].empty())
        answer.fail(fmt::format("a vector has the index {}", index));
      vectors[static_cast<size_t>(index)] = vector_of(answer, answer.member(entry, "embedding"));
    }
    return vectors;
  }

  // Scaled to unit length.
  void put(std::span<const float> vector, std::span<float> out) const {
    if (vector.size() != out.size())
      throw service_->failed(fmt::format("a vector has {} values and not {} any more", vector.size(), out.size()));
    double squares = 0;
    for (const float value : vector) squares += double(value) * value;
    if (!(squares > 0)) throw service_->failed("a vector is zero");
    const double length = std::sqrt(squares);
    std::transform(vector.begin(), vector.end(), out.begin(),
                   [&](float value) { return static_cast<float>(value / length); });
  }

  std::shared_ptr<HttpService> service_;
  const ModelEntry remote_;
  const EmbedderPrompts prompts_;
  const EstimatingTokenizer tokenizer_;
  mutable std::optional<Probe> probe_;  // made at its first use: opening a model must not need the network
};

}  // namespace

std::unique_ptr<Embedder> make_remote_embedder(std::shared_ptr<HttpService> service, const ModelEntry& remote,
                                               EmbedderPrompts prompts) {
  if (remote.shape == RemoteShape::cohere || (remote.shape == RemoteShape::openai && remote.model.empty()))
    throw Error(Code::usage, fmt::format("'{}' is no embedder", remote.name))
        .hint("write models.embedder like openai:http://127.0.0.1:8080#MODEL or tei:http://127.0.0.1:8080");
  return std::make_unique<RemoteEmbedder>(std::move(service), remote, std::move(prompts));
}

}  // namespace frugal
