#include "rag/chunk/chunk.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "base/utf8.h"
#include "rag/index_fakes.h"

using namespace frugal;

namespace {

const testing::WordTokenizer kWords;

std::vector<TextChunk> chunks_of(const Document& document, int64_t max_tokens = 20, int64_t overlap = 4) {
  return chunk_document(document, "file", {max_tokens, overlap, &kWords}, testing::few_laws());
}

Document markdown(std::string text) {
  Document document;
  document.text = std::move(text);
  document.is_markdown = true;
  return document;
}

std::string_view text_of(const Document& document, const TextChunk& chunk) {
  return std::string_view(document.text).substr(chunk.begin, chunk.end - chunk.begin);
}

/// Checks the invariants: chunks lie inside the text, cover every byte that is not blank, and fit the budget.
void check_invariants(const Document& document, int64_t max_tokens) {
  std::string uncovered = document.text;
  for (const TextChunk& chunk : chunks_of(document, max_tokens)) {
    REQUIRE(chunk.begin < chunk.end);
    REQUIRE(chunk.end <= document.text.size());
    CHECK(static_cast<int64_t>(kWords.encode_pieces(text_of(document, chunk), false).size()) <= max_tokens);
    CHECK(chunk.line == 1 + std::count(document.text.begin(), document.text.begin() + chunk.begin, '\n'));
    CHECK(is_valid_utf8(text_of(document, chunk)));
    std::fill(uncovered.begin() + chunk.begin, uncovered.begin() + chunk.end, ' ');
  }
  CHECK(uncovered.find_first_not_of(" \n\t\r") == std::string::npos);
}

bool holds(const TextChunk& chunk, const Provision& reference) {
  return std::find(chunk.references.begin(), chunk.references.end(), reference) != chunk.references.end();
}

}  // namespace

TEST_CASE("chunks cover all text that is not blank, fit the budget and split no character") {
  std::string prose, words;
  for (int i = 0; i < 60; ++i) prose += "Uma ação não é só reação, disse alguém número " + std::to_string(i) + ". ";
  for (int i = 0; i < 90; ++i) words += "çã ";
  for (const std::string& text :
       {prose, "# One\n\n" + prose + "\n\n## Two\n\n" + words, std::string(5000, 'x'), words, std::string("\n\n \n"),
        std::string("```\n# code\n\n```\n\ntext"), "Art. 1º " + prose + " § 1º " + prose}) {
    check_invariants(markdown(text), 20);
    Document plain;
    plain.text = text;
    check_invariants(plain, 7);
  }
}

TEST_CASE("short paragraphs under one heading are one chunk; a heading begins a new one") {
  const Document document = markdown("# A\n\none two\n\nthree four\n\n## B\n\nfive\n");
  const auto chunks = chunks_of(document);
  REQUIRE(chunks.size() == 2);
  CHECK(text_of(document, chunks[0]) == "# A\n\none two\n\nthree four");
  CHECK(chunks[1].heading == "A › B");
  CHECK(chunks[1].line == 7);
}

TEST_CASE("a paragraph that is tokenized in several windows gives the chunks of its sentences") {
  const std::string sentence = "Uma frase com exatamente oito palavras no total. ";
  std::string prose;
  while (prose.size() < 200'000) prose += sentence;
  const Document document = markdown(prose);
  const std::vector<TextChunk> chunks = chunks_of(document, 8, 0);
  CHECK(chunks.size() == prose.size() / sentence.size());
  for (const TextChunk& chunk : chunks) CHECK(text_of(document, chunk) == sentence.substr(0, sentence.size() - 1));
}

TEST_CASE("a heading of a megabyte is not stored with every chunk below it") {
  std::string text = "# " + std::string(1'000'000, 'H') + "\n\n";
  for (int level = 2; level < 7; ++level) text += std::string(level, '#') + " " + std::string(5000, 'h') + "\n\n";
  for (int i = 0; i < 50; ++i) text += "word one two three.\n\n";
  size_t bytes = 0;
  const std::vector<TextChunk> chunks = chunks_of(markdown(text), 1000);
  for (const TextChunk& chunk : chunks) bytes += chunk.heading.size();
  CHECK(bytes <= 1000 * chunks.size());
}

TEST_CASE("a record that fits is one chunk, whatever its headings") {
  Document document;
  document.is_record = true;
  document.text = "# Heading\n\nArt. 1º One.\n\nArt. 2º Two.";
  REQUIRE(chunks_of(document).size() == 1);
  CHECK(text_of(document, chunks_of(document)[0]) == document.text);
}

TEST_CASE("each article begins a chunk, which lists its law, paragraphs and items") {
  Document document;
  document.title = "Código Penal";
  document.text =
      "Código Penal\n\nArt. 1º Não há crime sem lei anterior.\n\nArt. 2º Pune-se: I – o furto; II – o roubo. § 1º A "
      "pena "
      "aumenta nos termos do § 2º do art. 9º. Parágrafo único. Fim.\n\n**Art. 121-A.** Matar.\n";
  const auto chunks = chunks_of(document, 60);
  REQUIRE(chunks.size() == 3);
  CHECK(chunks[0].references == std::vector<Provision>{{"br/codigo-penal", "1", "", "", ""}});
  CHECK(holds(chunks[1], {"br/codigo-penal", "2", "", "", ""}));
  CHECK(holds(chunks[1], {"br/codigo-penal", "2", "", "2", ""}));
  CHECK(holds(chunks[1], {"br/codigo-penal", "2", "1", "", ""}));
  CHECK(holds(chunks[1], {"br/codigo-penal", "2", "unico", "", ""}));
  CHECK_FALSE(holds(chunks[1], {"br/codigo-penal", "2", "2", "", ""}));
  CHECK(chunks[2].references == std::vector<Provision>{{"br/codigo-penal", "121-A", "", "", ""}});
}

TEST_CASE("a long article is split at its paragraphs, and every part lists the article") {
  Document document;
  document.title = "LGPD";
  document.text =
      "Art. 7º Um dois três quatro cinco seis sete. § 1º Um dois três quatro cinco seis. § 2º Um dois três quatro.";
  const auto chunks = chunks_of(document, 10);
  REQUIRE(chunks.size() == 3);
  CHECK(text_of(document, chunks[1]).starts_with("§ 1º"));
  for (const TextChunk& chunk : chunks) CHECK(chunk.references.at(0).article == "7");
  CHECK(holds(chunks[2], {"br/lgpd", "7", "2", "", ""}));
}

TEST_CASE("a record whose title names an article is that article, whatever it quotes") {
  Document document;
  document.is_record = true;
  document.title = "Código de Defesa do Consumidor, art. 2º";
  document.text = "Art. 2º Consumidor é toda pessoa. Parágrafo único. Equipara-se a consumidor a coletividade.";
  const auto chunks = chunks_of(document, 60);
  REQUIRE(chunks.size() == 1);
  CHECK(holds(chunks[0], {"br/codigo-de-defesa-do-consumidor", "2", "", "", ""}));
  CHECK(holds(chunks[0], {"br/codigo-de-defesa-do-consumidor", "2", "unico", "", ""}));
}

TEST_CASE("prose that mentions an article has no provisions") {
  CHECK(chunks_of(markdown("As art. 5 of the plan says, article 6 applies."))[0].references.empty());
}
