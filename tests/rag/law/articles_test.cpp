#include "rag/law/articles.h"

#include <doctest/doctest.h>

#include "rag/index_fakes.h"

using namespace frugal;

namespace {

constexpr const char* kCp = "br/codigo-penal";
constexpr const char* kCdc = "br/codigo-de-defesa-do-consumidor";

Provision article(std::string law, std::string number, std::string paragraph = {}) {
  return {std::move(law), std::move(number), std::move(paragraph), {}, {}};
}

using Provisions = std::vector<Provision>;

}  // namespace

TEST_CASE("the articles of a question are named once, and a law alone is none") {
  const std::string question = "Código Penal: art. 72, art. 75 e de novo o art. 72 do CP";
  const Provisions named = named_articles(find_provisions(question, testing::few_laws()));
  CHECK(named == Provisions{article(kCp, "72"), article(kCp, "75")});
  CHECK(named_articles({}).empty());
  CHECK(named_articles(find_provisions("o Código Penal", testing::few_laws())).empty());
}

TEST_CASE("an article is the same by number and law, whatever its parts; a law left open is any law") {
  CHECK(is_same_article(article(kCp, "72", "1"), article(kCp, "72", "2")));
  CHECK(is_same_article(article("", "72"), article(kCp, "72")));
  CHECK_FALSE(is_same_article(article(kCp, "72"), article("", "72")));
  CHECK_FALSE(is_same_article(article(kCp, "72"), article(kCdc, "72")));
  CHECK_FALSE(is_same_article(article(kCp, "72"), article(kCp, "75")));
  CHECK_FALSE(is_same_article(article(kCp, ""), article(kCp, "")));  // a law alone
}

TEST_CASE("a text bears an article if one of its provisions is that article") {
  const Provisions borne{article(kCdc, "71"), article(kCdc, "72", "1")};
  CHECK(contains_article(borne, article(kCdc, "72")));
  CHECK(contains_article(borne, article("", "71")));
  CHECK_FALSE(contains_article(borne, article(kCp, "72")));
  CHECK_FALSE(contains_article({}, article(kCp, "72")));
}

TEST_CASE("another article is one of the law asked about, or of no known law, beside the one asked for") {
  const Provisions asked{article(kCdc, "72")};
  CHECK(contains_other_article(Provisions{article(kCdc, "75")}, asked));
  CHECK(contains_other_article(Provisions{article("", "75")}, asked));
  CHECK(contains_other_article(Provisions{article("", "72")}, asked));  // of which law, is not known
  CHECK_FALSE(contains_other_article(Provisions{article(kCp, "75")}, asked));
  CHECK_FALSE(contains_other_article(Provisions{article(kCdc, "75"), article(kCdc, "72")}, asked));
  CHECK_FALSE(contains_other_article(Provisions{article(kCdc, "")}, asked));
  CHECK_FALSE(contains_other_article({}, asked));
  CHECK_FALSE(contains_other_article(Provisions{article(kCdc, "75")}, {}));
  // Where two are asked for, a text that bears one of them is still another article to the other.
  CHECK(contains_other_article(Provisions{article(kCdc, "72")}, Provisions{article(kCdc, "72"), article(kCdc, "75")}));
}

TEST_CASE("a text mentions an article where it names its number, with its law or without it being asked for") {
  const LawTable laws = testing::few_laws();
  CHECK(mentions_article("Ver o art. 72 do CP.", Provisions{article(kCp, "72")}, laws));
  CHECK(mentions_article("Ver o art. 72 do CP.", Provisions{article("", "72")}, laws));
  CHECK_FALSE(mentions_article("Ver o art. 72.", Provisions{article(kCp, "72")}, laws));
  CHECK_FALSE(mentions_article("Ver o art. 75 do CP.", Provisions{article(kCp, "72")}, laws));
  CHECK_FALSE(mentions_article("72 dias de multa", Provisions{article("", "72")}, laws));
  CHECK_FALSE(mentions_article("Ver o art. 72 do CP.", {}, laws));
}
