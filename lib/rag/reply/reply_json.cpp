#include "rag/reply/reply_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/utf8.h"
#include "base/visible.h"
#include "rag/reply/cite_check.h"
#include "rag/reply/passage.h"
#include "rag/text/language.h"

namespace frugal {
namespace {

using nlohmann::ordered_json;

constexpr int kSchemaVersion = 1;

template <typename T>
ordered_json or_null(const std::optional<T>& value) {
  return value ? ordered_json(*value) : ordered_json(nullptr);
}

// A float as short as it prints to six significant digits: .8254 and not .825400000810623.
ordered_json rounded(float value) {
  if (!std::isfinite(value)) return nullptr;
  return std::stod(fmt::format("{:.6g}", value));
}
ordered_json rounded(const std::optional<float>& value) {
  return value ? rounded(*value) : ordered_json(nullptr);
}
ordered_json milliseconds(double value) {
  return std::round(value * 1000) / 1000;
}

// A file's name or a text cut out of a broken file may not be UTF-8; JSON must be.
// A name that is not UTF-8 cannot be written as a string; its URI can.
std::string uri_of(std::string_view path) {
  std::string uri = "file://";
  for (const char c : path) {
    const bool plain =
        std::isalnum(static_cast<unsigned char>(c)) || std::string_view("-._~/").find(c) != std::string::npos;
    uri += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return uri;
}

std::string path_of_uri(std::string_view uri) {
  std::string path;
  for (size_t at = std::string_view("file://").size(); at < uri.size(); ++at) {
    if (uri[at] != '%' || at + 2 >= uri.size()) {
      path += uri[at];
    } else {
      path += static_cast<char>(std::strtoul(std::string(uri.substr(at + 1, 2)).c_str(), nullptr, 16));
      at += 2;
    }
  }
  return path;
}

void put_path_uri(ordered_json& json, std::string_view path) {
  if (!is_valid_utf8(path)) json["path_uri"] = uri_of(path);
}
std::string path_of(const ordered_json& json) {
  return json.contains("path_uri") ? path_of_uri(json.at("path_uri").get<std::string>())
                                   : json.at("path").get<std::string>();
}

constexpr std::string_view offsets_name(bool in_file) {
  return in_file ? "file" : "extracted";
}

ordered_json text_or_null(std::string_view text) {
  return text.empty() ? ordered_json(nullptr) : ordered_json(repair_utf8(text));
}

void put_id(ordered_json& json, const Query& query) {
  if (!query.id.empty()) json["id"] = ordered_json::parse(query.id);
}

ordered_json citation_json(const Citation& c, ReplyDetail detail) {
  ordered_json json{
      {"n", c.n},
      {"id", c.id},
      {"path", repair_utf8(c.path)},
      {"start_byte", c.start_byte},
      {"end_byte", c.end_byte},
      {"line", c.line},
      {"page", c.page > 0 ? ordered_json(c.page) : ordered_json(nullptr)},
      {"sha256", c.sha256},
      {"quote", repair_utf8(c.quote)},
      {"offsets", offsets_name(c.in_file)},
      {"extracted", {{"start_byte", c.text_begin}, {"end_byte", c.text_end}}},
      {"record", text_or_null(c.record)},
      {"source", c.source == SourceState::unknown ? ordered_json(nullptr) : ordered_json(to_string(c.source))}};
  put_path_uri(json, c.path);
  if (detail == ReplyDetail::stored) json["file"] = {{"bytes", c.file_bytes}, {"mtime_ns", c.file_mtime_ns}};
  return json;
}

ordered_json citations_json(std::span<const Citation> citations, ReplyDetail detail) {
  ordered_json json = ordered_json::array();
  for (const Citation& citation : citations) json.push_back(citation_json(citation, detail));
  return json;
}

ordered_json hit_json(const Hit& hit, size_t rank, ReplyDetail detail) {
  ordered_json json{{"rank", rank},
                    {"id", hit.chunk.id},
                    {"path", repair_utf8(hit.chunk.path)},
                    {"title", repair_utf8(hit.chunk.title)},
                    {"text", repair_utf8(hit.chunk.text)},
                    {"score", rounded(hit.score)},
                    {"dense_rank", or_null(hit.dense_rank)},
                    {"sparse_rank", or_null(hit.sparse_rank)},
                    {"dense_score", rounded(hit.dense_score)},
                    {"sparse_score", rounded(hit.sparse_score)},
                    {"rerank_score", rounded(hit.rerank_score)}};
  if (hit.learned_rank) {
    json["learned_rank"] = *hit.learned_rank;
    json["learned_score"] = rounded(hit.learned_score);
  }
  if (hit.maxsim_score) json["maxsim_score"] = rounded(hit.maxsim_score);
  if (detail != ReplyDetail::contract) json["reference_score"] = rounded(hit.reference_score);
  json["start_byte"] = hit.chunk.place.begin;
  json["end_byte"] = hit.chunk.place.end;
  json["line"] = hit.chunk.line;
  json["offsets"] = offsets_name(hit.chunk.in_file);
  json["record"] = text_or_null(hit.chunk.external_id);
  if (hit.chunk.generated) json["generated"] = true;
  put_path_uri(json, hit.chunk.path);
  if (detail == ReplyDetail::stored) {
    json["page"] = hit.chunk.page;
    json["heading"] = repair_utf8(hit.chunk.heading);
  }
  return json;
}

ordered_json images_json(std::span<const ScoredImage> images, ReplyDetail detail) {
  ordered_json list = ordered_json::array();
  for (size_t i = 0; i < images.size(); ++i) {
    const StoredImage& image = images[i].image;
    ordered_json json{{"rank", i + 1},
                      {"path", repair_utf8(image.path)},
                      {"page", image.page > 0 ? ordered_json(image.page) : ordered_json(nullptr)},
                      {"number", image.number},
                      {"title", repair_utf8(image.title)},
                      {"caption", text_or_null(image.caption)},
                      {"score", rounded(images[i].score)}};
    put_path_uri(json, image.path);
    if (detail == ReplyDetail::stored) json["id"] = image.id;
    list.push_back(std::move(json));
  }
  return list;
}

ordered_json reading_json(const std::optional<ConfidenceFeatures>& reading) {
  if (!reading) return nullptr;
  return {{"answerable", rounded(reading->answerable)}, {"best_answerable", rounded(reading->best_answerable)},
          {"margin", rounded(reading->margin)},         {"certainty", rounded(reading->certainty)},
          {"share", rounded(reading->share)},           {"coverage", rounded(reading->coverage)},
          {"contrast", rounded(reading->contrast)},     {"portuguese", rounded(reading->portuguese)}};
}

ordered_json explain_json(const Reply& reply) {
  const FusionNote& note = reply.fusion;
  ordered_json json{{"fusion", to_string(note.fusion)},
                    {"language", to_string(note.language)},
                    {"dense_weight", rounded(note.dense_weight)},
                    {"dense_hits", note.dense_hits},
                    {"sparse_hits", note.sparse_hits},
                    {"reference_hits", note.reference_hits},
                    {"references", note.references},
                    {"missing_references", note.missing},
                    {"reading", reading_json(reply.reading)},
                    {"cache_note", text_or_null(reply.cache_note)}};
  if (note.learned_hits > 0) {
    json["learned_weight"] = rounded(note.learned_weight);
    json["learned_hits"] = note.learned_hits;
  }
  return json;
}

ordered_json filter_json(const Reply& reply) {
  const ChunkFilter& filter = reply.query.filter;
  ordered_json json{{"path", ordered_json::array()}, {"where", ordered_json::array()}};
  for (const std::string& glob : filter.paths) json["path"].push_back(repair_utf8(glob));
  for (const FieldCondition& each : filter.where) json["where"].push_back(repair_utf8(to_string(each)));
  json["chunks"] = or_null(reply.filtered_chunks);
  return json;
}

ordered_json timings_json(const Timings& t) {
  return {{"total", milliseconds(t.total_ms)},   {"startup", milliseconds(t.startup_ms)},
          {"cache", milliseconds(t.cache_ms)},   {"hyde", milliseconds(t.hyde_ms)},
          {"embed", milliseconds(t.embed_ms)},   {"retrieve", milliseconds(t.retrieve_ms)},
          {"rerank", milliseconds(t.rerank_ms)}, {"answer", milliseconds(t.answer_ms)},
          {"other", milliseconds(t.other_ms)}};
}

ordered_json generated_json(const GenerationNote& note) {
  ordered_json json{{"prompt_tokens", note.prompt_tokens},
                    {"prefix_tokens_reused", note.prefix_tokens_reused},
                    {"new_tokens", note.new_tokens},
                    {"prefill_ms", milliseconds(note.prefill_ms)},
                    {"decode_ms", milliseconds(note.decode_ms)}};
  if (!note.generator.empty()) json["generator"] = repair_utf8(note.generator);
  return json;
}

ordered_json fallbacks_json(std::span<const FallbackNote> fallbacks) {
  ordered_json list = ordered_json::array();
  for (const FallbackNote& each : fallbacks)
    list.push_back({{"stage", each.stage},
                    {"failed", repair_utf8(each.failed)},
                    {"why", repair_utf8(each.why)},
                    {"used", repair_utf8(each.used)}});
  return list;
}

ordered_json memory_json(const MemoryPeak& memory) {
  return {{"peak_anon_bytes", memory.anon_bytes},
          {"peak_file_bytes", memory.file_bytes},
          {"pss_bytes", or_null(memory.pss_bytes)}};
}

template <typename T>
std::optional<T> optional_of(const ordered_json& json, const char* key) {
  const auto& value = json.at(key);
  return value.is_null() ? std::nullopt : std::optional<T>(value.get<T>());
}

Error not_an_answer(std::string_view why) {
  return Error(Code::bad_input, fmt::format("not an answer of rag-query: {}", why))
      .hint("save one with rag-query … --format json > answer.json");
}

uint64_t offset_of(const ordered_json& json, const char* key) {
  const ordered_json& value = json.at(key);
  if (!value.is_number_unsigned()) throw not_an_answer(fmt::format("\"{}\" is no offset", key));
  return value;
}

std::string text_of(const ordered_json& json, const char* key) {
  return json.at(key).is_null() ? std::string() : json.at(key).get<std::string>();
}

// Of an answer of before: its offsets are of the extracted text, which for text and Markdown is the file.
Citation citation_of(const ordered_json& json) {
  Citation c;
  c.n = json.at("n");
  c.id = json.at("id");
  c.path = path_of(json);
  c.start_byte = c.text_begin = offset_of(json, "start_byte");
  c.end_byte = c.text_end = offset_of(json, "end_byte");
  c.line = json.at("line");
  c.page = optional_of<int64_t>(json, "page").value_or(0);
  c.sha256 = json.at("sha256");
  c.quote = json.at("quote");
  if (!json.contains("offsets")) return c;
  c.in_file = json.at("offsets") == offsets_name(true);
  c.text_begin = offset_of(json.at("extracted"), "start_byte");
  c.text_end = offset_of(json.at("extracted"), "end_byte");
  c.record = text_of(json, "record");
  if (!json.contains("file")) return c;
  c.file_bytes = json.at("file").at("bytes");
  c.file_mtime_ns = json.at("file").at("mtime_ns");
  return c;
}

Hit hit_of(const ordered_json& json) {
  Hit hit;
  hit.chunk.id = json.at("id");
  hit.chunk.path = path_of(json);
  hit.chunk.title = json.at("title");
  hit.chunk.text = json.at("text");
  hit.chunk.line = json.at("line");
  hit.chunk.page = json.at("page");
  hit.chunk.heading = json.at("heading");
  hit.chunk.external_id = text_of(json, "record");
  hit.chunk.place = {json.at("start_byte"), json.at("end_byte"), hit.chunk.line};
  hit.chunk.in_file = json.at("offsets") == offsets_name(true);
  hit.chunk.generated = json.contains("generated");
  hit.score = json.at("score");
  hit.dense_rank = optional_of<int64_t>(json, "dense_rank");
  hit.sparse_rank = optional_of<int64_t>(json, "sparse_rank");
  hit.dense_score = optional_of<float>(json, "dense_score");
  hit.sparse_score = optional_of<float>(json, "sparse_score");
  if (json.contains("learned_rank")) {
    hit.learned_rank = optional_of<int64_t>(json, "learned_rank");
    hit.learned_score = optional_of<float>(json, "learned_score");
  }
  if (json.contains("maxsim_score")) hit.maxsim_score = optional_of<float>(json, "maxsim_score");
  hit.reference_score = optional_of<float>(json, "reference_score");
  hit.rerank_score = optional_of<float>(json, "rerank_score");
  return hit;
}

ScoredImage image_of(const ordered_json& json) {
  return {{json.at("id"), path_of(json), json.at("title"), json.at("number"),
           optional_of<int64_t>(json, "page").value_or(0), text_of(json, "caption")},
          json.at("score")};
}

Language language_of(std::string_view name) {
  for (const Language language : {Language::english, Language::portuguese})
    if (to_string(language) == name) return language;
  return Language::unknown;
}

FusionNote fusion_note_of(const ordered_json& json) {
  FusionNote note;
  note.fusion = parse_named<Fusion>("fusion", json.at("fusion").get<std::string>());
  note.language = language_of(json.at("language").get<std::string>());
  note.dense_weight = json.at("dense_weight");
  note.dense_hits = json.at("dense_hits");
  note.sparse_hits = json.at("sparse_hits");
  note.learned_weight = json.value("learned_weight", 0.0f);
  note.learned_hits = json.value("learned_hits", int64_t(0));
  note.reference_hits = json.at("reference_hits");
  note.references = json.at("references").get<std::vector<std::string>>();
  note.missing = json.at("missing_references").get<std::vector<std::string>>();
  return note;
}

std::optional<ConfidenceFeatures> reading_of(const ordered_json& json) {
  if (json.is_null()) return std::nullopt;
  return ConfidenceFeatures{json.at("answerable"),
                            json.at("best_answerable"),
                            json.at("margin"),
                            json.at("certainty"),
                            json.at("share"),
                            json.at("coverage"),
                            optional_of<float>(json, "contrast"),
                            json.at("portuguese")};
}

Reply reply_of(const ordered_json& json) {
  Reply reply;
  reply.query.text = json.at("query");
  const ordered_json& answer = json.at("answer");
  reply.answer.text = optional_of<std::string>(answer, "text");
  reply.answer.mode = parse_named<AnswerMode>("answer mode", answer.at("mode").get<std::string>());
  reply.answer.abstained = answer.at("abstained");
  reply.answer.confidence = optional_of<float>(answer, "confidence");
  if (!answer.at("span").is_null()) reply.answer.span = answer.at("span").get<std::string>();
  reply.answer.quoted_instead = answer.at("quoted_instead");
  reply.answer.note = text_of(answer, "note");
  reply.answer.remark = answer.value("remark", std::string());
  for (const ordered_json& citation : json.at("citations")) reply.citations.push_back(citation_of(citation));
  for (const ordered_json& hit : json.at("hits")) reply.hits.push_back(hit_of(hit));
  if (json.contains("images")) {
    reply.images.emplace();
    for (const ordered_json& image : json.at("images")) reply.images->push_back(image_of(image));
  }
  reply.hyde_ran = json.at("hyde").at("ran");
  reply.hyde_reason = json.at("hyde").at("reason");
  reply.hyde_engine = text_of(json.at("hyde"), "engine");
  reply.fusion = fusion_note_of(json.at("explain"));
  reply.reading = reading_of(json.at("explain").at("reading"));
  reply.skipped = json.at("skipped").get<std::vector<std::string>>();
  return reply;
}

std::string dump(const ordered_json& json, int indent) {
  return visible_json(json.dump(indent, ' ', false, ordered_json::error_handler_t::replace));
}

// --- citations of saved answers ---

ordered_json now_json(const CitationCheck& check) {
  if (!check.now) return nullptr;
  return {{"path", repair_utf8(check.now_path)},
          {"start_byte", check.now->begin},
          {"end_byte", check.now->end},
          {"line", check.now->line}};
}

SavedAnswer saved_answer(const ordered_json& json, std::string name) {
  try {
    SavedAnswer saved{std::move(name), std::nullopt, "", {}, {}};
    for (const ordered_json& citation : json.at("citations")) saved.citations.push_back(citation_of(citation));
    for (const Citation& citation : saved.citations) saved.paths.push_back(citation.path);
    if (json.contains("hits"))
      for (const ordered_json& hit : json.at("hits")) saved.paths.push_back(path_of(hit));
    if (!json.contains("answer")) return saved;
    saved.text = optional_of<std::string>(json.at("answer"), "text");
    saved.mode = json.at("answer").at("mode");
    return saved;
  } catch (const nlohmann::json::exception& error) {
    throw not_an_answer(error.what());
  }
}

std::vector<SavedAnswer> answers_of_lines(std::string_view text) {
  std::vector<SavedAnswer> answers;
  int64_t number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const auto object = ordered_json::parse(line, nullptr, false);
    if (!object.is_object()) throw not_an_answer(fmt::format("line {} is not a JSON object", number));
    if (!object.contains("error")) answers.push_back(saved_answer(object, fmt::format("line {}", number)));
  }
  if (number == 0) throw not_an_answer("it is empty");
  return answers;
}

}  // namespace

std::string reply_to_json(const Reply& reply, ReplyDetail detail, int indent) {
  ordered_json json{{"schema_version", kSchemaVersion}};
  if (detail != ReplyDetail::stored) put_id(json, reply.query);
  json["query"] = reply.query.text;
  const bool is_filtered = !reply.query.filter.empty() || reply.filtered_chunks;
  if (is_filtered && detail != ReplyDetail::stored) json["filter"] = filter_json(reply);
  json["answer"] = {{"text", reply.answer.text ? ordered_json(repair_utf8(*reply.answer.text)) : ordered_json(nullptr)},
                    {"span", reply.answer.span ? ordered_json(repair_utf8(*reply.answer.span)) : ordered_json(nullptr)},
                    {"mode", to_string(reply.answer.mode)},
                    {"abstained", reply.answer.abstained},
                    {"confidence", rounded(reply.answer.confidence)},
                    {"quoted_instead", reply.answer.quoted_instead},
                    {"note", text_or_null(reply.answer.note)}};
  if (!reply.answer.remark.empty()) json["answer"]["remark"] = repair_utf8(reply.answer.remark);
  json["citations"] = citations_json(reply.citations, detail);
  json["hits"] = ordered_json::array();
  for (size_t i = 0; i < reply.hits.size(); ++i) json["hits"].push_back(hit_json(reply.hits[i], i + 1, detail));
  if (reply.image_answer)
    json["image_answer"] = {{"text", repair_utf8(reply.image_answer->text)},
                            {"model", repair_utf8(reply.image_answer->model)}};
  if (reply.images) json["images"] = images_json(*reply.images, detail);
  json["cache"] = {{"status", to_string(reply.cache)}, {"similarity", rounded(reply.cache_similarity)}};
  json["hyde"] = {{"ran", reply.hyde_ran}, {"reason", reply.hyde_reason}, {"engine", text_or_null(reply.hyde_engine)}};
  if (detail != ReplyDetail::stored) {
    json["timings_ms"] = timings_json(reply.timings);
    if (reply.generated) json["generated"] = generated_json(*reply.generated);
    json["memory"] = memory_json(reply.memory);
  }
  if (!reply.fallbacks.empty()) json["fallbacks"] = fallbacks_json(reply.fallbacks);
  if (detail != ReplyDetail::contract || reply.cut_short) json["skipped"] = reply.skipped;
  if (detail != ReplyDetail::contract) json["explain"] = explain_json(reply);
  return dump(json, indent);
}

std::string citations_to_json(std::span<const Citation> citations) {
  return dump(citations_json(citations, ReplyDetail::contract), -1);
}

Reply reply_from_json(std::string_view text) {
  try {
    return reply_of(ordered_json::parse(text));
  } catch (const nlohmann::json::exception& error) {
    throw Error(Code::corrupt_file, fmt::format("stored reply: {}", error.what()));
  }
}

std::vector<SavedAnswer> answers_from_json(std::string_view answers) {
  const auto whole = ordered_json::parse(answers, nullptr, false);
  if (!whole.is_object()) return answers_of_lines(answers);
  std::vector<SavedAnswer> one;
  one.push_back(saved_answer(whole, "answer"));
  return one;
}

std::string passage_to_json(const Passage& passage) {
  ordered_json json{{"schema_version", kSchemaVersion},
                    {"path", repair_utf8(passage.path)},
                    {"first_line", passage.first_line},
                    {"last_line", passage.last_line},
                    {"source", passage.source == SourceState::unknown ? ordered_json(nullptr)
                                                                      : ordered_json(to_string(passage.source))},
                    {"text_of", passage.from_index ? "index" : "file"},
                    {"text", repair_utf8(passage.text)}};
  put_path_uri(json, passage.path);
  return dump(json, 2) + "\n";
}

std::string check_to_json(const AnswerCheck& check) {
  ordered_json json{{"schema_version", kSchemaVersion},
                    {"holds", check.holds()},
                    {"answers", check.answers},
                    {"problems", ordered_json::array()},
                    {"citations", ordered_json::array()}};
  for (const std::string& problem : check.problems) json["problems"].push_back(repair_utf8(problem));
  for (const CitationCheck& each : check.citations)
    json["citations"].push_back({{"n", each.citation.n},
                                 {"path", repair_utf8(each.citation.path)},
                                 {"start_byte", each.citation.start_byte},
                                 {"end_byte", each.citation.end_byte},
                                 {"holds", each.holds},
                                 {"verdict", to_string(each.verdict)},
                                 {"document", each.document_changed ? "changed" : "unchanged"},
                                 {"problem", text_or_null(each.problem)},
                                 {"now", now_json(each)}});
  return dump(json, 2) + "\n";
}

std::string error_to_json(const Query& query, const Error& error) {
  ordered_json json{{"schema_version", kSchemaVersion}};
  put_id(json, query);
  json["query"] = repair_utf8(query.text);
  json["error"] = {{"code", to_string(error.code())},
                   {"message", repair_utf8(error.message())},
                   {"hint", error.hint().empty() ? ordered_json(nullptr) : ordered_json(repair_utf8(error.hint()))}};
  return dump(json, -1);
}

}  // namespace frugal
