#include "rag/reply/render.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "base/ascii.h"
#include "base/error.h"
#include "base/units.h"
#include "rag/reply/answer_texts.h"
#include "rag/reply/cite.h"
#include "rag/reply/reply_json.h"
#include "rag/text/language.h"
#include "rag/text/plain_text.h"

namespace frugal {
namespace {

constexpr std::array<std::pair<ReplyFormat, std::string_view>, 6> kFormats{{{ReplyFormat::text, "text"},
                                                                            {ReplyFormat::json, "json"},
                                                                            {ReplyFormat::jsonl, "jsonl"},
                                                                            {ReplyFormat::markdown, "md"},
                                                                            {ReplyFormat::csv, "csv"},
                                                                            {ReplyFormat::files, "files"}}};

// Plain text on one line; text longer than `limit` bytes is cut at a character and ends with an ellipsis.
std::string snippet(std::string_view text, size_t limit) {
  std::string line = collapse_spaces(plain_text(text));
  if (line.size() <= limit) return line;
  size_t cut = limit;
  while (cut > 0 && is_continuation(line[cut])) --cut;
  return line.substr(0, cut) + "…";
}

std::string capitalised(std::string_view text) {
  std::string out(text);
  if (!out.empty() && 'a' <= out[0] && out[0] <= 'z') out[0] = static_cast<char>(out[0] - 'a' + 'A');
  return out;
}

const AnswerTexts& texts_of(const Reply& reply) {
  return answer_texts(detect_language(reply.query.text));
}

std::string place(const std::string& path, int64_t line, int64_t page, const AnswerTexts& texts) {
  std::string text = snippet(path, 400);
  if (page > 0) return fill(texts.page, text, page);
  return line > 0 ? fmt::format("{}:{}", text, line) : text;
}

std::string place(const Hit& hit, const AnswerTexts& texts) {
  return place(hit.chunk.path, hit.chunk.line, hit.chunk.page, texts);
}

std::string place(const Citation& c, const AnswerTexts& texts) {
  const std::string at = place(c.path, c.line, c.page, texts);
  if (c.source == SourceState::changed) return fmt::format("{} ({})", at, texts.modified);
  return c.source == SourceState::gone ? fmt::format("{} ({})", at, texts.gone) : at;
}

std::string heading_of(const Chunk& chunk) {
  if (chunk.title.empty() || chunk.heading.starts_with(chunk.title)) return snippet(chunk.heading, 160);
  return snippet(chunk.heading.empty() ? chunk.title : chunk.title + " › " + chunk.heading, 160);
}

std::string rank_and_score(const std::optional<int64_t>& rank, const std::optional<float>& score) {
  return rank ? fmt::format("#{} ({:.3f})", *rank, score.value_or(0)) : std::string("–");
}

std::string rank_details(const Hit& hit) {
  std::string why = fmt::format("dense {}, sparse {}", rank_and_score(hit.dense_rank, hit.dense_score),
                                rank_and_score(hit.sparse_rank, hit.sparse_score));
  if (hit.learned_rank) why += fmt::format(", learned {}", rank_and_score(hit.learned_rank, hit.learned_score));
  if (hit.maxsim_score) why += fmt::format(", maxsim {:.3f}", *hit.maxsim_score);
  if (hit.reference_score) why += fmt::format(", reference {:.2f}", *hit.reference_score);
  return why;
}

std::string answer_line(const Reply& reply) {
  const Answer& answer = reply.answer;
  if (answer.abstained) return fmt::format("{} ({})", texts_of(reply).not_in_sources, plain_text(answer.note));
  const std::string remark = answer.remark.empty() ? "" : plain_text(answer.remark) + "\n";
  if (answer.mode != AnswerMode::extract || reply.citations.empty())
    return remark + plain_text(answer.text.value_or(""));
  std::string quotes;
  for (const Citation& c : reply.citations)
    quotes += fmt::format("{}“{}” [{}]", quotes.empty() ? "" : "\n", plain_text(text_of_quote(c.quote)), c.n);
  return remark + quotes;
}

std::string sources_as_text(const Reply& reply) {
  const bool with_quotes = reply.answer.mode == AnswerMode::generate;
  return render_sources(reply.citations, with_quotes, detect_language(reply.query.text));
}

std::string hits_as_text(const Reply& reply, bool explain) {
  std::string out;
  for (size_t i = 0; i < reply.hits.size(); ++i) {
    const Hit& hit = reply.hits[i];
    const std::string heading = heading_of(hit.chunk);
    out += fmt::format("{:2}. {:.3f}  {}{}{}\n", i + 1, hit.score, place(hit, texts_of(reply)),
                       heading.empty() ? "" : "  ", heading);
    if (explain) out += fmt::format("    {}\n", rank_details(hit));
    out += fmt::format("    {}\n", snippet(hit.chunk.text, 240));
  }
  return out;
}

// What an abstention offers: where to read on.
std::string nearest_passages(const Reply& reply) {
  constexpr size_t kPassages = 3, kFirstWordsBytes = 120;
  std::string out = fmt::format("{}\n", texts_of(reply).nearest);
  for (size_t i = 0; i < std::min(kPassages, reply.hits.size()); ++i)
    out += fmt::format("{}. {}\n    {}\n", i + 1, place(reply.hits[i], texts_of(reply)),
                       snippet(reply.hits[i].chunk.text, kFirstWordsBytes));
  return out;
}

std::string place(const StoredImage& image, const AnswerTexts& texts) {
  return place(image.path, 0, image.page, texts);
}

std::string images_as_text(const Reply& reply) {
  const AnswerTexts& texts = texts_of(reply);
  std::string out = fmt::format("{}\n", texts.images);
  for (size_t i = 0; i < reply.images->size(); ++i) {
    const auto& [image, score] = (*reply.images)[i];
    out += fmt::format("{:2}. {:.3f}  {}  {}\n", i + 1, score, place(image, texts), snippet(image.title, 160));
    if (!image.caption.empty()) out += fmt::format("    {}: {}\n", texts.generated, snippet(image.caption, 240));
  }
  return out;
}

std::string image_answer_as_text(const Reply& reply) {
  const ImageAnswer& answer = *reply.image_answer;
  return fmt::format("{}\n{}\n", plain_text(answer.text),
                     fill(texts_of(reply).about_image, snippet(answer.model, 160)));
}

bool has_images(const Reply& reply) {
  return reply.images && !reply.images->empty();
}

std::string explanation(const Reply& reply) {
  const FusionNote& note = reply.fusion;
  std::string out = fmt::format(
      "fusion: {}, dense weight {:.2f} (language: {}); {} dense, {} sparse, {} by reference\n", to_string(note.fusion),
      note.dense_weight, to_string(note.language), note.dense_hits, note.sparse_hits, note.reference_hits);
  if (note.learned_hits > 0)
    out += fmt::format("learned sparse: {} hits, weight {:.2f}\n", note.learned_hits, note.learned_weight);
  if (!note.references.empty()) out += fmt::format("references: {}\n", fmt::join(note.references, ", "));
  if (!note.missing.empty()) out += fmt::format("not in the index: {}\n", fmt::join(note.missing, ", "));
  if (!reply.answer.note.empty()) out += fmt::format("answer: {}\n", reply.answer.note);
  if (reply.answer.confidence) out += fmt::format("confidence: {:.2f}\n", *reply.answer.confidence);
  out += fmt::format("cache: {}", to_string(reply.cache));
  if (!reply.cache_note.empty()) out += fmt::format(" ({})", snippet(reply.cache_note, 400));
  out += fmt::format("\nhyde: {}{}\n", reply.hyde_reason,
                     reply.hyde_ran ? fmt::format("; expanded by {}", reply.hyde_engine) : "");
  for (const FallbackNote& each : reply.fallbacks)
    out += fmt::format("fell back: {}: {} instead of {} ({})\n", each.stage, each.used, each.failed,
                       snippet(each.why, 400));
  for (const std::string& skipped : reply.skipped) out += fmt::format("skipped: {}\n", skipped);
  return out;
}

bool has_answer(const Reply& reply) {
  return reply.answer.abstained || reply.answer.text;
}

std::string as_text(const Reply& reply, const RenderOptions& options) {
  std::string out;
  if (has_answer(reply) && !options.streamed) out += answer_line(reply) + "\n";
  if (reply.answer.quoted_instead)
    out += fmt::format("{}: {}\n", texts_of(reply).note, snippet(reply.answer.note, 400));
  if (!reply.citations.empty()) out += "\n" + sources_as_text(reply);
  const bool is_about_images = has_images(reply) && reply.hits.empty() && !options.explain;
  if ((!has_answer(reply) && !is_about_images) || options.explain) {
    if (!out.empty()) out += "\n";
    out +=
        reply.hits.empty() ? fmt::format("{}\n", texts_of(reply).nothing_found) : hits_as_text(reply, options.explain);
  } else if (reply.answer.abstained && !reply.hits.empty()) {
    out += "\n" + nearest_passages(reply);
  }
  if (reply.image_answer) out += image_answer_as_text(reply);
  if (has_images(reply)) out += (out.empty() ? "" : "\n") + images_as_text(reply);
  if (options.explain) out += "\n" + explanation(reply);
  return out;
}

std::string markdown_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (std::string_view("\\`*_[]<>|#").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

std::string as_markdown(const Reply& reply, const RenderOptions& options) {
  std::string out = fmt::format("## {}\n\n", markdown_escaped(snippet(reply.query.text, 400)));
  const AnswerTexts& texts = texts_of(reply);
  if (reply.answer.abstained)
    out += fmt::format("*{}:* {}\n\n", capitalised(texts.not_in_sources), markdown_escaped(reply.answer.note));
  if (reply.answer.text) {
    if (!reply.answer.remark.empty()) out += markdown_escaped(plain_text(reply.answer.remark)) + "\n\n";
    const bool quoted = reply.answer.mode == AnswerMode::extract && !reply.citations.empty();
    if (quoted && reply.answer.span) out += fmt::format("**{}**\n\n", markdown_escaped(plain_text(*reply.answer.span)));
    if (!quoted) out += plain_text(*reply.answer.text) + "\n\n";
    for (const Citation& c : reply.citations)
      if (quoted) out += fmt::format("> {} [{}]\n\n", plain_text(text_of_quote(c.quote)), c.n);
  }
  if (reply.answer.quoted_instead)
    out += fmt::format("*{}:* {}\n\n", capitalised(texts.note), markdown_escaped(snippet(reply.answer.note, 400)));
  for (const Citation& c : reply.citations) out += fmt::format("- [{}] `{}`\n", c.n, place(c, texts));
  if (!reply.citations.empty()) out += "\n";
  out += "| rank | score | source | text |\n|---:|---:|---|---|\n";
  for (size_t i = 0; i < reply.hits.size(); ++i) {
    const Hit& hit = reply.hits[i];
    out += fmt::format("| {} | {:.3f} | `{}` | {} |\n", i + 1, hit.score, place(hit, texts),
                       markdown_escaped(snippet(hit.chunk.text, 160)));
  }
  if (reply.image_answer) out += "\n" + markdown_escaped(image_answer_as_text(reply));
  if (has_images(reply)) {
    out += fmt::format("\n{}\n\n", texts.images);
    for (const auto& [image, score] : *reply.images)
      out += fmt::format("- {:.3f} `{}` {}\n", score, place(image, texts), markdown_escaped(snippet(image.title, 160)));
  }
  if (options.explain) out += "\n```\n" + explanation(reply) + "```\n";
  return out;
}

// A field by RFC 4180: quoted if necessary, with doubled quotes.
std::string csv_field(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + '"';
}

std::string_view offsets_of(bool in_file) {
  return in_file ? "file" : "extracted";
}

// Columns are only ever added, at the end (docs/tools/rag-query.md).
std::string as_csv(const Reply& reply) {
  std::string out = "kind,rank,id,score,path,line,title,text,record,start_byte,end_byte,offsets\n";
  const Answer& answer = reply.answer;
  const std::string confidence = answer.confidence ? fmt::format("{:.6g}", *answer.confidence) : "";
  const auto remark = [&](std::string_view kind, std::string_view score, std::string_view text) {
    out += fmt::format("{},,,{},,,,{},,,,\n", kind, score, csv_field(text));
  };
  if (answer.abstained) remark("abstained", confidence, answer.note);
  if (answer.text) remark("answer", confidence, *answer.text);
  if (answer.span) remark("span", "", *answer.span);
  if (answer.quoted_instead) remark("note", "", answer.note);
  for (const Citation& c : reply.citations)
    out += fmt::format("citation,{},{},,{},{},,{},{},{},{},{}\n", c.n, c.id, csv_field(c.path), c.line,
                       csv_field(c.quote), csv_field(c.record), c.start_byte, c.end_byte, offsets_of(c.in_file));
  for (size_t i = 0; i < reply.hits.size(); ++i) {
    const Chunk& chunk = reply.hits[i].chunk;
    out += fmt::format("hit,{},{},{:.6g},{},{},{},{},{},{},{},{}\n", i + 1, chunk.id, reply.hits[i].score,
                       csv_field(chunk.path), chunk.line, csv_field(chunk.title), csv_field(chunk.text),
                       csv_field(chunk.external_id), chunk.place.begin, chunk.place.end, offsets_of(chunk.in_file));
  }
  for (size_t i = 0; reply.images && i < reply.images->size(); ++i) {
    const auto& [image, score] = (*reply.images)[i];
    out += fmt::format("image,{},,{:.6g},{},,{},{},,,,\n", i + 1, score, csv_field(image.path), csv_field(image.title),
                       csv_field(image.caption));
  }
  return out;
}

// Every path once, best first.
std::string as_files(const Reply& reply, char end) {
  std::vector<std::string_view> seen;
  std::string out;
  for (const Hit& hit : reply.hits) {
    const std::string_view path = hit.chunk.path;
    if (std::find(seen.begin(), seen.end(), path) != seen.end()) continue;
    seen.push_back(path);
    out.append(path) += end;
  }
  // Those of images if no text was searched, or found.
  for (size_t i = 0; reply.images && reply.hits.empty() && i < reply.images->size(); ++i) {
    const std::string_view path = (*reply.images)[i].image.path;
    if (std::find(seen.begin(), seen.end(), path) != seen.end()) continue;
    seen.push_back(path);
    out.append(path) += end;
  }
  return out;
}

}  // namespace

ReplyFormat parse_reply_format(std::string_view name) {
  for (const auto& [format, known] : kFormats)
    if (known == name) return format;
  throw Error(Code::usage, fmt::format("unknown format '{}'", name))
      .hint("use one of: text, json, jsonl, md, csv, files");
}

std::string render_reply(const Reply& reply, const RenderOptions& options) {
  const ReplyDetail detail = options.explain ? ReplyDetail::explain : ReplyDetail::contract;
  switch (options.format) {
    case ReplyFormat::text:
      return as_text(reply, options);
    case ReplyFormat::json:
      return reply_to_json(reply, detail, 2) + "\n";
    case ReplyFormat::jsonl:
      return reply_to_json(reply, detail) + "\n";
    case ReplyFormat::markdown:
      return as_markdown(reply, options);
    case ReplyFormat::csv:
      return as_csv(reply);
    case ReplyFormat::files:
      return as_files(reply, options.path_end);
  }
  return {};
}

std::string render_sources(std::span<const Citation> citations, bool with_quotes, Language language) {
  constexpr size_t kQuoteBytes = 240;
  std::string out;
  for (const Citation& c : citations) {
    out += fmt::format("[{}] {}\n", c.n, place(c, answer_texts(language)));
    if (with_quotes) out += fmt::format("    “{}”\n", snippet(c.quote, kQuoteBytes));
  }
  return out;
}

std::string render_timings(const Reply& reply) {
  const Timings& t = reply.timings;
  const std::pair<std::string_view, double> stages[] = {
      {"startup", t.startup_ms}, {"cache", t.cache_ms},       {"hyde", t.hyde_ms},
      {"embed", t.embed_ms},     {"retrieve", t.retrieve_ms}, {"rerank", t.rerank_ms},
      {"answer", t.answer_ms},   {"other", t.other_ms},       {"total", t.total_ms}};
  std::string out;
  for (const auto& [name, ms] : stages) out += fmt::format("{:<9}{:9.2f} ms\n", name, ms);
  if (const auto& g = reply.generated)
    out += fmt::format("prefill  {:9.2f} ms within answer: {} prompt tokens, {} of them reused\n", g->prefill_ms,
                       g->prompt_tokens, g->prefix_tokens_reused);
  out += fmt::format("memory   {} anonymous, {} file-backed\n", format_bytes(reply.memory.anon_bytes),
                     format_bytes(reply.memory.file_bytes));
  return out;
}

}  // namespace frugal
